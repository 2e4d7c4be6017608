//! Rows of returns and their lines.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::schema::{order_lines, return_lines, returns};
use crate::statement;
use crate::types::id::{LineId, OrderId, RefundId, ReturnId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a return stands.
    ReturnState {
        /// The buyer asks; an operator has yet to answer.
        Requested = "requested",
        /// It may be sent back.
        Approved = "approved",
        Rejected = "rejected",
        /// It has arrived; the money has yet to go back.
        Received = "received",
        /// Its money went back.
        Refunded = "refunded",
        /// It ended without money: nothing arrived, or what arrived earned none.
        Closed = "closed",
        /// The buyer has withdrawn it.
        Cancelled = "cancelled",
    }
}

stored_enum! {
    /// Why something is sent back.
    Reason as "ReturnReason" {
        ChangedMind = "changed_mind",
        Damaged = "damaged",
        WrongItem = "wrong_item",
        NotAsDescribed = "not_as_described",
        Other = "other",
    }
}

/// A return's row.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = returns)]
pub struct ReturnRow {
    pub id: ReturnId,
    pub order_id: OrderId,
    pub state: ReturnState,
    pub reason: Reason,
    /// The buyer's words.
    pub note: Option<String>,
    /// It was asked for after the return window.
    pub is_late: bool,
    /// The operator's words to the buyer.
    pub answer: Option<String>,
    pub refund_id: Option<RefundId>,
    pub requested_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub received_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What of a line is in a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = return_lines)]
pub struct ReturnLine {
    pub return_id: ReturnId,
    pub line_id: LineId,
    /// Units that were asked for.
    pub quantity: i64,
    /// Units that arrived and went back on sale.
    pub restocked: i64,
    /// Units that arrived and can't be sold again.
    pub written_off: i64,
    pub refunded_minor: i64,
}

impl ReturnLine {
    /// Units that arrived.
    pub fn received(&self) -> i64 {
        self.restocked + self.written_off
    }
}

/// A return's next row, but for what never changes.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = returns, treat_none_as_null = true)]
struct Changed {
    state: ReturnState,
    answer: Option<String>,
    refund_id: Option<RefundId>,
    decided_at: Option<DateTime<Utc>>,
    received_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

statement! {
    struct AddReturned = "UPDATE order_lines SET returned = returned + add.quantity FROM UNNEST("
        [lines: Vec<LineId> => Array<SqlUuid>] ", "
        [quantities: Vec<i64> => Array<BigInt>] ") AS add (id, quantity) WHERE order_lines.id = add.id"
}

/// Writes a return with its lines, whose units count as returned from now on. The order's row is locked.
///
/// # Errors
/// The database's; `order_lines_returned` is the alarm that a rule was missed.
pub async fn insert(conn: &mut Conn, row: &ReturnRow, lines: &[ReturnLine]) -> Result<()> {
    diesel::insert_into(returns::table).values(row).execute(conn).await?;
    diesel::insert_into(return_lines::table).values(lines).execute(conn).await?;
    add_returned(conn, lines.iter().map(|line| (line.line_id, line.quantity))).await
}

/// Adds to the units of order lines that come or came back; negative ones stay with their buyer.
///
/// # Errors
/// The database's.
pub async fn add_returned(conn: &mut Conn, units: impl Iterator<Item = (LineId, i64)>) -> Result<()> {
    let (lines, quantities) = units.unzip();
    AddReturned { lines, quantities }.execute(conn).await?;
    Ok(())
}

/// Takes over what of a return can change.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &ReturnRow) -> Result<()> {
    let changed = Changed {
        state: row.state,
        answer: row.answer.clone(),
        refund_id: row.refund_id,
        decided_at: row.decided_at,
        received_at: row.received_at,
        ended_at: row.ended_at,
    };
    diesel::update(returns::table.find(row.id)).set(changed).execute(conn).await?;
    Ok(())
}

/// Takes over what arrived of a return's line, and what of its money goes back.
///
/// # Errors
/// The database's.
pub async fn store_line(conn: &mut Conn, line: &ReturnLine) -> Result<()> {
    diesel::update(return_lines::table.find((line.return_id, line.line_id)))
        .set((
            return_lines::restocked.eq(line.restocked),
            return_lines::written_off.eq(line.written_off),
            return_lines::refunded_minor.eq(line.refunded_minor),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: ReturnId) -> Result<ReturnRow> {
    let row = returns::table.find(id).select(ReturnRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Lines of these returns, in the order of their orders' lines.
///
/// # Errors
/// The database's.
pub async fn lines_of(conn: &mut Conn, ids: &[ReturnId]) -> Result<Vec<ReturnLine>> {
    Ok(return_lines::table
        .inner_join(order_lines::table)
        .filter(return_lines::return_id.eq_any(ids))
        .order((return_lines::return_id, order_lines::position))
        .select(ReturnLine::as_select())
        .load(conn)
        .await?)
}

/// Returns of an order, the first first.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<ReturnRow>> {
    Ok(returns::table
        .filter(returns::order_id.eq(order))
        .order(returns::id)
        .select(ReturnRow::as_select())
        .load(conn)
        .await?)
}

/// What an operator's list of returns is filtered by.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<ReturnState>,
    pub order: Option<OrderId>,
}

/// A page of returns, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: &Filter, page: Page) -> Result<Vec<ReturnRow>> {
    let mut query = returns::table
        .filter(returns::id.lt(ReturnId(page.before)))
        .order(returns::id.desc())
        .limit(page.fetch())
        .select(ReturnRow::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(returns::state.eq(state));
    }
    if let Some(order) = filter.order {
        query = query.filter(returns::order_id.eq(order));
    }
    Ok(query.load(conn).await?)
}

/// Units of these lines whose money went back by returns, so far.
///
/// # Errors
/// The database's.
pub async fn units_refunded(conn: &mut Conn, lines: &[LineId]) -> Result<HashMap<LineId, i64>> {
    let rows: Vec<(LineId, i64, i64)> = return_lines::table
        .inner_join(returns::table)
        .filter(return_lines::line_id.eq_any(lines))
        .filter(returns::state.eq(ReturnState::Refunded))
        .select((return_lines::line_id, return_lines::restocked, return_lines::written_off))
        .load(conn)
        .await?;
    let mut units = HashMap::new();
    for (line, restocked, written_off) in rows {
        *units.entry(line).or_insert(0) += restocked + written_off;
    }
    Ok(units)
}
