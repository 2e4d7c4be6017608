//! `/v1/admin/drops` and their F-codes.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, patch, post, web};

use super::dto::{AdminDropView, DropChange, FCodeView, NewDrop, NewFCodes};
use super::model::Drop;
use super::{f_codes_csv, model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::csv;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::jobs::Lane;
use crate::shop::board::model as boards;
use crate::types::id::DropId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, issue, f_codes))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(issue)
        .service(f_codes);
}

async fn answer(app: &App, drop: Drop, mut response: HttpResponseBuilder) -> Result<HttpResponse> {
    let version = drop.version;
    let board = boards::of(&mut *db::connect(&app.pool).await?, &[drop.id]).await?.remove(&drop.id);
    let view = AdminDropView::new(drop, board.as_ref(), &app.settings.currency, app.clock.now());
    Ok(response.insert_header(etag(version)).json(view))
}

fn drop_id(path: &str) -> Result<DropId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Make a drop
#[utoipa::path(
    tag = "admin: drops",
    request_body = NewDrop,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminDropView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/drops")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewDrop>,
) -> Result<HttpResponse> {
    let drop = service::create(&app, staff.actor, &body).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, format!("/v1/admin/drops/{}", drop.id)));
    answer(&app, drop, response).await
}

/// All drops, archived ones too
#[utoipa::path(
    tag = "admin: drops",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminDropView>))
)]
#[get("/v1/admin/drops")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (page, now) = (query.page()?, app.clock.now());
    let mut conn = db::connect(&app.pool).await?;
    let list = List::cut(model::list(&mut conn, true, page).await?, page, |drop| drop.id.0);
    let boards = boards::of(&mut conn, &list.data.iter().map(|drop| drop.id).collect::<Vec<_>>()).await?;
    let view = |drop: Drop| {
        let board = boards.get(&drop.id);
        AdminDropView::new(drop, board, &app.settings.currency, now)
    };
    Ok(HttpResponse::Ok().json(list.map(view)))
}

/// A drop
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminDropView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/drops/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = drop_id(&path)?;
    let drop = model::load(&*db::connect(&app.pool).await?, &[id]).await?.pop();
    answer(&app, drop.ok_or(Code::NotFound)?, HttpResponse::Ok()).await
}

/// Change a drop
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = DropChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminDropView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed, stock_not_free"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/drops/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<DropChange>,
) -> Result<HttpResponse> {
    let drop = service::change(&app, staff.actor, drop_id(&path)?, seen, body).await?;
    answer(&app, drop, HttpResponse::Ok()).await
}

/// End a drop for good
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminDropView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/drops/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let drop = service::archive(&app, staff.actor, drop_id(&path)?).await?;
    answer(&app, drop, HttpResponse::Ok()).await
}

/// Make F-codes: each sets one unit aside now
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewFCodes,
    security(("bearer" = [])),
    responses(
        (
            status = 201,
            content(
                (List<FCodeView> = "application/json"),
                (String = "text/csv"),
            )
        ),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "stock_not_free, closed"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/drops/{id}/f-codes")]
async fn issue(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    asked: HttpRequest,
    Body(body): Body<NewFCodes>,
) -> Result<HttpResponse> {
    let id = drop_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/drops/{id}/f-codes",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let codes = service::issue(&app, staff.actor, id, &body, &request).await?;
    app.jobs.wake(Lane::Mail);
    let codes: Vec<_> = codes.into_iter().map(FCodeView::from).collect();
    if csv::is_wanted(&asked) {
        return Ok(HttpResponse::Created().content_type(csv::CSV).body(f_codes_csv::whole(&codes)));
    }
    Ok(HttpResponse::Created().json(List::whole(codes)))
}

/// F-codes of a drop, newest first; with `Accept: text/csv` all of them
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), PageQuery),
    security(("bearer" = [])),
    responses((
        status = 200,
        content(
            (List<FCodeView> = "application/json"),
            (String = "text/csv"),
        )
    ))
)]
#[get("/v1/admin/drops/{id}/f-codes")]
async fn f_codes(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
    asked: HttpRequest,
) -> Result<HttpResponse> {
    let (id, page) = (drop_id(&path)?, query.page()?);
    if csv::is_wanted(&asked) {
        return Ok(HttpResponse::Ok().content_type(csv::CSV).streaming(f_codes_csv::stream(app, id)));
    }
    let rows = model::list_f_codes(&mut *db::connect(&app.pool).await?, id, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |code| code.id.0).map(FCodeView::from)))
}
