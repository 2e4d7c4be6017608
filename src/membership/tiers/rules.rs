//! What can be a tier's benefits.

use super::model::Benefit;
use crate::error::{Code, Result};
use crate::fields;

const MOST_BENEFITS: usize = 50;

/// # Errors
/// `invalid_field`: too many, a kind that isn't a word or comes twice, a name or number out of range.
pub fn benefits(typed: &[Benefit]) -> Result<Vec<Benefit>> {
    if typed.len() > MOST_BENEFITS {
        return Err(Code::InvalidField.at("benefits", format!("at most {MOST_BENEFITS}")));
    }
    let mut checked: Vec<Benefit> = Vec::with_capacity(typed.len());
    for (index, benefit) in typed.iter().enumerate() {
        let at = |field: &str| format!("benefits[{index}].{field}");
        let is_word = (1..=40).contains(&benefit.kind.len())
            && benefit.kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_word {
            let hint = "expected 1 to 40 small letters, digits and underscores";
            return Err(Code::InvalidField.at(at("kind"), hint));
        }
        if checked.iter().any(|other| other.kind == benefit.kind) {
            return Err(Code::InvalidField.at(at("kind"), "it is there already"));
        }
        if let Some(allowed) = benefit.allowed {
            fields::within(&at("allowed"), allowed, 1, 1_000_000)?;
        }
        let names = fields::names(&at("names"), &benefit.names)?;
        checked.push(Benefit { kind: benefit.kind.clone(), names, allowed: benefit.allowed });
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::locale::Names;

    fn benefit(kind: &str, allowed: Option<i64>) -> Benefit {
        Benefit { kind: kind.into(), names: Names::new("抽奖", "Draws"), allowed }
    }

    #[test]
    fn kinds_are_words_and_come_once() {
        assert!(benefits(&[benefit("member_draws", None), benefit("free_meals", Some(1))]).is_ok());
        let twice = benefits(&[benefit("a", None), benefit("a", None)]).unwrap_err();
        assert_eq!(twice.errors[0].field, "benefits[1].kind");
        for bad in ["", "Free", "free meals", &"x".repeat(41)] {
            assert!(benefits(&[benefit(bad, None)]).is_err(), "{bad}");
        }
        assert!(benefits(&[benefit("a", Some(0))]).is_err());
        assert!(benefits(&[benefit("a", Some(1_000_000))]).is_ok());
        assert!(benefits(&[benefit("a", Some(1_000_001))]).is_err());
        let many: Vec<_> = (0..=MOST_BENEFITS).map(|n| benefit(&format!("b{n}"), None)).collect();
        assert!(benefits(&many).is_err() && benefits(&many[1..]).is_ok());
    }
}
