//! `/v1/me/associates` and `/v1/associate-invitations`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, post, web};

use super::dto::{AssociateToken, AssociatesView, NewAssociate};
use super::service;
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::membership::memberships;
use crate::membership::memberships::dto::MembershipView;
use crate::types::id::AssociateId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(show, invite, end, accept, decline))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show).service(invite).service(end).service(accept).service(decline);
}

/// Your associates
///
/// The seats of your membership, who has them and who is invited. Who has no membership of his own has none.
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 200, body = AssociatesView),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/associates")]
async fn show(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::of_head(&app, caller.account).await?))
}

/// Invite an associate
///
/// Holds one of your seats for 30 days and mails a token to that address.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewAssociate,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AssociatesView),
        (status = 409, body = Problem, description =
            "membership_not_open, membership_frozen, is_associate, no_seat_left, already_invited"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[post("/v1/me/associates")]
async fn invite(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<NewAssociate>,
) -> Result<HttpResponse> {
    let request = Request {
        account: caller.account,
        route: "POST /v1/me/associates",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let id = service::invite(&app, &body.email, &request).await?;
    let view = service::of_head(&app, caller.account).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/v1/me/associates/{id}"))).json(view))
}

/// End a seat, or leave one
///
/// The head takes an invitation back or ends an associate's seat; an associate ends his own.
#[utoipa::path(
    tag = "memberships",
    params(("id" = AssociateId, Path)),
    security(("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[delete("/v1/me/associates/{id}")]
async fn end(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    let id: AssociateId = path.parse().map_err(|_| Code::NotFound)?;
    service::end(&app, caller.account, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Become an associate
///
/// With the token of the mail, signed in to the account of the address that was invited. A membership of your own that is over
/// is closed by it, one that runs stands against it.
#[utoipa::path(
    tag = "memberships",
    request_body = AssociateToken,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 403, body = Problem, description = "invitation_not_yours"),
        (status = 409, body = Problem, description =
            "invitation_expired, has_membership, is_associate, membership_frozen"),
        (status = 410, body = Problem, description = "token_invalid"),
    )
)]
#[post("/v1/associate-invitations/accept")]
async fn accept(
    app: web::Data<App>,
    caller: Caller,
    Body(body): Body<AssociateToken>,
) -> Result<HttpResponse> {
    service::accept(&app, caller.account, &body.token).await?;
    Ok(HttpResponse::Ok().json(memberships::reader::own(&app, caller.account).await?))
}

/// Turn an invitation down
///
/// Who has the token needs no account for that.
#[utoipa::path(
    tag = "memberships",
    request_body = AssociateToken,
    responses(
        (status = 204),
        (status = 409, body = Problem, description = "invitation_expired"),
        (status = 410, body = Problem, description = "token_invalid"),
    )
)]
#[post("/v1/associate-invitations/decline")]
async fn decline(app: web::Data<App>, Body(body): Body<AssociateToken>) -> Result<HttpResponse> {
    service::decline(&app, &body.token).await?;
    Ok(HttpResponse::NoContent().finish())
}
