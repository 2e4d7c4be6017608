//! Returns over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Reason, ReturnLine, ReturnRow, ReturnState};
use super::rules::Arrived;
use crate::checkout::shipments::dto::ShippedLine;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::types::id::{LineId, OrderId, RefundId, ReturnId};
use crate::types::money::Money;
use crate::types::text;

/// Lines of one order.
const LINES_MAX: usize = 20;

/// What is to be sent back, and why.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    /// Each line once, with as many units as were sent at most.
    pub lines: Vec<ShippedLine>,
    pub reason: Reason,
    /// In the buyer's words, up to 1,000 characters.
    pub note: Option<String>,
}

impl ReturnRequest {
    /// (line, units)
    ///
    /// # Errors
    /// `invalid_field` for more lines than an order has.
    pub fn lines(&self) -> Result<Vec<(LineId, i64)>> {
        if self.lines.len() > LINES_MAX {
            return Err(Code::InvalidField.at("lines", format!("expected 1 to {LINES_MAX} lines")));
        }
        Ok(self.lines.iter().map(|line| (line.line, line.quantity)).collect())
    }

    /// # Errors
    /// `invalid_field`.
    pub fn note(&self) -> Result<Option<String>> {
        let typed = self.note.as_deref().filter(|note| !note.trim().is_empty());
        typed.map(|note| words("note", note)).transpose()
    }
}

/// One's own words, or an operator's to the buyer.
///
/// # Errors
/// `invalid_field`.
pub fn words(field: &str, typed: &str) -> Result<String> {
    text::block(typed, 1_000).map_err(|error| Code::InvalidField.at(field, error.to_string()))
}

/// An operator approves a return.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveReturn {
    /// How and where to send it; goes into the buyer's mail.
    pub instructions: String,
}

/// An operator rejects a return, or closes it without money.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndReturn {
    /// Why; goes into the audit log and the buyer's mail.
    pub reason: String,
}

/// What has arrived of a return.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveReturn {
    /// A line that isn't named hasn't arrived.
    pub lines: Vec<ArrivedLine>,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrivedLine {
    pub line: LineId,
    /// Units that go back on sale.
    #[serde(default)]
    pub restock: i64,
    /// Units that can't be sold again.
    #[serde(default)]
    pub write_off: i64,
}

impl ReceiveReturn {
    /// # Errors
    /// `invalid_field` for more lines than an order has.
    pub fn arrived(&self) -> Result<Vec<(LineId, Arrived)>> {
        if self.lines.len() > LINES_MAX {
            return Err(Code::InvalidField.at("lines", format!("expected 1 to {LINES_MAX} lines")));
        }
        let arrived = |line: &ArrivedLine| Arrived { restocked: line.restock, written_off: line.write_off };
        Ok(self.lines.iter().map(|line| (line.line, arrived(line))).collect())
    }
}

/// The money of a return goes back.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundReturn {
    /// Of what was paid for shipping; none by default.
    pub shipping: Option<Money>,
}

impl RefundReturn {
    /// Minor units of the shop's currency.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn shipping_minor(&self, currency: &str) -> Result<i64> {
        match &self.shipping {
            None => Ok(0),
            Some(money) if money.currency != currency => {
                Err(Code::InvalidField.at("shipping.currency", "not the order's currency"))
            }
            Some(money) if money.amount < 0 => {
                Err(Code::InvalidField.at("shipping.amount", "expected at least 0"))
            }
            Some(money) => Ok(money.amount),
        }
    }
}

/// Goods that are sent back.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ReturnView {
    pub id: ReturnId,
    pub order: OrderId,
    pub state: ReturnState,
    pub reason: Reason,
    /// The buyer's words.
    pub note: Option<String>,
    /// True where it was asked for after the return window: then an operator decides whether it counts.
    pub is_late: bool,
    pub lines: Vec<ReturnLineView>,
    /// The operator's words: how to send it, why not, why it was closed.
    pub answer: Option<String>,
    pub refund: Option<RefundId>,
    pub requested_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub received_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ReturnLineView {
    pub line: LineId,
    /// Units that were asked for.
    pub quantity: i64,
    /// Units that arrived and went back on sale.
    pub restocked: i64,
    /// Units that arrived and can't be sold again.
    pub written_off: i64,
    /// What of its money went back.
    pub refunded: Money,
}

impl ReturnView {
    fn of(row: ReturnRow, lines: &[ReturnLine], currency: &str) -> Self {
        let of_it = lines.iter().filter(|line| line.return_id == row.id);
        let lines = of_it.map(|line| ReturnLineView {
            line: line.line_id,
            quantity: line.quantity,
            restocked: line.restocked,
            written_off: line.written_off,
            refunded: Money::new(line.refunded_minor, currency),
        });
        Self {
            id: row.id,
            order: row.order_id,
            state: row.state,
            reason: row.reason,
            note: row.note,
            is_late: row.is_late,
            lines: lines.collect(),
            answer: row.answer,
            refund: row.refund_id,
            requested_at: row.requested_at,
            decided_at: row.decided_at,
            received_at: row.received_at,
            ended_at: row.ended_at,
        }
    }
}

/// Returns with their lines. `currency` is their orders'.
///
/// # Errors
/// The database's.
pub async fn views(conn: &mut Conn, rows: Vec<ReturnRow>, currency: &str) -> Result<Vec<ReturnView>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let lines = super::model::lines_of(conn, &ids).await?;
    Ok(rows.into_iter().map(|row| ReturnView::of(row, &lines, currency)).collect())
}
