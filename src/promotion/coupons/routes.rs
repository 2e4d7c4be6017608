//! Coupons: what one is, the caller's own, and operators' work on codes.

use actix_web::http::header::{ACCEPT_LANGUAGE, CONTENT_DISPOSITION, LOCATION};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::json;

use super::dto::{
    CouponAnswer, CouponQuestion, CouponView, IssueView, NewGrants, NewIssue, NewRevocation, NewShared,
    Revoked, WalletItem,
};
use super::{attempts, issue, model, service};
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::db::{self};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ManageShop, MaybeCaller, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::csv;
use crate::http::idempotency::IdempotencyKey;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::jobs::Lane;
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model as accounts;
use crate::promotion::campaigns::model as campaigns;
use crate::promotion::campaigns::routes::campaign_id;
use crate::types::id::{CampaignId, CouponIssueId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(check, wallet, make, share, grant, list, issues, issue_of, revoke, find))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(check)
        .service(wallet)
        .service(make)
        .service(share)
        .service(grant)
        .service(list)
        .service(issues)
        .service(issue_of)
        .service(revoke)
        .service(find);
}

/// What is this coupon code, and can you use it?
#[utoipa::path(
    tag = "coupons",
    request_body = CouponQuestion,
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = CouponAnswer),
        (status = 422, body = Problem, description = "unknown_coupon"),
        (status = 429, body = Problem, description = "too_many_requests, too_many_attempts"),
    )
)]
#[post("/v1/coupons/check")]
async fn check(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    Body(body): Body<CouponQuestion>,
) -> Result<HttpResponse> {
    let account = caller.0.map(|caller| caller.account);
    let mut conn = db::connect(&app.pool).await?;
    attempts::guard(&app, &mut conn, account, &request, &[normal_code(&body.code)]).await?;
    let answer = service::check(&app, &mut conn, account, &body.code, locale_of(&request)).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// Your coupons, and what you hold of merchants, newest first
#[utoipa::path(
    tag = "coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<WalletItem>))
)]
#[get("/v1/me/coupons")]
async fn wallet(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    // In the language that is asked for, or the account's.
    let locale = match request.headers().contains_key(ACCEPT_LANGUAGE) {
        true => locale_of(&request),
        false => accounts::load_buyer(&mut conn, caller.account).await?.locale,
    };
    Ok(HttpResponse::Ok().json(service::wallet_page(&app, &mut conn, caller.account, page, locale).await?))
}

/// Make many codes that are good for one use each
///
/// A job makes them: `made` of the issue, and the job's `progress`, tell how far it is.
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewIssue,
    security(("bearer" = [])),
    responses(
        (status = 202, body = IssueView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/coupons")]
async fn make(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewIssue>,
) -> Result<HttpResponse> {
    let campaign = campaign_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/coupon-campaigns/{id}/coupons",
        key: key.0,
        body_hash: idempotency::hash(&json!([campaign, body]))?,
    };
    let (issue, job) =
        service::issue(&app.pool, staff.actor, campaign, &body, Some(&request), app.clock.now()).await?;
    app.jobs.wake(Lane::Local);
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/admin/coupon-issues/{}", issue.id)))
        .json(IssueView::new(issue, job)))
}

/// Make a code that people share
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewShared,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CouponView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken, closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/shared-codes")]
async fn share(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewShared>,
) -> Result<HttpResponse> {
    let campaign = campaign_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/coupon-campaigns/{id}/shared-codes",
        key: key.0,
        body_hash: idempotency::hash(&json!([campaign, body]))?,
    };
    let coupon = service::share(&app, staff.actor, campaign, &body, &request).await?;
    Ok(HttpResponse::Created().json(CouponView::from(coupon)))
}

/// Give a coupon each to chosen accounts
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewGrants,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "`{\"given\": 3}`"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/grants")]
async fn grant(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewGrants>,
) -> Result<HttpResponse> {
    let campaign = campaign_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/coupon-campaigns/{id}/grants",
        key: key.0,
        body_hash: idempotency::hash(&json!([campaign, body]))?,
    };
    let given =
        service::grant(&app.pool, staff.actor, campaign, &body, Some(&request), app.clock.now()).await?;
    Ok(HttpResponse::Created().json(json!({ "given": given })))
}

/// Which codes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CouponQuery {
    /// Of this issue alone; with CSV.
    #[param(value_type = Option<String>)]
    pub issue: Option<CouponIssueId>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// Codes of a campaign, newest first; all of them, or those of an issue, as a stream with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), CouponQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((List<CouponView> = "application/json"), (String = "text/csv"))),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/coupon-campaigns/{id}/coupons")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    request: HttpRequest,
    path: web::Path<String>,
    web::Query(query): web::Query<CouponQuery>,
) -> Result<HttpResponse> {
    let campaign = campaign_id(&path)?;
    let mut conn = db::connect(&app.pool).await?;
    campaigns::find(&mut conn, campaign).await?.ok_or(Code::NotFound)?;
    if csv::is_wanted(&request) {
        return Ok(HttpResponse::Ok()
            .content_type(csv::CSV)
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"coupons.csv\""))
            .streaming(issue::csv(app.pool.clone(), campaign, query.issue)));
    }
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let coupons = model::of_campaign(&mut conn, campaign, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(coupons, page, |coupon| coupon.id.0).map(CouponView::from)))
}

/// Codes that were made together, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<IssueView>))
)]
#[get("/v1/admin/coupon-campaigns/{id}/issues")]
async fn issues(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let issues = model::issues_of(&mut *db::connect(&app.pool).await?, campaign_id(&path)?, page).await?;
    let view = |issue| IssueView::new(issue, None);
    Ok(HttpResponse::Ok().json(List::cut(issues, page, |issue| issue.id.0).map(view)))
}

/// How far codes are that are made together
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CouponIssueId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = IssueView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/coupon-issues/{id}")]
async fn issue_of(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    let issue = model::find_issue(&mut *db::connect(&app.pool).await?, id).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(IssueView::new(issue, None)))
}

/// Revoke one code, those of an issue, or all of the campaign. Orders that hold or used one keep it
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    request_body = NewRevocation,
    security(("bearer" = [])),
    responses(
        (status = 200, body = Revoked),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/revocations")]
async fn revoke(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NewRevocation>,
) -> Result<HttpResponse> {
    let revoked =
        service::revoke(&app.pool, staff.actor, campaign_id(&path)?, &body, app.clock.now()).await?;
    Ok(HttpResponse::Ok().json(Revoked { revoked }))
}

/// The code as somebody read it to you.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeQuestion {
    pub code: String,
}

/// Find a code that somebody read to you
///
/// By a body, so that no log has the code.
#[utoipa::path(
    tag = "admin: coupons",
    request_body = CodeQuestion,
    security(("bearer" = [])),
    responses((status = 200, body = CouponView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/coupons/find")]
async fn find(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    Body(body): Body<CodeQuestion>,
) -> Result<HttpResponse> {
    let conn = db::connect(&app.pool).await?;
    let coupon = model::find(&conn, &[normal_code(&body.code)]).await?.pop().ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(CouponView::from(coupon)))
}
