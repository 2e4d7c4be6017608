//! Placing. [`place`] takes a batch and works set by set in one transaction; a single order is a batch of
//! one.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::catalog::{Catalog, accounts_of, pools_of, read_catalog, when};
use super::coupons;
use super::dto::TermsConsent;
use super::facts::{Locked, facts_of, read_locked};
use super::model::{self, NewKey, OrderState};
use super::prices::{Bought, buy, title_of};
use super::reader::OrderRows;
use super::rows::{Rows, Worded};
use super::rules::{self, Ledger, LineFacts};
use super::seen::{FromBasket, Shown, as_shown, still_as_read};
use crate::audit::{self, Actor};
use crate::checkout::baskets::model::{self as baskets, Standing};
use crate::checkout::claims;
use crate::checkout::credit::model as credit;
use crate::checkout::credit::service as credit_service;
use crate::checkout::gift_codes::rules::Receiver;
use crate::checkout::invited::rules::Typed;
use crate::checkout::payments::model::{self as payments, PaymentState};
use crate::config::Settings;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::loyalty::offers::uses as offer_uses;
use crate::loyalty::points::model as points;
use crate::loyalty::points::service as points_service;
use crate::membership::benefits::uses::{self as benefits, Part};
use crate::membership::community;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::coupons::uses;
use crate::shop::drops::model as drops;
use crate::shop::shipping::rules::Address;
use crate::types::id::{
    AccountId, BenefitId, DriveId, DropId, OrderId, PlanId, RenewalId, ShippingMethodId, UpgradeQuoteId,
    VariantId,
};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// The route under which the keys of placed orders are kept.
pub const ROUTE: &str = "POST /v1/orders";

/// One line, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Plan(PlanLine),
    Upgrade(UpgradeQuoteId),
    Renewal(RenewalId),
    Article(ArticleLine),
    GiftCard(GiftCardLine),
    Gift(GiftLine),
}

/// A term of a plan for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiftLine {
    pub plan: PlanId,
    /// None: for nobody yet.
    pub to: Option<Receiver>,
}

/// Store credit for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiftCardLine {
    pub amount: Money,
    /// None: for the buyer.
    pub to: Option<Receiver>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    pub plan: PlanId,
    pub drive: Option<DriveId>,
    /// As it is stored.
    pub invitation: Option<String>,
}

/// A variant or a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArticleLine {
    pub article: VariantId,
    pub is_bundle: bool,
    pub quantity: i64,
    pub drop: Option<DropId>,
    /// As it is stored.
    pub f_code: Option<String>,
    /// What it is taken instead of, by an offer.
    pub instead_of: Option<VariantId>,
    /// By which it costs nothing.
    pub benefit: Option<BenefitId>,
}

impl ArticleLine {
    /// The field that names the article.
    pub fn field(&self) -> &'static str {
        if self.is_bundle { "bundle" } else { "variant" }
    }
}

/// How goods are to be sent, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippingChoice {
    pub method: ShippingMethodId,
    pub address: Address,
}

/// Who buys.
#[derive(Clone, Debug)]
pub enum Customer {
    Account(AccountId),
    /// Somebody who isn't signed in.
    Guest(Buyer),
}

impl Customer {
    /// Under which the order will stand, and its keys.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Account(id) => *id,
            Self::Guest(buyer) => buyer.id,
        }
    }

    fn guest(&self) -> Option<&Buyer> {
        match self {
            Self::Account(_) => None,
            Self::Guest(buyer) => Some(buyer),
        }
    }
}

/// What is to be bought.
#[derive(Clone, Debug)]
pub struct Cart {
    pub customer: Customer,
    pub lines: Vec<Line>,
    /// Needless where nothing goes into a parcel.
    pub shipping: Option<ShippingChoice>,
    /// As they are stored.
    pub coupon_codes: Vec<String>,
    /// Points that are to pay as much of it as they may.
    pub points: i64,
    /// Store credit that is to pay as much of the rest as it can.
    pub credit_minor: i64,
    /// The buyer isn't there: his saved card is charged.
    pub charges_card: bool,
}

/// An order to place.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    pub cart: Cart,
    /// Ends when the order is placed.
    pub basket: Option<FromBasket>,
    /// Hash of the token that a guest sees the order with.
    pub token_hash: Option<Vec<u8>>,
    /// The order is refused where it costs something else.
    pub shown: Option<Shown>,
    pub key: String,
    pub body_hash: Vec<u8>,
    /// An invite code, with what it counts for.
    pub invite: Option<Typed>,
    /// What was accepted of the terms of sale.
    pub terms: Option<TermsConsent>,
    pub consents: Value,
    /// The version of the rules of the community that the buyer accepts with it.
    pub community_rules: Option<String>,
    /// To be shown among the backers of what is crowdfunded.
    pub backer_name: Option<String>,
    pub success_url: String,
    pub cancel_url: String,
}

/// An order that stands, or stood before.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: OrderId,
    /// As it was written; none where an earlier request with the same key placed it.
    pub written: Option<Box<OrderRows>>,
}

/// What a shop's zone and currency decide.
#[derive(Clone, Debug)]
pub struct Shop {
    pub zone: Tz,
    pub currency: String,
}

impl Shop {
    pub fn of(settings: &Settings) -> Self {
        Self { zone: settings.timezone, currency: settings.currency.clone() }
    }

    /// The shop's day.
    pub fn day(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }
}

/// Places a batch in the caller's transaction: every order is accepted or refused for itself, in the order of the batch,
/// and only accepted ones leave rows. Locks pools by id, coupons by id, accounts by id, balances of store credit and of points
/// by account, baskets by id.
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
    let mut catalog = read_catalog(conn, &carts, shop.day(now), now).await?;
    catalog.coupons.open_day(conn, now).await?;
    let pools = claims::lock(conn, &pools_of(&catalog)).await?;
    catalog.coupons.lock(conn, now).await?;
    let accounts = accounts_of(&carts);
    let mut buyers = accounts::lock_buyers(conn, &accounts).await?;
    buyers.extend(carts.iter().filter_map(|cart| cart.customer.guest().cloned()));
    let named: Vec<_> = batch.iter().filter_map(|order| order.basket.map(|basket| basket.id)).collect();
    let credit = credit::lock(conn, &payers_of(&carts)).await?;
    let purses = points::lock(conn, &spenders_of(&carts)).await?;
    let mut baskets = baskets::lock(conn, &named).await?;
    let by_rules = catalog.has_plans() || batch.iter().any(|order| order.community_rules.is_some());
    let by_terms = batch.iter().any(|order| order.terms.is_some());
    let ((locked, mut ledger), community_rules, terms, mut known) = tokio::try_join!(
        read_locked(conn, &catalog, pools, buyers, (now, shop.zone)),
        when(by_rules, community::model::current_version(conn)),
        when(by_terms, model::terms_in_force(conn, now)),
        keys_of(conn, batch, &accounts),
    )?;
    (ledger.credit, ledger.purses) = (credit, purses);
    (ledger.community_rules, ledger.terms) = (community_rules, terms);
    let mut rows = Rows::default();
    let mut answers = Vec::with_capacity(batch.len());
    for order in batch {
        let key = (order.cart.customer.account(), order.key.clone());
        let answer = match known.get(&key) {
            Some((hash, _)) if *hash != order.body_hash => Err(Code::IdempotencyKeyReused.error()),
            Some((_, placed)) => Ok(Placed { order: *placed, written: None }),
            None => match still_as_read(order.basket, &baskets) {
                Ok(()) => accept(order, &catalog, &locked, &mut ledger, shop, now, &mut rows),
                Err(refused) => Err(refused),
            },
        };
        if let Ok(Placed { order: placed, written: Some(_) }) = &answer {
            known.insert(key, (order.body_hash.clone(), *placed));
            if let Some(basket) = order.basket {
                baskets.insert(basket.id, Standing::Ended);
            }
        }
        answers.push(answer);
    }
    rows.write(conn, now).await?;
    Ok(answers)
}

/// Who pays by store credit.
pub(super) fn payers_of(carts: &[&Cart]) -> Vec<AccountId> {
    carts.iter().filter(|cart| cart.credit_minor > 0).map(|cart| cart.customer.account()).collect()
}

/// Who pays with points.
pub(super) fn spenders_of(carts: &[&Cart]) -> Vec<AccountId> {
    carts.iter().filter(|cart| cart.points > 0).map(|cart| cart.customer.account()).collect()
}

/// What earlier requests did, by account and key: the hash of the body, and the order.
type Known = HashMap<(AccountId, String), (Vec<u8>, OrderId)>;

async fn keys_of(conn: &Conn, batch: &[PlaceOrder], accounts: &[AccountId]) -> Result<Known> {
    let keys: Vec<String> = batch.iter().map(|order| order.key.clone()).collect();
    let earlier = model::earlier_keys(conn, ROUTE, accounts, &keys).await?;
    let known = |row: model::EarlierKey| ((row.account_id, row.key), (row.body_hash, OrderId(row.resource)));
    Ok(earlier.into_iter().map(known).collect())
}

/// Who buys, read without a lock.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn buyer_of(conn: &mut Conn, customer: &Customer) -> Result<Buyer> {
    match customer {
        Customer::Account(id) => accounts::load_buyer(conn, *id).await,
        Customer::Guest(buyer) => Ok(buyer.clone()),
    }
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
    let facts = facts_of(&order.cart, catalog, locked, now)?;
    let admitted = rules::admit(&facts, ledger, now)?;
    // Who renews goes on under the rules that he accepted.
    let joins = |line: &LineFacts<'_>| matches!(line, LineFacts::Plan(_) | LineFacts::Upgrade(_));
    let has_plan = facts.lines.iter().any(joins);
    let (in_force, accepted) = (ledger.community_rules.as_deref(), order.community_rules.as_deref());
    community::rules::order_may_stand(in_force, accepted, has_plan)?;
    let terms_version = rules::accepted_terms(order.terms.as_ref(), ledger.terms.as_deref())?;
    if order.backer_name.is_some() && !rules::is_pledge(&facts) {
        return Err(Code::InvalidField.at("consents.backer_name", "goes with a crowdfunded drop"));
    }
    let offered = &catalog.coupons;
    let Bought { priced, coupons, outcomes, waived } = buy(&order.cart, &facts, offered, ledger, shop, now)?;
    coupons::all_good(&outcomes, facts.buyer.locale)?;
    as_shown(order.shown.as_ref(), &priced)?;
    let titles = facts.lines.iter().map(|line| title_of(line, facts.buyer.locale)).collect();
    let claims = offered.claims(&coupons.might, &priced.coupons);
    let worded = Worded {
        titles,
        terms_version,
        priced: &priced,
        coupons: &coupons.might,
        claims: &claims,
        day: offered.day(),
        benefits: ledger.benefits.enter(&facts, waived, now)?,
    };
    let written = rows.add(order, &facts, &admitted, worded, shop, now)?;
    let id = written.order.id;
    rules::enter(&facts, &admitted, ledger);
    ledger.claim(&claims);
    ledger.spend(facts.buyer.id, priced.totals.credit_minor);
    if let Some(purse) = ledger.purses.get_mut(&facts.buyer.id).filter(|_| priced.totals.points > 0) {
        rows.pay_with_points(id, facts.buyer.id, purse, priced.totals.points, now);
    }
    ledger.past.enter(facts.buyer, &coupons.might, &priced.coupons);
    Ok(Placed { order: id, written: Some(Box::new(written)) })
}

/// The order that the same request has placed before.
///
/// # Errors
/// `idempotency_key_reused` when the key was used with another body.
pub async fn placed_before(
    conn: &mut Conn,
    account: AccountId,
    key: &str,
    body_hash: &[u8],
) -> Result<Option<OrderId>> {
    let earlier = model::earlier_keys(conn, ROUTE, &[account], &[key.to_owned()]).await?;
    match earlier.first() {
        None => Ok(None),
        Some(row) if row.body_hash == body_hash => Ok(Some(OrderId(row.resource))),
        Some(_) => Err(Code::IdempotencyKeyReused.error()),
    }
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
    let_go(conn, id, now).await?;
    payments::end_live(conn, id, PaymentState::Expired, now).await?;
    model::set_state(conn, id, state, now).await
}

/// What an order has beside its claims goes back: places, units that count for a cap, coupons, benefits, an upgrade
/// offer, store credit, points. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn let_go(conn: &mut Conn, id: OrderId, now: DateTime<Utc>) -> Result<()> {
    model::release_places(conn, id, now).await?;
    drops::release_purchases(conn, id, now).await?;
    uses::release(conn, id, now).await?;
    benefits::release(conn, Part::Order(id), now).await?;
    offer_uses::release(conn, offer_uses::Part::Order(id), now).await?;
    credit_service::release(conn, id, now).await?;
    points_service::release(conn, id, now).await
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
