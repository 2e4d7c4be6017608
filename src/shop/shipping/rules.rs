//! What a parcel costs, and where one can go.

use serde::{Deserialize, Serialize};

use super::model::ShippingMethod;
use crate::error::{Code, Result};
use crate::shop::audience::{Ranks, Visitor};
use crate::types::text;

/// Where a parcel goes. Stored with the order as it was then.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub name: String,
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "CN")]
    pub country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    pub city: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    pub line1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
}

/// Personal data: logs get the country alone.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("country", &self.country).finish_non_exhaustive()
    }
}

impl Address {
    /// The address without needless blanks; the field that is wrong is named below `field`, or by itself where that is
    /// empty.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn checked(&self, field: &str) -> Result<Self> {
        let path = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
        let line = |name: &str, typed: &str| {
            text::line(typed, 200).map_err(|error| Code::InvalidField.at(path(name), error.to_string()))
        };
        let optional = |name: &str, typed: &Option<String>| {
            typed
                .as_deref()
                .filter(|typed| !typed.trim().is_empty())
                .map(|typed| line(name, typed))
                .transpose()
        };
        let country = self.country.trim().to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Code::InvalidField.at(path("country"), "expected two letters such as CN"));
        }
        Ok(Self {
            name: line("name", &self.name)?,
            phone: line("phone", &self.phone)?,
            country,
            province: optional("province", &self.province)?,
            city: line("city", &self.city)?,
            district: optional("district", &self.district)?,
            line1: line("line1", &self.line1)?,
            line2: optional("line2", &self.line2)?,
            postcode: optional("postcode", &self.postcode)?,
        })
    }
}

/// What the method takes for goods of this worth and weight.
///
/// # Errors
/// `not_shipped_there`, `amount_out_of_range`.
pub fn fee_minor(
    method: &ShippingMethod,
    country: &str,
    goods_minor: i64,
    weight_grams: i64,
    visitor: Visitor,
    ranks: &Ranks,
) -> Result<i64, Code> {
    if method.archived_at.is_some() || !method.countries.iter().any(|known| known == country) {
        return Err(Code::NotShippedThere);
    }
    let is_free = method.free_from_minor.is_some_and(|from| goods_minor >= from)
        || method.free_for.as_ref().is_some_and(|buyers| buyers.admits(visitor, ranks));
    if is_free {
        return Ok(0);
    }
    let begun_kilograms = (weight_grams.max(1) + 999) / 1_000;
    method
        .fee_per_kg_minor
        .checked_mul(begun_kilograms - 1)
        .and_then(|more| more.checked_add(method.fee_minor))
        .ok_or(Code::AmountOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::audience::Audience;
    use crate::types::id::{ShippingMethodId, TierId};
    use crate::types::locale::Names;

    fn method() -> ShippingMethod {
        ShippingMethod {
            id: ShippingMethodId::new(),
            code: "express".into(),
            names: Names::new("快递", "Express"),
            countries: vec!["CN".into()],
            fee_minor: 1_200,
            fee_per_kg_minor: 500,
            free_from_minor: Some(49_900),
            free_for: Some(Audience::Tier { at_least: "diehard".into() }),
            created_at: "2014-06-17T02:00:00Z".parse().unwrap(),
            archived_at: None,
            version: 1,
        }
    }

    #[test]
    fn weight_counts_by_begun_kilograms_and_worth_or_tier_make_it_free() {
        let ranks = Ranks::new([(TierId::new(), "diehard".to_owned(), 20)]);
        let visitor = |tier_rank| Visitor { is_signed_in: true, tier_rank, ..Visitor::default() };
        let fee = |minor, grams, rank| fee_minor(&method(), "CN", minor, grams, visitor(rank), &ranks);
        assert_eq!(fee(49_899, 0, None), Ok(1_200));
        assert_eq!(fee(49_899, 1_000, None), Ok(1_200));
        assert_eq!(fee(49_899, 1_001, None), Ok(1_700));
        assert_eq!(fee(49_899, 3_200, None), Ok(2_700));
        assert_eq!(fee(49_900, 3_200, None), Ok(0));
        assert_eq!(fee(1, 3_200, Some(20)), Ok(0));
        assert_eq!(fee(1, 3_200, Some(10)), Ok(2_700));
        let there = fee_minor(&method(), "DE", 1, 1, visitor(None), &ranks);
        assert_eq!(there, Err(Code::NotShippedThere));
    }

    #[test]
    fn an_address_is_checked_field_by_field() {
        let address = Address {
            name: " 罗小姐 ".into(),
            phone: "13800000000".into(),
            country: "cn".into(),
            province: Some(String::new()),
            city: "北京".into(),
            district: None,
            line1: "朝阳门外大街 1 号".into(),
            line2: None,
            postcode: Some("100020".into()),
        };
        let checked = address.checked("shipping.address").unwrap();
        assert_eq!(
            (checked.name.as_str(), checked.country.as_str(), checked.province),
            ("罗小姐", "CN", None)
        );
        let field = |address: Address| address.checked("a").unwrap_err().errors[0].field.clone();
        assert_eq!(field(Address { country: "China".into(), ..address.clone() }), "a.country");
        assert_eq!(field(Address { city: " ".into(), ..address.clone() }), "a.city");
        assert_eq!(field(Address { line1: "a\nb".into(), ..address.clone() }), "a.line1");
        let error = Address { phone: String::new(), ..address }.checked("").unwrap_err();
        assert_eq!(error.errors[0].field, "phone");
    }
}
