//! What orders, payments and addresses tell of an invitation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::rules::Underway;
use crate::checkout::orders::model::GIFT_CARD;
use crate::checkout::payments::disputes::DisputeState;
use crate::checkout::refunds::model::RefundState;
use crate::checkout::shipments::rules::delivered_or_sent;
use crate::db::Conn;
use crate::error::Result;
use crate::promotion::referrals::rules::Dispute;
use crate::schema::{
    accounts, disputes, order_lines, orders, payments, refunds, returns, shipments, shipping_promises,
    withdrawals,
};
use crate::shop::shipping::rules::Address;
use crate::types::id::{AccountId, OrderId};

/// Of an inviter's parcels the newest so many are compared.
const PARCELS: i64 = 200;

/// A code that was given at sign-up.
#[derive(Clone, Debug, Queryable)]
pub struct Touch {
    pub code: Option<String>,
    /// When the account was made.
    pub at: DateTime<Utc>,
}

/// The code that an account signed up with.
///
/// # Errors
/// The database's.
pub async fn touch_of(conn: &mut Conn, account: AccountId) -> Result<Option<Touch>> {
    Ok(touches_of(conn, &[account]).await?.remove(&account))
}

/// [`touch_of`] for many.
///
/// # Errors
/// The database's.
pub async fn touches_of(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Touch>> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let own = accounts::table.filter(accounts::id.eq_any(accounts));
    let rows: Vec<(AccountId, Option<String>, DateTime<Utc>)> =
        own.select((accounts::id, accounts::invite_code, accounts::created_at)).load(conn).await?;
    Ok(rows.into_iter().map(|(id, code, at)| (id, Touch { code, at })).collect())
}

/// Has this account, or this person under any other one, paid an order before of which something is kept? `than` is the one
/// that is asked about. Who sent everything back, or got nothing of it, is new all the same.
///
/// # Errors
/// The database's.
pub async fn has_paid_before(
    conn: &mut Conn,
    account: AccountId,
    person: Option<&str>,
    than: Option<(DateTime<Utc>, OrderId)>,
) -> Result<bool> {
    let mut query = orders::table
        .inner_join(accounts::table)
        .filter(orders::total_minor.gt(0))
        .filter(orders::paid_at.is_not_null())
        // Who has bought a gift card, for somebody else perhaps, is new all the same.
        .filter(diesel::dsl::exists(
            order_lines::table
                .filter(order_lines::order_id.eq(orders::id))
                .filter(order_lines::kind.ne(GIFT_CARD))
                .filter(order_lines::total_minor.gt(order_lines::refunded_minor)),
        ))
        .select(orders::id)
        .into_boxed();
    query = match person {
        Some(person) => {
            query.filter(accounts::id.eq(account).or(accounts::person_key.assume_not_null().eq(person)))
        }
        None => query.filter(accounts::id.eq(account)),
    };
    if let Some((paid_at, id)) = than {
        let at = orders::paid_at.assume_not_null();
        query = query.filter(at.lt(paid_at).or(at.eq(paid_at).and(orders::id.lt(id))));
    }
    let found: Option<OrderId> = query.limit(1).first(conn).await.optional()?;
    Ok(found.is_some())
}

/// Somebody else who has paid with the card of an order.
#[derive(Clone, Debug, Queryable)]
pub struct Cardholder {
    pub account: AccountId,
    pub person: Option<String>,
    /// When that order was paid.
    pub paid_at: Option<DateTime<Utc>>,
}

/// Accounts other than the buyer's that paid with a card of this order.
///
/// # Errors
/// The database's.
pub async fn cardholders(conn: &mut Conn, order: OrderId, buyer: AccountId) -> Result<Vec<Cardholder>> {
    let cards: Vec<Option<String>> = payments::table
        .filter(payments::order_id.eq(order))
        .filter(payments::captured_minor.gt(0))
        .filter(payments::card_fingerprint.is_not_null())
        .select(payments::card_fingerprint)
        .load(conn)
        .await?;
    if cards.is_empty() {
        return Ok(Vec::new());
    }
    Ok(payments::table
        .inner_join(orders::table.inner_join(accounts::table))
        .filter(payments::card_fingerprint.eq_any(cards))
        .filter(payments::captured_minor.gt(0))
        .filter(orders::id.ne(order))
        .filter(orders::account_id.ne(buyer))
        .select((accounts::id, accounts::person_key, orders::paid_at))
        .load(conn)
        .await?)
}

/// Where an account's parcels went, the newest ones.
///
/// # Errors
/// The database's.
pub async fn parcels_of(conn: &mut Conn, account: AccountId) -> Result<Vec<Address>> {
    let stored: Vec<Option<Value>> = orders::table
        .filter(orders::account_id.eq(account))
        .filter(orders::ship_to.is_not_null())
        .order(orders::id.desc())
        .limit(PARCELS)
        .select(orders::ship_to)
        .load(conn)
        .await?;
    Ok(stored.into_iter().flatten().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// How the payment of an order is disputed. One that was lost stays lost.
///
/// # Errors
/// The database's.
pub async fn dispute_of(conn: &mut Conn, order: OrderId) -> Result<Dispute> {
    let states: Vec<DisputeState> =
        disputes::table.filter(disputes::order_id.eq(order)).select(disputes::state).load(conn).await?;
    Ok(if states.contains(&DisputeState::Lost) {
        Dispute::Lost
    } else if states.contains(&DisputeState::Open) {
        Dispute::Open
    } else {
        Dispute::None
    })
}

/// Is money of the order on its way back, of which Stripe hasn't said how it ended?
///
/// # Errors
/// The database's.
pub async fn has_refund_underway(conn: &mut Conn, order: OrderId) -> Result<bool> {
    let underway = refunds::table
        .filter(refunds::order_id.eq(order))
        .filter(refunds::state.eq_any([RefundState::Queued, RefundState::Pending]));
    Ok(diesel::select(diesel::dsl::exists(underway)).get_result(conn).await?)
}

/// What still moves of an order that was paid then.
///
/// # Errors
/// The database's.
pub async fn underway(conn: &mut Conn, order: OrderId, paid_at: DateTime<Utc>) -> Result<Underway> {
    let to_send = shipping_promises::table
        .filter(shipping_promises::order_id.eq(order))
        .filter(shipping_promises::done_at.is_null());
    let coming_back = returns::table.filter(returns::order_id.eq(order)).filter(returns::ended_at.is_null());
    let withdrawn =
        withdrawals::table.filter(withdrawals::order_id.eq(order)).filter(withdrawals::ended_at.is_null());
    let parcels: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)> = shipments::table
        .filter(shipments::order_id.eq(order))
        .select((shipments::shipped_at, shipments::delivered_at))
        .load(conn)
        .await?;
    let is_open = diesel::select(diesel::dsl::exists(to_send)).get_result(conn).await?
        || diesel::select(diesel::dsl::exists(coming_back)).get_result(conn).await?
        || diesel::select(diesel::dsl::exists(withdrawn)).get_result(conn).await?;
    let arrived = parcels.into_iter().map(|(sent, delivered)| delivered_or_sent(sent, delivered));
    Ok(Underway { paid_at, is_open, arrived: arrived.collect() })
}
