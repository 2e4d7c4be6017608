//! `/v1/admin/drives/{id}/invitations` and `/v1/admin/invitations`.

use actix_web::{HttpResponse, get, post, web};

use super::dto::{InvitationView, NewInvitations};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::{DriveId, InvitationId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, revoke))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(revoke);
}

/// Invite to a drive
///
/// Makes codes, or reserves a place for each address of a list. An address that was invited before keeps its invitation;
/// if it had ended, it is good again.
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = DriveId, Path)),
    request_body = NewInvitations,
    security(("bearer" = [])),
    responses(
        (status = 201, body = List<InvitationView>),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_admission, closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/drives/{id}/invitations")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NewInvitations>,
) -> Result<HttpResponse> {
    let drive: DriveId = path.parse().map_err(|_| Code::NotFound)?;
    let made = service::create(&app, staff.actor, drive, &body).await?;
    Ok(HttpResponse::Created().json(List::whole(made).map(InvitationView::from)))
}

/// Invitations to a drive
///
/// With the addresses that places are reserved for.
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = DriveId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<InvitationView>))
)]
#[get("/v1/admin/drives/{id}/invitations")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let drive: DriveId = path.parse().map_err(|_| Code::NotFound)?;
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, drive, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(InvitationView::from)))
}

/// Withdraw an invitation
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = InvitationId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = InvitationView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[post("/v1/admin/invitations/{id}/revoke")]
async fn revoke(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: InvitationId = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(InvitationView::from(service::revoke(&app, staff.actor, id).await?)))
}
