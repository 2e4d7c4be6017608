//! When an occasion counts.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::Occasion;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What coupons are given for.
    OccasionEvent {
        /// An account's address is verified for the first time.
        SignUp = "sign_up",
        /// Once a year, on the day.
        Birthday = "birthday",
        /// The n-th order that an account paid.
        NthOrder = "nth_order",
        /// A trial is about to end, and nothing was bought.
        TrialEnding = "trial_ending",
    }
}

/// Birthdays of the last days are made up for, where the shop stood still on the day itself.
pub const MADE_UP_DAYS: i64 = 6;

/// Does the rule count what happens now?
pub fn is_open(of: &Occasion, now: DateTime<Utc>) -> bool {
    of.ended_at.is_none() && of.starts_at <= now && of.ends_at.is_none_or(|end| now < end)
}

/// The birthdays, as `06-17`, that are kept on a day. Who was born on a 29 February keeps it on the 28th in other years.
pub fn kept_on(day: NaiveDate) -> Vec<String> {
    let mut kept = vec![day.format("%m-%d").to_string()];
    if day.month() == 2 && day.day() == 28 && !day.leap_year() {
        kept.push("02-29".to_owned());
    }
    kept
}

/// The days whose birthdays are looked at now: today in the shop's zone and the few before it, none of them before the rule.
pub fn days(of: &Occasion, zone: Tz, now: DateTime<Utc>) -> Vec<NaiveDate> {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let (today, first) = (local(now), local(of.starts_at));
    let back = (0..=MADE_UP_DAYS).filter_map(|days| today.checked_sub_signed(TimeDelta::days(days)));
    back.filter(|day| first <= *day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::{CampaignId, OccasionId, PoolId};

    fn rule(starts_at: &str) -> Occasion {
        Occasion {
            id: OccasionId::new(),
            event: OccasionEvent::Birthday,
            nth: None,
            campaign_id: CampaignId::new(),
            pool_id: PoolId::new(),
            starts_at: starts_at.parse().unwrap(),
            ends_at: None,
            created_at: starts_at.parse().unwrap(),
            ended_at: None,
        }
    }

    #[test]
    fn the_29th_of_february_is_kept_on_the_28th_in_other_years() {
        let on = |day: &str| kept_on(day.parse().unwrap());
        assert_eq!(on("2028-02-28"), ["02-28"]);
        assert_eq!(on("2028-02-29"), ["02-29"]);
        assert_eq!(on("2027-02-28"), ["02-28", "02-29"]);
        assert_eq!(on("2027-03-01"), ["03-01"]);
    }

    #[test]
    fn days_are_the_shops_and_none_is_before_the_rule() {
        let zone = chrono_tz::Asia::Shanghai;
        let now = "2026-06-16T16:00:00Z".parse().unwrap();
        let found = days(&rule("2026-06-15T16:00:00Z"), zone, now);
        assert_eq!(found, ["2026-06-17", "2026-06-16"].map(|day| day.parse::<NaiveDate>().unwrap()));
        let tick = TimeDelta::microseconds(1);
        assert_eq!(days(&rule("2020-01-01T00:00:00Z"), zone, now - tick).first().unwrap().day(), 16);
        assert_eq!(days(&rule("2020-01-01T00:00:00Z"), zone, now).len(), 7);
    }

    #[test]
    fn a_rule_is_open_from_its_start_until_its_end() {
        let mut of = rule("2026-06-15T16:00:00Z");
        let (start, tick) = (of.starts_at, TimeDelta::microseconds(1));
        of.ends_at = Some(start + TimeDelta::days(1));
        assert!(!is_open(&of, start - tick) && is_open(&of, start));
        assert!(is_open(&of, start + TimeDelta::days(1) - tick) && !is_open(&of, start + TimeDelta::days(1)));
        of.ended_at = Some(start);
        assert!(!is_open(&of, start));
    }
}
