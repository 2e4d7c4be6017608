//! What can be a plan.

use kindred_stripe::Method;

use super::model::Renews;
use crate::error::{Code, Result};
use crate::fields;
use crate::types::period::Term;

/// Names of methods, each known and named once, in the order in which they are shown.
///
/// # Errors
/// `invalid_field`
pub fn methods(typed: &[String]) -> Result<Vec<Method>> {
    let wrong =
        |index: usize, detail: &str| Code::InvalidField.at(format!("payment_methods[{index}]"), detail);
    let mut methods = Vec::new();
    for (index, name) in typed.iter().enumerate() {
        let method =
            Method::parse(name).ok_or_else(|| wrong(index, "expected `card`, `wechat_pay` or `alipay`"))?;
        if methods.contains(&method) {
            return Err(wrong(index, "it is there already"));
        }
        methods.push(method);
    }
    if methods.is_empty() {
        return Err(Code::InvalidField.at("payment_methods", "name at least one"));
    }
    methods.sort_unstable();
    Ok(methods)
}

/// Only a saved card can be charged again without the buyer, so a plan that renews by card must take cards; other methods
/// beside it buy a term that ends. What has no end has nothing to renew.
///
/// # Errors
/// `invalid_field`
pub fn check_renewal(renews: Renews, methods: &[Method], term: Term) -> Result<()> {
    match renews {
        Renews::Never => Ok(()),
        Renews::Card if !methods.contains(&Method::Card) => {
            Err(Code::InvalidField.at("payment_methods", "a plan that renews by card must take `card`"))
        }
        Renews::Card if term == Term::Lifetime => {
            Err(Code::InvalidField.at("renews", "a plan for life has nothing to renew"))
        }
        Renews::Card => Ok(()),
    }
}

/// A family has at most that many beside its head.
const MOST_SEATS: i32 = 50;

/// Seats for associates.
///
/// # Errors
/// `invalid_field`
pub fn seats(typed: i32) -> Result<i32> {
    fields::within("associate_seats", typed, 0, MOST_SEATS)
}

/// # Errors
/// `invalid_field`
pub fn term(typed: &str) -> Result<Term> {
    typed
        .parse()
        .map_err(|error: crate::types::period::TermError| Code::InvalidField.at("term", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn methods_are_known_and_named_once() {
        let ask = |typed: &[&str]| methods(&names(typed));
        assert_eq!(ask(&["alipay", "card"]).unwrap(), [Method::Card, Method::Alipay]);
        assert_eq!(ask(&[]).unwrap_err().errors[0].field, "payment_methods");
        assert_eq!(ask(&["card", "cash"]).unwrap_err().errors[0].field, "payment_methods[1]");
        assert_eq!(ask(&["card", "card"]).unwrap_err().errors[0].field, "payment_methods[1]");
    }

    #[test]
    fn renewal_by_card_needs_the_card_and_an_end() {
        let year = Term::Months(12);
        assert!(check_renewal(Renews::Never, &[Method::WechatPay], Term::Lifetime).is_ok());
        assert!(check_renewal(Renews::Card, &[Method::Card, Method::Alipay], year).is_ok());
        assert!(check_renewal(Renews::Card, &[Method::WechatPay, Method::Alipay], year).is_err());
        assert!(check_renewal(Renews::Card, &[Method::Card], Term::Lifetime).is_err());
    }
}
