//! What a campaign gives, on what, to whom and when. Pure; the arithmetic is `checkout/pricing/coupons.rs`.

use chrono::{DateTime, Datelike, Days, TimeDelta, Utc};
use chrono_tz::Tz;
use kindred_stripe::Method;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::model::Campaign;
use super::reason::Reason;
use crate::error::{Code, Result};
use crate::fields;
use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::types::id::{PlanId, ProductId, VariantId};
use crate::types::money::Money;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a coupon takes its discount from. They are applied in this order, each on what the ones before have left.
    Class as "CouponClass" {
        /// Lines of goods.
        Product = "product",
        /// A plan's line.
        Membership = "membership",
        /// Units of one article that are in the cart, for nothing.
        GiftItem = "gift_item",
        /// All lines together.
        Order = "order",
        /// What the parcel costs.
        Shipping = "shipping",
    }
}

impl Class {
    pub const ALL: [Self; 5] = [Self::Product, Self::Membership, Self::GiftItem, Self::Order, Self::Shipping];

    /// Place in the order in which coupons are applied.
    pub fn step(self) -> usize {
        Self::ALL.iter().position(|class| *class == self).unwrap_or_default()
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// What a coupon gives. `{"kind": "percentage", "percent": "15", "cap": {…}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = CouponBenefit)]
pub enum Benefit {
    /// A part of the price.
    Percentage {
        /// Above 0, at most 100, with two decimals at most.
        #[schema(value_type = String, example = "15")]
        percent: Decimal,
        /// The most that one use takes off.
        #[serde(skip_serializing_if = "Option::is_none")]
        cap: Option<Money>,
    },
    /// A sum, once a use; never more than the price.
    Amount { off: Money },
    /// A unit, or the parcel, costs this and no more.
    FixedPrice { price: Money },
    /// Of so many bought and so many more the cheapest ones cost nothing, as often as it fits.
    BuyGet { buy: i64, get: i64 },
    /// Of so many the cheapest one costs nothing, once.
    CheapestFree { of: i64 },
    /// So many units of an article, where it is in the cart.
    Gift { variant: VariantId, quantity: i64 },
}

impl Benefit {
    fn classes(&self) -> &'static [Class] {
        match self {
            Self::Percentage { .. } | Self::Amount { .. } => {
                &[Class::Product, Class::Membership, Class::Order, Class::Shipping]
            }
            Self::FixedPrice { .. } => &[Class::Product, Class::Membership, Class::Shipping],
            Self::BuyGet { .. } | Self::CheapestFree { .. } => &[Class::Product],
            Self::Gift { .. } => &[Class::GiftItem],
        }
    }

    /// # Errors
    /// `invalid_field` for percentages that aren't above 0 and at most 100, for sums that are negative, in another
    /// currency or zero, for counts out of range, and for what its class can't give.
    pub fn check(&self, class: Class, currency: &str) -> Result<()> {
        if !self.classes().contains(&class) {
            return Err(Code::InvalidField.at("benefit.kind", "not for coupons of this class"));
        }
        let positive = |field: &str, money: &Money| match fields::price(field, money, currency)? {
            0 => Err(Code::InvalidField.at(field, "expected more than nothing")),
            _ => Ok(()),
        };
        match self {
            Self::Percentage { percent, cap } => {
                let is_fine =
                    *percent > Decimal::ZERO && *percent <= Decimal::ONE_HUNDRED && percent.scale() <= 2;
                if !is_fine {
                    let wanted = "expected more than 0, at most 100, with two decimals at most";
                    return Err(Code::InvalidField.at("benefit.percent", wanted));
                }
                cap.as_ref().map_or(Ok(()), |cap| positive("benefit.cap", cap))
            }
            Self::Amount { off } => positive("benefit.off", off),
            Self::FixedPrice { price } => fields::price("benefit.price", price, currency).map(|_| ()),
            Self::BuyGet { buy, get } => {
                fields::within("benefit.buy", *buy, 1, UNITS_MAX)?;
                fields::within("benefit.get", *get, 1, UNITS_MAX).map(|_| ())
            }
            Self::CheapestFree { of } => fields::within("benefit.of", *of, 2, UNITS_MAX).map(|_| ()),
            Self::Gift { quantity, .. } => {
                fields::within("benefit.quantity", *quantity, 1, UNITS_MAX).map(|_| ())
            }
        }
    }
}

/// Units beyond this are slips of the keyboard.
const UNITS_MAX: i64 = 1_000;
/// Entries of one list of a scope.
const SCOPE_MAX: usize = 200;

stored_enum! {
    /// Which sale of a plan it is.
    PlanSale {
        /// Who buys has no membership that goes on by it.
        Join = "join",
        /// It makes a membership longer, or follows it: bought again, by a link, by the saved card.
        Renewal = "renewal",
        /// By an upgrade quote.
        Upgrade = "upgrade",
        /// For somebody else.
        Gift = "gift",
    }
}

/// What of a cart a coupon is for. An empty list leaves that out of account; all lists empty: everything of its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = CouponScope)]
pub struct Scope {
    pub products: Vec<ProductId>,
    /// Variants and bundles.
    pub variants: Vec<VariantId>,
    pub categories: Vec<String>,
    pub plans: Vec<PlanId>,
    /// Codes of tiers whose plans are meant.
    pub tiers: Vec<String>,
    /// Sales of plans that are meant.
    pub sales: Vec<PlanSale>,
    /// Not what is bought in a drop.
    pub except_drops: bool,
    /// Not what costs less than its list price already.
    pub except_reduced: bool,
}

impl Scope {
    /// # Errors
    /// `invalid_field` for plans and tiers where goods are meant, or the other way round, and for lists that are too long.
    pub fn check(&self, class: Class) -> Result<()> {
        let of_goods = [self.products.len(), self.variants.len(), self.categories.len()];
        let of_plans = [self.plans.len(), self.tiers.len(), self.sales.len()];
        if of_goods.iter().chain(&of_plans).any(|length| *length > SCOPE_MAX) {
            return Err(Code::InvalidField.at("scope", format!("expected at most {SCOPE_MAX} of each")));
        }
        if class == Class::Membership && of_goods.iter().any(|length| *length > 0) {
            return Err(Code::InvalidField.at("scope", "a membership coupon is for plans and tiers"));
        }
        if matches!(class, Class::Product | Class::GiftItem | Class::Shipping)
            && of_plans.iter().any(|length| *length > 0)
        {
            return Err(Code::InvalidField.at("scope", "this class is for products, variants and categories"));
        }
        Ok(())
    }

    fn names_nothing(&self) -> bool {
        self.products.is_empty()
            && self.variants.is_empty()
            && self.categories.is_empty()
            && self.plans.is_empty()
            && self.tiers.is_empty()
            && self.sales.is_empty()
    }

    /// Is this plan meant, in whichever sale?
    fn means(&self, plan: PlanId, tier: &str) -> bool {
        match self.plans.is_empty() && self.tiers.is_empty() {
            // Sales alone are those of every plan.
            true => self.names_nothing() || !self.sales.is_empty(),
            false => self.plans.contains(&plan) || self.tiers.iter().any(|code| code == tier),
        }
    }

    /// Would this be meant, were it another sale of the plan?
    pub fn misses_sale(&self, class: Class, sold: Sold<'_>) -> bool {
        match sold {
            Sold::Plan { plan, tier, .. } => {
                let whichever = Sold::Plan { plan, tier, sale: None };
                self.covers(class, whichever) && !self.covers(class, sold)
            }
            Sold::Article { .. } | Sold::GiftCard => false,
        }
    }

    /// Is this sold thing meant, by a coupon of that class?
    pub fn covers(&self, class: Class, sold: Sold<'_>) -> bool {
        match sold {
            // It is money for money.
            Sold::GiftCard => false,
            Sold::Plan { plan, tier, sale } => {
                let is_sale = |sale| self.sales.is_empty() || self.sales.contains(&sale);
                matches!(class, Class::Membership | Class::Order)
                    && sale.is_none_or(is_sale)
                    && self.means(plan, tier)
            }
            Sold::Article { variant, product, category, in_drop, is_reduced } => {
                class != Class::Membership
                    && !(self.except_drops && in_drop)
                    && !(self.except_reduced && is_reduced)
                    && (self.names_nothing()
                        || self.products.contains(&product)
                        || self.variants.contains(&variant)
                        || category.is_some_and(|category| self.categories.iter().any(|of| of == category)))
            }
        }
    }
}

/// What a line sells, as a scope knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sold<'a> {
    Plan {
        plan: PlanId,
        /// The tier's code.
        tier: &'a str,
        /// None: it isn't known yet, and may be any.
        sale: Option<PlanSale>,
    },
    /// A variant or a bundle.
    Article {
        variant: VariantId,
        product: ProductId,
        category: Option<&'a str>,
        in_drop: bool,
        /// It costs less than its list price.
        is_reduced: bool,
    },
    GiftCard,
}

/// Who may use a coupon, and on what cart. What is absent is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = CouponConditions)]
pub struct Conditions {
    /// What the lines in its scope must come to, after offers and before coupons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_spend: Option<Money>,
    /// Units in its scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// The buyer, as a person, has no order yet but such as ended unpaid.
    pub first_order: bool,
    /// The account was made at most so many days ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomer_days: Option<i32>,
    /// The buyer has paid for this before, and kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_bought: Option<ProductId>,
    /// It is the month of the buyer's birthday, in the shop's zone.
    pub birthday_month: bool,
    /// The order can be paid with these alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["wechat_pay"]))]
    pub payment_methods: Vec<String>,
}

impl Conditions {
    /// # Errors
    /// `invalid_field`, `amount_out_of_range`.
    pub fn check(&self, currency: &str) -> Result<()> {
        if let Some(money) = &self.minimum_spend {
            fields::price("conditions.minimum_spend", money, currency)?;
        }
        if let Some(quantity) = self.minimum_quantity {
            fields::within("conditions.minimum_quantity", quantity, 1, UNITS_MAX)?;
        }
        if let Some(days) = self.newcomer_days {
            fields::within("conditions.newcomer_days", days, 1, 3_650)?;
        }
        match self.payment_methods.iter().find(|name| Method::parse(name).is_none()) {
            Some(_) => {
                Err(Code::InvalidField.at("conditions.payment_methods", "expected card, wechat_pay, alipay"))
            }
            None => Ok(()),
        }
    }

    /// May an order under this condition be paid so?
    pub fn allows(&self, method: Method) -> bool {
        self.payment_methods.is_empty() || self.payment_methods.iter().any(|name| name == method.as_str())
    }

    /// What must be known of the buyer's past.
    pub fn asks_for_history(&self) -> bool {
        self.first_order || self.newcomer_days.is_some() || self.birthday_month
    }
}

/// What coupons ask of a buyer.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    pub visitor: Visitor<'a>,
    pub ranks: &'a Ranks,
    pub history: &'a History,
}

/// A buyer's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// None for a guest.
    pub signed_up_at: Option<DateTime<Utc>>,
    /// Month and day: `06-17`.
    pub birthday: Option<String>,
    /// Of the person: an order that is paid, was paid, or may yet be.
    pub has_ordered: bool,
    /// Of what campaigns ask for: paid for and kept.
    pub bought: Vec<ProductId>,
}

/// Does the campaign run now?
///
/// # Errors
/// Why not.
pub fn runs(campaign: &Campaign, now: DateTime<Utc>) -> Result<(), Reason> {
    if campaign.archived_at.is_some() || campaign.ends_at.is_some_and(|end| end <= now) {
        return Err(Reason::Ended);
    }
    if campaign.paused_at.is_some() {
        return Err(Reason::Paused);
    }
    if campaign.starts_at.is_some_and(|start| now < start) {
        return Err(Reason::NotStarted);
    }
    Ok(())
}

/// Is this person meant? What the cart must have is asked by the pricing.
///
/// # Errors
/// The first condition that isn't met.
pub fn is_meant(
    conditions: &Conditions,
    person: Person<'_>,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<(), Reason> {
    let Person { visitor, ranks, history } = person;
    if let Some(audience) = &conditions.audience {
        audience.admit(visitor, ranks).map_err(Reason::of_audience)?;
    }
    if conditions.first_order && history.has_ordered {
        return Err(Reason::FirstOrderOnly);
    }
    if let Some(days) = conditions.newcomer_days {
        let is_new = |at: DateTime<Utc>| now - at < TimeDelta::days(i64::from(days));
        if !history.signed_up_at.is_some_and(is_new) {
            return Err(Reason::NewcomersOnly);
        }
    }
    if let Some(product) = conditions.has_bought
        && !history.bought.contains(&product)
    {
        return Err(Reason::NotBought);
    }
    if conditions.birthday_month {
        let month = format!("{:02}", now.with_timezone(&zone).month());
        if !history.birthday.as_deref().is_some_and(|day| day.starts_with(&month)) {
            return Err(Reason::NotBirthdayMonth);
        }
    }
    Ok(())
}

/// When a code ends by itself that is given to somebody now; it ends with its campaign too. Exclusive.
pub fn code_ends_at(campaign: &Campaign, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    campaign.valid_days.and_then(|days| now.checked_add_days(Days::new(days.unsigned_abs().into())))
}

/// May these two be used in one order? Both must agree.
pub fn combine(one: &Campaign, other: &Campaign) -> bool {
    one.combines_with.contains(&other.class) && other.combines_with.contains(&one.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(plan: PlanId, tier: &str, sale: PlanSale) -> Sold<'_> {
        Sold::Plan { plan, tier, sale: Some(sale) }
    }

    #[test]
    fn sales_of_plans_are_named_beside_plans_and_tiers_or_alone() {
        let (one, other) = (PlanId::new(), PlanId::new());
        let means = |scope: &Scope, plan, sale| scope.covers(Class::Membership, sold(plan, "regular", sale));
        let all = Scope::default();
        assert!(means(&all, one, PlanSale::Join) && means(&all, one, PlanSale::Gift));
        let renewals = Scope { sales: vec![PlanSale::Renewal], ..Scope::default() };
        assert!(means(&renewals, one, PlanSale::Renewal) && means(&renewals, other, PlanSale::Renewal));
        for sale in [PlanSale::Join, PlanSale::Upgrade, PlanSale::Gift] {
            assert!(!means(&renewals, one, sale), "{sale:?}");
            assert!(renewals.misses_sale(Class::Membership, sold(one, "regular", sale)), "{sale:?}");
        }
        assert!(!renewals.misses_sale(Class::Membership, sold(one, "regular", PlanSale::Renewal)));
        let narrow = Scope { plans: vec![one], ..renewals.clone() };
        assert!(means(&narrow, one, PlanSale::Renewal) && !means(&narrow, other, PlanSale::Renewal));
        assert!(!narrow.misses_sale(Class::Membership, sold(other, "regular", PlanSale::Join)));
        let by_tier = Scope { tiers: vec!["diehard".to_owned()], ..renewals.clone() };
        assert!(!means(&by_tier, one, PlanSale::Renewal));
        // Before it is known which sale it is, it may be any.
        assert!(renewals.covers(Class::Membership, Sold::Plan { plan: one, tier: "regular", sale: None }));
    }

    #[test]
    fn who_names_sales_of_plans_means_no_goods() {
        let article = Sold::Article {
            variant: VariantId::new(),
            product: ProductId::new(),
            category: None,
            in_drop: false,
            is_reduced: false,
        };
        let renewals = Scope { sales: vec![PlanSale::Renewal], ..Scope::default() };
        assert!(Scope::default().covers(Class::Order, article) && !renewals.covers(Class::Order, article));
        assert!(renewals.covers(Class::Order, sold(PlanId::new(), "regular", PlanSale::Renewal)));
        for (class, is_fine) in [
            (Class::Membership, true),
            (Class::Order, true),
            (Class::Product, false),
            (Class::GiftItem, false),
            (Class::Shipping, false),
        ] {
            assert_eq!(renewals.check(class).is_ok(), is_fine, "{class:?}");
        }
    }
}
