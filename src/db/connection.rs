//! One connection, and what it does to work behind a pooler.
//!
//! diesel-async has every statement prepared under a name and executes it by a second message. A pooler in transaction mode
//! that knows nothing of prepared statements (PgBouncer before 1.21) gives each transaction any of its connections to the
//! server: outside of a transaction the second message may reach a server that has never seen the first, and a name that
//! stays behind there is in the way of another process's. So with [`Statements::Passing`] no name outlives its transaction:
//! none is kept, a statement that stands alone gets a transaction of its own, and a rollback forgets those that were given
//! up on the way. It costs a second way to the server for each statement.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::{CacheSize, Instrumentation};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection,
};
use futures::future::{BoxFuture, join};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::Mutex;

/// What becomes of prepared statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// They stay on the connection: the same text is parsed once.
    Kept,
    /// They end with their transaction, for a pooler that has no connection of ours beyond it.
    Passing,
}

/// A connection to the database.
pub struct Conn {
    inner: AsyncPgConnection,
    statements: Statements,
    /// Whether a transaction that the caller began is open.
    is_in_transaction: AtomicBool,
    /// Statements that stand alone, sent side by side, get their transactions one after the other.
    turn: Mutex<()>,
    /// One of those transactions was given up half way: the connection is of no use any more.
    is_torn: AtomicBool,
}

type Row = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
type Rows = BoxStream<'static, QueryResult<Row>>;

/// Also what was prepared by a future that was dropped before it knew: nobody else would close that.
const ROLLBACK: &str = "ROLLBACK; DEALLOCATE ALL";

/// One connection, with TLS where the server offers it (`sslmode` of the URL decides, as with libpq).
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn establish(url: &str, statements: Statements) -> ConnectionResult<Conn> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectionError::BadConnection(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
    let failed = |error| ConnectionError::BadConnection(describe_connect_error(&error));
    let (client, mut connection) = tokio_postgres::connect(url, connector).await.map_err(failed)?;
    if statements == Statements::Passing {
        // diesel-async sets zone and encoding by prepared statements of its own, which need one transaction too.
        let messages = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                message?;
            }
            Ok(())
        };
        tokio::select! {
            begun = client.batch_execute("BEGIN") => begun,
            ended = messages => ended,
        }
        .map_err(failed)?;
    }
    let mut inner = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    if statements == Statements::Passing {
        inner.set_prepared_statement_cache_size(CacheSize::Disabled);
        inner.batch_execute("COMMIT").await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(Conn {
        inner,
        statements,
        is_in_transaction: AtomicBool::new(false),
        turn: Mutex::new(()),
        is_torn: AtomicBool::new(false),
    })
}

/// tokio-postgres keeps the reason in the source; neither holds the password.
fn describe_connect_error(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Conn {
    fn stands_alone(&self) -> bool {
        self.statements == Statements::Passing && !self.is_in_transaction.load(Ordering::Relaxed)
    }

    async fn say(&self, sql: &str) -> QueryResult<()> {
        SimpleAsyncConnection::batch_execute(&mut &self.inner, sql).await
    }

    /// Runs one statement in a transaction of its own. The first word goes out together with BEGIN.
    async fn alone<T>(&self, statement: impl Future<Output = QueryResult<T>> + Send) -> QueryResult<T> {
        let _turn = self.turn.lock().await;
        // Until this ends well: whoever drops the future in between leaves an open transaction behind.
        if self.is_torn.swap(true, Ordering::Relaxed) {
            return Err(Error::BrokenTransactionManager);
        }
        let (begun, done) = join(self.say("BEGIN"), statement).await;
        begun?;
        let ended = match &done {
            Ok(_) => self.say("COMMIT").await,
            Err(_) => self.say(ROLLBACK).await,
        };
        self.is_torn.store(ended.is_err(), Ordering::Relaxed);
        // The statement's own error says more than that of a rollback on a broken connection.
        done.and_then(|value| ended.map(|()| value))
    }

    fn rows<'a, T>(&'a self, source: T) -> BoxFuture<'a, QueryResult<Rows>>
    where
        T: AsQuery,
        T::Query: QueryFragment<Pg> + QueryId,
    {
        let load = AsyncConnectionCore::load(&mut &self.inner, source);
        if !self.stands_alone() {
            return load;
        }
        let whole = async move { Ok(load.await?.collect::<Vec<_>>().await) };
        Box::pin(async move {
            let rows = self.alone(async move { whole.await.and_then(settled) }).await?;
            Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
        })
    }

    fn count<'a, T>(&'a self, source: T) -> BoxFuture<'a, QueryResult<usize>>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        let execute = AsyncConnectionCore::execute_returning_count(&mut &self.inner, source);
        if self.stands_alone() { Box::pin(self.alone(execute)) } else { execute }
    }
}

/// An error may come after rows.
fn settled(rows: Vec<QueryResult<Row>>) -> QueryResult<Vec<Row>> {
    rows.into_iter().collect()
}

impl SimpleAsyncConnection for Conn {
    /// The transaction manager's words pass here too, and tell whether one is open.
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        if *self.is_torn.get_mut() {
            return Err(Error::BrokenTransactionManager);
        }
        if query.starts_with("BEGIN") {
            *self.is_in_transaction.get_mut() = true;
        }
        let passing = self.statements == Statements::Passing;
        let done = match query {
            "ROLLBACK" if passing => self.inner.batch_execute(ROLLBACK).await,
            other => self.inner.batch_execute(other).await,
        };
        if ["COMMIT", "ROLLBACK"].contains(&query) {
            *self.is_in_transaction.get_mut() = false;
        }
        done
    }
}

impl SimpleAsyncConnection for &Conn {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.say(query).await
    }
}

impl AsyncConnectionCore for Conn {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Rows>>;
    type Stream<'conn, 'query> = Rows;
    type Row<'conn, 'query> = Row;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        self.rows(source)
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        self.count(source)
    }
}

/// Statements that don't depend on one another go out side by side.
impl<'a> AsyncConnectionCore for &'a Conn {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'a, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'a, QueryResult<Rows>>;
    type Stream<'conn, 'query> = Rows;
    type Row<'conn, 'query> = Row;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let conn: &'a Conn = self;
        conn.rows(source)
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let conn: &'a Conn = self;
        conn.count(source)
    }
}

impl AsyncConnection for Conn {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(url: &str) -> ConnectionResult<Self> {
        establish(url, Statements::Kept).await
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl PoolableConnection for Conn {
    fn is_broken(&mut self) -> bool {
        *self.is_torn.get_mut() || self.inner.is_broken()
    }
}
