//! `/v1/admin/associates`.

use actix_web::{HttpResponse, post, web};

use super::service;
use crate::app::App;
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::membership::memberships::dto::Reasoned;
use crate::types::id::AssociateId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(end))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(end);
}

/// End a seat, or take an invitation back
///
/// Which there are is told with the head (`GET /v1/admin/members/{id}`).
#[utoipa::path(
    tag = "admin: members",
    params(("id" = AssociateId, Path)),
    request_body = Reasoned,
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/associates/{id}/end")]
async fn end(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<Reasoned>,
) -> Result<HttpResponse> {
    let id: AssociateId = path.parse().map_err(|_| Code::NotFound)?;
    service::end_by_operator(&app, staff.actor, id, &fields::reason(&body.reason)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
