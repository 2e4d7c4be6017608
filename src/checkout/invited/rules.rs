//! What a typed code counts for, what of an order counts, and when it is final. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::checkout::orders::model::LineRow;
use crate::checkout::pricing::rules::Explained;
use crate::shop::shipping::rules::Address;

/// The name under which the explanation of an order tells what became of its code.
pub const RULE: &str = "invite_code";

/// An invite code as it came with a quote or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// As it is stored with the order.
    pub code: String,
    /// What the order must come to at least, in minor units; or why the code counts for nothing.
    pub verdict: Result<i64, &'static str>,
}

impl Typed {
    /// What the explanation says of it. No order is refused for a code that counts for nothing.
    pub fn explained(&self, basis_minor: i64) -> Explained {
        let verdict = match self.verdict {
            Ok(minimum_minor) if basis_minor < minimum_minor.max(1) => Err("invite_minimum_not_met"),
            other => other,
        };
        Explained {
            line: None,
            rule: RULE.to_owned(),
            outcome: if verdict.is_ok() { "applied" } else { "refused" }.to_owned(),
            reason: verdict.err().unwrap_or("invite_counts").to_owned(),
            amount_minor: 0,
        }
    }
}

/// What the lines of an order come to that count: (in all, less what was paid back). A gift card is money, not a sale; and
/// no more counts than was charged: store credit may be the inviter's own.
pub fn basis_minor(lines: &[LineRow], charged_minor: i64) -> (i64, i64) {
    let counted = lines.iter().filter(|line| !line.is_gift_card());
    let (whole, kept) = counted.fold((0, 0), |(whole, kept), line| {
        (whole + line.total_minor, kept + line.total_minor - line.refunded_minor)
    });
    (whole.min(charged_minor), kept.min(charged_minor))
}

/// What still moves of a paid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underway {
    pub paid_at: DateTime<Utc>,
    /// Something is to be sent, comes back, or the buyer withdraws.
    pub is_open: bool,
    /// When its parcels arrived or, where nobody said, were sent.
    pub arrived: Vec<DateTime<Utc>>,
}

/// When nothing of an order can be sent back any more: the window after its payment, and after each of its parcels. None
/// while something still moves.
pub fn final_at(of: &Underway, window: TimeDelta) -> Option<DateTime<Utc>> {
    if of.is_open {
        return None;
    }
    of.arrived.iter().copied().chain([of.paid_at]).max().map(|last| last + window)
}

/// A hash by which two addresses are told to be one place, however they are written: for comparing only. None for one that
/// is empty.
pub fn address_hash(address: &Address) -> Option<String> {
    let parts = [
        Some(&address.country),
        address.province.as_ref(),
        Some(&address.city),
        address.district.as_ref(),
        Some(&address.line1),
        address.line2.as_ref(),
    ];
    let place: String = parts
        .into_iter()
        .flatten()
        .flat_map(|part| part.chars())
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let is_there = address.line1.chars().any(char::is_alphanumeric);
    is_there.then(|| Sha256::digest(place).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_from_the_minimum_on_and_for_more_than_nothing() {
        let typed = |verdict| Typed { code: "A".to_owned(), verdict };
        let said = |verdict, basis| {
            let said = typed(verdict).explained(basis);
            (said.outcome, said.reason)
        };
        let is = |outcome: &str, reason: &str| (outcome.to_owned(), reason.to_owned());
        assert_eq!(said(Ok(5_000), 5_000), is("applied", "invite_counts"));
        assert_eq!(said(Ok(5_000), 4_999), is("refused", "invite_minimum_not_met"));
        assert_eq!(said(Ok(0), 0), is("refused", "invite_minimum_not_met"));
        assert_eq!(said(Err("unknown_invite_code"), 9_999), is("refused", "unknown_invite_code"));
    }

    #[test]
    fn an_order_is_final_after_its_last_parcel() {
        let paid_at: DateTime<Utc> = "2014-06-17T02:00:00Z".parse().unwrap();
        let day = TimeDelta::days(1);
        let window = TimeDelta::days(14);
        let mut of = Underway { paid_at, is_open: false, arrived: Vec::new() };
        assert_eq!(final_at(&of, window), Some(paid_at + window));
        of.arrived = vec![paid_at + day * 5, paid_at + day * 3];
        assert_eq!(final_at(&of, window), Some(paid_at + day * 19));
        of.is_open = true;
        assert_eq!(final_at(&of, window), None);
    }

    #[test]
    fn one_place_however_it_is_written() {
        let at = |city: &str, line1: &str, line2: Option<&str>| Address {
            name: "罗小姐".to_owned(),
            phone: "1".to_owned(),
            country: "CN".to_owned(),
            province: None,
            city: city.to_owned(),
            district: None,
            line1: line1.to_owned(),
            line2: line2.map(str::to_owned),
            postcode: None,
        };
        let home = address_hash(&at("Beijing", "Chaoyang Road 1, Flat 2", None));
        assert_eq!(home, address_hash(&at("BEIJING", "chaoyang road 1", Some("flat-2"))));
        assert_ne!(home, address_hash(&at("Beijing", "Chaoyang Road 12", None)));
        assert_eq!(home.map(|hash| hash.len()), Some(64));
        assert_eq!(address_hash(&at("", "", None)), None);
    }
}
