//! Texts that people type: trimmed, of a bounded length, without control characters (PostgreSQL takes no NUL, and a mail's
//! subject no line break).

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("expected 1 to {0} characters")]
    Length(usize),
    #[error("control characters are not allowed")]
    Control,
    #[error("expected 1 to 63 small letters, digits and single hyphens, such as `luoji-2013`")]
    Slug,
}

/// One line of 1 to `max` characters.
///
/// # Errors
/// [`TextError`]
pub fn line(text: &str, max: usize) -> Result<String, TextError> {
    checked(text, max, |c| c.is_control())
}

/// 1 to `max` characters, line breaks and tabs allowed.
///
/// # Errors
/// [`TextError`]
pub fn block(text: &str, max: usize) -> Result<String, TextError> {
    checked(text, max, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn checked(text: &str, max: usize, refused: impl Fn(char) -> bool) -> Result<String, TextError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(TextError::Length(max));
    }
    if text.chars().any(refused) { Err(TextError::Control) } else { Ok(text.to_owned()) }
}

/// A code for people and URLs. It has no underscore, so it never passes for an id.
///
/// # Errors
/// [`TextError::Slug`]
pub fn slug(text: &str) -> Result<String, TextError> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.split('-').all(|part| !part.is_empty());
    if fits { Ok(text.to_owned()) } else { Err(TextError::Slug) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_hold_no_control_characters() {
        assert_eq!(line("  铁杆会员 ", 4).as_deref(), Ok("铁杆会员"));
        assert_eq!(line("铁杆会员!", 4), Err(TextError::Length(4)));
        assert_eq!(line("   ", 4), Err(TextError::Length(4)));
        assert_eq!(line("a\nb", 4), Err(TextError::Control));
        assert_eq!(block("a\nb", 4).as_deref(), Ok("a\nb"));
        assert_eq!(block("a\0b", 4), Err(TextError::Control));
    }

    #[test]
    fn a_slug_is_small_letters_digits_and_single_hyphens() {
        for good in ["luoji-2013", "a", "7", &"x".repeat(63)] {
            assert!(slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "a b", "罗", &"x".repeat(64)] {
            assert_eq!(slug(bad), Err(TextError::Slug), "{bad}");
        }
    }
}
