//! Which version must be accepted, and when.

use crate::error::{Code, Result};

/// What an order says of the rules: with a plan, and rules in force, it accepts them; whatever it accepts must be in force.
///
/// # Errors
/// `community_rules_required`, `community_rules_changed`
pub fn order_may_stand(current: Option<&str>, accepted: Option<&str>, has_plan: bool) -> Result<()> {
    match (current, accepted) {
        (None, None) => Ok(()),
        (Some(_), None) if !has_plan => Ok(()),
        (Some(current), None) => {
            let detail = format!("Accept the rules of the community: version `{current}`.");
            Err(Code::CommunityRulesRequired.at("consents.community_rules", detail))
        }
        (current, Some(accepted)) => is_current(current, accepted),
    }
}

/// Only the version in force can be accepted.
///
/// # Errors
/// `community_rules_changed`
pub fn is_current(current: Option<&str>, accepted: &str) -> Result<()> {
    if current == Some(accepted) { Ok(()) } else { Err(Code::CommunityRulesChanged.error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_with_a_plan_accepts_the_rules_in_force() {
        let code = |current, accepted, has_plan| {
            order_may_stand(current, accepted, has_plan).err().map(|error| error.code)
        };
        assert_eq!(code(None, None, true), None);
        assert_eq!(code(None, Some("1"), true), Some(Code::CommunityRulesChanged));
        assert_eq!(code(Some("2"), None, true), Some(Code::CommunityRulesRequired));
        assert_eq!(code(Some("2"), None, false), None);
        assert_eq!(code(Some("2"), Some("2"), true), None);
        assert_eq!(code(Some("2"), Some("1"), true), Some(Code::CommunityRulesChanged));
        assert_eq!(code(Some("2"), Some("1"), false), Some(Code::CommunityRulesChanged));
    }
}
