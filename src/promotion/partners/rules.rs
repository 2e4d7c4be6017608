//! When a partner's code counts, what it earns, and what of that goes back. Pure.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::model::{Partner, PartnerCode};
use crate::error::{Code, Result};
use crate::fields;
use crate::promotion::referrals::rules::{Dispute, LOOK_AGAIN};
use crate::types::money::{OutOfRange, apply_rate, scale_minor};

/// A rate in hundredths of a percent.
///
/// # Errors
/// `invalid_field` unless it is more than 0, at most 100, and has at most two decimals.
pub fn rate_bp(percent: Decimal) -> Result<i32> {
    match fields::hundredths("rate_percent", percent, 10_000)? {
        0 => Err(Code::InvalidField.at("rate_percent", "expected more than 0")),
        rate => Ok(rate),
    }
}

/// A rate as people write it: `12.5`.
pub fn percent(rate_bp: i32) -> String {
    fields::of_hundredths(rate_bp).to_string()
}

/// What is earned of that much, rounded half away from zero.
///
/// # Errors
/// [`OutOfRange`], never in practice.
pub fn earned_minor(basis_minor: i64, rate_bp: i32) -> Result<i64, OutOfRange> {
    apply_rate(basis_minor, Decimal::new(i64::from(rate_bp), 4))
}

/// Why a code doesn't count for an order that was placed at this time, if so.
pub fn closed(code: &PartnerCode, partner: &Partner, at: DateTime<Utc>) -> Option<&'static str> {
    let is_over = |end: Option<DateTime<Utc>>| end.is_some_and(|end| end <= at);
    if is_over(code.ends_at) || is_over(code.ended_at) || is_over(partner.archived_at) {
        Some("partner_code_ended")
    } else if code.starts_at.is_some_and(|start| at < start) {
        Some("partner_code_not_started")
    } else {
        None
    }
}

/// What an order earned, and what has become of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    pub earned_minor: i64,
    pub basis_minor: i64,
    /// What of the basis is still kept.
    pub kept_minor: i64,
    pub dispute: Dispute,
    /// The partner bought it himself.
    pub is_own: bool,
}

/// What of the basis has gone back.
pub fn gone_minor(basis_minor: i64, kept_minor: i64) -> i64 {
    basis_minor - kept_minor.clamp(0, basis_minor.max(0))
}

/// How much of a commission is taken back in all, and why. It is in proportion to what of its basis has gone back by now, so
/// that parts come to what was earned once everything went back.
///
/// # Errors
/// [`OutOfRange`], never in practice.
pub fn taken_back(of: &Earned) -> Result<(i64, &'static str), OutOfRange> {
    if of.dispute == Dispute::Lost {
        return Ok((of.earned_minor, "dispute_lost"));
    }
    if of.is_own {
        return Ok((of.earned_minor, "own_order"));
    }
    let gone_minor = gone_minor(of.basis_minor, of.kept_minor);
    Ok((scale_minor(of.earned_minor, gone_minor, of.basis_minor)?, "refund"))
}

/// Can the entries of an order be paid out?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Payable,
    /// Not yet: it is looked at again then.
    Held(DateTime<Utc>),
}

/// `final_at` is when nothing of the order can be sent back any more (exclusive); none while that can't be told.
pub fn standing(dispute: Dispute, final_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Standing {
    match (dispute, final_at) {
        (Dispute::Lost, _) => Standing::Payable,
        (Dispute::None, Some(at)) if at <= now => Standing::Payable,
        (Dispute::None, Some(at)) => Standing::Held(at),
        (Dispute::None, None) | (Dispute::Open, _) => Standing::Held(now + LOOK_AGAIN),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::types::id::{PartnerCodeId, PartnerId, PoolId};

    fn noon() -> DateTime<Utc> {
        "2014-06-17T04:00:00Z".parse().unwrap()
    }

    #[test]
    fn rates_have_two_decimals() {
        let rate = |text: &str| rate_bp(text.parse().unwrap()).ok();
        assert_eq!((rate("0.01"), rate("12.5"), rate("100.00")), (Some(1), Some(1_250), Some(10_000)));
        for wrong in ["0", "-1", "100.01", "0.001", "12.345", "99999999999999"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
        assert_eq!(
            (percent(1_250).as_str(), percent(10_000).as_str(), percent(1).as_str()),
            ("12.5", "100", "0.01")
        );
        assert_eq!(
            (earned_minor(10, 500), earned_minor(9, 500), earned_minor(100, 10_000)),
            (Ok(1), Ok(0), Ok(100))
        );
    }

    #[test]
    fn a_code_counts_from_its_start_to_its_end() {
        let tick = TimeDelta::microseconds(1);
        let mut partner = Partner {
            id: PartnerId::new(),
            name: "Ann".to_owned(),
            email: "ann@b.test".to_owned(),
            account_id: None,
            version: 1,
            created_at: noon(),
            archived_at: None,
        };
        let mut code = PartnerCode {
            id: PartnerCodeId::new(),
            partner_id: partner.id,
            code: "ANN".to_owned(),
            label: "ANN".to_owned(),
            name_zh: "安".to_owned(),
            name_en: "Ann".to_owned(),
            rate_bp: 500,
            starts_at: Some(noon()),
            ends_at: Some(noon() + tick * 2),
            pool_id: PoolId::new(),
            created_at: noon(),
            ended_at: None,
        };
        assert_eq!(closed(&code, &partner, noon() - tick), Some("partner_code_not_started"));
        assert_eq!(closed(&code, &partner, noon()), None);
        assert_eq!(closed(&code, &partner, noon() + tick), None);
        assert_eq!(closed(&code, &partner, noon() + tick * 2), Some("partner_code_ended"));
        code.ended_at = Some(noon() + tick);
        assert_eq!(closed(&code, &partner, noon()), None);
        assert_eq!(closed(&code, &partner, noon() + tick), Some("partner_code_ended"));
        code.ended_at = None;
        partner.archived_at = Some(noon() + tick);
        assert_eq!(closed(&code, &partner, noon()), None);
        assert_eq!(closed(&code, &partner, noon() + tick), Some("partner_code_ended"));
    }

    #[test]
    fn parts_that_go_back_come_to_what_was_earned() {
        let of = |gone_minor: i64, dispute, is_own| {
            let kept_minor = 300 - gone_minor;
            let of = Earned { earned_minor: 10, basis_minor: 300, kept_minor, dispute, is_own };
            taken_back(&of).unwrap()
        };
        let seen: Vec<_> = [0, 14, 15, 100, 200, 300].map(|back| of(back, Dispute::None, false).0).to_vec();
        assert_eq!(seen, [0, 0, 1, 3, 7, 10]);
        assert_eq!(of(100, Dispute::Open, false), (3, "refund"));
        assert_eq!(of(100, Dispute::Lost, false), (10, "dispute_lost"));
        assert_eq!(of(0, Dispute::None, true), (10, "own_order"));
    }

    #[test]
    fn what_may_yet_go_back_is_held() {
        let tick = TimeDelta::microseconds(1);
        let at = Some(noon());
        assert_eq!(standing(Dispute::None, at, noon() - tick), Standing::Held(noon()));
        assert_eq!(standing(Dispute::None, at, noon()), Standing::Payable);
        assert_eq!(standing(Dispute::None, None, noon()), Standing::Held(noon() + LOOK_AGAIN));
        assert_eq!(standing(Dispute::Open, at, noon()), Standing::Held(noon() + LOOK_AGAIN));
        assert_eq!(standing(Dispute::Lost, None, noon()), Standing::Payable);
    }
}
