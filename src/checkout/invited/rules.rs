//! What a typed code counts for, what of an order counts, and when it is final. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::checkout::orders::model::LineRow;
use crate::checkout::pricing::rules::Explained;
use crate::checkout::withdrawals::rules::deadline;
use crate::shop::shipping::rules::Address;

/// The name under which the explanation of an order tells what became of its code.
pub const RULE: &str = "invite_code";

/// No code is longer; nor is anything that is stored with an order as one.
const CODE_MAX: usize = 64;

/// What somebody typed as an invite code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteCode {
    /// Capitals, no spaces: as it is stored with the order.
    Code(String),
    /// It can't be anybody's. It refuses no order all the same, and isn't kept.
    Nonsense,
}

impl InviteCode {
    /// What was typed; none where that is nothing but spaces.
    pub fn typed(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if code.is_empty() {
            return None;
        }
        let is_code = code.len() <= CODE_MAX && code.chars().all(|c| c.is_ascii_graphic());
        Some(if is_code { Self::Code(code.to_ascii_uppercase()) } else { Self::Nonsense })
    }
}

/// An invite code as it came with a quote or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// As it is stored with the order; none for what can't be a code.
    pub code: Option<String>,
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
/// no more counts than was charged: store credit may be the inviter's own, and points are no money.
pub fn basis_minor(lines: &[LineRow], charged_minor: i64) -> (i64, i64) {
    let counted = lines.iter().filter(|line| !line.is_gift_card());
    let (whole, kept) = counted
        .fold((0, 0), |(whole, kept), line| (whole + line.money_minor(), kept + line.money_left_minor()));
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

/// When nothing of an order can be sent back any more: the window after its payment, and after each of its parcels, but never
/// before the time to withdraw ends that the law leaves. None while something still moves.
pub fn final_at(of: &Underway, window: TimeDelta, zone: Tz) -> Option<DateTime<Utc>> {
    if of.is_open {
        return None;
    }
    let last = of.arrived.iter().copied().chain([of.paid_at]).max()?;
    deadline(last, zone).into_iter().chain([last + window]).max()
}

/// Does the code that an account signed up with count for an order? Only for one that was placed after it was given, and for
/// so long: what was bought before, as a guest perhaps, came by no code.
pub fn touch_counts(touched_at: DateTime<Utc>, placed_at: DateTime<Utc>, lasts: TimeDelta) -> bool {
    touched_at <= placed_at && placed_at < touched_at + lasts
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
        let typed = |verdict| Typed { code: Some("A".to_owned()), verdict };
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
    fn whatever_is_typed_is_a_code_or_none() {
        let code = |code: &str| Some(InviteCode::Code(code.to_owned()));
        assert_eq!(InviteCode::typed(" 7q4m2 - x9\u{3000}pabk "), code("7Q4M2-X9PABK"));
        assert_eq!(InviteCode::typed(&"a".repeat(64)), code(&"A".repeat(64)));
        for nonsense in ["邀请码", "a\u{7}b", &"a".repeat(65)] {
            assert_eq!(InviteCode::typed(nonsense), Some(InviteCode::Nonsense), "{nonsense:?}");
        }
        assert_eq!((InviteCode::typed(""), InviteCode::typed(" \t ")), (None, None));
    }

    #[test]
    fn an_order_is_final_after_its_last_parcel() {
        let paid_at: DateTime<Utc> = "2014-06-17T02:00:00Z".parse().unwrap();
        let day = TimeDelta::days(1);
        let window = TimeDelta::days(30);
        let zone = chrono_tz::Asia::Shanghai;
        let mut of = Underway { paid_at, is_open: false, arrived: Vec::new() };
        assert_eq!(final_at(&of, window, zone), Some(paid_at + window));
        of.arrived = vec![paid_at + day * 5, paid_at + day * 3];
        assert_eq!(final_at(&of, window, zone), Some(paid_at + day * 35));
        of.is_open = true;
        assert_eq!(final_at(&of, window, zone), None);
    }

    #[test]
    fn an_order_is_not_final_while_it_can_lawfully_be_withdrawn_from() {
        let zone = chrono_tz::Asia::Shanghai;
        // Ten in the morning of 17 June; the fourteenth day after it ends with 1 July.
        let of = Underway {
            paid_at: "2014-06-17T02:00:00Z".parse().unwrap(),
            is_open: false,
            arrived: Vec::new(),
        };
        let end: DateTime<Utc> = "2014-07-01T16:00:00Z".parse().unwrap();
        for days in [0, 7, 14] {
            assert_eq!(final_at(&of, TimeDelta::days(days), zone), Some(end), "{days}");
        }
        assert_eq!(final_at(&of, TimeDelta::days(15), zone), Some(of.paid_at + TimeDelta::days(15)));
    }

    #[test]
    fn a_code_of_the_sign_up_counts_for_what_is_placed_after_it() {
        let touched_at: DateTime<Utc> = "2014-06-17T02:00:00Z".parse().unwrap();
        let (tick, lasts) = (TimeDelta::microseconds(1), TimeDelta::days(30));
        let counts = |placed_at| touch_counts(touched_at, placed_at, lasts);
        assert!(!counts(touched_at - tick) && counts(touched_at));
        assert!(counts(touched_at + lasts - tick) && !counts(touched_at + lasts));
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
