//! `/v1/admin/games`, and what everybody may see of plays.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{GameView, NewGame, PlayView};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::GameId;
use crate::types::locale::Locale;

#[derive(utoipa::OpenApi)]
#[openapi(paths(plays, create, list, end))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(plays).service(create).service(list).service(end);
}

/// Plays of a game, the last one first
///
/// Nobody is named. When the game is over, its seed recomputes each of them: see docs/GIVEOUTS.md.
#[utoipa::path(
    tag = "coupons",
    params(("code" = String, Path), PageQuery),
    responses((status = 200, body = List<PlayView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/coupon-campaigns/{code}/plays")]
async fn plays(
    app: web::Data<App>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let (found, prizes) = service::plays(&mut *db::connect(&app.pool).await?, &path, page).await?;
    let page_of = List::cut(found, page, model::place);
    Ok(HttpResponse::Ok().json(page_of.map(|play| PlayView::new(&play, &prizes))))
}

/// Make a game: a claim is a weighted chance of prizes
///
/// Its seed is drawn now and its hash published; prizes and weights never change.
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewGame,
    security(("bearer" = [])),
    responses(
        (status = 201, body = GameView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken, closed"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/games")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewGame>,
) -> Result<HttpResponse> {
    let made = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/coupon-campaigns/{}", made.seen.code)))
        .json(made))
}

/// All games, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<GameView>))
)]
#[get("/v1/admin/games")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, page).await?, page, |of| of.id.0);
    let mut data = Vec::with_capacity(found.data.len());
    for of in found.data {
        let seen = service::seen(&app, &mut conn, of.clone(), Locale::default()).await?;
        data.push(GameView::new(of, seen));
    }
    Ok(HttpResponse::Ok().json(List { data, next_cursor: found.next_cursor }))
}

/// End a game and publish its seed; what was won stays
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = GameId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = GameView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/games/{id}/end")]
async fn end(app: web::Data<App>, staff: Staff<ManageShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(service::end(&app, staff.actor, id).await?))
}
