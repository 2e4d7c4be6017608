//! Adopting. Orders are locked by id, then the accounts of both sides by id, then the goals of crowdfunded drops: so a
//! payment that settles at the same time comes before or after.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, Bought};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::orders::model as orders;
use crate::checkout::{earned, invited};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::http::guest::OrderToken;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::shop::crowdfunding::model as pledges;
use crate::types::email::Email;
use crate::types::id::{AccountId, OrderId};

/// Orders that one proof of an address brings along, the newest; the others may be adopted one by one.
const ORDERS_MAX: i64 = 1_000;

/// Locks what guests bought under an address that an account is about to prove, and the accounts of both: before any other
/// account is locked.
///
/// # Errors
/// The database's.
pub async fn lock_bought(conn: &mut Conn, account: AccountId, email: &Email) -> Result<Vec<Bought>> {
    let mut bought = model::find(conn, email, ORDERS_MAX).await?;
    let ids: Vec<_> = bought.iter().map(|found| found.order).collect();
    let locked = model::lock(conn, &ids).await?;
    // What somebody else adopted meanwhile isn't a guest's any more.
    bought.retain(|found| locked.contains(found));
    let guests = bought.iter().map(|found| found.guest);
    accounts::lock_buyers(conn, &guests.chain([account]).collect::<Vec<_>>()).await?;
    Ok(bought)
}

/// Makes locked orders of guests an account's, whose row is locked and whose address is theirs and verified.
///
/// # Errors
/// The database's.
pub async fn adopt_locked(
    conn: &mut Conn,
    account: AccountId,
    bought: &[Bought],
    now: DateTime<Utc>,
) -> Result<()> {
    if bought.is_empty() {
        return Ok(());
    }
    let ids: BTreeSet<OrderId> = bought.iter().map(|found| found.order).collect();
    model::move_orders(conn, bought, account).await?;
    pledges::move_to(conn, &ids.iter().copied().collect::<Vec<_>>(), account).await?;
    let orders: Vec<_> = ids.iter().copied().collect();
    invited::service::adopted(conn, &orders, account, now).await?;
    earned::service::adopted(conn, &orders, now).await?;
    model::note(conn, bought, account, now).await?;
    occasions::happened(conn, OccasionEvent::NthOrder, account, now).await?;
    let entry = Entry {
        actor: Actor::Account(account),
        action: "account.adopt_orders",
        subject_kind: "account",
        subject_id: account.to_string(),
        reason: None,
        detail: json!({ "orders": ids }),
    };
    audit::record(conn, now, entry).await
}

/// An account, whose address is verified, adopts an order of a guest who gave the same address, and whose token it shows.
/// Of what is the account's already nothing changes.
///
/// # Errors
/// `not_found`, `email_not_verified`, `order_not_yours` for one of another address, `order_adopted` for that of another
/// account.
pub async fn adopt(app: &App, account: AccountId, id: OrderId, token: &OrderToken) -> Result<()> {
    let now = app.clock.now();
    let hash = token.hash();
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, id).await?;
        if order.account_id == account {
            return Ok(());
        }
        let shown = match &hash {
            Some(hash) => orders::buyer_of_token(conn, id, hash).await?,
            None => None,
        };
        shown.ok_or(Code::NotFound)?;
        let locked = accounts::lock_buyers(conn, &[account, order.account_id]).await?;
        let found = |id| locked.iter().find(|buyer| buyer.id == id);
        may_adopt(found(account).ok_or(Code::Unauthenticated)?, found(order.account_id), &order.email)?;
        let bought = Bought { order: id, guest: order.account_id };
        adopt_locked(conn, account, &[bought], now).await
    })
    .await
}

fn may_adopt(adopter: &Buyer, owner: Option<&Buyer>, typed: &str) -> Result<()> {
    if !owner.is_some_and(|owner| owner.is_guest) {
        return Err(Code::OrderAdopted.error());
    }
    if adopter.email_verified_at.is_none() {
        return Err(Code::EmailNotVerified.error());
    }
    let key = typed.parse::<Email>().ok().map(|email| email.key());
    if key.is_none() || key != adopter.email_key {
        return Err(Code::OrderNotYours.error());
    }
    Ok(())
}
