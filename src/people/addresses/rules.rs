//! What an address book takes, and which of its addresses is the default.

use super::dto::AddressPatch;
use crate::error::{Code, Result};
use crate::fields;
use crate::shop::shipping::rules::Address;
use crate::types::patch::Patch;

/// Addresses of one account.
pub const ADDRESSES_MAX: i64 = 50;

/// # Errors
/// `too_many_addresses` when the book is full.
pub fn may_add(count: i64) -> Result<()> {
    if count < ADDRESSES_MAX {
        Ok(())
    } else {
        Err(Code::TooManyAddresses.because(format!("An account keeps at most {ADDRESSES_MAX} addresses.")))
    }
}

/// The address as it is after the change, checked as a new one is.
///
/// # Errors
/// `invalid_field`.
pub fn changed(before: Address, patch: &AddressPatch) -> Result<Address> {
    let kept = |field: &str, patch: &Patch<String>, before: String| {
        fields::kept(field, patch.clone()).map(|typed| typed.unwrap_or(before))
    };
    let optional =
        |patch: &Patch<String>, before: Option<String>| patch.clone().into_change().unwrap_or(before);
    let after = Address {
        name: kept("name", &patch.name, before.name)?,
        phone: kept("phone", &patch.phone, before.phone)?,
        country: kept("country", &patch.country, before.country)?,
        province: optional(&patch.province, before.province),
        city: kept("city", &patch.city, before.city)?,
        district: optional(&patch.district, before.district),
        line1: kept("line1", &patch.line1, before.line1)?,
        line2: optional(&patch.line2, before.line2),
        postcode: optional(&patch.postcode, before.postcode),
    };
    after.checked("")
}

/// Is it the default after the change? It can become that, and stops being it only when another one becomes it.
///
/// # Errors
/// `invalid_field` for null, and for the default that isn't to be it.
pub fn is_default(before: bool, patch: &AddressPatch) -> Result<bool> {
    match fields::kept("is_default", patch.is_default.clone())? {
        Some(false) if before => {
            Err(Code::InvalidField.at("is_default", "make another address the default instead"))
        }
        wanted => Ok(wanted.unwrap_or(before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            name: "罗小姐".into(),
            phone: "13800000000".into(),
            country: "CN".into(),
            province: None,
            city: "北京".into(),
            district: Some("朝阳".into()),
            line1: "朝阳门外大街 1 号".into(),
            line2: None,
            postcode: Some("100020".into()),
        }
    }

    #[test]
    fn a_full_book_takes_no_more() {
        assert!(may_add(0).is_ok() && may_add(49).is_ok());
        assert_eq!(may_add(50).unwrap_err().code, Code::TooManyAddresses);
    }

    #[test]
    fn absent_stays_null_empties_and_what_is_needed_stays() {
        assert_eq!(changed(address(), &AddressPatch::default()).unwrap(), address());
        let patch = AddressPatch {
            city: Patch::Value(" 上海 ".into()),
            district: Patch::Null,
            line2: Patch::Value("2 楼".into()),
            postcode: Patch::Value(" ".into()),
            ..AddressPatch::default()
        };
        let after = Address {
            city: "上海".into(),
            district: None,
            line2: Some("2 楼".into()),
            postcode: None,
            ..address()
        };
        assert_eq!(changed(address(), &patch).unwrap(), after);
        let field = |patch: AddressPatch| changed(address(), &patch).unwrap_err().errors[0].field.clone();
        assert_eq!(field(AddressPatch { phone: Patch::Null, ..AddressPatch::default() }), "phone");
        assert_eq!(
            field(AddressPatch { line1: Patch::Value("".into()), ..AddressPatch::default() }),
            "line1"
        );
    }

    #[test]
    fn the_default_ends_with_another_one_alone() {
        let ask = |before, wanted| {
            let patch = AddressPatch { is_default: wanted, ..AddressPatch::default() };
            is_default(before, &patch).map_err(|error| error.errors[0].field.clone())
        };
        assert_eq!((ask(true, Patch::Absent), ask(false, Patch::Absent)), (Ok(true), Ok(false)));
        assert_eq!((ask(true, Patch::Value(true)), ask(false, Patch::Value(true))), (Ok(true), Ok(true)));
        assert_eq!(ask(false, Patch::Value(false)), Ok(false));
        assert_eq!(ask(true, Patch::Value(false)), Err("is_default".to_owned()));
        assert_eq!(ask(false, Patch::Null), Err("is_default".to_owned()));
    }
}
