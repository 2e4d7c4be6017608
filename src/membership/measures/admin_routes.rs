//! `/v1/admin/memberships/{id}/measures`, `/v1/admin/measures`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{AdminMeasureView, MeasureDecision, MeasureFilter, NewMeasure};
use super::model::{self, Measure, Wanted};
use super::rules;
use super::service::{self, Asked, Decision};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{MeasureId, MembershipId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(take, list, show, uphold, lift))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(take).service(list).service(show).service(uphold).service(lift);
}

/// Warn, suspend or expel a member
///
/// He is told by mail and may appeal. A suspension freezes the membership for its days, which are given back at its end.
/// An expulsion revokes it, and the shop refunds `refund` by the orders that paid for it: by `money`, or by what the rules of
/// the community promise. The account can't become a member again until the expulsion is lifted.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewMeasure,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminMeasureView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "membership_not_open, already_suspended, no_community_rules"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/measures")]
async fn take(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<NewMeasure>,
) -> Result<HttpResponse> {
    let request = Request {
        account: staff.account,
        route: "/v1/admin/memberships/{id}/measures",
        key: key.0,
        body_hash: idempotency::hash(&(path.as_str(), &body))?,
    };
    let asked = Asked {
        actor: staff.actor,
        membership: path.parse().map_err(|_| Code::NotFound)?,
        taking: rules::taking(body.kind, body.days, body.money)?,
        rule: fields::line("rule", &body.rule, 200)?,
        reason: fields::reason(&body.reason)?,
        request,
    };
    let measure = service::take(&app, &asked).await?;
    let location = format!("/v1/admin/measures/{}", measure.id);
    let view = AdminMeasureView::new(measure, &app.settings.currency);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view))
}

/// Measures, newest first; `appeal=open` are those to decide
#[utoipa::path(
    tag = "admin: members",
    params(PageQuery, MeasureFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminMeasureView>))
)]
#[get("/v1/admin/measures")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<MeasureFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: filter.account, state: filter.state, appeal: filter.appeal };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    let currency = &app.settings.currency;
    let list = List::cut(rows, page, |row| row.id.0).map(|row| AdminMeasureView::new(row, currency));
    Ok(HttpResponse::Ok().json(list))
}

/// A measure
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MeasureId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminMeasureView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/measures/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = id(&path)?;
    let found = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(&app, found.ok_or(Code::NotFound)?))
}

/// Let a measure stand that was appealed against
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MeasureId, Path)),
    request_body = MeasureDecision,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminMeasureView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "no_appeal"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/measures/{id}/uphold")]
async fn uphold(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<MeasureDecision>,
) -> Result<HttpResponse> {
    decide(&app, &staff, &path, Decision::Uphold, &body).await
}

/// Take a measure back, on an appeal or without one
///
/// A suspended membership resumes now, with the frozen time given back. Who was expelled may buy again; what ended stays
/// ended: grant what is due.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MeasureId, Path)),
    request_body = MeasureDecision,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminMeasureView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "measure_ended"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/measures/{id}/lift")]
async fn lift(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<MeasureDecision>,
) -> Result<HttpResponse> {
    decide(&app, &staff, &path, Decision::Lift, &body).await
}

async fn decide(
    app: &App,
    staff: &Staff<ManageShop>,
    path: &str,
    decision: Decision,
    body: &MeasureDecision,
) -> Result<HttpResponse> {
    let reason = fields::reason(&body.reason)?;
    Ok(answer(app, service::decide(app, staff.actor, id(path)?, decision, &reason).await?))
}

fn id(path: &str) -> Result<MeasureId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(app: &App, measure: Measure) -> HttpResponse {
    HttpResponse::Ok().json(AdminMeasureView::new(measure, &app.settings.currency))
}
