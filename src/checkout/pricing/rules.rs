//! `price(cart) -> Priced`: totals and the explanation, from facts alone. Every amount is in minor units of the shop's one
//! currency. total = subtotal − discount + shipping; due = total − points − credit.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::types::money::Money;

/// A line as it is asked for, with the facts that price it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedItem<'a> {
    pub title: &'a str,
    pub plan_code: &'a str,
    pub drive_code: Option<&'a str>,
    pub quantity: i64,
    pub list_price_minor: i64,
}

/// One line with what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    pub unit_price_minor: i64,
    pub quantity: i64,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
}

/// One rule that was looked at, in order, with its outcome; stored with the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explained {
    /// Position of the line, from 0; absent for the whole order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Stable name of the rule.
    #[schema(example = "list_price")]
    pub rule: String,
    /// `applied` or `refused`.
    #[schema(example = "applied")]
    pub outcome: String,
    /// Stable reason.
    #[schema(example = "plan_price")]
    pub reason: String,
    /// What the rule set or took off, in minor units.
    pub amount_minor: i64,
}

/// Totals of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub shipping_minor: i64,
    /// Included in the total, never added to it.
    pub tax_included_minor: i64,
    pub total_minor: i64,
    pub points_minor: i64,
    pub credit_minor: i64,
    /// What Stripe charges.
    pub due_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    pub lines: Vec<PricedLine>,
    pub totals: Totals,
    pub explanation: Vec<Explained>,
}

/// The most that an order may come to: Stripe takes eight digits.
pub const ORDER_MAX_MINOR: i64 = 99_999_999;

/// Prices a cart.
///
/// # Errors
/// `amount_out_of_range` when a sum is beyond [`ORDER_MAX_MINOR`].
pub fn price(items: &[PricedItem<'_>]) -> Result<Priced> {
    let mut lines = Vec::with_capacity(items.len());
    let mut explanation = Vec::with_capacity(items.len());
    let mut subtotal_minor: i64 = 0;
    for (index, item) in items.iter().enumerate() {
        let line_minor = item
            .list_price_minor
            .checked_mul(item.quantity)
            .filter(|minor| (0..=ORDER_MAX_MINOR).contains(minor))
            .ok_or(Code::AmountOutOfRange)?;
        subtotal_minor += line_minor;
        let reason = if item.drive_code.is_some() { "drive_price" } else { "plan_price" };
        explanation.push(Explained {
            line: Some(index),
            rule: "list_price".to_owned(),
            outcome: "applied".to_owned(),
            reason: reason.to_owned(),
            amount_minor: item.list_price_minor,
        });
        lines.push(PricedLine {
            unit_price_minor: item.list_price_minor,
            quantity: item.quantity,
            subtotal_minor: line_minor,
            discount_minor: 0,
            total_minor: line_minor,
        });
    }
    if subtotal_minor > ORDER_MAX_MINOR {
        return Err(Code::AmountOutOfRange.error());
    }
    let totals = Totals {
        subtotal_minor,
        total_minor: subtotal_minor,
        due_minor: subtotal_minor,
        ..Totals::default()
    };
    Ok(Priced { lines, totals, explanation })
}

/// [`Totals`] over the wire.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TotalsView {
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    pub tax_included: Money,
    pub total: Money,
    pub points: Money,
    pub credit: Money,
    pub due: Money,
}

impl Totals {
    pub fn view(&self, currency: &str) -> TotalsView {
        let money = |minor| Money::new(minor, currency);
        TotalsView {
            subtotal: money(self.subtotal_minor),
            discount: money(self.discount_minor),
            shipping: money(self.shipping_minor),
            tax_included: money(self.tax_included_minor),
            total: money(self.total_minor),
            points: money(self.points_minor),
            credit: money(self.credit_minor),
            due: money(self.due_minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(list_price_minor: i64, quantity: i64) -> PricedItem<'static> {
        PricedItem { title: "t", plan_code: "p", drive_code: None, quantity, list_price_minor }
    }

    #[test]
    fn what_is_shown_sums_to_what_is_charged() {
        let priced = price(&[item(20_000, 1), item(120_000, 2)]).unwrap();
        assert_eq!(priced.totals.subtotal_minor, 260_000);
        assert_eq!(priced.lines.iter().map(|line| line.total_minor).sum::<i64>(), priced.totals.due_minor);
        assert_eq!(priced.explanation.len(), 2);
    }

    #[test]
    fn amounts_out_of_range_are_refused() {
        assert!(price(&[item(ORDER_MAX_MINOR, 1)]).is_ok());
        assert_eq!(price(&[item(ORDER_MAX_MINOR, 2)]).unwrap_err().code, Code::AmountOutOfRange);
        assert_eq!(price(&[item(i64::MAX, 2)]).unwrap_err().code, Code::AmountOutOfRange);
        let two = [item(ORDER_MAX_MINOR, 1), item(1, 1)];
        assert_eq!(price(&two).unwrap_err().code, Code::AmountOutOfRange);
    }
}
