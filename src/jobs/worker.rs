//! The loops that run jobs: one a lane, woken when this instance has queued work, else looking every fifth of a second.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::queue::{self, Claimed};
use super::{Lane, Outcome, backoff};
use crate::app::App;
use crate::db;
use crate::db::gather::Read;
use crate::error::{AppError, Code, Result};
use crate::types::id::JobId;

const IDLE_PAUSE: Duration = Duration::from_millis(200);

/// Between tries to write down how a job ended while the database is away. After the last one its row stays `running`
/// until its lease ends, and it runs again.
const RECORD_PAUSES: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How a job ended.
enum End {
    Done,
    Again(DateTime<Utc>),
    /// Why, for operators and the log.
    Failed(String),
}

/// Wakes a lane's loop: call it after the commit that queued work for it.
#[derive(Debug, Default)]
pub struct Wakers {
    stripe: Notify,
    mail: Notify,
    notice: Notify,
    local: Notify,
}

impl Wakers {
    pub fn wake(&self, lane: Lane) {
        self.of(lane).notify_one();
    }

    fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Stripe => &self.stripe,
            Lane::Mail => &self.mail,
            Lane::Notice => &self.notice,
            Lane::Local => &self.local,
        }
    }
}

/// Runs one lane until the app is shutting down; jobs that run then are finished first.
pub async fn run_lane(app: Arc<App>, lane: Lane) {
    let slots = Arc::new(Semaphore::new(lane.concurrency()));
    let mut running = JoinSet::new();
    let mut shutdown = app.shutdown.subscribe();
    let mut has_more = false;
    while !*shutdown.borrow() {
        while running.try_join_next().is_some() {}
        let free = slots.available_permits();
        // Where more is waiting than can run, several that end make room for several at once.
        let wanted = if has_more { lane.concurrency().div_ceil(4) } else { 1 };
        let claimed = if free < wanted { Vec::new() } else { claim(&app, lane, free).await };
        has_more = if free < wanted { has_more } else { claimed.len() == free };
        let went_empty = claimed.is_empty();
        for job in claimed {
            let (app, slots) = (Arc::clone(&app), Arc::clone(&slots));
            running.spawn(async move {
                let permit = slots.acquire().await;
                run_one(&app, job).await;
                drop(permit);
                app.jobs.wake(lane);
            });
            // The permit is taken inside; yield so that the count above is right the next time round.
            tokio::task::yield_now().await;
        }
        if went_empty {
            tokio::select! {
                () = app.jobs.of(lane).notified() => {}
                () = tokio::time::sleep(IDLE_PAUSE) => {}
                _ = shutdown.changed() => {}
            }
        }
    }
    while running.join_next().await.is_some() {}
}

async fn claim(app: &App, lane: Lane, free: usize) -> Vec<Claimed> {
    let taken = async {
        let mut conn = db::connect(&app.pool).await?;
        let now = app.clock.now();
        let mut claimed = queue::claim(&mut conn, lane, free, now, app.instance).await?;
        match queue::merge(&mut conn, lane, &claimed, now, app.instance).await {
            Ok(merged) => claimed.retain(|job| !merged.contains(&job.id)),
            Err(error) => tracing::warn!(lane = lane.as_str(), %error, "twins of jobs can't be merged"),
        }
        Ok::<_, AppError>(claimed)
    };
    taken.await.unwrap_or_else(|error| {
        tracing::warn!(lane = lane.as_str(), %error, "jobs can't be claimed");
        Vec::new()
    })
}

async fn run_one(app: &App, claimed: Claimed) {
    let started = tokio::time::Instant::now();
    let end = match execute(app, &claimed).await {
        Ok(Outcome::Done) => End::Done,
        Ok(Outcome::Again(at)) => End::Again(at),
        Err(error) => End::Failed(error.to_string()),
    };
    for pause in RECORD_PAUSES {
        let Err(error) = record(app, &claimed, &end).await else { break };
        tracing::warn!(job = %claimed.id, kind = claimed.kind, %error, "a job's end can't be recorded");
        tokio::time::sleep(pause).await;
    }
    app.metrics.job_done(&claimed.kind, started.elapsed());
}

async fn execute(app: &App, claimed: &Claimed) -> Result<Outcome> {
    let job = queue::from_columns(&claimed.kind, claimed.payload.clone())?;
    let limit = queue::TIME_LIMIT.to_std().unwrap_or(Duration::from_secs(90));
    match tokio::time::timeout(limit, super::run(job, app)).await {
        Ok(result) => result,
        Err(_) => Err(AppError::internal("the job took too long")),
    }
}

async fn record(app: &App, claimed: &Claimed, end: &End) -> Result<()> {
    let now = app.clock.now();
    let error = match end {
        End::Done => return app.finished_jobs.load(claimed.id).await.map(|_| ()),
        End::Again(at) => {
            let mut conn = db::connect(&app.pool).await?;
            return queue::put_back(&mut conn, claimed.id, app.instance, *at, None).await;
        }
        End::Failed(error) => error,
    };
    let mut conn = db::connect(&app.pool).await?;
    let known = queue::from_columns(&claimed.kind, claimed.payload.clone()).ok();
    let tries = known.as_ref().map_or(1_000, super::Job::max_attempts);
    if claimed.attempts < tries {
        tracing::info!(job = %claimed.id, kind = claimed.kind, attempts = claimed.attempts, error, "a job failed");
        return queue::put_back(
            &mut conn,
            claimed.id,
            app.instance,
            now + backoff(claimed.attempts),
            Some(error),
        )
        .await;
    }
    tracing::error!(job = %claimed.id, kind = claimed.kind, error, "a job failed for the last time");
    db::transaction_on(&mut conn, async |conn| {
        queue::bury(conn, claimed.id, app.instance, error, now).await?;
        match &known {
            Some(job) => super::on_dead(job, conn, now, error).await,
            None => Ok(()),
        }
    })
    .await
}

/// Writes down jobs that are done, with one statement for all that ended meanwhile.
pub fn finishing(app: &Arc<App>) -> Read<JobId, ()> {
    let app = Arc::clone(app);
    Box::new(move |conn, done| {
        let (instance, now) = (app.instance, app.clock.now());
        async move {
            queue::finish(conn, done, instance, now).await?;
            Ok(done.iter().map(|id| (*id, ())).collect())
        }
        .boxed()
    })
}

/// Waits until nothing is due: for tests and for moving the demo's clock. The lanes' loops do the work.
///
/// # Errors
/// `busy` when work is still due after `limit` of the machine's time.
pub async fn drain(app: &App, limit: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        for lane in Lane::ALL {
            app.jobs.wake(lane);
        }
        let mut conn = db::connect(&app.pool).await?;
        let now = app.clock.now();
        let due = queue::next_due(&mut conn).await?.is_some_and(|at| at <= now);
        drop(conn);
        if !due {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Code::Busy.because("Work is still due."));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
