//! Parcels over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Shipment;
use crate::types::id::{LineId, ShipmentId};

/// A parcel.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ShipmentView {
    pub id: ShipmentId,
    pub carrier: String,
    pub tracking_number: Option<String>,
    pub shipped_at: DateTime<Utc>,
    /// Null while nobody has told of it.
    pub delivered_at: Option<DateTime<Utc>>,
    pub lines: Vec<ShippedLine>,
}

/// What of a line is in a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippedLine {
    pub line: LineId,
    pub quantity: i64,
}

impl ShipmentView {
    pub fn of((row, lines): (Shipment, Vec<(LineId, i64)>)) -> Self {
        Self {
            id: row.id,
            carrier: row.carrier,
            tracking_number: row.tracking_number,
            shipped_at: row.shipped_at,
            delivered_at: row.delivered_at,
            lines: lines.into_iter().map(|(line, quantity)| ShippedLine { line, quantity }).collect(),
        }
    }
}

/// A parcel to be sent.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShipmentBody {
    pub carrier: String,
    pub tracking_number: Option<String>,
    /// What is in it; absent: all that is still to be sent.
    pub lines: Option<Vec<ShippedLine>>,
}

/// The carrier has handed a parcel over.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryBody {
    /// Now where it is left out.
    pub delivered_at: Option<DateTime<Utc>>,
}
