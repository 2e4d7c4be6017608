//! `/v1/products`: what everybody may look at, with the prices and refusals of the one who looks.

use actix_web::{HttpRequest, HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::dto::{Look, ProductCard, ProductView, Whole};
use super::model::{self, Filter, Product, ProductKind};
use super::{rules, search, service};
use crate::app::App;
use crate::db::page::{List, Page, PageQuery};
use crate::db::{self, Conn};
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
    let wanted = Wanted {
        filter: asked.into_inner().filter()?,
        page: query.page()?,
        account: caller.0.map(|caller| caller.account),
        locale: locale_of(&request),
        now: app.clock.now(),
    };
    // Who is signed in may have bought something that opens more of it just now.
    if wanted.account.is_some() {
        let list = on_show(&mut *db::connect(&app.pool).await?, &wanted).await?;
        return Ok(HttpResponse::Ok().json(list));
    }
    let make = async || Ready::json(&app.reads.read(async |conn| on_show(conn, &wanted).await).await?);
    app.shelf.answer(&request, &app.clock, make).await
}

/// What is looked for, by whom.
struct Wanted {
    filter: Filter,
    page: Page,
    account: Option<AccountId>,
    locale: Locale,
    now: DateTime<Utc>,
}

async fn on_show(conn: &mut Conn, wanted: &Wanted) -> Result<List<ProductView>> {
    let Wanted { page, account, locale, now, .. } = *wanted;
    let found = model::list(conn, wanted.filter.clone(), page).await?;
    let products = List::cut(found, page, |product| product.id.0);
    let mut wholes = service::whole(conn, products.data).await?;
    let looker = visitors::load(conn, account, wholes.iter().flat_map(Whole::audiences), now).await?;
    let look = Look { visitor: looker.visitor(), ranks: &looker.ranks, locale, now };
    wholes.retain(|whole| rules::is_shown(&whole.product, look.visitor, look.ranks, now));
    let before = service::before_prices(conn, &wholes, now).await?;
    let data = wholes.iter().map(|whole| ProductView::new(whole, &look, &before)).collect();
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
