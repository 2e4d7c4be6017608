//! Answers for everybody, as ready bytes with an ETag: 304 for who has them already.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{AppError, Result};
use crate::types::locale::Locale;

/// An answer's body and its ETag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub body: Bytes,
    /// Weak: a proxy or a middleware may compress the body.
    pub etag: String,
}

impl Ready {
    /// Of a body that is JSON.
    pub fn new(body: Vec<u8>) -> Self {
        let hash = Sha256::digest(&body);
        let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { body: Bytes::from(body), etag: format!("W/\"{hex}\"") }
    }

    /// # Errors
    /// When it is no JSON, which nothing that is shown is.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        serde_json::to_vec(value).map(Self::new).map_err(AppError::internal)
    }

    /// 304 where the reader has it already (RFC 9110 §13.1.2: weak comparison, a list, or `*`).
    pub fn answer(&self, locale: Locale, request: &HttpRequest) -> HttpResponse {
        let known = text(request.headers(), IF_NONE_MATCH);
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let is_known = known.trim() == "*" || known.split(',').any(|tag| opaque(tag) == opaque(&self.etag));
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.etag.as_str()))
            .insert_header((CACHE_CONTROL, "public, max-age=0, must-revalidate"))
            .insert_header((CONTENT_LANGUAGE, locale.as_str()))
            .insert_header((VARY, "Accept-Language"));
        if is_known {
            response.finish()
        } else {
            response.content_type("application/json").body(self.body.clone())
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
