//! Quotes for upgrades over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Mode, UpgradeQuote};
use crate::types::id::{PlanId, UpgradeQuoteId};
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeQuoteRequest {
    /// Of a higher tier.
    pub plan: PlanId,
    /// `prorate`: pay for the time that is left, the end stays. `restart`: pay for a whole new term from now on.
    pub mode: Mode,
}

/// What an upgrade costs: order it with `{"upgrade_quote": "upq_…"}` as a line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = UpgradeQuote)]
pub struct UpgradeQuoteView {
    pub id: UpgradeQuoteId,
    pub plan: PlanId,
    pub mode: Mode,
    /// What is left of what you paid for.
    pub credit: Money,
    /// What the new term costs before the credit.
    pub charge: Money,
    /// `charge` less `credit`, never below 0.
    pub due: Money,
    /// Exclusive; null: for life. Of `restart` counted from the payment.
    pub ends_at: Option<DateTime<Utc>>,
    pub valid_until: DateTime<Utc>,
}

impl UpgradeQuoteView {
    pub fn new(quote: UpgradeQuote, currency: &str) -> Self {
        let money = |minor| Money::new(minor, currency);
        Self {
            id: quote.id,
            plan: quote.plan_id,
            mode: quote.mode,
            credit: money(quote.credit_minor),
            charge: money(quote.charge_minor),
            due: money(quote.due_minor),
            ends_at: quote.ends_at,
            valid_until: quote.valid_until,
        }
    }
}
