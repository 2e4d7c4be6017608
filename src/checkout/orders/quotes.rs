//! What an order would cost: without a lock, without an effect.

use chrono::{DateTime, Utc};

use super::catalog::{pools_of, read_catalog};
use super::coupons::Outcome;
use super::facts::{facts_of, read_locked};
use super::prices::{Bought, buy, title_of};
use super::proposals::{self, Proposal};
use super::rules::{self, LineFacts};
use super::service::{Cart, Customer, Line, Shop, buyer_of, payers_of, spenders_of};
use crate::checkout::claims;
use crate::checkout::credit::model as credit;
use crate::checkout::pricing::rules::Priced;
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::points::model as points;
use crate::promotion::campaigns::model::Campaign;
use crate::promotion::coupons::model as own_coupons;
use crate::types::locale::Locale;

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
    /// What became of each code, and of campaigns that need none.
    pub coupons: Vec<Outcome>,
    /// Codes of the buyer's own that would make it cheaper, and what would be due with them.
    pub better: Option<(Vec<String>, i64)>,
    /// The buyer's.
    pub locale: Locale,
    /// What else the buyer could have.
    pub proposals: Vec<Proposal>,
}

/// Prices a cart without a lock or an effect, and looks whether coupons of the buyer's own would make it cheaper.
///
/// # Errors
/// As an order would be refused; a coupon that can't be used refuses nothing here.
pub async fn quote(conn: &mut Conn, shop: &Shop, now: DateTime<Utc>, cart: &Cart) -> Result<Quoted> {
    let mut quoted = quote_with(conn, shop, now, cart, None).await?;
    let Customer::Account(account) = cart.customer else { return Ok(quoted) };
    let own = own_coupons::usable(conn, account, now).await?;
    if own.iter().any(|code| !cart.coupon_codes.contains(code)) {
        let mut richer = cart.clone();
        richer.coupon_codes.extend(own.into_iter().filter(|code| !cart.coupon_codes.contains(code)));
        // With less to pay it may be too little to charge: then there is nothing to propose.
        if let Ok(other) = quote_with(conn, shop, now, &richer, None).await
            && other.priced.totals.due_minor < quoted.priced.totals.due_minor
        {
            let used = other.coupons.iter().filter(|outcome| outcome.result.is_ok());
            let codes = used.filter_map(|outcome| richer.coupon_codes.get(outcome.asked?).cloned());
            quoted.better = Some((codes.collect(), other.priced.totals.due_minor));
        }
    }
    Ok(quoted)
}

/// What a cart would cost at that time, whatever else the buyer could use.
///
/// # Errors
/// As [`quote`].
pub async fn price_at(conn: &mut Conn, shop: &Shop, at: DateTime<Utc>, cart: &Cart) -> Result<Priced> {
    Ok(quote_with(conn, shop, at, cart, None).await?.priced)
}

/// What a cart would cost at that time, with a campaign as if it needed no code and weren't paused.
///
/// # Errors
/// As [`quote`].
pub async fn simulate(
    conn: &mut Conn,
    shop: &Shop,
    at: DateTime<Utc>,
    cart: &Cart,
    campaign: Campaign,
) -> Result<Quoted> {
    quote_with(conn, shop, at, cart, Some(campaign)).await
}

async fn quote_with(
    conn: &mut Conn,
    shop: &Shop,
    now: DateTime<Utc>,
    cart: &Cart,
    tried: Option<Campaign>,
) -> Result<Quoted> {
    let mut catalog = read_catalog(conn, &[cart], shop.day(now), now).await?;
    if let Some(campaign) = tried {
        catalog.try_out(conn, campaign).await?;
    }
    let pools = claims::read(conn, &pools_of(&catalog)).await?;
    let buyers = vec![buyer_of(conn, &cart.customer).await?];
    let (locked, mut ledger) = read_locked(conn, &catalog, pools, buyers, (now, shop.zone)).await?;
    ledger.credit = credit::balances(conn, &payers_of(&[cart])).await?;
    ledger.purses = points::read(conn, &spenders_of(&[cart])).await?;
    let facts = facts_of(cart, &catalog, &locked, now)?;
    rules::admit(&facts, &ledger, now)?;
    let Bought { priced, outcomes, .. } = buy(cart, &facts, &catalog.coupons, &ledger, shop, now)?;
    let lines = cart.lines.iter().zip(&facts.lines).map(|(line, of_line)| QuotedLine {
        line: line.clone(),
        title: title_of(of_line, facts.buyer.locale),
        ships_from: match of_line {
            LineFacts::Article(of_line) => of_line.article.ships_from(now),
            LineFacts::Plan(_)
            | LineFacts::Upgrade(_)
            | LineFacts::Renewal(_)
            | LineFacts::GiftCard(_)
            | LineFacts::Gift(_) => None,
        },
    });
    let lines = lines.collect();
    let proposals = proposals::of(conn, &facts, &catalog, now).await?;
    let locale = facts.buyer.locale;
    Ok(Quoted { lines, priced, coupons: outcomes, better: None, locale, proposals })
}
