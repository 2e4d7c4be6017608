//! `/v1/admin/audit`.

use actix_web::{HttpResponse, get, web};

use super::dto::{AuditEntry, AuditFilter, actor_uuid};
use super::model::{self, Wanted};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, Staff};
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list);
}

/// Who did what
#[utoipa::path(
    tag = "admin: people",
    params(PageQuery, AuditFilter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<AuditEntry>),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/audit")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    query: web::Query<PageQuery>,
    filter: web::Query<AuditFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let filter = filter.into_inner();
    let actor_id = match &filter.actor {
        None => None,
        Some(text) => {
            let id = actor_uuid(text);
            Some(id.ok_or_else(|| {
                Code::InvalidField.at("actor", "expected an id of an account or an API key")
            })?)
        }
    };
    let wanted = Wanted {
        action: filter.action,
        subject_kind: filter.subject_kind,
        subject_id: filter.subject,
        actor_id,
        since: filter.since,
        until: filter.until,
    };
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, wanted, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, model::cursor_of).map(AuditEntry::from)))
}
