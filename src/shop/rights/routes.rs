//! `GET /v1/me/access`: a storefront asks whether it may open something for the caller.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::model::{self, Right};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::types::id::{OrderId, ProductId};
use crate::types::locale::Names;

/// A right that holds now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccessView {
    pub product: ProductId,
    pub slug: String,
    pub names: Names,
    pub source: AccessSource,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; null: it has no end.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Where a right comes from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccessSource {
    pub order: OrderId,
}

impl From<Right> for AccessView {
    fn from(right: Right) -> Self {
        Self {
            product: right.product,
            slug: right.slug,
            names: Names { zh: right.name_zh, en: right.name_en },
            source: AccessSource { order: right.order },
            starts_at: right.starts_at,
            ends_at: right.ends_at,
        }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show);
}

/// What you may open now
#[utoipa::path(tag = "access", security(("bearer" = [])), responses((status = 200, body = List<AccessView>)))]
#[get("/v1/me/access")]
async fn list(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let held = model::held(&mut conn, caller.account, None, app.clock.now()).await?;
    let views: Vec<_> = held.into_iter().map(AccessView::from).collect();
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
    let held = model::held(&mut conn, caller.account, Some(path.as_str()), app.clock.now()).await?;
    let longest = held.into_iter().max_by_key(|right| right.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC));
    Ok(HttpResponse::Ok().json(AccessView::from(longest.ok_or(Code::NotFound)?)))
}
