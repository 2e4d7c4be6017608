//! `/v1/drops/{id}/events`.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::EventView;
use super::service;
use crate::app::App;
use crate::db;
use crate::error::{Code, Result};
use crate::http::auth::MaybeCaller;
use crate::http::problem::Problem;
use crate::http::{client, limits};
use crate::shop::drops::model as drops;

#[derive(utoipa::OpenApi)]
#[openapi(paths(events))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(events);
}

/// Follow a drop: what is left and what was sold, as it happens
///
/// Server-sent events. `event: state` comes at once and whenever something changes, at most once a second; its data is the
/// whole state (shown here as JSON), its id names the state: sent back as `Last-Event-ID`, the state is only sent again if it
/// has changed. Comments keep the connection alive. The stream ends after ten minutes; an `EventSource` comes back by itself.
#[utoipa::path(
    tag = "drops",
    params(
        ("id" = String, Path, description = "id or code"),
        ("Last-Event-ID" = Option<String>, Header, description = "the id of the last event that you have"),
    ),
    responses(
        (status = 200, body = EventView, content_type = "text/event-stream"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 429, body = Problem, description = "too_many_requests: too many streams from this address"),
        (status = 503, body = Problem, description = "busy: too many streams"),
    )
)]
#[get("/v1/drops/{id}/events")]
async fn events(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let address = client::address(request.head(), &app.settings.trusted_proxies)
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), limits::network);
    let most = &app.settings.limits;
    let seat = app.live.streams.enter(address, most.streams, most.streams_per_address)?;
    let id = drops::find_id(&mut *db::connect(&app.pool).await?, &path).await?.ok_or(Code::NotFound)?;
    let known = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    let account = caller.0.map(|caller| caller.account);
    let stream = service::follow(app.clone(), seat, id, account, known.map(str::to_owned)).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx keeps answers back unless it is told not to.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream))
}
