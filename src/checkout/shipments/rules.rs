//! By when a parcel is promised, and when it was delivered.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Code, Result};

/// When the goods of an order are to be with a carrier, all of them: the promise that is stored at payment, shown to the
/// buyer, and that an order is late against. `ready_at` is when the last of them can be sent at all, where that is known:
/// goods that are sold before they are there, or whose goal has to be reached first.
pub fn ship_by(
    paid_at: DateTime<Utc>,
    ready_at: Option<DateTime<Utc>>,
    ship_within: TimeDelta,
) -> DateTime<Utc> {
    ready_at.map_or(paid_at, |ready_at| ready_at.max(paid_at)) + ship_within
}

/// From when the time to send a parcel back is counted: its delivery, or where nobody has told of that, its dispatch.
pub fn delivered_or_sent(shipped_at: DateTime<Utc>, delivered_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    delivered_at.unwrap_or(shipped_at)
}

/// A delivery that an operator tells of: after the parcel was sent, and not in time to come.
///
/// # Errors
/// `invalid_field`.
pub fn check_delivered(
    shipped_at: DateTime<Utc>,
    delivered_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    if (shipped_at..=now).contains(&delivered_at) {
        Ok(())
    } else {
        Err(Code::InvalidField.at("delivered_at", "expected a time between the dispatch and now"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_promise_counts_from_payment_or_from_when_it_can_be_kept() {
        let paid = at("2015-04-08T15:00:00Z");
        let within = TimeDelta::hours(72);
        assert_eq!(ship_by(paid, None, within), paid + TimeDelta::days(3));
        assert_eq!(ship_by(paid, Some(paid - within), within), paid + TimeDelta::days(3));
        assert_eq!(ship_by(paid, Some(paid + within), within), paid + TimeDelta::days(6));
    }

    #[test]
    fn a_delivery_lies_between_dispatch_and_now() {
        let (sent, now, tick) =
            (at("2015-04-08T15:00:00Z"), at("2015-04-10T09:00:00Z"), TimeDelta::microseconds(1));
        assert!(check_delivered(sent, sent, now).is_ok() && check_delivered(sent, now, now).is_ok());
        assert!(
            check_delivered(sent, sent - tick, now).is_err()
                && check_delivered(sent, now + tick, now).is_err()
        );
        assert_eq!(delivered_or_sent(sent, None), sent);
        assert_eq!(delivered_or_sent(sent, Some(now)), now);
    }
}
