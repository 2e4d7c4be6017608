//! What grows with traffic has an end, in bounded steps; and what is written again and again stays where it is.

use std::time::Duration;

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection;
use kindred::jobs::{Outcome, housekeeping};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::shop::{DriveSeed, Shop};

/// More than two steps of each, and as many that are young: `$age` is how old they are.
const ROWS: &str = "
    INSERT INTO jobs (id, lane, kind, payload, state, run_at, created_at, finished_at)
        SELECT gen_random_uuid(), 'local', 'send_mail', '{}', 'done', $at, $at, $at FROM generate_series(1, 11000);
    INSERT INTO stripe_events (id, kind, payload, state, received_at)
        SELECT 'evt_$age' || n, 'x', '{}', 'applied', $at FROM generate_series(1, 11000) n;
    INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at)
        SELECT a.id, 'POST /v1/things', '$age' || n, '', 201, a.id, $at FROM accounts a, generate_series(1, 11000) n;
    INSERT INTO sessions (id, account_id, user_agent, created_at, last_seen_at, expires_at)
        SELECT md5('$age' || n)::uuid, a.id, '', $at, $at, $at FROM accounts a, generate_series(1, 11000) n;
    INSERT INTO refresh_tokens (hash, session_id, salt, issued_at, expires_at, used_at)
        SELECT sha256(('$age' || n || k)::bytea), md5('$age' || n)::uuid, '', $at, $at, CASE k WHEN 1 THEN $at END
        FROM generate_series(1, 11000) n, generate_series(1, 2) k;
    INSERT INTO account_tokens (hash, account_id, purpose, email, created_at, expires_at)
        SELECT sha256(('$age' || n)::bytea), a.id, 'verify_email', 'a', $at, $at FROM accounts a, generate_series(1, 11000) n;
    INSERT INTO baskets (id, secret_hash, created_at, touched_at)
        SELECT gen_random_uuid(), '', $at, $at FROM generate_series(1, 11000);";

const COUNTED: [&str; 7] = [
    "jobs WHERE kind = 'send_mail' AND payload = '{}'",
    "stripe_events",
    "idempotency_keys",
    "sessions",
    "refresh_tokens",
    "account_tokens",
    "baskets",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_in_steps_and_what_is_young_stays() {
    let shop = Shop::open().await;
    shop.app.stranger("somebody@shop.test").await;
    shop.settle().await;
    let mut conn = shop.app.conn().await;
    let now = shop.app.now();
    let mut before = Vec::new();
    for table in COUNTED {
        before.push(count_sql(&mut conn, &format!("SELECT count(*) AS count FROM {table}")).await);
    }
    let laid = |age: &str, at: chrono::DateTime<chrono::Utc>| {
        ROWS.replace("$age", age).replace("$at", &format!("timestamptz '{}'", at.to_rfc3339()))
    };
    conn.batch_execute(&laid("young", now - TimeDelta::hours(2))).await.unwrap();
    conn.batch_execute(&laid("old", now - TimeDelta::days(200))).await.unwrap();
    // No time at all: one step of each, and the rest is left for the next run.
    let first = housekeeping::run_for(&shop.app.app, Duration::ZERO).await.unwrap();
    assert!(matches!(first, Outcome::Again(_)), "{first:?}");
    let left = "SELECT count(*) AS count FROM jobs WHERE finished_at < created_at + interval '1 second' \
                AND created_at < (SELECT max(created_at) FROM jobs) - interval '100 days'";
    assert_eq!(count_sql(&mut conn, left).await, 11_000 - housekeeping::STEP);
    assert_eq!(housekeeping::run_for(&shop.app.app, Duration::from_secs(60)).await.unwrap(), Outcome::Done);
    for (table, before) in COUNTED.iter().zip(before) {
        let now = count_sql(&mut conn, &format!("SELECT count(*) AS count FROM {table}")).await;
        // Those of young sessions, with what they were exchanged for.
        let young = if *table == "refresh_tokens" { 22_000 } else { 11_000 };
        assert_eq!(now, before + young, "{table}");
    }
    drop(conn);
    // Sessions of nowhere, keys of nothing: `kindred check` would tell of them.
    shop.app.finish().await;
}

/// A year later hardly a trace of the traffic is left, and all that must be true still is.
#[tokio::test(flavor = "multi_thread")]
async fn a_year_later_the_invariants_hold() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { closes_in: TimeDelta::days(800), ..DriveSeed::default() }).await;
    for number in 0..3 {
        shop.join(&format!("buyer{number}@shop.test"), sale).await;
    }
    shop.settle().await;
    shop.advance(TimeDelta::days(300)).await;
    let mut conn = shop.app.conn().await;
    for table in ["stripe_events", "idempotency_keys", "sessions", "refresh_tokens"] {
        let count = count_sql(&mut conn, &format!("SELECT count(*) AS count FROM {table}")).await;
        assert_eq!(count, 0, "{table}");
    }
    drop(conn);
    shop.finish().await;
}

/// The pool of a drive is one row that everybody writes: a new version of it stands on the same page, and no index is
/// written for it.
#[tokio::test(flavor = "multi_thread")]
async fn claims_of_one_pool_are_hot_updates() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    // As in a shop that has many: the page of this one is as full as it gets.
    let mut conn = shop.app.conn().await;
    run_sql(
        &mut conn,
        "INSERT INTO pools (id, kind, capacity) SELECT gen_random_uuid(), 'coupon', 1 FROM generate_series(1, 5000)",
    )
    .await;
    let people = {
        let mut people = Vec::new();
        for number in 0..8 {
            people.push(shop.app.member(&format!("claimant{number}@shop.test")).await);
        }
        people
    };
    let before = updates(&mut conn).await;
    for round in 0..12 {
        for person in &people {
            let order = shop.order(person, sale, &format!("order-{round}")).send().await.ok(201);
            let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
            shop.app
                .post(&path)
                .bearer(&person.token)
                .key(&format!("end-{round}"))
                .json(&serde_json::json!({}))
                .send()
                .await
                .ok(200);
        }
    }
    shop.settle().await;
    // A session tells its figures when it likes.
    let (mut all, mut hot, mut looks) = (0, 0, 0);
    while all < 192 && looks < 10 {
        let after = updates(&mut conn).await;
        (all, hot, looks) = (after.0 - before.0, after.1 - before.1, looks + 1);
    }
    assert!(all >= 192, "{all}");
    assert!(hot * 100 >= all * 95, "{hot} of {all} were hot");
    drop(conn);
    // The other pools are nobody's, which `kindred check` would tell.
    shop.app.finish().await;
}

/// (updates, of which hot) of `pools`.
async fn updates(conn: &mut kindred::db::Conn) -> (i64, i64) {
    // Figures of a session arrive once it is at rest for a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let of =
        |column: &str| format!("SELECT {column} AS count FROM pg_stat_user_tables WHERE relname = 'pools'");
    (count_sql(conn, &of("n_tup_upd")).await, count_sql(conn, &of("n_tup_hot_upd")).await)
}
