//! Rows of withdrawals.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::checkout::orders::model::OrderRow;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::schema::{orders, withdrawals};
use crate::types::id::{AccountId, OrderId, RefundId, WithdrawalId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a case stands.
    WithdrawalState {
        Open = "open",
        Accepted = "accepted",
        Rejected = "rejected",
        /// By the buyer, with the link of the acknowledgement.
        Stopped = "stopped",
    }
}

/// A case.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = withdrawals)]
pub struct WithdrawalRow {
    pub id: WithdrawalId,
    pub order_id: OrderId,
    pub state: WithdrawalState,
    /// As it was declared; none once the buyer was erased.
    pub name: Option<String>,
    pub declared_at: DateTime<Utc>,
    /// What the time to withdraw was counted from; none while a parcel was still to come.
    pub counted_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Of the link that stops it.
    pub token_hash: Vec<u8>,
    pub ended_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    /// What was paid back for it.
    pub refund_id: Option<RefundId>,
}

/// The order of this number, for whom it is about.
///
/// # Errors
/// The database's.
pub async fn find_order(conn: &mut Conn, number: &str) -> Result<Option<OrderRow>> {
    let found = orders::table.filter(orders::number.eq(number)).select(OrderRow::as_select());
    Ok(found.first(conn).await.optional()?)
}

/// Opens a case; false where the order has an open one.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &WithdrawalRow) -> Result<bool> {
    let count =
        diesel::insert_into(withdrawals::table).values(row).on_conflict_do_nothing().execute(conn).await?;
    Ok(count == 1)
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: WithdrawalId) -> Result<WithdrawalRow> {
    let row = withdrawals::table.find(id).select(WithdrawalRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// How a case ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub state: WithdrawalState,
    pub reason: Option<String>,
    pub refund: Option<RefundId>,
}

/// Ends an open case; false where it isn't open any more.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, id: WithdrawalId, end: &End, now: DateTime<Utc>) -> Result<bool> {
    let open = withdrawals::table.find(id).filter(withdrawals::state.eq(WithdrawalState::Open));
    let count = diesel::update(open)
        .set((
            withdrawals::state.eq(end.state),
            withdrawals::ended_at.eq(now),
            withdrawals::reason.eq(&end.reason),
            withdrawals::refund_id.eq(end.refund),
        ))
        .execute(conn)
        .await?;
    Ok(count == 1)
}

/// The open case that a link stops.
///
/// # Errors
/// The database's.
pub async fn find_open(conn: &mut Conn, token_hash: &[u8]) -> Result<Option<WithdrawalRow>> {
    Ok(withdrawals::table
        .filter(withdrawals::token_hash.eq(token_hash))
        .filter(withdrawals::state.eq(WithdrawalState::Open))
        .select(WithdrawalRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// A page of cases with their orders' numbers, newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut Conn,
    state: Option<WithdrawalState>,
    order: Option<OrderId>,
    page: Page,
) -> Result<Vec<(WithdrawalRow, String)>> {
    let mut query = withdrawals::table
        .inner_join(orders::table)
        .filter(withdrawals::id.lt(WithdrawalId(page.before)))
        .order(withdrawals::id.desc())
        .limit(page.fetch())
        .select((WithdrawalRow::as_select(), orders::number))
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(withdrawals::state.eq(state));
    }
    if let Some(order) = order {
        query = query.filter(withdrawals::order_id.eq(order));
    }
    Ok(query.load(conn).await?)
}

/// Takes away who declared; that it was declared stays.
///
/// # Errors
/// The database's.
pub async fn forget_names(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = orders::table.filter(orders::account_id.eq(account)).select(orders::id);
    diesel::update(withdrawals::table.filter(withdrawals::order_id.eq_any(own)))
        .set(withdrawals::name.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}
