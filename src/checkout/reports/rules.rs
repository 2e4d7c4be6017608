//! Which days a report is about, and what points are worth.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use crate::error::{AppError, Code, Result};
use crate::loyalty::points::rules::Exchange;
use crate::types::period::to_utc;

/// Days that one report may span.
const DAYS_MAX: u64 = 3_660;
/// Days of a report that doesn't say from when.
const DAYS_DEFAULT: u64 = 30;
/// Years that a report may be about: the database's calendar doesn't go as far as ours.
const YEARS: RangeInclusive<i32> = 1..=9_999;

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
        for (field, day) in [("from", from), ("until", until)] {
            if !YEARS.contains(&day.year()) {
                return Err(far(field));
            }
        }
        Ok(Self { from, until })
    }

    /// Whole months, all that the days lie in: a month that is told in part looks like a bad one. What is
    /// absent: so many months that end with this one.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn months(
        from: Option<NaiveDate>,
        until: Option<NaiveDate>,
        count: u32,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let days = Self::new(from, until, zone, now)?;
        let last = days.until.pred_opt().and_then(|day| day.with_day(1)).ok_or_else(|| far("until"))?;
        let first = match from {
            Some(from) => from.with_day(1),
            None => last.checked_sub_months(Months::new(count.saturating_sub(1))),
        };
        let until = last.checked_add_months(Months::new(1)).ok_or_else(|| far("until"))?;
        Ok(Self { from: first.ok_or_else(|| far("from"))?, until })
    }

    /// The moments at which it begins and ends.
    pub fn moments(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        let begin_of = |day: NaiveDate| to_utc(day.and_time(NaiveTime::MIN), zone);
        (begin_of(self.from), begin_of(self.until))
    }
}

fn far(field: &str) -> AppError {
    Code::InvalidField.at(field, "too far away")
}

/// What so many points would pay, whoever has them: rounded down, and not in whole steps, since one account's
/// rest of a step is the next one's beginning.
pub fn liability_minor(points: i64, by: &Exchange) -> i64 {
    let exact = i128::from(points.max(0)) * i128::from(by.step_minor) / i128::from(by.step_points.max(1));
    i64::try_from(exact).unwrap_or(i64::MAX)
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
        assert!(new(Some("-4800-01-01"), Some("-4799-01-01")).is_err());
        assert!(new(Some("0000-12-31"), Some("0001-01-02")).is_err());
        assert!(new(Some("9999-12-30"), Some("9999-12-31")).is_ok());
        assert!(new(Some("9999-12-31"), Some("+10000-01-01")).is_err());
    }

    #[test]
    fn months_are_told_whole() {
        let now = "2014-08-31T16:00:00Z".parse().unwrap();
        let months = |from: Option<&str>, until: Option<&str>| {
            Span::months(from.map(day), until.map(day), 12, chrono_tz::Asia::Shanghai, now)
        };
        let span = |from: &str, until: &str| Span { from: day(from), until: day(until) };
        // It is September in Shanghai already.
        assert_eq!(months(None, None).unwrap(), span("2013-10-01", "2014-10-01"));
        assert_eq!(months(Some("2014-01-31"), Some("2014-03-01")).unwrap(), span("2014-01-01", "2014-03-01"));
        assert_eq!(months(Some("2014-02-01"), Some("2014-03-02")).unwrap(), span("2014-02-01", "2014-04-01"));
        assert_eq!(months(None, Some("2012-03-01")).unwrap(), span("2011-03-01", "2012-03-01"));
        assert!(months(Some("2014-03-01"), Some("2014-03-01")).is_err());
        assert!(months(Some("2001-01-01"), Some("2014-01-01")).is_err());
    }

    #[test]
    fn what_points_would_pay_is_rounded_down_once() {
        let by = |step_points: i64, step_minor: i64| Exchange {
            step_points,
            step_minor,
            least_points: 1_000,
            most_share_bp: 5_000,
        };
        assert_eq!(liability_minor(0, &by(100, 100)), 0);
        assert_eq!(liability_minor(176, &by(100, 100)), 176);
        assert_eq!(liability_minor(199, &by(100, 1)), 1);
        assert_eq!(liability_minor(99, &by(100, 1)), 0);
        assert_eq!(liability_minor(i64::MAX, &by(1, 100)), i64::MAX);
    }
}
