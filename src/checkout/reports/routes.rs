//! `/v1/admin/reports`.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, VARY};
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::{SalesQuery, SalesReport};
use super::rules::Span;
use super::{csv, model};
use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::http::auth::{ReadShop, Staff};
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(sales))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(sales);
}

/// What was sold, by day, channel or article; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(SalesQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((SalesReport = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/sales")]
async fn sales(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<SalesQuery>,
) -> Result<HttpResponse> {
    let zone = app.settings.timezone;
    let span = Span::new(query.from, query.until, zone, app.clock.now())?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::sales(&mut conn, span.moments(zone), zone.name(), Some(query.by)).await?;
    let totals = model::sales(&mut conn, span.moments(zone), zone.name(), None).await?;
    let currency = &app.settings.currency;
    let report = SalesReport::new(span, zone.name().to_owned(), query.by, rows, totals, currency);
    if !wants_csv(&request) {
        return Ok(HttpResponse::Ok().insert_header((VARY, "Accept")).json(report));
    }
    let name = format!("attachment; filename=\"sales-{}-{}.csv\"", span.from, span.until);
    Ok(HttpResponse::Ok()
        .insert_header((VARY, "Accept"))
        .insert_header((CONTENT_DISPOSITION, name))
        .content_type("text/csv; charset=utf-8")
        .body(csv::sales(&report)))
}

fn wants_csv(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/csv")
}
