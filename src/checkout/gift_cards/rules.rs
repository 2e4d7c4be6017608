//! What a gift card is, and may be used for. Pure. Amounts are minor units.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::GiftCard;
use crate::error::{Code, Result};
use crate::fields;
use crate::membership::invitations::rules::normal_code;
use crate::promotion::coupons::code::is_whole;
use crate::types::email::Email;

/// A gift card's worth: China allows 1,000 yuan at most of one that isn't registered to its holder (单用途商业预付卡管理办法,
/// article 18).
pub const AMOUNT_MIN_MINOR: i64 = 1_000;
pub const AMOUNT_MAX_MINOR: i64 = 100_000;
/// Random letters of a code: 80 bits. It is money, and worth no guess.
pub const CODE_LETTERS: usize = 16;
/// It is delivered within that time.
pub const AHEAD_MAX: TimeDelta = TimeDelta::days(366);
const NAME_MAX: usize = 60;
const MESSAGE_MAX: usize = 500;

/// Where a gift card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its order isn't paid.
    Unpaid,
    /// It waits for its day.
    Scheduled,
    /// It can be redeemed.
    Open,
    Redeemed,
    /// The payment of it is disputed.
    Held,
    /// It was refunded or taken back.
    Void,
    Expired,
}

/// Whom a gift card is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub email: Email,
    pub name: Option<String>,
    pub message: Option<String>,
    pub deliver_at: Option<DateTime<Utc>>,
}

impl Receiver {
    /// With its texts in order. Times are looked at where `now` is known.
    ///
    /// # Errors
    /// `invalid_field`
    pub fn checked(mut self, field: &str) -> Result<Self> {
        if let Some(name) = self.name.as_deref() {
            self.name = Some(fields::line(&format!("{field}.name"), name, NAME_MAX)?);
        }
        let message = self.message.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let is_long = message.is_some_and(|text| text.chars().count() > MESSAGE_MAX);
        let is_strange = message.is_some_and(|text| text.chars().any(|c| c.is_control() && c != '\n'));
        if is_long || is_strange {
            let why = format!("expected at most {MESSAGE_MAX} characters");
            return Err(Code::InvalidField.at(format!("{field}.message"), why));
        }
        self.message = message.map(str::to_owned);
        Ok(self)
    }
}

/// Can a card of this worth be sold, to be delivered then?
///
/// # Errors
/// `invalid_field`
pub fn may_sell(field: &str, amount_minor: i64, to: Option<&Receiver>, now: DateTime<Utc>) -> Result<()> {
    fields::within(&format!("{field}.amount.amount"), amount_minor, AMOUNT_MIN_MINOR, AMOUNT_MAX_MINOR)?;
    match to.and_then(|to| to.deliver_at) {
        Some(at) if at <= now || at > now + AHEAD_MAX => Err(Code::InvalidField
            .at(format!("{field}.to.deliver_at"), "expected a time within the next 366 days")),
        _ => Ok(()),
    }
}

/// A code as it was typed, as it is hashed; none where it can't be one.
pub fn code(typed: &str) -> Option<String> {
    let code = normal_code(typed);
    (code.len() == CODE_LETTERS + 1 && is_whole(&code)).then_some(code)
}

/// A code as it is written: in groups of four, the last of five.
pub fn written(code: &str) -> String {
    let mut text = String::with_capacity(code.len() + 4);
    for (place, letter) in code.chars().enumerate() {
        if place > 0 && place % 4 == 0 && place < CODE_LETTERS {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

/// Where it stands.
pub fn state(card: &GiftCard, now: DateTime<Utc>) -> State {
    match card {
        GiftCard { redeemed_at: Some(_), .. } => State::Redeemed,
        GiftCard { voided_at: Some(_), .. } => State::Void,
        GiftCard { held_at: Some(_), .. } => State::Held,
        GiftCard { activated_at: None, .. } => State::Unpaid,
        GiftCard { delivered_at: None, .. } => State::Scheduled,
        GiftCard { expires_at: Some(end), .. } if *end <= now => State::Expired,
        _ => State::Open,
    }
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
    use super::*;
    use crate::promotion::coupons::code::code_from;
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
    fn codes_read_back_as_people_type_them() {
        let made = code_from("", &[7; CODE_LETTERS]);
        let text = written(&made);
        assert_eq!(text.len(), CODE_LETTERS + 1 + 3);
        assert_eq!(code(&text.to_lowercase()), Some(made.clone()));
        assert_eq!(code(&made[1..]), None);
        let mut slipped = made;
        slipped.replace_range(0..1, "8");
        assert_eq!(code(&slipped), None);
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
        let long = Receiver { message: Some("心".repeat(501)), ..to(None) };
        assert!(long.checked("to").is_err());
        let kept = Receiver { message: Some("  生日快乐\n ".to_owned()), ..to(None) }.checked("to").unwrap();
        assert_eq!(kept.message.as_deref(), Some("生日快乐"));
    }
}
