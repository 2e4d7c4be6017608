//! Makes every refusal a problem+json with the request's id, whoever raised it, and logs its cause once.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};

use super::RequestId;
use crate::app::App;
use crate::error::{AppError, Code};
use crate::http::problem;

/// The simulator under this path speaks as Stripe does.
const FOREIGN: &str = "/dev/";

/// # Errors
/// Those of what it wraps: a panic's.
pub async fn render(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    if response.status().as_u16() < 400 || response.request().path().starts_with(FOREIGN) {
        return Ok(response);
    }
    let raised = response.response().error();
    let rendered = match raised.and_then(|error| error.as_error::<AppError>()) {
        Some(error) => to_response(&response, error),
        // Raised by the framework: a method that a path doesn't take, a path that isn't one.
        None if raised.is_some() || is_empty(&response) => {
            to_response(&response, &code_of(response.status()).error())
        }
        None => return Ok(response),
    };
    Ok(response.into_response(rendered))
}

fn is_empty(response: &ServiceResponse) -> bool {
    matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0))
}

fn to_response(response: &ServiceResponse, error: &AppError) -> HttpResponse {
    let request = response.request();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    if let Some(app) = request.app_data::<web::Data<App>>() {
        app.metrics.problems.with_label_values(&[error.code.as_str()]).inc();
    }
    log(error, id.as_deref());
    let mut rendered = problem::response(error, id);
    keep_headers(response.headers(), rendered.headers_mut());
    rendered
}

/// What the refusal said beside its body: `Allow`, `Retry-After`, `WWW-Authenticate`.
fn keep_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH && !to.contains_key(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// The one place where a cause is logged. What the caller did wrong is in the access log already.
pub fn log(error: &AppError, request_id: Option<&str>) {
    let Some(cause) = error.cause() else { return };
    let code = error.code.as_str();
    match error.code.status() {
        503 => tracing::warn!(request_id, code, %cause, "refused"),
        500.. => tracing::error!(request_id, code, %cause, "failed"),
        _ => tracing::debug!(request_id, code, %cause, "refused"),
    }
}

fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 => Code::RequestTimeout,
        413 => Code::BodyTooLarge,
        415 => Code::UnsupportedMediaType,
        429 => Code::TooManyRequests,
        503 => Code::Busy,
        500.. => Code::Internal,
        _ => Code::MalformedRequest,
    }
}

/// Seconds after which a 429 or 503 may be tried again where nobody said.
pub fn with_retry_after(headers: &mut HeaderMap, status: StatusCode) {
    let is_for_later = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    if is_for_later && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, actix_web::http::header::HeaderValue::from_static("1"));
    }
}
