//! `million-members`: a walk over everybody and the reviews of a year with a million members, told with their time and their
//! statements, and recomputed by SQL that knows nothing of how they are done. With chaos the database is killed half-way of each.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::place::Place;
use super::{Options, RehearsalError, impossible};
use crate::app::{App, Application};
use crate::check::invariants;
use crate::config::Settings;
use crate::db::{self, Conn};
use crate::error::AppError;
use crate::jobs::Outcome;
use crate::loyalty::{levels, walks};
use crate::membership::seed::luoji;
use crate::ports::clock::Clock;

pub const NAME: &str = "million-members";
const PEOPLE: u32 = 1_000_000;
/// A year of the levels.
const YEAR: TimeDelta = TimeDelta::days(365);
/// Levels: code, rank, minor units that have to be spent in a year.
const LEVELS: [(&str, i32, i64); 3] = [("silver", 10, 20_000), ("jade", 20, 80_000), ("gold", 30, 140_000)];
/// After how many statements of a job the database is killed: its first part is done, and the second isn't.
const STRIKES_AFTER: u64 = 20;
const LOOKS_EVERY: Duration = Duration::from_millis(1);
/// How long is waited before a job that failed is tried again.
const TRIES_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A job that fails more often than that isn't interrupted, but wrong.
const TRIES_MAX: u32 = 60;
/// What is looked at in the end of what must always be true: orders without their payments are no shop's.
const CHECKED: [&str; 3] = ["level", "stage", "owed_looks"];

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

struct Counting;

impl Instrumentation for Counting {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            STATEMENTS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn counting() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(Counting))
}

/// What a job took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Took {
    pub seconds: f64,
    /// Those that only begin and end transactions among them.
    pub statements: u64,
    /// How often it was cut short.
    pub interrupted: u32,
}

/// The contract of `kindred rehearse million-members --json`.
#[derive(Clone, Debug, Serialize)]
pub struct MillionReport {
    pub name: String,
    /// From the start of the program's work to its end.
    pub seconds: f64,
    pub people: i64,
    pub orders: i64,
    /// One look at everybody, by the rules of levels and of the ladder.
    pub walk: Took,
    pub raised: i64,
    pub moved: i64,
    /// The same again, where nobody moves.
    pub second_walk: Took,
    /// The reviews of everybody who had reached a level.
    pub review: Took,
    pub kept: i64,
    pub dropped: i64,
    /// People who stand elsewhere than where they should.
    pub wrong: i64,
    /// Judged twice at one review, or told twice.
    pub doubled: i64,
    pub checks_failed: i64,
    pub passed: bool,
}

impl fmt::Display for MillionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = |what: &str, took: &Took| {
            format!(
                "{what}: {:.1} s, {} statements, cut short {} times",
                took.seconds, took.statements, took.interrupted
            )
        };
        writeln!(f, "{}: {} people with {} orders", self.name, self.people, self.orders)?;
        writeln!(f, "{}; {} raised, {} moved", took("walk", &self.walk), self.raised, self.moved)?;
        writeln!(f, "{}", took("second walk", &self.second_walk))?;
        writeln!(f, "{}; {} kept, {} dropped", took("reviews", &self.review), self.kept, self.dropped)?;
        writeln!(f, "wrong {}, doubled {}, failed checks {}", self.wrong, self.doubled, self.checks_failed)?;
        write!(f, "{}", if self.passed { "passed" } else { "FAILED" })
    }
}

/// Holds the rehearsal.
///
/// # Errors
/// [`RehearsalError`] when it could not be held.
pub async fn hold(options: &Options, place: &Place, begun: Instant) -> Result<MillionReport, RehearsalError> {
    let people = match options.buyers {
        Some(people) => people,
        None => (Decimal::from(PEOPLE) * options.scale)
            .to_u32()
            .ok_or_else(|| impossible("--scale is too large"))?,
    };
    set_default_instrumentation(counting).map_err(AppError::internal)?;
    db::migrate(place.url()).await?;
    let application = Application::build(settings(place)?, Clock::real()).await?;
    let app = &application.app;
    // Its loops end: here nobody takes jobs but the rehearsal, and no mail is sent.
    app.shutdown.send_replace(true);
    let began = app.clock.now();
    let mut conn = connect(place).await?;
    seed(&mut conn, people, began).await?;
    // A test that breaks a guard on purpose waits for this line.
    tracing::info!(database = place.url(), people, "the rehearsal's database is ready");

    let chaos = options.chaos.then_some(place);
    let walk = time(app, Job::Walk, chaos).await?;
    tracing::info!(seconds = walk.seconds, statements = walk.statements, "everybody was looked at");
    let mut conn = connect(place).await?;
    let mut wrong = count(&mut conn, &misplaced(began)).await?;
    let [raised, moved] =
        ["level_changes", "stage_changes"].map(|table| format!("SELECT count(*) AS count FROM {table}"));
    let (raised, moved) = (count(&mut conn, &raised).await?, count(&mut conn, &moved).await?);
    let second_walk = time(app, Job::Walk, None).await?;

    buy_again(&mut conn, began).await?;
    app.clock.raise_offset(app.clock.offset() + YEAR + TimeDelta::days(1));
    let review = time(app, Job::Review, chaos).await?;
    let mut conn = connect(place).await?;
    wrong += count(&mut conn, MISJUDGED).await?;
    let of = |kind: &str| format!("SELECT count(*) AS count FROM level_changes WHERE kind = '{kind}'");
    let (kept, dropped) = (count(&mut conn, &of("kept")).await?, count(&mut conn, &of("dropped")).await?);
    let doubled = count(&mut conn, DOUBLED).await?;
    let mut checks_failed = 0;
    for invariant in invariants::all().filter(|of| CHECKED.iter().any(|prefix| of.name.starts_with(prefix))) {
        let rows = count(
            &mut conn,
            &format!("SELECT count(*) AS count FROM ({}) AS broken (id, why)", invariant.sql),
        )
        .await?;
        if rows > 0 {
            tracing::error!(check = invariant.name, rows, "doesn't hold");
            checks_failed += 1;
        }
    }
    let orders = count(&mut conn, "SELECT count(*) AS count FROM orders").await?;
    Ok(MillionReport {
        name: NAME.to_owned(),
        seconds: begun.elapsed().as_secs_f64(),
        people: people.into(),
        orders,
        walk,
        raised,
        moved,
        second_walk,
        review,
        kept,
        dropped,
        wrong,
        doubled,
        checks_failed,
        passed: wrong + doubled + checks_failed == 0 && raised > 0 && kept > 0 && dropped > 0,
    })
}

fn settings(place: &Place) -> Result<Settings, RehearsalError> {
    let mails = format!("file://{}", Path::new(place.folder()).join("mails").display());
    let find = |name: &str| match name {
        "DATABASE_URL" => Some(place.url().to_owned()),
        "KINDRED_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "KINDRED_SMTP_URL" => Some(mails.clone()),
        _ => None,
    };
    Settings::from_lookup(&find).map_err(|error| impossible(error.to_string()))
}

#[derive(Clone, Copy)]
enum Job {
    Walk,
    Review,
}

impl Job {
    async fn run(self, app: &App) -> Result<Outcome, AppError> {
        match self {
            Self::Walk => walks::service::walk(app).await,
            Self::Review => levels::reviews::run(app).await,
        }
    }
}

/// Runs a job until it is done, as its queue would; with a place, whose database is killed meanwhile.
async fn time(app: &App, job: Job, chaos: Option<&Place>) -> Result<Took, RehearsalError> {
    let (begun, before) = (Instant::now(), AtomicU64::load(&STATEMENTS, Ordering::Relaxed));
    let mut interrupted = 0;
    let work = async {
        loop {
            match job.run(app).await {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Again(_)) => {}
                Err(error) if interrupted == TRIES_MAX => return Err(RehearsalError::from(error)),
                Err(_) => {
                    interrupted += 1;
                    sleep(TRIES_AGAIN_AFTER).await;
                }
            }
        }
    };
    let strike = async {
        if let Some(place) = chaos {
            while AtomicU64::load(&STATEMENTS, Ordering::Relaxed) < before + STRIKES_AFTER {
                sleep(LOOKS_EVERY).await;
            }
            place.kill_database()?;
            tracing::warn!("killed the database");
        }
        Ok(())
    };
    tokio::try_join!(work, strike)?;
    let statements = AtomicU64::load(&STATEMENTS, Ordering::Relaxed) - before;
    Ok(Took { seconds: begun.elapsed().as_secs_f64(), statements, interrupted })
}

/// A database that was killed takes a moment to come back.
async fn connect(place: &Place) -> Result<Conn, RehearsalError> {
    let mut tries = 0;
    loop {
        match db::establish(place.url()).await {
            Ok(conn) => return Ok(conn),
            Err(error) if tries == TRIES_MAX => return Err(AppError::internal(error).into()),
            Err(_) => tries += 1,
        }
        sleep(TRIES_AGAIN_AFTER).await;
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(conn: &mut Conn, sql: &str) -> Result<i64, RehearsalError> {
    let counted: Counted = diesel::sql_query(sql).get_result(conn).await.map_err(AppError::from)?;
    Ok(counted.count)
}

fn literal(at: DateTime<Utc>) -> String {
    format!("'{}'::timestamptz", at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// People with none to three orders each, of different sums, and what there is to reach.
async fn seed(conn: &mut Conn, people: u32, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    luoji(conn, now).await?;
    let now = literal(now);
    let accounts = format!(
        "INSERT INTO accounts (id, email, email_key, person_key, locale, created_at, email_verified_at)
         SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'm' || n || '@example.org', 'm' || n || '@example.org',
                md5(n::text), 'zh-CN', {now} - interval '2 years', {now} - interval '2 years'
         FROM generate_series(1, {people}) n"
    );
    let orders = format!(
        "INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, total_minor, due_minor, explanation, email, locale,
                             consents, success_url, cancel_url, hold_minutes, has_membership, created_at, paid_at)
         SELECT ('00000000-0000-7001-8000-' || lpad(to_hex(n * 4 + k), 12, '0'))::uuid, 'M' || n || '-' || k,
                ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'fulfilled', 'CNY', s, s, s, '[]', '', 'zh-CN', '{{}}',
                'http://shop.test', 'http://shop.test', 15, false, paid_at, paid_at
         FROM generate_series(1, {people}) n, generate_series(1, 3) k,
              LATERAL (SELECT 5000 + (n::bigint * 7919 + k * 104729) % 61 * 1000 AS s,
                              {now} - make_interval(days => 20 + (n + 150 * k) % 500) AS paid_at) o
         WHERE k <= n % 4"
    );
    let lines = "INSERT INTO order_lines (id, order_id, position, kind, plan_id, title, quantity, unit_price_minor, total_minor)
         SELECT id, id, 0, 'plan', (SELECT min(id::text)::uuid FROM plans), 'A year', 1, total_minor, total_minor FROM orders";
    for statement in [accounts.as_str(), orders.as_str(), lines] {
        conn.batch_execute(statement).await.map_err(AppError::from)?;
    }
    for (code, rank, minor) in LEVELS {
        let level = format!(
            "INSERT INTO levels (id, code, rank, name_zh, name_en, enter, review, warn_days, grace_days, drops, welcome_points, created_at)
             VALUES (gen_random_uuid(), '{code}', {rank}, '{code}', '{code}',
                     '{{\"metric\": \"spend\", \"amount\": {minor}, \"window\": \"P365D\"}}', 'P365D', 30, 0, 'to_fit', 0, {now})"
        );
        conn.batch_execute(&level).await.map_err(AppError::from)?;
    }
    conn.batch_execute("VACUUM ANALYZE").await.map_err(AppError::from)?;
    Ok(())
}

/// Every second one buys once more within the year.
async fn buy_again(conn: &mut Conn, began: DateTime<Utc>) -> Result<(), RehearsalError> {
    let at = literal(began + TimeDelta::days(100));
    let again = format!(
        "INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, total_minor, due_minor, explanation, email, locale,
                             consents, success_url, cancel_url, hold_minutes, has_membership, created_at, paid_at)
         SELECT gen_random_uuid(), 'A' || a.n, a.id, 'fulfilled', 'CNY', s, s, s, '[]', '', 'zh-CN', '{{}}', 'http://shop.test',
                'http://shop.test', 15, false, {at}, {at}
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM accounts) a, LATERAL (SELECT 10000 + a.n * 31 % 170 * 1000 AS s) o
         WHERE a.n % 2 = 0"
    );
    conn.batch_execute(&again).await.map_err(AppError::from)?;
    conn.batch_execute("VACUUM ANALYZE").await.map_err(AppError::from)?;
    Ok(())
}

/// Who should stand on another level or stage after the walk than he does. There are no refunds here: sums of orders are enough.
fn misplaced(began: DateTime<Utc>) -> String {
    let since = literal(began - YEAR);
    format!(
        "SELECT count(*) AS count FROM accounts a
         LEFT JOIN (SELECT account_id, sum(total_minor) FILTER (WHERE paid_at > {since}) AS spent, count(*) AS orders
                    FROM orders GROUP BY account_id) o ON o.account_id = a.id
         LEFT JOIN account_levels h ON h.account_id = a.id LEFT JOIN levels l ON l.id = h.level_id
         LEFT JOIN account_stages s ON s.account_id = a.id LEFT JOIN stages g ON g.id = s.stage_id
         WHERE l.code IS DISTINCT FROM CASE WHEN o.spent >= {} THEN 'gold' WHEN o.spent >= {} THEN 'jade'
                                            WHEN o.spent >= {} THEN 'silver' END
            OR g.code IS DISTINCT FROM CASE WHEN o.orders >= 2 THEN 'user' WHEN o.orders = 1 THEN 'customer' END",
        LEVELS[2].2, LEVELS[1].2, LEVELS[0].2,
    )
}

/// Who should have been judged otherwise at his review: by what he bought since the level was reached.
const MISJUDGED: &str = "SELECT count(*) AS count FROM (
        SELECT DISTINCT ON (c.account_id) c.account_id, c.to_level_id, c.judged_at, l.rank FROM level_changes c
        JOIN levels l ON l.id = c.to_level_id WHERE c.kind = 'raised' ORDER BY c.account_id, c.id DESC) r
    LEFT JOIN (SELECT account_id, to_level_id, judged_at FROM level_changes WHERE kind IN ('kept', 'dropped')) c
        ON c.account_id = r.account_id
    LEFT JOIN levels now ON now.id = c.to_level_id
    LEFT JOIN LATERAL (SELECT coalesce(sum(o.total_minor), 0) AS spent FROM orders o
        WHERE o.account_id = r.account_id AND o.paid_at > r.judged_at AND o.paid_at <= r.judged_at + interval '365 days') o ON true
    WHERE c.account_id IS NULL OR c.judged_at <> r.judged_at + interval '365 days'
       OR now.rank IS DISTINCT FROM (SELECT max(l.rank) FROM levels l
            WHERE l.rank <= r.rank AND o.spent >= (l.enter ->> 'amount')::bigint)";

const DOUBLED: &str =
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM level_changes WHERE kind IN ('kept', 'dropped')
            GROUP BY account_id HAVING count(*) > 1) t)
     + (SELECT count(*) FROM (SELECT 1 FROM mails GROUP BY to_address, kind HAVING count(*) > 1) t) AS count";
