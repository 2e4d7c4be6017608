//! Looking at lines without ordering them: each is judged for itself, as it stands now, and none hides the others.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::catalog::{pools_of, read_catalog};
use super::facts::{facts_without_lines, gifts_of, line_facts, read_locked};
use super::prices::{Parcel, parcel_of, priced_item, title_of};
use super::rules::{self, Admitted, ArticleFacts, Ledger, LineFacts, PlanFacts, invitation_used};
use super::service::{Cart, Customer, Line, buyer_of};
use crate::checkout::claims;
use crate::checkout::pricing::coupons::Payable;
use crate::checkout::pricing::rules::{PricedCart, PricedItem, price};
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::types::id::PoolId;

/// A line as it stands for one buyer.
#[derive(Debug)]
pub struct Appraised {
    /// None where it names something that isn't there.
    pub found: Option<Found>,
    /// Why it can't be bought now.
    pub refusal: Option<AppError>,
}

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub title: String,
    pub unit_price_minor: i64,
    pub list_price_minor: i64,
    /// Of all units, less what offers give beside the other lines.
    pub total_minor: i64,
    /// Stable reason of the price.
    pub why: &'static str,
    /// How many could be sold now; none: as many as are wanted.
    pub available: Option<i64>,
}

/// All lines of a basket.
#[derive(Debug)]
pub struct Appraisal {
    pub lines: Vec<Appraised>,
    /// Why they can't be in one order.
    pub refusal: Option<AppError>,
    /// Of what is there and is sent, whether or not it can be bought.
    pub parcel: Option<Parcel>,
}

/// Judges and prices every line, without a lock or an effect.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn appraise(
    conn: &mut Conn,
    (now, zone): (DateTime<Utc>, Tz),
    customer: Customer,
    lines: &[Line],
) -> Result<Appraisal> {
    let cart = Cart {
        customer,
        lines: lines.to_vec(),
        shipping: None,
        coupon_codes: Vec::new(),
        points: 0,
        credit_minor: 0,
        charges_card: false,
    };
    let catalog = read_catalog(conn, &[&cart], now.date_naive(), now).await?;
    let pools = claims::read(conn, &pools_of(&catalog)).await?;
    let buyers = vec![buyer_of(conn, &cart.customer).await?];
    let (locked, ledger) = read_locked(conn, &catalog, pools, buyers, (now, zone)).await?;
    let mut facts = facts_without_lines(&cart.customer, &catalog, &locked, now)?;
    let mut appraised = Vec::with_capacity(lines.len());
    let mut items = Vec::new();
    let mut admitted = Admitted::default();
    for (index, line) in lines.iter().enumerate() {
        let line = match line_facts(index, line, facts.buyer, &catalog, &locked, now) {
            Ok(line) => line,
            Err(refusal) => {
                appraised.push(Appraised { found: None, refusal: Some(refusal) });
                continue;
            }
        };
        let judged = rules::admit_line(&facts, &line, &ledger, &admitted, index, now);
        let item = priced_item(&line, &facts, now);
        let found = found(&line, &item, title_of(&line, facts.buyer.locale), &ledger);
        let refusal = judged.map(|claims| admitted.add(claims)).err();
        appraised.push(Appraised { found: Some(found), refusal });
        facts.lines.push(line);
        items.push(item);
    }
    facts.gifts = gifts_of(&facts.lines, &catalog, facts.visitor, now);
    // Coupons are the quote's: a basket shows what its lines cost before them.
    let cart = PricedCart {
        items: &items,
        gifts: &facts.gifts,
        coupons: &[],
        payable: Payable { methods: &[], least_minor: 0, credit_minor: 0, points: None },
    };
    let priced = price(cart, |_| Ok(None));
    let (priced, refusal) = match priced {
        Ok(priced) => (priced.lines, rules::go_together(&facts).err()),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let found = appraised.iter_mut().filter_map(|line| line.found.as_mut());
    found.zip(&priced).for_each(|(found, priced)| found.total_minor = priced.total_minor);
    let lines_minor: Vec<_> = priced.iter().map(|line| line.total_minor).collect();
    Ok(Appraisal { lines: appraised, refusal, parcel: parcel_of(&facts.lines, &lines_minor) })
}

fn found(line: &LineFacts<'_>, item: &PricedItem<'_>, title: String, ledger: &Ledger) -> Found {
    let list_price_minor = match line {
        LineFacts::Plan(line) => line.plan.price_minor,
        LineFacts::Upgrade(line) => line.quote.charge_minor,
        LineFacts::Renewal(line) => line.renewal.price_minor,
        LineFacts::Article(line) => line.article.price_minor,
        LineFacts::GiftCard(card) => card.amount.amount,
        LineFacts::Gift(line) => line.plan.price_minor,
    };
    Found {
        title,
        unit_price_minor: item.unit_price_minor,
        list_price_minor,
        total_minor: item.unit_price_minor.saturating_mul(item.quantity),
        why: item.why,
        available: available(line, ledger),
    }
}

/// What the scarcest of the pools allows that the line takes from, whoever buys; what others wait for in line isn't there.
fn available(line: &LineFacts<'_>, ledger: &Ledger) -> Option<i64> {
    let left = |(pool, of_one): (PoolId, i64)| ledger.open(pool).max(0) / of_one.max(1);
    match line {
        LineFacts::Plan(line) => pools_of_plan(line).into_iter().map(left).min(),
        LineFacts::Article(line) => pools_of_article(line).into_iter().map(left).min(),
        LineFacts::Upgrade(_) | LineFacts::Renewal(_) | LineFacts::GiftCard(_) | LineFacts::Gift(_) => None,
    }
}

fn pools_of_plan(line: &PlanFacts<'_>) -> Vec<(PoolId, i64)> {
    let drive = line.drive.map(|drive| (drive.pool, 1));
    drive.into_iter().chain(invitation_used(line).map(|invitation| (invitation.pool, 1))).collect()
}

fn pools_of_article(line: &ArticleFacts<'_>) -> Vec<(PoolId, i64)> {
    let article = line.article;
    if let Some(code) = line.f_code {
        return vec![(code.pool, 1)];
    }
    let item = line.drop.and_then(|drop| drop.item(article.id)).map(|item| (item.pool, 1));
    let parts = article.parts.iter().filter_map(|part| Some((part.pool?, i64::from(part.quantity))));
    article.pool.map(|pool| (pool, 1)).into_iter().chain(item).chain(parts).collect()
}
