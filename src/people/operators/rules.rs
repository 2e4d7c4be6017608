//! Roles and rights: who may what. docs/OPERATORS.md is the same table for people.

use serde::{Deserialize, Serialize};

/// What an operator, or an API key, is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Manager,
    Support,
    Analyst,
    /// Of API keys alone: takes vouchers at one place of one merchant, and can do nothing else.
    Counter,
}

impl Role {
    /// Those that people have.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Manager, Self::Support, Self::Analyst];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Support => "support",
            Self::Analyst => "analyst",
            Self::Counter => "counter",
        }
    }

    /// Reads a stored role; a CHECK keeps others out.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Counter]).find(|role| role.as_str() == text)
    }
}

impl std::str::FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = Self::from_stored(text).filter(|role| Self::ALL.contains(role));
        role.ok_or("expected owner, manager, support or analyst")
    }
}

/// The roles of a row.
pub fn roles_from_stored(roles: &[String]) -> Vec<Role> {
    roles.iter().filter_map(|role| Role::from_stored(role)).collect()
}

/// What is stored of roles: each once, in order of rank.
pub fn roles_to_stored(roles: &[Role]) -> Vec<&'static str> {
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    roles.into_iter().map(Role::as_str).collect()
}

/// Something that only some roles may do. A handler names the right that it needs in its signature:
/// `staff: Staff<ManageShop>`.
pub trait Right: 'static {
    fn is_given_to(role: Role) -> bool;
}

/// Who else may work here: roles, API keys.
pub struct OwnShop;
/// What is sold, to whom and when: tiers, plans, drives, terms; and the log of who did what.
pub struct ManageShop;
/// Help to members: their accounts, orders, refunds, memberships, mails.
pub struct ServeMembers;
/// Everything that holds no personal data.
pub struct ReadShop;
/// Vouchers at a counter.
pub struct RedeemVouchers;

impl Right for OwnShop {
    fn is_given_to(role: Role) -> bool {
        role == Role::Owner
    }
}

impl Right for ManageShop {
    fn is_given_to(role: Role) -> bool {
        matches!(role, Role::Owner | Role::Manager)
    }
}

impl Right for ServeMembers {
    fn is_given_to(role: Role) -> bool {
        matches!(role, Role::Owner | Role::Manager | Role::Support)
    }
}

impl Right for ReadShop {
    fn is_given_to(role: Role) -> bool {
        role != Role::Counter
    }
}

impl Right for RedeemVouchers {
    fn is_given_to(role: Role) -> bool {
        role == Role::Counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_includes_those_below_it() {
        let table = |role| {
            [
                OwnShop::is_given_to(role),
                ManageShop::is_given_to(role),
                ServeMembers::is_given_to(role),
                ReadShop::is_given_to(role),
            ]
        };
        assert_eq!(table(Role::Owner), [true, true, true, true]);
        assert_eq!(table(Role::Manager), [false, true, true, true]);
        assert_eq!(table(Role::Support), [false, false, true, true]);
        assert_eq!(table(Role::Analyst), [false, false, false, true]);
        assert_eq!(table(Role::Counter), [false; 4]);
        assert!(Role::ALL.iter().all(|role| !RedeemVouchers::is_given_to(*role)));
        assert!("counter".parse::<Role>().is_err() && Role::from_stored("counter") == Some(Role::Counter));
    }

    #[test]
    fn stored_roles_read_back() {
        let stored = roles_to_stored(&[Role::Analyst, Role::Owner, Role::Owner]);
        assert_eq!(stored, ["owner", "analyst"]);
        let stored: Vec<String> = stored.into_iter().map(str::to_owned).collect();
        assert_eq!(roles_from_stored(&stored), [Role::Owner, Role::Analyst]);
    }
}
