//! `/v1/admin/coupon-campaigns`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{
    CampaignChange, CampaignCopy, CampaignView, FiguresView, NewCampaign, Simulated, Simulation,
};
use super::service::{self, Act};
use super::{figures, model};
use crate::app::App;
use crate::checkout::orders::dto::OrderRequest;
use crate::checkout::orders::quote_dto::CouponOutcome;
use crate::checkout::orders::quotes;
use crate::checkout::orders::service::{Customer, Shop};
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::people::accounts::model as accounts;
use crate::types::id::CampaignId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, copy, pause, resume, archive, figures_of, simulate))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(copy)
        .service(pause)
        .service(resume)
        .service(archive)
        .service(figures_of)
        .service(simulate);
}

/// An id of a path: what can't be one names nothing.
///
/// # Errors
/// `not_found`.
pub fn campaign_id(path: &str) -> Result<CampaignId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(view: CampaignView) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(view.version)).json(view)
}

fn created(view: CampaignView) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/coupon-campaigns/{}", view.id)))
        .insert_header(etag(view.version))
        .json(view)
}

/// Make a coupon campaign
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewCampaign,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CampaignView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range, unknown_article, unknown_plan"),
    )
)]
#[post("/v1/admin/coupon-campaigns")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewCampaign>,
) -> Result<HttpResponse> {
    Ok(created(
        service::create(&app.pool, staff.actor, &body, &app.settings.currency, app.clock.now()).await?,
    ))
}

/// All coupon campaigns, archived ones too
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<CampaignView>))
)]
#[get("/v1/admin/coupon-campaigns")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let page_of = List::cut(model::list(&mut conn, page).await?, page, |campaign| campaign.id.0);
    let data = service::views(&mut conn, page_of.data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: page_of.next_cursor }))
}

/// A coupon campaign, with how far its limits are used
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = CampaignView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/coupon-campaigns/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let campaign = model::find(&mut conn, campaign_id(&path)?).await?.ok_or(Code::NotFound)?;
    Ok(answer(service::view(&mut conn, campaign, &app.settings.currency).await?))
}

/// Change a coupon campaign, as far as that takes no promise back
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = CampaignChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = CampaignView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "campaign_in_use, limit_below_uses"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/coupon-campaigns/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<CampaignChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, campaign_id(&path)?, seen, &body).await?))
}

/// A new campaign with the rule and limits of this one; it begins paused
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    request_body = CampaignCopy,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CampaignView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/copy")]
async fn copy(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<CampaignCopy>,
) -> Result<HttpResponse> {
    Ok(created(service::copy(&app, staff.actor, campaign_id(&path)?, &body).await?))
}

/// Nobody can use it until it is resumed; orders that were placed keep it
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = CampaignView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/coupon-campaigns/{id}/pause")]
async fn pause(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::act(&app, staff.actor, campaign_id(&path)?, Act::Pause).await?))
}

/// It can be used again
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = CampaignView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/resume")]
async fn resume(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::act(&app, staff.actor, campaign_id(&path)?, Act::Resume).await?))
}

/// End it for good; orders that were placed keep it
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = CampaignView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/coupon-campaigns/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::act(&app, staff.actor, campaign_id(&path)?, Act::Archive).await?))
}

/// What it came to, by day
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = FiguresView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/coupon-campaigns/{id}/figures")]
async fn figures_of(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let campaign = model::find(&mut conn, campaign_id(&path)?).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(figures::of(&mut conn, &campaign, &app.settings.currency).await?))
}

/// What would this basket cost that account at that time, and why?
///
/// The campaign is tried as if it needed no code and weren't paused. Nothing is changed.
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path)),
    request_body = Simulation,
    security(("bearer" = [])),
    responses(
        (status = 200, body = Simulated),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "as an order would be refused"),
        (status = 422, body = Problem, description = "a body that no order can have"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/simulate")]
async fn simulate(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<Simulation>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let campaign = model::find(&mut conn, campaign_id(&path)?).await?.ok_or(Code::NotFound)?;
    let codes = body.coupon_codes.clone();
    let request = OrderRequest {
        lines: body.lines,
        coupon_codes: body.coupon_codes,
        shipping: body.shipping,
        ..OrderRequest::default()
    };
    let cart = request.cart(Customer::Account(body.account), None)?;
    let shop = Shop::of(&app.settings);
    let at = body.at.unwrap_or_else(|| app.clock.now());
    if accounts::find(&mut conn, body.account).await?.is_none() {
        return Err(Code::InvalidField.at("account", "there is no such account"));
    }
    let quoted = quotes::simulate(&mut conn, &shop, at, &cart, campaign).await?;
    let currency = &app.settings.currency;
    Ok(HttpResponse::Ok().json(Simulated {
        totals: quoted.priced.totals.view(currency),
        explanation: quoted.priced.explanation,
        coupons: CouponOutcome::all(quoted.coupons, &codes, quoted.locale, currency),
    }))
}
