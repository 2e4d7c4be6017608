//! Rows of refunds and their lines.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::{Code, Result};
use crate::schema::{refund_lines, refunds};
use crate::types::id::{LineId, OrderId, PaymentId, RefundId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a refund stands.
    RefundState {
        /// Stripe has yet to be asked.
        Queued = "queued",
        /// Stripe has taken it; WeChat Pay and Alipay take their time.
        Pending = "pending",
        Succeeded = "succeeded",
        Failed = "failed",
    }
}

/// A refund's row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds)]
pub struct RefundRow {
    pub id: RefundId,
    pub order_id: OrderId,
    /// None: it goes into the buyer's store credit, or comes back as points.
    pub payment_id: Option<PaymentId>,
    /// What caused it: the same cause never pays twice.
    pub cause: String,
    pub amount_minor: i64,
    pub currency: String,
    pub reason: String,
    pub state: RefundState,
    pub call_attempt: i32,
    pub stripe_refund_id: Option<String>,
    pub failure_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub requested_by: String,
    /// What of it is shipping; the rest is its lines'.
    pub shipping_minor: i64,
    /// It comes back as so many points.
    pub points: Option<i64>,
}

impl RefundRow {
    /// It goes into the buyer's store credit.
    pub fn is_credit(&self) -> bool {
        self.payment_id.is_none() && self.points.is_none()
    }
}

/// What of a refund belongs to a line.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refund_lines)]
pub struct RefundLine {
    pub refund_id: RefundId,
    pub line_id: LineId,
    pub amount_minor: i64,
    /// What was sold goes back on sale.
    pub restock: bool,
}

/// Writes a refund; false when its cause has one.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &RefundRow, lines: &[RefundLine]) -> Result<bool> {
    let count = diesel::insert_into(refunds::table)
        .values(row)
        .on_conflict(refunds::cause)
        .do_nothing()
        .execute(conn)
        .await?;
    if count == 1 && !lines.is_empty() {
        diesel::insert_into(refund_lines::table).values(lines).execute(conn).await?;
    }
    Ok(count == 1)
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: RefundId) -> Result<RefundRow> {
    let row = refunds::table.find(id).select(RefundRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Refunds of an order, the first first.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<RefundRow>> {
    Ok(refunds::table
        .filter(refunds::order_id.eq(order))
        .order(refunds::id)
        .select(RefundRow::as_select())
        .load(conn)
        .await?)
}

/// Refunds of these orders, of each the first first.
///
/// # Errors
/// The database's.
pub async fn of_orders(mut conn: &Conn, orders: &[OrderId]) -> Result<Vec<RefundRow>> {
    Ok(refunds::table
        .filter(refunds::order_id.eq_any(orders))
        .order(refunds::id)
        .select(RefundRow::as_select())
        .load(&mut conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn lines_of(conn: &mut Conn, refund: RefundId) -> Result<Vec<RefundLine>> {
    Ok(refund_lines::table
        .filter(refund_lines::refund_id.eq(refund))
        .order(refund_lines::line_id)
        .select(RefundLine::as_select())
        .load(conn)
        .await?)
}

/// The refund that Stripe knows by this id.
///
/// # Errors
/// The database's.
pub async fn find_stripe(conn: &mut Conn, stripe_id: &str) -> Result<Option<RefundRow>> {
    Ok(refunds::table
        .filter(refunds::stripe_refund_id.eq(stripe_id))
        .select(RefundRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Refunded and not failed, of one payment.
///
/// # Errors
/// The database's.
pub async fn sum_of_payment(conn: &mut Conn, payment: PaymentId) -> Result<i64> {
    let amounts: Vec<i64> = refunds::table
        .filter(refunds::payment_id.eq(payment))
        .filter(refunds::state.ne(RefundState::Failed))
        .select(refunds::amount_minor)
        .load(conn)
        .await?;
    Ok(amounts.iter().sum())
}

/// Takes over what Stripe says.
///
/// # Errors
/// The database's.
pub async fn store(
    conn: &mut Conn,
    id: RefundId,
    stripe_id: Option<&str>,
    state: RefundState,
    failure_reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let ended_at = matches!(state, RefundState::Succeeded | RefundState::Failed).then_some(now);
    diesel::update(refunds::table.find(id))
        .set((
            stripe_id.map(|stripe_id| refunds::stripe_refund_id.eq(stripe_id)),
            refunds::state.eq(state),
            refunds::failure_reason.eq(failure_reason),
            refunds::ended_at.eq(ended_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A new key, where the old one's answer is a stored failure.
///
/// # Errors
/// The database's.
pub async fn next_call(conn: &mut Conn, id: RefundId) -> Result<()> {
    diesel::update(refunds::table.find(id))
        .set(refunds::call_attempt.eq(refunds::call_attempt + 1))
        .execute(conn)
        .await?;
    Ok(())
}
