//! The judgement of two years: what people remember, Stripe's book and the tables, and what the tables should have come to.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;
use tokio_postgres::Client;

use super::super::RehearsalError;
use super::super::clockwork::course::Course;
use super::super::clockwork::findings::Findings;
use super::super::clockwork::world::CURRENCY;
use super::super::figures::{captures, compare_books, count};
use super::super::report::tenths;
use super::super::scenario::{connect, sql_time};
use super::NAME;
use super::life::{Deeds, Fan, Role};
use super::report::{FansReport, Judgements, Points};
use super::shop::Shop;
use crate::dev::stripe::Book;
use crate::types::money::Money;

const EXPECTED: &str = include_str!("expected.sql");

const WRONG_POINTS: &str = "SELECT count(*) FROM expected_points e LEFT JOIN points_balances b USING (account_id)
    LEFT JOIN (SELECT account_id, sum(expired) AS expired FROM points_lots GROUP BY account_id) l USING (account_id)
    WHERE (e.pending, e.active, e.owed, e.expired)
        <> (coalesce(b.pending, 0), coalesce(b.active, 0), coalesce(b.owed, 0), coalesce(l.expired, 0))";
/// On another level than expected, or with other judgements on other days; those that a refund has undone aside.
const WRONG_LEVELS: &str = "SELECT count(*) FROM accounts a
    LEFT JOIN expected_levels e ON e.account_id = a.id
    LEFT JOIN account_levels h ON h.account_id = a.id LEFT JOIN levels l ON l.id = h.level_id
    WHERE coalesce(e.rank, 0) <> coalesce(l.rank, 0)
       OR (NOT EXISTS (SELECT FROM level_changes c WHERE c.account_id = a.id AND c.kind = 'corrected')
           AND (SELECT array_agg((kind, rank) ORDER BY at) FROM judged j WHERE j.account_id = a.id) IS DISTINCT FROM
               (SELECT array_agg((c.kind, coalesce(t.rank, 0)) ORDER BY c.judged_at) FROM level_changes c
                LEFT JOIN levels t ON t.id = c.to_level_id WHERE c.account_id = a.id))
       OR EXISTS (SELECT FROM level_changes c WHERE c.account_id = a.id AND c.kind IN ('kept', 'dropped') AND NOT EXISTS
                  (SELECT FROM judged j WHERE j.account_id = a.id AND j.at BETWEEN c.judged_at - interval '1 day' AND c.judged_at))";
const WRONG_STAGES: &str = "SELECT count(*) FROM expected_stages e
    LEFT JOIN account_stages s USING (account_id) LEFT JOIN stages g ON g.id = s.stage_id WHERE e.code IS DISTINCT FROM g.code";
/// Orders that took more points than had been earned, and were neither spent nor over, when they were placed. Who had money back for
/// what earned them did have them.
const OVERDRAWN: &str = "SELECT count(*) FROM bought b
    WHERE b.points_gone > 0 AND NOT EXISTS (SELECT FROM bought o WHERE o.account_id = b.account_id AND NOT o.stays AND o.points_gone = 0)
    AND b.points_gone > (SELECT sum(points) FROM earned e WHERE e.account_id = b.account_id AND e.at <= b.paid_at)
        - (SELECT coalesce(sum(points_gone), 0) FROM bought o WHERE o.account_id = b.account_id AND o.paid_at < b.paid_at)
        - (SELECT coalesce(max(points), 0) FROM gone g WHERE g.account_id = b.account_id AND g.until <= b.paid_at)";

/// What is there twice.
const DOUBLES: [(&str, &str); 5] = [
    ("check-ins", "SELECT count(*) FROM check_ins GROUP BY account_id, day"),
    ("judgements", "SELECT count(*) FROM level_changes GROUP BY account_id, kind, judged_at"),
    (
        "uses of the offer",
        "SELECT count(*) FROM upgrade_offer_uses WHERE released_at IS NULL GROUP BY account_id",
    ),
    ("mails", "SELECT count(*) FROM mails GROUP BY cause"),
    (
        "settlements",
        "SELECT count(*) FROM payments WHERE captured_minor > 0 AND NOT sent_back GROUP BY order_id",
    ),
];

/// Puts the report together and says, in the log, whatever speaks against passing.
///
/// # Errors
/// The database's.
pub async fn judge(
    course: &Course<'_, Fan>,
    shop: &Shop,
    begun: Instant,
) -> Result<FansReport, RehearsalError> {
    let (world, lives, url) = (&course.world, &course.lives, course.place.url());
    let (client, book) = (connect(url).await?, world.simulator.book());
    let mut found = Findings::default();
    compare_books(&book, &captures(&client).await?, &mut found.against);
    let wrong_money = judge_money(&client, &book, lives, &mut found).await?;
    client.batch_execute(&EXPECTED.replace("{end}", &sql_time(world.clock.now()))).await?;
    let mut wrong = [0; 4];
    let kinds = [
        ("points", WRONG_POINTS),
        ("levels", WRONG_LEVELS),
        ("stages", WRONG_STAGES),
        ("overdrawn points", OVERDRAWN),
    ];
    for (count_of, (what, sql)) in wrong.iter_mut().zip(kinds) {
        *count_of = count(&client, sql).await?;
        found.expect(&format!("people with wrong {what}"), *count_of, 0);
    }
    found.expect_no_doubles(&client, &DOUBLES).await?;
    let all = lives.iter().fold(Deeds::default(), |sum, life| sum.plus(&life.deeds));
    judge_memory(&client, &all, lives, shop, &mut found).await?;
    let mut report = figures(&client, &book, &all, lives).await?;
    report.checks_failed = found.conclude(world, url).await?;
    [report.wrong_points, report.wrong_levels, report.wrong_stages, report.overdrawn] = wrong;
    report.seconds = tenths(begun.elapsed().as_secs_f64());
    report.days = (world.clock.now() - world.opened_at).num_days();
    report.moves = course.calendar.moves;
    Ok(FansReport { wrong_money, doubled: found.doubled, passed: found.against.is_empty(), ..report })
}

/// Each paid, and got back, what he remembers, to the last minor unit; the number of those who didn't.
async fn judge_money(
    client: &Client,
    book: &Book,
    lives: &[Fan],
    found: &mut Findings,
) -> Result<i64, RehearsalError> {
    let sql = "SELECT 'ord_' || replace(o.id::text, '-', ''), a.email FROM orders o JOIN accounts a ON a.id = o.account_id";
    let mut emails: HashMap<String, String> = HashMap::new();
    for row in client.query(sql, &[]).await? {
        emails.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let mut money: HashMap<&str, (i64, i64)> = HashMap::new();
    for paid in &book.payments {
        let email = paid.order_id.as_ref().and_then(|id| emails.get(id));
        let sums = money.entry(email.map_or("", String::as_str)).or_default();
        sums.0 += paid.amount_minor;
        sums.1 += paid.refunded_minor;
    }
    let mut wrong = 0;
    for life in lives {
        let theirs = money.remove(life.email.as_str()).unwrap_or_default();
        let remembered = (life.paid_minor, life.back_minor);
        if theirs != remembered {
            wrong += 1;
            let (email, role) = (&life.email, life.role);
            found.against.push(format!(
                "{email} ({role:?}) paid and got back {theirs:?}, and knows of {remembered:?}"
            ));
        }
    }
    if !money.is_empty() {
        found.against.push(format!("payments of nobody: {money:?}"));
    }
    Ok(wrong)
}

async fn by_code(client: &Client, sql: &str) -> Result<BTreeMap<String, i64>, RehearsalError> {
    let mut counted = BTreeMap::new();
    for row in client.query(sql, &[]).await? {
        counted.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(counted)
}

/// As much is there as people remember having done, and two of three who wanted it have the offer.
async fn judge_memory(
    client: &Client,
    all: &Deeds,
    lives: &[Fan],
    shop: &Shop,
    found: &mut Findings,
) -> Result<(), RehearsalError> {
    let loyal = lives.iter().filter(|life| life.role == Role::Loyal).count();
    let loyal = i64::try_from(loyal).unwrap_or(i64::MAX);
    let remembered = [
        ("orders", all.orders, "SELECT count(*) FROM orders WHERE paid_at IS NOT NULL"),
        ("refunds", all.refunds, "SELECT count(DISTINCT order_id) FROM refunds WHERE state = 'succeeded'"),
        ("check-ins", all.check_ins, "SELECT count(*) FROM check_ins"),
        (
            "points spent",
            all.points_spent,
            "SELECT coalesce(sum(points), 0)::bigint FROM orders WHERE paid_at IS NOT NULL",
        ),
        (
            "points back",
            all.points_back,
            "SELECT coalesce(sum(points), 0)::bigint FROM refunds WHERE state = 'succeeded'",
        ),
        ("friends", all.referred, "SELECT count(*) FROM referrals WHERE state = 'rewarded'"),
        ("offers", all.offers_taken, "SELECT count(*) FROM upgrade_offer_uses WHERE released_at IS NULL"),
        (
            "offers told of",
            loyal,
            "SELECT count(*) FROM mails WHERE kind = 'upgrade_offer' AND state = 'sent'",
        ),
    ];
    for (what, expected, sql) in remembered {
        found.expect(what, count(client, sql).await?, expected);
    }
    found.expect("uses of the offer", all.offers_taken, shop.quota.min(loyal));
    found.expect("who came too late for it", all.offers_missed, loyal - shop.quota.min(loyal));
    Ok(())
}

async fn points(client: &Client) -> Result<Points, RehearsalError> {
    let sum = "SELECT coalesce(sum(points), 0)::bigint, coalesce(sum(pending), 0)::bigint, coalesce(sum(active), 0)::bigint,
            coalesce(sum(spent), 0)::bigint, coalesce(sum(expired), 0)::bigint, coalesce(sum(reversed), 0)::bigint,
            (SELECT coalesce(sum(owed), 0)::bigint FROM points_balances) FROM points_lots";
    let row = client.query_one(sum, &[]).await?;
    Ok(Points {
        earned: row.try_get(0)?,
        pending: row.try_get(1)?,
        active: row.try_get(2)?,
        spent: row.try_get(3)?,
        expired: row.try_get(4)?,
        reversed: row.try_get(5)?,
        owed: row.try_get(6)?,
    })
}

/// The report, but for what the judge says of it.
async fn figures(
    client: &Client,
    book: &Book,
    all: &Deeds,
    lives: &[Fan],
) -> Result<FansReport, RehearsalError> {
    let people = i64::try_from(lives.len()).unwrap_or(i64::MAX);
    let changes = by_code(client, "SELECT kind, count(*) FROM level_changes GROUP BY kind").await?;
    let of = |kind: &str| changes.get(kind).copied().unwrap_or_default();
    let levels =
        "SELECT l.code, count(*) FROM account_levels a JOIN levels l ON l.id = a.level_id GROUP BY l.code";
    let stages =
        "SELECT s.code, count(*) FROM account_stages a JOIN stages s ON s.id = a.stage_id GROUP BY s.code";
    Ok(FansReport {
        name: NAME.to_owned(),
        people,
        orders: all.orders,
        refunds: all.refunds,
        check_ins: all.check_ins,
        referrals: all.referred,
        points: points(client).await?,
        levels: by_code(client, levels).await?,
        stages: by_code(client, stages).await?,
        judgements: Judgements {
            raised: of("raised"),
            kept: of("kept"),
            dropped: of("dropped"),
            corrected: of("corrected"),
        },
        offers_taken: all.offers_taken,
        offers_missed: all.offers_missed,
        mails: count(client, "SELECT count(*) FROM mails WHERE state = 'sent'").await?,
        captured: Money::new(book.captured_minor, CURRENCY),
        refunded: Money::new(book.refunded_minor, CURRENCY),
        seconds: 0.0,
        days: 0,
        moves: 0,
        wrong_points: 0,
        wrong_levels: 0,
        wrong_stages: 0,
        wrong_money: 0,
        overdrawn: 0,
        doubled: 0,
        checks_failed: 0,
        passed: false,
    })
}
