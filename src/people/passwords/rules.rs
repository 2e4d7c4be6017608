//! Which passwords are good enough. As NIST SP 800-63B §3.1.1 advises: a length, a list of common ones, nothing taken
//! from the account itself, and no rules about capitals and digits.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::Password;
use crate::error::{AppError, Code};
use crate::types::email::Email;

/// In characters.
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 128;

/// Passwords of eight characters and more that many people use: of Mark Burnett's ten million leaked ones (in the public
/// domain) those among the 30,000 most common, and some that are common in China. Lower case.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Refuses a password that is easy to guess. `field` is its name in the body.
///
/// # Errors
/// `weak_password`, with why.
pub fn check(
    password: &Password,
    email: Option<&Email>,
    name: Option<&str>,
    field: &str,
) -> Result<(), AppError> {
    let Some(detail) = weakness(password.expose(), email, name) else { return Ok(()) };

    Err(Code::WeakPassword.at(field, detail))
}

fn weakness(password: &str, email: Option<&Email>, name: Option<&str>) -> Option<&'static str> {
    let length = password.chars().count();
    if length < MIN_CHARS {
        return Some("expected at least 8 characters");
    }
    if length > MAX_CHARS {
        return Some("expected at most 128 characters");
    }
    if password.chars().any(char::is_control) {
        return Some("control characters are not allowed");
    }
    let folded = password.to_lowercase();
    if COMMON.contains(folded.as_str()) || is_run(&folded) {
        return Some("it is among the most common passwords");
    }
    // `zhangsan2013!` is no better than `zhangsan`.
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let has_core = core.chars().count() >= 4;
    if own_words(email, name).iter().any(|word| *word == folded || (has_core && word == core)) {
        return Some("it is made of your address or name");
    }
    None
}

/// One character again and again, or the alphabet or digits counted up or down.
fn is_run(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let mut steps = codes.windows(2).map(|pair| match pair {
        [a, b] => b - a,
        _ => 0,
    });
    let Some(first) = steps.next() else { return true };
    (-1..=1).contains(&first) && steps.all(|step| step == first)
}

fn own_words(email: Option<&Email>, name: Option<&str>) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(email) = email {
        let key = email.key();
        if let Some((local, domain)) = key.rsplit_once('@') {
            words.push(local.to_owned());
            words.push(domain.to_owned());
            words.extend(local.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
            words.push(local.trim_matches(|c: char| !c.is_alphabetic()).to_owned());
        }
        words.push(key);
    }
    if let Some(name) = name.map(str::to_lowercase) {
        words.extend(name.split_whitespace().map(str::to_owned));
        words.push(name.split_whitespace().collect());
        words.push(name);
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_weak(password: &str) -> bool {
        let email: Email = "zhang.san88@example.org".parse().unwrap();
        weakness(Password::new(password).expose(), Some(&email), Some("Zhang Sanfeng")).is_some()
    }

    #[test]
    fn lengths_count_characters_on_both_sides_of_the_bounds() {
        assert!(is_weak("v7#kQ2p"));
        assert!(!is_weak("v7#kQ2pz"));
        assert!(!is_weak("得到一本好书真高兴"));
        assert!(!is_weak(&"好书".repeat(64)));
        assert!(is_weak(&format!("{}x", "好书".repeat(64))));
    }

    #[test]
    fn what_many_use_and_what_anyone_knows_is_weak() {
        for weak in [
            "password",
            "PassWord",
            "woaini1314",
            "1234567890",
            "aaaaaaaaaaaa",
            "hgfedcba",
            "zhang.san88@example.org",
            "Zhang.San88",
            "zhangsanfeng2013!",
            "sanfeng!!!",
            "tab\tinside",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        for good in ["kindred-demo", "correct horse battery", "zhang reads books"] {
            assert!(!is_weak(good), "{good}");
        }
    }

    #[test]
    fn the_list_is_lower_case_and_long_enough() {
        assert!(COMMON.len() > 10_000);
        assert!(COMMON.iter().all(|word| word.chars().count() >= MIN_CHARS && *word == word.to_lowercase()));
    }
}
