//! Behind a PgBouncer in transaction mode, whose few connections all instances share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures::future::join_all;
use kindred::db::{self, Conn, Statements};
use kindred::people::operators::rules::Role;
use kindred::schema::pools;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::bouncer::{Bouncer, SERVER_CONNECTIONS};
use crate::support::catalog::{run_sql, text_sql};
use crate::support::database::TestDatabase;
use crate::support::shop::{DriveSeed, Sale, Shop, order_body};
use crate::support::{Answer, Person, TestApp};

/// Both instances' pools are larger than the bouncer's.
const BUYERS: usize = 48;

/// The bouncer gives out the connection that was used last, mostly.
const TRIES: u32 = 5;

struct Behind {
    shop: Shop,
    second: TestApp,
    sale: Sale,
    bouncer: Mutex<Bouncer>,
}

impl Behind {
    /// Two instances of a shop that sells a place to every buyer.
    async fn open() -> Option<Self> {
        let database = Arc::new(TestDatabase::create().await);
        let bouncer = Bouncer::before(database.url()).await?;
        let (url, direct) = (bouncer.url(), database.url().to_owned());
        let values = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_URL_DIRECT", direct.as_str()),
            ("KINDRED_STATEMENT_CACHE", "off"),
        ];
        let shop = Shop::open_on(Arc::clone(&database), &values).await;
        let second = shop.sibling(&values).await;
        let quota = i64::try_from(BUYERS).unwrap();
        let sale = shop.drive(DriveSeed { quota, ..DriveSeed::default() }).await;
        Some(Self { shop, second, sale, bouncer: Mutex::new(bouncer) })
    }

    fn instance(&self, number: usize) -> &TestApp {
        if number.is_multiple_of(2) { &self.shop.app } else { &self.second }
    }

    async fn buyers(&self) -> Vec<Person> {
        let people = (0..BUYERS).map(|number| async move {
            let email = format!("buyer{number}@pool.test");
            self.shop.app.seed(&email, true, &[]).await;
            self.instance(number).sign_in(&email).await
        });
        join_all(people).await
    }

    async fn order(&self, number: usize, buyer: &Person) -> Answer {
        let path = "/v1/orders?wait=payment";
        let request = self.instance(number).post(path).bearer(&buyer.token).key("one");
        request.json(&order_body(self.sale)).send().await
    }

    async fn finish(self) {
        assert_eq!(self.shop.pool(self.sale).await, (48, 0, 48));
        self.second.finish().await;
        self.shop.finish().await;
    }
}

async fn remaining(app: &TestApp) -> Value {
    app.get("/v1/drives/luoji-2013-regular").send().await.json["remaining"].clone()
}

async fn until<T: PartialEq + std::fmt::Debug>(expected: T, look: impl AsyncFn() -> T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = look().await;
        if seen == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?} instead of {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn count_pools(conn: &mut Conn) -> QueryResult<i64> {
    pools::table.count().get_result(conn).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_lost_between_transactions_and_what_passes_is_not() {
    let database = TestDatabase::create().await;
    let Some(bouncer) = Bouncer::before(database.url()).await else { return };
    let mut times_lost = 0;
    for _ in 0..TRIES {
        times_lost += u32::from(twice(&bouncer, Statements::Kept).await.is_err());
        twice(&bouncer, Statements::Passing).await.expect("what passes is prepared anew");
    }
    assert!(times_lost > 0, "a name that is kept was on every connection");
}

/// A statement, and once more when the connection on which it was prepared is likely another client's.
async fn twice(bouncer: &Bouncer, statements: Statements) -> kindred::error::Result<()> {
    let pool = db::pool(&bouncer.url(), 2, statements).unwrap();
    // Between its two messages each may lose its statement already, those that set a connection up as well.
    let (mut one, mut other) = (db::connect(&pool).await?, db::connect(&pool).await?);
    count_pools(&mut one).await?;
    other.batch_execute("BEGIN; SELECT 1").await?;
    count_pools(&mut one).await?;
    other.batch_execute("ROLLBACK").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_no_name_behind_and_the_connection_as_good_as_before() {
    let database = TestDatabase::create().await;
    let Some(bouncer) = Bouncer::before(database.url()).await else { return };
    let pool = db::pool(&bouncer.url(), 1, Statements::Passing).unwrap();
    let mut conn = db::connect(&pool).await.unwrap();
    for _ in 0..3 {
        let wrong = diesel::sql_query("SELECT 1 / (count(*) - count(*)) FROM pools");
        let (mut left, mut right) = (&*conn, &*conn);
        let side_by_side =
            tokio::join!(pools::table.count().get_result::<i64>(&mut left), wrong.execute(&mut right));
        assert!(side_by_side.0.is_ok() && side_by_side.1.is_err(), "{side_by_side:?}");
        // In a transaction, the one that is given up may have been prepared without anybody to close it.
        let failed = db::transaction_on(&mut conn, async |conn| {
            let wrong = diesel::sql_query("SELECT 1 / 0");
            let (mut left, mut right) = (&*conn, &*conn);
            let counted = pools::table.filter(pools::kind.eq("drive")).count();
            tokio::try_join!(wrong.execute(&mut left), counted.get_result::<i64>(&mut right))?;
            Ok(())
        });
        assert!(failed.await.is_err());
        assert!(count_pools(&mut conn).await.is_ok());
    }
    let left = text_sql(&mut conn, "SELECT count(*)::text AS text FROM pg_prepared_statements").await;
    assert_eq!(left, "1", "its own");
    assert_eq!(text_sql(&mut conn, "SELECT current_setting('timezone') AS text").await, "UTC");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_sell_through_three_connections() {
    let Some(behind) = Behind::open().await else { return };
    let buyers = behind.buyers().await;
    let (behind_ref, shop) = (&behind, &behind.shop);
    join_all(buyers.iter().enumerate().map(|(number, buyer)| async move {
        let order = behind_ref.order(number, buyer).await.ok(201);
        shop.pay(&order).await;
        assert_eq!(shop.settled(buyer, &order).await["state"], "fulfilled");
    }))
    .await;
    // What one instance changes in the catalog, and what is left of the drive, both instances show.
    let owner = shop.app.operator(Role::Owner).await;
    let tier = json!({ "code": "newest", "names": { "zh-CN": "新", "en": "New" }, "rank": 30 });
    shop.app.make(&owner, "/v1/admin/tiers", &tier).await;
    for app in [&shop.app, &behind.second] {
        until(true, async || app.get("/v1/tiers").send().await.text.contains("\"newest\"")).await;
        until(Value::from(0), async || remaining(app).await).await;
    }
    // More of ours than of the server's, so they really were shared.
    let ours = shop.app.app.pool.status().size + behind.second.app.pool.status().size;
    assert!(ours > 3, "{ours}");
    let mut direct = db::establish(shop.app.database_url()).await.unwrap();
    let sessions = "SELECT count(*)::text AS text FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let sessions: i64 = text_sql(&mut direct, sessions).await.parse().unwrap();
    assert!((1..=SERVER_CONNECTIONS).contains(&sessions), "{sessions}");
    behind.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bouncer_that_is_killed_under_load_loses_nothing() {
    let Some(behind) = Behind::open().await else { return };
    let buyers = behind.buyers().await;
    let (behind_ref, shop) = (&behind, &behind.shop);
    // Each says the same, with the same key, until it is answered.
    let ordering = join_all(buyers.iter().enumerate().map(|(number, buyer)| async move {
        loop {
            let answer = behind_ref.order(number, buyer).await;
            if answer.status == 201 {
                return answer.json;
            }
            assert!(answer.status >= 500 || answer.status == 409, "{}", answer.text);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }));
    let restarting = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            behind_ref.bouncer.lock().await.restart().await;
        }
    };
    let (orders, ()) = tokio::join!(ordering, restarting);
    // What was claimed as the line broke would wait two minutes for its lease to end; what failed waits by the shop's time.
    let mut direct = db::establish(shop.app.database_url()).await.unwrap();
    run_sql(&mut direct, "UPDATE jobs SET leased_until = now() - interval '1 hour' WHERE state = 'running'")
        .await;
    for _ in 0..4 {
        shop.advance(TimeDelta::seconds(30)).await;
    }
    for (buyer, order) in buyers.iter().zip(&orders) {
        let order = shop.show(buyer, order).await;
        assert_eq!(order["payment"]["state"], "ready", "{order}");
        shop.pay(&order).await;
    }
    shop.settle().await;
    for (buyer, order) in buyers.iter().zip(&orders) {
        assert_eq!(shop.settled(buyer, order).await["state"], "fulfilled");
    }
    behind.finish().await;
}
