//! What can be a chapter's prefix.

use crate::error::{Code, Result};

/// Capital letters alone: a digit in it would make two chapters' numbers meet (`KD1` + `0001`, `KD` + `10001`).
///
/// # Errors
/// `invalid_field`
pub fn prefix(typed: &str) -> Result<String> {
    if (1..=6).contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(typed.to_owned())
    } else {
        Err(Code::InvalidField.at("prefix", "expected 1 to 6 capital letters, such as `ZY`"))
    }
}

/// A number keeps the prefix that it was given with, so a prefix stays once a number has it.
///
/// # Errors
/// `in_use`
pub fn may_change_prefix(next_sequence: i64) -> Result<()> {
    if next_sequence == 1 {
        Ok(())
    } else {
        Err(Code::InUse.because("Members have numbers with this prefix."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_capital_letters() {
        for good in ["K", "KD", "LUOJIS"] {
            assert!(prefix(good).is_ok(), "{good}");
        }
        for bad in ["", "kd", "K1", "LUOJISI", "罗", "K D"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_stays_from_the_first_number_on() {
        assert!(may_change_prefix(1).is_ok());
        assert_eq!(may_change_prefix(2).unwrap_err().code, Code::InUse);
    }
}
