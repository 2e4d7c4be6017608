//! Store credit over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{EntryKind, EntryRow};
use super::rules::Balance;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::fields;
use crate::types::id::{CreditEntryId, OrderId};
use crate::types::money::Money;

/// An adjustment beyond this is a slip of the keyboard: 100,000.00.
const ADJUST_MAX_MINOR: i64 = 10_000_000;

/// One movement.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CreditEntryView {
    pub id: CreditEntryId,
    pub kind: EntryKind,
    /// Below 0: it was spent or taken back.
    pub amount: Money,
    /// Moves what is owed: above 0 where more was taken back than was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owed: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl CreditEntryView {
    fn of(row: EntryRow, currency: &str) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            amount: Money::new(row.amount_minor, currency),
            owed: (row.owed_minor != 0).then(|| Money::new(row.owed_minor, currency)),
            order: row.order_id,
            reason: row.reason,
            created_at: row.created_at,
        }
    }
}

/// Store credit, and its ledger by page, the latest first.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CreditView {
    /// Can be spent.
    pub balance: Money,
    /// Was taken back after it had been spent: it is taken from what comes next.
    pub owed: Money,
    #[serde(flatten)]
    pub entries: List<CreditEntryView>,
}

impl CreditView {
    pub fn of(balance: Balance, page: List<EntryRow>, currency: &str) -> Self {
        Self {
            balance: Money::new(balance.balance_minor, currency),
            owed: Money::new(balance.owed_minor, currency),
            entries: page.map(|row| CreditEntryView::of(row, currency)),
        }
    }
}

/// Gives store credit, or takes it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditAdjustment {
    /// Below 0 it is taken; no more than there is.
    pub amount: Money,
    /// Shown to the member, and kept in the audit log.
    #[schema(max_length = 500)]
    pub reason: String,
}

impl CreditAdjustment {
    /// (minor units, reason)
    ///
    /// # Errors
    /// `invalid_field`
    pub fn checked(&self, currency: &str) -> Result<(i64, String)> {
        if self.amount.currency != currency {
            return Err(Code::InvalidField.at("amount.currency", format!("expected {currency}")));
        }
        let minor = self.amount.amount;
        if minor == 0 || !(-ADJUST_MAX_MINOR..=ADJUST_MAX_MINOR).contains(&minor) {
            let why = format!("expected 1 to {ADJUST_MAX_MINOR}, or as much below 0");
            return Err(Code::InvalidField.at("amount.amount", why));
        }
        Ok((minor, fields::reason(&self.reason)?))
    }
}
