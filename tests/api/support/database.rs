//! A database for each test, copied from a template that is migrated once a process.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel_async::SimpleAsyncConnection;
use kindred::db::{self, private};
use tokio::sync::OnceCell;

static SERVER: OnceCell<Server> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Where test databases are made: the server of `KINDRED_TEST_DATABASE_SERVER` (a URL without a database), or a private
/// PostgreSQL under `target/`, by the same code as in production.
struct Server {
    url_for: Box<dyn Fn(&str) -> String + Send + Sync>,
    template: String,
}

pub struct TestDatabase {
    url: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let server = SERVER.get_or_init(Server::open).await;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let mut admin = server.admin().await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {} STRATEGY FILE_COPY", server.template))
            .await
            .unwrap();
        Self { url: (server.url_for)(&name) }
    }

    /// One that no migration has run on.
    pub async fn empty() -> Self {
        let server = SERVER.get_or_init(Server::open).await;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        server.admin().await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { url: (server.url_for)(&name) }
    }

    /// One that is there already.
    pub fn at(url: String) -> Self {
        Self { url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Server {
    async fn open() -> Self {
        let url_for: Box<dyn Fn(&str) -> String + Send + Sync> =
            match std::env::var("KINDRED_TEST_DATABASE_SERVER") {
                Ok(base) => Box::new(move |name| base.replace("{database}", name)),
                Err(_) => {
                    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
                    let cluster = private::open(&folder, private::Options::throw_away()).await.unwrap();
                    Box::new(move |name| cluster.url_for(name))
                }
            };
        let template = format!("template_{}", std::process::id());
        let server = Self { url_for, template };
        let mut admin = server.admin().await;
        server.remove_leftovers(&mut admin).await;
        admin.batch_execute(&format!("CREATE DATABASE {}", server.template)).await.unwrap();
        db::migrate(&(server.url_for)(&server.template)).await.unwrap();
        server
    }

    async fn admin(&self) -> db::Conn {
        db::establish(&(self.url_for)("postgres")).await.unwrap()
    }

    /// Databases of earlier runs, whose process is gone.
    async fn remove_leftovers(&self, admin: &mut db::Conn) {
        use diesel_async::RunQueryDsl;
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            name: String,
        }
        let sql = "SELECT datname::text AS name FROM pg_database WHERE datname ~ '^(test|template)_[0-9]+'";
        let rows: Vec<Row> = diesel::sql_query(sql).load(admin).await.unwrap();
        for Row { name } in rows {
            let process = name.split('_').nth(1).unwrap_or_default();
            if !std::path::Path::new("/proc").join(process).exists() {
                let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            }
        }
    }
}
