//! `/v1/admin/referral-programme` and `/v1/admin/referrals`.

use actix_web::{HttpResponse, get, patch, web};
use serde::Deserialize;

use super::dto::{ProgrammeChange, ProgrammeView, ReferralView};
use super::figures::{self, Figures};
use super::model::{self, Filter, ReferralState};
use super::{programme, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::{AccountId, ReferralId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(show_programme, change_programme, figures_of, list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show_programme).service(change_programme).service(figures_of).service(list).service(show);
}

fn answer(view: ProgrammeView) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(view.version)).json(view)
}

/// The referral programme, with how far its caps are used
#[utoipa::path(
    tag = "admin: referrals",
    security(("bearer" = [])),
    responses((status = 200, body = ProgrammeView))
)]
#[get("/v1/admin/referral-programme")]
async fn show_programme(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let of = programme::load(&mut conn).await?;
    Ok(answer(service::show(&mut conn, of, &app.settings.currency).await?))
}

/// Change the referral programme
///
/// It counts for orders whose payment comes from now on; what was promised before stays.
#[utoipa::path(
    tag = "admin: referrals",
    params(("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = ProgrammeChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ProgrammeView),
        (status = 409, body = Problem, description = "limit_below_uses"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/referral-programme")]
async fn change_programme(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    Body(body): Body<ProgrammeChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, seen, &body).await?))
}

/// What the programme has brought and cost
#[utoipa::path(
    tag = "admin: referrals",
    security(("bearer" = [])),
    responses((status = 200, body = Figures))
)]
#[get("/v1/admin/referral-programme/figures")]
async fn figures_of(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(figures::load(&mut conn, &app.settings.currency).await?))
}

/// Which referrals are listed.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ReferralQuery {
    #[param(inline)]
    state: Option<ReferralState>,
    inviter: Option<AccountId>,
    friend: Option<AccountId>,
    /// 1 to 100; 20 by default.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Referrals, newest first, with what made them suspicious
#[utoipa::path(
    tag = "admin: referrals",
    params(ReferralQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ReferralView>))
)]
#[get("/v1/admin/referrals")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<ReferralQuery>,
) -> Result<HttpResponse> {
    let ReferralQuery { state, inviter, friend, limit, cursor } = query.into_inner();
    let page = PageQuery { limit, cursor }.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let filter = Filter { state, inviter, friend };
    let page_of = List::cut(model::list(&mut conn, filter, page).await?, page, |of| of.id.0);
    let data = service::views(&mut conn, page_of.data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: page_of.next_cursor }))
}

/// A referral
#[utoipa::path(
    tag = "admin: referrals",
    params(("id" = ReferralId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ReferralView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/referrals/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    let mut conn = db::connect(&app.pool).await?;
    let found = model::load(&mut conn, id).await?;
    let view = service::views(&mut conn, vec![found], &app.settings.currency).await?.pop();
    Ok(HttpResponse::Ok().json(view.ok_or(Code::NotFound)?))
}
