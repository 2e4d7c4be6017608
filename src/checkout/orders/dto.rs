//! Orders and quotes over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::{LineRow, OrderRow, OrderState};
use super::service::Line;
use super::waiting::WaitFor;
use crate::checkout::payments::model::{PaymentRow, PaymentState};
use crate::checkout::pricing::rules::{Explained, Totals, TotalsView};
use crate::checkout::refunds::dto::RefundView;
use crate::error::{AppError, Code, Result};
use crate::membership::invitations::rules::normal_code;
use crate::types::id::{AccountId, DriveId, LineId, OrderId, PaymentId, PlanId};
use crate::types::money::Money;

/// A line to buy: a plan, in a drive where it is sold in one.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineRequest {
    pub plan: PlanId,
    pub drive: Option<DriveId>,
    /// The code of an invitation; needless where one is reserved for the buyer's verified address.
    pub invitation: Option<String>,
}

/// What the buyer agrees to; stored with the order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    /// The version of the terms of sale that was accepted, or `true` for the one in force.
    pub terms: Option<TermsConsent>,
    /// The service may start before the time to withdraw is over.
    pub start_now: Option<bool>,
    /// The card may be charged for renewals (plans that renew by card).
    pub renewal: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum TermsConsent {
    InForce(bool),
    Version(String),
}

/// Body of a quote or an order. A quote doesn't need the URLs.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// Exactly one for now.
    pub lines: Vec<LineRequest>,
    #[serde(default)]
    pub coupon_codes: Vec<String>,
    /// A referral code.
    pub invite_code: Option<String>,
    /// Points to pay with.
    pub points: Option<i64>,
    /// Store credit to pay with, in minor units.
    pub credit: Option<i64>,
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

    /// The one line, and nothing that can't be honoured yet.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn line(&self) -> Result<Line> {
        let [line] = self.lines.as_slice() else {
            return Err(Code::InvalidField.at("lines", "expected exactly one line"));
        };
        if !self.coupon_codes.is_empty() {
            return Err(Code::InvalidField.at("coupon_codes[0]", "there is no such coupon"));
        }
        if self.points.is_some_and(|points| points != 0) {
            return Err(Code::InvalidField.at("points", "the account has no points"));
        }
        if self.credit.is_some_and(|credit| credit != 0) {
            return Err(Code::InvalidField.at("credit", "the account has no store credit"));
        }
        let invitation = line.invitation.as_deref().map(normal_code);
        Ok(Line::Plan { plan: line.plan, drive: line.drive, invitation })
    }

    /// The referral code as it is stored.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn referral(&self) -> Result<Option<String>> {
        let Some(code) = self.invite_code.as_deref().map(str::trim).filter(|code| !code.is_empty()) else {
            return Ok(None);
        };
        if code.len() > 64 || !code.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Code::InvalidField.at("invite_code", "expected at most 64 visible characters"));
        }
        Ok(Some(code.to_uppercase()))
    }
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

/// A priced line of a quote.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct QuotedLine {
    pub kind: &'static str,
    pub plan: PlanId,
    pub drive: Option<DriveId>,
    pub title: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub discount: Money,
    pub total: Money,
}

/// What an order would cost now, and why. No effect, no promise: places are held by an order.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct QuoteView {
    pub lines: Vec<QuotedLine>,
    pub totals: TotalsView,
    pub explanation: Vec<Explained>,
    /// Prices may have changed after that.
    pub valid_until: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LineView {
    pub id: LineId,
    pub kind: String,
    pub plan: Option<PlanId>,
    pub drive: Option<DriveId>,
    pub title: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub discount: Money,
    pub total: Money,
    pub refunded: Money,
    pub fulfilled_at: Option<DateTime<Utc>>,
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
    /// Shown to operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    pub state: OrderState,
    pub lines: Vec<LineView>,
    pub totals: TotalsView,
    pub refunded: Money,
    pub explanation: Vec<Explained>,
    pub payment: Option<PaymentView>,
    pub refunds: Vec<RefundView>,
    pub shipments: Vec<ShipmentView>,
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    pub created_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
}

/// Goods on their way; none yet.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ShipmentView {}

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
            kind: row.kind,
            plan: row.plan_id,
            drive: row.drive_id,
            title: row.title,
            quantity: row.quantity,
            unit_price: Money::new(row.unit_price_minor, currency),
            discount: Money::new(row.discount_minor, currency),
            total: Money::new(row.total_minor, currency),
            refunded: Money::new(row.refunded_minor, currency),
            fulfilled_at: row.fulfilled_at,
        }
    }
}

impl OrderView {
    /// Puts an order together from its rows.
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
            points_minor: row.points_minor,
            credit_minor: row.credit_minor,
            due_minor: row.due_minor,
        };
        Ok(Self {
            id: row.id,
            number: row.number,
            account: None,
            state: row.state,
            lines: lines.into_iter().map(|line| LineView::of(line, &row.currency)).collect(),
            totals: totals.view(&row.currency),
            refunded: Money::new(row.refunded_minor, &row.currency),
            explanation: serde_json::from_value(row.explanation).map_err(AppError::internal)?,
            payment: payment.map(PaymentView::of),
            refunds,
            shipments: Vec::new(),
            invite_code: row.invite_code,
            terms_version: row.terms_version,
            created_at: row.created_at,
            paid_at: row.paid_at,
        })
    }
}
