//! `/v1/shipping-methods`, for everybody and for operators.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};

use super::model::{self, ShippingMethod};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::shop::audience::Audience;
use crate::shop::products::service::{groups, known_audience};
use crate::types::id::ShippingMethodId;
use crate::types::locale::Names;
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShippingMethod {
    /// Small letters, digits, hyphens; never changes.
    pub code: String,
    pub names: Names,
    /// ISO 3166-1 alpha-2.
    #[schema(example = json!(["CN"]))]
    pub countries: Vec<String>,
    pub fee: Money,
    /// For each begun kilogram after the first.
    pub fee_per_kg: Option<Money>,
    /// Free from that worth of goods on.
    pub free_from: Option<Money>,
    /// Free for these buyers.
    pub free_for: Option<Audience>,
}

/// A way to send goods.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ShippingMethod)]
pub struct ShippingMethodView {
    pub id: ShippingMethodId,
    pub code: String,
    pub name: String,
    pub names: Names,
    pub countries: Vec<String>,
    pub fee: Money,
    pub fee_per_kg: Money,
    pub free_from: Option<Money>,
    pub free_for: Option<Audience>,
}

impl ShippingMethodView {
    fn new(method: ShippingMethod, name: String, currency: &str) -> Self {
        Self {
            id: method.id,
            code: method.code,
            name,
            names: method.names,
            countries: method.countries,
            fee: Money::new(method.fee_minor, currency),
            fee_per_kg: Money::new(method.fee_per_kg_minor, currency),
            free_from: method.free_from_minor.map(|minor| Money::new(minor, currency)),
            free_for: method.free_for,
        }
    }
}

/// Which methods.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShippingQuery {
    /// That go to this country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, admin_list, create, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(admin_list).service(create).service(archive);
}

/// Ways to send goods, cheapest first
#[utoipa::path(
    tag = "products",
    params(ShippingQuery),
    responses((status = 200, body = List<ShippingMethodView>))
)]
#[get("/v1/shipping-methods")]
async fn list(
    app: web::Data<App>,
    request: HttpRequest,
    query: web::Query<ShippingQuery>,
) -> Result<HttpResponse> {
    let country = query.country.as_deref().map(str::to_ascii_uppercase);
    let goes = |method: &ShippingMethod| {
        country.as_ref().is_none_or(|country| method.countries.iter().any(|known| known == country))
    };
    let methods = model::on_offer(&mut *db::connect(&app.pool).await?).await?;
    let locale = locale_of(&request);
    let view = |method: ShippingMethod| {
        let name = method.names.pick(locale).to_owned();
        ShippingMethodView::new(method, name, &app.settings.currency)
    };
    let views: Vec<_> = methods.into_iter().filter(goes).map(view).collect();
    Ok(HttpResponse::Ok().json(List::whole(views)))
}

/// Methods on offer
#[utoipa::path(
    tag = "admin: shipping",
    security(("bearer" = [])),
    responses((status = 200, body = List<ShippingMethodView>))
)]
#[get("/v1/admin/shipping-methods")]
async fn admin_list(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let methods = model::on_offer(&mut *db::connect(&app.pool).await?).await?;
    let views: Vec<_> = methods.into_iter().map(|method| view(&app, method)).collect();
    Ok(HttpResponse::Ok().json(List::whole(views)))
}

fn view(app: &App, method: ShippingMethod) -> ShippingMethodView {
    let name = method.names.zh.clone();
    ShippingMethodView::new(method, name, &app.settings.currency)
}

/// Make a way to send goods
#[utoipa::path(
    tag = "admin: shipping",
    request_body = NewShippingMethod,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ShippingMethodView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/shipping-methods")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewShippingMethod>,
) -> Result<HttpResponse> {
    let currency = &app.settings.currency;
    let minor = |field: &str, money: &Option<Money>| {
        money.as_ref().map(|money| fields::price(field, money, currency)).transpose()
    };
    let groups = groups(&mut *db::connect(&app.pool).await?).await?;
    let method = ShippingMethod {
        id: ShippingMethodId::new(),
        code: fields::slug("code", &body.code)?,
        names: fields::names("names", &body.names)?,
        countries: countries(&body.countries)?,
        fee_minor: fields::price("fee", &body.fee, currency)?,
        fee_per_kg_minor: minor("fee_per_kg", &body.fee_per_kg)?.unwrap_or(0),
        free_from_minor: minor("free_from", &body.free_from)?,
        free_for: body
            .free_for
            .as_ref()
            .map(|buyers| known_audience("free_for", buyers, &groups))
            .transpose()?,
        created_at: app.clock.now(),
        archived_at: None,
        version: 1,
    };
    service::create(&app, staff.actor, &method).await?;
    Ok(HttpResponse::Created().json(view(&app, method)))
}

fn countries(typed: &[String]) -> Result<Vec<String>> {
    let mut countries = Vec::with_capacity(typed.len());
    for (index, country) in typed.iter().enumerate() {
        let country = country.to_ascii_uppercase();
        let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code || countries.contains(&country) || index >= 250 {
            let field = format!("countries[{index}]");
            return Err(Code::InvalidField.at(field, "expected two letters such as CN, each once"));
        }
        countries.push(country);
    }
    if countries.is_empty() {
        return Err(Code::InvalidField.at("countries", "expected at least one"));
    }
    Ok(countries)
}

/// Take a method off the list
#[utoipa::path(
    tag = "admin: shipping",
    params(("id" = ShippingMethodId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ShippingMethodView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/shipping-methods/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: ShippingMethodId = path.parse().map_err(|_| Code::NotFound.error())?;
    let method = service::archive(&app, staff.actor, id).await?;
    Ok(HttpResponse::Ok().json(view(&app, method)))
}
