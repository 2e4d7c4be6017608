//! Terms as calendar periods: `P1Y`, `P3M`, `P7D`, or for life. Counted in the shop's zone from an anchor: the n-th end is
//! anchor + n periods, the day clamped to the month's length, so 31 January, 28 February, 31 March.

use std::str::FromStr;

use chrono::{DateTime, Days, MappedLocalTime, Months, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// How long a term lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    Months(u32),
    Days(u32),
    Lifetime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `lifetime` or a period such as `P1Y`, `P1M`, `P7D` of at most 100 years")]
pub struct TermError;

impl FromStr for Term {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        if text == "lifetime" {
            return Ok(Self::Lifetime);
        }
        let body = text.strip_prefix('P').ok_or(TermError)?;
        let mut chars = body.chars();
        let unit = chars.next_back().ok_or(TermError)?;
        let digits = chars.as_str();
        if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TermError);
        }
        let count: u32 = digits.parse().map_err(|_| TermError)?;
        match unit {
            'Y' if count <= 100 => Ok(Self::Months(count * 12)),
            'M' if count <= 1_200 => Ok(Self::Months(count)),
            'D' if count <= 36_500 => Ok(Self::Days(count)),
            _ => Err(TermError),
        }
    }
}

/// As it is stored and shown: twelve months are a year.
impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Months(months) if months % 12 == 0 => write!(f, "P{}Y", months / 12),
            Self::Months(months) => write!(f, "P{months}M"),
            Self::Days(days) => write!(f, "P{days}D"),
            Self::Lifetime => f.write_str("lifetime"),
        }
    }
}

impl Term {
    /// The end (exclusive) of the `n`-th period from `anchor`; none for life or beyond the calendar.
    pub fn end_after(self, anchor: DateTime<Utc>, n: u32, zone: Tz) -> Option<DateTime<Utc>> {
        let local = anchor.with_timezone(&zone).naive_local();
        let end = match self {
            Self::Lifetime => return None,
            Self::Months(months) => local.checked_add_months(Months::new(months.checked_mul(n)?))?,
            Self::Days(days) => local.checked_add_days(Days::new(u64::from(days.checked_mul(n)?)))?,
        };
        Some(to_utc(end, zone))
    }
}

/// A wall-clock time of the zone in UTC. Of an hour that comes twice the first; one that is skipped counts as the hour
/// after the gap.
pub fn to_utc(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time.to_utc(),
        MappedLocalTime::None => match zone.from_local_datetime(&(local + TimeDelta::hours(1))) {
            MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time.to_utc(),
            MappedLocalTime::None => local.and_utc(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHANGHAI: Tz = chrono_tz::Asia::Shanghai;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn ends_are_counted_from_the_anchor_with_the_day_clamped() {
        let anchor = utc("2024-01-30T17:00:00Z"); // 31 January, 01:00 in Shanghai
        let month = "P1M".parse::<Term>().unwrap();
        assert_eq!(month.end_after(anchor, 1, SHANGHAI), Some(utc("2024-02-28T17:00:00Z"))); // 29 February there
        assert_eq!(month.end_after(anchor, 2, SHANGHAI), Some(utc("2024-03-30T17:00:00Z")));
        let leap_day = utc("2024-02-29T04:00:00Z");
        let year = "P1Y".parse::<Term>().unwrap();
        assert_eq!(year.end_after(leap_day, 1, SHANGHAI), Some(utc("2025-02-28T04:00:00Z")));
        assert_eq!(year.end_after(leap_day, 4, SHANGHAI), Some(utc("2028-02-29T04:00:00Z")));
        assert_eq!(Term::Lifetime.end_after(leap_day, 1, SHANGHAI), None);
    }

    #[test]
    fn what_is_no_term_is_refused() {
        for bad in
            ["", "P", "P0M", "1Y", "P1", "P1W", "P-1M", "P01M", "P101Y", "P1Y2M", "forever", "P٣M", "P1年"]
        {
            assert!(bad.parse::<Term>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_term_is_written_in_its_shortest_form() {
        for (typed, shown) in
            [("P12M", "P1Y"), ("P1Y", "P1Y"), ("P18M", "P18M"), ("P7D", "P7D"), ("lifetime", "lifetime")]
        {
            assert_eq!(typed.parse::<Term>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_hour_that_does_not_exist_counts_as_the_one_after() {
        let local = "2024-03-31T02:30:00".parse().unwrap();
        assert_eq!(to_utc(local, chrono_tz::Europe::Berlin), utc("2024-03-31T01:30:00Z"));
    }
}
