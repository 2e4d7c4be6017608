//! What codes look like: letters that aren't mistaken for one another, and a last one that tells a slip of the keyboard.
//! Pure.

use crate::error::{Code, Result};
use crate::fields;
use crate::membership::invitations::rules::{ALPHABET, normal_code};

/// Random letters of a code that is used once: 5 bits each. Ten are 2^50, so that of ten million none is found by trying
/// as long as tries are counted.
pub const LENGTH_MIN: i32 = 10;
pub const LENGTH_MAX: i32 = 24;
pub const LENGTH: i32 = 12;
/// Letters of a prefix.
const PREFIX_MAX: usize = 12;
/// Characters of a code that people share.
const SHARED_MAX: usize = 32;

/// A new code: the prefix, random letters from bytes (each taken modulo 32), and the check letter over all of them.
pub fn code_from(prefix: &str, random: &[u8]) -> String {
    let mut code = String::with_capacity(prefix.len() + random.len() + 1);
    code.push_str(prefix);
    code.extend(random.iter().map(|byte| letter(usize::from(byte % 32))));
    code.push(check_letter(&code));
    code
}

fn letter(value: usize) -> char {
    ALPHABET.get(value).copied().map_or('0', char::from)
}

/// The check letter over a code's others, by Luhn's algorithm modulo 32: it tells every wrong letter, and two neighbours
/// in each other's place but for one pair of letters.
fn check_letter(code: &str) -> char {
    let values = code.bytes().rev().filter_map(|byte| ALPHABET.iter().position(|letter| *letter == byte));
    let sum: usize = values
        .enumerate()
        .map(|(place, value)| if place % 2 == 0 { value * 2 / 32 + value * 2 % 32 } else { value })
        .sum();
    letter((32 - sum % 32) % 32)
}

/// Could this code, as it is stored, have been made by [`code_from`]?
pub fn is_whole(code: &str) -> bool {
    let Some((last, _)) = code.char_indices().next_back() else { return false };
    let (others, check) = code.split_at(last);
    !others.is_empty() && check.starts_with(check_letter(others))
}

/// A prefix as it is stored.
///
/// # Errors
/// `invalid_field`
pub fn prefix(typed: &str) -> Result<String> {
    let prefix = normal_code(typed);
    let is_fine = prefix.len() <= PREFIX_MAX && prefix.bytes().all(|byte| ALPHABET.contains(&byte));
    if is_fine {
        Ok(prefix)
    } else {
        let wanted = format!("expected at most {PREFIX_MAX} letters and digits, no U");
        Err(Code::InvalidField.at("prefix", wanted))
    }
}

/// A code that people share: (as it is compared, as it was written).
///
/// # Errors
/// `invalid_field`
pub fn shared(typed: &str) -> Result<(String, String)> {
    let label = fields::line("code", typed, SHARED_MAX)?.to_ascii_uppercase();
    let code = normal_code(&label);
    if code.chars().count() < 3 || !code.chars().all(char::is_alphanumeric) {
        return Err(Code::InvalidField.at("code", "expected three letters or digits at least, and hyphens"));
    }
    Ok((code, label))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_has_its_prefix_its_letters_and_its_check() {
        let code = code_from("BOX", &[0; 10]);
        assert_eq!((code.len(), &code[..13]), (14, "BOX0000000000"));
        assert!(is_whole(&code));
        assert!(!is_whole("") && !is_whole("A"));
    }

    #[test]
    fn prefixes_and_shared_codes_are_stored_as_they_are_compared() {
        assert_eq!(prefix(" mi-fan ").unwrap(), "M1FAN");
        assert!(prefix("LUO").is_err() && prefix("ABCDEFGHJKMNP").is_err() && prefix("好").is_err());
        assert_eq!(shared("love-2014").unwrap(), ("10VE2014".to_owned(), "LOVE-2014".to_owned()));
        assert_eq!(shared("同好节").unwrap().0, "同好节");
        assert!(shared("ab").is_err() && shared("a b!c").is_err());
    }

    proptest! {
        #[test]
        fn one_wrong_letter_is_told(random in prop::array::uniform12(any::<u8>()), place in 0_usize..13, other in 0_usize..32) {
            let code = code_from("", &random);
            let mut wrong: Vec<char> = code.chars().collect();
            let was = std::mem::replace(&mut wrong[place], letter(other));
            let wrong: String = wrong.into_iter().collect();
            prop_assert_eq!(is_whole(&wrong), was == letter(other));
        }
    }
}
