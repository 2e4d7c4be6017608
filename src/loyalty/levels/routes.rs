//! `/v1/levels`, `/v1/me/level`.

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::{OwnLevelView, PublicLevel};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::language::locale_of;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, own))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(own);
}

/// The levels that can be reached, from the lowest up
#[utoipa::path(tag = "levels", responses((status = 200, body = List<PublicLevel>)))]
#[get("/v1/levels")]
async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let levels = model::all(&mut *db::connect(&app.pool).await?).await?;
    let locale = locale_of(&request);
    let shown = levels.open().map(|level| PublicLevel::new(level, locale)).collect();
    Ok(HttpResponse::Ok().json(List::<PublicLevel>::whole(shown)))
}

/// Your level, what is missing for the next one, and why
///
/// Up at once; down only at a review, which `review` explains. What an operator gave and what your tier sets at least stand beside
/// what you earned: the highest counts.
#[utoipa::path(
    tag = "levels",
    security(("bearer" = [])),
    responses((status = 200, body = OwnLevelView), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/level")]
async fn own(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(service::explain(&app, &mut conn, caller.account, None).await?))
}
