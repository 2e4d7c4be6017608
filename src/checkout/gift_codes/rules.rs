//! What is given by a code in a mail, a gift card or a gift membership: the code, whom it is for, and where it stands. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Code, Result};
use crate::fields;
use crate::membership::invitations::rules::normal_code;
use crate::promotion::coupons::code::{code_from, is_whole};
use crate::types::email::Email;

/// Random letters of a code: 80 bits. It is worth money, and no guess.
pub const CODE_LETTERS: usize = 16;
/// It is delivered within that time.
pub const AHEAD_MAX: TimeDelta = TimeDelta::days(366);
const NAME_MAX: usize = 60;
const MESSAGE_MAX: usize = 500;

/// Where what is given by a code stands: a gift card, a gift membership.
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
    /// Its payment is disputed.
    Held,
    /// It was refunded or taken back.
    Void,
    Expired,
}

/// Whom it is for.
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

/// When what happened to it: by that it is seen where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub activated_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
    pub held_at: Option<DateTime<Utc>>,
    pub voided_at: Option<DateTime<Utc>>,
}

impl Marks {
    pub fn state(&self, now: DateTime<Utc>) -> State {
        match self {
            Self { voided_at: Some(_), .. } => State::Void,
            Self { redeemed_at: Some(_), .. } => State::Redeemed,
            Self { held_at: Some(_), .. } => State::Held,
            Self { activated_at: None, .. } => State::Unpaid,
            Self { delivered_at: None, .. } => State::Scheduled,
            Self { expires_at: Some(end), .. } if *end <= now => State::Expired,
            _ => State::Open,
        }
    }
}

/// Can it be delivered when that is wished?
///
/// # Errors
/// `invalid_field`
pub fn may_deliver(field: &str, to: Option<&Receiver>, now: DateTime<Utc>) -> Result<()> {
    match to.and_then(|to| to.deliver_at) {
        Some(at) if at <= now || at > now + AHEAD_MAX => Err(Code::InvalidField
            .at(format!("{field}.to.deliver_at"), "expected a time within the next 366 days")),
        _ => Ok(()),
    }
}

/// A new code, from random bytes.
pub fn fresh(random: &[u8; CODE_LETTERS]) -> String {
    code_from("", random)
}

/// The last letters of a code, by which those who don't have it tell it from others.
pub fn end_of(code: &str) -> String {
    code.get(CODE_LETTERS - 3..).unwrap_or_default().to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back_as_people_type_them() {
        let made = fresh(&[7; CODE_LETTERS]);
        let text = written(&made);
        assert_eq!(text.len(), CODE_LETTERS + 1 + 3);
        assert_eq!(code(&text.to_lowercase()), Some(made.clone()));
        assert_eq!(code(&made[1..]), None);
        let mut slipped = made;
        slipped.replace_range(0..1, "8");
        assert_eq!(code(&slipped), None);
    }

    #[test]
    fn texts_are_in_order() {
        let to = Receiver {
            email: "lin@example.com".parse().unwrap(),
            name: None,
            message: None,
            deliver_at: None,
        };
        let long = Receiver { message: Some("心".repeat(501)), ..to.clone() };
        assert!(long.checked("to").is_err());
        let kept =
            Receiver { message: Some("  生日快乐\n ".to_owned()), ..to.clone() }.checked("to").unwrap();
        assert_eq!(kept.message.as_deref(), Some("生日快乐"));
    }

    #[test]
    fn what_was_taken_back_is_void_whatever_else_happened() {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let open = Marks { activated_at: Some(at(1)), delivered_at: Some(at(2)), ..Marks::default() };
        let ends = Marks { expires_at: Some(at(9)), ..open };
        assert_eq!((ends.state(at(8)), ends.state(at(9))), (State::Open, State::Expired));
        let redeemed = Marks { redeemed_at: Some(at(3)), ..ends };
        assert_eq!(redeemed.state(at(9)), State::Redeemed);
        assert_eq!(Marks { held_at: Some(at(4)), ..redeemed }.state(at(5)), State::Redeemed);
        assert_eq!(Marks { voided_at: Some(at(4)), ..redeemed }.state(at(5)), State::Void);
        assert_eq!(Marks { held_at: Some(at(4)), ..open }.state(at(5)), State::Held);
        assert_eq!(Marks { delivered_at: None, ..ends }.state(at(9)), State::Scheduled);
        assert_eq!(Marks::default().state(at(9)), State::Unpaid);
    }
}
