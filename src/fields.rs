//! Checks of what operators type, each naming the field that is wrong.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::error::{Code, Result};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;
use crate::types::text;

/// The largest amount that Stripe charges: eight digits of minor units (docs.stripe.com/currencies, "Minimum and maximum
/// charge amounts").
const MAX_CHARGE_MINOR: i64 = 99_999_999;

/// Dates further ahead than that are slips of the keyboard.
const FARTHEST: TimeDelta = TimeDelta::days(36_525);

/// A code for people and URLs.
///
/// # Errors
/// `invalid_field`
pub fn slug(field: &str, typed: &str) -> Result<String> {
    text::slug(typed).map_err(|error| Code::InvalidField.at(field, error.to_string()))
}

/// # Errors
/// `invalid_field`
pub fn line(field: &str, typed: &str, max: usize) -> Result<String> {
    text::line(typed, max).map_err(|error| Code::InvalidField.at(field, error.to_string()))
}

/// # Errors
/// `invalid_field`
pub fn names(field: &str, typed: &Names) -> Result<Names> {
    Ok(Names {
        zh: line(&format!("{field}.zh-CN"), &typed.zh, 100)?,
        en: line(&format!("{field}.en"), &typed.en, 100)?,
    })
}

/// Why an operator does something: it goes into the audit log, a refusal's to the applicant too.
///
/// # Errors
/// `invalid_field`
pub fn reason(typed: &str) -> Result<String> {
    text::block(typed, 1_000).map_err(|error| Code::InvalidField.at("reason", error.to_string()))
}

/// A price in the shop's currency.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`
pub fn price(field: &str, typed: &Money, currency: &str) -> Result<i64> {
    if typed.currency != currency {
        return Err(
            Code::InvalidField.at(format!("{field}.currency"), format!("the shop's currency is {currency}"))
        );
    }
    if (0..=MAX_CHARGE_MINOR).contains(&typed.amount) {
        Ok(typed.amount)
    } else {
        Err(Code::AmountOutOfRange
            .at(format!("{field}.amount"), format!("expected 0 to {MAX_CHARGE_MINOR} minor units")))
    }
}

/// # Errors
/// `invalid_field`
pub fn within<T: PartialOrd + std::fmt::Display>(field: &str, value: T, low: T, high: T) -> Result<T> {
    if value >= low && value <= high {
        Ok(value)
    } else {
        Err(Code::InvalidField.at(field, format!("expected {low} to {high}")))
    }
}

/// A decimal with two places at most, in hundredths.
///
/// # Errors
/// `invalid_field` unless it is at least 0 and at most `most`, which is in hundredths too.
pub fn hundredths(field: &str, value: Decimal, most: i32) -> Result<i32> {
    let exact = value.checked_mul(Decimal::ONE_HUNDRED).filter(Decimal::is_integer);
    let hundredths = exact.and_then(|exact| exact.to_i32()).filter(|exact| (0..=most).contains(exact));
    let wanted = || format!("expected 0 to {}, with two decimals at most", of_hundredths(most));
    hundredths.ok_or_else(|| Code::InvalidField.at(field, wanted()))
}

/// What was so many hundredths, as people write it: `12.5`.
pub fn of_hundredths(value: i32) -> Decimal {
    Decimal::new(i64::from(value), 2).normalize()
}

/// A moment to come.
///
/// # Errors
/// `invalid_field`
pub fn ahead(field: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if at <= now {
        return Err(Code::InvalidField.at(field, "expected a time that is still to come"));
    }
    dated(field, at, now)
}

/// A moment within a hundred years, to the microsecond (what PostgreSQL keeps).
///
/// # Errors
/// `invalid_field`
pub fn dated(field: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if at < now - FARTHEST || at > now + FARTHEST {
        return Err(Code::InvalidField.at(field, "expected a time within a hundred years"));
    }
    Ok(chrono::SubsecRound::trunc_subsecs(at, 6))
}

/// A field of a PATCH that can be changed but not cleared.
///
/// # Errors
/// `invalid_field` for null.
pub fn kept<T>(field: &str, patch: Patch<T>) -> Result<Option<T>> {
    match patch {
        Patch::Absent => Ok(None),
        Patch::Null => Err(Code::InvalidField.at(field, "it can't be null")),
        Patch::Value(value) => Ok(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T04:00:00Z".parse().unwrap()
    }

    #[test]
    fn prices_are_in_the_shops_currency_and_chargeable() {
        let ask = |amount, currency| {
            price("price", &Money::new(amount, currency), "CNY").map_err(|error| error.code)
        };
        assert_eq!(ask(0, "CNY"), Ok(0));
        assert_eq!(ask(99_999_999, "CNY"), Ok(99_999_999));
        assert_eq!(ask(100_000_000, "CNY"), Err(Code::AmountOutOfRange));
        assert_eq!(ask(-1, "CNY"), Err(Code::AmountOutOfRange));
        assert_eq!(ask(1, "USD"), Err(Code::InvalidField));
    }

    #[test]
    fn times_are_bounded() {
        let tick = TimeDelta::microseconds(1);
        assert!(ahead("at", now(), now()).is_err());
        assert_eq!(ahead("at", now() + tick, now()).unwrap(), now() + tick);
        assert!(dated("at", now() + FARTHEST, now()).is_ok());
        assert!(dated("at", now() + FARTHEST + tick, now()).is_err());
        assert!(dated("at", now() - FARTHEST - tick, now()).is_err());
        assert_eq!(dated("at", now() + TimeDelta::nanoseconds(1_500), now()).unwrap(), now() + tick);
    }

    #[test]
    fn the_wrong_field_is_named() {
        let error = names("names", &Names::new("", "b")).unwrap_err();
        assert_eq!(error.errors[0].field, "names.zh-CN");
        assert_eq!(kept::<i32>("rank", Patch::Null).unwrap_err().errors[0].field, "rank");
        assert_eq!(kept("rank", Patch::Value(1)).unwrap(), Some(1));
        assert_eq!(kept::<i32>("rank", Patch::Absent).unwrap(), None);
        assert_eq!(within("n", 3, 1, 3).unwrap(), 3);
        assert!(within("n", 0, 1, 3).is_err() && within("n", 4, 1, 3).is_err());
    }
}
