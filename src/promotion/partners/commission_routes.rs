//! Commissions of a partner, and their payouts.

use actix_web::http::header::{CONTENT_DISPOSITION, VARY};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{CommissionView, PayoutView};
use super::routes::partner_id;
use super::{entries, model, payouts};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::csv;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::PartnerId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(commissions, pay_out, list_payouts))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(commissions).service(pay_out).service(list_payouts);
}

/// The entries of a partner's commissions, newest first; all of them as CSV with `Accept: text/csv`
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, content((List<CommissionView> = "application/json"), (String = "text/csv"))),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/partners/{id}/commissions")]
async fn commissions(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let currency = &app.settings.currency;
    let mut conn = db::connect(&app.pool).await?;
    let partner = model::find(&mut conn, partner_id(&path)?).await?.ok_or(Code::NotFound)?;
    if csv::is_wanted(&request) {
        let all = entries::list(&mut conn, partner.id, None).await?;
        let all: Vec<_> = all.into_iter().map(|entry| CommissionView::new(entry, currency)).collect();
        let name = format!("attachment; filename=\"commissions-{}.csv\"", partner.id);
        return Ok(HttpResponse::Ok()
            .insert_header((VARY, "Accept"))
            .insert_header((CONTENT_DISPOSITION, name))
            .content_type(csv::CSV)
            .body(payouts::file(&all, currency)));
    }
    let found = entries::list(&mut conn, partner.id, Some(page)).await?;
    let found = List::cut(found, page, |(entry, ..)| entry.id.0);
    let found = found.map(|entry| CommissionView::new(entry, currency));
    Ok(HttpResponse::Ok().insert_header((VARY, "Accept")).json(found))
}

/// Pay out all of a partner's that is payable
///
/// The entries are marked as paid, each once; the transfer itself is made at the bank. What goes back later is taken off the
/// next payout.
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), ("Idempotency-Key" = String, Header)),
    security(("bearer" = [])),
    responses(
        (status = 201, body = PayoutView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "nothing_payable, request_in_progress"),
        (status = 422, body = Problem, description = "idempotency_key_reused"),
    )
)]
#[post("/v1/admin/partners/{id}/payouts")]
async fn pay_out(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse> {
    let id = partner_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/partners/{id}/payouts",
        key: key.0,
        body_hash: idempotency::hash(&json!([id]))?,
    };
    Ok(HttpResponse::Created().json(payouts::pay_out(&app, staff.actor, id, &request).await?))
}

/// A partner's payouts, newest first
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PayoutView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/partners/{id}/payouts")]
async fn list_payouts(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let partner = model::find(&mut conn, partner_id(&path)?).await?.ok_or(Code::NotFound)?;
    let found = List::cut(entries::payouts(&mut conn, partner.id, page).await?, page, |of| of.id.0);
    Ok(HttpResponse::Ok().json(found.map(|of| PayoutView::new(of, &app.settings.currency))))
}
