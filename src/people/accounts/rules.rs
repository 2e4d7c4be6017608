//! What may be said of oneself.

use chrono::NaiveDate;

use crate::error::{Code, Result};

const NAME_MAX_CHARS: usize = 100;
const INVITE_CODE_MAX_CHARS: usize = 64;

/// A name as it is kept: trimmed, none where it is empty. Any writing is fine; what could break a mail's header or turn
/// the text around it (control characters, bidirectional overrides) is not.
///
/// # Errors
/// `invalid_field`.
pub fn name(text: Option<&str>) -> Result<Option<String>> {
    let Some(name) = text.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > NAME_MAX_CHARS {
        return Err(Code::InvalidField.at("name", "expected at most 100 characters"));
    }
    if name.chars().any(|c| c.is_control() || is_bidi_control(c)) {
        return Err(Code::InvalidField.at("name", "control characters are not allowed"));
    }
    Ok(Some(name.to_owned()))
}

/// Unicode UAX #9 §2: embeddings, overrides, isolates.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// A birthday: month and day, as `06-17`. The 29th of February is one.
///
/// # Errors
/// `invalid_field`.
pub fn birthday(text: &str) -> Result<String> {
    let day = text.trim();
    // 2000 was a leap year.
    let is_day = day.len() == 5 && NaiveDate::parse_from_str(&format!("2000-{day}"), "%Y-%m-%d").is_ok();
    if is_day {
        Ok(day.to_owned())
    } else {
        Err(Code::InvalidField.at("birthday", "expected month and day: 06-17"))
    }
}

/// An invite code as it is compared: trimmed, upper case. Whether anybody gave it out is looked at when it is used.
///
/// # Errors
/// `invalid_field` for one that can't be a code.
pub fn invite_code(text: Option<&str>) -> Result<Option<String>> {
    let Some(code) = text.map(str::trim).filter(|code| !code.is_empty()) else { return Ok(None) };
    let is_code = code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_code || code.len() > INVITE_CODE_MAX_CHARS {
        let why = "expected at most 64 letters, digits, `-` and `_`";
        return Err(Code::InvalidField.at("invite_code", why));
    }
    Ok(Some(code.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_writing_but_no_control_characters() {
        assert_eq!(name(Some("  张三 ")).unwrap().as_deref(), Some("张三"));
        assert_eq!(name(Some(" \t ")).unwrap(), None);
        assert_eq!(name(None).unwrap(), None);
        assert!(name(Some(&"好".repeat(100))).is_ok());
        for bad in [&"好".repeat(101), "a\nBcc: x@y.z", "a\0b", "abc\u{202E}def"] {
            assert_eq!(name(Some(bad)).unwrap_err().code, Code::InvalidField, "{bad:?}");
        }
    }

    #[test]
    fn invite_codes_are_compared_in_upper_case() {
        assert_eq!(invite_code(Some(" zy-0047 ")).unwrap().as_deref(), Some("ZY-0047"));
        assert_eq!(invite_code(Some("")).unwrap(), None);
        assert!(invite_code(Some(&"A".repeat(64))).is_ok());
        assert!(invite_code(Some(&"A".repeat(65))).is_err());
        assert!(invite_code(Some("A B")).is_err());
    }
}
