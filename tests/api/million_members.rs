//! A walk over everybody and the reviews of a year, small, with the built program; and with a guard broken on purpose.

use serde_json::Value;

use crate::rehearse::rehearse;

/// More than two parts of what is looked at together.
const PEOPLE: &str = "5000";

fn of(report: &Value, figure: &str) -> i64 {
    report.pointer(figure).and_then(Value::as_i64).unwrap_or_else(|| panic!("{figure}: {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_looked_at_and_reviewed_once_whatever_is_killed() {
    let rehearsed = rehearse("million-members", &["--buyers", PEOPLE, "--chaos"], None).await;
    let report = &rehearsed.report;
    assert!(rehearsed.is_success && report["passed"] == true, "{report}\n{}", rehearsed.log);
    assert_eq!((of(report, "/people"), of(report, "/wrong"), of(report, "/doubled")), (5_000, 0, 0));
    assert!(of(report, "/walk/interrupted") > 0 && of(report, "/review/interrupted") > 0, "{report}");
    assert_eq!(of(report, "/kept") + of(report, "/dropped"), of(report, "/raised"), "{report}");
    // Where nobody moves there is little to do: three parts, and one that finds nothing.
    assert!(of(report, "/second_walk/statements") < 60, "{report}");
}

/// As where whoever reaches a level is entered with the lowest one.
const ALL_SILVER: &str = "
    CREATE FUNCTION lower_level() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.level_id := (SELECT id FROM levels ORDER BY rank LIMIT 1);
        RETURN NEW;
    END $$;
    CREATE TRIGGER lower_level BEFORE INSERT ON account_levels FOR EACH ROW
        WHEN (NEW.level_id IS NOT NULL) EXECUTE FUNCTION lower_level();";

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_is_entered_wrong_is_seen() {
    let rehearsed = rehearse("million-members", &["--buyers", "20000"], Some(ALL_SILVER)).await;
    assert!(!rehearsed.is_success && rehearsed.report["passed"] == false, "{}", rehearsed.log);
    assert!(of(&rehearsed.report, "/wrong") > 0 && of(&rehearsed.report, "/checks_failed") > 0);
}
