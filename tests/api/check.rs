//! `kindred check`: it holds on a shop in which everything has happened, and each way to break an invariant breaks that
//! check and no other.

mod associates;
mod benefits;
mod breakages;
mod chapters;
mod community;
mod credit;
mod gifts;
mod giving;
mod levels;
mod notices;
mod partners;
mod points;
mod renewals;
mod upgrade_offers;

use std::collections::BTreeSet;

use breakages::{BREAKAGES, Named};
use chrono::{DateTime, Utc};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use kindred::audit::{self, Actor, Entry};
use kindred::check::{self, Check};
use kindred::db::{self, Conn};
use kindred::ports::clock::Clock;
use serde_json::json;

use crate::support::database::TestDatabase;

const SHOP: &str = include_str!("check/shop.sql");

fn shop_time() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

/// A database with the shop of `check/shop.sql` and rows of the audit log.
async fn shop() -> (TestDatabase, Conn) {
    let database = TestDatabase::create().await;
    let mut conn = db::establish(database.url()).await.unwrap();
    conn.batch_execute(SHOP).await.unwrap();
    for (action, subject_id) in [
        // Its frozen time was given back.
        ("membership.resume", ext(&mut conn, "mem", "pia membership").await),
        ("drive.create", "drv_1".to_owned()),
        ("organiser.approve", ext(&mut conn, "orgn", "bob organiser").await),
        ("measure.take", ext(&mut conn, "meas", "warned").await),
        ("measure.take", ext(&mut conn, "meas", "suspended").await),
        ("measure.take", ext(&mut conn, "meas", "expelled").await),
        ("refund.create", "ord_1".to_owned()),
    ] {
        record(&mut conn, action, subject_id).await;
    }
    (database, conn)
}

fn failed(checks: &[Check]) -> Vec<&'static str> {
    checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

/// The checks that fail after `breakage`, which is rolled back.
async fn after(conn: &mut Conn, breakage: &str) -> Vec<Check> {
    conn.batch_execute(&format!("BEGIN; {breakage}"))
        .await
        .unwrap_or_else(|error| panic!("{breakage}: {error}"));
    let checks = check::recompute(conn, shop_time()).await.unwrap();
    conn.batch_execute("ROLLBACK").await.unwrap();
    checks
}

#[tokio::test]
async fn a_new_database_and_a_shop_at_work_pass() {
    let database = TestDatabase::create().await;
    let mut conn = db::establish(database.url()).await.unwrap();
    let report = check::run(&mut conn, &Clock::real()).await.unwrap();
    assert!(report.ok, "{report}");
    let (_database, mut conn) = shop().await;
    assert_eq!(failed(&after(&mut conn, "").await), [""; 0], "{:#?}", after(&mut conn, "").await);
    let report = check::run(&mut conn, &Clock::real()).await.unwrap();
    assert!(report.ok, "{report}");
    assert!(report.checks.iter().all(|check| check.rows == 0 && !check.detail.is_empty()));
}

#[tokio::test]
async fn each_breakage_fails_its_checks_and_no_other() {
    let (_database, mut conn) = shop().await;
    let mut broken = BTreeSet::new();
    let mut wrong = Vec::new();
    let all = BREAKAGES
        .iter()
        .chain(associates::BREAKAGES)
        .chain(benefits::BREAKAGES)
        .chain(chapters::BREAKAGES)
        .chain(community::BREAKAGES)
        .chain(notices::BREAKAGES)
        .chain(credit::BREAKAGES)
        .chain(gifts::BREAKAGES)
        .chain(giving::BREAKAGES)
        .chain(partners::BREAKAGES)
        .chain(points::BREAKAGES)
        .chain(levels::BREAKAGES)
        .chain(renewals::BREAKAGES)
        .chain(upgrade_offers::BREAKAGES);
    for breakage in all {
        let checks = after(&mut conn, breakage.sql).await;
        let mut expected = breakage.fails.to_vec();
        expected.sort_unstable();
        let mut found = failed(&checks);
        found.sort_unstable();
        if found != expected {
            wrong.push(format!("{}\n  breaks {found:?}, not {expected:?}", breakage.sql));
            continue;
        }
        let check = checks.iter().find(|check| check.name == breakage.fails[0]).unwrap();
        let named = match breakage.names {
            Named::Id(prefix, name) => ext(&mut conn, prefix, name).await,
            Named::Word(word) => word.to_owned(),
        };
        if check.rows == 0 || !check.detail.contains(&named) {
            wrong.push(format!("{}\n  doesn't name {named}: {check:?}", breakage.sql));
        }
        broken.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<_> = after(&mut conn, "").await.iter().map(|check| check.name).collect();
    assert_eq!(broken, known, "a check that nothing breaks proves nothing");
}

#[tokio::test]
async fn at_most_ten_offenders_are_named() {
    let (_database, mut conn) = shop().await;
    let checks = after(&mut conn, "DELETE FROM idempotency_keys").await;
    let check = checks.iter().find(|check| check.name == "orders_have_keys").unwrap();
    assert_eq!((check.rows, check.detail.matches("ord_").count()), (36, 10));
    assert!(check.detail.ends_with(", …"));
}

#[tokio::test]
async fn the_command_prints_the_report_and_exits_by_it() {
    let (database, mut conn) = shop().await;
    let (code, said, _) = command(&database, &["--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["ok"]), (0, &json!(true)));

    conn.batch_execute("UPDATE pools SET held = held + 1 WHERE id = u('regular drive pool')").await.unwrap();
    let (code, said, _) = command(&database, &["--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["ok"]), (1, &json!(false)));
    let first = &report["checks"][0];
    assert_eq!(
        (&first["name"], &first["ok"], &first["rows"]),
        (&json!("pools_held"), &json!(false), &json!(1))
    );
    let (code, said, _) = command(&database, &[]).await;
    assert_eq!(code, 1);
    assert!(said.starts_with("FAIL  pools_held (1): ") && said.contains("\nok    pools_taken: "), "{said}");

    conn.batch_execute("DROP TABLE __diesel_schema_migrations").await.unwrap();
    let (code, said, logged) = command(&database, &["--json"]).await;
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(logged.contains("kindred migrate"), "{logged}");
}

/// Exit code, standard output and standard error of `kindred check`.
async fn command(database: &TestDatabase, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kindred"));
    command.arg("check").args(arguments).env_clear().env("DATABASE_URL", database.url());
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Orders are placed, paid, cancelled and told of in the audit log, a transaction each, while checks run: none ever sees
/// half of one. (The chain of the audit log is read in several statements; without one snapshot this test fails.)
#[tokio::test(flavor = "multi_thread")]
async fn it_holds_at_any_moment_under_load() {
    let (database, mut conn) = shop().await;
    let buyers: Vec<_> = (0..3)
        .map(|buyer| {
            let url = database.url().to_owned();
            tokio::spawn(async move { buy(&url, buyer).await })
        })
        .collect();
    let mut looked = 0;
    while !buyers.iter().all(tokio::task::JoinHandle::is_finished) {
        let report = check::run(&mut conn, &Clock::real()).await.unwrap();
        assert!(report.ok, "{report}");
        looked += 1;
    }
    for buyer in buyers {
        buyer.await.unwrap();
    }
    assert!(looked > 1, "the checks came too late: the test showed nothing");
}

/// Thirty orders, of which every tenth is paid.
async fn buy(url: &str, buyer: u32) {
    let mut conn = db::establish(url).await.unwrap();
    for round in 0..30 {
        let end = match round % 10 {
            3 => "capture($n || ' payment 1'), settle($n)",
            _ => "close($n, 'cancelled')",
        };
        for step in ["place($n, 'regular plan', 'regular drive', NULL, 20000)", "ready($n)", end] {
            let name = format!("'buyer {buyer} {round}'");
            let sql = format!("SELECT {step}").replace("$n", &name);
            db::transaction_on(&mut conn, async |conn| {
                conn.batch_execute(&sql).await?;
                record(conn, "test.step", name.clone()).await;
                Ok(())
            })
            .await
            .unwrap();
        }
    }
}

/// Writes a row of the audit log.
async fn record(conn: &mut Conn, action: &str, subject_id: String) {
    let entry = Entry {
        actor: Actor::System,
        action,
        subject_kind: "test",
        subject_id,
        reason: Some("因为"),
        detail: json!({"b": 1, "amount": {"currency": "CNY", "amount": 5_000}, "rate": 0.1}),
    };
    audit::record(conn, shop_time(), entry).await.unwrap();
}

async fn ext(conn: &mut Conn, prefix: &str, name: &str) -> String {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        ext: String,
    }
    let row: Row = diesel::sql_query("SELECT ext($1, $2) AS ext")
        .bind::<diesel::sql_types::Text, _>(prefix)
        .bind::<diesel::sql_types::Text, _>(name)
        .get_result(conn)
        .await
        .unwrap();
    row.ext
}
