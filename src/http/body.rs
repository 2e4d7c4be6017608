//! The JSON body extractor: 400 where it can't be parsed, 415 for another media type, 413 past the limit, 422 with the
//! field's path where it is JSON but not what the call takes (wrong type, unknown or missing field).

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::{AppError, Code, Result};

/// A parsed JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request
            .headers()
            .get(actix_web::http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        let limit =
            request.app_data::<web::Data<App>>().map_or(64 * 1024, |app| app.settings.limits.body_bytes);
        let payload = web::Payload::from_request(request, payload).into_inner();
        Box::pin(async move {
            if !is_json {
                return Err(Code::UnsupportedMediaType.error());
            }
            let payload = payload.map_err(|_| Code::MalformedRequest)?;
            read(payload, limit).await.and_then(|bytes| parse(&bytes)).map(Self)
        })
    }
}

/// A body that trickles in for longer is given up.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// `body_too_large`, `request_timeout`, or `malformed_request` when it breaks off.
pub async fn read(payload: web::Payload, limit: usize) -> Result<web::Bytes> {
    read_within(payload, limit, TIME_LIMIT).await
}

/// [`read`] for bodies that may take longer: files.
///
/// # Errors
/// As [`read`].
pub async fn read_within(payload: web::Payload, limit: usize, time: Duration) -> Result<web::Bytes> {
    match tokio::time::timeout(time, payload.to_bytes_limited(limit)).await {
        Err(_) => Err(Code::RequestTimeout.error()),
        Ok(Err(_)) => Err(Code::BodyTooLarge.error()),
        Ok(Ok(Err(_))) => Err(Code::MalformedRequest.error()),
        Ok(Ok(Ok(bytes))) => Ok(bytes),
    }
}

/// # Errors
/// `malformed_json` or `invalid_field`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            // serde names the place after the message; the field's path says it better.
            let message = inner.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            Code::InvalidField.at(if field == "." { String::new() } else { field }, message)
        } else {
            Code::MalformedJson.error()
        }
    })?;
    deserializer.end().map_err(|_| Code::MalformedJson)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only parsed")]
        lines: Vec<u32>,
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refuse = |text: &str| parse::<Sample>(text.as_bytes()).unwrap_err();
        assert_eq!(refuse("{").code, Code::MalformedJson);
        assert_eq!(refuse(r#"{"lines": []} x"#).code, Code::MalformedJson);
        let wrong_type = refuse(r#"{"lines": [1, "a"]}"#);
        assert_eq!((wrong_type.code, wrong_type.errors[0].field.as_str()), (Code::InvalidField, "lines[1]"));
        assert_eq!(refuse(r#"{"lines": [], "extra": 1}"#).errors[0].field, "extra");
        assert_eq!(refuse("{}").code, Code::InvalidField);
    }
}
