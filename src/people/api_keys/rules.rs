//! What an API key looks like.

use crate::error::{Code, Result};

/// What a key begins with: it tells a key from an access token, and lets scanners find one that leaked.
pub const PREFIX: &str = "kd_";

/// What a key is for, in at most 100 characters.
///
/// # Errors
/// `invalid_field`.
pub fn name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Code::InvalidField.at("name", "expected 1 to 100 characters, no control characters"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_is_for() {
        assert_eq!(name(" storefront ").unwrap(), "storefront");
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
