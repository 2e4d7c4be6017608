//! Days of the shop.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// When a day begins in a zone. Where the clocks skip midnight it begins a little later.
pub fn begins(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let at = |hours: i64| zone.from_local_datetime(&(midnight + TimeDelta::hours(hours))).earliest();
    (0..3).find_map(at).map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_or_where_there_is_none_after_it() {
        let of = |day: &str, zone| begins(day.parse().unwrap(), zone);
        let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(of("2026-06-17", chrono_tz::Asia::Shanghai), at("2026-06-16T16:00:00Z"));
        // In São Paulo the clocks skipped the midnight of 21 October 2012.
        assert_eq!(of("2012-10-21", chrono_tz::America::Sao_Paulo), at("2012-10-21T03:00:00Z"));
    }
}
