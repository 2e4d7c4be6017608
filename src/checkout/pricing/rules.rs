//! `price(cart) -> Priced`: totals and the explanation, from facts alone. Every amount is in minor units of the shop's one
//! currency. total = subtotal − discount + shipping; due = total − points − credit.

use serde::{Deserialize, Serialize};

use super::coupons::{self, Applied, Candidate, CartLine, Payable};
use super::gifts::{Gift, Given, give};
use crate::error::{Code, Result};
use crate::loyalty::points::programme::Rates;
use crate::loyalty::points::rules::{PaidByPoints, earned};
use crate::promotion::campaigns::rules::Sold;
use crate::shop::products::rules::included_tax_minor;
use crate::types::id::VariantId;
use crate::types::money::{Money, split_minor};

/// A line as it is asked for, with the facts that price it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedItem<'a> {
    pub quantity: i64,
    pub unit_price_minor: i64,
    /// Stable reason of that price.
    pub why: &'static str,
    /// Tax that the price includes, in hundredths of a percent.
    pub tax_rate_bp: i32,
    /// What offers and coupons know it by.
    pub sold: Sold<'a>,
    /// What it earns.
    pub rates: Rates<'a>,
}

/// Why an article costs nothing: the buyer's tier gives it.
pub const BENEFIT: &str = "benefit";

impl PricedItem<'_> {
    /// None for a plan, and for what a benefit gives: offers count what is bought.
    pub fn article(&self) -> Option<VariantId> {
        match self.sold {
            Sold::Article { .. } if self.why == BENEFIT => None,
            Sold::Article { variant, .. } => Some(variant),
            Sold::Plan { .. } | Sold::GiftCard => None,
        }
    }
}

/// What is priced together, and by what.
#[derive(Clone, Copy, Debug)]
pub struct PricedCart<'a> {
    pub items: &'a [PricedItem<'a>],
    pub gifts: &'a [Gift<'a>],
    /// Coupons that might be used.
    pub coupons: &'a [Candidate<'a>],
    pub payable: Payable<'a>,
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
    /// What points pay of the total.
    pub points_minor: i64,
    /// What the rest earns, in hundredths of a point for each 100 minor units.
    pub points_rate_bp: i32,
    /// The same, of points that count for levels.
    pub level_rate_bp: i32,
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
    /// What the rule set or took off, in minor units; of `earns_points` and `earns_level_points`, how many points.
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
    /// That pay `points_minor`.
    pub points: i64,
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
    pub coupons: Applied,
}

impl Priced {
    /// What the lines come to, without shipping.
    pub fn basis_minor(&self) -> i64 {
        self.lines.iter().map(|line| line.total_minor).sum()
    }
}

/// The most that an order may come to: Stripe takes eight digits.
pub const ORDER_MAX_MINOR: i64 = 99_999_999;

/// Prices a cart. `fee` tells what the parcel costs where there is one, from what each line comes to.
///
/// # Errors
/// `amount_out_of_range` when a sum is beyond [`ORDER_MAX_MINOR`]; those of `fee`.
pub fn price(cart: PricedCart<'_>, fee: impl Fn(&[i64]) -> Result<Option<i64>>) -> Result<Priced> {
    let (given, of_offers) = give(cart.items, cart.gifts);
    let in_range = |minor: &i64| (0..=ORDER_MAX_MINOR).contains(minor);
    let mut explanation = Vec::with_capacity(cart.items.len());
    let mut of_cart = Vec::with_capacity(cart.items.len());
    let mut subtotal_minor = 0_i64;
    for (index, item) in cart.items.iter().enumerate() {
        let minor = item
            .unit_price_minor
            .checked_mul(item.quantity)
            .filter(in_range)
            .ok_or(Code::AmountOutOfRange)?;
        subtotal_minor = subtotal_minor.checked_add(minor).ok_or(Code::AmountOutOfRange)?;
        let of_line = || given.iter().filter(|given| given.line == index);
        of_cart.push(CartLine {
            sold: item.sold,
            units: match item.why {
                BENEFIT => 0,
                _ => item.quantity - of_line().map(|given| given.quantity).sum::<i64>(),
            },
            minor: minor - of_line().map(|given| given.discount_minor).sum::<i64>(),
        });
        let reason = item.why.to_owned();
        explanation.push(Explained {
            line: Some(index),
            rule: "list_price".to_owned(),
            outcome: "applied".to_owned(),
            reason,
            amount_minor: item.unit_price_minor,
        });
    }
    explanation.extend(of_offers);
    let applied = coupons::best(&of_cart, cart.coupons, cart.payable, fee)?;
    explanation.extend(explain(&applied, cart.coupons));
    if let Some(minor) = applied.shipping_minor {
        explanation.push(Explained {
            line: None,
            rule: "shipping".to_owned(),
            outcome: "applied".to_owned(),
            reason: if minor == 0 { "free_shipping" } else { "shipping_fee" }.to_owned(),
            amount_minor: minor,
        });
    }
    let mut lines: Vec<_> = cart
        .items
        .iter()
        .zip(&of_cart)
        .enumerate()
        .map(|(index, (item, before))| priced_line(item, before.minor - applied.off_line_minor(index)))
        .collect();
    let mut totals = Totals {
        subtotal_minor,
        discount_minor: lines.iter().map(|line| line.discount_minor).sum(),
        shipping_minor: applied.shipping_minor.unwrap_or(0),
        tax_included_minor: lines.iter().map(|line| line.tax_included_minor).sum(),
        ..Totals::default()
    };
    totals.total_minor = (subtotal_minor - totals.discount_minor)
        .checked_add(totals.shipping_minor)
        .filter(in_range)
        .ok_or(Code::AmountOutOfRange)?;
    explanation.extend(pay_with_points(cart, &mut lines, &mut totals)?);
    let left_minor = totals.total_minor - totals.points_minor;
    totals.credit_minor = cart.payable.by_credit_minor(left_minor);
    let wanted_minor = cart.payable.credit_minor;
    if wanted_minor > 0 {
        let is_less = totals.credit_minor < wanted_minor.min(left_minor);
        explanation.push(Explained {
            line: None,
            rule: "store_credit".to_owned(),
            outcome: if totals.credit_minor > 0 { "applied" } else { "refused" }.to_owned(),
            reason: if is_less { "rest_too_small" } else { "store_credit" }.to_owned(),
            amount_minor: totals.credit_minor,
        });
    }
    totals.due_minor = left_minor - totals.credit_minor;
    explanation.extend(cart.items.iter().zip(&lines).enumerate().flat_map(earns));
    Ok(Priced { lines, totals, explanation, given, coupons: applied })
}

fn priced_line(item: &PricedItem<'_>, total_minor: i64) -> PricedLine {
    let subtotal_minor = item.unit_price_minor * item.quantity;
    PricedLine {
        unit_price_minor: item.unit_price_minor,
        quantity: item.quantity,
        subtotal_minor,
        discount_minor: subtotal_minor - total_minor,
        total_minor,
        tax_included_minor: included_tax_minor(total_minor, item.tax_rate_bp),
        tax_rate_bp: item.tax_rate_bp,
        points_minor: 0,
        points_rate_bp: item.rates.points.0,
        level_rate_bp: item.rates.level.0,
    }
}

/// Points pay their part, each line by what it comes to; not gift cards, which are money, and not the parcel.
fn pay_with_points(
    cart: PricedCart<'_>,
    lines: &mut [PricedLine],
    totals: &mut Totals,
) -> Result<Option<Explained>> {
    let Some((wanted, exchange)) = cart.payable.points.filter(|(wanted, _)| *wanted > 0) else {
        return Ok(None);
    };
    let payable = |(item, line): (&PricedItem<'_>, &PricedLine)| match item.sold {
        Sold::GiftCard => 0,
        Sold::Plan { .. } | Sold::Article { .. } => line.total_minor,
    };
    let weights: Vec<_> = cart.items.iter().zip(lines.iter()).map(payable).collect();
    let paid = match exchange {
        Some(by) => by.pays(wanted, totals.total_minor, weights.iter().sum(), cart.payable.least_minor),
        None => PaidByPoints { limited: Some("points_not_spendable"), ..PaidByPoints::default() },
    };
    if paid.minor > 0 {
        let shares = split_minor(paid.minor, &weights).map_err(|_| Code::AmountOutOfRange)?;
        for (line, minor) in lines.iter_mut().zip(shares) {
            line.points_minor = minor;
        }
    }
    (totals.points, totals.points_minor) = (paid.points, paid.minor);
    Ok(Some(Explained {
        line: None,
        rule: "points".to_owned(),
        outcome: if paid.points > 0 { "applied" } else { "refused" }.to_owned(),
        reason: paid.limited.unwrap_or("points").to_owned(),
        amount_minor: paid.minor,
    }))
}

/// What a line earns once it is final, where it earns something: whole points, not money.
fn earns((index, (item, line)): (usize, (&PricedItem<'_>, &PricedLine))) -> Vec<Explained> {
    let minor = line.total_minor - line.points_minor;
    let each = [("earns_points", item.rates.points), ("earns_level_points", item.rates.level)];
    let each = each.map(|(rule, (rate_bp, by))| Explained {
        line: Some(index),
        rule: rule.to_owned(),
        outcome: "applied".to_owned(),
        reason: by.map_or_else(|| "usual_rate".to_owned(), |code| format!("points_rule:{code}")),
        amount_minor: earned(minor, rate_bp),
    });
    each.into_iter().filter(|told| told.amount_minor > 0).collect()
}

/// What each coupon took off which line, and why others weren't used.
fn explain(applied: &Applied, candidates: &[Candidate<'_>]) -> Vec<Explained> {
    let mut explained = Vec::new();
    let rule = |index: usize| {
        candidates.get(index).map(|one| format!("coupon:{}", one.campaign.code)).unwrap_or_default()
    };
    for of_use in &applied.uses {
        let off_lines = of_use.lines_minor.iter().enumerate().map(|(line, minor)| (Some(line), *minor));
        for (line, amount_minor) in
            off_lines.chain([(None, of_use.shipping_minor)]).filter(|(_, minor)| *minor > 0)
        {
            let (outcome, reason) = ("applied".to_owned(), "coupon".to_owned());
            explained.push(Explained { line, rule: rule(of_use.candidate), outcome, reason, amount_minor });
        }
    }
    // An automatic one that doesn't fit is nothing that the buyer asked for.
    let asked = |index: usize| candidates.get(index).is_some_and(|one| one.asked.is_some());
    explained.extend(applied.refused.iter().filter(|(index, _)| asked(*index)).map(|(index, reason)| {
        Explained {
            line: None,
            rule: rule(*index),
            outcome: "refused".to_owned(),
            reason: reason.as_str().to_owned(),
            amount_minor: 0,
        }
    }));
    explained
}

/// [`Totals`] over the wire.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TotalsView {
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    pub tax_included: Money,
    pub total: Money,
    /// What points pay.
    pub points: Money,
    /// How many they are.
    pub points_spent: i64,
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
            points_spent: self.points,
            credit: money(self.credit_minor),
            due: money(self.due_minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::PlanId;

    fn cart<'a>(items: &'a [PricedItem<'a>]) -> PricedCart<'a> {
        PricedCart {
            items,
            gifts: &[],
            coupons: &[],
            payable: Payable { methods: &[], least_minor: 0, credit_minor: 0, points: None },
        }
    }

    fn item(unit_price_minor: i64, quantity: i64) -> PricedItem<'static> {
        let sold = Sold::Plan { plan: PlanId(uuid::Uuid::nil()), tier: "regular", sale: None };
        let rates = Rates::default();
        PricedItem { quantity, unit_price_minor, why: "plan_price", tax_rate_bp: 900, sold, rates }
    }

    #[test]
    fn what_is_shown_sums_to_what_is_charged() {
        let priced = price(cart(&[item(20_000, 1), item(120_000, 2)]), |_| Ok(Some(1_200))).unwrap();
        assert_eq!((priced.totals.subtotal_minor, priced.totals.due_minor), (260_000, 261_200));
        let of_lines: i64 = priced.lines.iter().map(|line| line.total_minor).sum();
        assert_eq!(of_lines + priced.totals.shipping_minor, priced.totals.due_minor);
        let tax: i64 = priced.lines.iter().map(|line| line.tax_included_minor).sum();
        assert_eq!((tax, priced.totals.tax_included_minor), (1_651 + 19_817, 1_651 + 19_817));
        assert_eq!(priced.explanation.len(), 3);
    }

    #[test]
    fn amounts_out_of_range_are_refused() {
        assert!(price(cart(&[item(ORDER_MAX_MINOR, 1)]), |_| Ok(None)).is_ok());
        let refused =
            |items: &[PricedItem<'_>], shipping| price(cart(items), |_| Ok(shipping)).unwrap_err().code;
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 2)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(i64::MAX, 2)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 1), item(1, 1)], None), Code::AmountOutOfRange);
        assert_eq!(refused(&[item(ORDER_MAX_MINOR, 1)], Some(1)), Code::AmountOutOfRange);
    }
}
