//! How long one may withdraw.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use crate::types::day::begins;

/// Days that the law leaves, after that of delivery (or of payment, where nothing is delivered).
pub const DAYS: u64 = 14;

/// What the time to withdraw is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A parcel is still to come: the time hasn't begun.
    NotYet,
    From(DateTime<Utc>),
}

/// From the last parcel where goods are sent, else from payment. `open` says that a parcel is still to come.
pub fn counted(paid_at: DateTime<Utc>, last_parcel_at: Option<DateTime<Utc>>, open: bool) -> Counted {
    if open { Counted::NotYet } else { Counted::From(last_parcel_at.unwrap_or(paid_at)) }
}

/// The end (exclusive): the midnight of the shop's zone that ends the fourteenth day after that day.
pub fn deadline(from: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let day = from.with_timezone(&zone).date_naive().checked_add_days(Days::new(DAYS + 1))?;
    begins(day, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_begins_with_the_last_parcel() {
        let (paid, sent) = (utc("2014-06-01T00:00:00Z"), utc("2014-06-05T00:00:00Z"));
        assert_eq!(counted(paid, Some(sent), true), Counted::NotYet);
        assert_eq!(counted(paid, Some(sent), false), Counted::From(sent));
        assert_eq!(counted(paid, None, false), Counted::From(paid));
    }

    #[test]
    fn it_ends_with_the_fourteenth_day_after_that_one() {
        let zone = chrono_tz::Asia::Shanghai;
        // The last second of 1 June in Shanghai, and the first of 2 June.
        assert_eq!(deadline(utc("2014-06-01T15:59:59Z"), zone), Some(utc("2014-06-15T16:00:00Z")));
        assert_eq!(deadline(utc("2014-06-01T16:00:00Z"), zone), Some(utc("2014-06-16T16:00:00Z")));
        // In São Paulo the clocks skipped the midnight of 21 October 2012.
        let skipped = deadline(utc("2012-10-06T12:00:00Z"), chrono_tz::America::Sao_Paulo);
        assert_eq!(skipped, Some(utc("2012-10-21T03:00:00Z")));
    }
}
