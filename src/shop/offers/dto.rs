//! Offers over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Offer, OfferKind};
use crate::shop::audience::Audience;
use crate::types::id::{OfferId, VariantId};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOffer {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "two-kiwis-one-tea")]
    pub code: String,
    pub kind: OfferKind,
    pub names: Names,
    /// Whom it is for; everyone by default.
    pub buyers: Option<Audience>,
    /// What is bought; of a swap what is given up.
    pub buy: VariantId,
    /// Of a gift; 1 by default.
    pub buy_quantity: Option<i32>,
    /// What one gets; of a gift it may be the same.
    pub get: VariantId,
    /// Of a gift; 1 by default.
    pub get_quantity: Option<i32>,
    /// Of a gift: how often it counts in one order; absent: as often as it fits.
    pub most_per_order: Option<i32>,
    /// Of a swap: what one unit costs more than the one that is given up.
    pub supplement: Option<Money>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
}

/// What is absent stays; what it gives never changes: archive it and make another one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub buyers: Patch<Audience>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub most_per_order: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub starts_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Patch<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminOffer)]
pub struct OfferView {
    pub id: OfferId,
    pub code: String,
    pub kind: OfferKind,
    pub names: Names,
    pub buyers: Audience,
    pub buy: VariantId,
    pub buy_quantity: i32,
    pub get: VariantId,
    pub get_quantity: i32,
    pub most_per_order: Option<i32>,
    pub supplement: Option<Money>,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl OfferView {
    pub fn new(offer: Offer, currency: &str) -> Self {
        Self {
            id: offer.id,
            code: offer.code,
            kind: offer.kind,
            names: offer.names,
            buyers: offer.buyers,
            buy: offer.buy,
            buy_quantity: offer.buy_quantity,
            get: offer.get,
            get_quantity: offer.get_quantity,
            most_per_order: offer.most_per_order,
            supplement: offer.supplement_minor.map(|minor| Money::new(minor, currency)),
            starts_at: offer.starts_at,
            ends_at: offer.ends_at,
            created_at: offer.created_at,
            archived_at: offer.archived_at,
            version: offer.version,
        }
    }
}
