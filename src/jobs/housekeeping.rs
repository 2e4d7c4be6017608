//! The job [`Job::Purge`]: whatever grows with traffic and is no ledger has an end here, and how long it is kept. Why
//! rows are deleted by an index, and no table is cut into partitions: docs/adr/housekeeping.md.
//!
//! A statement deletes [`STEP`] rows at most, each in a transaction of its own, so that nobody waits long for a lock and
//! no dead row is kept from the vacuum. When a run's time is up the job is queued again and goes on where it stopped.
//!
//! [`Job::Purge`]: super::Job::Purge

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use super::Outcome;
use crate::app::App;
use crate::checkout::baskets::model::KEPT_FOR as BASKETS_KEPT_FOR;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::messages::mails;
use crate::ports::clock::machine_now;

/// Rows that one statement deletes at most: some tens of milliseconds.
pub const STEP: i64 = 5_000;
/// Of the machine's time, before the job makes way for others: well within [`super::queue::TIME_LIMIT`].
const RUN_LIMIT: Duration = Duration::from_secs(20);
/// Links of one-time tokens in mails that were never sent are dead by then.
const DEAD_SECRETS_KEPT_FOR: TimeDelta = TimeDelta::days(2);

/// Longer than any access token lives: what has ended or run out needs no refusal of its own any more.
const SESSIONS_KEPT_FOR: TimeDelta = TimeDelta::days(7);

/// Sessions go with their tokens, of which one that was used for weeks has thousands: fewer at a time.
const SESSIONS_STEP: i64 = 500;

/// `$over` selects the ids of sessions that are over since `$1`. By arrays, since a join with so many might read both tables.
const SESSIONS: &str = "WITH over AS MATERIALIZED ($over LIMIT $2 FOR UPDATE OF d SKIP LOCKED),
    tokens AS (DELETE FROM refresh_tokens WHERE session_id = ANY (ARRAY(SELECT id FROM over)))
    DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM over))";
const ENDED: &str = "SELECT d.id FROM sessions d WHERE d.ended_at < $1 ORDER BY d.ended_at";
/// Found by its last token: an index on when a session runs out would be written at every refresh.
const RAN_OUT: &str = "SELECT d.id FROM refresh_tokens t JOIN sessions d ON d.id = t.session_id \
     WHERE t.expires_at < $1 AND t.used_at IS NULL AND d.expires_at < $1 ORDER BY t.expires_at";

/// Which clock says how old a row is.
#[derive(Clone, Copy, Debug)]
enum By {
    Shop,
    /// Rate limits and heartbeats.
    Machine,
}

/// Rows with an end, whatever refers to them.
#[derive(Clone, Copy, Debug)]
struct Chore {
    table: &'static str,
    by: By,
    kept_for: TimeDelta,
    /// Selects `d.ctid` of rows that are older than `$1`, oldest first where an index gives that order.
    old: &'static str,
}

/// In this order: who refers to a row goes before it. `OFFSET 0` asks of each old row by itself whether somebody refers to it:
/// as a join the table may be read whole, out of order.
const CHORES: [Chore; 14] = [
    // Done and forgotten, but for who asks what ran last week. Dead ones stay until an operator has seen to them.
    Chore {
        table: "jobs",
        by: By::Shop,
        kept_for: TimeDelta::days(7),
        old: "SELECT d.ctid FROM jobs d WHERE d.state = 'done' AND d.finished_at < $1 ORDER BY d.finished_at",
    },
    // What the API promises: docs/API-DESIGN.md.
    Chore {
        table: "idempotency_keys",
        by: By::Shop,
        kept_for: TimeDelta::hours(72),
        old: "SELECT d.ctid FROM idempotency_keys d WHERE d.created_at < $1 ORDER BY d.created_at",
    },
    // A used one is kept until it would have run out, since who shows it again has stolen it. The last one of a session
    // goes with it, and so late that the others needn't be looked for among such.
    Chore {
        table: "refresh_tokens",
        by: By::Shop,
        kept_for: SESSIONS_KEPT_FOR,
        old: "SELECT d.ctid FROM refresh_tokens d WHERE d.expires_at < $1 AND d.used_at IS NOT NULL ORDER BY d.expires_at",
    },
    Chore {
        table: "account_tokens",
        by: By::Shop,
        kept_for: TimeDelta::days(7),
        old: "SELECT d.ctid FROM account_tokens d WHERE d.expires_at < $1 ORDER BY d.expires_at",
    },
    // Buyers may dispute a charge for 120 days by the rules of Visa and Mastercard, and Alipay's for 180: as long we can
    // show what Stripe said when. Stripe itself keeps events for 30 days. What can't be read waits as long for somebody
    // who can. An erasure empties those of its orders at once.
    Chore {
        table: "stripe_events",
        by: By::Shop,
        kept_for: TimeDelta::days(180),
        old: "SELECT d.ctid FROM stripe_events d WHERE d.state IN ('applied', 'unreadable') AND d.received_at < $1 \
              ORDER BY d.received_at",
    },
    // Somebody else's on our account at Stripe: only their ids are kept, while Stripe may send them again.
    Chore {
        table: "stripe_events",
        by: By::Shop,
        kept_for: TimeDelta::days(30),
        old: "SELECT d.ctid FROM stripe_events d WHERE d.state = 'ignored' AND d.received_at < $1 \
              ORDER BY d.received_at",
    },
    Chore {
        table: "portal_visits",
        by: By::Shop,
        kept_for: TimeDelta::days(1),
        old: "SELECT d.ctid FROM portal_visits d WHERE d.created_at < $1 ORDER BY d.created_at",
    },
    // What was ordered with stays with its order.
    Chore {
        table: "upgrade_quotes",
        by: By::Shop,
        kept_for: TimeDelta::days(30),
        old: "SELECT d.ctid FROM upgrade_quotes d WHERE d.valid_until < $1 \
              AND NOT EXISTS (SELECT FROM order_lines l WHERE l.upgrade_quote_id = d.id OFFSET 0) ORDER BY d.valid_until",
    },
    // One that others were merged into goes after them.
    Chore {
        table: "baskets",
        by: By::Shop,
        kept_for: BASKETS_KEPT_FOR,
        old: "SELECT d.ctid FROM baskets d WHERE d.touched_at < $1 \
              AND NOT EXISTS (SELECT FROM baskets m WHERE m.merged_into = d.id OFFSET 0) ORDER BY d.touched_at",
    },
    Chore {
        table: "attempts",
        by: By::Machine,
        kept_for: TimeDelta::days(1),
        old: "SELECT d.ctid FROM attempts d WHERE d.window_started_at < $1 ORDER BY d.window_started_at",
    },
    // A file has many lines that are wrong; files, instances and walks are few.
    Chore {
        table: "import_errors",
        by: By::Shop,
        kept_for: TimeDelta::days(30),
        old: "SELECT d.ctid FROM imports i JOIN import_errors d ON d.import_id = i.id WHERE i.finished_at < $1",
    },
    Chore {
        table: "imports",
        by: By::Shop,
        kept_for: TimeDelta::days(30),
        old: "SELECT d.ctid FROM imports d WHERE d.finished_at < $1 \
              AND NOT EXISTS (SELECT FROM import_errors e WHERE e.import_id = d.id)",
    },
    Chore {
        table: "instances",
        by: By::Machine,
        kept_for: TimeDelta::hours(1),
        old: "SELECT d.ctid FROM instances d WHERE d.seen_at < $1",
    },
    Chore {
        table: "loyalty_walks",
        by: By::Shop,
        kept_for: TimeDelta::days(90),
        old: "SELECT d.ctid FROM loyalty_walks d WHERE d.finished_at < $1",
    },
];

impl Chore {
    fn before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.by {
            By::Shop => now - self.kept_for,
            By::Machine => machine_now() - self.kept_for,
        }
    }

    /// By its place a row is found at once, whatever its key; it can't move while it is locked. Rows that somebody works
    /// with are left to the next run.
    fn sql(&self) -> String {
        let (table, old) = (self.table, self.old);
        format!("DELETE FROM {table} WHERE ctid = ANY (ARRAY({old} LIMIT $2 FOR UPDATE OF d SKIP LOCKED))")
    }
}

/// A statement, what is old for it, and how many rows it takes.
type Step = (String, DateTime<Utc>, i64);

fn steps(now: DateTime<Utc>) -> Vec<Step> {
    let sessions = [ENDED, RAN_OUT]
        .map(|over| (SESSIONS.replace("$over", over), now - SESSIONS_KEPT_FOR, SESSIONS_STEP));
    let chores = CHORES.iter().map(|chore| (chore.sql(), chore.before(now), STEP));
    chores.chain(sessions).collect()
}

/// True when there may be more.
async fn take(conn: &mut Conn, (sql, before, limit): &Step) -> Result<bool> {
    let delete = diesel::sql_query(sql).bind::<Timestamptz, _>(before).bind::<BigInt, _>(limit);
    // What a row was kept for may have gone with it.
    Ok(delete.execute(conn).await? > 0)
}

/// Runs the job.
///
/// # Errors
/// The database's.
pub async fn run(app: &App) -> Result<Outcome> {
    run_for(app, RUN_LIMIT).await
}

/// A step of each chore in turn, so that much of one doesn't keep the others waiting, until nothing is old or `limit` is
/// over; at least one round.
///
/// # Errors
/// The database's.
pub async fn run_for(app: &App, limit: Duration) -> Result<Outcome> {
    let until = Instant::now() + limit;
    let mut conn = db::connect(&app.pool).await?;
    let now = app.clock.now();
    let mut open = steps(now);
    while !open.is_empty() {
        let mut more = Vec::new();
        for step in open {
            if take(&mut conn, &step).await? {
                more.push(step);
            }
        }
        open = more;
        if !open.is_empty() && Instant::now() >= until {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
    mails::model::forget_secrets(&mut conn, now - DEAD_SECRETS_KEPT_FOR).await?;
    Ok(Outcome::Done)
}
