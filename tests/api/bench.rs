//! The bench measures what it says: the limit's SQL writes row for row what placing writes, and a small run of all of it is
//! sound.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use kindred::db::{self, Conn};
use kindred::dev::bench::limit::{self, Article, Placing};
use kindred::dev::bench::shop::{Buyer, Shop};
use serde_json::Value;
use uuid::Uuid;

use crate::support::TestApp;

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

/// A table; of jobs those that placing queues, since others come and go by themselves.
fn of_placing(table: &str) -> String {
    match table {
        "jobs" => "(SELECT * FROM jobs WHERE kind = 'open_checkout') AS t".to_owned(),
        table => format!("{table} AS t"),
    }
}

async fn counts(conn: &mut Conn) -> BTreeMap<String, i64> {
    let tables: Vec<Named> = diesel::sql_query(
        "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .load(conn)
    .await
    .unwrap();
    let mut counts = BTreeMap::new();
    for Named { name } in tables {
        let sql = format!("SELECT count(*) AS count FROM {}", of_placing(&name));
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
    let sql = format!("SELECT to_jsonb(t) AS row FROM {}", of_placing(table));
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
        let before = counts(&mut conn).await;
        let mut pattern = Uuid::nil();
        for buyer in ours {
            pattern = place(&app, &shop, buyer, &line).await;
        }
        let between = counts(&mut conn).await;
        let articles = [article(&mut conn, variant.0, pattern).await];
        let due_at = app.app.clock.now() + TimeDelta::days(1);
        let placing = Placing { pattern, buyers: theirs, articles: &articles, is_capped, due_at };
        limit::place(&app.app.pool, &placing, 3).await.unwrap();
        let after = counts(&mut conn).await;
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
    ] {
        assert!(report["ratios"][name].as_f64().unwrap() > 0.0, "{name}: {report}");
    }
    assert_eq!((&report["oversold"], &report["checks_failed"]), (&Value::from(0), &serde_json::json!([])));
    assert!(report["settled_per_s"]["median"].as_f64().unwrap() > 0.0);
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
