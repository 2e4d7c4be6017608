//! Periodic work, by the shop's time, and the pulse that keeps an instance in step with the others.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use futures::future::BoxFuture;

use super::{Job, queue, worker};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::ports::clock::machine_now;
use crate::schema::{instances, schedules, shop_clock};

/// Name, job and period of everything periodic.
fn periodic() -> Vec<(&'static str, Job, TimeDelta)> {
    vec![
        ("purge", Job::Purge {}, TimeDelta::hours(1)),
        ("reconcile", Job::Reconcile {}, TimeDelta::minutes(5)),
        ("issue_invoices", Job::IssueInvoices {}, TimeDelta::minutes(10)),
        ("end_f_codes", Job::EndFCodes {}, TimeDelta::minutes(1)),
        ("offer_freed", Job::OfferFreed {}, TimeDelta::minutes(1)),
        ("expire_points", Job::ExpirePoints {}, TimeDelta::hours(1)),
        ("warn_of_points", Job::WarnOfPoints {}, TimeDelta::hours(1)),
        ("review_levels", Job::ReviewLevels {}, TimeDelta::hours(1)),
        ("walk_loyalty", Job::WalkLoyalty {}, TimeDelta::days(1)),
        ("offer_upgrades", Job::OfferUpgrades {}, TimeDelta::hours(1)),
        ("give_birthdays", Job::GiveBirthdays {}, TimeDelta::hours(1)),
        ("tend_associates", Job::TendAssociates {}, TimeDelta::hours(1)),
        ("watch_stock", Job::WatchStock {}, TimeDelta::minutes(5)),
        ("send_reminders", Job::SendReminders {}, TimeDelta::minutes(1)),
        ("rotate_signing_keys", Job::RotateSigningKeys {}, TimeDelta::days(1)),
    ]
}

/// Every half second: takes over the shared clock offset and runs [`App::on_pulse`]; every two: says that this instance
/// lives, gives back the jobs of instances that don't, and queues what is due by the schedule.
pub async fn pulse(app: Arc<App>) {
    let mut shutdown = app.shutdown.subscribe();
    let mut round: u32 = 0;
    while !*shutdown.borrow() {
        if let Err(error) = beat(&app, round.is_multiple_of(4)).await {
            tracing::warn!(%error, "the pulse failed");
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = shutdown.changed() => {}
        }
    }
}

/// One beat; `full` for the slower part too.
///
/// # Errors
/// The database's.
pub async fn beat(app: &App, full: bool) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    read_clock(app, &mut conn).await?;
    app.on_pulse(&mut conn).await?;
    if full {
        let alive = say_alive(app, &mut conn).await?;
        app.on_instances(alive);
        queue::recover(&mut conn).await?;
        queue_due(app, &mut conn).await?;
    }
    app.has_beaten();
    Ok(())
}

/// # Errors
/// The database's.
pub async fn read_clock(app: &App, conn: &mut Conn) -> Result<()> {
    let micros: i64 = shop_clock::table.select(shop_clock::offset_micros).first(conn).await?;
    app.clock.raise_offset(TimeDelta::microseconds(micros));
    Ok(())
}

/// Writes this instance's heartbeat and returns how many live.
async fn say_alive(app: &App, conn: &mut Conn) -> Result<i64> {
    let now = machine_now();
    diesel::insert_into(instances::table)
        .values((instances::id.eq(app.instance), instances::seen_at.eq(now)))
        .on_conflict(instances::id)
        .do_update()
        .set(instances::seen_at.eq(excluded(instances::seen_at)))
        .execute(conn)
        .await?;
    let alive = instances::table.filter(instances::seen_at.gt(now - queue::INSTANCE_DEAD_AFTER));
    Ok(alive.count().get_result(conn).await?)
}

/// Queues each periodic job whose time has come: the guarded update decides which instance does.
///
/// # Errors
/// The database's.
pub async fn queue_due(app: &App, conn: &mut Conn) -> Result<()> {
    let now = app.clock.now();
    for (name, job, every) in periodic() {
        db::transaction_on(conn, async |conn| {
            if claim_run(conn, name, now, every).await? {
                queue::enqueue(conn, &job, now, now).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn claim_run(conn: &mut Conn, name: &str, now: DateTime<Utc>, every: TimeDelta) -> Result<bool> {
    let next = schedules::next_run_at.eq(now + every);
    let due = schedules::table.filter(schedules::name.eq(name)).filter(schedules::next_run_at.le(now));
    if diesel::update(due).set(next).execute(conn).await? == 1 {
        return Ok(true);
    }
    let first = diesel::insert_into(schedules::table)
        .values((schedules::name.eq(name), next))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(first == 1)
}

/// Somebody outside who lives by the shop's clock: the simulator in Stripe's place.
pub struct Outside<'a> {
    /// When the next thing happens there.
    pub next_due: &'a (dyn Fn() -> Option<DateTime<Utc>> + Sync),
    /// Does what is due there, and waits until we have been told of it; false when that takes too long.
    pub run_due: &'a (dyn Fn() -> BoxFuture<'static, bool> + Sync),
}

/// How long all that is due at one time may take, of the machine's time.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// [`advance_clock_with`] nobody outside.
///
/// # Errors
/// The database's, or `busy` when work that became due doesn't end.
pub async fn advance_clock(app: &App, by: TimeDelta) -> Result<DateTime<Utc>> {
    let nobody = Outside { next_due: &|| None, run_due: &|| Box::pin(async { true }) };
    advance_clock_with(app, by, &nobody).await
}

/// Moves the shop's clock forward by `by`, from due time to due time: at each, what became due here and outside is run
/// before time goes on. Answers when nothing due is left. What is periodic runs once, at the end: it makes up for what it
/// missed.
///
/// # Errors
/// The database's, or `busy` when work that became due doesn't end.
pub async fn advance_clock_with(app: &App, by: TimeDelta, outside: &Outside<'_>) -> Result<DateTime<Utc>> {
    let target = app.clock.now() + by;
    settle(app, outside).await?;
    loop {
        let mut conn = db::connect(&app.pool).await?;
        let now = app.clock.now();
        let ours = queue::next_due(&mut conn).await?;
        let next = ours.into_iter().chain((outside.next_due)()).min();
        let Some(at) = next.filter(|at| *at <= target) else { break };
        raise_clock(app, &mut conn, (at - now).max(TimeDelta::zero())).await?;
        drop(conn);
        settle(app, outside).await?;
    }
    let mut conn = db::connect(&app.pool).await?;
    let left = (target - app.clock.now()).max(TimeDelta::zero());
    raise_clock(app, &mut conn, left).await?;
    queue_due(app, &mut conn).await?;
    drop(conn);
    settle(app, outside).await?;
    // Keys may have changed with the time: who signs in now gets a token of one that lasts.
    app.on_pulse(&mut *db::connect(&app.pool).await?).await?;
    Ok(app.clock.now())
}

/// Until nothing is due here or outside: each side's work may make some for the other.
async fn settle(app: &App, outside: &Outside<'_>) -> Result<()> {
    let deadline = tokio::time::Instant::now() + SETTLE_LIMIT;
    loop {
        let told = (outside.run_due)().await;
        let now = app.clock.now();
        let due_here = queue::next_due(&mut *db::connect(&app.pool).await?).await?;
        let due_outside = (outside.next_due)();
        if told && !due_here.into_iter().chain(due_outside).any(|at| at <= now) {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Code::Busy.because("Work is still due."));
        }
        worker::drain(app, SETTLE_LIMIT).await?;
    }
}

async fn raise_clock(app: &App, conn: &mut Conn, by: TimeDelta) -> Result<()> {
    let micros = by.num_microseconds().unwrap_or(0);
    diesel::update(shop_clock::table)
        .set(shop_clock::offset_micros.eq(shop_clock::offset_micros + micros))
        .execute(conn)
        .await?;
    read_clock(app, conn).await
}
