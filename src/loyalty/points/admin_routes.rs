//! Operators' hand in points: the programme, rules that earn more, and somebody's own.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};
use serde_json::json;

use super::dto::{
    NewPointsRule, PointsAdjustment, PointsOfAccount, PointsProgrammeChange, PointsProgrammeView,
    PointsRuleView,
};
use super::routes::{page, view};
use super::{programme, service};
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::db::page::PageQuery;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, PointsRuleId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(show_programme, change_programme, list_rules, create_rule, archive_rule, show, adjust))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(show_programme)
        .service(change_programme)
        .service(list_rules)
        .service(create_rule)
        .service(archive_rule)
        .service(show)
        .service(adjust);
}

/// How points are earned, spent and lost
#[utoipa::path(
    tag = "admin: points",
    security(("bearer" = [])),
    responses((status = 200, body = PointsProgrammeView))
)]
#[get("/v1/admin/points-programme")]
async fn show_programme(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let conn = db::connect(&app.pool).await?;
    let of = programme::load(&conn).await?;
    let shown = PointsProgrammeView::of(&of, &app.settings.currency);
    Ok(HttpResponse::Ok().insert_header(etag(of.version)).json(shown))
}

/// Change how points are earned, spent and lost
///
/// Rates hold for orders that are placed from now on; how long points last, for what becomes spendable from now on.
#[utoipa::path(
    tag = "admin: points",
    params(("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = PointsProgrammeChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = PointsProgrammeView),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/points-programme")]
async fn change_programme(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    Body(body): Body<PointsProgrammeChange>,
) -> Result<HttpResponse> {
    let of = service::change_programme(&app, staff.actor, seen, &body).await?;
    let shown = PointsProgrammeView::of(&of, &app.settings.currency);
    Ok(HttpResponse::Ok().insert_header(etag(of.version)).json(shown))
}

/// What earns at another rate
///
/// The oldest first, without those that are archived.
#[utoipa::path(
    tag = "admin: points",
    security(("bearer" = [])),
    responses((status = 200, body = Vec<PointsRuleView>))
)]
#[get("/v1/admin/points-rules")]
async fn list_rules(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let conn = db::connect(&app.pool).await?;
    let rules = programme::open_rules(&conn).await?;
    let shown: Vec<_> = rules.into_iter().map(PointsRuleView::from).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": shown })))
}

/// Let something earn at another rate
#[utoipa::path(
    tag = "admin: points",
    request_body = NewPointsRule,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PointsRuleView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/points-rules")]
async fn create_rule(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewPointsRule>,
) -> Result<HttpResponse> {
    let rule = service::create_rule(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/points-rules/{}", rule.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(PointsRuleView::from(rule)))
}

/// End a rule
///
/// Orders that were placed under it keep their rate.
#[utoipa::path(
    tag = "admin: points",
    params(("id" = PointsRuleId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PointsRuleView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/points-rules/{id}/archive")]
async fn archive_rule(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: PointsRuleId = path.parse().map_err(|_| Code::NotFound)?;
    let rule = service::archive_rule(&app, staff.actor, id).await?;
    Ok(HttpResponse::Ok().json(PointsRuleView::from(rule)))
}

fn account_id(path: &str) -> Result<AccountId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

async fn of_account(
    conn: &mut Conn,
    app: &App,
    account: AccountId,
    query: &PageQuery,
) -> Result<PointsOfAccount> {
    let points = view(conn, app, account).await?;
    Ok(PointsOfAccount { points, entries: page(conn, account, query).await? })
}

/// A member's points, and what came and went
#[utoipa::path(
    tag = "admin: points",
    params(("id" = AccountId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = PointsOfAccount), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/points")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let account = accounts::load(&mut conn, account_id(&path)?).await.map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(of_account(&mut conn, &app, account.id, &query).await?))
}

/// Give a member points, take them, or let go what is owed
#[utoipa::path(
    tag = "admin: points",
    params(("id" = AccountId, Path), ("Idempotency-Key" = String, Header)),
    request_body = PointsAdjustment,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PointsOfAccount),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "points_insufficient"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/accounts/{id}/points")]
async fn adjust(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<PointsAdjustment>,
) -> Result<HttpResponse> {
    let account = account_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/accounts/{id}/points",
        key: key.0,
        body_hash: idempotency::hash(&json!([account, body]))?,
    };
    let (adjustment, reason) = body.checked()?;
    service::adjust(&app, staff.actor, account, adjustment, &reason, &request).await?;
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Created().json(of_account(&mut conn, &app, account, &PageQuery::default()).await?))
}
