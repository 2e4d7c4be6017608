//! Gift memberships over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::GiftRow;
use super::rules::{self, Refusal};
use crate::checkout::gift_cards::dto::text_of as text_of_card;
use crate::checkout::gift_cards::model::GiftCard;
use crate::checkout::gift_cards::rules as card_rules;
use crate::checkout::gift_codes::dto::GiftReceiver;
use crate::checkout::gift_codes::rules::State;
use crate::error::{Code, Result};
use crate::fields;
use crate::membership::memberships::dto::MembershipView;
use crate::membership::plans::model::Plan;
use crate::types::email::Email;
use crate::types::id::{AccountId, GiftId, LineId, PlanId, TermId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// A term of a plan to give away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftRequest {
    /// One that is on open sale.
    pub plan: PlanId,
    pub to: Option<GiftReceiver>,
}

/// A gift membership of an order's line, for its buyer: never its code.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct BoughtGift {
    pub state: State,
    pub to: String,
    pub deliver_at: DateTime<Utc>,
    /// Until when it is to be redeemed; known once it is paid.
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
}

impl BoughtGift {
    pub fn of(gift: GiftRow, now: DateTime<Utc>) -> Self {
        Self {
            state: rules::state(&gift, now),
            to: gift.to_email,
            deliver_at: gift.deliver_at,
            expires_at: gift.expires_at,
            redeemed_at: gift.redeemed_at,
        }
    }
}

/// What a gift gives.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct GiftedPlan {
    pub id: PlanId,
    pub code: String,
    /// The tier's code.
    pub tier: String,
    /// In the reader's language.
    pub tier_name: String,
    /// As it was when the gift was bought.
    #[schema(example = "P1Y")]
    pub term: String,
}

/// What a code is, and whether it can be redeemed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct GiftAnswer {
    /// `gift_card` (redeem it at `/v1/gift-cards/redeem`) or `gift` (at `/v1/gifts/redeem`).
    pub kind: &'static str,
    /// Of a gift card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Of a gift membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<GiftedPlan>,
    pub expires_at: Option<DateTime<Utc>>,
    /// By the caller, where one is signed in.
    pub may_redeem: bool,
    /// The stable code of why not.
    pub refusal: Option<&'static str>,
    /// In the reader's language.
    pub refusal_text: Option<&'static str>,
    /// From when the caller can, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redeemable_from: Option<DateTime<Utc>>,
}

impl GiftAnswer {
    pub fn of_card(card: &GiftCard, locale: Locale, now: DateTime<Utc>) -> Self {
        let refusal = card_rules::may_redeem(card, now).err();
        Self {
            kind: "gift_card",
            amount: Some(Money::new(card.amount_minor, &card.currency)),
            plan: None,
            expires_at: card.expires_at,
            may_redeem: refusal.is_none(),
            refusal: refusal.map(Code::as_str),
            refusal_text: refusal.map(|code| text_of_card(code, locale)),
            redeemable_from: None,
        }
    }

    pub fn of_gift(gift: &GiftRow, plan: &Plan, refusal: Option<Refusal>, locale: Locale) -> Self {
        let gifted = GiftedPlan {
            id: plan.id,
            code: plan.code.clone(),
            tier: plan.tier_code.clone(),
            tier_name: locale.pick(&plan.tier_zh, &plan.tier_en).clone(),
            term: gift.term.clone(),
        };
        Self {
            kind: "gift",
            amount: None,
            plan: Some(gifted),
            expires_at: gift.expires_at,
            may_redeem: refusal.is_none(),
            refusal: refusal.map(|refusal| refusal.code.as_str()),
            refusal_text: refusal.map(|refusal| text_of(refusal.code, locale)),
            redeemable_from: refusal.and_then(|refusal| refusal.from),
        }
    }
}

fn text_of(code: Code, locale: Locale) -> &'static str {
    match code {
        Code::GiftRedeemed => locale.pick("这份会员礼物已经兑换过了。", "This gift has been redeemed."),
        Code::GiftExpired => locale.pick("这份会员礼物已过期。", "This gift has expired."),
        Code::GiftHeld => {
            locale.pick("这份会员礼物的付款有争议，暂不能兑换。", "The payment of this gift is disputed.")
        }
        Code::OtherTierRuns => locale.pick(
            "您有另一等级的会员资格，待其到期后即可兑换。",
            "You are a member of another tier: redeem it when that is over.",
        ),
        Code::MembershipOrderPending => locale.pick(
            "您有一笔未支付的会员订单，请先支付或取消。",
            "You have an unpaid membership order. Pay or cancel it first.",
        ),
        Code::MembershipFrozen => {
            locale.pick("您的会员资格已冻结，恢复后即可兑换。", "Your membership is frozen: resume it first.")
        }
        Code::MembershipRevoked => {
            locale.pick("您的会员资格已被撤销，请联系客服。", "Your membership was revoked: ask the shop.")
        }
        Code::AlreadyForLife => {
            locale.pick("您已是终身会员，可转赠他人。", "Your membership has no end: pass the gift on.")
        }
        _ => locale.pick("这份会员礼物已作废。", "This gift is void."),
    }
}

/// A gift that was redeemed: the term that it gave, and the membership that this is part of.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RedeemedGift {
    pub id: GiftId,
    pub plan: PlanId,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; null: for life.
    pub ends_at: Option<DateTime<Utc>>,
    pub membership: MembershipView,
}

/// A gift membership, for operators: never its code.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminGift)]
pub struct GiftView {
    pub id: GiftId,
    pub state: State,
    pub plan: PlanId,
    pub term: String,
    /// The line that sold it.
    pub line: LineId,
    pub bought_by: AccountId,
    pub to: String,
    /// False: for nobody yet, and its code went to the buyer.
    pub is_addressed: bool,
    /// The last letters of its code, once it is delivered.
    pub code_end: Option<String>,
    pub deliver_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
    pub redeemed_by: Option<AccountId>,
    /// The term that it gave.
    pub gave: Option<TermId>,
    pub voided_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl GiftView {
    pub fn of(gift: GiftRow, now: DateTime<Utc>) -> Self {
        Self {
            id: gift.id,
            state: rules::state(&gift, now),
            plan: gift.plan_id,
            term: gift.term,
            line: gift.line_id,
            bought_by: gift.account_id,
            to: gift.to_email,
            is_addressed: gift.is_addressed,
            code_end: gift.code_end,
            deliver_at: gift.deliver_at,
            delivered_at: gift.delivered_at,
            expires_at: gift.expires_at,
            redeemed_at: gift.redeemed_at,
            redeemed_by: gift.redeemed_by,
            gave: gift.term_id,
            voided_at: gift.voided_at,
            created_at: gift.created_at,
        }
    }
}

/// Takes a gift membership back.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftWithdrawal {
    #[schema(max_length = 500)]
    pub reason: String,
}

impl GiftWithdrawal {
    /// # Errors
    /// `invalid_field`
    pub fn reason(&self) -> Result<String> {
        fields::reason(&self.reason)
    }
}

/// Moves the end of a gift membership.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftExtension {
    pub expires_at: DateTime<Utc>,
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Mails a gift membership again, with a new code: the old one is worth nothing from then on.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftRenewedCode {
    /// To another address than before.
    #[schema(value_type = Option<String>, format = "email")]
    pub email: Option<Email>,
    #[schema(max_length = 500)]
    pub reason: String,
}
