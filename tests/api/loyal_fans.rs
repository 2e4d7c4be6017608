//! Two years of a small shop with its fans, with the built program; and with guards broken on purpose, which the rehearsal must
//! notice.

use serde_json::{Value, json};

use crate::rehearse::{Rehearsed, rehearse};

/// Three of each life.
const ROUNDS: &str = "60";
/// One of each.
const ROUND: &str = "20";
const WRONG: [&str; 6] =
    ["/wrong_points", "/wrong_levels", "/wrong_stages", "/wrong_money", "/overdrawn", "/doubled"];

fn of(report: &Value, figure: &str) -> i64 {
    report.pointer(figure).and_then(Value::as_i64).unwrap_or_else(|| panic!("{figure}: {report}"))
}

#[track_caller]
fn was_lived(rehearsed: &Rehearsed) {
    let Rehearsed { report, log, is_success } = rehearsed;
    assert!(*is_success && report["passed"] == true, "{report}\n{log}");
    for nothing in WRONG.iter().chain(&["/checks_failed"]) {
        assert_eq!(of(report, nothing), 0, "{nothing}");
    }
    // Of three who want it two get it.
    assert_eq!(
        (of(report, "/people"), of(report, "/offers_taken"), of(report, "/offers_missed")),
        (60, 2, 1)
    );
    assert_eq!((of(report, "/refunds"), of(report, "/referrals")), (9, 3));
    for some in ["/points/expired", "/points/reversed", "/points/owed", "/points/active", "/judgements/kept"]
    {
        assert!(of(report, some) > 0, "{some}: {report}");
    }
    // Whose level was paid back: twice in each round.
    assert_eq!(of(report, "/judgements/corrected"), 6, "{report}");
    assert!(of(report, "/judgements/dropped") > 10 && of(report, "/stages/fan") == 3, "{report}");
    let of_points = ["pending", "active", "spent", "expired", "reversed"];
    let sum: i64 = of_points.iter().map(|state| of(report, &format!("/points/{state}"))).sum();
    assert_eq!(sum, of(report, "/points/earned"));
    assert_eq!(report["levels"]["gold"], json!(2), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_years_of_fans_come_to_what_they_should() {
    was_lived(&rehearse("loyal-fans", &["--buyers", ROUNDS], None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_years_of_fans_outlast_what_is_killed() {
    let rehearsed = rehearse("loyal-fans", &["--buyers", ROUNDS, "--instances", "2", "--chaos"], None).await;
    was_lived(&rehearsed);
    for killed in [
        "killed the database",
        "killed an instance and started it again while people were in the shop",
        "killed an instance and started it again\n",
    ] {
        let line = rehearsed.log.lines().any(|line| format!("{line}\n").contains(killed));
        assert!(line, "{killed}: {}", rehearsed.log);
    }
}

/// With a trigger before each row that is written to a table.
async fn broken(table: &str, when: &str, change: &str) -> Rehearsed {
    let sql = format!(
        "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; RETURN NEW; END $$;
         CREATE TRIGGER break_it BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION break_it();"
    );
    let rehearsed = rehearse("loyal-fans", &["--buyers", ROUND], Some(&sql)).await;
    assert!(!rehearsed.is_success && rehearsed.report["passed"] == false, "{}", rehearsed.log);
    rehearsed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_lasts_too_long_is_seen() {
    let lasts = "NEW.expires_at := NEW.expires_at + interval '1 year'";
    let rehearsed = broken("points_lots", "NEW.expires_at IS NOT NULL AND NEW.expired = 0", lasts).await;
    assert!(of(&rehearsed.report, "/wrong_points") > 0, "{}", rehearsed.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_never_held_is_seen() {
    let rehearsed =
        broken("account_levels", "NEW.due_at IS NOT NULL", "NEW.due_at := NEW.due_at + interval '9 years'")
            .await;
    assert!(of(&rehearsed.report, "/wrong_levels") > 0, "{}", rehearsed.report);
}
