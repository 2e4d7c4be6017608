//! What coupons take off a cart: one pure evaluation. The set of them by which the buyer pays least is used; where two
//! sets come to the same, the one of fewer coupons, then of higher priority, then of the lower ids. So the order in which
//! codes are typed makes no difference, and nobody pays more with a code than without it. A set that leaves nothing to pay
//! with, or too little to charge, isn't lawful.

use std::cmp::Reverse;

use kindred_stripe::Method;
use rust_decimal::Decimal;

use crate::checkout::credit::rules::pays_minor;
use crate::error::{AppError, Result};
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
            return Err(Reason::NothingInScope);
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::promotion::campaigns::rules::{Conditions, Scope};
    use crate::types::id::{CampaignId, ProductId};
    use crate::types::locale::Names;
    use crate::types::money::Money;

    const PAYABLE: Payable<'_> = Payable { methods: &Method::ALL, least_minor: 0, credit_minor: 0 };

    fn yuan(minor: i64) -> Money {
        Money::new(minor, "CNY")
    }

    fn percent(percent: i64) -> Benefit {
        Benefit::Percentage { percent: Decimal::from(percent), cap: None }
    }

    fn campaign(class: Class, benefit: Benefit, combines_with: &[Class]) -> Campaign {
        Campaign {
            id: CampaignId::new(),
            code: "c".into(),
            names: Names::new("", ""),
            class,
            benefit,
            scope: Scope::default(),
            conditions: Conditions::default(),
            combines_with: combines_with.to_vec(),
            priority: 0,
            automatic: false,
            per_person: None,
            per_order: 1,
            per_day: None,
            pool: None,
            budget_pool: None,
            starts_at: None,
            ends_at: None,
            valid_days: None,
            on_repeat_card: Default::default(),
            created_at: "2014-09-01T00:00:00Z".parse().unwrap(),
            paused_at: None,
            archived_at: None,
            version: 1,
        }
    }

    fn candidate(campaign: &Campaign) -> Candidate<'_> {
        Candidate {
            campaign,
            asked: Some(0),
            coupon: None,
            is_single: false,
            refusal: None,
            uses_left: 1,
            budget_left_minor: None,
        }
    }

    fn goods(units: i64, minor: i64) -> CartLine<'static> {
        let (variant, product) = (VariantId::new(), ProductId::new());
        let sold = Sold::Article { variant, product, category: None, in_drop: false, is_reduced: false };
        CartLine { sold, units, minor }
    }

    fn ask(lines: &[CartLine<'_>], campaigns: &[&Campaign], fee: Option<i64>) -> Applied {
        let candidates: Vec<_> = campaigns.iter().map(|one| candidate(one)).collect();
        best(lines, &candidates, PAYABLE, |_| Ok(fee)).unwrap()
    }

    /// What is taken off each line, and off the shipping.
    fn off(applied: &Applied, lines: usize) -> (Vec<i64>, i64) {
        let of_lines = (0..lines).map(|line| applied.off_line_minor(line)).collect();
        (of_lines, applied.uses.iter().map(|used| used.shipping_minor).sum())
    }

    #[test]
    fn each_benefit_takes_what_it_says_and_never_more_than_the_price() {
        let lines = [goods(2, 20_000), goods(3, 1_001)];
        let product = |benefit| off(&ask(&lines, &[&campaign(Class::Product, benefit, &[])], None), 2).0;
        assert_eq!(product(percent(15)), [3_000, 150]);
        assert_eq!(product(percent(100)), [20_000, 1_001]);
        let capped = |minor| Benefit::Percentage { percent: Decimal::from(50), cap: Some(yuan(minor)) };
        // 10,000 and 501 (half away from zero): the cap is split by them.
        assert_eq!(product(capped(20_000)), [10_000, 501]);
        assert_eq!(product(capped(1_000)), [952, 48]);
        assert_eq!(product(Benefit::Amount { off: yuan(1_000) }), [952, 48]);
        assert_eq!(product(Benefit::Amount { off: yuan(99_999) }), [20_000, 1_001]);
        assert_eq!(product(Benefit::FixedPrice { price: yuan(300) }), [19_400, 101]);
        assert_eq!(product(Benefit::BuyGet { buy: 1, get: 1 }), [0, 667]);
        assert_eq!(product(Benefit::BuyGet { buy: 1, get: 4 }), [10_000, 1_001]);
        assert_eq!(product(Benefit::CheapestFree { of: 5 }), [0, 334]);
        let order = |benefit| off(&ask(&lines, &[&campaign(Class::Order, benefit, &[])], None), 2).0;
        // 3,150.15 of the whole, rounded once.
        assert_eq!(order(percent(15)), [3_000, 150]);
        assert_eq!(order(Benefit::Amount { off: yuan(1_000) }), [952, 48]);
    }

    #[test]
    fn shipping_coupons_take_off_the_fee_that_is_left_to_pay() {
        let lines = [goods(1, 5_000)];
        let shipping = |benefit| {
            let applied = ask(&lines, &[&campaign(Class::Shipping, benefit, &[])], Some(1_200));
            (off(&applied, 1), applied.shipping_minor)
        };
        assert_eq!(shipping(percent(100)), ((vec![0], 1_200), Some(0)));
        assert_eq!(shipping(Benefit::Amount { off: yuan(500) }), ((vec![0], 500), Some(700)));
        assert_eq!(shipping(Benefit::FixedPrice { price: yuan(200) }), ((vec![0], 1_000), Some(200)));
        // Nothing is sent: nothing to take off.
        let free = campaign(Class::Shipping, percent(100), &[]);
        let applied = ask(&lines, &[&free], None);
        assert_eq!((applied.uses.len(), applied.refused), (0, vec![(0, Reason::NothingToTakeOff)]));
    }

    #[test]
    fn a_discount_that_costs_free_shipping_is_not_used() {
        let lines = [goods(1, 10_000)];
        let little = campaign(Class::Product, Benefit::Amount { off: yuan(100) }, &[]);
        let candidates = [candidate(&little)];
        let fee = |lines: &[i64]| Ok(Some(if lines.iter().sum::<i64>() >= 10_000 { 0 } else { 1_200 }));
        let applied = best(&lines, &candidates, PAYABLE, fee).unwrap();
        assert_eq!((applied.uses.len(), applied.refused), (0, vec![(0, Reason::BetterWithout)]));
    }

    #[test]
    fn both_must_agree_and_the_better_set_wins() {
        let lines = [goods(1, 10_000)];
        let fifth = campaign(Class::Product, percent(20), &[Class::Order]);
        let tenth = campaign(Class::Order, percent(10), &[Class::Product]);
        let stubborn = campaign(Class::Order, percent(25), &[]);
        assert_eq!(off(&ask(&lines, &[&fifth, &tenth], None), 1).0, [2_800]);
        let applied = ask(&lines, &[&fifth, &stubborn, &tenth], None);
        assert_eq!((off(&applied, 1).0, applied.refused), (vec![2_800], vec![(1, Reason::NotCombined)]));
        let applied = ask(&lines, &[&fifth, &stubborn], None);
        assert_eq!((off(&applied, 1).0, applied.refused), (vec![2_500], vec![(0, Reason::NotCombined)]));
        // Of equal ones that of higher priority, then the older one.
        let (first, second) =
            (campaign(Class::Order, percent(10), &[]), campaign(Class::Order, percent(10), &[]));
        assert_eq!(ask(&lines, &[&second, &first], None).uses[0].candidate, 1);
        let preferred = Campaign { priority: 1, ..second };
        assert_eq!(ask(&lines, &[&preferred, &first], None).uses[0].candidate, 0);
    }

    #[test]
    fn budgets_and_uses_that_are_left_are_never_passed() {
        let lines = [goods(1, 10_000)];
        let tenth = campaign(Class::Product, percent(10), &[]);
        let with = |budget_left_minor| {
            let candidates = [Candidate { budget_left_minor, ..candidate(&tenth) }];
            best(&lines, &candidates, PAYABLE, |_| Ok(None)).unwrap()
        };
        assert_eq!(with(Some(1_000)).uses.len(), 1);
        assert_eq!(with(Some(999)).refused, [(0, Reason::BudgetUsedUp)]);
        // Two codes of one campaign share what is left.
        let twice = Campaign { combines_with: vec![Class::Product], ..tenth };
        let two = |uses_left, budget_left_minor| {
            let one = Candidate { uses_left, budget_left_minor, ..candidate(&twice) };
            let other = Candidate { coupon: Some(CouponId::new()), ..one };
            best(&lines, &[one, other], PAYABLE, |_| Ok(None)).unwrap().uses.len()
        };
        assert_eq!([two(2, None), two(1, None), two(2, Some(1_900)), two(2, Some(1_899))], [2, 1, 2, 1]);
    }

    #[test]
    fn what_leaves_too_little_or_no_method_is_no_set() {
        let lines = [goods(1, 1_000)];
        let off = |minor| campaign(Class::Product, Benefit::Amount { off: yuan(minor) }, &[Class::Order]);
        let ask = |campaigns: &[&Campaign]| {
            let candidates: Vec<_> = campaigns.iter().map(|one| candidate(one)).collect();
            let payable = Payable { methods: &Method::ALL, least_minor: 400, credit_minor: 0 };
            let applied = best(&lines, &candidates, payable, |_| Ok(None)).unwrap();
            (applied.uses.len(), applied.refused)
        };
        assert_eq!(ask(&[&off(600)]), (1, vec![]));
        assert_eq!(ask(&[&off(601)]), (0, vec![(0, Reason::TooLittleLeft)]));
        assert_eq!(ask(&[&off(1_000)]), (1, vec![]));
        let by = |class, with: &[Class], method: &str| {
            let mut one = campaign(class, percent(10), with);
            one.conditions.payment_methods = vec![method.to_owned()];
            one
        };
        let one = by(Class::Product, &[Class::Order], "alipay");
        let other = by(Class::Order, &[Class::Product], "wechat_pay");
        assert_eq!(ask(&[&one, &other]).0, 1);
    }

    fn any_class() -> impl Strategy<Value = Class> {
        (0..Class::ALL.len())
            .prop_map(|index| Class::ALL[index])
            .prop_filter("goods", |class| *class != Class::GiftItem)
    }

    fn any_benefit() -> impl Strategy<Value = Benefit> {
        prop_oneof![
            (1_i64..=100).prop_map(percent),
            (1_i64..=100, 0_i64..2_000).prop_map(|(percent, cap)| Benefit::Percentage {
                percent: Decimal::from(percent),
                cap: Some(yuan(cap + 1)),
            }),
            (1_i64..20_000).prop_map(|minor| Benefit::Amount { off: yuan(minor) }),
            (0_i64..5_000).prop_map(|minor| Benefit::FixedPrice { price: yuan(minor) }),
            (1_i64..3, 1_i64..3).prop_map(|(buy, get)| Benefit::BuyGet { buy, get }),
            (2_i64..4).prop_map(|of| Benefit::CheapestFree { of }),
        ]
    }

    proptest! {
        #[test]
        fn no_price_is_passed_no_order_matters_and_nobody_pays_more(
            lines in prop::collection::vec((1_i64..6, 0_i64..10_000), 1..5),
            rules in prop::collection::vec(
                (any_class(), any_benefit(), prop::collection::vec(any_class(), 0..4), prop::option::of(1_i64..3_000)),
                0..5,
            ),
            fee in prop::option::of(0_i64..2_000),
        ) {
            let lines: Vec<_> = lines.into_iter().map(|(units, price)| goods(units, units * price)).collect();
            let campaigns: Vec<_> =
                rules.iter().map(|(class, benefit, with, _)| campaign(*class, benefit.clone(), with)).collect();
            let mut candidates: Vec<_> = campaigns
                .iter()
                .zip(&rules)
                .map(|(one, (.., budget))| Candidate { budget_left_minor: *budget, ..candidate(one) })
                .collect();
            let ask = |candidates: &[Candidate<'_>]| best(&lines, candidates, PAYABLE, |_| Ok(fee)).unwrap();
            let due = |applied: &Applied| -> i64 {
                let lines: i64 =
                    lines.iter().enumerate().map(|(index, line)| line.minor - applied.off_line_minor(index)).sum();
                lines + applied.shipping_minor.unwrap_or(0)
            };
            let applied = ask(&candidates);
            for (index, line) in lines.iter().enumerate() {
                prop_assert!((0..=line.minor).contains(&applied.off_line_minor(index)));
                prop_assert!(applied.uses.iter().all(|used| used.lines_minor[index] >= 0));
            }
            prop_assert!(applied.shipping_minor.unwrap_or(0) >= 0);
            prop_assert_eq!(applied.uses.len() + applied.refused.len(), candidates.len());
            for used in &applied.uses {
                let budget = candidates[used.candidate].budget_left_minor;
                prop_assert!(used.total_minor() > 0 && budget.is_none_or(|left| used.total_minor() <= left));
            }
            // Each of them alone, and none, costs as much at least.
            prop_assert!(due(&applied) <= due(&ask(&[])));
            for one in &candidates {
                prop_assert!(due(&applied) <= due(&ask(std::slice::from_ref(one))));
            }
            candidates.reverse();
            prop_assert_eq!(due(&ask(&candidates)), due(&applied));
        }
    }
}
