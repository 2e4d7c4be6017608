//! `/v1/me/points`.

use actix_web::{HttpResponse, get, web};

use super::dto::{PointsEntryView, PointsView};
use super::model::{self, EntryRow};
use super::programme;
use crate::app::App;
use crate::db::page::{List, PageQuery};
use crate::db::{self, Conn};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::types::id::AccountId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(own, entries))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(own).service(entries);
}

/// How an account's points stand.
///
/// # Errors
/// The database's.
pub async fn view(conn: &mut Conn, app: &App, account: AccountId) -> Result<PointsView> {
    let purse = model::read(conn, &[account]).await?.remove(&account).unwrap_or_default();
    let programme = programme::load(conn).await?;
    Ok(PointsView::of(&purse, &programme, &app.settings.currency, app.clock.now()))
}

/// A page of an account's ledger.
///
/// # Errors
/// `invalid_field`, `invalid_cursor`.
pub async fn page(conn: &mut Conn, account: AccountId, query: &PageQuery) -> Result<List<PointsEntryView>> {
    let page = query.page()?;
    let rows = model::page(conn, account, page).await?;
    Ok(List::cut(rows, page, |row: &EntryRow| row.id.0).map(PointsEntryView::from))
}

/// Your points
///
/// What you can spend, what is still pending, and what expires when.
#[utoipa::path(
    tag = "points",
    security(("bearer" = [])),
    responses((status = 200, body = PointsView), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/points")]
async fn own(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(view(&mut conn, &app, caller.account).await?))
}

/// What came and went of your points
#[utoipa::path(
    tag = "points",
    params(PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<PointsEntryView>),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/points/entries")]
async fn entries(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(page(&mut conn, caller.account, &query).await?))
}
