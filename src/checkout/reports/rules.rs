//! Which days a report is about.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use crate::error::{Code, Result};
use crate::types::period::to_utc;

/// Days that one report may span.
const DAYS_MAX: u64 = 3_660;
/// Days of a report that doesn't say from when.
const DAYS_DEFAULT: u64 = 30;

/// Days in the shop's zone, `until` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: NaiveDate,
    pub until: NaiveDate,
}

impl Span {
    /// What is absent: the thirty days that end with today.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn new(
        from: Option<NaiveDate>,
        until: Option<NaiveDate>,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let today = now.with_timezone(&zone).date_naive();
        let far = |field: &str| Code::InvalidField.at(field, "too far away");
        let until = match until {
            Some(until) => until,
            None => today.checked_add_days(Days::new(1)).ok_or_else(|| far("until"))?,
        };
        let from = match from {
            Some(from) => from,
            None => until.checked_sub_days(Days::new(DAYS_DEFAULT)).ok_or_else(|| far("until"))?,
        };
        let last = from.checked_add_days(Days::new(DAYS_MAX)).ok_or_else(|| far("from"))?;
        if until <= from || until > last {
            return Err(Code::InvalidField.at("until", format!("expected 1 to {DAYS_MAX} days after from")));
        }
        Ok(Self { from, until })
    }

    /// The moments at which it begins and ends.
    pub fn moments(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        let begin_of = |day: NaiveDate| to_utc(day.and_time(NaiveTime::MIN), zone);
        (begin_of(self.from), begin_of(self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_the_shops() {
        let shanghai = chrono_tz::Asia::Shanghai;
        let span = Span { from: day("2014-09-01"), until: day("2014-09-02") };
        let (from, until) = span.moments(shanghai);
        assert_eq!(from, "2014-08-31T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(until, "2014-09-01T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn a_span_has_an_order_and_a_bound() {
        let now = "2014-09-01T17:00:00Z".parse().unwrap();
        let new = |from: Option<&str>, until: Option<&str>| {
            Span::new(from.map(day), until.map(day), chrono_tz::Asia::Shanghai, now)
        };
        // It is the second of September in Shanghai already.
        assert_eq!(new(None, None).unwrap(), Span { from: day("2014-08-04"), until: day("2014-09-03") });
        assert!(new(Some("2014-09-01"), Some("2014-09-02")).is_ok());
        assert!(new(Some("2014-09-01"), Some("2014-09-01")).is_err());
        assert!(new(Some("2014-09-02"), Some("2014-09-01")).is_err());
        assert!(new(Some("2004-01-01"), Some("2014-01-08")).is_ok());
        assert!(new(Some("2004-01-01"), Some("2014-01-09")).is_err());
        assert!(new(Some("+262142-12-31"), None).is_err());
    }
}
