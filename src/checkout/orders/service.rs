//! Placing. [`place`] takes a batch and works set by set in one transaction; a single order is a batch of
//! one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::facts::{Catalog, Locked, accounts_of, facts_of, pools_of, read_catalog, read_locked};
use super::model::{self, NewKey, OrderState};
use super::proposals::{self, Proposal};
use super::rows::{Rows, Worded};
use super::rules::{self, ArticleFacts, Facts, Ledger, LineFacts, PlanFacts};
use super::seen::{FromBasket, Shown, as_shown, still_as_read};
use crate::audit::{self, Actor};
use crate::checkout::baskets::model::{self as baskets, Standing};
use crate::checkout::claims;
use crate::checkout::payments::model::{self as payments, PaymentState};
use crate::checkout::pricing::rules::{Priced, PricedItem, PricedLine, price};
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::shop::drops::model as drops;
use crate::shop::drops::rules::unit_price as unit_price_in;
use crate::shop::products::model::Article;
use crate::shop::products::rules::{self as products, UnitPrice};
use crate::shop::shipping::rules::{Address, fee_minor};
use crate::types::id::{AccountId, DriveId, DropId, OrderId, PlanId, ShippingMethodId, VariantId};
use crate::types::locale::Locale;

/// The route under which the keys of placed orders are kept.
pub const ROUTE: &str = "POST /v1/orders";
/// Why a price is what it is: one thing instead of another.
pub const SWAP_OFFER: &str = "swap_offer";

/// One line, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Plan(PlanLine),
    Article(ArticleLine),
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
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    pub consents: Value,
    /// To be shown among the backers of what is crowdfunded.
    pub backer_name: Option<String>,
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
/// and only accepted ones leave rows. Locks pools by id, then accounts by id, then baskets by id.
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
    let mut buyers = accounts::lock_buyers(conn, &accounts).await?;
    buyers.extend(carts.iter().filter_map(|cart| cart.customer.guest().cloned()));
    let named: Vec<_> = batch.iter().filter_map(|order| order.basket.map(|basket| basket.id)).collect();
    let mut baskets = baskets::lock(conn, &named).await?;
    let (locked, mut ledger) = read_locked(conn, &catalog, pools, buyers, now).await?;
    let mut known = keys_of(conn, batch, &accounts).await?;
    let mut rows = Rows::default();
    let mut answers = Vec::with_capacity(batch.len());
    for order in batch {
        let key = (order.cart.customer.account(), order.key.clone());
        let answer = match known.get(&key) {
            Some((hash, _)) if *hash != order.body_hash => Err(Code::IdempotencyKeyReused.error()),
            Some((_, placed)) => Ok(Placed { order: *placed, replayed: true }),
            None => match still_as_read(order.basket, &baskets) {
                Ok(()) => accept(order, &catalog, &locked, &mut ledger, shop, now, &mut rows),
                Err(refused) => Err(refused),
            },
        };
        if let Ok(Placed { order: placed, replayed: false }) = answer {
            known.insert(key, (order.body_hash.clone(), placed));
            if let Some(basket) = order.basket {
                baskets.insert(basket.id, Standing::Ended);
            }
        }
        answers.push(answer);
    }
    rows.write(conn, now).await?;
    Ok(answers)
}

/// What earlier requests did, by account and key: the hash of the body, and the order.
type Known = HashMap<(AccountId, String), (Vec<u8>, OrderId)>;

async fn keys_of(conn: &mut Conn, batch: &[PlaceOrder], accounts: &[AccountId]) -> Result<Known> {
    let keys: Vec<String> = batch.iter().map(|order| order.key.clone()).collect();
    let earlier = model::earlier_keys(conn, ROUTE, accounts, &keys).await?;
    let known = |row: model::EarlierKey| ((row.account_id, row.key), (row.body_hash, OrderId(row.resource)));
    Ok(earlier.into_iter().map(known).collect())
}

/// What an article is called on an order.
pub fn article_title(article: &Article, locale: Locale) -> String {
    let options = article.options.as_object().into_iter().flatten();
    let options: Vec<_> = options.filter_map(|(_, value)| value.as_str()).collect();
    let name = article.product.names.pick(locale);
    if options.is_empty() { name.to_owned() } else { format!("{name} · {}", options.join(", ")) }
}

pub(super) fn title_of(line: &LineFacts<'_>, locale: Locale) -> String {
    match line {
        LineFacts::Plan(PlanFacts { plan, drive, .. }) => {
            let tier = locale.pick(&plan.tier_zh, &plan.tier_en);
            match drive {
                Some(drive) => format!("{} · {tier}", locale.pick(&drive.name_zh, &drive.name_en)),
                None => tier.clone(),
            }
        }
        LineFacts::Article(ArticleFacts { article, .. }) => article_title(article, locale),
    }
}

pub(super) fn priced_item(line: &LineFacts<'_>, facts: &Facts<'_>, now: DateTime<Utc>) -> PricedItem {
    match line {
        LineFacts::Plan(PlanFacts { plan, drive, .. }) => PricedItem {
            quantity: 1,
            unit_price_minor: plan.price_minor,
            why: if drive.is_some() { "drive_price" } else { "plan_price" },
            tax_rate_bp: 0,
            article: None,
        },
        LineFacts::Article(line @ ArticleFacts { article, quantity, .. }) => {
            let unit = unit_price(line, facts, now);
            PricedItem {
                quantity: *quantity,
                unit_price_minor: unit.minor,
                why: unit.why,
                tax_rate_bp: article.product.tax_rate_bp,
                article: Some(article.id),
            }
        }
    }
}

/// What one unit costs: by a swap the price of what is given up and the supplement, unless it is cheaper without.
fn unit_price(line: &ArticleFacts<'_>, facts: &Facts<'_>, now: DateTime<Utc>) -> UnitPrice {
    let of = |article| products::unit_price(article, line.quantity, facts.visitor, facts.ranks, now);
    let direct = match line.drop.and_then(|drop| drop.item(line.article.id)) {
        Some(item) => unit_price_in(of(line.article), item, facts.visitor, facts.ranks),
        None => of(line.article),
    };
    let swapped = line.swap.map(|swap| {
        let minor = of(swap.given_up).minor.saturating_add(swap.offer.supplement_minor.unwrap_or(0));
        UnitPrice { minor, why: SWAP_OFFER }
    });
    swapped.filter(|swapped| swapped.minor <= direct.minor).unwrap_or(direct)
}

/// Prices what was admitted.
///
/// # Errors
/// `shipping_required`, `not_shipped_there`, `amount_out_of_range`, `pledge_needs_price`.
fn price_of(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Priced> {
    let items: Vec<_> = facts.lines.iter().map(|line| priced_item(line, facts, now)).collect();
    let priced = price(&items, &facts.gifts, |lines| shipping_minor(facts, lines))?;
    let of_lines_minor = priced.totals.subtotal_minor - priced.totals.discount_minor;
    if rules::is_pledge(facts) && (of_lines_minor == 0 || priced.totals.due_minor == 0) {
        return Err(Code::PledgeNeedsPrice.at("lines[0]", "it costs nothing"));
    }
    Ok(priced)
}

/// What goes into parcels: its worth and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub goods_minor: i64,
    pub weight_grams: i64,
}

/// None where nothing is sent.
pub(super) fn parcel_of(lines: &[LineFacts<'_>], priced: &[PricedLine]) -> Option<Parcel> {
    let mut parcel = None;
    for (line, priced) in lines.iter().zip(priced) {
        let LineFacts::Article(ArticleFacts { article, quantity, .. }) = line else { continue };
        if article.is_shipped() {
            let so_far = parcel.unwrap_or(Parcel { goods_minor: 0, weight_grams: 0 });
            let grams = article.weight_grams().saturating_mul(*quantity);
            parcel = Some(Parcel {
                goods_minor: so_far.goods_minor.saturating_add(priced.total_minor),
                weight_grams: so_far.weight_grams.saturating_add(grams),
            });
        }
    }
    parcel
}

/// What the parcel costs where something is sent.
fn shipping_minor(facts: &Facts<'_>, lines: &[PricedLine]) -> Result<Option<i64>> {
    let Some(Parcel { goods_minor, weight_grams }) = parcel_of(&facts.lines, lines) else { return Ok(None) };
    let Some((method, address)) = facts.shipping else {
        return Err(Code::ShippingRequired.at("shipping", "missing field"));
    };
    let (visitor, ranks) = (facts.visitor, facts.ranks);
    let fee = fee_minor(method, &address.country, goods_minor, weight_grams, visitor, ranks);
    fee.map(Some).map_err(|code| code.at("shipping.method", "not for this address"))
}

/// A line of a quote.
#[derive(Clone, Debug)]
pub struct QuotedLine {
    pub line: Line,
    pub title: String,
    /// It isn't there yet, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
}

/// A cart with its price, as an order placed now would have it.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub lines: Vec<QuotedLine>,
    pub priced: Priced,
    /// What else the buyer could have.
    pub proposals: Vec<Proposal>,
}

/// Prices a cart without a lock or an effect.
///
/// # Errors
/// As an order would be refused.
pub async fn quote(conn: &mut Conn, now: DateTime<Utc>, cart: &Cart) -> Result<Quoted> {
    let catalog = read_catalog(conn, &[cart]).await?;
    let pools = claims::read(conn, &pools_of(&catalog)).await?;
    let buyers = vec![buyer_of(conn, &cart.customer).await?];
    let (locked, ledger) = read_locked(conn, &catalog, pools, buyers, now).await?;
    let facts = facts_of(cart, &catalog, &locked, now)?;
    rules::admit(&facts, &ledger, now)?;
    let priced = price_of(&facts, now)?;
    let lines = cart.lines.iter().zip(&facts.lines).map(|(line, of_line)| QuotedLine {
        line: line.clone(),
        title: title_of(of_line, facts.buyer.locale),
        ships_from: match of_line {
            LineFacts::Article(of_line) => of_line.article.ships_from(now),
            LineFacts::Plan(_) => None,
        },
    });
    let lines = lines.collect();
    let proposals = proposals::of(conn, &facts, &catalog, now).await?;
    Ok(Quoted { lines, priced, proposals })
}

/// Who buys, read without a lock.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub(super) async fn buyer_of(conn: &mut Conn, customer: &Customer) -> Result<Buyer> {
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
    if order.backer_name.is_some() && !rules::is_pledge(&facts) {
        return Err(Code::InvalidField.at("consents.backer_name", "goes with a crowdfunded drop"));
    }
    let priced = price_of(&facts, now)?;
    as_shown(order.shown.as_ref(), &priced)?;
    let titles = facts.lines.iter().map(|line| title_of(line, facts.buyer.locale)).collect();
    let id = rows.add(order, &facts, &admitted, Worded { titles, priced: &priced }, shop, now)?;
    rules::enter(&facts, &admitted, ledger);
    Ok(Placed { order: id, replayed: false })
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
    model::release_places(conn, id, now).await?;
    drops::release_purchases(conn, id, now).await?;
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
