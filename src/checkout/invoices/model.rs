//! Rows of invoices, of what is to be issued, and of the counters.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::content::{Buyer, Content, InvoiceKind};
use crate::checkout::orders::model::OrderRow;
use crate::checkout::refunds::model::{RefundLine, RefundRow};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Code, Result};
use crate::schema::{invoice_counters, invoices, invoices_due, orders, payments, refund_lines, refunds};
use crate::types::id::{AccountId, InvoiceId, OrderId, RefundId};
use crate::{batch_insert, statement};

/// An invoice, a credit note or a correction, as it was issued.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = invoices)]
pub struct InvoiceRow {
    pub id: InvoiceId,
    pub kind: InvoiceKind,
    pub number: String,
    pub order_id: OrderId,
    pub refund_id: Option<RefundId>,
    pub about_id: Option<InvoiceId>,
    pub currency: String,
    pub locale: String,
    pub total_minor: i64,
    pub tax_minor: i64,
    /// None once the buyer was erased.
    pub buyer: Option<Value>,
    pub content: Value,
    pub issued_at: DateTime<Utc>,
}

impl InvoiceRow {
    /// # Errors
    /// When it can't be read.
    pub fn content(&self) -> Result<Content> {
        serde_json::from_value(self.content.clone()).map_err(AppError::internal)
    }

    /// # Errors
    /// When it can't be read.
    pub fn buyer(&self) -> Result<Option<Buyer>> {
        self.buyer.clone().map(serde_json::from_value).transpose().map_err(AppError::internal)
    }
}

batch_insert! {
    pub struct NewInvoice as InvoiceColumns into "invoices" {
        id: InvoiceId => SqlUuid,
        kind: InvoiceKind => Text,
        number: String => Text,
        year: i32 => Integer,
        sequence: i64 => BigInt,
        order_id: OrderId => SqlUuid,
        refund_id: Option<RefundId> => Nullable<SqlUuid>,
        about_id: Option<InvoiceId> => Nullable<SqlUuid>,
        currency: String => Text,
        locale: String => Text,
        total_minor: i64 => BigInt,
        tax_minor: i64 => BigInt,
        buyer: Option<Value> => Nullable<Jsonb>,
        content: Value => Jsonb,
        issued_at: DateTime<Utc> => Timestamptz,
    }
}

/// Something that is to be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = invoices_due)]
pub struct Due {
    /// In the order in which it became due: an invoice before its order's credit notes, a note before its correction.
    pub seq: i64,
    pub kind: InvoiceKind,
    pub order_id: OrderId,
    pub refund_id: Option<RefundId>,
}

/// Writes down that something is to be issued. The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn insert_due(
    conn: &mut Conn,
    kind: InvoiceKind,
    orders: &[OrderId],
    refund: Option<RefundId>,
    now: DateTime<Utc>,
) -> Result<()> {
    Owe { kind: kind.as_str(), refund, now, orders: orders.to_vec() }.execute(conn).await?;
    Ok(())
}

statement! {
    struct Owe = "INSERT INTO invoices_due (kind, order_id, refund_id, due_at) SELECT now.kind, row.id, now.refund, now.at \
         FROM (SELECT "
        [kind: &'static str => Text] " AS kind, "
        [refund: Option<RefundId> => Nullable<SqlUuid>] " AS refund, "
        [now: DateTime<Utc> => Timestamptz] " AS at) AS now, UNNEST("
        [orders: Vec<OrderId> => Array<SqlUuid>] ") AS row (id)"
}

/// Whether anything is to be issued.
///
/// # Errors
/// The database's.
pub async fn is_any_due(conn: &mut Conn) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(invoices_due::table.select(invoices_due::seq)))
        .get_result(conn)
        .await?)
}

/// What became due first.
///
/// # Errors
/// The database's.
pub async fn first_due(conn: &mut Conn, limit: i64) -> Result<Vec<Due>> {
    let first = invoices_due::table.order(invoices_due::seq).limit(limit);
    Ok(first.select(Due::as_select()).load(conn).await?)
}

/// # Errors
/// The database's.
pub async fn delete_due(conn: &mut Conn, done: &[i64]) -> Result<()> {
    diesel::delete(invoices_due::table.filter(invoices_due::seq.eq_any(done))).execute(conn).await?;
    Ok(())
}

/// Locks the counters until the transaction ends: who issues does so alone. (kind, year, last number).
///
/// # Errors
/// The database's.
pub async fn lock_counters(conn: &mut Conn) -> Result<Vec<(InvoiceKind, i32, i64)>> {
    Ok(invoice_counters::table
        .order(invoice_counters::kind)
        .select((invoice_counters::kind, invoice_counters::year, invoice_counters::last))
        .for_update()
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn store_counter(conn: &mut Conn, kind: InvoiceKind, year: i32, last: i64) -> Result<()> {
    diesel::update(invoice_counters::table.find(kind))
        .set((invoice_counters::year.eq(year), invoice_counters::last.eq(last)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Orders that are invoiced; none of their buyers can be erased before the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_orders(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<OrderRow>> {
    Ok(orders::table
        .filter(orders::id.eq_any(ids))
        .order(orders::id)
        .select(OrderRow::as_select())
        .for_share()
        .load(conn)
        .await?)
}

/// How these orders were paid, where they were charged.
///
/// # Errors
/// The database's.
pub async fn methods_of(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<(OrderId, Option<String>)>> {
    Ok(payments::table
        .filter(payments::order_id.eq_any(ids))
        .filter(payments::captured_minor.gt(0))
        .filter(payments::sent_back.eq(false))
        .select((payments::order_id, payments::method_used))
        .load(conn)
        .await?)
}

/// These refunds with what of each line they gave back.
///
/// # Errors
/// The database's.
pub async fn refunds_of(conn: &mut Conn, ids: &[RefundId]) -> Result<(Vec<RefundRow>, Vec<RefundLine>)> {
    let rows = refunds::table.filter(refunds::id.eq_any(ids)).select(RefundRow::as_select());
    let lines = refund_lines::table
        .filter(refund_lines::refund_id.eq_any(ids))
        .order((refund_lines::refund_id, refund_lines::line_id))
        .select(RefundLine::as_select());
    Ok((rows.load(conn).await?, lines.load(conn).await?))
}

/// What was issued of these orders, the first first.
///
/// # Errors
/// The database's.
pub async fn of_orders(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<InvoiceRow>> {
    Ok(invoices::table
        .filter(invoices::order_id.eq_any(ids))
        .order((invoices::order_id, invoices::id))
        .select(InvoiceRow::as_select())
        .load(conn)
        .await?)
}

/// Takes away who bought; what was sold stays.
///
/// # Errors
/// The database's.
pub async fn forget_buyer(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = orders::table.filter(orders::account_id.eq(account)).select(orders::id);
    diesel::update(invoices::table.filter(invoices::order_id.eq_any(own)))
        .set(invoices::buyer.eq(None::<Value>))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: InvoiceId) -> Result<InvoiceRow> {
    let row = invoices::table.find(id).select(InvoiceRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// What a list is filtered by.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<InvoiceKind>,
    pub year: Option<i32>,
    pub order: Option<OrderId>,
    pub number: Option<String>,
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: Filter, page: Page) -> Result<Vec<InvoiceRow>> {
    let mut query = invoices::table
        .filter(invoices::id.lt(InvoiceId(page.before)))
        .order(invoices::id.desc())
        .limit(page.fetch())
        .select(InvoiceRow::as_select())
        .into_boxed();
    if let Some(kind) = filter.kind {
        query = query.filter(invoices::kind.eq(kind));
    }
    if let Some(year) = filter.year {
        query = query.filter(invoices::year.eq(year));
    }
    if let Some(order) = filter.order {
        query = query.filter(invoices::order_id.eq(order));
    }
    if let Some(number) = filter.number {
        query = query.filter(invoices::number.eq(number));
    }
    Ok(query.load(conn).await?)
}
