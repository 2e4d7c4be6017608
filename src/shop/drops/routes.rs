//! `/v1/drops`: what everybody may look at, with the doors of the one who looks; and what an F-code is good for.

use actix_web::{HttpRequest, HttpResponse, get, post, web};

use super::dto::{DropView, FCodeAnswer, FCodeQuestion};
use super::model::Drop;
use super::{model, rules};
use crate::app::App;
use crate::checkout::claims;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model as accounts;
use crate::shop::visitors;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, check_f_code))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show).service(check_f_code);
}

/// Drops, newest first
#[utoipa::path(tag = "drops", params(PageQuery), responses((status = 200, body = List<DropView>)))]
#[get("/v1/drops")]
async fn list(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (page, now, locale) = (query.page()?, app.clock.now(), locale_of(&request));
    let account = caller.0.map(|caller| caller.account);
    let mut conn = db::connect(&app.pool).await?;
    let drops = List::cut(model::list(&mut conn, false, page).await?, page, |drop| drop.id.0);
    let looker = visitors::load(&mut conn, account, drops.data.iter().flat_map(Drop::audiences), now).await?;
    let view = |drop| DropView::new(drop, looker.visitor(), &looker.ranks, locale, now);
    Ok(HttpResponse::Ok().json(drops.map(view)))
}

/// A drop, by id or code
#[utoipa::path(
    tag = "drops",
    params(("id" = String, Path, description = "id or code")),
    responses((status = 200, body = DropView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/drops/{id}")]
async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let account = caller.0.map(|caller| caller.account);
    let mut conn = db::connect(&app.pool).await?;
    let id = model::find_id(&mut conn, &path).await?.ok_or(Code::NotFound)?;
    let drop = model::load(&mut conn, &[id]).await?.pop().filter(|drop| drop.archived_at.is_none());
    let (drop, now) = (drop.ok_or(Code::NotFound)?, app.clock.now());
    let looker = visitors::load(&mut conn, account, drop.audiences(), now).await?;
    let view = DropView::new(drop, looker.visitor(), &looker.ranks, locale_of(&request), now);
    Ok(HttpResponse::Ok().json(view))
}

/// What is this F-code, and can you use it?
#[utoipa::path(
    tag = "drops",
    request_body = FCodeQuestion,
    security(("bearer" = [])),
    responses(
        (status = 200, body = FCodeAnswer),
        (status = 422, body = Problem, description = "unknown_f_code"),
        (status = 429, body = Problem, description = "too_many_requests"),
    )
)]
#[post("/v1/f-codes/check")]
async fn check_f_code(
    app: web::Data<App>,
    caller: Caller,
    Body(body): Body<FCodeQuestion>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let code = model::f_codes(&mut conn, &[normal_code(&body.code)]).await?.pop();
    let code = code.ok_or_else(|| Code::UnknownFCode.at("code", "unknown"))?;
    let buyer = accounts::load_buyer(&mut conn, caller.account).await?;
    let holder = rules::Holder { account: buyer.id, email_key: buyer.email_key.as_deref() };
    let is_free = claims::read(&mut conn, &[code.pool]).await?.first().is_some_and(|pool| pool.left() > 0);
    let refusal = match rules::may_use(&code, holder, app.clock.now()) {
        Ok(()) if !is_free => Some(Code::FCodeUsed),
        judged => judged.err(),
    };
    Ok(HttpResponse::Ok().json(FCodeAnswer {
        drop: code.drop,
        variant: code.variant,
        expires_at: code.expires_at,
        may_use: refusal.is_none(),
        refusal: refusal.map(Code::as_str),
    }))
}
