//! Links of mails, over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::checkout::payments::model::PaymentState;
use crate::types::id::OrderId;
use crate::types::money::Money;

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalLink {
    /// Of the mail.
    pub token: String,
}

/// To pay by a link.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalPayment {
    /// Of the mail.
    pub token: String,
    /// Five at most.
    #[serde(default)]
    pub coupon_codes: Vec<String>,
}

/// An order as who has the link sees it: nothing personal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LinkedOrder {
    pub id: OrderId,
    pub number: String,
    pub due: Money,
    pub payment_state: PaymentState,
    /// The page to pay it on, once it is ready.
    pub url: Option<String>,
    /// Until then it can be paid.
    pub expires_at: Option<DateTime<Utc>>,
}
