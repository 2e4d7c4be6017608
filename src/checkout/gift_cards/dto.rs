//! Gift cards over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::GiftCard;
use super::rules;
use crate::checkout::credit::dto::CreditView;
use crate::checkout::gift_codes::dto::GiftReceiver;
use crate::checkout::gift_codes::rules::State;
use crate::error::{Code, Result};
use crate::fields;
use crate::types::email::Email;
use crate::types::id::{AccountId, GiftCardId, LineId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// A gift card to buy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftCardRequest {
    /// 10.00 to 1,000.00.
    pub amount: Money,
    pub to: Option<GiftReceiver>,
}

/// A gift card of an order's line, for its buyer: never its code.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct BoughtGiftCard {
    pub state: State,
    pub to: String,
    pub deliver_at: DateTime<Utc>,
    pub redeemed_at: Option<DateTime<Utc>>,
}

impl BoughtGiftCard {
    pub fn of(card: GiftCard) -> Self {
        // What was bought doesn't expire.
        let state = rules::state(&card, card.created_at);
        Self { state, to: card.to_email, deliver_at: card.deliver_at, redeemed_at: card.redeemed_at }
    }
}

/// Why one can't be redeemed, in the reader's language.
pub fn text_of(code: Code, locale: Locale) -> &'static str {
    match code {
        Code::GiftCardRedeemed => locale.pick("这张礼品卡已经用过了。", "This gift card has been redeemed."),
        Code::GiftCardExpired => locale.pick("这张礼品卡已过期。", "This gift card has expired."),
        Code::GiftCardHeld => {
            locale.pick("这张礼品卡的付款有争议，暂不能使用。", "The payment of this gift card is disputed.")
        }
        _ => locale.pick("这张礼品卡已作废。", "This gift card is void."),
    }
}

/// A gift card that was redeemed, and the store credit that it became part of.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Redeemed {
    pub amount: Money,
    pub credit: CreditView,
}

/// A gift card, for operators: never its code.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct GiftCardView {
    pub id: GiftCardId,
    pub state: State,
    pub amount: Money,
    /// The line that sold it; absent where an operator gave it out.
    pub line: Option<LineId>,
    pub bought_by: Option<AccountId>,
    pub to: String,
    /// The last letters of its code, once it is delivered.
    pub code_end: Option<String>,
    pub reason: Option<String>,
    pub deliver_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
    pub redeemed_by: Option<AccountId>,
    pub created_at: DateTime<Utc>,
}

impl GiftCardView {
    pub fn of(card: GiftCard, now: DateTime<Utc>) -> Self {
        Self {
            id: card.id,
            state: rules::state(&card, now),
            amount: Money::new(card.amount_minor, &card.currency),
            line: card.line_id,
            bought_by: card.account_id,
            to: card.to_email,
            code_end: card.code_end,
            reason: card.reason,
            deliver_at: card.deliver_at,
            delivered_at: card.delivered_at,
            expires_at: card.expires_at,
            redeemed_at: card.redeemed_at,
            redeemed_by: card.redeemed_by,
            created_at: card.created_at,
        }
    }
}

/// A gift card to give out.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGift {
    pub amount: Money,
    pub to: GiftReceiver,
    /// The mail's language; the shop's first by default.
    #[schema(value_type = Option<String>)]
    pub locale: Option<Locale>,
    pub expires_at: Option<DateTime<Utc>>,
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Takes a gift card back.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftVoid {
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Mails a gift card again, with a new code: the old one is worth nothing from then on.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftReplacement {
    /// To another address than before.
    #[schema(value_type = Option<String>, format = "email")]
    pub email: Option<Email>,
    #[schema(max_length = 500)]
    pub reason: String,
}

impl GiftVoid {
    /// # Errors
    /// `invalid_field`
    pub fn reason(&self) -> Result<String> {
        fields::reason(&self.reason)
    }
}
