//! Channels over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Allocation, Channel, Sale};
use crate::types::id::{ChannelId, ChannelSaleId, VariantId};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "tmall")]
    pub code: String,
    pub names: Names,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    pub id: ChannelId,
    pub code: String,
    pub names: Names,
    /// The own mall, which sells by orders.
    pub is_own: bool,
    pub allocations: Vec<AllocationView>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag. Sales and allocations don't change it.
    pub version: i32,
}

/// What of a variant is set aside for a channel.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ChannelAllocation)]
pub struct AllocationView {
    pub variant: VariantId,
    pub sku: String,
    pub quantity: i64,
    pub sold: i64,
    pub left: i64,
}

impl From<Allocation> for AllocationView {
    fn from(row: Allocation) -> Self {
        Self {
            variant: row.variant,
            sku: row.sku,
            quantity: row.capacity,
            sold: row.taken,
            left: row.capacity - row.taken,
        }
    }
}

impl ChannelView {
    pub fn new(channel: Channel, allocations: Vec<Allocation>) -> Self {
        Self {
            id: channel.id,
            code: channel.code,
            names: channel.names,
            is_own: channel.is_own,
            allocations: allocations.into_iter().map(AllocationView::from).collect(),
            created_at: channel.created_at,
            archived_at: channel.archived_at,
            version: channel.version,
        }
    }
}

/// Units to set aside for the channel, or to give back.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAllocation {
    pub variant: VariantId,
    /// Negative: they go back into open stock.
    #[schema(example = 16824)]
    pub quantity: i64,
}

/// A sale as the channel reports it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSale {
    /// The channel's own, of this sale or this day's sales: each counts once.
    #[schema(example = "2014-09-01")]
    pub reference: String,
    /// Now by default; not in the future.
    pub sold_at: Option<DateTime<Utc>>,
    /// One to a hundred, each variant once.
    pub lines: Vec<SaleLineBody>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelSaleLine)]
pub struct SaleLineBody {
    /// Goods with a stock of their own.
    pub variant: VariantId,
    pub quantity: i64,
    /// What was paid for all of them, for the reports.
    pub amount: Money,
}

/// Why a report was wrong.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reversal {
    pub reason: String,
}

/// An entry: a sale, or the counter-entry of one, with negative quantities and amounts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ChannelSale)]
pub struct SaleView {
    pub id: ChannelSaleId,
    pub channel: ChannelId,
    pub reference: String,
    /// The sale that it takes back.
    pub reverses: Option<ChannelSaleId>,
    pub note: Option<String>,
    pub lines: Vec<SaleLineBody>,
    pub sold_at: DateTime<Utc>,
    pub reported_by: String,
    pub created_at: DateTime<Utc>,
}

impl From<Sale> for SaleView {
    fn from(sale: Sale) -> Self {
        let lines = sale.lines.into_iter().map(|line| SaleLineBody {
            variant: line.variant_id,
            quantity: line.quantity,
            amount: Money::new(line.amount_minor, &line.currency),
        });
        Self {
            id: sale.row.id,
            channel: sale.row.channel_id,
            reference: sale.row.reference,
            reverses: sale.row.reverses,
            note: sale.row.note,
            lines: lines.collect(),
            sold_at: sale.row.sold_at,
            reported_by: sale.row.reported_by,
            created_at: sale.row.created_at,
        }
    }
}
