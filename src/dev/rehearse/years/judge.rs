//! The judgement of three years: the members' memory, Stripe's book and the tables, side by side.

use std::collections::HashMap;

use tokio::time::Instant;
use tokio_postgres::Client;

use super::super::RehearsalError;
use super::super::clockwork::calendar::Calendar;
use super::super::clockwork::findings::Findings;
use super::super::clockwork::post;
use super::super::clockwork::world::World;
use super::super::figures::{captures, compare_books, count};
use super::super::report::tenths;
use super::super::scenario::{connect, sql_time};
use super::life::{Life, Standing};
use super::report::YearsReport;
use super::tally::{self, remembered};
use crate::dev::stripe::Book;

/// What is there twice.
const DOUBLES: [(&str, &str); 9] = [
    ("anniversaries", "SELECT count(*) FROM renewals WHERE state = 'paid' GROUP BY membership_id, ends_at"),
    (
        "payments of a renewal",
        "SELECT count(*) FROM payments p JOIN order_lines l ON l.order_id = p.order_id
         WHERE l.kind = 'renewal' AND p.captured_minor > 0 AND NOT p.sent_back GROUP BY l.renewal_id",
    ),
    (
        "settlements",
        "SELECT count(*) FROM payments WHERE captured_minor > 0 AND NOT sent_back GROUP BY order_id",
    ),
    (
        "terms",
        "SELECT count(*) FROM membership_terms WHERE line_id IS NOT NULL AND replaced_by IS NULL GROUP BY line_id",
    ),
    (
        "memberships",
        "SELECT count(*) FROM memberships WHERE state IN ('active', 'frozen') GROUP BY account_id",
    ),
    ("numbers", "SELECT count(*) FROM member_numbers GROUP BY account_id"),
    ("refunds", "SELECT count(*) FROM refunds GROUP BY cause"),
    ("mails", "SELECT count(*) FROM mails GROUP BY cause"),
    ("invoices", "SELECT count(*) FROM invoices WHERE kind = 'invoice' GROUP BY order_id"),
];

/// Numbers that are missing between 1 and the highest of a chapter, or after it.
const GAPS: &str = "SELECT coalesce(sum(c.next_sequence - 1 - n.known), 0)::bigint FROM chapters c
    JOIN (SELECT c.id, count(DISTINCT m.sequence) AS known FROM chapters c
          LEFT JOIN member_numbers m ON m.chapter_id = c.id GROUP BY c.id) n ON n.id = c.id";
/// Ends that nobody looked after: grace is over, and the membership isn't.
const FORGOTTEN: &str = "SELECT count(*) FROM memberships
    WHERE state = 'active' AND ends_at + interval '7 days' < {now}";
/// Standing terms of a membership that overlap the one before, or leave a hole behind it.
const TORN: &str = "SELECT count(*) FROM
    (SELECT starts_at, lag(ends_at) OVER (PARTITION BY membership_id ORDER BY starts_at) AS before
     FROM membership_terms WHERE ended_at IS NULL) AS t
    WHERE before IS NOT NULL AND starts_at <> before";
/// What the tables say of memberships that stand.
const STANDING: &str = "SELECT a.email, t.code, (extract(epoch FROM m.ends_at) * 1000000)::bigint
    FROM memberships m JOIN accounts a ON a.id = m.account_id JOIN tiers t ON t.id = m.tier_id
    WHERE m.state IN ('active', 'frozen')";
/// All orders, whose they are, and whether a term or a gift has come of them.
const ORDERS: &str = "SELECT 'ord_' || replace(o.id::text, '-', ''), a.email,
        EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id
            AND (l.id IN (SELECT line_id FROM membership_terms) OR l.id IN (SELECT line_id FROM gifts))),
        EXISTS (SELECT FROM order_lines l JOIN membership_terms t ON t.line_id = l.id
            WHERE l.order_id = o.id AND t.ended_at IS NULL)
    FROM orders o JOIN accounts a ON a.id = o.account_id";

/// An order as the tables have it.
struct Order {
    email: String,
    /// A term or a gift has come of it.
    is_fulfilled: bool,
    /// A term of it stands.
    stands: bool,
}

/// Puts the report together and says, in the log, whatever speaks against passing.
///
/// # Errors
/// The database's.
pub async fn judge(
    world: &World,
    lives: &[Life],
    calendar: Calendar,
    url: &str,
    begun: Instant,
) -> Result<YearsReport, RehearsalError> {
    let (client, book) = (connect(url).await?, world.simulator.book());
    let mut found = Findings::default();
    compare_books(&book, &captures(&client).await?, &mut found.against);
    judge_money(&client, &book, lives, &mut found).await?;
    judge_terms(&client, world, lives, &mut found).await?;
    let number_gaps = count(&client, GAPS).await?;
    found.expect("number gaps", number_gaps, 0);
    found.expect_no_doubles(&client, &DOUBLES).await?;
    let mut report = tally::figures(&client, &book, lives, &mut found).await?;
    judge_mails(&client, world, &report, lives, &mut found).await?;
    report.checks_failed = found.conclude(world, url).await?;
    let passed = found.against.is_empty();
    report.seconds = tenths(begun.elapsed().as_secs_f64());
    report.days = (world.clock.now() - world.opened_at).num_days();
    (report.moves, report.leaps) = (calendar.moves, calendar.leaps);
    (report.lost, report.free, report.doubled) = (found.lost, found.free, found.doubled);
    Ok(YearsReport { number_gaps, passed, ..report })
}

/// Each payment that Stripe kept belongs to an order of which something has come, once; each term that stands was paid; and
/// each person paid, and got back, what he remembers, to the last minor unit.
async fn judge_money(
    client: &Client,
    book: &Book,
    lives: &[Life],
    found: &mut Findings,
) -> Result<(), RehearsalError> {
    let mut orders = HashMap::new();
    for row in client.query(ORDERS, &[]).await? {
        let id: String = row.try_get(0)?;
        orders.insert(
            id,
            Order { email: row.try_get(1)?, is_fulfilled: row.try_get(2)?, stands: row.try_get(3)? },
        );
    }
    let mut money: HashMap<&str, (i64, i64)> = HashMap::new();
    let mut kept: HashMap<&str, i64> = HashMap::new();
    for paid in &book.payments {
        let id = paid.order_id.as_deref().unwrap_or_default();
        let Some(order) = orders.get(id) else {
            found.lost(format!("{id} was paid, and is no order of ours"));
            continue;
        };
        let sums = money.entry(order.email.as_str()).or_default();
        sums.0 += paid.amount_minor;
        sums.1 += paid.refunded_minor;
        if paid.refunded_minor < paid.amount_minor {
            *kept.entry(id).or_default() += 1;
            if !order.is_fulfilled {
                found.lost(format!("{id} of {} was paid, and nothing has come of it", order.email));
            }
        }
    }
    for (id, times) in kept.iter().filter(|(_, times)| **times > 1) {
        found.doubled(format!("{id} was paid {times} times"));
    }
    for (id, order) in orders.iter().filter(|(id, order)| order.stands && !kept.contains_key(id.as_str())) {
        found.free(format!("a term of {} stands, and {id} isn't paid", order.email));
    }
    for life in lives {
        let (paid_minor, back_minor) = money.remove(life.email.as_str()).unwrap_or_default();
        let (email, role) = (&life.email, life.role);
        let what = format!(
            "{email} ({role:?}) paid {paid_minor} and got {back_minor} back, and knows of {} and {}",
            life.paid_minor, life.back_minor
        );
        match (paid_minor - back_minor).cmp(&(life.paid_minor - life.back_minor)) {
            std::cmp::Ordering::Greater => found.doubled(what),
            std::cmp::Ordering::Less => found.lost(what),
            std::cmp::Ordering::Equal => found.expect(&what, paid_minor, life.paid_minor),
        }
    }
    Ok(())
}

/// Who is a member, of what and until when, by the tables and by the members' memory: the same to the microsecond.
async fn judge_terms(
    client: &Client,
    world: &World,
    lives: &[Life],
    found: &mut Findings,
) -> Result<(), RehearsalError> {
    let mut standing: HashMap<String, (String, Option<i64>)> = HashMap::new();
    for row in client.query(STANDING, &[]).await? {
        standing.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    for life in lives {
        let there = standing.remove(&life.email);
        compare(life, there, found);
    }
    for (what, sql) in [("forgotten ends", FORGOTTEN), ("torn terms", TORN)] {
        let sql = sql.replace("{now}", &sql_time(world.clock.now()));
        let count = count(client, &sql).await?;
        found.lost += count;
        found.expect(what, count, 0);
    }
    Ok(())
}

fn compare(life: &Life, there: Option<(String, Option<i64>)>, found: &mut Findings) {
    let (email, role) = (&life.email, life.role);
    match (&life.standing, there) {
        (None, None) => {}
        (Some(_), None) => found.lost(format!("{email} ({role:?}) is no member any more")),
        (None, Some((tier, _))) => found.free(format!("{email} ({role:?}) is a member still, of {tier}")),
        (Some(Standing { tier, ends_at, .. }), Some((is_of, ends))) => {
            let expected = ends_at.map(|at| at.timestamp_micros());
            let what = format!(
                "{email} ({role:?}) is a member of {is_of} until {ends:?}, and should be of {tier} until {expected:?}"
            );
            // Without an end is later than any.
            let later = |end: Option<i64>| end.unwrap_or(i64::MAX);
            match later(ends).cmp(&later(expected)) {
                std::cmp::Ordering::Greater => found.free(what),
                std::cmp::Ordering::Less => found.lost(what),
                std::cmp::Ordering::Equal if is_of != *tier => found.against.push(what),
                std::cmp::Ordering::Equal => {}
            }
        }
    }
}

/// Each mail was due, and each that was due has gone out once.
async fn judge_mails(
    client: &Client,
    world: &World,
    report: &YearsReport,
    lives: &[Life],
    found: &mut Findings,
) -> Result<(), RehearsalError> {
    let all = remembered(lives);
    let due = [
        ("welcome", all.joined + all.redeemed),
        ("renewed", all.renewed_by_card + all.renewed_by_link),
        ("upgraded", all.upgraded),
        ("receipt", all.orders),
        ("refunded", all.refunds),
        ("renewal_failed", report.charges_failed),
        ("membership_cancelled", all.cancelled),
        ("membership_expired", all.expired),
        ("change_planned", all.downgrades),
        ("gift", all.given),
        ("gift_redeemed", all.redeemed),
        ("associate_invitation", all.associates),
        ("associate_joined", all.associates),
        ("associate_ended", all.associates - report.associates_left),
    ];
    let mut sent: HashMap<String, i64> = HashMap::new();
    let sql = "SELECT kind, count(*) FROM mails WHERE state = 'sent' GROUP BY kind";
    for row in client.query(sql, &[]).await? {
        sent.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for (kind, expected) in due {
        found.expect(&format!("mails of {kind}"), sent.get(kind).copied().unwrap_or_default(), expected);
    }
    // A notice for each charge, where there was one; none without.
    let notices = "SELECT count(*) FROM renewals WHERE noticed_at IS NOT NULL";
    let notices = count(client, notices).await?;
    found.expect("mails of renewal_notice", sent.get("renewal_notice").copied().unwrap_or_default(), notices);
    let unnoticed = "SELECT count(*) FROM renewals WHERE charges > 0
        AND (noticed_at IS NULL OR noticed_at + interval '5 days' >
             (SELECT min(o.created_at) FROM orders o JOIN order_lines l ON l.order_id = o.id
              JOIN payments p ON p.order_id = o.id AND p.stripe_session_id IS NULL WHERE l.renewal_id = renewals.id))";
    found.expect("charges without a notice in time", count(client, unnoticed).await?, 0);
    found.expect("mails that were written", post::count(&world.mails)?, report.mails);
    Ok(())
}
