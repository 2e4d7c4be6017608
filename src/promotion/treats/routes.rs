//! `/v1/admin/merchants`, `/v1/admin/treats`, files of their codes, counters and what is owed to merchants.

use actix_web::http::header::{CONTENT_DISPOSITION, LOCATION, VARY};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{
    MerchantView, NewMerchant, NewTreat, RedeemedVoucher, Settlement, SettlementDay, SettlementQuery,
    TreatView, VoucherCode,
};
use super::{counter, model, service};
use crate::app::App;
use crate::checkout::reports::rules::Span;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, RedeemVouchers, Staff};
use crate::http::body::Body;
use crate::http::csv;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::imports::dto::{ErrorsQuery, ImportQuery, ImportView};
use crate::imports::upload::{self, Upload};
use crate::imports::{self, ImportKind};
use crate::types::id::ImportId;
use crate::types::money::Money;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create_merchant, merchants, create, list, load_codes, files, file, redeem, settlement))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create_merchant)
        .service(merchants)
        .service(create)
        .service(list)
        .service(load_codes)
        .service(files)
        .service(file)
        .service(redeem)
        .service(settlement);
}

/// Make a merchant: another firm that gives treats
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewMerchant,
    security(("bearer" = [])),
    responses(
        (status = 201, body = MerchantView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/merchants")]
async fn create_merchant(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewMerchant>,
) -> Result<HttpResponse> {
    let made = service::create_merchant(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/merchants/{}", made.id)))
        .json(MerchantView::from(made)))
}

/// All merchants, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<MerchantView>))
)]
#[get("/v1/admin/merchants")]
async fn merchants(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let found = model::list_merchants(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(found, page, |of| of.id.0).map(MerchantView::from)))
}

/// Make a treat: partner coupons, whose codes come in a file, or vouchers, which are made when they are claimed
///
/// `POST /v1/admin/give-outs` with `treat` gives it out.
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewTreat,
    security(("bearer" = [])),
    responses(
        (status = 201, body = TreatView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/treats")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewTreat>,
) -> Result<HttpResponse> {
    let made = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/v1/admin/treats/{}", made.id))).json(made))
}

/// All treats with how far they are given, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<TreatView>))
)]
#[get("/v1/admin/treats")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, page).await?, page, |of| of.id.0);
    let ids: Vec<_> = found.data.iter().map(|of| of.id).collect();
    let figures = model::figures(&mut conn, &ids, app.clock.now()).await?;
    let currency = &app.settings.currency;
    let view = |of: model::Treat| {
        let counted = figures.get(&of.id).copied().unwrap_or_default();
        TreatView::new(of, counted, currency)
    };
    Ok(HttpResponse::Ok().json(found.map(view)))
}

/// Hand in a file of partner coupons
///
/// CSV with the columns `treat` (its code), `code` and, where you like, `expires_at`. A code that is there already and a line
/// that is wrong are left out and told, with their line. At most 100,000 lines and 32 MB; it is done in the background.
#[utoipa::path(
    tag = "admin: coupons",
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    security(("bearer" = [])),
    responses(
        (status = 202, body = ImportView),
        (status = 413, body = Problem, description = "body_too_large"),
        (status = 415, body = Problem, description = "unsupported_media_type"),
        (status = 422, body = Problem, description = "csv_encoding, csv_columns, csv_empty, csv_too_long"),
    )
)]
#[post("/v1/admin/treat-code-imports")]
async fn load_codes(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    request: HttpRequest,
    query: web::Query<ImportQuery>,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let upload = Upload {
        kind: ImportKind::TreatCodes,
        is_dry_run: query.dry_run,
        actor: staff.actor,
        path: "/v1/admin/treat-code-imports",
    };
    upload::take(&app, &request, payload, upload).await
}

/// Files of partner coupons that were handed in, newest first, without their errors
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ImportView>))
)]
#[get("/v1/admin/treat-code-imports")]
async fn files(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows =
        imports::model::list(&mut *db::connect(&app.pool).await?, ImportKind::TreatCodes, page).await?;
    let found = List::cut(rows, page, |row| row.id.0).map(|row| ImportView::new(row, Vec::new(), None));
    Ok(HttpResponse::Ok().json(found))
}

/// A file of partner coupons: how far it has come, and what is wrong with its lines
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = ImportId, Path), ErrorsQuery),
    security(("bearer" = [])),
    responses((status = 200, body = ImportView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/treat-code-imports/{id}")]
async fn file(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    path: web::Path<String>,
    query: web::Query<ErrorsQuery>,
) -> Result<HttpResponse> {
    let id: ImportId = path.parse().map_err(|_| Code::NotFound.error())?;
    let (row, errors) = imports::service::show(&app, ImportKind::TreatCodes, id, query.into_inner()).await?;
    Ok(HttpResponse::Ok().json(ImportView::new(row, errors, None)))
}

/// Take a voucher at a counter
///
/// For API keys of the role `counter`, which are bound to a merchant and a place and can do nothing else. Of two counters at
/// once one takes it; the other is told when and where it was taken.
#[utoipa::path(
    tag = "admin: coupons",
    params(("Idempotency-Key" = String, Header)),
    request_body = VoucherCode,
    security(("bearer" = [])),
    responses(
        (status = 200, body = RedeemedVoucher),
        (status = 404, body = Problem, description = "not_found: the merchant has no such voucher"),
        (status = 409, body = Problem, description = "voucher_redeemed, voucher_expired"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[post("/v1/admin/counter-vouchers/redeem")]
async fn redeem(
    app: web::Data<App>,
    staff: Staff<RedeemVouchers>,
    key: IdempotencyKey,
    Body(body): Body<VoucherCode>,
) -> Result<HttpResponse> {
    let at = staff.counter.as_ref().ok_or(Code::Forbidden)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/counter-vouchers/redeem",
        // Keys of one operator are many counters: each has keys of its own.
        key: format!("{}/{}", at.key, key.0),
        body_hash: idempotency::hash(&json!([body]))?,
    };
    Ok(HttpResponse::Ok().json(counter::redeem(&app, at, &body.code, &request).await?))
}

/// What is owed to merchants for vouchers, by day and merchant; as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: reports",
    params(SettlementQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((Settlement = "application/json"), (String = "text/csv"))),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/reports/counter-vouchers")]
async fn settlement(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    query: web::Query<SettlementQuery>,
) -> Result<HttpResponse> {
    let zone = app.settings.timezone;
    let span = Span::new(query.from, query.until, zone, app.clock.now())?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::settled(&mut conn, span.moments(zone), zone.name()).await?;
    let currency = &app.settings.currency;
    if csv::is_wanted(&request) {
        let mut out = String::new();
        csv::push_row(&mut out, &["day", "merchant", "vouchers", "value_minor", "currency"]);
        for row in &rows {
            let (day, vouchers, value) =
                (row.day.to_string(), row.vouchers.to_string(), row.value_minor.to_string());
            csv::push_row(&mut out, &[&day, &row.merchant, &vouchers, &value, currency]);
        }
        let name = format!("attachment; filename=\"vouchers-{}-{}.csv\"", span.from, span.until);
        return Ok(HttpResponse::Ok()
            .insert_header((VARY, "Accept"))
            .insert_header((CONTENT_DISPOSITION, name))
            .content_type(csv::CSV)
            .body(out));
    }
    let report = Settlement {
        from: span.from,
        until: span.until,
        vouchers: rows.iter().map(|row| row.vouchers).sum(),
        value: Money::new(rows.iter().map(|row| row.value_minor).sum(), currency),
        days: rows.into_iter().map(|row| SettlementDay::new(row, currency)).collect(),
    };
    Ok(HttpResponse::Ok().insert_header((VARY, "Accept")).json(report))
}
