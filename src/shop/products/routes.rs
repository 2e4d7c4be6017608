//! `/v1/products`: what everybody may look at, with the prices and refusals of the one who looks.

use actix_web::{HttpRequest, HttpResponse, get, web};

use serde::Deserialize;

use super::dto::{Look, ProductCard, ProductView, Whole};
use super::model::{self, Filter, Product, ProductKind};
use super::{rules, search, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, Page, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::http::ready::Ready;
use crate::shop::visitors;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show);
}

/// Which products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductQuery {
    /// Words, each found by its beginning; of Chinese any two neighbouring characters.
    pub q: Option<String>,
    pub category: Option<String>,
    pub tag: Option<String>,
    pub kind: Option<ProductKind>,
}

impl ProductQuery {
    fn filter(self) -> Result<Filter> {
        let terms = self.q.as_deref().map(search::query_terms).unwrap_or_default();
        if self.q.is_some() && terms.is_empty() {
            return Err(Code::InvalidField.at("q", "expected a word"));
        }
        let Self { category, tag, kind, .. } = self;
        Ok(Filter { with_archived: false, terms, category, tag, kind })
    }
}

/// Products, newest first, with your prices
#[utoipa::path(
    tag = "products",
    params(PageQuery, ProductQuery),
    responses(
        (status = 200, body = List<ProductView>),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/products")]
async fn list(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    query: web::Query<PageQuery>,
    asked: web::Query<ProductQuery>,
) -> Result<HttpResponse> {
    let (page, filter) = (query.page()?, asked.into_inner().filter()?);
    let locale = locale_of(&request);
    match caller.0 {
        Some(Caller { account, .. }) => {
            Ok(HttpResponse::Ok().json(list_for(&app, Some(account), locale, page, filter).await?))
        }
        None => {
            let make = async || Ready::json(&list_for(&app, None, locale, page, filter).await?);
            app.shelf.answer(&request, &app.clock, make).await
        }
    }
}

/// A page of products as one caller sees them.
async fn list_for(
    app: &App,
    account: Option<AccountId>,
    locale: Locale,
    page: Page,
    filter: Filter,
) -> Result<List<ProductView>> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let products = List::cut(model::list(&mut conn, filter, page).await?, page, |product| product.id.0);
    let mut wholes = service::whole(&mut conn, products.data).await?;
    let looker = visitors::load(&mut conn, account, wholes.iter().flat_map(Whole::audiences), now).await?;
    let look = Look { visitor: looker.visitor(), ranks: &looker.ranks, locale, now };
    wholes.retain(|whole| rules::is_shown(&whole.product, look.visitor, look.ranks, now));
    let before = service::before_prices(&mut conn, &wholes, now).await?;
    let data: Vec<_> = wholes.iter().map(|whole| ProductView::new(whole, &look, &before)).collect();
    Ok(List { data, next_cursor: products.next_cursor })
}

/// A product, by id or slug
#[utoipa::path(
    tag = "products",
    params(("id" = String, Path, description = "id or slug")),
    responses((status = 200, body = ProductView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/products/{id}")]
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

/// A product as one caller sees it.
async fn show_to(
    app: &App,
    account: Option<AccountId>,
    locale: Locale,
    id_or_slug: &str,
) -> Result<ProductView> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let product = model::find(&mut conn, id_or_slug).await?;
    let wholes = service::whole(&mut conn, vec![product.ok_or(Code::NotFound)?]).await?;
    let whole = wholes.first().ok_or(Code::NotFound)?;
    let related = service::related_to(&mut conn, whole).await?;
    let audiences = whole.audiences().chain(related.iter().flat_map(Product::audiences));
    let looker = visitors::load(&mut conn, account, audiences, now).await?;
    let look = Look { visitor: looker.visitor(), ranks: &looker.ranks, locale, now };
    let is_shown = |product: &Product| rules::is_shown(product, look.visitor, look.ranks, now);
    if !is_shown(&whole.product) {
        return Err(Code::NotFound.error());
    }
    let before = service::before_prices(&mut conn, &wholes, now).await?;
    let cards = related.iter().filter(|product| is_shown(product));
    let cards = cards.map(|product| ProductCard::new(product, &look)).collect();
    Ok(ProductView { related: Some(cards), ..ProductView::new(whole, &look, &before) })
}
