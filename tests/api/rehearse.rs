//! Rehearsals at a small scale, with the built program; and with each guard broken on purpose, which they must notice.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// What a rehearsal printed, and how it ended.
pub struct Rehearsed {
    pub is_success: bool,
    pub report: Value,
    pub log: String,
}

/// Rehearses with these options. `broken` is run on the rehearsal's database before its instances start.
pub async fn rehearse(name: &str, options: &[&str], broken: Option<&str>) -> Rehearsed {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kindred"))
        .args(["rehearse", name, "--json"])
        .args(options)
        .env("KINDRED_LOG", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut lines = BufReader::new(stderr).lines();
    let (mut log, mut is_broken) = (String::new(), false);
    while let Some(line) = lines.next_line().await.unwrap() {
        if let (Some(database), Some(sql)) = (announced_database(&line), broken) {
            let (client, connection) =
                tokio_postgres::connect(database, tokio_postgres::NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
            is_broken = true;
        }
        log.push_str(&line);
        log.push('\n');
    }
    assert_eq!(is_broken, broken.is_some(), "the guard was not broken: {log}");
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    let is_success = child.wait().await.unwrap().success();
    Rehearsed { is_success, report: serde_json::from_str(&text).unwrap_or_default(), log }
}

/// The database's URL, in the log line that says that it is ready.
fn announced_database(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("the rehearsal's database is ready")?;
    let (_, url) = rest.split_once("database=\"")?;
    url.split_once('"').map(|(url, _)| url)
}

impl Rehearsed {
    #[track_caller]
    fn passed(&self, sold: Value, revenue_minor: i64) {
        assert!(self.is_success && self.report["passed"] == true, "{}\n{}", self.report, self.log);
        assert_eq!(self.report["sold"], sold);
        assert_eq!(self.report["revenue"], json!({ "amount": revenue_minor, "currency": "CNY" }));
        for nothing in ["oversold", "number_gaps", "lost", "doubled", "checks_failed"] {
            assert_eq!(self.report[nothing], 0, "{nothing}");
        }
    }

    /// All but what was cancelled went out once and was told of once; what came back is on sale again, and paid back.
    #[track_caller]
    fn came_to_the_door(
        &self,
        sold: i64,
        cancelled: i64,
        returned: i64,
        refunded_minor: std::ops::RangeInclusive<i64>,
    ) {
        let of = |name: &str| self.report["fulfilment"][name].as_i64().unwrap();
        let sent = sold - cancelled;
        assert_eq!(
            (of("to_send"), of("parcels"), of("shipped_mails")),
            (sent, sent, sent),
            "{}",
            self.report
        );
        let back = (of("cancelled"), of("returned"), of("restocked"));
        assert_eq!(back, (cancelled, returned, returned), "{}", self.report);
        assert!(of("pick_lists") > 1, "{}", self.report);
        let refunded = &self.report["fulfilment"]["refunded"];
        assert!(refunded_minor.contains(&refunded["amount"].as_i64().unwrap()), "{}", self.report);
        assert_eq!(refunded["currency"], "CNY");
    }

    #[track_caller]
    fn failed_by(&self, figure: &str) {
        assert!(!self.is_success && self.report["passed"] == false, "{}\n{}", self.report, self.log);
        assert!(self.report[figure].as_i64().unwrap() > 0, "{figure}: {}\n{}", self.report, self.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_sale_sells_out_once_and_reports_by_the_contract() {
    let rehearsed =
        rehearse("luoji-2013", &["--scale", "0.02", "--buyers", "200", "--concurrency", "24"], None).await;
    rehearsed.passed(json!({ "diehard": 10, "regular": 100 }), 3_200_000);
    let report = rehearsed.report.as_object().unwrap();
    let fields = [
        "name",
        "seconds",
        "buyers",
        "orders",
        "sold",
        "revenue",
        "oversold",
        "number_gaps",
        "lost",
        "doubled",
        "latency_ms",
        "throughput_per_s",
        "checks_failed",
        "passed",
    ];
    assert!(report.keys().all(|name| fields.contains(&name.as_str())) && report.len() == fields.len());
    assert_eq!((&report["name"], &report["buyers"]), (&"luoji-2013".into(), &200.into()));
    assert!(report["orders"].as_i64().unwrap() >= 110);
    for name in ["p50", "p90", "p99", "max"] {
        assert!(report["latency_ms"][name].as_f64().unwrap() > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_and_a_killed_instance_lose_nothing() {
    let options =
        ["--scale", "0.02", "--buyers", "200", "--concurrency", "24", "--instances", "2", "--chaos"];
    let rehearsed = rehearse("luoji-2013", &options, None).await;
    rehearsed.passed(json!({ "diehard": 10, "regular": 100 }), 3_200_000);
    assert!(rehearsed.log.contains("killed the database"), "{}", rehearsed.log);
    assert!(rehearsed.log.contains("killed an instance"), "{}", rehearsed.log);
}

/// Members alone are let in, diehard ones first; nobody else, and no box twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_book_box_goes_to_members_once_each_with_two_instances_and_chaos() {
    let options =
        ["--scale", "0.01", "--buyers", "140", "--concurrency", "24", "--instances", "2", "--chaos"];
    let rehearsed = rehearse("book-box-2014", &options, None).await;
    rehearsed.passed(json!({ "BOX-2014": 80 }), 3_992_000);
    rehearsed.came_to_the_door(80, 1, 2, 149_700..=149_700);
    assert!(rehearsed.log.contains("killed an instance while parcels went out"), "{}", rehearsed.log);
    assert!(
        rehearsed.log.contains("members_only") && rehearsed.log.contains("not_open"),
        "{}",
        rehearsed.log
    );
}

/// Who has an F-code is refused nothing, however many come.
#[tokio::test(flavor = "multi_thread")]
async fn the_festival_keeps_what_its_codes_promise() {
    let rehearsed =
        rehearse("mi-fan-festival", &["--scale", "0.02", "--buyers", "150", "--concurrency", "24"], None)
            .await;
    rehearsed.passed(json!({ "PHONE": 52, "PHONE-PRO": 32 }), 8_240_000);
    rehearsed.came_to_the_door(84, 1, 2, 180_000..=480_000);
}

/// As without the pool's lock: of two that hold at once, one overwrites what the other wrote.
const NO_LOCK: &str = "
    ALTER TABLE pools DROP CONSTRAINT pools_within_capacity;
    CREATE FUNCTION lose_update() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.held := LEAST(NEW.held, OLD.held);
        RETURN NEW;
    END $$;
    CREATE TRIGGER lose_update BEFORE UPDATE ON pools FOR EACH ROW EXECUTE FUNCTION lose_update();";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_rehearsal_sees_places_sold_beyond_the_quota() {
    let rehearsed = rehearse("luoji-2013", &["--scale", "0.01", "--buyers", "100"], Some(NO_LOCK)).await;
    rehearsed.failed_by("oversold");
    rehearsed.failed_by("checks_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_rush_meets_its_limits_exactly_with_two_instances_and_chaos() {
    let options =
        ["--scale", "0.02", "--buyers", "300", "--concurrency", "24", "--instances", "2", "--chaos"];
    let rehearsed = rehearse("coupon-rush", &options, None).await;
    rehearsed.passed(json!({ "coupon-rush": 80 }), 400_000);
    let coupons = &rehearsed.report["coupons"];
    assert_eq!(
        (&coupons["codes"], &coupons["given_out"], &coupons["used"]),
        (&json!(20_000), &json!(100), &json!(80))
    );
    assert_eq!((&coupons["discount"], &coupons["budget"]["amount"]), (&coupons["budget"], &json!(400_000)));
    assert!(coupons["times_copy"].as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_rehearsal_sees_a_budget_passed() {
    let rehearsed = rehearse("coupon-rush", &["--scale", "0.01", "--buyers", "120"], Some(NO_LOCK)).await;
    rehearsed.failed_by("oversold");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_rehearsal_sees_goods_sold_beyond_the_drop() {
    let rehearsed = rehearse("mi-fan-festival", &["--scale", "0.01", "--buyers", "100"], Some(NO_LOCK)).await;
    rehearsed.failed_by("oversold");
    rehearsed.failed_by("checks_failed");
}

/// As where the mail of a parcel is forgotten.
const NO_MAIL: &str = "
    CREATE FUNCTION forget_mail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RETURN NULL;
    END $$;
    CREATE TRIGGER lose_mails BEFORE INSERT ON mails FOR EACH ROW WHEN (NEW.kind = 'shipped') EXECUTE FUNCTION forget_mail();";

#[tokio::test(flavor = "multi_thread")]
async fn parcels_of_which_nobody_is_told_do_not_pass() {
    let rehearsed = rehearse("mi-fan-festival", &["--scale", "0.01", "--buyers", "100"], Some(NO_MAIL)).await;
    assert!(!rehearsed.is_success && rehearsed.report["passed"] == false, "{}", rehearsed.log);
    assert_eq!(rehearsed.report["fulfilment"]["shipped_mails"], 0, "{}", rehearsed.report);
    assert!(rehearsed.log.contains("mails of parcels: 0, expected"), "{}", rehearsed.log);
}

/// As without the unique key, nor the rules that would stop a second order of one person for another reason.
const NO_KEY: &str = "
    ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER forget BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION forget();
    CREATE TRIGGER forget BEFORE INSERT ON series_places FOR EACH ROW EXECUTE FUNCTION forget();
    CREATE FUNCTION not_one_pending() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.has_membership := false;
        RETURN NEW;
    END $$;
    CREATE TRIGGER not_one_pending BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION not_one_pending();";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_unique_key_the_rehearsal_sees_two_orders_of_one_key() {
    // More places than buyers: who sends his order again is not refused because all is sold.
    let rehearsed = rehearse("luoji-2013", &["--scale", "0.05", "--buyers", "150"], Some(NO_KEY)).await;
    rehearsed.failed_by("doubled");
}

#[tokio::test]
async fn what_cannot_be_rehearsed_is_an_error_without_a_report() {
    for options in [["--scale", "0"], ["--instances", "0"], ["--buyers", "0"]] {
        let rehearsed = rehearse("luoji-2013", &options, None).await;
        assert!(!rehearsed.is_success && rehearsed.report.is_null(), "{options:?}: {}", rehearsed.log);
    }
}
