//! The bench measures what it says: the limit's SQL writes row for row what kindred writes, and a small run of all of it is
//! sound.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use kindred::audit::Actor;
use kindred::db::{self, Conn};
use kindred::dev::bench::limit::placing::{Article, Placing};
use kindred::dev::bench::limit::settling::{Paid, Settling};
use kindred::dev::bench::limit::{issuing, placing, settling};
use kindred::dev::bench::shop::{Buyer, Shop};
use kindred::dev::stripe::sign;
use kindred::promotion::campaigns::service as campaigns;
use kindred::promotion::coupons::dto::NewIssue;
use kindred::promotion::coupons::model::{Issue, insert_issue};
use kindred::promotion::coupons::service as coupons;
use kindred::types::id::CouponIssueId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::shop::{Shop as Sale, WEBHOOK_SECRET};

/// Written by placing, and by nothing else here.
const WRITTEN: [&str; 7] =
    ["orders", "order_lines", "claims", "payments", "idempotency_keys", "jobs", "drop_purchases"];
/// What each row has of its own, or what moves on after it was placed.
const OWN: [&str; 22] = [
    "id",
    "order_id",
    "line_id",
    "account_id",
    "variant_id",
    "pool_id",
    "number",
    "key",
    "resource",
    "person_key",
    "created_at",
    "run_at",
    "payload",
    "email",
    "body_hash",
    "session_expires_at",
    "state",
    "attempts",
    "lease",
    "leased_until",
    "last_error",
    "finished_at",
];

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    row: Value,
}

/// Jobs that placing queues.
const OF_PLACING: &str = "'open_checkout'";
/// Jobs that settling queues, one an order. Of those of which one run serves all, how many there are is a matter of batches.
const OF_SETTLING: &str = "'apply_event', 'expire_membership', 'renew', 'send_mail'";

/// A table; of jobs those of some kinds, since others come and go by themselves.
fn of(table: &str, kinds: &str) -> String {
    match table {
        "jobs" => format!("(SELECT * FROM jobs WHERE kind IN ({kinds})) AS t"),
        table => format!("{table} AS t"),
    }
}

async fn counts(conn: &mut Conn, kinds: &str) -> BTreeMap<String, i64> {
    let tables: Vec<Named> = diesel::sql_query(
        "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .load(conn)
    .await
    .unwrap();
    let mut counts = BTreeMap::new();
    for Named { name } in tables {
        let sql = format!("SELECT count(*) AS count FROM {}", of(&name, kinds));
        let counted: Counted = diesel::sql_query(sql).get_result(conn).await.unwrap();
        counts.insert(name, counted.count);
    }
    // Beats of this instance.
    counts.remove("instances");
    counts
}

fn added(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    after
        .iter()
        .filter(|(name, count)| before[*name] != **count)
        .map(|(name, count)| (name.clone(), count - before[name]))
        .collect()
}

/// The rows of a table without what each has of its own.
async fn rows(conn: &mut Conn, table: &str) -> Vec<Value> {
    let sql = format!("SELECT to_jsonb(t) AS row FROM {}", of(table, OF_PLACING));
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).await.unwrap();
    let strip = |Row { mut row }: Row| {
        row.as_object_mut().unwrap().retain(|name, _| !OWN.contains(&name.as_str()));
        row
    };
    rows.into_iter().map(strip).collect()
}

async fn place(app: &TestApp, shop: &Shop, buyer: &Buyer, line: &Value) -> Uuid {
    let answer = app
        .client
        .post(format!("{}/v1/orders", app.url))
        .bearer_auth(&buyer.token)
        .header("Idempotency-Key", Uuid::now_v7().to_string())
        .json(&shop.body(line))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    let order: Value = answer.json().await.unwrap();
    let id: kindred::types::id::OrderId = order["id"].as_str().unwrap().parse().unwrap();
    id.0
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
}

async fn article(conn: &mut Conn, variant: Uuid, order: Uuid) -> Article {
    let pools: Vec<Claimed> = diesel::sql_query("SELECT pool_id FROM claims WHERE order_id = $1")
        .bind::<SqlUuid, _>(order)
        .load(conn)
        .await
        .unwrap();
    Article { variant, pools: pools.into_iter().map(|claimed| claimed.pool_id).collect() }
}

#[actix_web::test]
async fn the_limit_writes_row_for_row_what_placing_writes() {
    let app = TestApp::spawn().await;
    let mut conn = db::establish(app.database_url()).await.unwrap();
    let shop = Shop::seed(&mut conn, app.app.clock.now()).await.unwrap();
    for (line, variant, is_capped) in
        [(shop.hot_line(), shop.hot, true), (shop.spread_line(0), shop.products[0], false)]
    {
        let buyers = shop.buyers(&mut conn, 8).await.unwrap();
        let (ours, theirs) = buyers.split_at(4);
        let before = counts(&mut conn, OF_PLACING).await;
        let mut pattern = Uuid::nil();
        for buyer in ours {
            pattern = place(&app, &shop, buyer, &line).await;
        }
        let between = counts(&mut conn, OF_PLACING).await;
        let articles = [article(&mut conn, variant.0, pattern).await];
        let due_at = app.app.clock.now() + TimeDelta::days(1);
        let orders = Placing { pattern, buyers: theirs, articles: &articles, is_capped, due_at };
        placing::place(&app.app.pool, &orders, 3).await.unwrap();
        let after = counts(&mut conn, OF_PLACING).await;
        let (by_us, by_hand) = (added(&before, &between), added(&between, &after));
        assert_eq!(by_us, by_hand);
        assert_eq!(by_us.contains_key("drop_purchases"), is_capped);
        assert_eq!(by_us["claims"], if is_capped { 8 } else { 4 });
    }
    for table in WRITTEN {
        let mut rows = rows(&mut conn, table).await;
        rows.sort_by_key(Value::to_string);
        // Half of them are kindred's, half the limit's: of each kind of row there are as many as of the other.
        let mut kinds = BTreeMap::<String, usize>::new();
        rows.iter().for_each(|row| *kinds.entry(row.to_string()).or_default() += 1);
        assert!(kinds.values().all(|count| count % 8 == 0), "{table}: {kinds:#?}");
    }
    // What was written by hand is as sound as what was placed.
    app.check().await;
}

/// Columns whose values are each row's own, beside ids and times.
const OF_EACH: [&str; 16] = [
    "id",
    "code",
    "number",
    "sequence",
    "cause",
    "to_address",
    "email",
    "url",
    "key",
    "payload",
    "data",
    "buyer",
    "content",
    "stripe_session_id",
    "stripe_payment_intent_id",
    "stripe_charge_id",
];

/// The rows of a table; of what is each row's own it is told whether it is there, and of an object its fields.
async fn shapes(conn: &mut Conn, table: &str) -> Vec<Value> {
    let sql = format!("SELECT to_jsonb(t) AS row FROM {}", of(table, OF_SETTLING));
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).await.unwrap();
    let is_own = |name: &str, value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let is_id_or_time = Uuid::parse_str(text).is_ok() || DateTime::parse_from_rfc3339(text).is_ok();
        is_id_or_time || (OF_EACH.contains(&name) && !value.is_null())
    };
    let shape = |Row { mut row }: Row| {
        for (name, value) in
            row.as_object_mut().unwrap().iter_mut().filter(|(name, value)| is_own(name, value))
        {
            let fields = value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
            *value = fields.map_or_else(|| format!("{name} of its own").into(), Value::from);
        }
        row
    };
    rows.into_iter().map(shape).collect()
}

/// Memberships that were ordered and paid; Stripe's events of it have not come.
async fn paid(sale: &Sale, shop: &Shop, buyers: &[Buyer]) -> Vec<Paid> {
    for buyer in buyers {
        place(&sale.app, shop, buyer, &shop.drive_line()).await;
    }
    sale.settle().await;
    let pages: Vec<Named> = diesel::sql_query("SELECT url AS name FROM payments WHERE state = 'ready'")
        .load(&mut *sale.app.conn().await)
        .await
        .unwrap();
    for Named { name } in pages {
        let form = [("action", "pay_unseen"), ("method", "wechat_pay")];
        assert_eq!(sale.app.client.post(name).form(&form).send().await.unwrap().status(), 303);
    }
    let url = format!("{}/v1/events?type=checkout.session.completed&limit=100", sale.stripe.url);
    let listed = sale.app.client.get(url).bearer_auth("sk_test_simulated").send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    let events: Vec<Paid> = listed["data"].as_array().unwrap().iter().filter_map(Paid::read).collect();
    assert_eq!(events.len(), buyers.len());
    events
}

/// Both sides to their end: with the invoices, stages and mails that follow.
#[actix_web::test]
async fn the_limit_settles_row_for_row_what_settling_settles() {
    let sale = Sale::open().await;
    let app = &sale.app;
    let mut conn = db::establish(app.database_url()).await.unwrap();
    let shop = Shop::seed(&mut conn, app.app.clock.now()).await.unwrap();
    let buyers = shop.buyers(&mut conn, 8).await.unwrap();
    let mut ours = paid(&sale, &shop, &buyers).await;
    let theirs = ours.split_off(4);
    let before = counts(&mut conn, OF_SETTLING).await;
    for event in ours {
        let secret = WEBHOOK_SECRET.to_owned();
        let signature = sign(&event.payload, app.app.clock.now().timestamp(), &[&secret]);
        let hook = app.client.post(format!("{}/v1/stripe/webhooks", app.url)).body(event.payload);
        assert_eq!(hook.header("Stripe-Signature", signature).send().await.unwrap().status(), 200);
    }
    app.drain().await;
    let between = counts(&mut conn, OF_SETTLING).await;
    let settled = Settling::of(&mut conn, theirs, app.app.clock.now() + TimeDelta::days(1)).await.unwrap();
    settling::settle(&app.app.pool, &settled, 3).await.unwrap();
    settled.hand_over(&mut conn).await.unwrap();
    app.drain().await;
    let after = counts(&mut conn, OF_SETTLING).await;
    let (by_us, by_hand) = (added(&before, &between), added(&between, &after));
    assert_eq!(by_us, by_hand);
    assert_eq!((by_us["member_numbers"], by_us["mails"], by_us["invoices"]), (4, 8, 4));
    let changed = ["orders", "order_lines", "payments", "claims"];
    for table in by_us.keys().map(String::as_str).chain(changed) {
        let mut kinds = BTreeMap::<String, usize>::new();
        shapes(&mut conn, table).await.iter().for_each(|row| *kinds.entry(row.to_string()).or_default() += 1);
        assert!(kinds.values().all(|count| count % 8 == 0), "{table}: {kinds:#?}");
    }
    app.check().await;
}

#[actix_web::test]
async fn the_limit_copies_coupons_as_they_are_issued() {
    let app = TestApp::spawn().await;
    let (pool, now) = (&app.app.pool, app.app.clock.now());
    let mut conn = db::establish(app.database_url()).await.unwrap();
    let campaign = json!({
        "code": "bench", "names": { "zh-CN": "券", "en": "Coupon" }, "class": "product",
        "benefit": { "kind": "amount", "off": { "amount": 1_000, "currency": "CNY" } },
    });
    let campaign = serde_json::from_value(campaign).unwrap();
    let campaign = campaigns::create(pool, Actor::System, &campaign, "CNY", now).await.unwrap().id;
    let asked = NewIssue { quantity: 5, prefix: None, length: None, expires_at: None };
    let (ours, _) = coupons::issue(pool, Actor::System, campaign, &asked, None, now).await.unwrap();
    app.drain().await;
    let theirs = Issue { id: CouponIssueId::new(), made: 5, ended_at: Some(now), ..ours };
    insert_issue(&mut conn, &theirs).await.unwrap();
    let (client, connection) =
        tokio_postgres::connect(app.database_url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let copied = issuing::copy(&client, issuing::ready(&theirs, now).unwrap()).await.unwrap();
    assert_eq!(copied, 5);
    let rows = shapes(&mut conn, "coupons").await;
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|row| row == &rows[0]), "{rows:#?}");
    drop(client);
    connection.await.unwrap().unwrap();
    app.check().await;
}

/// The whole of it at a hundredth: it ends, everything it names was measured, and nothing went wrong.
#[actix_web::test]
async fn a_small_run_measures_everything_and_is_sound() {
    let out = std::env::temp_dir().join(format!("kindred-bench-test-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let doc = out.join("page.md");
    std::fs::write(&doc, "# A page\n<!-- bench: begin -->\n<!-- bench: end -->\n").unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_kindred"))
        .args(["bench", "--scale", "0.01", "--json", "--out"])
        .arg(&out)
        .arg("--data")
        .arg(out.join("data"))
        .arg("--doc")
        .arg(&doc)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in [
        "place_hot",
        "place_spread",
        "place_single",
        "rush_gain",
        "p99_over_p50",
        "overload",
        "catalog",
        "signed_in_read",
        "settle",
        "second_instance",
        "coupons_issue",
        "growth_min",
    ] {
        assert!(report["ratios"][name].as_f64().unwrap() > 0.0, "{name}: {report}");
    }
    assert_eq!((&report["oversold"], &report["checks_failed"]), (&Value::from(0), &json!([])));
    assert!(report["rss_mb"]["idle"].as_f64().unwrap() > 1.0);
    assert!(report["bytes_per_order"].as_i64().unwrap() > 500);
    assert!(report["overload"]["accepted_per_s"].as_f64().unwrap() > 0.0);
    let written = std::fs::read_to_string(out.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["ratios"], report["ratios"]);
    let page = std::fs::read_to_string(&doc).unwrap();
    assert!(page.starts_with("# A page") && page.contains("| `overload` |"), "{page}");
    for name in ["ratios.svg", "latency.svg"] {
        assert!(page.contains(&format!("(plots/{name})")), "{page}");
        let plot = std::fs::read_to_string(out.join("plots").join(name)).unwrap();
        assert_eq!(plot, std::fs::read_to_string(out.join(name)).unwrap());
        let drawn = roxmltree::Document::parse(&plot).unwrap();
        assert!(
            drawn.descendants().any(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "rect"))),
            "{plot}"
        );
    }
    let latency = std::fs::read_to_string(out.join("latency.svg")).unwrap();
    let p99 = report["latency_ms"]["p99"].as_f64().unwrap();
    assert!(latency.contains(&format!("{p99} ms")), "{latency}");
    std::fs::remove_dir_all(out).unwrap();
}
