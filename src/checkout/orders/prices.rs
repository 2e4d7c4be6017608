//! What a cart costs: its lines, its coupons, its parcel; and what its lines are called.

use chrono::{DateTime, Utc};
use kindred_stripe::Method;

use super::benefits::{Waived, waived_minor};
use super::coupons::{self, Asker, Candidates, Offered, Outcome};
use super::rows::methods_of;
use super::rules::{
    self, ArticleFacts, Facts, GiftFacts, Ledger, LineFacts, PlanFacts, RenewalFacts, UpgradeFacts,
};
use super::service::{Cart, Shop};
use crate::checkout::pricing::coupons::{Candidate, Payable};
use crate::checkout::pricing::rules::{BENEFIT, Explained, Priced, PricedCart, PricedItem, price};
use crate::error::{Code, Result};
use crate::loyalty::points::programme::Rates;
use crate::membership::benefits::model::Benefit;
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{self as memberships, GRACE, Joining};
use crate::membership::plans::model::{Plan, Renews};
use crate::membership::upgrades::model::Mode;
use crate::promotion::campaigns::rules::{Person, PlanSale, Sold};
use crate::shop::audience::{Ranks, Visitor};
use crate::shop::drops::rules::unit_price as unit_price_in;
use crate::shop::products::model::Article;
use crate::shop::products::rules::{self as products, LIST_PRICE, UnitPrice};
use crate::shop::shipping::rules::fee_minor;
use crate::types::locale::Locale;
use crate::types::money::smallest_charge_minor;

/// Why a price is what it is: one thing instead of another.
pub const SWAP_OFFER: &str = "swap_offer";

/// What an article is called on an order.
pub fn article_title(article: &Article, locale: Locale) -> String {
    let options = article.options.as_object().into_iter().flatten();
    let options: Vec<_> = options.filter_map(|(_, value)| value.as_str()).collect();
    let name = article.product.names.pick(locale);
    if options.is_empty() { name.to_owned() } else { format!("{name} · {}", options.join(", ")) }
}

pub(super) fn title_of(line: &LineFacts<'_>, locale: Locale) -> String {
    match line {
        LineFacts::Plan(PlanFacts { plan, drive, .. }) => {
            let tier = locale.pick(&plan.tier_zh, &plan.tier_en);
            match drive {
                Some(drive) => format!("{} · {tier}", locale.pick(&drive.name_zh, &drive.name_en)),
                None => tier.clone(),
            }
        }
        LineFacts::Upgrade(UpgradeFacts { plan, .. }) => match locale {
            Locale::ZhCn => format!("升级为{}", plan.tier_zh),
            Locale::En => format!("Upgrade to {}", plan.tier_en),
        },
        LineFacts::Renewal(RenewalFacts { plan, .. }) => match locale {
            Locale::ZhCn => format!("{}续费", plan.tier_zh),
            Locale::En => format!("{}, renewed", plan.tier_en),
        },
        LineFacts::Article(ArticleFacts { article, .. }) => article_title(article, locale),
        LineFacts::GiftCard(_) => locale.pick("礼品卡", "Gift card").to_owned(),
        LineFacts::Gift(GiftFacts { plan, .. }) => match locale {
            Locale::ZhCn => format!("赠送{}", plan.tier_zh),
            Locale::En => format!("Gift: {}", plan.tier_en),
        },
    }
}

pub(super) fn priced_item<'a>(line: &LineFacts<'a>, facts: &Facts<'a>, now: DateTime<Utc>) -> PricedItem<'a> {
    let item = unrated(line, facts, now);
    PricedItem { rates: facts.earning.rates(item.sold, facts.visitor, facts.ranks, now), ..item }
}

/// But for what it earns.
fn unrated<'a>(line: &LineFacts<'a>, facts: &Facts<'_>, now: DateTime<Utc>) -> PricedItem<'a> {
    let rates = Rates::default();
    match line {
        LineFacts::Plan(PlanFacts { plan, drive, .. }) => PricedItem {
            quantity: 1,
            unit_price_minor: plan.price_minor,
            why: if drive.is_some() { "drive_price" } else { "plan_price" },
            tax_rate_bp: 0,
            sold: sold_plan(plan, sale_of(facts.membership, plan, now)),
            rates,
        },
        LineFacts::Upgrade(UpgradeFacts { quote, plan }) => PricedItem {
            quantity: 1,
            unit_price_minor: quote.due_minor,
            why: match (quote.offer_id, quote.mode) {
                (Some(_), _) => "upgrade_offer",
                (None, Mode::Prorate) => "upgrade_prorate",
                (None, Mode::Restart) => "upgrade_restart",
            },
            tax_rate_bp: 0,
            sold: sold_plan(plan, PlanSale::Upgrade),
            rates,
        },
        LineFacts::Renewal(RenewalFacts { renewal, plan }) => PricedItem {
            quantity: 1,
            unit_price_minor: renewal.price_minor,
            why: "renewal_price",
            tax_rate_bp: 0,
            sold: sold_plan(plan, PlanSale::Renewal),
            rates,
        },
        LineFacts::Article(line @ ArticleFacts { article, quantity, .. }) => {
            let unit = unit_price(line, facts.visitor, facts.ranks, now);
            PricedItem {
                quantity: *quantity,
                unit_price_minor: unit.minor,
                why: unit.why,
                tax_rate_bp: article.product.tax_rate_bp,
                sold: sold_article(article, line.drop.is_some(), unit.why != LIST_PRICE),
                rates,
            }
        }
        LineFacts::Gift(GiftFacts { plan, .. }) => PricedItem {
            quantity: 1,
            unit_price_minor: plan.price_minor,
            why: "plan_price",
            tax_rate_bp: 0,
            sold: sold_plan(plan, PlanSale::Gift),
            rates,
        },
        // It isn't taxed before it pays for something.
        LineFacts::GiftCard(card) => PricedItem {
            quantity: 1,
            unit_price_minor: card.amount.amount,
            why: "gift_card",
            tax_rate_bp: 0,
            sold: Sold::GiftCard,
            rates,
        },
    }
}

/// What coupons know a plan by.
fn sold_plan(plan: &Plan, sale: PlanSale) -> Sold<'_> {
    Sold::Plan { plan: plan.id, tier: &plan.tier_code, sale: Some(sale) }
}

/// What buying a plan is: who has its tier goes on with it, in grace too.
fn sale_of(open: Option<&MembershipRow>, plan: &Plan, now: DateTime<Utc>) -> PlanSale {
    match memberships::joining(open, plan.tier, now, GRACE) {
        Ok(Joining::Extends) => PlanSale::Renewal,
        _ => PlanSale::Join,
    }
}

/// What coupons know an article by.
pub(super) fn sold_article(article: &Article, in_drop: bool, is_reduced: bool) -> Sold<'_> {
    let product = &article.product;
    let (variant, product, category) = (article.id, product.id, product.category.as_deref());
    Sold::Article { variant, product, category, in_drop, is_reduced }
}

/// What one unit costs: by a swap the price of what is given up and the supplement, unless it is cheaper without.
fn unit_price(line: &ArticleFacts<'_>, visitor: Visitor<'_>, ranks: &Ranks, now: DateTime<Utc>) -> UnitPrice {
    if line.benefit.is_some() {
        return UnitPrice { minor: 0, why: BENEFIT };
    }
    let of = |article| products::unit_price(article, line.quantity, visitor, ranks, now);
    let direct = match line.drop.and_then(|drop| drop.item(line.article.id)) {
        Some(item) => unit_price_in(of(line.article), item, visitor, ranks),
        None => of(line.article),
    };
    let swapped = line.swap.map(|swap| {
        let minor = of(swap.given_up).minor.saturating_add(swap.offer.supplement_minor.unwrap_or(0));
        UnitPrice { minor, why: SWAP_OFFER }
    });
    swapped.filter(|swapped| swapped.minor <= direct.minor).unwrap_or(direct)
}

/// What one unit costs who isn't a member.
pub(super) fn public_price_minor(line: &ArticleFacts<'_>, facts: &Facts<'_>, now: DateTime<Utc>) -> i64 {
    let others = Visitor { tier_rank: None, ..facts.visitor };
    unit_price(&ArticleFacts { benefit: None, ..*line }, others, facts.ranks, now).minor
}

/// By how much a line is cheaper for its buyer, as a member, than for others; `given` units of it cost nothing anyway.
pub(super) fn saved_minor(line: &LineFacts<'_>, given: i64, facts: &Facts<'_>, now: DateTime<Utc>) -> i64 {
    let LineFacts::Article(line @ ArticleFacts { benefit: None, quantity, .. }) = line else { return 0 };
    if facts.visitor.tier_rank.is_none() {
        return 0;
    }
    let own_minor = unit_price(line, facts.visitor, facts.ranks, now).minor;
    let less_minor = public_price_minor(line, facts, now).saturating_sub(own_minor);
    less_minor.max(0).saturating_mul((quantity - given).max(0))
}

/// A cart as it is bought: its price, and the coupons that might have been used for it.
pub(super) struct Bought<'a> {
    pub priced: Priced,
    pub coupons: Candidates<'a>,
    pub outcomes: Vec<Outcome>,
    /// What a benefit took off the parcel.
    pub waived: Option<Waived<'a>>,
}

/// Prices what was admitted.
///
/// # Errors
/// `shipping_required`, `not_shipped_there`, `amount_out_of_range`, `amount_too_small`, `pledge_needs_price`,
/// `method_not_offered`, `credit_insufficient`, `points_insufficient`.
pub(super) fn buy<'a>(
    cart: &Cart,
    facts: &Facts<'a>,
    offered: &'a Offered,
    ledger: &Ledger,
    shop: &Shop,
    now: DateTime<Utc>,
) -> Result<Bought<'a>> {
    let history = ledger.past.history(facts.buyer);
    let person = Person { visitor: facts.visitor, ranks: facts.ranks, history: &history };
    let asker = Asker { buyer: facts.buyer, person, past: &ledger.past, zone: shop.zone, now };
    let coupons = offered.candidates(cart, &asker, |pool| ledger.left.get(&pool).copied());
    let waiver = ledger.benefits.waiver(facts, full_fee_minor(facts, now), now);
    let priced_with = |waiver| price_of(facts, (&coupons.might, waiver), cart, shop, now);
    let (mut priced, waiver) = match priced_with(waiver) {
        // With less off there is enough to charge.
        Err(error) if waiver.is_some() && error.code == Code::AmountTooSmall => (priced_with(None)?, None),
        priced => (priced?, waiver),
    };
    let waived = waived(facts, waiver, &priced)?;
    priced.explanation.extend(waived.map(|waived| waived.explained()));
    let plans = facts.lines.iter().enumerate().filter_map(|(index, line)| match line {
        LineFacts::Plan(PlanFacts { plan, .. })
        | LineFacts::Upgrade(UpgradeFacts { plan, .. })
        | LineFacts::Renewal(RenewalFacts { plan, .. }) => Some((index, plan.renews)),
        LineFacts::Article(_) | LineFacts::GiftCard(_) | LineFacts::Gift(_) => None,
    });
    priced.explanation.extend(unrenewed(plans, priced.totals.due_minor));
    let has_minor = ledger.credit_minor(facts.buyer.id);
    if priced.totals.credit_minor > has_minor {
        return Err(Code::CreditInsufficient.at("credit", format!("there are {has_minor} minor units")));
    }
    let has = ledger.points(facts.buyer.id, now);
    if priced.totals.points > has {
        return Err(Code::PointsInsufficient.at("points", format!("{has} can be spent")));
    }
    let outcomes = coupons::outcomes(&coupons, &priced.coupons, facts.buyer.locale);
    Ok(Bought { priced, coupons, outcomes, waived })
}

/// The plan that doesn't renew by card because nothing is due: no card pays, so none is kept.
fn unrenewed(mut plans: impl Iterator<Item = (usize, Renews)>, due_minor: i64) -> Option<Explained> {
    let (line, _) = plans.find(|(_, renews)| *renews == Renews::Card && due_minor == 0)?;
    Some(Explained {
        line: Some(line),
        rule: "renewal".to_owned(),
        outcome: "refused".to_owned(),
        reason: "no_card_kept".to_owned(),
        amount_minor: 0,
    })
}

fn price_of(
    facts: &Facts<'_>,
    (coupons, waiver): (&[Candidate<'_>], Option<&Benefit>),
    bought: &Cart,
    shop: &Shop,
    now: DateTime<Utc>,
) -> Result<Priced> {
    has_currency(facts, &shop.currency)?;
    let items: Vec<_> = facts.lines.iter().map(|line| priced_item(line, facts, now)).collect();
    let mut methods = methods_of(facts)?;
    if bought.charges_card {
        methods.retain(|method| *method == Method::Card);
    }
    let least_minor = smallest_charge_minor(&shop.currency);
    let payable = Payable {
        methods: &methods,
        least_minor,
        credit_minor: bought.credit_minor,
        points: Some((bought.points, facts.earning.exchange())),
    };
    let cart = PricedCart { items: &items, gifts: &facts.gifts, coupons, payable };
    let fee = |lines_minor: &[i64]| {
        let fee = shipping_minor(facts, lines_minor)?;
        Ok(fee.map(|minor| minor - waiver.map_or(0, |waiver| waived_minor(waiver, minor))))
    };
    let priced = price(cart, fee)?;
    let told = told(facts, bought).filter(|told_minor| priced.totals.total_minor > *told_minor);
    let priced = match (told, items.first()) {
        (Some(unit_price_minor), Some(item)) => {
            let items = [PricedItem { unit_price_minor, why: "renewal_told", ..*item }];
            price(PricedCart { items: &items, coupons: &[], ..cart }, fee)?
        }
        _ => priced,
    };
    if (1..least_minor).contains(&priced.totals.due_minor) {
        let why = format!("at least {least_minor} minor units can be charged, or nothing");
        return Err(Code::AmountTooSmall.at("lines", why));
    }
    let of_lines_minor = priced.totals.subtotal_minor - priced.totals.discount_minor;
    if rules::is_pledge(facts) && of_lines_minor == 0 {
        return Err(Code::PledgeNeedsPrice.at("lines[0]", "it costs nothing"));
    }
    Ok(priced)
}

/// What the parcel costs by itself, before coupons; 0 where that isn't known.
fn full_fee_minor(facts: &Facts<'_>, now: DateTime<Utc>) -> i64 {
    let items = facts.lines.iter().map(|line| priced_item(line, facts, now));
    let lines_minor: Vec<_> = items.map(|item| item.unit_price_minor.saturating_mul(item.quantity)).collect();
    shipping_minor(facts, &lines_minor).ok().flatten().unwrap_or(0)
}

/// What the benefit has taken off this cart's parcel: nothing, where that cost nothing anyway.
fn waived<'a>(facts: &Facts<'a>, waiver: Option<&'a Benefit>, priced: &Priced) -> Result<Option<Waived<'a>>> {
    let Some(benefit) = waiver else { return Ok(None) };
    let lines_minor: Vec<_> = priced.lines.iter().map(|line| line.total_minor).collect();
    let minor = waived_minor(benefit, shipping_minor(facts, &lines_minor)?.unwrap_or(0));
    Ok((minor > 0).then_some(Waived { benefit, minor }))
}

/// What the member was told that this renewal will cost: it costs no more, also where a coupon that was told of is used up by
/// now. Who types codes asks for another price.
fn told(facts: &Facts<'_>, bought: &Cart) -> Option<i64> {
    match facts.lines.as_slice() {
        [LineFacts::Renewal(line)] if bought.coupon_codes.is_empty() => line.renewal.told_minor,
        _ => None,
    }
}

/// Gift cards are in the shop's currency.
fn has_currency(facts: &Facts<'_>, currency: &str) -> Result<()> {
    for (index, line) in facts.lines.iter().enumerate() {
        if matches!(line, LineFacts::GiftCard(card) if card.amount.currency != currency) {
            let field = format!("lines[{index}].gift_card.amount.currency");
            return Err(Code::InvalidField.at(field, format!("expected {currency}")));
        }
    }
    Ok(())
}

/// What goes into parcels: its worth and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub goods_minor: i64,
    pub weight_grams: i64,
}

/// None where nothing is sent.
pub(super) fn parcel_of(lines: &[LineFacts<'_>], lines_minor: &[i64]) -> Option<Parcel> {
    let mut parcel = None;
    for (line, minor) in lines.iter().zip(lines_minor) {
        let LineFacts::Article(ArticleFacts { article, quantity, .. }) = line else { continue };
        if article.is_shipped() {
            let so_far = parcel.unwrap_or(Parcel { goods_minor: 0, weight_grams: 0 });
            let grams = article.weight_grams().saturating_mul(*quantity);
            parcel = Some(Parcel {
                goods_minor: so_far.goods_minor.saturating_add(*minor),
                weight_grams: so_far.weight_grams.saturating_add(grams),
            });
        }
    }
    parcel
}

/// What the parcel costs where something is sent.
fn shipping_minor(facts: &Facts<'_>, lines_minor: &[i64]) -> Result<Option<i64>> {
    let Some(Parcel { goods_minor, weight_grams }) = parcel_of(&facts.lines, lines_minor) else {
        return Ok(None);
    };
    let Some((method, address)) = facts.shipping else {
        return Err(Code::ShippingRequired.at("shipping", "missing field"));
    };
    let (visitor, ranks) = (facts.visitor, facts.ranks);
    let fee = fee_minor(method, &address.country, goods_minor, weight_grams, visitor, ranks);
    fee.map(Some).map_err(|code| code.at("shipping.method", "not for this address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_renews_by_card_where_a_card_pays() {
        let said = |renews, due_minor| {
            unrenewed([(0, Renews::Never), (1, renews)].into_iter(), due_minor)
                .map(|said| (said.line, said.outcome, said.reason))
        };
        let none_kept = (Some(1), "refused".to_owned(), "no_card_kept".to_owned());
        assert_eq!((said(Renews::Card, 0), said(Renews::Card, 1)), (Some(none_kept), None));
        assert_eq!(said(Renews::Never, 0), None);
    }
}
