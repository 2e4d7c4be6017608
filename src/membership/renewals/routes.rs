//! `POST /v1/me/membership/{renewal, cancel, downgrade}` and `POST /v1/renewals`.

use actix_web::{HttpResponse, post, web};
use serde::Serialize;

use super::dto::{MembershipCancelRequest, PlannedChangeRequest, RenewalSwitch, RenewalView};
use super::service;
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::error::Result;
use crate::fields;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::membership::memberships::dto::MembershipView;
use crate::membership::memberships::reader as memberships;
use crate::types::money::Money;

#[derive(utoipa::OpenApi)]
#[openapi(paths(switch, cancel, plan_change, offer))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(switch).service(cancel).service(plan_change).service(offer);
}

/// Renew by the saved card, or don't
///
/// Turning it off takes effect at once; what was paid for runs on.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = RenewalSwitch,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 409, body = Problem, description =
            "membership_not_open, already_for_life, renewal_not_offered, no_saved_card"),
        (status = 422, body = Problem, description = "idempotency_key_reused"),
    )
)]
#[post("/v1/me/membership/renewal")]
async fn switch(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<RenewalSwitch>,
) -> Result<HttpResponse> {
    let request = asked(&caller, key, "POST /v1/me/membership/renewal", &body)?;
    service::switch(&app, body.on, &request).await?;
    shown(&app, &caller).await
}

/// Let your membership end with its term
///
/// It runs to its end; nothing is charged, and nobody reminds you. `renewal {on: true}`, or a planned change, takes it back.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = MembershipCancelRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 409, body = Problem, description = "membership_not_open, already_for_life"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/me/membership/cancel")]
async fn cancel(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<MembershipCancelRequest>,
) -> Result<HttpResponse> {
    let request = asked(&caller, key, "POST /v1/me/membership/cancel", &body)?;
    let reason = match &body.reason {
        Some(reason) => Some(fields::reason(reason)?),
        None => None,
    };
    service::cancel(&app, reason.as_deref(), &request).await?;
    shown(&app, &caller).await
}

/// Become something smaller at the end of your term
///
/// A plan of a lower tier, or another one of your own; what you have paid for runs to its end. `null` drops what was planned.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = PlannedChangeRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 409, body = Problem, description =
            "membership_not_open, already_for_life, not_a_downgrade, upgrade_not_sold"),
        (status = 422, body = Problem, description = "unknown_plan, idempotency_key_reused"),
    )
)]
#[post("/v1/me/membership/downgrade")]
async fn plan_change(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<PlannedChangeRequest>,
) -> Result<HttpResponse> {
    let request = asked(&caller, key, "POST /v1/me/membership/downgrade", &body)?;
    service::plan_change(&app, body.plan, &request).await?;
    shown(&app, &caller).await
}

/// What it costs to go on after your term
///
/// The line `{"renewal": id}` orders it: also where the plan is sold in drives alone, for who has it. It goes on from the old end.
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 201, body = RenewalView),
        (status = 409, body = Problem, description =
            "membership_not_open, already_for_life, membership_frozen, renewal_not_offered"),
    )
)]
#[post("/v1/renewals")]
async fn offer(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let renewal = service::offer(&app, caller.account).await?;
    Ok(HttpResponse::Created().json(RenewalView {
        id: renewal.id,
        plan: renewal.plan_id,
        price: Money::new(renewal.price_minor, &renewal.currency),
        from: renewal.ends_at,
    }))
}

fn asked(
    caller: &Caller,
    key: IdempotencyKey,
    route: &'static str,
    body: &impl Serialize,
) -> Result<Request> {
    Ok(Request { account: caller.account, route, key: key.0, body_hash: idempotency::hash(body)? })
}

async fn shown(app: &App, caller: &Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(memberships::own(app, caller.account).await?))
}
