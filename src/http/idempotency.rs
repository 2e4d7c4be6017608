//! The Idempotency-Key header (as in draft-ietf-httpapi-idempotency-key-header), required where money or claims move.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

use crate::error::{AppError, Code, Result};

/// 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

impl FromRequest for IdempotencyKey {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let key =
            request.headers().get("Idempotency-Key").and_then(|value| value.to_str().ok()).filter(|key| {
                (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
            });
        ready(key.map(|key| Self(key.to_owned())).ok_or_else(|| Code::IdempotencyKeyMissing.error()))
    }
}
