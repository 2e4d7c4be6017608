//! `/v1/baskets`, and what it costs to send one.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};

use super::dto::{BasketLines, BasketView, MergedBasket, NewBasket};
use super::service::{self, Asker};
use crate::app::App;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::guest::BasketSecret;
use crate::http::language::locale_of;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::shop::shipping::dto::ShippingMethodView;
use crate::shop::shipping::model::ShippingMethod;
use crate::types::id::BasketId;
use crate::types::money::Money;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, show, put_lines, merge, shipping_methods))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(show).service(put_lines).service(merge).service(shipping_methods);
}

/// What can't be an id names nothing.
fn basket_id(path: &str) -> Result<BasketId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn asker(request: &HttpRequest, caller: Option<Caller>, secret: BasketSecret) -> Asker {
    Asker { account: caller.map(|caller| caller.account), secret, locale: locale_of(request) }
}

/// Make a basket
///
/// Signed in, it is your account's, which has one: a repeat answers the same. As a guest you get a secret, shown this once,
/// that goes into the header `Basket-Secret` of all that you do with it.
#[utoipa::path(
    tag = "baskets",
    security((), ("bearer" = [])),
    responses(
        (status = 201, body = NewBasket),
        (status = 429, body = Problem, description = "too_many_requests"),
    )
)]
#[post("/v1/baskets")]
async fn create(app: web::Data<App>, caller: MaybeCaller) -> Result<HttpResponse> {
    let made = service::create(&app, caller.0.map(|caller| caller.account)).await?;
    let location = format!("/v1/baskets/{}", made.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(made))
}

/// What is in it, what it costs you now, and what has changed
///
/// Lines that can't be bought say why; they don't keep you from the others. It is forgotten when nobody has touched it for
/// 30 days.
#[utoipa::path(
    tag = "baskets",
    params(
        ("id" = BasketId, Path),
        ("Basket-Secret" = Option<String>, Header, description = "of a guest's basket"),
    ),
    security((), ("bearer" = [])),
    responses((status = 200, body = BasketView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/baskets/{id}")]
async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    secret: BasketSecret,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let looked = service::show(&app, basket_id(&path)?, &asker(&request, caller.0, secret)).await?;
    Ok(HttpResponse::Ok().insert_header(etag(looked.version)).json(looked.view))
}

/// Put these lines in, in place of all others
///
/// What is sold out may lie in a basket; what isn't there may not. With `If-Match` it is refused where the basket was
/// changed since you read it, as by another tab.
#[utoipa::path(
    tag = "baskets",
    params(
        ("id" = BasketId, Path),
        ("Basket-Secret" = Option<String>, Header, description = "of a guest's basket"),
        ("If-Match" = Option<String>, Header, description = "the ETag that you read"),
    ),
    request_body = BasketLines,
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = BasketView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "basket_ended"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article, unknown_drop, unknown_plan, …"),
    )
)]
#[put("/v1/baskets/{id}/lines")]
async fn put_lines(
    app: web::Data<App>,
    request: HttpRequest,
    (caller, secret): (MaybeCaller, BasketSecret),
    seen: Option<IfMatch>,
    path: web::Path<String>,
    Body(body): Body<BasketLines>,
) -> Result<HttpResponse> {
    let asker = asker(&request, caller.0, secret);
    let looked = service::put_lines(&app, basket_id(&path)?, &asker, seen, &body).await?;
    Ok(HttpResponse::Ok().insert_header(etag(looked.version)).json(looked.view))
}

/// Put a guest's basket to your own
///
/// After signing in. Equal lines add up, to what one order may have; the guest's basket ends. A repeat changes nothing.
#[utoipa::path(
    tag = "baskets",
    params(
        ("id" = BasketId, Path, description = "the guest's"),
        ("Basket-Secret" = String, Header, description = "the guest's"),
    ),
    security(("bearer" = [])),
    responses(
        (status = 200, body = MergedBasket, description = "your basket"),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "basket_ended"),
    )
)]
#[post("/v1/baskets/{id}/merge")]
async fn merge(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
    secret: BasketSecret,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let asker = asker(&request, Some(caller), secret);
    let merged = service::merge(&app, caller.account, basket_id(&path)?, &asker).await?;
    Ok(HttpResponse::Ok().insert_header(etag(merged.version)).json(merged.view))
}

/// Which methods, and for what.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShippingQuery {
    /// That go to this country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Where to in it. No method asks for it yet.
    pub postcode: Option<String>,
    /// Tells what each takes for this basket, for you.
    pub basket: Option<BasketId>,
}

/// A method and what it takes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShippingOffer {
    #[serde(flatten)]
    pub method: ShippingMethodView,
    /// For the basket, where one is named that has something to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
}

/// Ways to send goods, cheapest first
///
/// With `basket`, what each takes for it, for you: by weight, by worth, by your tier.
#[utoipa::path(
    tag = "products",
    params(
        ShippingQuery,
        ("Basket-Secret" = Option<String>, Header, description = "of a guest's basket"),
    ),
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = List<ShippingOffer>),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/shipping-methods")]
async fn shipping_methods(
    app: web::Data<App>,
    request: HttpRequest,
    (caller, secret): (MaybeCaller, BasketSecret),
    query: web::Query<ShippingQuery>,
) -> Result<HttpResponse> {
    let asker = asker(&request, caller.0, secret);
    let country = query.country.as_deref().map(str::to_ascii_uppercase);
    let offers = service::shipping_offers(&app, &asker, query.basket, country.as_deref()).await?;
    let view = |(method, price_minor): (ShippingMethod, Option<i64>)| {
        let name = method.names.pick(asker.locale).to_owned();
        let price = price_minor.map(|minor| Money::new(minor, &app.settings.currency));
        ShippingOffer { method: ShippingMethodView::new(method, name, &app.settings.currency), price }
    };
    Ok(HttpResponse::Ok().json(List::whole(offers.into_iter().map(view).collect())))
}
