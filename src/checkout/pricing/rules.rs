//! `price(cart) -> Priced`: totals and the explanation, from facts alone. Every amount is in minor units of the shop's one
//! currency. total = subtotal − discount + shipping; due = total − points − credit.

use serde::{Deserialize, Serialize};

use super::gifts::{Gift, Given, give};
use crate::error::{Code, Result};
use crate::shop::products::rules::included_tax_minor;
use crate::types::id::VariantId;
use crate::types::money::Money;

/// A line as it is asked for, with the facts that price it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedItem {
    pub quantity: i64,
    pub unit_price_minor: i64,
    /// Stable reason of that price.
    pub why: &'static str,
    /// Tax that the price includes, in hundredths of a percent.
    pub tax_rate_bp: i32,
    /// What offers know it by; none for a plan.
    pub article: Option<VariantId>,
}

/// One line with what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    pub unit_price_minor: i64,
    pub quantity: i64,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    /// Included in the total.
    pub tax_included_minor: i64,
    /// In hundredths of a percent.
    pub tax_rate_bp: i32,
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
    /// What offers gave.
    pub given: Vec<Given>,
}

/// The most that an order may come to: Stripe takes eight digits.
pub const ORDER_MAX_MINOR: i64 = 99_999_999;

/// Prices a cart. `shipping_minor` tells what the parcel costs where there is one, from what the lines come to.
///
/// # Errors
/// `amount_out_of_range` when a sum is beyond [`ORDER_MAX_MINOR`]; those of `shipping_minor`.
pub fn price(
    items: &[PricedItem],
    gifts: &[Gift<'_>],
    shipping_minor: impl FnOnce(&[PricedLine]) -> Result<Option<i64>>,
) -> Result<Priced> {
    let (given, of_offers) = give(items, gifts);
    let mut lines = Vec::with_capacity(items.len());
    let mut explanation = Vec::with_capacity(items.len());
    let in_range = |minor: &i64| (0..=ORDER_MAX_MINOR).contains(minor);
    let mut totals = Totals::default();
    for (index, item) in items.iter().enumerate() {
        let line_minor = item
            .unit_price_minor
            .checked_mul(item.quantity)
            .filter(in_range)
            .ok_or(Code::AmountOutOfRange)?;
        let of_line = given.iter().filter(|given| given.line == index);
        let discount_minor: i64 = of_line.map(|given| given.discount_minor).sum();
        let total_minor = line_minor - discount_minor;
        let tax_included_minor = included_tax_minor(total_minor, item.tax_rate_bp);
        totals.subtotal_minor += line_minor;
        totals.discount_minor += discount_minor;
        totals.tax_included_minor += tax_included_minor;
        explanation.push(Explained {
            line: Some(index),
            rule: "list_price".to_owned(),
            outcome: "applied".to_owned(),
            reason: item.why.to_owned(),
            amount_minor: item.unit_price_minor,
        });
        lines.push(PricedLine {
            unit_price_minor: item.unit_price_minor,
            quantity: item.quantity,
            subtotal_minor: line_minor,
            discount_minor,
            total_minor,
            tax_included_minor,
            tax_rate_bp: item.tax_rate_bp,
        });
    }
    explanation.extend(of_offers);
    let shipping_minor = shipping_minor(&lines)?;
    totals.shipping_minor = shipping_minor.unwrap_or(0);
    if let Some(minor) = shipping_minor {
        explanation.push(Explained {
            line: None,
            rule: "shipping".to_owned(),
            outcome: "applied".to_owned(),
            reason: if minor == 0 { "free_shipping" } else { "shipping_fee" }.to_owned(),
            amount_minor: minor,
        });
    }
    totals.total_minor = totals
        .subtotal_minor
        .checked_sub(totals.discount_minor)
        .and_then(|minor| minor.checked_add(totals.shipping_minor))
        .filter(in_range)
        .ok_or(Code::AmountOutOfRange)?;
    totals.due_minor = totals.total_minor;
    Ok(Priced { lines, totals, explanation, given })
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

    fn item(unit_price_minor: i64, quantity: i64) -> PricedItem {
        PricedItem { quantity, unit_price_minor, why: "plan_price", tax_rate_bp: 900, article: None }
    }

    #[test]
    fn what_is_shown_sums_to_what_is_charged() {
        let priced = price(&[item(20_000, 1), item(120_000, 2)], &[], |_| Ok(Some(1_200))).unwrap();
        assert_eq!((priced.totals.subtotal_minor, priced.totals.due_minor), (260_000, 261_200));
        let of_lines: i64 = priced.lines.iter().map(|line| line.total_minor).sum();
        assert_eq!(of_lines + priced.totals.shipping_minor, priced.totals.due_minor);
        let tax: i64 = priced.lines.iter().map(|line| line.tax_included_minor).sum();
        assert_eq!((tax, priced.totals.tax_included_minor), (1_651 + 19_817, 1_651 + 19_817));
        assert_eq!(priced.explanation.len(), 3);
    }

    #[test]
    fn amounts_out_of_range_are_refused() {
        assert!(price(&[item(ORDER_MAX_MINOR, 1)], &[], |_| Ok(None)).is_ok());
        let refused = |items: &[PricedItem], shipping| price(items, &[], |_| Ok(shipping)).unwrap_err().code;
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 2)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(i64::MAX, 2)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 1), item(1, 1)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 1)], Some(1)), Code::AmountOutOfRange);
    }
}
