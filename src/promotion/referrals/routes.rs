//! `/v1/me/referrals`.

use actix_web::{HttpResponse, get, web};

use super::dto::OwnReferral;
use super::model::{self, Filter};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::Result;
use crate::http::auth::Caller;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list);
}

/// Whom you brought, newest first, and what you get for it
///
/// A friend is nobody's to see: of his name you are shown the first letter.
#[utoipa::path(
    tag = "invites",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<OwnReferral>))
)]
#[get("/v1/me/referrals")]
async fn list(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let filter = Filter { inviter: Some(caller.account), ..Filter::default() };
    let page_of = List::cut(model::list(&mut conn, filter, page).await?, page, |of| of.id.0);
    let data = service::own(&mut conn, page_of.data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: page_of.next_cursor }))
}
