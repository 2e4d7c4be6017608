//! `/v1/admin/mails`.

use actix_web::{HttpResponse, get, post, web};
use utoipa::OpenApi;

use super::dto::{MailDetail, MailQuery, MailSummary};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{ReadShop, ServeMembers, Staff};
use crate::http::problem::Problem;
use crate::messages::notices::model::worded;
use crate::people::operators::rules::Right;
use crate::types::id::MailId;

#[derive(OpenApi)]
#[openapi(paths(list, get_one, resend))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(get_one).service(resend);
}

/// Analysts see masked addresses: they count, they don't write.
fn shows_addresses<R>(staff: &Staff<R>) -> bool {
    staff.roles.iter().any(|role| ServeMembers::is_given_to(*role))
}

/// List mails
///
/// Newest first. `state=dead` is the list of those that couldn't be sent.
#[utoipa::path(
    tag = "admin",
    params(MailQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<MailSummary>),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/mails")]
async fn list(
    app: web::Data<App>,
    staff: Staff<ReadShop>,
    web::Query(query): web::Query<MailQuery>,
) -> Result<HttpResponse> {
    let (filter, page) = query.split()?;
    let page = page.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, &filter, page).await?;
    let shows_address = shows_addresses(&staff);
    let list = List::cut(rows, page, |row| row.id.0).map(|row| MailSummary::new(row, shows_address));
    Ok(HttpResponse::Ok().json(list))
}

/// Get a mail with its words
///
/// One-time links in it are blanked out.
#[utoipa::path(
    tag = "admin",
    params(("id" = MailId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = MailDetail),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/mails/{id}")]
async fn get_one(app: web::Data<App>, staff: Staff<ReadShop>, id: web::Path<MailId>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::find(&mut conn, *id).await?.ok_or(Code::NotFound)?;
    let row = worded(&mut conn, row).await?;
    Ok(HttpResponse::Ok().json(MailDetail::new(row, shows_addresses(&staff), &app.postbox)?))
}

/// Send a dead or sent mail once more
///
/// It carries the same Message-ID. A mail whose one-time link was removed can't go again: have a new one made.
#[utoipa::path(
    tag = "admin",
    params(("id" = MailId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = MailSummary),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "mail_queued, secret_gone"),
    )
)]
#[post("/v1/admin/mails/{id}/resend")]
async fn resend(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    id: web::Path<MailId>,
) -> Result<HttpResponse> {
    let row = service::resend(&app, staff.actor, *id).await?;
    Ok(HttpResponse::Ok().json(MailSummary::new(row, true)))
}
