//! Three years of a small club, with the built program; and with guards broken on purpose, which the rehearsal must notice.

use serde_json::{Value, json};

use crate::rehearse::{Rehearsed, rehearse};

/// One of each life.
const ROUND: &str = "56";

impl Rehearsed {
    fn of(&self, figure: &str) -> i64 {
        self.report
            .pointer(figure)
            .and_then(Value::as_i64)
            .unwrap_or_else(|| panic!("{figure}: {}", self.report))
    }

    /// One round of lives has been led, and nothing was lost, free or there twice.
    #[track_caller]
    fn was_lived(&self) {
        assert!(self.is_success && self.report["passed"] == true, "{}\n{}", self.report, self.log);
        for nothing in ["/number_gaps", "/lost", "/free", "/doubled", "/checks_failed"] {
            assert_eq!(self.of(nothing), 0, "{nothing}");
        }
        assert_eq!((self.of("/people"), self.of("/joined")), (56, 50));
        assert!(self.of("/days") >= 3 * 365 + 13 && self.of("/leaps") > 2, "{}", self.report);
        assert_eq!((self.of("/upgraded"), self.of("/downgraded"), self.of("/cancelled")), (4, 1, 2));
        assert_eq!((self.of("/rested"), self.of("/moved"), self.of("/refunds")), (2, 1, 3));
        let gifts = json!({ "bought": 5, "redeemed": 3, "refunded": 2, "expired": 1 });
        assert_eq!(self.report["gifts"], gifts, "{}", self.report);
        assert_eq!((self.of("/associates"), self.of("/associates_left")), (2, 1));
        // Three lives have too little on their card once, and four need their owner.
        assert_eq!(self.of("/recovered"), 7, "{}", self.report);
        assert!(self.of("/charges_failed") >= 3 + 2 * 2 + 2 + 3, "{}", self.report);
        let renewed = self.of("/renewed_by_card") + self.of("/renewed_by_link");
        assert!(self.of("/renewed_by_card") > 80 && self.of("/renewed_by_link") > 20, "{}", self.report);
        // Whoever joins, goes on, upgrades or gives, pays for it; everybody has a receipt.
        assert_eq!(self.of("/orders"), self.of("/joined") + renewed + 4 + 5, "{}", self.report);
        let revenue = self.of("/captured/amount") - self.of("/refunded/amount");
        assert_eq!(self.of("/revenue/amount"), revenue);
        assert_eq!(self.of("/refunded/amount"), 3 * 20_000);
    }

    #[track_caller]
    fn was_seen_through(&self, figure: &str) {
        assert!(!self.is_success && self.report["passed"] == false, "{}\n{}", self.report, self.log);
        assert!(self.of(figure) > 0, "{figure}: {}\n{}", self.report, self.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_years_are_paid_for_to_the_last_unit_and_no_end_is_forgotten() {
    rehearse("three-years", &["--buyers", ROUND], None).await.was_lived();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_years_outlast_what_is_killed() {
    let options = ["--buyers", ROUND, "--instances", "2", "--chaos"];
    let rehearsed = rehearse("three-years", &options, None).await;
    rehearsed.was_lived();
    for killed in [
        "killed the database",
        "killed an instance and started it again while people were in the shop",
        "killed an instance and started it again\n",
    ] {
        let line = rehearsed.log.lines().any(|line| format!("{line}\n").contains(killed));
        assert!(line, "{killed}: {}", rehearsed.log);
    }
}

/// As where the last renewal adds a day too much.
const A_DAY_FREE: &str = "
    CREATE FUNCTION add_day() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.ends_at := NEW.ends_at + interval '1 day';
        RETURN NEW;
    END $$;
    CREATE TRIGGER add_day BEFORE UPDATE ON memberships FOR EACH ROW
        WHEN (NEW.ends_at > OLD.starts_at + interval '1400 days') EXECUTE FUNCTION add_day();";

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_nobody_paid_for_is_seen() {
    let rehearsed = rehearse("three-years", &["--buyers", "1"], Some(A_DAY_FREE)).await;
    rehearsed.was_seen_through("/free");
    rehearsed.was_seen_through("/checks_failed");
}

/// As where nobody looks after the ends of terms.
const NO_RENEWALS: &str = "
    CREATE FUNCTION forget_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RETURN NULL;
    END $$;
    CREATE TRIGGER forget_job BEFORE INSERT ON jobs FOR EACH ROW WHEN (NEW.kind = 'renew') EXECUTE FUNCTION forget_job();";

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_forgotten_is_seen() {
    let rehearsed = rehearse("three-years", &["--buyers", "1"], Some(NO_RENEWALS)).await;
    rehearsed.was_seen_through("/lost");
}

/// As where a renewal costs a fen more than the plan.
const DEARER: &str = "
    CREATE FUNCTION charge_more() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.price_minor := 20001;
        NEW.told_minor := CASE WHEN NEW.told_minor IS NOT NULL THEN 20001 END;
        RETURN NEW;
    END $$;
    CREATE TRIGGER charge_more BEFORE INSERT OR UPDATE ON renewals FOR EACH ROW EXECUTE FUNCTION charge_more();";

#[tokio::test(flavor = "multi_thread")]
async fn one_minor_unit_too_much_is_seen() {
    let rehearsed = rehearse("three-years", &["--buyers", "1"], Some(DEARER)).await;
    rehearsed.was_seen_through("/doubled");
}
