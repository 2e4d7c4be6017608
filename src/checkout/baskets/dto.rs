//! Baskets over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Basket, KEPT_FOR, Kept};
use super::rules::{self, Change, State};
use crate::checkout::orders::appraisal::{Appraisal, Appraised};
use crate::checkout::orders::dto::{LineRequest, Sells};
use crate::checkout::orders::service::Line;
use crate::error::Code;
use crate::types::id::{BasketId, OrderId, VariantId};
use crate::types::money::Money;

/// A basket that was made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewBasket {
    pub id: BasketId,
    /// A guest's, for the header `Basket-Secret`: shown this once. Absent where you are signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// All that is to be in the basket.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasketLines {
    /// At most twenty, with one plan at most.
    pub lines: Vec<LineRequest>,
}

/// What is in a basket, as it stands for you, now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Basket)]
pub struct BasketView {
    pub id: BasketId,
    /// `open`, `ordered` or `merged`.
    pub state: &'static str,
    /// What it became.
    pub order: Option<OrderId>,
    pub merged_into: Option<BasketId>,
    pub lines: Vec<BasketLineView>,
    /// Of the lines that may be bought, without shipping.
    pub subtotal: Money,
    /// Is it open, is there something in it, and may all of it be bought now?
    pub may_order: bool,
    /// The code of the refusal, where its lines can't be in one order, whatever each may be for itself.
    pub refusal: Option<&'static str>,
    /// Something in it is for those alone who are signed in.
    pub needs_account: bool,
    /// Something in it is sent by parcel.
    pub needs_shipping: bool,
    /// When it is forgotten, unless somebody looks at it before.
    pub expires_at: DateTime<Utc>,
}

/// A line as it was put in, and as it is now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BasketLine)]
pub struct BasketLineView {
    #[serde(flatten)]
    pub sells: Sells,
    pub f_code: Option<String>,
    pub invitation: Option<String>,
    /// The variant that it is taken instead of, by an offer.
    pub instead_of: Option<VariantId>,
    /// Null where it isn't there any more.
    pub title: Option<String>,
    pub quantity: i64,
    /// Of one unit, for you, now.
    pub unit_price: Option<Money>,
    pub list_price: Option<Money>,
    /// Which price it is, as with a product's.
    pub why: Option<&'static str>,
    /// Of all units, less what offers give.
    pub total: Option<Money>,
    /// Of one unit, when it was put in.
    pub unit_price_before: Money,
    /// How many could be sold now; null: as many as are wanted, or it isn't there.
    pub available: Option<i64>,
    pub may_buy: bool,
    /// The code of the refusal, where you may not buy it now.
    pub refusal: Option<&'static str>,
    /// What is different since it was put in.
    pub changes: Vec<Change>,
}

/// The account's basket after a guest's was put to it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MergedBasket {
    #[serde(flatten)]
    pub basket: BasketView,
    /// Lines of the guest's that didn't fit: more than twenty, or a second plan. Empty in the answer to a repeat.
    pub left_out: Vec<LineRequest>,
}

impl BasketView {
    /// `lines` and the appraisal are those of the basket, one a line.
    pub fn new(basket: &Basket, lines: &[Line], appraisal: &Appraisal, currency: &str) -> Self {
        let each = basket.lines.iter().zip(lines).zip(&appraisal.lines);
        let views: Vec<_> =
            each.map(|((kept, line), now)| BasketLineView::new(kept, line, now, currency)).collect();
        let totals = views.iter().filter(|line| line.may_buy).filter_map(|line| line.total.as_ref());
        let subtotal = totals.fold(0_i64, |sum, total| sum.saturating_add(total.amount));
        let is_open = basket.ended_at.is_none();
        let refusal = appraisal.refusal.as_ref().map(|refusal| refusal.code.as_str());
        let needs_account = |line: &BasketLineView| line.refusal == Some(Code::Unauthenticated.as_str());
        Self {
            id: basket.id,
            state: match (basket.order, basket.merged_into) {
                (Some(_), _) => "ordered",
                (None, Some(_)) => "merged",
                (None, None) => "open",
            },
            order: basket.order,
            merged_into: basket.merged_into,
            subtotal: Money::new(subtotal, currency),
            may_order: is_open
                && refusal.is_none()
                && !views.is_empty()
                && views.iter().all(|line| line.may_buy),
            refusal,
            needs_account: views.iter().any(needs_account),
            needs_shipping: appraisal.parcel.is_some(),
            expires_at: basket.touched_at + KEPT_FOR,
            lines: views,
        }
    }
}

impl BasketLineView {
    fn new(kept: &Kept, line: &Line, now: &Appraised, currency: &str) -> Self {
        let money = |minor| Money::new(minor, currency);
        let found = now.found.as_ref();
        let refusal = now.refusal.as_ref().map(|refusal| refusal.code.as_str());
        let before = State { unit_minor: Some(kept.unit_minor), refusal: kept.refusal.as_deref() };
        let state = State { unit_minor: found.map(|found| found.unit_price_minor), refusal };
        Self {
            sells: Sells::of(line),
            f_code: kept.line.f_code.clone(),
            invitation: kept.line.invitation.clone(),
            instead_of: kept.line.instead_of,
            title: found.map(|found| found.title.clone()),
            quantity: kept.line.quantity.unwrap_or(1),
            unit_price: found.map(|found| money(found.unit_price_minor)),
            list_price: found.map(|found| money(found.list_price_minor)),
            why: found.map(|found| found.why),
            total: found.map(|found| money(found.total_minor)),
            unit_price_before: money(kept.unit_minor),
            available: found.and_then(|found| found.available),
            may_buy: refusal.is_none(),
            refusal,
            changes: rules::changes(before, state),
        }
    }
}
