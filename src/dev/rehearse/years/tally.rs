//! The figures of the report: by the tables and by Stripe's book, where people remember the same.

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::Client;

use super::super::RehearsalError;
use super::super::clockwork::findings::Findings;
use super::super::clockwork::world::CURRENCY;
use super::super::figures::count;
use super::NAME;
use super::life::{Deeds, Life};
use super::report::{Gifts, YearsReport};
use super::roles::Role;
use crate::dev::stripe::Book;
use crate::types::money::Money;

/// Something that is counted: its name, how people remember it, and how the tables are asked.
type Counted = (&'static str, fn(&Deeds) -> i64, &'static str);

const COUNTED: [Counted; 10] = [
    (
        "joined",
        |all| all.joined,
        "SELECT count(*) FROM membership_terms t JOIN order_lines l ON l.id = t.line_id WHERE l.kind = 'plan'",
    ),
    (
        "renewed",
        |all| all.renewed_by_card + all.renewed_by_link,
        "SELECT count(*) FROM renewals WHERE state = 'paid'",
    ),
    (
        "upgraded",
        |all| all.upgraded,
        "SELECT count(*) FROM membership_terms t JOIN order_lines l ON l.id = t.line_id WHERE l.kind = 'upgrade'",
    ),
    ("gifts", |all| all.given, "SELECT count(*) FROM gifts WHERE delivered_at IS NOT NULL"),
    ("redeemed", |all| all.redeemed, "SELECT count(*) FROM gifts WHERE redeemed_at IS NOT NULL"),
    ("rested", |all| all.rested, "SELECT count(*) FROM membership_freezes WHERE ended_at IS NOT NULL"),
    ("associates", |all| all.associates, "SELECT count(*) FROM associates WHERE accepted_at IS NOT NULL"),
    ("moved", |all| all.moved, "SELECT count(*) FROM chapter_moves"),
    ("refunds", |all| all.refunds, "SELECT count(*) FROM refunds WHERE state = 'succeeded'"),
    (
        "orders",
        |all| all.orders,
        "SELECT count(*) FROM orders o
         WHERE EXISTS (SELECT FROM payments p WHERE p.order_id = o.id AND p.captured_minor > 0)",
    ),
];
/// Charges of saved cards that the bank refused.
const FAILED: &str = "SELECT count(*) FROM payments
    WHERE stripe_session_id IS NULL AND failure_code IS NOT NULL AND captured_minor = 0";
const UNREDEEMED: &str = "SELECT count(*) FROM gifts WHERE redeemed_at IS NULL AND voided_at IS NULL";
const MEMBERS: &str = "SELECT t.code, count(*) FROM memberships m JOIN tiers t ON t.id = m.tier_id
    WHERE m.state = 'active' GROUP BY t.code";

/// All that people remember having done.
pub fn remembered(lives: &[Life]) -> Deeds {
    lives.iter().fold(Deeds::default(), |sum, life| sum.plus(&life.deeds))
}

/// The report, but for what the judge says of it.
///
/// # Errors
/// The database's.
pub async fn figures(
    client: &Client,
    book: &Book,
    lives: &[Life],
    found: &mut Findings,
) -> Result<YearsReport, RehearsalError> {
    let all = remembered(lives);
    let mut told = BTreeMap::new();
    for (what, expected, sql) in COUNTED {
        let there = count(client, sql).await?;
        found.expect(what, there, expected(&all));
        told.insert(what, there);
    }
    let of = |what: &str| told.get(what).copied().unwrap_or_default();
    let by_card = book.payments.iter().filter(|paid| paid.session.is_none()).count();
    let renewed_by_card = i64::try_from(by_card).unwrap_or(i64::MAX);
    found.expect("charges of saved cards", renewed_by_card, all.renewed_by_card);
    let associates_left = count(client, "SELECT count(*) FROM associates WHERE state = 'active'").await?;
    found.expect("associates at the end", associates_left, families(lives));
    let mut members = BTreeMap::new();
    for row in client.query(MEMBERS, &[]).await? {
        members.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let gifts = Gifts {
        bought: of("gifts"),
        redeemed: of("redeemed"),
        refunded: all.gifts_refunded,
        expired: count(client, UNREDEEMED).await?,
    };
    let money = |minor| Money::new(minor, CURRENCY);
    Ok(YearsReport {
        name: NAME.to_owned(),
        people: i64::try_from(lives.len()).unwrap_or(i64::MAX),
        joined: of("joined"),
        members,
        renewed_by_card,
        renewed_by_link: of("renewed") - renewed_by_card,
        recovered: all.recovered,
        charges_failed: count(client, FAILED).await?,
        upgraded: of("upgraded"),
        downgraded: all.downgrades,
        cancelled: all.cancelled,
        expired: all.expired,
        gifts,
        rested: of("rested"),
        associates: of("associates"),
        associates_left,
        moved: of("moved"),
        refunds: of("refunds"),
        orders: of("orders"),
        invoices: count(client, "SELECT count(*) FROM invoices").await?,
        mails: count(client, "SELECT count(*) FROM mails WHERE state = 'sent'").await?,
        captured: money(book.captured_minor),
        refunded: money(book.refunded_minor),
        revenue: money(book.captured_minor - book.refunded_minor),
        seconds: 0.0,
        days: 0,
        moves: 0,
        leaps: 0,
        number_gaps: 0,
        lost: 0,
        free: 0,
        doubled: 0,
        checks_failed: 0,
        passed: false,
    })
}

/// Associates whose heads are members still.
fn families(lives: &[Life]) -> i64 {
    let heads: HashSet<u32> = lives
        .iter()
        .filter(|life| matches!(life.role, Role::Head | Role::LeavingHead) && life.standing.is_some())
        .map(|life| life.index)
        .collect();
    let has_head = |life: &&Life| {
        life.role == Role::Associate && life.index.checked_sub(1).is_some_and(|head| heads.contains(&head))
    };
    i64::try_from(lives.iter().filter(has_head).count()).unwrap_or(i64::MAX)
}
