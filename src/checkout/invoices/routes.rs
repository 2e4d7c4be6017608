//! Invoices and credit notes, for who bought and for operators.

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::{InvoiceFilter, InvoiceView};
use super::model::{self, Filter};
use super::{paper, service};
use crate::app::App;
use crate::checkout::orders::access::OrderCaller;
use crate::checkout::orders::dto::order_id;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ReadShop, ServeMembers, Staff};
use crate::http::problem::Problem;
use crate::people::operators::rules::Right;
use crate::types::id::{InvoiceId, OrderId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(invoice, notes, note, admin_list, admin_show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(invoice).service(notes).service(note).service(admin_list).service(admin_show);
}

/// The invoice of an order
///
/// A page to read and print, or a PDF, by `Accept`. It is issued a moment after the order is paid; an order that cost
/// nothing has none.
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses(
        (status = 200, content((String = "text/html"), (Vec<u8> = "application/pdf"))),
        (status = 404, body = Problem, description = "not_found, no_invoice"),
        (status = 406, body = Problem, description = "not_acceptable, pdf_font_missing"),
        (status = 409, body = Problem, description = "invoice_not_issued: ask again"),
    )
)]
#[get("/v1/orders/{id}/invoice")]
async fn invoice(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let order = order_id(&path)?;
    let buyer = caller.on(&app, order).await?;
    let row = service::of_order(&mut *db::connect(&app.pool).await?, order, buyer).await?;
    paper::answer(&app, &request, &row).await
}

/// Credit notes of an order, oldest first
///
/// One for each refund that went through, and a correction where one of them came back.
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses((status = 200, body = List<InvoiceView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/orders/{id}/credit-notes")]
async fn notes(app: web::Data<App>, caller: OrderCaller, path: web::Path<String>) -> Result<HttpResponse> {
    let order = order_id(&path)?;
    let buyer = caller.on(&app, order).await?;
    let rows = service::notes_of(&mut *db::connect(&app.pool).await?, order, buyer).await?;
    let data = rows.iter().map(InvoiceView::of).collect::<Result<_>>()?;
    Ok(HttpResponse::Ok().json(List::whole(data)))
}

/// A credit note, or its correction, as a page or a PDF by `Accept`
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("note" = InvoiceId, Path),
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses(
        (status = 200, content((String = "text/html"), (Vec<u8> = "application/pdf"))),
        (status = 404, body = Problem, description = "not_found"),
        (status = 406, body = Problem, description = "not_acceptable, pdf_font_missing"),
    )
)]
#[get("/v1/orders/{id}/credit-notes/{note}")]
async fn note(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (order, note) = path.into_inner();
    let note: InvoiceId = note.parse().map_err(|_| Code::NotFound)?;
    let order = order_id(&order)?;
    let buyer = caller.on(&app, order).await?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = service::notes_of(&mut conn, order, buyer).await?;
    let row = rows.into_iter().find(|row| row.id == note).ok_or(Code::NotFound)?;
    drop(conn);
    paper::answer(&app, &request, &row).await
}

/// Invoices, credit notes and corrections, newest first
#[utoipa::path(
    tag = "Operators",
    params(InvoiceFilter, PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<InvoiceView>))
)]
#[get("/v1/admin/invoices")]
async fn admin_list(
    app: web::Data<App>,
    staff: Staff<ReadShop>,
    filter: web::Query<InvoiceFilter>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let InvoiceFilter { kind, year, order, number } = filter.into_inner();
    let filter = Filter { kind, year, order, number };
    let rows = model::list(&mut *db::connect(&app.pool).await?, filter, page).await?;
    let list = List::cut(rows, page, |row| row.id.0);
    let sees_buyers = staff.roles.iter().any(|role| ServeMembers::is_given_to(*role));
    let view = |row| {
        let view = InvoiceView::of(row)?;
        if sees_buyers { view.with_buyer(row) } else { Ok(view) }
    };
    let data = list.data.iter().map(view).collect::<Result<_>>()?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: list.next_cursor }))
}

/// Any invoice, credit note or correction, as a page or a PDF by `Accept`
#[utoipa::path(
    tag = "Operators",
    params(("id" = InvoiceId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, content((String = "text/html"), (Vec<u8> = "application/pdf"))),
        (status = 404, body = Problem, description = "not_found"),
        (status = 406, body = Problem, description = "not_acceptable, pdf_font_missing"),
    )
)]
#[get("/v1/admin/invoices/{id}")]
async fn admin_show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let id: InvoiceId = path.parse().map_err(|_| Code::NotFound)?;
    let row = model::load(&mut *db::connect(&app.pool).await?, id).await?;
    paper::answer(&app, &request, &row).await
}
