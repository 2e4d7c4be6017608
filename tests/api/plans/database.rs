//! A large database on a server of its own, whose log tells every statement with its plan.

use std::path::Path;
use std::sync::Arc;

use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use kindred::db::{self, Conn, private};

use crate::support::database::TestDatabase;

const SHOP: &str = include_str!("../check/shop.sql");
const LARGE: &str = include_str!("large.sql");
const MORE: &str = include_str!("more.sql");

/// Rows of the tables that each order and each account writes; the others have [`ROWS`].
const MANY: i64 = 100_000;
const ROWS: i64 = 20_000;
/// All of them are looked at by a job, and many are written to: more than a statement may read, and no more.
const ACCOUNTS: i64 = 12_000;
const OF_MANY: [&str; 13] = [
    "orders",
    "order_lines",
    "payments",
    "claims",
    "jobs",
    "mails",
    "coupons",
    "points_entries",
    "points_lots",
    "memberships",
    "membership_terms",
    "idempotency_keys",
    "stripe_events",
];

/// What tells every statement, however it is run: what a foreign key looks up as well.
const EXPLAINED: &str = "
    ALTER DATABASE $name SET session_preload_libraries = 'auto_explain';
    ALTER DATABASE $name SET auto_explain.log_min_duration = 0;
    ALTER DATABASE $name SET auto_explain.log_format = 'json';
    ALTER DATABASE $name SET auto_explain.log_analyze = on;
    ALTER DATABASE $name SET auto_explain.log_timing = off;
    ALTER DATABASE $name SET auto_explain.log_nested_statements = on;";

pub struct Large {
    pub cluster: private::Cluster,
    pub name: String,
    pub url: String,
}

#[derive(diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

pub async fn names(conn: &mut Conn, sql: &str) -> Vec<String> {
    let rows: Vec<Named> = diesel::sql_query(sql).load(conn).await.unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

impl Large {
    pub async fn make() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plans");
        let cluster = private::open(&folder, private::Options::throw_away()).await.unwrap();
        let name = format!("plans_{}", std::process::id());
        let mut admin = db::establish(&cluster.url_for("postgres")).await.unwrap();
        for left in
            names(&mut admin, "SELECT datname::text AS name FROM pg_database WHERE datname ~ '^plans_'").await
        {
            let process = left.trim_start_matches("plans_");
            if !Path::new("/proc").join(process).exists() {
                admin.batch_execute(&format!("DROP DATABASE {left} WITH (FORCE)")).await.unwrap();
            }
        }
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let large = Self { url: cluster.url_for(&name), cluster, name };
        large.fill().await;
        admin.batch_execute(&EXPLAINED.replace("$name", &large.name)).await.unwrap();
        large
    }

    async fn fill(&self) {
        db::migrate(&self.url).await.unwrap();
        let mut conn = db::establish(&self.url).await.unwrap();
        conn.batch_execute(SHOP).await.unwrap();
        conn.batch_execute(LARGE).await.unwrap();
        let grow = "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' \
                    AND relnamespace = 'public'::regnamespace AND relname <> ALL (stays()) ORDER BY oid";
        let tables = names(&mut conn, grow).await;
        // Two at a time, neither of which waits for the other: foreign keys aren't looked at.
        let halves = [0, 1].map(|half| {
            let part: Vec<String> = tables.iter().skip(half).step_by(2).cloned().collect();
            let url = self.url.clone();
            tokio::spawn(async move {
                let mut conn = db::establish(&url).await.unwrap();
                conn.batch_execute("SET session_replication_role = replica").await.unwrap();
                for table in part {
                    let rows = match table.as_str() {
                        "accounts" => ACCOUNTS,
                        table if OF_MANY.contains(&table) => MANY,
                        _ => ROWS,
                    };
                    let sql = format!("SELECT multiply('{table}', {rows})");
                    conn.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{table}: {error}"));
                }
            })
        });
        for half in halves {
            half.await.unwrap();
        }
        conn.batch_execute("SET session_replication_role = replica").await.unwrap();
        conn.batch_execute(MORE).await.unwrap();
        conn.batch_execute("ANALYZE").await.unwrap();
    }

    pub fn test_database(&self) -> Arc<TestDatabase> {
        Arc::new(TestDatabase::at(self.url.clone()))
    }

    /// Ends the server, unless another run uses it.
    pub async fn close(self) {
        let mut admin = db::establish(&self.cluster.url_for("postgres")).await.unwrap();
        admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await.unwrap();
        drop(admin);
        self.cluster.stop().await;
    }
}
