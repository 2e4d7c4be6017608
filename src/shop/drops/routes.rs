//! `/v1/drops`: what everybody may look at, with the doors of the one who looks; and what an F-code is good for.

use actix_web::{HttpRequest, HttpResponse, get, post, web};

use super::dto::{DropView, FCodeAnswer, FCodeQuestion, Reader};
use super::{model, rules};
use crate::app::App;
use crate::checkout::claims;
use crate::db;
use crate::db::page::{List, Page, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::http::ready::Ready;
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model as accounts;
use crate::shop::live::dto::seen_by;
use crate::shop::live::model::{self as live, Shown};
use crate::shop::visitors;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

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
    let (page, locale) = (query.page()?, locale_of(&request));
    match caller.0 {
        Some(Caller { account, .. }) => {
            Ok(HttpResponse::Ok().json(list_for(&app, Some(account), locale, page).await?))
        }
        None => {
            let make = async || Ready::json(&list_for(&app, None, locale, page).await?);
            app.shelf.answer(&request, &app.clock, make).await
        }
    }
}

/// A page of drops as one caller sees them.
async fn list_for(
    app: &App,
    account: Option<AccountId>,
    locale: Locale,
    page: Page,
) -> Result<List<DropView>> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let drops = List::cut(model::list(&mut conn, false, page).await?, page, |drop| drop.id.0);
    let next_cursor = drops.next_cursor;
    let shown = live::with_articles(&mut conn, drops.data).await?;
    let audiences = shown.iter().flat_map(Shown::audiences);
    // Where there is no drop nobody has to be judged.
    let ranks = shown.first().map(|shown| shown.ranks.clone()).unwrap_or_default();
    let looker = visitors::load_with(&mut conn, account, audiences, ranks, now).await?;
    let (visitor, ranks) = (looker.visitor(), &looker.ranks);
    let reader = Reader { visitor, ranks, locale, currency: &app.settings.currency, now };
    let data: Vec<_> = shown.iter().filter_map(|shown| view(shown, reader)).collect();
    Ok(List { data, next_cursor })
}

/// What this reader sees of a drop; none where he sees nothing that it sells.
fn view(shown: &Shown, reader: Reader<'_>) -> Option<DropView> {
    let drop = seen_by(shown, reader.visitor, reader.ranks, reader.now)?;
    Some(DropView::new(drop, shown.board.as_ref(), reader))
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
    let locale = locale_of(&request);
    match caller.0 {
        Some(Caller { account, .. }) => {
            Ok(HttpResponse::Ok().json(show_to(&app, Some(account), locale, &path).await?))
        }
        None => {
            let make = async || Ready::json(&show_to(&app, None, locale, &path).await?);
            app.shelf.answer(&request, &app.clock, make).await
        }
    }
}

/// A drop as one caller sees it.
async fn show_to(
    app: &App,
    account: Option<AccountId>,
    locale: Locale,
    id_or_code: &str,
) -> Result<DropView> {
    let mut conn = db::connect(&app.pool).await?;
    let id = model::find_id(&mut conn, id_or_code).await?.ok_or(Code::NotFound)?;
    let shown = live::look(&mut conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let now = app.clock.now();
    let looker = visitors::load_with(&mut conn, account, shown.audiences(), shown.ranks.clone(), now).await?;
    let (visitor, ranks) = (looker.visitor(), &looker.ranks);
    let reader = Reader { visitor, ranks, locale, currency: &app.settings.currency, now };
    view(&shown, reader).ok_or_else(|| Code::NotFound.error())
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
    let code = model::f_codes(&conn, &[normal_code(&body.code)]).await?.pop();
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
