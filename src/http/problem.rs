//! Errors as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::error::{AppError, FieldError};

/// What a refused request is answered with. The request's id is in the header `X-Request-Id` and, filled in by the
/// middleware, in `request_id`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    pub title: String,
    pub status: u16,
    /// Stable: branch on it.
    #[schema(example = "sold_out")]
    pub code: &'static str,
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        response(self, None)
    }
}

/// A refusal as it goes out.
pub fn response(error: &AppError, request_id: Option<String>) -> HttpResponse {
    let status = error.status_code();
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        code: error.code.as_str(),
        detail: error.detail.clone().into_owned(),
        errors: error.errors.clone(),
        request_id,
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, "application/problem+json"));
    // RFC 9110 §15.5.2 asks for a challenge with every 401.
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    if let Some(seconds) = error.retry_after_seconds {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    let bytes = serde_json::to_vec(&problem).unwrap_or_default();
    response.body(bytes)
}
