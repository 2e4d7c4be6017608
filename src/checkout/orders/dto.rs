//! Orders and quotes over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::{GIFT, GIFT_CARD, LineRow, OrderRow, OrderState, RENEWAL, UPGRADE};
use super::seen::Shown;
use super::service::{ArticleLine, Cart, Customer, GiftCardLine, GiftLine, Line, PlanLine, ShippingChoice};
use super::waiting::WaitFor;
use crate::checkout::gift_cards::dto::{BoughtGiftCard, GiftCardRequest};
use crate::checkout::gifts::dto::{BoughtGift, GiftRequest};
use crate::checkout::invited::rules::InviteCode;
use crate::checkout::payments::model::{PaymentRow, PaymentState};
use crate::checkout::pricing::coupons::ASKED_MAX;
use crate::checkout::pricing::rules::{Explained, ORDER_MAX_MINOR, Totals, TotalsView};
use crate::checkout::refunds::dto::RefundView;
use crate::checkout::returns::dto::ReturnView;
use crate::checkout::shipments::dto::ShipmentView;
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::loyalty::points::rules::POINTS_MAX;
use crate::membership::invitations::rules::normal_code;
use crate::shop::shipping::rules::Address;
use crate::types::email::Email;
use crate::types::id::{
    AccountId, AddressId, BasketId, BenefitId, BundleId, DriveId, DropId, LineId, OrderId, PaymentId, PlanId,
    RenewalId, ShippingMethodId, UpgradeQuoteId, VariantId,
};
use crate::types::money::Money;

/// Lines of one order.
pub const LINES_MAX: usize = 20;
/// Characters of a backer's name.
const BACKER_NAME_MAX: usize = 40;

/// A line to buy: one of `plan`, `upgrade_quote`, `renewal`, `variant`, `bundle`, `gift_card` and `gift`, and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineRequest {
    pub plan: Option<PlanId>,
    /// The drive in which the plan is sold.
    pub drive: Option<DriveId>,
    /// The code of an invitation; needless where one is reserved for the buyer's verified address.
    pub invitation: Option<String>,
    pub variant: Option<VariantId>,
    pub bundle: Option<BundleId>,
    /// Of a variant or a bundle; 1 by default.
    pub quantity: Option<i64>,
    /// The drop in which it is bought.
    pub drop: Option<DropId>,
    /// A code that guarantees a unit of it.
    pub f_code: Option<String>,
    /// The variant that it is taken instead of, by an offer of the quote's `offers`.
    // What is absent isn't hashed either: keys that were used before stay good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<VariantId>,
    /// Store credit for somebody, by a code in a mail.
    // So are keys from before there were gift cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_card: Option<GiftCardRequest>,
    /// A membership for somebody else, by a code in a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift: Option<GiftRequest>,
    /// A quote for a change to a higher tier: `POST /v1/upgrade-quotes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_quote: Option<UpgradeQuoteId>,
    /// Goes on after the term: `POST /v1/renewals`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalId>,
    /// Your tier gives the variant or bundle: a benefit of `GET /v1/me/membership` that is an `article`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benefit: Option<BenefitId>,
}

impl LineRequest {
    /// It makes, lengthens or changes a membership.
    pub fn is_membership(&self) -> bool {
        self.plan.is_some() || self.upgrade_quote.is_some() || self.renewal.is_some()
    }

    /// Two of it are two, however alike: each is for somebody.
    pub fn is_gift(&self) -> bool {
        self.gift_card.is_some() || self.gift.is_some()
    }

    fn parse(&self, index: usize) -> Result<Line> {
        let wrong =
            |field: &str, why: &'static str| Code::InvalidField.at(format!("lines[{index}]{field}"), why);
        if let Some(renewal) = self.renewal {
            let alone = Self { renewal: None, ..self.clone() } == Self::default();
            let with_others = || wrong(".renewal", "stands alone in its line");
            return alone.then_some(Line::Renewal(renewal)).ok_or_else(with_others);
        }
        let one_of = "expected one of plan, upgrade_quote, renewal, variant, bundle, gift_card, gift";
        if let Some(gift) = &self.gift {
            let is_more = self.is_membership() || self.variant.is_some() || self.bundle.is_some();
            if is_more || self.gift_card.is_some() {
                return Err(wrong("", one_of));
            }
            self.is_by_itself(&wrong)?;
            let to = gift.to.as_ref().map(|to| to.parse(&format!("lines[{index}].gift.to"))).transpose()?;
            return Ok(Line::Gift(GiftLine { plan: gift.plan, to }));
        }
        let article = match (self.plan, self.upgrade_quote, self.variant, self.bundle, &self.gift_card) {
            (Some(plan), None, None, None, None) => return self.plan_line(plan, &wrong),
            (None, Some(quote), None, None, None) => {
                self.is_by_itself(&wrong)?;
                return Ok(Line::Upgrade(quote));
            }
            (None, None, Some(variant), None, None) => variant,
            (None, None, None, Some(bundle), None) => VariantId(bundle.0),
            (None, None, None, None, Some(card)) => return self.gift_line(card, index, &wrong),
            _ => return Err(wrong("", one_of)),
        };
        if self.drive.is_some() || self.invitation.is_some() {
            return Err(wrong(".drive", "goes with a plan"));
        }
        if self.f_code.is_some() && self.drop.is_none() {
            return Err(wrong(".f_code", "needs its drop"));
        }
        if self.instead_of.is_some() && (self.variant.is_none() || self.drop.is_some()) {
            return Err(wrong(".instead_of", "goes with a variant outside of drops"));
        }
        if self.benefit.is_some() && (self.drop.is_some() || self.instead_of.is_some()) {
            return Err(wrong(".benefit", "goes with a variant or bundle outside of drops"));
        }
        Ok(Line::Article(ArticleLine {
            benefit: self.benefit,
            instead_of: self.instead_of,
            article,
            is_bundle: self.bundle.is_some(),
            quantity: self.quantity.unwrap_or(1),
            drop: self.drop,
            f_code: self.f_code.as_deref().map(normal_code),
        }))
    }

    /// Nothing stands beside it that belongs to an article or a drive.
    fn is_by_itself(&self, wrong: &impl Fn(&str, &'static str) -> AppError) -> Result<()> {
        self.is_no_article(wrong)?;
        if self.drive.is_some() || self.invitation.is_some() {
            return Err(wrong(".drive", "goes with a plan"));
        }
        Ok(())
    }

    fn is_no_article(&self, wrong: &impl Fn(&str, &'static str) -> AppError) -> Result<()> {
        if self.quantity.is_some_and(|quantity| quantity != 1) {
            return Err(wrong(".quantity", "one is a line of its own"));
        }
        if self.benefit.is_some() {
            return Err(wrong(".benefit", "goes with a variant or a bundle"));
        }
        if self.drop.is_some() || self.f_code.is_some() || self.instead_of.is_some() {
            return Err(wrong(".drop", "goes with a variant or a bundle"));
        }
        Ok(())
    }

    fn gift_line(
        &self,
        card: &GiftCardRequest,
        index: usize,
        wrong: &impl Fn(&str, &'static str) -> AppError,
    ) -> Result<Line> {
        self.is_by_itself(wrong)?;
        let field = format!("lines[{index}].gift_card.to");
        let to = card.to.as_ref().map(|to| to.parse(&field)).transpose()?;
        Ok(Line::GiftCard(GiftCardLine { amount: card.amount.clone(), to }))
    }

    fn plan_line(&self, plan: PlanId, wrong: &impl Fn(&str, &'static str) -> AppError) -> Result<Line> {
        self.is_no_article(wrong)?;
        let invitation = self.invitation.as_deref().map(normal_code);
        Ok(Line::Plan(PlanLine { plan, drive: self.drive, invitation }))
    }
}

/// Lines as the checkout knows them; none of them has been looked up yet.
///
/// # Errors
/// `invalid_field`.
pub fn parse_lines(asked: &[LineRequest]) -> Result<Vec<Line>> {
    if asked.len() > LINES_MAX {
        return Err(Code::InvalidField.at("lines", format!("expected at most {LINES_MAX} lines")));
    }
    asked.iter().enumerate().map(|(index, line)| line.parse(index)).collect()
}

/// How goods are to be sent, and where: one of `address` and `address_id`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippingRequest {
    pub method: ShippingMethodId,
    // What is absent isn't hashed either: a key that was used before there was an address book stays good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// An address of the buyer's book. The order keeps a copy of it as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_id: Option<AddressId>,
}

impl ShippingRequest {
    fn parse(&self, kept: Option<Address>) -> Result<ShippingChoice> {
        let address = match (&self.address, self.address_id) {
            (Some(typed), None) => typed.checked("shipping.address")?,
            (None, Some(_)) => kept.ok_or_else(no_such_address)?,
            _ => return Err(Code::InvalidField.at("shipping", "expected one of address, address_id")),
        };
        Ok(ShippingChoice { method: self.method, address })
    }
}

/// Unknown, deleted and a stranger's are told alike.
fn no_such_address() -> AppError {
    Code::InvalidField.at("shipping.address_id", "there is no such address in your book")
}

/// What the buyer agrees to; stored with the order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    /// The version of the terms of sale that was accepted, or `true` for the one in force.
    pub terms: Option<TermsConsent>,
    /// The service may start before the time to withdraw is over.
    pub start_now: Option<bool>,
    /// The version of the rules of the community that was accepted: needed with a plan where the shop has rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub community_rules: Option<String>,
    /// The card may be charged for renewals (plans that renew by card). Absent: yes for who buys such a plan; `false` is kept for
    /// later purchases too.
    pub renewal: Option<bool>,
    /// The name under which I agree to be shown among the backers of a crowdfunded drop; absent: I don't. It can be taken
    /// back: `DELETE /v1/orders/{id}/backer-name`.
    // What is absent isn't hashed either: keys that were used before stay good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "罗小姐")]
    pub backer_name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum TermsConsent {
    InForce(bool),
    Version(String),
}

/// Body of a quote or an order. A quote doesn't need the URLs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// One to twenty, with one plan at most; or a `basket`.
    #[serde(default)]
    pub lines: Vec<LineRequest>,
    /// Buys what is in it, in place of `lines`. An order ends it.
    // What is absent isn't hashed either: keys from before there were baskets stay good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket: Option<BasketId>,
    /// A guest's address: where the mails of the order go. Signed in, they go to your account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "email")]
    pub email: Option<Email>,
    /// What the buyer was shown that he has to pay: the order is refused where it is something else by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_due: Option<Money>,
    /// At most five. The set of coupons by which the buyer pays least is used.
    #[serde(default)]
    pub coupon_codes: Vec<String>,
    /// A referral code.
    pub invite_code: Option<String>,
    /// Points to pay with: no more are taken than the programme lets pay of the order, in whole steps, and no rest is left that
    /// is too little to charge.
    pub points: Option<i64>,
    /// Store credit to pay with, in minor units: no more than the order comes to is taken, and no rest is left that is too
    /// little to charge. Order with what the quote's totals said, and nothing else is taken with `expected_due`.
    pub credit: Option<i64>,
    /// Needed where something is sent by parcel.
    pub shipping: Option<ShippingRequest>,
    /// Where Stripe sends the buyer after paying; on an allowed origin.
    pub success_url: Option<String>,
    pub cancel_url: Option<String>,
    pub consents: Option<Consents>,
}

impl OrderRequest {
    /// Hash over the parsed body: the same request in other words is the same.
    ///
    /// # Errors
    /// Never in practice.
    pub fn hash(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self).map_err(AppError::internal)?;
        Ok(Sha256::digest(bytes).to_vec())
    }

    /// The address of the buyer's book that is asked for; what [`OrderRequest::cart`] needs read.
    pub fn address_id(&self) -> Option<AddressId> {
        self.shipping.as_ref().and_then(|asked| asked.address_id)
    }

    /// What is to be bought, and nothing that can't be honoured yet. `kept` is the address behind
    /// [`OrderRequest::address_id`], none where the buyer has no such address.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn cart(&self, customer: Customer, kept: Option<Address>) -> Result<Cart> {
        if self.lines.is_empty() {
            return Err(Code::InvalidField.at("lines", format!("expected 1 to {LINES_MAX} lines")));
        }
        let lines = parse_lines(&self.lines)?;
        let coupon_codes = coupon_codes(&self.coupon_codes)?;
        let points = fields::within("points", self.points.unwrap_or(0), 0, POINTS_MAX)?;
        let credit_minor = fields::within("credit", self.credit.unwrap_or(0), 0, ORDER_MAX_MINOR)?;
        if matches!(customer, Customer::Guest(_)) {
            if credit_minor > 0 {
                return Err(Code::InvalidField.at("credit", "a guest has no store credit"));
            }
            if points > 0 {
                return Err(Code::InvalidField.at("points", "a guest has no points"));
            }
        }
        let shipping = self.shipping.as_ref().map(|asked| asked.parse(kept)).transpose()?;
        Ok(Cart { customer, lines, shipping, coupon_codes, points, credit_minor, charges_card: false })
    }

    /// What the buyer says that he was shown; `units_minor` are the prices that his basket had when he filled it.
    ///
    /// # Errors
    /// `invalid_field` for another currency than the shop's.
    pub fn shown(&self, currency: &str, units_minor: Option<&[i64]>) -> Result<Option<Shown>> {
        let Some(due) = &self.expected_due else { return Ok(None) };
        if due.currency != currency {
            return Err(Code::InvalidField.at("expected_due.currency", format!("expected {currency}")));
        }
        let units_minor = units_minor.unwrap_or_default().to_vec();
        Ok(Some(Shown { due_minor: due.amount, units_minor }))
    }

    /// The name to be shown among backers.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn backer_name(&self) -> Result<Option<String>> {
        let typed = self.consents.as_ref().and_then(|consents| consents.backer_name.as_deref());
        typed.map(|typed| fields::line("consents.backer_name", typed, BACKER_NAME_MAX)).transpose()
    }

    /// The invite code, where something was typed.
    pub fn invite(&self) -> Option<InviteCode> {
        InviteCode::typed(self.invite_code.as_deref()?)
    }
}

/// Coupon codes as they are stored.
///
/// # Errors
/// `invalid_field` for more than an order takes.
pub fn coupon_codes(typed: &[String]) -> Result<Vec<String>> {
    if typed.len() > ASKED_MAX {
        return Err(Code::InvalidField.at("coupon_codes", format!("expected at most {ASKED_MAX} codes")));
    }
    Ok(typed.iter().map(|typed| normal_code(typed)).collect())
}

/// An id of a path: what can't be one names nothing.
///
/// # Errors
/// `not_found`.
pub fn order_id(path: &str) -> Result<OrderId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// A new attempt to pay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptRequest {
    /// Only this method; by default all that the plan allows.
    pub method: Option<String>,
}

/// Query of an order that is looked at.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// Answer only when that is over, or after 20 seconds.
    #[param(inline)]
    pub wait: Option<WaitFor>,
}

/// What a line sells: `kind` is `plan`, `upgrade`, `renewal`, `variant`, `bundle`, `gift_card` or `gift`; of a plan, a variant and a
/// bundle the field of that name is set, of a gift, an upgrade and a renewal the plan, but in a quote of the latter two, which has
/// their id.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Sells {
    pub kind: &'static str,
    pub plan: Option<PlanId>,
    pub drive: Option<DriveId>,
    pub variant: Option<VariantId>,
    pub bundle: Option<BundleId>,
    pub drop: Option<DropId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_quote: Option<UpgradeQuoteId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalId>,
    /// Your tier gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benefit: Option<BenefitId>,
}

impl Sells {
    pub fn of(line: &Line) -> Self {
        match line {
            Line::Plan(line) => Self::plan(Some(line.plan), line.drive),
            Line::Upgrade(quote) => Self::upgrade(None, Some(*quote)),
            Line::Renewal(renewal) => Self::renewal(None, Some(*renewal)),
            Line::Article(line) => {
                let article = Self::article(line.is_bundle, line.article, line.drop);
                Self { benefit: line.benefit, ..article }
            }
            Line::GiftCard(_) => Self::nothing(GIFT_CARD),
            Line::Gift(line) => Self::gift(Some(line.plan)),
        }
    }

    fn nothing(kind: &'static str) -> Self {
        let (plan, drive, variant, bundle) = (None, None, None, None);
        let (drop, upgrade_quote, renewal, benefit) = (None, None, None, None);
        Self { kind, plan, drive, variant, bundle, drop, upgrade_quote, renewal, benefit }
    }

    fn plan(plan: Option<PlanId>, drive: Option<DriveId>) -> Self {
        Self { plan, drive, ..Self::nothing("plan") }
    }

    fn gift(plan: Option<PlanId>) -> Self {
        Self { plan, ..Self::nothing(GIFT) }
    }

    fn upgrade(plan: Option<PlanId>, upgrade_quote: Option<UpgradeQuoteId>) -> Self {
        Self { plan, upgrade_quote, ..Self::nothing(UPGRADE) }
    }

    fn renewal(plan: Option<PlanId>, renewal: Option<RenewalId>) -> Self {
        Self { plan, renewal, ..Self::nothing(RENEWAL) }
    }

    fn article(is_bundle: bool, article: VariantId, drop: Option<DropId>) -> Self {
        let (variant, bundle) =
            if is_bundle { (None, Some(BundleId(article.0))) } else { (Some(article), None) };
        let kind = if is_bundle { "bundle" } else { "variant" };
        Self { variant, bundle, drop, ..Self::nothing(kind) }
    }

    fn of_row(row: &LineRow) -> Self {
        match row.variant_id {
            Some(article) => {
                let article = Self::article(row.kind == "bundle", article, row.drop_id);
                Self { benefit: row.benefit_id, ..article }
            }
            None if row.is_gift_card() => Self::nothing(GIFT_CARD),
            None if row.is_gift() => Self::gift(row.plan_id),
            None if row.upgrade_quote_id.is_some() => Self::upgrade(row.plan_id, row.upgrade_quote_id),
            None if row.renewal_id.is_some() => Self::renewal(row.plan_id, row.renewal_id),
            None => Self::plan(row.plan_id, row.drive_id),
        }
    }
}

#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LineView {
    pub id: LineId,
    #[serde(flatten)]
    pub sells: Sells,
    pub title: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub discount: Money,
    pub total: Money,
    /// Included in the total.
    pub tax_included: Money,
    pub refunded: Money,
    /// Units that were handed over to a carrier.
    pub shipped: i64,
    /// Units of them that come or came back.
    pub returned: i64,
    /// It wasn't there when it was ordered, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
    pub fulfilled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_card: Option<BoughtGiftCard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift: Option<BoughtGift>,
}

/// The latest attempt to pay.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PaymentView {
    pub id: PaymentId,
    pub attempt: i32,
    pub state: PaymentState,
    /// Stripe's hosted page, while it can be paid.
    pub url: Option<String>,
    /// The end of the hold.
    pub expires_at: Option<DateTime<Utc>>,
    /// What can be paid with; what the shop hasn't enabled at Stripe drops out when the page is ready.
    pub methods: Vec<String>,
    pub failure_code: Option<String>,
}

#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OrderView {
    pub id: OrderId,
    /// For people.
    #[schema(example = "20131209-7K3M9QXA")]
    pub number: String,
    /// Shown to operators; absent of a guest's order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Where its mails go. Shown to operators who serve members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A guest's, for the header `Order-Token`: shown this once, in the answer that places the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_token: Option<String>,
    pub state: OrderState,
    pub lines: Vec<LineView>,
    pub totals: TotalsView,
    pub refunded: Money,
    pub explanation: Vec<Explained>,
    pub payment: Option<PaymentView>,
    pub refunds: Vec<RefundView>,
    /// Where parcels go; absent where nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<Address>,
    /// Until when the goods are promised to be with a carrier; null where there are none or nothing is paid.
    pub ship_by: Option<DateTime<Utc>>,
    pub shipments: Vec<ShipmentView>,
    pub returns: Vec<ReturnView>,
    /// When its buyer cancelled it though it was paid.
    pub cancelled_at: Option<DateTime<Utc>>,
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    /// Shown among the backers of the crowdfunded drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backer_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
}

impl PaymentView {
    pub fn of(row: PaymentRow) -> Self {
        Self {
            id: row.id,
            attempt: row.attempt,
            state: row.state,
            url: row.url.filter(|_| row.state == PaymentState::Ready),
            expires_at: row.expires_at.filter(|_| row.state.is_live() || row.state == PaymentState::Failed),
            methods: row.methods,
            failure_code: row.failure_code,
        }
    }
}

impl LineView {
    fn of(row: LineRow, currency: &str) -> Self {
        Self {
            id: row.id,
            sells: Sells::of_row(&row),
            title: row.title,
            quantity: row.quantity,
            unit_price: Money::new(row.unit_price_minor, currency),
            discount: Money::new(row.discount_minor, currency),
            total: Money::new(row.total_minor, currency),
            tax_included: Money::new(row.tax_included_minor, currency),
            refunded: Money::new(row.refunded_minor, currency),
            shipped: row.shipped,
            returned: row.returned,
            ships_from: row.ships_from,
            fulfilled_at: row.fulfilled_at,
            gift_card: None,
            gift: None,
        }
    }
}

impl OrderView {
    /// Puts an order together from its rows; what became of its goods is added by who has asked.
    ///
    /// # Errors
    /// When the stored explanation can't be read.
    pub fn of(
        row: OrderRow,
        lines: Vec<LineRow>,
        payment: Option<PaymentRow>,
        refunds: Vec<RefundView>,
    ) -> Result<Self> {
        let totals = Totals {
            subtotal_minor: row.subtotal_minor,
            discount_minor: row.discount_minor,
            shipping_minor: row.shipping_minor,
            tax_included_minor: row.tax_included_minor,
            total_minor: row.total_minor,
            points: row.points,
            points_minor: row.points_minor,
            credit_minor: row.credit_minor,
            due_minor: row.due_minor,
        };
        Ok(Self {
            id: row.id,
            number: row.number,
            account: None,
            email: None,
            order_token: None,
            state: row.state,
            lines: lines.into_iter().map(|line| LineView::of(line, &row.currency)).collect(),
            totals: totals.view(&row.currency),
            refunded: Money::new(row.refunded_minor, &row.currency),
            explanation: serde_json::from_value(row.explanation).map_err(AppError::internal)?,
            payment: payment.map(PaymentView::of),
            refunds,
            ship_to: row.ship_to.map(serde_json::from_value).transpose().map_err(AppError::internal)?,
            ship_by: None,
            shipments: Vec::new(),
            returns: Vec::new(),
            cancelled_at: None,
            invite_code: row.invite_code,
            terms_version: row.terms_version,
            backer_name: None,
            created_at: row.created_at,
            paid_at: row.paid_at,
        })
    }
}
