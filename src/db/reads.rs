//! Reads that may be a moment old, from a streaming replica where there is one.
//!
//! Nothing is read here that a caller may just have written and looks for. The replica is looked at every second; while it
//! is away, refuses or lags behind too far, it is looked at ever more seldom and everything is read from the primary. A
//! read that the replica doesn't answer is made again at the primary, whatever the reason: a row that isn't there may only
//! not be there yet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool::managed::TimeoutType;
use diesel::QueryDsl as _;
use diesel::dsl::max;
use diesel_async::pooled_connection::deadpool::PoolError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Conn, Pool, PooledConn, Work, connect};
use crate::error::{AppError, Result};
use crate::ports::clock::machine_now;
use crate::schema::instances;

/// For a connection to the replica, and for a look at it.
pub(super) const REPLICA_LIMIT: Duration = Duration::from_secs(1);
/// Instances write every two seconds that they live. A replica that has known nothing of it for so long isn't read from.
const LAG_MOST: TimeDelta = TimeDelta::seconds(60);
/// Between two looks; it doubles while the replica is away.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(30);

/// Where such reads are made.
pub struct Reads {
    primary: Pool,
    replica: Option<Replica>,
}

struct Replica {
    pool: Pool,
    is_used: watch::Sender<bool>,
    /// As the last look found it.
    lag_ms: AtomicI64,
}

/// How the replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub is_used: bool,
    /// When it was last seen.
    pub lag: TimeDelta,
}

impl Reads {
    pub fn new(primary: Pool, replica: Option<Pool>) -> Self {
        let replica = replica.map(|pool| Replica {
            pool,
            is_used: watch::Sender::new(false),
            lag_ms: AtomicI64::new(0),
        });
        Self { primary, replica }
    }

    /// Of the replica, where there is one.
    pub fn standing(&self) -> Option<Standing> {
        self.replica.as_ref().map(|replica| Standing {
            is_used: *replica.is_used.borrow(),
            lag: TimeDelta::milliseconds(replica.lag_ms.load(Ordering::Relaxed)),
        })
    }

    /// Reads from the replica, else from the primary. Write `async |conn| { … }`, not `async move`: it may run twice.
    ///
    /// # Errors
    /// What `work` returns on the primary.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send,
        for<'c> F:
            AsyncFn(&'c mut Conn) -> Result<T> + Work<&'c mut Conn, Result<T>, Fut: Send> + Send + Sync,
    {
        if let Some(value) = self.from_replica(&work).await {
            return Ok(value);
        }
        let mut conn = connect(&self.primary).await?;
        work(&mut conn).await
    }

    /// Reads from the replica; none where that fails, or there is none to read from.
    pub async fn from_replica<T, F>(&self, work: &F) -> Option<T>
    where
        T: Send,
        for<'c> F:
            AsyncFn(&'c mut Conn) -> Result<T> + Work<&'c mut Conn, Result<T>, Fut: Send> + Send + Sync,
    {
        let replica = self.replica.as_ref()?;
        let mut is_used = replica.is_used.subscribe();
        if !*is_used.borrow_and_update() {
            return None;
        }
        let mut conn = replica.connect().await?;
        let done = tokio::select! {
            done = work(&mut conn) => done,
            // Without an answer and without an end: the looks find out sooner than the network does.
            _ = is_used.wait_for(|is_used| !is_used) => return None,
        };
        done.inspect_err(|error| tracing::debug!(%error, "read again from the primary")).ok()
    }

    /// Looks at the replica for as long as the program runs. Ends at once where there is none.
    pub async fn follow(&self) {
        let Some(replica) = &self.replica else { return };
        let mut pause = PAUSE;
        loop {
            replica.look().await;
            pause = if *replica.is_used.borrow() { PAUSE } else { PAUSE_MOST.min(pause * 2) };
            sleep(pause).await;
        }
    }
}

impl Replica {
    /// None where it can't be had in time. That all connections are in use is no fault of the replica's.
    async fn connect(&self) -> Option<PooledConn> {
        match self.pool.get().await {
            Ok(conn) => Some(conn),
            Err(PoolError::Timeout(TimeoutType::Wait)) => None,
            Err(error) => {
                self.give_up(&error.to_string());
                None
            }
        }
    }

    async fn look(&self) {
        let Some(mut conn) = self.connect().await else { return };
        match timeout(REPLICA_LIMIT, last_sign(&mut conn)).await {
            Ok(Ok(Some(at))) => {
                let lag = (machine_now() - at).max(TimeDelta::zero());
                self.lag_ms.store(lag.num_milliseconds(), Ordering::Relaxed);
                if lag > LAG_MOST { self.give_up("it lags behind") } else { self.take_up() }
            }
            Ok(Ok(None)) => self.give_up("it is empty"),
            Ok(Err(error)) => self.give_up(&error.to_string()),
            Err(_) => self.give_up("it doesn't answer"),
        }
    }

    fn take_up(&self) {
        if self.turn(true) {
            tracing::info!("the replica is read from");
        }
    }

    fn give_up(&self, why: &str) {
        if self.turn(false) {
            tracing::warn!(why, "the replica is not read from: the primary answers in its place");
        }
    }

    /// True where that is a change.
    fn turn(&self, is_used: bool) -> bool {
        self.is_used.send_if_modified(|known| std::mem::replace(known, is_used) != is_used)
    }
}

/// When an instance last said that it lives.
async fn last_sign(conn: &mut Conn) -> Result<Option<DateTime<Utc>>> {
    // Here alone: it would take every `load` for its own, those of atomics too.
    use diesel_async::RunQueryDsl as _;
    instances::table.select(max(instances::seen_at)).first(conn).await.map_err(AppError::from)
}
