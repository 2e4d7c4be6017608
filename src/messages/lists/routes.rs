//! `/v1/unsubscribe`, `/v1/admin/bounces`, `/v1/admin/suppressions`.

use actix_web::{HttpResponse, delete, get, post, web};

use super::dto::{Bounce, BounceTaken, SuppressionView, UnsubscribeQuery, Unsubscribed};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::SuppressionId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(unsubscribe, bounce, list, release))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(unsubscribe).service(bounce).service(list).service(release);
}

/// Leave a list with one click
///
/// As RFC 8058 has it: mail programs post `List-Unsubscribe=One-Click` here, whatever the body. Only the list of that mail ends.
#[utoipa::path(
    tag = "accounts",
    params(UnsubscribeQuery),
    responses(
        (status = 200, body = Unsubscribed),
        (status = 410, body = Problem, description = "token_invalid"),
    )
)]
#[post("/v1/unsubscribe")]
async fn unsubscribe(app: web::Data<App>, query: web::Query<UnsubscribeQuery>) -> Result<HttpResponse> {
    let left = service::unsubscribe(&app, &query.t).await?;
    Ok(HttpResponse::Ok().json(Unsubscribed { list: left }))
}

/// Tell of a mail that came back, or of a complaint
///
/// For the mail's provider, by a server of yours with an API key, or by hand. Hard bounces and complaints suppress the address:
/// nothing of a list goes there any more. Mails of orders and of the account are still tried.
#[utoipa::path(
    tag = "admin: notices",
    request_body = Bounce,
    security(("bearer" = [])),
    responses(
        (status = 200, body = BounceTaken),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/bounces")]
async fn bounce(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    Body(body): Body<Bounce>,
) -> Result<HttpResponse> {
    let suppressed = service::bounce(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Ok().json(BounceTaken { suppressed }))
}

/// Suppressed addresses, newest first
#[utoipa::path(
    tag = "admin: notices",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<SuppressionView>))
)]
#[get("/v1/admin/suppressions")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(SuppressionView::from)))
}

/// Let an address be written to again
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = SuppressionId, Path)),
    security(("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[delete("/v1/admin/suppressions/{id}")]
async fn release(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    service::release(&app, staff.actor, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
