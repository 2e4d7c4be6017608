//! The database: pool, transactions that retry, migrations, pages. One dialect, PostgreSQL.
//!
//! Locks are taken in one order everywhere: the invoices' counters (by the one job that issues), orders' own rows by id, then
//! pools by id, then coupons by id, then accounts by id with their memberships, then their store credit and their points,
//! then baskets by id, then the goals of crowdfunded drops, then counters (chapters, `drop_tallies`, `catalog_version`,
//! `audit_head`). A `model.rs` takes a connection
//! and never the pool; only `service.rs` and jobs call [`transaction`].

pub mod attached;
pub mod batch;
mod connection;
pub mod gather;
pub mod idempotency;
pub mod page;
pub mod private;
pub mod reads;

use std::time::Duration;

use chrono::TimeDelta;
use deadpool::managed::{QueueMode, Timeouts};
use diesel::{ConnectionError, QueryDsl as _};
use diesel_async::pooled_connection::deadpool::{Object, Pool as DeadPool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{
    AnsiTransactionManager, AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures::FutureExt;

use crate::error::{AppError, Result};
use crate::ports::clock::Clock;
use crate::schema;

pub use connection::{Conn, Statements};

pub type Pool = DeadPool<Conn>;
pub type PooledConn = Object<Conn>;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// How often a transaction that lost to another one runs again before it gives up.
const CONFLICT_TRIES: u32 = 8;

/// A pool of at most `connections`. Connections are driven by the runtime that calls this, whichever thread asks for
/// one, so that a worker that ends takes none with it.
///
/// # Errors
/// When the URL can't be read.
pub fn pool(url: &str, connections: usize, statements: Statements) -> Result<Pool> {
    let limits = Timeouts {
        wait: Some(Duration::from_secs(10)),
        create: Some(Duration::from_secs(10)),
        recycle: Some(Duration::from_secs(5)),
    };
    build_pool(url, connections, statements, (RecyclingMethod::Fast, limits))
}

/// A pool of connections to a replica: whoever asks for one would rather go elsewhere than wait, so each is proved first.
///
/// # Errors
/// When the URL can't be read.
pub fn replica_pool(url: &str, connections: usize, statements: Statements) -> Result<Pool> {
    let limit = Some(reads::REPLICA_LIMIT);
    let limits = Timeouts { wait: limit, create: limit, recycle: limit };
    build_pool(url, connections, statements, (RecyclingMethod::Verified, limits))
}

fn build_pool(
    url: &str,
    connections: usize,
    statements: Statements,
    (recycling, limits): (RecyclingMethod<Conn>, Timeouts),
) -> Result<Pool> {
    let runtime = tokio::runtime::Handle::current();
    let mut config = ManagerConfig::default();
    config.recycling_method = recycling;
    config.custom_setup = Box::new(move |url| {
        let url = url.to_owned();
        let runtime = runtime.clone();
        async move {
            runtime
                .spawn(async move { connection::establish(&url, statements).await })
                .await
                .map_err(|error| ConnectionError::BadConnection(error.to_string()))?
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::<Conn>::new_with_config(url, config);
    DeadPool::builder(manager)
        // A few warm connections rather than all of them cold: each plans its statements for itself.
        .queue_mode(QueueMode::Lifo)
        .max_size(connections)
        .timeouts(limits)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(AppError::internal)
}

/// Of a transaction that works set by set. Who waits longer for a lock has his turn alone. What is read and written has the same
/// shape in every set, and arrays for values: planning it anew each time, as PostgreSQL may, takes longer than doing it. Such a
/// plan stays when a rush makes a table large that was small when it was planned: so it must not go through one.
pub const SET_BY_SET: &str = "SET LOCAL lock_timeout = '2s'; SET LOCAL plan_cache_mode = force_generic_plan; \
    SET LOCAL enable_seqscan = off";

/// One connection that keeps its statements: not through a pooler in transaction mode.
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn establish(url: &str) -> std::result::Result<Conn, ConnectionError> {
    connection::establish(url, Statements::Kept).await
}

/// A connection of the pool.
///
/// # Errors
/// `busy` when none comes free in time, `internal` when the database can't be reached.
pub async fn connect(pool: &Pool) -> Result<PooledConn> {
    use diesel_async::pooled_connection::deadpool::PoolError;
    pool.get().await.map_err(|error| match error {
        PoolError::Timeout(_) => AppError::busy().with_cause(error),
        error => AppError::internal(error),
    })
}

/// The work of a transaction: it may run several times, so it only reads what it captures.
pub trait Work<C, T>: AsyncFn(C) -> T + Fn(C) -> <Self as Work<C, T>>::Fut {
    type Fut: Future<Output = T>;
}

impl<F, C, Fut, T> Work<C, T> for F
where
    F: AsyncFn(C) -> T + Fn(C) -> Fut,
    Fut: Future<Output = T>,
{
    type Fut = Fut;
}

/// Runs `work` in a transaction (read committed) and commits it. When it loses to another transaction (40001, 40P01) it
/// is rolled back and runs again, a few times with a growing pause. Write `async |conn| { … }`, not `async move`.
///
/// # Errors
/// What `work` returns, after a rollback; or the database's error.
pub async fn transaction<T, F>(pool: &Pool, work: F) -> Result<T>
where
    T: Send,
    for<'c> F: AsyncFn(&'c mut Conn) -> Result<T> + Work<&'c mut Conn, Result<T>, Fut: Send> + Send + Sync,
{
    let mut conn = connect(pool).await?;
    transaction_on(&mut conn, work).await
}

/// [`transaction`] on a connection that is at hand.
///
/// # Errors
/// As [`transaction`].
pub async fn transaction_on<T, F>(conn: &mut Conn, work: F) -> Result<T>
where
    T: Send,
    for<'c> F: AsyncFn(&'c mut Conn) -> Result<T> + Work<&'c mut Conn, Result<T>, Fut: Send> + Send + Sync,
{
    let mut tries = 1;
    loop {
        match once(conn, &work).await {
            Err(error) if error.is_retryable_conflict() && tries < CONFLICT_TRIES => {
                tracing::debug!(tries, "a transaction lost to another one and runs again");
                let pause = rand::random_range(1..=5_u64) << tries;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                tries += 1;
            }
            result => return result,
        }
    }
}

async fn once<T, F>(conn: &mut Conn, work: &F) -> Result<T>
where
    T: Send,
    for<'c> F: AsyncFn(&'c mut Conn) -> Result<T> + Work<&'c mut Conn, Result<T>, Fut: Send> + Send + Sync,
{
    AnsiTransactionManager::begin_transaction(conn).await?;
    match work(&mut *conn).await {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(conn).await?;
            Ok(value)
        }
        Err(error) => {
            // The work's own error says more than that of a rollback on a broken connection.
            let _ = AnsiTransactionManager::rollback_transaction(conn).await;
            Err(error)
        }
    }
}

/// The shop's clock, for a command that has no application around it.
///
/// # Errors
/// The database's.
pub async fn shop_clock(pool: &Pool) -> Result<Clock> {
    let mut conn = connect(pool).await?;
    let micros: i64 =
        schema::shop_clock::table.select(schema::shop_clock::offset_micros).first(&mut conn).await?;
    let clock = Clock::real();
    clock.raise_offset(TimeDelta::microseconds(micros));
    Ok(clock)
}

/// Brings the database up to date. Instances that start together wait for one another on a row of `migration_lock`.
///
/// # Errors
/// When the database can't be reached, isn't UTF8, or a migration fails (it is then rolled back).
pub async fn migrate(url: &str) -> Result<()> {
    let mut lock = establish(url).await.map_err(AppError::internal)?;
    check_encoding(&mut lock).await?;
    // Two instances may both create the table; the loser of that race finds it there.
    let create = "CREATE TABLE IF NOT EXISTS migration_lock (id smallint PRIMARY KEY CHECK (id = 1))";
    if lock.batch_execute(create).await.is_err() {
        lock.batch_execute(create).await?;
    }
    lock.batch_execute("INSERT INTO migration_lock VALUES (1) ON CONFLICT DO NOTHING").await?;
    lock.batch_execute("BEGIN; SELECT id FROM migration_lock FOR UPDATE").await?;
    let worker = establish(url).await.map_err(AppError::internal)?;
    let ran = tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(worker);
        harness.run_pending_migrations(MIGRATIONS).map(|done| done.len())
    })
    .await
    .map_err(AppError::internal)?;
    lock.batch_execute("COMMIT").await?;
    let count = ran.map_err(AppError::internal)?;
    if count > 0 {
        tracing::info!(count, "migrations ran");
    }
    Ok(())
}

/// True when every migration this program knows has run: part of readiness.
///
/// # Errors
/// When the database can't be asked.
pub async fn is_migrated(conn: &mut Conn) -> Result<bool> {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let known = diesel::migration::MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)
        .map_err(AppError::internal)?
        .len();
    let row: Count = diesel::sql_query("SELECT count(*) AS count FROM __diesel_schema_migrations")
        .get_result(conn)
        .await?;
    Ok(usize::try_from(row.count).is_ok_and(|count| count >= known))
}

async fn check_encoding(conn: &mut Conn) -> Result<()> {
    #[derive(diesel::QueryableByName)]
    struct Encoding {
        #[diesel(sql_type = diesel::sql_types::Text)]
        server_encoding: String,
    }
    let row: Encoding = diesel::sql_query("SHOW server_encoding").get_result(conn).await?;
    if row.server_encoding != "UTF8" {
        return Err(AppError::internal(format!(
            "the database's encoding is {}, kindred needs UTF8: create it with ENCODING 'UTF8'",
            row.server_encoding
        )));
    }
    Ok(())
}
