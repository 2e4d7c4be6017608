//! Moving store credit, in the transaction of what caused it. Balances are
//! locked by account, after accounts' own rows and before counters.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, EntryKind, NewEntry};
use super::rules::Change;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::people::accounts::model as accounts;
use crate::promotion::packets::service as packets;
use crate::types::id::{AccountId, CreditEntryId, OrderId};

/// An amount for an account's store credit, once for its cause.
#[derive(Clone, Debug)]
pub struct Grant {
    pub account: AccountId,
    pub amount_minor: i64,
    pub kind: EntryKind,
    /// What it is for, such as `refund:<id>`: the same cause never pays twice.
    pub cause: String,
    /// The order that it has to do with.
    pub order: Option<OrderId>,
    /// As it is shown to its owner.
    pub reason: Option<String>,
}

impl Grant {
    /// The row by which it moves so much.
    fn entry(&self, change: Change, now: DateTime<Utc>) -> NewEntry {
        NewEntry {
            id: CreditEntryId::new(),
            account_id: self.account,
            kind: self.kind.as_str(),
            cause: self.cause.clone(),
            amount_minor: change.amount_minor,
            owed_minor: change.owed_minor,
            order_id: self.order,
            reason: self.reason.clone(),
            created_at: now,
        }
    }
}

/// Adds to store credit, set by set: amounts above 0; those whose cause has an entry are left out. What is owed is paid
/// from it at once. Tells the causes that were written.
///
/// # Errors
/// The database's.
pub async fn grant(conn: &mut Conn, grants: &[Grant], now: DateTime<Utc>) -> Result<HashSet<String>> {
    let accounts: BTreeSet<_> = grants.iter().map(|one| one.account).collect();
    let mut balances = model::lock(conn, &accounts.into_iter().collect::<Vec<_>>()).await?;
    let causes: Vec<_> = grants.iter().map(|one| one.cause.clone()).collect();
    let known = model::known(conn, &causes).await?;
    let mut written = HashSet::new();
    let mut entries = Vec::with_capacity(grants.len());
    for one in grants.iter().filter(|one| one.amount_minor > 0 && !known.contains(&one.cause)) {
        if !written.insert(one.cause.clone()) {
            continue;
        }
        let balance = balances.entry(one.account).or_default();
        let (whole, paid) = balance.receive(one.amount_minor);
        *balance = balance.after(whole);
        entries.push(one.entry(whole, now));
        if let Some(paid) = paid {
            *balance = balance.after(paid);
            let owed = Grant { kind: EntryKind::Owed, cause: format!("owed:{}", one.cause), ..one.clone() };
            entries.push(owed.entry(paid, now));
        }
    }
    model::write(conn, entries).await?;
    Ok(written)
}

/// Takes an amount back, once for its cause: as much as the balance has. What it lacks, because it was spent, is taken from
/// what comes next where `owe` says so, beginning with what lies in packets that nobody has opened.
///
/// # Errors
/// The database's.
pub async fn claw_back(
    conn: &mut Conn,
    account: AccountId,
    amount_minor: i64,
    cause: &str,
    owe: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let balance = model::lock(conn, &[account]).await?.get(&account).copied().unwrap_or_default();
    if !model::known(conn, &[cause.to_owned()]).await?.is_empty() {
        return Ok(());
    }
    let Some(change) = balance.give_up(amount_minor, owe) else { return Ok(()) };
    let taken = Grant {
        account,
        amount_minor,
        kind: EntryKind::ClawBack,
        cause: cause.to_owned(),
        order: None,
        reason: None,
    };
    model::write(conn, vec![taken.entry(change, now)]).await?;
    if change.owed_minor > 0 {
        packets::recall(conn, account, now).await?;
    }
    Ok(())
}

/// Pays an amount, where the balance has it; false where it hasn't. Once for its cause: a repeat has paid.
///
/// # Errors
/// The database's.
pub async fn spend(conn: &mut Conn, spent: &Grant, now: DateTime<Utc>) -> Result<bool> {
    let balance = model::lock(conn, &[spent.account]).await?.get(&spent.account).copied().unwrap_or_default();
    if !model::known(conn, std::slice::from_ref(&spent.cause)).await?.is_empty() {
        return Ok(true);
    }
    if balance.balance_minor < spent.amount_minor {
        return Ok(false);
    }
    let change = Change { amount_minor: -spent.amount_minor, owed_minor: 0 };
    model::write(conn, vec![spent.entry(change, now)]).await?;
    Ok(true)
}

/// What an order pays by store credit when it is placed; its balance is locked and has it.
pub fn paid_by(order: OrderId, account: AccountId, amount_minor: i64, now: DateTime<Utc>) -> NewEntry {
    let change = Change { amount_minor: -amount_minor, owed_minor: 0 };
    of_order(order, account, EntryKind::Order, 0).entry(change, now)
}

/// The n-th movement of an order's own.
fn of_order(order: OrderId, account: AccountId, kind: EntryKind, nth: usize) -> Grant {
    Grant {
        account,
        amount_minor: 0,
        kind,
        cause: format!("order:{order}:{nth}"),
        order: Some(order),
        reason: None,
    }
}

/// Gives back what an order paid by store credit: it ends unpaid. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let moved = model::of_order(conn, order).await?;
    let paid_minor = -moved.iter().map(|(_, minor)| minor).sum::<i64>();
    let Some((account, _)) = moved.first().filter(|_| paid_minor > 0) else { return Ok(()) };
    let back = of_order(order, *account, EntryKind::OrderReturned, moved.len());
    grant(conn, &[Grant { amount_minor: paid_minor, ..back }], now).await.map(|_| ())
}

/// Pays again what was given back, for an order whose money came late; false where the account no longer has it.
///
/// # Errors
/// The database's.
pub async fn renew(
    conn: &mut Conn,
    order: OrderId,
    account: AccountId,
    amount_minor: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let moved = model::of_order(conn, order).await?;
    let paid_minor = -moved.iter().map(|(_, minor)| minor).sum::<i64>();
    if paid_minor >= amount_minor {
        return Ok(true);
    }
    let again = of_order(order, account, EntryKind::Order, moved.len());
    spend(conn, &Grant { amount_minor, ..again }, now).await
}

/// An operator gives, or (below 0) takes.
///
/// # Errors
/// `not_found`, `credit_insufficient`, `idempotency_key_reused`, `request_in_progress`.
pub async fn adjust(
    app: &App,
    actor: Actor,
    account: AccountId,
    amount_minor: i64,
    reason: &str,
    request: &Request,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if idempotency::claim(conn, request, 201, account.0, now).await? != Claim::First {
            return Ok(());
        }
        accounts::lock_buyers(conn, &[account]).await?.first().ok_or(Code::NotFound)?;
        let moved = Grant {
            account,
            amount_minor: amount_minor.abs(),
            kind: EntryKind::Operator,
            cause: format!("operator:{}", CreditEntryId::new()),
            order: None,
            reason: Some(reason.to_owned()),
        };
        if amount_minor > 0 {
            grant(conn, &[moved], now).await?;
        } else if !spend(conn, &moved, now).await? {
            return Err(Code::CreditInsufficient.error());
        }
        let entry = Entry {
            actor,
            action: "credit.adjust",
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: Some(reason),
            detail: json!({ "amount_minor": amount_minor }),
        };
        audit::record(conn, now, entry).await
    })
    .await
}
