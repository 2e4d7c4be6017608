//! `/v1/admin/reports`: JSON for charts, CSV for spreadsheets.

use actix_web::http::header::{CONTENT_DISPOSITION, VARY};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;

use super::coupons::{CouponsQuery, CouponsReport};
use super::drives::DrivesReport;
use super::dto::{SalesQuery, SalesReport};
use super::members::{MembersBy, MembersQuery, MembersReport};
use super::points::{PointsBy, PointsQuery, PointsReport};
use super::retention::{RetentionQuery, RetentionReport};
use super::rules::Span;
use super::{csv, model};
use crate::app::App;
use crate::error::{Code, Result};
use crate::http::auth::{ReadShop, Staff};
use crate::http::csv::{CSV, is_wanted};
use crate::http::problem::Problem;

/// Months of a report by month that doesn't say from when.
const MONTHS_DEFAULT: u32 = 12;
/// Cohorts of a report that doesn't say from when: the first ones have some years behind them.
const COHORTS_DEFAULT: u32 = 60;

#[derive(utoipa::OpenApi)]
#[openapi(paths(sales, members, retention, drives, coupons, points))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(sales)
        .service(members)
        .service(retention)
        .service(drives)
        .service(coupons)
        .service(points);
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
    let load = app.reads.read(async |conn| {
        let rows = model::sales(conn, span.moments(zone), zone.name(), Some(query.by)).await?;
        let totals = model::sales(conn, span.moments(zone), zone.name(), None).await?;
        Ok((rows, totals))
    });
    let (rows, totals) = load.await?;
    let currency = &app.settings.currency;
    let report = SalesReport::new(span, zone.name().to_owned(), query.by, rows, totals, currency);
    Ok(answer(&request, &of_span("sales", span), &report, csv::sales))
}

/// Members, by what they are now or by month; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(MembersQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((MembersReport = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/members")]
async fn members(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<MembersQuery>,
) -> Result<HttpResponse> {
    let (zone, now) = (app.settings.timezone, app.clock.now());
    // Who asks how many there were on a day is not told how many there are.
    for (field, day) in [("from", query.from), ("until", query.until)] {
        if day.is_some() && query.by != MembersBy::Month {
            return Err(Code::InvalidField.at(field, "only by month: the others are of now"));
        }
    }
    let span = Span::months(query.from, query.until, MONTHS_DEFAULT, zone, now)?;
    let asked = super::members::Asked { by: query.by, span, zone: zone.name(), now };
    let report = app.reads.read(async |conn| super::members::load(conn, asked).await).await?;
    let name = report.name(now.with_timezone(&zone).date_naive());
    Ok(answer(&request, &name, &report, MembersReport::csv))
}

/// Who stayed, by the month in which they began; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(RetentionQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((RetentionReport = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/retention")]
async fn retention(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<RetentionQuery>,
) -> Result<HttpResponse> {
    let (zone, now) = (app.settings.timezone, app.clock.now());
    let span = Span::months(query.from, query.until, COHORTS_DEFAULT, zone, now)?;
    let report = app
        .reads
        .read(async |conn| super::retention::load(conn, span, query.every, (zone.name(), now)).await)
        .await?;
    Ok(answer(&request, &of_span("retention", span), &report, RetentionReport::csv))
}

/// What drives came to; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    security(("bearer" = [])),
    responses((status = 200, content((DrivesReport = "application/json"), (String = "text/csv"))))
)]
#[get("/v1/admin/reports/drives")]
async fn drives(app: web::Data<App>, request: HttpRequest, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let now = app.clock.now();
    let report =
        app.reads.read(async |conn| super::drives::load(conn, &app.settings.currency, now).await).await?;
    let today = now.with_timezone(&app.settings.timezone).date_naive();
    Ok(answer(&request, &format!("drives-{today}"), &report, DrivesReport::csv))
}

/// What coupons gave and brought, by campaign; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(CouponsQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((CouponsReport = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/coupons")]
async fn coupons(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<CouponsQuery>,
) -> Result<HttpResponse> {
    let zone = app.settings.timezone;
    let span = Span::new(query.from, query.until, zone, app.clock.now())?;
    let report = app
        .reads
        .read(async |conn| super::coupons::load(conn, span, zone, &app.settings.currency).await)
        .await?;
    Ok(answer(&request, &of_span("coupons", span), &report, CouponsReport::csv))
}

/// What became of points, by day or month, and what is outstanding; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(PointsQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((PointsReport = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/points")]
async fn points(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<PointsQuery>,
) -> Result<HttpResponse> {
    let (zone, now) = (app.settings.timezone, app.clock.now());
    let span = match query.by {
        PointsBy::Day => Span::new(query.from, query.until, zone, now)?,
        PointsBy::Month => Span::months(query.from, query.until, MONTHS_DEFAULT, zone, now)?,
    };
    let asked = super::points::Asked { by: query.by, span, zone, now };
    let report =
        app.reads.read(async |conn| super::points::load(conn, asked, &app.settings.currency).await).await?;
    Ok(answer(&request, &of_span("points", span), &report, PointsReport::csv))
}

fn of_span(name: &str, span: Span) -> String {
    format!("{name}-{}-{}", span.from, span.until)
}

/// JSON, or CSV for who asks for it, in a file of that name.
fn answer<R: Serialize>(
    request: &HttpRequest,
    name: &str,
    report: &R,
    csv: impl FnOnce(&R) -> String,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept"));
    if !is_wanted(request) {
        return response.json(report);
    }
    response
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")))
        .content_type(CSV)
        .body(csv(report))
}
