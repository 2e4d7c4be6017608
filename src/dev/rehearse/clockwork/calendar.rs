//! The clock, which is moved: a day at a time (two where few live) in which something is due, over quiet stretches at once, and now and then by
//! days or weeks, as where a shop was down for so long.
//!
//! The shop's time lies in its database (`shop_clock`), which none but this rehearsal's instances have.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::super::RehearsalError;
use super::super::scenario::sql_time;
use super::world::World;
use crate::ports::clock::machine_now;

/// From that day on the shop is away for so many: over ends of terms, and over the time before they are told of.
const AWAY: [(i64, i64); 2] = [(2 * 365 - 1, 2), (3 * 365 - 40, 20)];
/// How long the work of one day may take.
const WORK_MAX: Duration = Duration::from_secs(240);
/// A while after which people don't come before the shop has looked after what is periodic: its instances do so every two seconds.
const LONG: TimeDelta = TimeDelta::days(7);
/// Until all instances have seen that the clock was moved.
const SEEN_AFTER: Duration = Duration::from_millis(120);
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// When nothing has been done for that long, what waits for the shop's next look at Stripe gets it.
const STILL_FOR: Duration = Duration::from_millis(1_500);
/// A little more than the pause between two such looks.
const NEXT_LOOK: TimeDelta = TimeDelta::minutes(6);
/// What failed is tried again after that at once, rather than pause by pause: by then a charge is looked for at Stripe of which
/// nothing was heard.
const TRIED_AGAIN: TimeDelta = TimeDelta::minutes(11);

/// Work of the shop that is under way or due.
const DUE: &str = "SELECT (SELECT count(*) FROM jobs WHERE state = 'running')
    + (SELECT count(*) FROM jobs WHERE lane IN ('stripe', 'mail', 'notice', 'local')
                                   AND state = 'queued' AND run_at <= {now})";
/// Periodic work that isn't queued yet.
const PERIODIC: &str = "SELECT count(*) FROM schedules WHERE next_run_at <= {now}";
/// Work that failed and is tried again soon.
const AGAIN: &str = "SELECT count(*) FROM jobs
    WHERE lane IN ('stripe', 'mail', 'notice', 'local') AND state = 'queued' AND attempts > 0 AND run_at <= {soon}";
/// What isn't at its end though no job is due: it waits for Stripe, or for who looks there.
const WAITING: &str = "SELECT (SELECT count(*) FROM stripe_events WHERE state = 'received')
    + (SELECT count(*) FROM refunds WHERE state IN ('queued', 'pending'))
    + (SELECT count(*) FROM orders WHERE state = 'pending_payment')";
const MONEY: &str = "SELECT (SELECT coalesce(sum(captured_minor), 0) FROM payments)::bigint
    - (SELECT coalesce(sum(amount_minor), 0) FROM refunds WHERE state = 'succeeded' AND payment_id IS NOT NULL)::bigint";
const NEXT: &str =
    "SELECT (extract(epoch FROM min(run_at)) * 1000000)::bigint FROM jobs WHERE state = 'queued'";

/// The throw-away database doesn't look after itself: after so many moves its tables are cleaned, and how they are filled is
/// looked at for the plans of queries.
const CLEANED_EVERY: i64 = 8;

/// How time is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// To each day on which something is due.
    Daily,
    /// To the days on which people come. After a longer while all that is periodic is done before they do.
    Visits,
}

/// How often time was moved.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    pub pace: Pace,
    pub moves: i64,
    /// Of these: over more days than usual.
    pub leaps: i64,
    away: usize,
    /// The last move was over a longer while.
    was_long: bool,
}

impl Calendar {
    /// Is all that is periodic to be done before people come?
    pub fn waits_for_periodic(&self) -> bool {
        self.pace == Pace::Visits && self.was_long
    }

    pub fn at(pace: Pace) -> Self {
        Self { pace, moves: 0, leaps: 0, away: 0, was_long: false }
    }

    /// Goes on to the next day on which something is to be done, by the shop or by somebody, `end` at the latest.
    ///
    /// # Errors
    /// The database's.
    pub async fn go_on(
        &mut self,
        world: &World,
        planned: Option<DateTime<Utc>>,
        end: DateTime<Utc>,
    ) -> Result<(), RehearsalError> {
        let now = world.clock.now();
        if self.moves % CLEANED_EVERY == 0 {
            world.asker.rows("VACUUM (ANALYZE)", &[]).await?;
        }
        self.moves += 1;
        if self.pace == Pace::Visits {
            let to = planned.unwrap_or(end).clamp(now, end.max(now));
            self.was_long = to - now >= LONG;
            return move_to(world, to).await;
        }
        let due = world.asker.time(NEXT).await?;
        let next = due.into_iter().chain(planned).min().unwrap_or(end).clamp(now, end);
        let stride = world.people.stride();
        let mut to = now + stride;
        while to < next {
            to += stride;
        }
        if let Some((day, more)) = AWAY.get(self.away).filter(|(day, _)| to >= world.day(*day)) {
            tracing::info!(day, more, "the shop is away for some days");
            to += TimeDelta::days(*more);
            self.away += 1;
        }
        self.leaps += i64::from(to > now + stride);
        move_to(world, to).await
    }
}

/// Moves the clock of the shop and of Stripe, never back.
async fn move_to(world: &World, at: DateTime<Utc>) -> Result<(), RehearsalError> {
    let offset = at - machine_now();
    let micros = offset.num_microseconds().unwrap_or(0);
    // The same once more changes nothing: it may be asked again after a database was killed.
    let sql = format!("UPDATE shop_clock SET offset_micros = greatest(offset_micros, {micros})");
    world.asker.rows(&sql, &[]).await?;
    world.clock.raise_offset(offset);
    sleep(SEEN_AFTER).await;
    Ok(())
}

/// Waits until all that is due (and queued, or all that is periodic too) is done and the shop and Stripe agree about the money; what is left, if that takes too long.
///
/// # Errors
/// The database's.
pub async fn work(world: &World, periodic: bool) -> Result<Option<String>, RehearsalError> {
    let (begun, mut still_since) = (Instant::now(), Instant::now());
    loop {
        let now = world.clock.now();
        // What isn't queued yet first: it is queued in between, or counted.
        let unqueued =
            if periodic { world.asker.count(&PERIODIC.replace("{now}", &sql_time(now))).await? } else { 0 };
        let due = unqueued + world.asker.count(&DUE.replace("{now}", &sql_time(now))).await?;
        let mut left = format!("jobs: {due}");
        if due > 0 {
            still_since = Instant::now();
        } else if world.asker.count(&AGAIN.replace("{soon}", &sql_time(now + TRIED_AGAIN))).await? > 0 {
            move_to(world, now + TRIED_AGAIN).await?;
        } else {
            let waiting = world.asker.count(WAITING).await?;
            let theirs = world.simulator.kept_minor();
            let ours = if waiting == 0 { world.asker.count(MONEY).await? } else { theirs };
            if waiting == 0 && ours == theirs {
                return Ok(None);
            }
            left = format!("waiting: {waiting}, money {ours}, at Stripe {theirs}");
            if still_since.elapsed() > STILL_FOR {
                move_to(world, now + NEXT_LOOK).await?;
                still_since = Instant::now();
            }
        }
        if begun.elapsed() > WORK_MAX {
            return Ok(Some(left));
        }
        sleep(LOOK_EVERY).await;
    }
}
