//! `/v1/me/chapter`.

use actix_web::{HttpResponse, get, put, web};

use super::dto::{ChapterWish, HomeView};
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(show, choose))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show).service(choose);
}

/// Your chapter
///
/// Where you are a member, or will join: until you choose, the default chapter.
#[utoipa::path(
    tag = "chapters",
    security(("bearer" = [])),
    responses(
        (status = 200, body = HomeView),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/chapter")]
async fn show(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::home(&app, caller.account).await?))
}

/// Choose a chapter, or move to another one
///
/// Before your first membership begins: where you join, and whose next number is yours. Later: your number stays, and
/// you may move once in 30 days.
#[utoipa::path(
    tag = "chapters",
    request_body = ChapterWish,
    security(("bearer" = [])),
    responses(
        (status = 200, body = HomeView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 409, body = Problem, description = "chapter_archived, moved_recently, is_organiser"),
        (status = 422, body = Problem, description = "unknown_chapter"),
    )
)]
#[put("/v1/me/chapter")]
async fn choose(app: web::Data<App>, caller: Caller, Body(body): Body<ChapterWish>) -> Result<HttpResponse> {
    service::choose(&app, caller.account, &body.chapter).await?;
    Ok(HttpResponse::Ok().json(service::home(&app, caller.account).await?))
}
