//! What a gift card is, and may be used for. Pure. Amounts are minor units.

use chrono::{DateTime, Utc};

use super::model::GiftCard;
use crate::checkout::gift_codes::rules::{Marks, Receiver, State, may_deliver};
use crate::error::{Code, Result};
use crate::fields;

/// A gift card's worth: China allows 1,000 yuan at most of one that isn't registered to its holder (单用途商业预付卡管理办法,
/// article 18).
pub const AMOUNT_MIN_MINOR: i64 = 1_000;
pub const AMOUNT_MAX_MINOR: i64 = 100_000;

/// Can a card of this worth be sold, to be delivered then?
///
/// # Errors
/// `invalid_field`
pub fn may_sell(field: &str, amount_minor: i64, to: Option<&Receiver>, now: DateTime<Utc>) -> Result<()> {
    fields::within(&format!("{field}.amount.amount"), amount_minor, AMOUNT_MIN_MINOR, AMOUNT_MAX_MINOR)?;
    may_deliver(field, to, now)
}

/// Where it stands.
pub fn state(card: &GiftCard, now: DateTime<Utc>) -> State {
    let marks = Marks {
        activated_at: card.activated_at,
        delivered_at: card.delivered_at,
        expires_at: card.expires_at,
        redeemed_at: card.redeemed_at,
        held_at: card.held_at,
        voided_at: card.voided_at,
    };
    marks.state(now)
}

/// Why it can't be redeemed now.
///
/// # Errors
/// `gift_card_redeemed`, `gift_card_void`, `gift_card_held`, `gift_card_expired`.
pub fn may_redeem(card: &GiftCard, now: DateTime<Utc>) -> Result<(), Code> {
    match state(card, now) {
        State::Open => Ok(()),
        State::Redeemed => Err(Code::GiftCardRedeemed),
        State::Held => Err(Code::GiftCardHeld),
        State::Expired => Err(Code::GiftCardExpired),
        State::Void | State::Unpaid | State::Scheduled => Err(Code::GiftCardVoid),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::checkout::gift_codes::rules::AHEAD_MAX;
    use crate::types::id::GiftCardId;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn card() -> GiftCard {
        GiftCard {
            id: GiftCardId::new(),
            line_id: None,
            account_id: None,
            amount_minor: 5_000,
            currency: "CNY".to_owned(),
            to_email: "lin@example.com".to_owned(),
            to_name: None,
            from_name: None,
            message: None,
            locale: "zh-CN".to_owned(),
            deliver_at: at(0),
            expires_at: Some(at(100)),
            reason: None,
            created_at: at(0),
            activated_at: Some(at(1)),
            delivered_at: Some(at(2)),
            code_end: None,
            redeemed_at: None,
            redeemed_by: None,
            held_at: None,
            voided_at: None,
        }
    }

    #[test]
    fn a_card_is_redeemed_while_it_is_open() {
        let judged = |card: GiftCard, minute| (state(&card, at(minute)), may_redeem(&card, at(minute)).err());
        assert_eq!(judged(card(), 99), (State::Open, None));
        assert_eq!(judged(card(), 100), (State::Expired, Some(Code::GiftCardExpired)));
        let with = |change: fn(&mut GiftCard)| {
            let mut card = card();
            change(&mut card);
            judged(card, 50)
        };
        assert_eq!(
            with(|card| card.redeemed_at = Some(at(3))),
            (State::Redeemed, Some(Code::GiftCardRedeemed))
        );
        assert_eq!(with(|card| card.voided_at = Some(at(3))), (State::Void, Some(Code::GiftCardVoid)));
        assert_eq!(with(|card| card.held_at = Some(at(3))), (State::Held, Some(Code::GiftCardHeld)));
        assert_eq!(with(|card| card.delivered_at = None), (State::Scheduled, Some(Code::GiftCardVoid)));
        assert_eq!(with(|card| card.activated_at = None), (State::Unpaid, Some(Code::GiftCardVoid)));
    }

    #[test]
    fn worth_and_day_are_within_reason() {
        let to = |deliver_at| Receiver {
            email: "lin@example.com".parse().unwrap(),
            name: None,
            message: None,
            deliver_at,
        };
        let judged = |minor, to: Option<&Receiver>| may_sell("lines[0].gift_card", minor, to, at(0)).is_ok();
        assert!(judged(AMOUNT_MIN_MINOR, None) && judged(AMOUNT_MAX_MINOR, Some(&to(None))));
        assert!(!judged(AMOUNT_MIN_MINOR - 1, None) && !judged(AMOUNT_MAX_MINOR + 1, None));
        assert!(judged(AMOUNT_MAX_MINOR, Some(&to(Some(at(1))))));
        assert!(!judged(AMOUNT_MAX_MINOR, Some(&to(Some(at(0))))));
        assert!(!judged(AMOUNT_MAX_MINOR, Some(&to(Some(at(0) + AHEAD_MAX + TimeDelta::seconds(1))))));
    }
}
