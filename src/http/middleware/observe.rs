//! The outermost layer: the request's id, the access log, the metrics, the headers that every answer has.
//!
//! The log holds the route's pattern: never a path (ids), a query (tokens), a header, a body or a client's address.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::problems;
use crate::app::App;
use crate::error::{AppError, Code};
use crate::http::front::Front;
use crate::http::{connections, problem};
use crate::types::id::AccountId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in its extensions: for logs and problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The account that a request turned out to come from, put into the request's extensions by `http::auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn(pub AccountId);

/// What is known of a request before it is handled.
struct Seen {
    id: String,
    method: Method,
    route: Arc<str>,
    origin: Option<HeaderValue>,
    started: Instant,
}

/// # Errors
/// A panic's, as a finished answer.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let data = request.app_data::<web::Data<App>>().cloned();
    let app: Option<&App> = data.as_ref().map(|data| &***data);
    let front = app.and_then(|app| Front::of(app, &request));
    let route = match &front {
        Some(front) => Arc::clone(&front.route),
        None => request.match_pattern().map_or_else(|| "none".into(), Arc::from),
    };
    let connection = connections::begin(&request);
    let seen = Seen {
        id: request_id(request.headers()),
        method: request.method().clone(),
        route,
        origin: request.headers().get(ORIGIN).cloned(),
        started,
    };
    if let Some(front) = front {
        let mut response = front.answer(&request);
        let status = response.status();
        record(app, &seen, status, None);
        dress(response.headers_mut(), app, &seen, status, false);
        if let Some(connection) = connection {
            connection.answer(response.headers());
        }
        return Ok(request.into_response(response).map_into_right_body());
    }
    request.extensions_mut().insert(RequestId(seen.id.clone()));
    let span = tracing::info_span!("request", id = seen.id);
    let answered = next.call(request).instrument(span).await;
    match answered {
        Ok(mut response) => {
            let status = response.status();
            let account = response.request().extensions().get::<SignedIn>().copied();
            record(app, &seen, status, account);
            let is_dev = response.request().path().starts_with("/dev/");
            dress(response.headers_mut(), app, &seen, status, is_dev);
            if let Some(connection) = connection {
                connection.answer(response.headers());
            }
            Ok(response.map_into_left_body())
        }
        Err(error) => Err(finish(app, &seen, error)),
    }
}

/// A panic reaches this layer as an error: there is no request any more to answer, so the error carries the answer.
fn finish(app: Option<&App>, seen: &Seen, error: Error) -> Error {
    let refused = match error.as_error::<AppError>() {
        Some(known) => {
            problems::log(known, Some(&seen.id));
            problem::response(known, Some(seen.id.clone()))
        }
        None => problem::response(&Code::Internal.error(), Some(seen.id.clone())),
    };
    let mut response = refused;
    let status = response.status();
    record(app, seen, status, None);
    dress(response.headers_mut(), app, seen, status, false);
    // The layer that does this for other answers lies further in.
    let allowed = seen.origin.as_ref().filter(|origin| {
        app.is_some_and(|app| {
            app.settings.allowed_origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
        })
    });
    if let Some(origin) = allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    }
    InternalError::from_response(error, response).into()
}

/// A caller's own id where it is fit for a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.filter(|id| is_fit(id)).map_or_else(|| format!("req_{}", Uuid::now_v7().simple()), str::to_owned)
}

fn is_fit(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

fn record(app: Option<&App>, seen: &Seen, status: StatusCode, account: Option<SignedIn>) {
    let took = seen.started.elapsed();
    let account = account.map(|SignedIn(account)| account.to_string());
    tracing::info!(
        target: "kindred::access",
        request_id = seen.id,
        method = %seen.method,
        route = &*seen.route,
        status = status.as_u16(),
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        account,
        "request"
    );
    if let Some(app) = app {
        app.metrics.request_done(&seen.route, seen.method.as_str(), status.as_u16(), took);
    }
}

/// Headers of every answer, where the handler hasn't set its own.
fn dress(headers: &mut HeaderMap, app: Option<&App>, seen: &Seen, status: StatusCode, is_dev: bool) {
    if let Ok(id) = HeaderValue::from_str(&seen.id) {
        headers.insert(REQUEST_ID, id);
    }
    // The mark of `compression::spare_small`.
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(CONTENT_ENCODING);
    }
    problems::with_retry_after(headers, status);
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(REFERRER_POLICY, "no-referrer");
    default(X_FRAME_OPTIONS, "DENY");
    if app.is_some_and(|app| app.settings.public_url.scheme() == "https") {
        default(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if is_dev {
        return;
    }
    if !headers.contains_key(ETAG) && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // A page brings its own; nothing else that we answer may load or run anything.
    let is_page = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(CONTENT_SECURITY_POLICY, nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_spoil_a_log_is_replaced() {
        for good in ["a", "req_1", "0193-aB.c:d"] {
            assert!(is_fit(good), "{good}");
        }
        for bad in ["", "a b", "a\n", "\"", "<script>", "名", &"a".repeat(129)] {
            assert!(!is_fit(bad), "{bad}");
        }
    }
}
