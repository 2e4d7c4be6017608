//! Where Stripe's events come in.

use actix_web::{HttpRequest, HttpResponse, web};

use super::webhooks;
use crate::app::App;
use crate::error::{Code, Result};
use crate::http::body;

/// Stripe's largest events stay well below.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

#[derive(utoipa::OpenApi)]
#[openapi(paths(receive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/v1/stripe/webhooks", web::post().to(receive));
}

/// Stripe's signed events; answered as soon as the raw event is stored.
#[utoipa::path(post, path = "/v1/stripe/webhooks", tag = "Stripe", request_body(content = String),
    responses((status = 200, description = "Kept, or known already"), (status = 400, description = "signature_invalid")))]
pub async fn receive(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let bytes = body::read(payload, EVENT_BYTES_MAX).await?;
    let signature = request.headers().get("Stripe-Signature").and_then(|value| value.to_str().ok());
    webhooks::receive(&app, &bytes, signature.ok_or(Code::SignatureInvalid)?).await?;
    Ok(HttpResponse::Ok().finish())
}
