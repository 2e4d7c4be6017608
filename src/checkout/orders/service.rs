//! Placing and cancelling. [`place`] takes a batch and works set by set in one transaction; a single order is a batch of
//! one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::facts::{Catalog, Locked, accounts_of, facts_of, pools_of, read_catalog, read_locked};
use super::model::{self, NewKey, OrderState};
use super::rows::Rows;
use super::rules::{self, Facts, Ledger};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::checkout::claims;
use crate::checkout::payments::model::{self as payments, PaymentState};
use crate::checkout::pricing::rules::{Priced, PricedItem, price};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, DriveId, OrderId, PlanId};
use crate::types::locale::Locale;

/// The route under which the keys of placed orders are kept.
pub const ROUTE: &str = "POST /v1/orders";
pub const CANCEL_ROUTE: &str = "POST /v1/orders/{id}/cancel";

/// One line, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Plan { plan: PlanId, drive: Option<DriveId>, invitation: Option<String> },
}

/// What is to be bought.
#[derive(Clone, Debug)]
pub struct Cart {
    pub account: AccountId,
    pub line: Line,
}

/// An order to place.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    pub cart: Cart,
    pub key: String,
    pub body_hash: Vec<u8>,
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    pub consents: Value,
    pub success_url: String,
    pub cancel_url: String,
}

/// An order that stands, or stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub order: OrderId,
    /// True when an earlier request with the same key placed it.
    pub replayed: bool,
}

/// What a shop's zone and currency decide.
#[derive(Clone, Debug)]
pub struct Shop {
    pub zone: Tz,
    pub currency: String,
}

/// Places a batch in the caller's transaction: every order is accepted or refused for itself, in the order of the batch,
/// and only accepted ones leave rows. Locks pools by id, then accounts by id.
///
/// # Errors
/// The database's alone: then nothing of the batch stands, and the caller may place its halves.
pub async fn place(
    conn: &mut Conn,
    shop: &Shop,
    now: DateTime<Utc>,
    batch: &[PlaceOrder],
) -> Result<Vec<Result<Placed>>> {
    let carts: Vec<&Cart> = batch.iter().map(|order| &order.cart).collect();
    let catalog = read_catalog(conn, &carts).await?;
    let pools = claims::lock(conn, &pools_of(&catalog)).await?;
    let accounts = accounts_of(&carts);
    let buyers = accounts::lock_buyers(conn, &accounts).await?;
    let (locked, mut ledger) = read_locked(conn, &catalog, pools, buyers).await?;
    let keys: Vec<String> = batch.iter().map(|order| order.key.clone()).collect();
    let earlier = model::earlier_keys(conn, ROUTE, &accounts, &keys).await?;
    let mut known: HashMap<(AccountId, String), (Vec<u8>, OrderId)> = earlier
        .into_iter()
        .map(|row| ((row.account_id, row.key), (row.body_hash, OrderId(row.resource))))
        .collect();
    let mut rows = Rows::default();
    let mut answers = Vec::with_capacity(batch.len());
    for order in batch {
        let key = (order.cart.account, order.key.clone());
        let answer = match known.get(&key) {
            Some((hash, _)) if *hash != order.body_hash => Err(Code::IdempotencyKeyReused.error()),
            Some((_, placed)) => Ok(Placed { order: *placed, replayed: true }),
            None => accept(order, &catalog, &locked, &mut ledger, shop, now, &mut rows),
        };
        if let Ok(Placed { order: placed, replayed: false }) = answer {
            known.insert(key, (order.body_hash.clone(), placed));
        }
        answers.push(answer);
    }
    rows.write(conn, now).await?;
    Ok(answers)
}

fn title_of(facts: &Facts<'_>) -> String {
    let locale = facts.buyer.locale;
    let tier = locale.pick(&facts.plan.tier_zh, &facts.plan.tier_en);
    match facts.drive {
        Some(drive) => format!("{} · {tier}", locale.pick(&drive.name_zh, &drive.name_en)),
        None => tier.clone(),
    }
}

/// Prices what was admitted.
fn price_of(facts: &Facts<'_>, title: &str) -> Result<Priced> {
    price(&[PricedItem {
        title,
        plan_code: &facts.plan.code,
        drive_code: facts.drive.map(|drive| drive.code.as_str()),
        quantity: 1,
        list_price_minor: facts.plan.price_minor,
    }])
}

/// A cart with its price, as an order placed now would have it.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub title: String,
    pub plan: PlanId,
    pub drive: Option<DriveId>,
    pub priced: Priced,
}

/// Prices a cart without a lock or an effect.
///
/// # Errors
/// As an order would be refused.
pub async fn quote(conn: &mut Conn, now: DateTime<Utc>, cart: &Cart) -> Result<Quoted> {
    let catalog = read_catalog(conn, &[cart]).await?;
    let pools = claims::read(conn, &pools_of(&catalog)).await?;
    let buyers = vec![accounts::load_buyer(conn, cart.account).await?];
    let (locked, ledger) = read_locked(conn, &catalog, pools, buyers).await?;
    let facts = facts_of(cart, &catalog, &locked)?;
    rules::admit(&facts, &ledger, now)?;
    let title = title_of(&facts);
    let priced = price_of(&facts, &title)?;
    Ok(Quoted { title, plan: facts.plan.id, drive: facts.drive.map(|drive| drive.id), priced })
}

fn accept(
    order: &PlaceOrder,
    catalog: &Catalog,
    locked: &Locked,
    ledger: &mut Ledger,
    shop: &Shop,
    now: DateTime<Utc>,
    rows: &mut Rows,
) -> Result<Placed> {
    let facts = facts_of(&order.cart, catalog, locked)?;
    rules::admit(&facts, ledger, now)?;
    let title = title_of(&facts);
    let priced = price_of(&facts, &title)?;
    let order = rows.add(order, &facts, title, &priced, shop, now)?;
    rules::enter(&facts, ledger);
    Ok(Placed { order, replayed: false })
}

/// The buyer gives an unpaid order up: its claims go back at once, its session is expired by a job; a payment that slips
/// through all the same is sent back.
///
/// # Errors
/// `not_found`, `order_not_pending`, `payment_in_progress` while a delayed method runs, `idempotency_key_reused`.
pub async fn cancel(app: &App, account: AccountId, id: OrderId, key: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = model::lock(conn, id).await?;
        if order.account_id != account {
            return Err(Code::NotFound.error());
        }
        if is_repeat(conn, CANCEL_ROUTE, account, key, id).await? {
            return Ok(());
        }
        if order.state != OrderState::PendingPayment {
            return Err(Code::OrderNotPending.error());
        }
        let live = payments::live_of(conn, id).await?;
        if live.as_ref().is_some_and(|payment| payment.state == PaymentState::Processing) {
            return Err(Code::PaymentInProgress.error());
        }
        close(conn, id, OrderState::Cancelled, now).await?;
        if let Some(payment) = live.filter(|payment| payment.stripe_session_id.is_some()) {
            jobs::enqueue(conn, &Job::CloseCheckout { payment: payment.id }, now, now).await?;
        }
        remember(conn, CANCEL_ROUTE, account, key, id, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// Was this done before, by the same request? A key says so for one order only.
///
/// # Errors
/// `idempotency_key_reused` when the key was used for another order.
pub async fn is_repeat(
    conn: &mut Conn,
    route: &'static str,
    account: AccountId,
    key: &str,
    order: OrderId,
) -> Result<bool> {
    let earlier = model::earlier_keys(conn, route, &[account], &[key.to_owned()]).await?;
    match earlier.first() {
        None => Ok(false),
        Some(row) if row.body_hash == order.0.as_bytes() => Ok(true),
        Some(_) => Err(Code::IdempotencyKeyReused.error()),
    }
}

/// Keeps the key of a request that acts on one order and has no body that matters.
///
/// # Errors
/// The database's.
pub async fn remember(
    conn: &mut Conn,
    route: &'static str,
    account: AccountId,
    key: &str,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = NewKey {
        account_id: account,
        route,
        key: key.to_owned(),
        body_hash: order.0.as_bytes().to_vec(),
        status: 200,
        resource: order.0,
        created_at: now,
    };
    NewKey::insert(&mut &*conn, vec![row]).await?;
    Ok(())
}

/// Ends an unpaid order: everything it held goes back. Its row is locked.
///
/// # Errors
/// The database's.
pub async fn close(conn: &mut Conn, id: OrderId, state: OrderState, now: DateTime<Utc>) -> Result<()> {
    claims::release(conn, id, now).await?;
    model::release_places(conn, id, now).await?;
    payments::end_live(conn, id, PaymentState::Expired, now).await?;
    model::set_state(conn, id, state, now).await
}

/// The locale in which an order speaks to its buyer.
pub fn locale_of(order: &model::OrderRow) -> Locale {
    Locale::from_stored(&order.locale)
}

/// Records an operator's or the system's act on an order.
///
/// # Errors
/// The database's.
pub async fn audit_order(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    action: &str,
    order: OrderId,
    reason: &str,
    detail: Value,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action,
        subject_kind: "order",
        subject_id: order.to_string(),
        reason: Some(reason),
        detail,
    };
    audit::record(conn, now, entry).await
}
