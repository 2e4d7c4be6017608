//! Addresses over the wire. What they hold is personal: none of these shapes can be printed into a log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::SavedAddress;
use crate::shop::shipping::rules::Address;
use crate::types::id::AddressId;
use crate::types::patch::Patch;

/// An address to keep.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    pub name: String,
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "CN")]
    pub country: String,
    pub province: Option<String>,
    pub city: String,
    pub district: Option<String>,
    pub line1: String,
    pub line2: Option<String>,
    pub postcode: Option<String>,
    /// Makes it the default. The first one is that anyway.
    #[serde(default)]
    pub is_default: bool,
}

impl NewAddress {
    /// The address, and whether it is to be the default.
    pub fn parts(self) -> (Address, bool) {
        let address = Address {
            name: self.name,
            phone: self.phone,
            country: self.country,
            province: self.province,
            city: self.city,
            district: self.district,
            line1: self.line1,
            line2: self.line2,
            postcode: self.postcode,
        };
        (address, self.is_default)
    }
}

/// What is absent stays; `null` empties a field that may be empty.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressPatch {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub phone: Patch<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "CN")]
    pub country: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub province: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub city: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub district: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub line1: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub line2: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub postcode: Patch<String>,
    /// `true` makes it the default, in place of the one that is. The default can't be told not to be: make another one it.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub is_default: Patch<bool>,
}

/// An address of the book.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SavedAddress)]
pub struct AddressView {
    pub id: AddressId,
    pub name: String,
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub province: Option<String>,
    pub city: String,
    pub district: Option<String>,
    pub line1: String,
    pub line2: Option<String>,
    pub postcode: Option<String>,
    /// The one to propose. Exactly one is, where there is any.
    pub is_default: bool,
    pub created_at: DateTime<Utc>,
}

impl From<SavedAddress> for AddressView {
    fn from(saved: SavedAddress) -> Self {
        let SavedAddress { id, address, is_default, created_at, .. } = saved;
        Self {
            id,
            name: address.name,
            phone: address.phone,
            country: address.country,
            province: address.province,
            city: address.city,
            district: address.district,
            line1: address.line1,
            line2: address.line2,
            postcode: address.postcode,
            is_default,
            created_at,
        }
    }
}
