//! Refunds over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{RefundRow, RefundState};
use super::rules::Asked;
use crate::error::{Code, Result};
use crate::types::id::{LineId, OrderId, RefundId};
use crate::types::money::Money;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundLineRequest {
    pub line: LineId,
    /// The whole line by default.
    pub amount: Option<Money>,
}

/// In full where neither lines nor an amount are named.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    pub lines: Option<Vec<RefundLineRequest>>,
    pub amount: Option<Money>,
    /// Why; goes into the audit log and the buyer's mail.
    pub reason: String,
    /// What was sold goes back on sale: the place returns to its drive.
    #[serde(default)]
    pub restock: bool,
    /// What money paid of it becomes store credit. By default it goes back by the payment first, and what store credit had paid
    /// becomes store credit again. What points paid comes back as points in any case, after the money of its line.
    #[serde(default)]
    pub into_credit: bool,
}

impl RefundRequest {
    /// # Errors
    /// `invalid_field`.
    pub fn asked(&self, currency: &str) -> Result<Asked> {
        let check = |money: &Money, field: &str| {
            if money.currency == currency {
                Ok(money.amount)
            } else {
                Err(Code::InvalidField.at(field, "not the order's currency"))
            }
        };
        match (&self.lines, &self.amount) {
            (None, None) => Ok(Asked::Full),
            (None, Some(amount)) => Ok(Asked::Amount(check(amount, "amount.currency")?)),
            (Some(lines), None) => {
                let mut asked = Vec::with_capacity(lines.len());
                for line in lines {
                    let amount = line.amount.as_ref().map(|money| check(money, "lines[].amount.currency"));
                    asked.push((line.line, amount.transpose()?));
                }
                Ok(Asked::Lines(asked))
            }
            (Some(_), Some(_)) => Err(Code::InvalidField.at("amount", "name lines or an amount, not both")),
        }
    }

    /// The reason, trimmed.
    ///
    /// # Errors
    /// `invalid_field` when it is empty or longer than 500 characters.
    pub fn reason(&self) -> Result<String> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > 500 {
            return Err(Code::InvalidField.at("reason", "expected 1 to 500 characters"));
        }
        Ok(reason.to_owned())
    }
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundInto {
    /// Back the way it was paid.
    Payment,
    /// Into the buyer's store credit.
    Credit,
    /// As the points that paid it.
    Points,
}

/// A refund. What was paid in several ways goes back by several of them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct RefundView {
    pub id: RefundId,
    pub order: OrderId,
    pub amount: Money,
    pub into: RefundInto,
    /// How many points come back; absent where money does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
    pub reason: String,
    pub state: RefundState,
    pub failure_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<RefundRow> for RefundView {
    fn from(row: RefundRow) -> Self {
        Self {
            id: row.id,
            order: row.order_id,
            amount: Money::new(row.amount_minor, &row.currency),
            into: match (row.payment_id, row.points) {
                (Some(_), _) => RefundInto::Payment,
                (None, Some(_)) => RefundInto::Points,
                (None, None) => RefundInto::Credit,
            },
            points: row.points,
            reason: row.reason,
            state: row.state,
            failure_reason: row.failure_reason,
            created_at: row.created_at,
            ended_at: row.ended_at,
        }
    }
}
