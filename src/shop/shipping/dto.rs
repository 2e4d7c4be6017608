//! Methods of shipping over the wire.

use serde::{Deserialize, Serialize};

use super::model::ShippingMethod;
use crate::shop::audience::Audience;
use crate::types::id::ShippingMethodId;
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShippingMethod {
    /// Small letters, digits, hyphens; never changes.
    pub code: String,
    pub names: Names,
    /// ISO 3166-1 alpha-2.
    #[schema(example = json!(["CN"]))]
    pub countries: Vec<String>,
    pub fee: Money,
    /// For each begun kilogram after the first.
    pub fee_per_kg: Option<Money>,
    /// Free from that worth of goods on.
    pub free_from: Option<Money>,
    /// Free for these buyers.
    pub free_for: Option<Audience>,
}

/// What is absent stays. Orders that exist keep the fee that they were placed with.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippingMethodChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub countries: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub fee: Patch<Money>,
    /// Null: nothing.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub fee_per_kg: Patch<Money>,
    /// Null: never.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub free_from: Patch<Money>,
    /// Null: for nobody.
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub free_for: Patch<Audience>,
}

/// A way to send goods.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ShippingMethod)]
pub struct ShippingMethodView {
    pub id: ShippingMethodId,
    pub code: String,
    pub name: String,
    pub names: Names,
    pub countries: Vec<String>,
    pub fee: Money,
    pub fee_per_kg: Money,
    pub free_from: Option<Money>,
    pub free_for: Option<Audience>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl ShippingMethodView {
    pub fn new(method: ShippingMethod, name: String, currency: &str) -> Self {
        Self {
            id: method.id,
            code: method.code,
            name,
            names: method.names,
            countries: method.countries,
            fee: Money::new(method.fee_minor, currency),
            fee_per_kg: Money::new(method.fee_per_kg_minor, currency),
            free_from: method.free_from_minor.map(|minor| Money::new(minor, currency)),
            free_for: method.free_for,
            version: method.version,
        }
    }
}
