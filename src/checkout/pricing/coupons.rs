//! What coupons take off a cart: one pure evaluation. The set of them by which the buyer pays least is used; where two
//! sets come to the same, the one of fewer coupons, then of higher priority, then of the lower ids. So the order in which
//! codes are typed makes no difference, and nobody pays more with a code than without it. A set that leaves nothing to pay
//! with, or too little to charge, isn't lawful.

use std::cmp::Reverse;

use kindred_stripe::Method;
use rust_decimal::Decimal;

use crate::checkout::credit::rules::pays_minor;
use crate::error::{AppError, Result};
use crate::loyalty::points::rules::Exchange;
use crate::promotion::campaigns::model::Campaign;
use crate::promotion::campaigns::reason::Reason;
use crate::promotion::campaigns::rules::{Benefit, Class, Sold, combine};
use crate::types::id::{CouponId, VariantId};
use crate::types::money::{apply_rate, scale_minor, split_minor};

/// Coupons beyond that many are left out of account, the automatic ones of low priority first: all sets of them are tried.
const TOGETHER_MAX: usize = 12;

/// Codes that one order may send: a set has no more of them.
pub const ASKED_MAX: usize = 5;

/// A line before coupons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartLine<'a> {
    pub sold: Sold<'a>,
    /// Units that are paid for: not those that an offer gives.
    pub units: i64,
    /// What they cost.
    pub minor: i64,
}

/// A coupon that might be used, with a code or without.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub campaign: &'a Campaign,
    /// Position among the codes that were sent; none: it needs no code.
    pub asked: Option<usize>,
    /// None where it needs no code.
    pub coupon: Option<CouponId>,
    /// No other order may use the coupon as long as this one does.
    pub is_single: bool,
    /// Why the buyer can't use it, whatever is in the cart.
    pub refusal: Option<Reason>,
    /// How often it could be used by this order.
    pub uses_left: i64,
    /// Of the campaign's budget.
    pub budget_left_minor: Option<i64>,
}

/// What one coupon did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Position among the candidates.
    pub candidate: usize,
    /// Off each line.
    pub lines_minor: Vec<i64>,
    /// Off the shipping.
    pub shipping_minor: i64,
}

impl Use {
    pub fn total_minor(&self) -> i64 {
        self.lines_minor.iter().sum::<i64>() + self.shipping_minor
    }
}

/// How a cart can be paid.
#[derive(Clone, Copy, Debug)]
pub struct Payable<'a> {
    /// Methods that all lines can be paid with.
    pub methods: &'a [Method],
    /// Between nothing and this nothing can be charged.
    pub least_minor: i64,
    /// Store credit that is to pay as much as it can.
    pub credit_minor: i64,
    /// Points that are to pay before it, and how they pay where they can; none: they aren't asked for.
    pub points: Option<(i64, Option<Exchange>)>,
}

impl Payable<'_> {
    /// What store credit pays of a total.
    pub fn by_credit_minor(self, total_minor: i64) -> i64 {
        pays_minor(self.credit_minor, total_minor, self.least_minor)
    }
}

/// What coupons come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// In the order in which they were applied.
    pub uses: Vec<Use>,
    /// Candidates that weren't used, and why.
    pub refused: Vec<(usize, Reason)>,
    /// The fee for the parcel, less what coupons took off it; none where nothing is sent.
    pub shipping_minor: Option<i64>,
}

impl Applied {
    /// What all of them took off a line.
    pub fn off_line_minor(&self, line: usize) -> i64 {
        self.uses.iter().filter_map(|one| one.lines_minor.get(line)).sum()
    }
}

/// Chooses the best set. `fee` says what the parcel costs where the lines come to so much each.
///
/// # Errors
/// Those of `fee`; an amount out of range.
pub fn best(
    lines: &[CartLine<'_>],
    candidates: &[Candidate<'_>],
    payable: Payable<'_>,
    fee: impl Fn(&[i64]) -> Result<Option<i64>>,
) -> Result<Applied> {
    let cart = Cart { lines, payable, fee: &fee };
    let mut refused = Vec::new();
    let mut able = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        match cart.suits(candidate) {
            Ok(()) => able.push(index),
            Err(reason) => refused.push((index, reason)),
        }
    }
    let of = |index: &usize| candidates.get(*index);
    able.sort_by_key(|index| of(index).map(|one| (one.asked.is_none(), rank(one))));
    refused.extend(
        able.split_off(able.len().min(TOGETHER_MAX)).into_iter().map(|index| (index, Reason::NotCombined)),
    );
    able.sort_by_key(|index| of(index).map(|one| (one.campaign.class.step(), rank(one))));
    let able: Vec<_> = able.iter().filter_map(|index| Some((*index, of(index)?))).collect();

    let mut search = Search { cart: &cart, able: &able, chosen: Vec::new(), best: cart.evaluate(&[])? };
    search.from(0)?;
    let best = search.best;
    for (index, one) in &able {
        if best.uses.iter().any(|used| used.candidate == *index) {
            continue;
        }
        let alone = cart.evaluate(&[(*index, one)])?;
        let reason = match alone.verdict {
            Verdict::Lawful if cart.stands_in_the_way(*index, one, &best.uses, &able) => Reason::NotCombined,
            Verdict::Lawful => Reason::BetterWithout,
            Verdict::OverBudget => Reason::BudgetUsedUp,
            Verdict::NoMethod => Reason::MethodNotOffered,
            Verdict::TooLittle => Reason::TooLittleLeft,
            Verdict::Idle => Reason::NothingToTakeOff,
        };
        refused.push((*index, reason));
    }
    refused.sort_by_key(|(index, _)| *index);
    Ok(Applied { uses: best.uses, refused, shipping_minor: best.shipping_minor })
}

/// The order among equals: priority, then ids.
fn rank(one: &Candidate<'_>) -> impl Ord + use<> {
    (Reverse(one.campaign.priority), one.campaign.id, one.coupon)
}

struct Cart<'a, F> {
    lines: &'a [CartLine<'a>],
    payable: Payable<'a>,
    fee: &'a F,
}

/// May a set be used?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Lawful,
    /// It would take more than a campaign's budget has left.
    OverBudget,
    /// One of it takes nothing off.
    Idle,
    /// No method suits all of it.
    NoMethod,
    /// It leaves less than can be charged.
    TooLittle,
}

/// What a set comes to.
struct Evaluated {
    uses: Vec<Use>,
    shipping_minor: Option<i64>,
    due_minor: i64,
    verdict: Verdict,
}

/// Walks the sets whose coupons all go together.
struct Search<'a, F> {
    cart: &'a Cart<'a, F>,
    able: &'a [(usize, &'a Candidate<'a>)],
    chosen: Vec<(usize, &'a Candidate<'a>)>,
    best: Evaluated,
}

impl<F: Fn(&[i64]) -> Result<Option<i64>>> Search<'_, F> {
    fn from(&mut self, start: usize) -> Result<()> {
        for (position, (index, one)) in self.able.iter().enumerate().skip(start) {
            let asked = self.chosen.iter().filter(|(_, one)| one.asked.is_some()).count();
            if !joins(one, &self.chosen) || (one.asked.is_some() && asked == ASKED_MAX) {
                continue;
            }
            self.chosen.push((*index, one));
            let found = self.cart.evaluate(&self.chosen)?;
            if found.verdict == Verdict::Lawful && self.is_better(&found) {
                self.best = found;
            }
            self.from(position + 1)?;
            self.chosen.pop();
        }
        Ok(())
    }

    fn is_better(&self, found: &Evaluated) -> bool {
        let key = |one: &Evaluated| {
            let mut ranks: Vec<_> = one
                .uses
                .iter()
                .filter_map(|used| self.able.iter().find(|(index, _)| *index == used.candidate))
                .map(|(_, one)| rank(one))
                .collect();
            ranks.sort();
            (one.due_minor, one.uses.len(), ranks)
        };
        key(found) < key(&self.best)
    }
}

/// Goes this one with all of those?
fn joins(one: &Candidate<'_>, others: &[(usize, &Candidate<'_>)]) -> bool {
    let same = others.iter().filter(|(_, other)| other.campaign.id == one.campaign.id).count();
    let is_left = i64::try_from(same).is_ok_and(|same| same < one.uses_left);
    is_left && others.iter().all(|(_, other)| combine(one.campaign, other.campaign))
}

impl<F: Fn(&[i64]) -> Result<Option<i64>>> Cart<'_, F> {
    fn covered<'b>(&'b self, campaign: &'b Campaign) -> impl Iterator<Item = (usize, &'b CartLine<'b>)> + 'b {
        let is_covered = |line: &CartLine<'_>| campaign.scope.covers(campaign.class, line.sold);
        self.lines.iter().enumerate().filter(move |(_, line)| is_covered(line))
    }

    /// Can it be used on this cart at all?
    fn suits(&self, one: &Candidate<'_>) -> Result<(), Reason> {
        if let Some(reason) = one.refusal {
            return Err(reason);
        }
        let campaign = one.campaign;
        let (units, minor) = self
            .covered(campaign)
            .fold((0_i64, 0_i64), |(units, minor), (_, line)| (units + line.units, minor + line.minor));
        if units == 0 {
            let misses = |line: &CartLine<'_>| campaign.scope.misses_sale(campaign.class, line.sold);
            let is_other = self.lines.iter().any(misses);
            return Err(if is_other { Reason::OtherSale } else { Reason::NothingInScope });
        }
        let conditions = &campaign.conditions;
        if conditions.minimum_spend.as_ref().is_some_and(|least| minor < least.amount) {
            return Err(Reason::MinimumSpend);
        }
        if conditions.minimum_quantity.is_some_and(|least| units < least) {
            return Err(Reason::MinimumQuantity);
        }
        if !self.payable.methods.iter().any(|method| conditions.allows(*method)) {
            return Err(Reason::MethodNotOffered);
        }
        match &campaign.benefit {
            Benefit::Gift { variant, .. } if !self.has(*variant) => Err(Reason::GiftNotInCart),
            Benefit::BuyGet { buy, get } if units < buy + get => Err(Reason::MinimumQuantity),
            Benefit::CheapestFree { of } if units < *of => Err(Reason::MinimumQuantity),
            _ => Ok(()),
        }
    }

    fn has(&self, wanted: VariantId) -> bool {
        self.lines.iter().any(|line| is_of(line, wanted) && line.units > 0)
    }

    /// Would it be used, were it not for those that are?
    fn stands_in_the_way(
        &self,
        index: usize,
        one: &Candidate<'_>,
        uses: &[Use],
        able: &[(usize, &Candidate<'_>)],
    ) -> bool {
        let used: Vec<_> = able
            .iter()
            .filter(|(other, _)| *other != index && uses.iter().any(|used| used.candidate == *other))
            .copied()
            .collect();
        !joins(one, &used)
    }

    /// What a set takes off, its coupons in the order in which they are applied.
    fn evaluate(&self, set: &[(usize, &Candidate<'_>)]) -> Result<Evaluated> {
        let mut left: Vec<i64> = self.lines.iter().map(|line| line.minor).collect();
        let mut uses = Vec::with_capacity(set.len());
        for (index, one) in set.iter().filter(|(_, one)| one.campaign.class != Class::Shipping) {
            let lines_minor = self.take_off(one.campaign, &left)?;
            left.iter_mut().zip(&lines_minor).for_each(|(left, off)| *left -= off);
            uses.push(Use { candidate: *index, lines_minor, shipping_minor: 0 });
        }
        let mut shipping_minor = (self.fee)(&left)?;
        for (index, one) in set.iter().filter(|(_, one)| one.campaign.class == Class::Shipping) {
            let fee = shipping_minor.unwrap_or(0);
            let off =
                capped(vec![off_sum(&one.campaign.benefit, fee, 1)?], &one.campaign.benefit)?.iter().sum();
            shipping_minor = shipping_minor.map(|fee| fee - off);
            uses.push(Use { candidate: *index, lines_minor: vec![0; left.len()], shipping_minor: off });
        }
        let due_minor = left.iter().sum::<i64>() + shipping_minor.unwrap_or(0);
        let verdict = match verdict(set, &uses) {
            Verdict::Lawful if !self.has_method(set) => Verdict::NoMethod,
            Verdict::Lawful if !set.is_empty() && self.leaves_too_little(due_minor) => Verdict::TooLittle,
            judged => judged,
        };
        Ok(Evaluated { uses, shipping_minor, due_minor, verdict })
    }

    /// Can what store credit doesn't pay not be charged?
    fn leaves_too_little(&self, total_minor: i64) -> bool {
        let rest_minor = total_minor - self.payable.by_credit_minor(total_minor);
        (1..self.payable.least_minor).contains(&rest_minor)
    }

    fn has_method(&self, set: &[(usize, &Candidate<'_>)]) -> bool {
        let suits = |method: &Method| set.iter().all(|(_, one)| one.campaign.conditions.allows(*method));
        set.is_empty() || self.payable.methods.iter().any(suits)
    }

    /// What one coupon takes off each line, of which so much is left.
    fn take_off(&self, campaign: &Campaign, left: &[i64]) -> Result<Vec<i64>> {
        let mut off = vec![0; left.len()];
        let covered: Vec<(usize, i64, i64)> = self
            .covered(campaign)
            .filter_map(|(index, line)| Some((index, line.units, *left.get(index)?)))
            .filter(|(_, units, minor)| *units > 0 && *minor > 0)
            .collect();
        let shares: Vec<i64> = match (&campaign.benefit, campaign.class) {
            (Benefit::Percentage { .. } | Benefit::FixedPrice { .. }, class) if class != Class::Order => {
                let each = covered.iter().map(|(_, units, minor)| off_sum(&campaign.benefit, *minor, *units));
                capped(each.collect::<Result<_>>()?, &campaign.benefit)?
            }
            (Benefit::Percentage { .. } | Benefit::Amount { .. } | Benefit::FixedPrice { .. }, _) => {
                let weights: Vec<_> = covered.iter().map(|(.., minor)| *minor).collect();
                let sum = off_sum(&campaign.benefit, weights.iter().sum(), 1)?;
                let shares = split_minor(sum, &weights).map_err(AppError::internal)?;
                capped(shares, &campaign.benefit)?
            }
            (Benefit::BuyGet { buy, get }, _) => {
                let units: i64 = covered.iter().map(|(_, units, _)| units).sum();
                cheapest(&covered, units / (buy + get).max(1) * get)?
            }
            (Benefit::CheapestFree { .. }, _) => cheapest(&covered, 1)?,
            (Benefit::Gift { variant, quantity }, _) => {
                return self.give(*variant, *quantity, left);
            }
        };
        for ((index, ..), share) in covered.iter().zip(shares) {
            if let Some(off) = off.get_mut(*index) {
                *off = share;
            }
        }
        Ok(off)
    }

    /// So many units of an article cost nothing, in the order of its lines.
    fn give(&self, wanted: VariantId, mut quantity: i64, left: &[i64]) -> Result<Vec<i64>> {
        let mut off = Vec::with_capacity(left.len());
        for (line, minor) in self.lines.iter().zip(left) {
            let units = if is_of(line, wanted) { line.units.min(quantity) } else { 0 };
            quantity -= units;
            off.push(part_of(*minor, units, line.units)?);
        }
        Ok(off)
    }
}

fn is_of(line: &CartLine<'_>, wanted: VariantId) -> bool {
    matches!(line.sold, Sold::Article { variant, .. } if variant == wanted)
}

/// What so many of a line's units cost.
fn part_of(minor: i64, units: i64, of: i64) -> Result<i64> {
    if units == 0 { Ok(0) } else { scale_minor(minor, units, of).map_err(AppError::internal) }
}

/// What a benefit takes off one sum, which so many units cost: rounded once, before the cap of a percentage.
fn off_sum(benefit: &Benefit, minor: i64, units: i64) -> Result<i64> {
    Ok(match benefit {
        Benefit::Percentage { percent, .. } => {
            apply_rate(minor, *percent / Decimal::ONE_HUNDRED).map_err(AppError::internal)?
        }
        Benefit::Amount { off } => off.amount.min(minor),
        Benefit::FixedPrice { price } => (minor - price.amount.saturating_mul(units)).max(0),
        Benefit::BuyGet { .. } | Benefit::CheapestFree { .. } | Benefit::Gift { .. } => 0,
    })
}

/// The cap of a percentage holds for all lines together.
fn capped(shares: Vec<i64>, benefit: &Benefit) -> Result<Vec<i64>> {
    match benefit {
        Benefit::Percentage { cap: Some(cap), .. } if shares.iter().sum::<i64>() > cap.amount => {
            split_minor(cap.amount, &shares).map_err(AppError::internal)
        }
        _ => Ok(shares),
    }
}

/// So many of the cheapest units cost nothing; of lines that cost the same the earlier one gives first.
fn cheapest(covered: &[(usize, i64, i64)], mut free: i64) -> Result<Vec<i64>> {
    let mut order: Vec<usize> = (0..covered.len()).collect();
    // By the price of a unit: minor / units, compared without dividing.
    order.sort_by(|one, other| match (covered.get(*one), covered.get(*other)) {
        (Some((_, units, minor)), Some((_, other_units, other_minor))) => {
            let cross = |minor: i64, units: i64| i128::from(minor) * i128::from(units);
            cross(*minor, *other_units).cmp(&cross(*other_minor, *units)).then(one.cmp(other))
        }
        _ => one.cmp(other),
    });
    let mut shares = vec![0; covered.len()];
    for position in order {
        let (Some((_, units, minor)), Some(share)) = (covered.get(position), shares.get_mut(position)) else {
            continue;
        };
        let taken = free.min(*units);
        free -= taken;
        *share = part_of(*minor, taken, *units)?;
    }
    Ok(shares)
}

fn verdict(set: &[(usize, &Candidate<'_>)], uses: &[Use]) -> Verdict {
    let of = |index: usize| {
        uses.iter().filter(move |used| used.candidate == index).map(Use::total_minor).sum::<i64>()
    };
    if set.iter().any(|(index, _)| of(*index) == 0) {
        return Verdict::Idle;
    }
    let is_over = set.iter().any(|(_, one)| {
        let same = set.iter().filter(|(_, other)| other.campaign.id == one.campaign.id);
        let sum: i64 = same.map(|(index, _)| of(*index)).sum();
        one.budget_left_minor.is_some_and(|left| sum > left)
    });
    if is_over { Verdict::OverBudget } else { Verdict::Lawful }
}

#[cfg(test)]
mod tests;
