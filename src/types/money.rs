//! Money: integer minor units and a currency, with checked arithmetic, one rounding rule and splits that sum.

use rust_decimal::prelude::{Decimal, RoundingStrategy, ToPrimitive};
use serde::{Deserialize, Serialize};

/// An amount as it goes over the wire. CNY has two decimals: 200 yuan is `20000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// In minor units (fen, cents).
    #[schema(example = 20000)]
    pub amount: i64,
    /// ISO 4217, upper case.
    #[schema(example = "CNY")]
    pub currency: String,
}

impl Money {
    pub fn new(amount_minor: i64, currency: &str) -> Self {
        Self { amount: amount_minor, currency: currency.to_owned() }
    }
}

/// More than any amount kindred handles: the result would not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is out of range")]
pub struct OutOfRange;

/// `amount × numerator / denominator`, rounded half away from zero: the only rounding in the house.
///
/// # Errors
/// [`OutOfRange`] when the result does not fit or `denominator` is zero.
pub fn scale_minor(amount_minor: i64, numerator: i64, denominator: i64) -> Result<i64, OutOfRange> {
    if denominator == 0 {
        return Err(OutOfRange);
    }
    let product = i128::from(amount_minor) * i128::from(numerator);
    let denominator = i128::from(denominator);
    let (quotient, rest) = (product / denominator, product % denominator);
    let away = if rest.unsigned_abs() * 2 >= denominator.unsigned_abs() {
        if (product < 0) == (denominator < 0) { 1 } else { -1 }
    } else {
        0
    };
    i64::try_from(quotient + away).map_err(|_| OutOfRange)
}

/// `amount × rate`, rounded as [`scale_minor`] does. Rates and percentages are decimals, never floats.
///
/// # Errors
/// [`OutOfRange`] when the result does not fit.
pub fn apply_rate(amount_minor: i64, rate: Decimal) -> Result<i64, OutOfRange> {
    Decimal::from(amount_minor)
        .checked_mul(rate)
        .and_then(|exact| exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i64())
        .ok_or(OutOfRange)
}

/// Splits an amount by weights so that the parts sum to it: leftovers go, one minor unit each, to the largest remainders
/// (the earlier first where they are equal). All weights zero: everything on the first part.
///
/// # Errors
/// [`OutOfRange`] when a weight or the amount is negative, or there are no weights for an amount.
pub fn split_minor(amount_minor: i64, weights: &[i64]) -> Result<Vec<i64>, OutOfRange> {
    if amount_minor < 0 || weights.iter().any(|w| *w < 0) || (weights.is_empty() && amount_minor != 0) {
        return Err(OutOfRange);
    }
    let sum: i128 = weights.iter().copied().map(i128::from).sum();
    if sum == 0 {
        let first = std::iter::once(amount_minor).take(weights.len());
        return Ok(first.chain(std::iter::repeat(0)).take(weights.len()).collect());
    }
    let share = |weight: i64| {
        let product = i128::from(amount_minor) * i128::from(weight);
        (product / sum, product % sum)
    };
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let (whole, rest) = share(*weight);
        parts.push(i64::try_from(whole).map_err(|_| OutOfRange)?);
        remainders.push((std::cmp::Reverse(rest), index));
    }
    remainders.sort_unstable();
    let left = amount_minor - parts.iter().sum::<i64>();
    for (_, index) in remainders.into_iter().take(usize::try_from(left).map_err(|_| OutOfRange)?) {
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
    }
    Ok(parts)
}

/// The least that Stripe charges, in minor units (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts). Where
/// that page names none for the currency, about half a US dollar, which it must come to after conversion.
pub fn smallest_charge_minor(currency: &str) -> i64 {
    match currency {
        "USD" | "EUR" | "CAD" | "AUD" | "NZD" | "SGD" | "CHF" | "BRL" | "INR" | "JPY" => 50,
        "GBP" => 30,
        "BGN" => 100,
        "AED" | "PLN" | "RON" | "MYR" => 200,
        "DKK" => 250,
        "NOK" | "SEK" => 300,
        "MXN" | "THB" => 1_000,
        "CZK" => 1_500,
        "HUF" => 17_500,
        _ if decimals(currency) == 0 => 50,
        _ => 400,
    }
}

/// Decimals of a currency's minor unit, as Stripe counts them (docs.stripe.com/currencies).
pub fn decimals(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// An amount as a plain number in major units, such as `499.00`, for files.
pub fn plain(amount_minor: i64, currency: &str) -> String {
    let decimals = u32::try_from(decimals(currency)).unwrap_or(0);
    Decimal::try_new(amount_minor, decimals)
        .map_or_else(|_| amount_minor.to_string(), |exact| exact.to_string())
}

/// What [`plain`] was given; also `499` and `499.0`. None for what is no number, or has more decimals than the currency.
pub fn parse_plain(text: &str, currency: &str) -> Option<i64> {
    let scale = 10_i64.checked_pow(u32::try_from(decimals(currency)).ok()?)?;
    let exact = Decimal::from_str_exact(text).ok()?.checked_mul(Decimal::from(scale))?;
    if exact.is_integer() { exact.to_i64() } else { None }
}

/// An amount as people read it: `¥1,600,000.00`, `JP¥500`, `BHD 1.250`.
pub fn display(amount_minor: i64, currency: &str) -> String {
    let sign = match currency {
        "CNY" => "¥".to_owned(),
        "EUR" => "€".to_owned(),
        "GBP" => "£".to_owned(),
        "USD" => "US$".to_owned(),
        "HKD" => "HK$".to_owned(),
        "JPY" => "JP¥".to_owned(),
        other => format!("{other}\u{a0}"),
    };
    let decimals = decimals(currency);
    let digits = format!("{:0>width$}", amount_minor.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - decimals).unwrap_or((&digits, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let minus = if amount_minor < 0 { "−" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{minus}{sign}{grouped}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_amounts_read_back() {
        for (minor, currency, text) in
            [(49_900, "CNY", "499.00"), (5, "CNY", "0.05"), (500, "JPY", "500"), (1, "BHD", "0.001")]
        {
            assert_eq!(plain(minor, currency), text);
            assert_eq!(parse_plain(text, currency), Some(minor));
        }
        assert_eq!((parse_plain("499", "CNY"), parse_plain("499.5", "CNY")), (Some(49_900), Some(49_950)));
        for bad in ["", "a", "1,999.00", "0.001", "1e5", "9999999999999999999999"] {
            assert_eq!(parse_plain(bad, "CNY"), None, "{bad}");
        }
    }

    #[test]
    fn amounts_are_shown_with_their_currencys_decimals() {
        assert_eq!(display(20_000, "CNY"), "¥200.00");
        assert_eq!(display(160_000_000, "CNY"), "¥1,600,000.00");
        assert_eq!(display(5, "CNY"), "¥0.05");
        assert_eq!(display(-1_050, "EUR"), "−€10.50");
        assert_eq!(display(500, "JPY"), "JP¥500");
        assert_eq!(display(1_250, "BHD"), "BHD\u{a0}1.250");
        assert_eq!(display(0, "JPY"), "JP¥0");
        assert_eq!(display(i64::MIN, "KRW"), "−KRW\u{a0}9,223,372,036,854,775,808");
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(scale_minor(5, 1, 2), Ok(3));
        assert_eq!(scale_minor(-5, 1, 2), Ok(-3));
        assert_eq!(scale_minor(4, 1, 3), Ok(1));
        assert_eq!(scale_minor(i64::MAX, 2, 1), Err(OutOfRange));
        assert_eq!(scale_minor(1, 1, 0), Err(OutOfRange));
        assert_eq!(apply_rate(1050, Decimal::new(5, 2)), Ok(53));
    }

    proptest! {
        #[test]
        fn a_split_sums_to_the_whole(amount in 0i64..1_000_000_000, weights in prop::collection::vec(0i64..1_000_000, 1..20)) {
            let parts = split_minor(amount, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<i64>(), amount);
            prop_assert_eq!(parts.len(), weights.len());
            prop_assert!(parts.iter().all(|p| *p >= 0));
        }

        #[test]
        fn scaling_is_within_half_a_unit(amount in -1_000_000i64..1_000_000, n in 0i64..10_000, d in 1i64..10_000) {
            let scaled = scale_minor(amount, n, d).unwrap();
            let error = (i128::from(scaled) * i128::from(d) - i128::from(amount) * i128::from(n)).abs();
            prop_assert!(error * 2 <= i128::from(d));
        }
    }
}
