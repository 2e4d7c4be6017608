//! Who may organise a chapter.

use chrono::{DateTime, Utc};

use crate::error::{Code, Result};
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{GRACE, gives_access, life};
use crate::types::id::ChapterId;

/// Is he a member of this chapter now? Asked of who applies, of who is approved, and whenever an organiser looks at members.
///
/// # Errors
/// `members_only`, `other_chapter`
pub fn belongs(open: Option<&MembershipRow>, chapter: ChapterId, now: DateTime<Utc>) -> Result<(), Code> {
    let row = open.filter(|row| gives_access(life(row, now, GRACE))).ok_or(Code::MembersOnly)?;
    if row.chapter_id == chapter { Ok(()) } else { Err(Code::OtherChapter) }
}

/// A member's name as organisers see it: the first letter.
pub fn masked(name: Option<&str>) -> Option<String> {
    let first = name?.trim().chars().next()?;
    Some(format!("{first}**"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::membership::memberships::model::Stored;
    use crate::types::id::{AccountId, MembershipId, TierId};

    #[test]
    fn an_organiser_is_a_member_of_his_chapter_until_grace_is_over() {
        let now: DateTime<Utc> = "2026-03-01T04:00:00Z".parse().unwrap();
        let home = ChapterId::new();
        let row = MembershipRow {
            id: MembershipId::new(),
            account_id: AccountId::new(),
            tier_id: TierId::new(),
            plan_id: None,
            chapter_id: home,
            state: Stored::Active,
            starts_at: now - TimeDelta::days(365),
            ends_at: Some(now - GRACE + TimeDelta::microseconds(1)),
            frozen_at: None,
            frozen_causes: Vec::new(),
            closed_at: None,
            version: 1,
            rested_seconds: 0,
        };
        assert_eq!(belongs(None, home, now), Err(Code::MembersOnly));
        assert_eq!(belongs(Some(&row), home, now), Ok(()));
        assert_eq!(belongs(Some(&row), ChapterId::new(), now), Err(Code::OtherChapter));
        let over = MembershipRow { ends_at: Some(now - GRACE), ..row.clone() };
        assert_eq!(belongs(Some(&over), home, now), Err(Code::MembersOnly));
        let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(now), ..row };
        assert_eq!(belongs(Some(&frozen), home, now), Err(Code::MembersOnly));
    }

    #[test]
    fn a_name_shows_its_first_letter() {
        assert_eq!(masked(Some(" 罗小姐")), Some("罗**".to_owned()));
        assert_eq!((masked(Some(" ")), masked(None)), (None, None));
    }
}
