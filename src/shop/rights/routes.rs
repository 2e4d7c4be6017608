//! `GET /v1/me/access`: a storefront asks whether it may open something for the caller.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::rules::{Right, Source};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::types::id::ProductId;
use crate::types::locale::Names;

/// A right that holds now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccessView {
    pub product: ProductId,
    pub slug: String,
    pub names: Names,
    pub source: Source,
    /// Null: since when isn't known, as of a segment.
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive; null: it has no end, or none that is known, as of a segment. Of a tier: the end of the membership and,
    /// during grace, of grace. Ask again then.
    pub ends_at: Option<DateTime<Utc>>,
}

impl From<Right> for AccessView {
    fn from(right: Right) -> Self {
        let Right { product, slug, names, source, starts_at, ends_at } = right;
        Self { product, slug, names, source, starts_at, ends_at }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show);
}

/// What you may open now, what lasts longest first
///
/// What you bought, and what your membership or a segment opens; a product that is opened by both is there twice.
#[utoipa::path(tag = "access", security(("bearer" = [])), responses((status = 200, body = List<AccessView>)))]
#[get("/v1/me/access")]
async fn list(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let rights = service::of_account(&mut conn, caller.account, None, app.clock.now()).await?;
    let views: Vec<_> = rights.into_iter().map(AccessView::from).collect();
    Ok(HttpResponse::Ok().json(List::whole(views)))
}

/// May you open this product? The right that lasts longest.
#[utoipa::path(
    tag = "access",
    params(("product" = String, Path, description = "id or slug")),
    security(("bearer" = [])),
    responses((status = 200, body = AccessView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/me/access/{product}")]
async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let rights = service::of_account(&mut conn, caller.account, Some(path.as_str()), app.clock.now()).await?;
    let longest = rights.into_iter().next().ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(AccessView::from(longest)))
}
