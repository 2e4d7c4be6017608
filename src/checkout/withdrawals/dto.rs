//! Withdrawals over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{WithdrawalRow, WithdrawalState};
use crate::types::email::Email;
use crate::types::id::{OrderId, RefundId, WithdrawalId};

/// A declaration: I withdraw from this order.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclarationRequest {
    #[schema(example = "20131209-7K3M9QXA")]
    pub order_number: String,
    /// The one that the order was placed with.
    #[schema(value_type = String, format = "email")]
    pub email: Email,
    /// Who withdraws.
    pub name: String,
}

/// The buyer stays with the order after all.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// Of the acknowledgement's link.
    pub token: String,
}

/// An operator's decision. Money goes back by a refund of the order.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// Why; goes into the audit log and, where the case is rejected, into the buyer's mail.
    pub reason: String,
    /// The refund that was made for it; only where it is accepted.
    pub refund: Option<RefundId>,
}

/// A case.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct WithdrawalView {
    pub id: WithdrawalId,
    pub order: OrderId,
    pub order_number: String,
    pub state: WithdrawalState,
    /// As it was declared; null once the buyer was erased.
    pub name: Option<String>,
    pub declared_at: DateTime<Utc>,
    /// The last parcel, or the payment where nothing is sent; null while a parcel was still to come.
    pub counted_from: Option<DateTime<Utc>>,
    /// The end of the fourteenth day after that, exclusive.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Whether it was declared before that.
    pub in_time: bool,
    pub ended_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub refund: Option<RefundId>,
}

impl WithdrawalView {
    pub fn of((row, order_number): (WithdrawalRow, String)) -> Self {
        Self {
            id: row.id,
            order: row.order_id,
            order_number,
            state: row.state,
            name: row.name,
            declared_at: row.declared_at,
            counted_from: row.counted_from,
            deadline_at: row.deadline_at,
            in_time: row.deadline_at.is_none_or(|deadline_at| row.declared_at < deadline_at),
            ended_at: row.ended_at,
            reason: row.reason,
            refund: row.refund_id,
        }
    }
}

/// Filters of an operator's list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WithdrawalFilter {
    pub state: Option<WithdrawalState>,
    pub order: Option<OrderId>,
}
