//! Who may try a plan, and when a trial is over. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Code;
use crate::membership::memberships::model::{MembershipRow, Stored, TermRow};
use crate::membership::plans::model::Plan;

/// A plan offers so many days at most.
pub const DAYS_MAX: i32 = 365;

/// What is known of who asks, all ways to write his address taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    pub is_verified: bool,
    /// He has had a trial, under whichever account.
    pub has_tried: bool,
    /// He has, or had, a membership, under whichever account.
    pub was_member: bool,
    /// An order that would make him a member waits for its payment.
    pub is_ordering: bool,
}

/// The days that this person gets of the plan.
///
/// # Errors
/// `email_not_verified`, `unknown_plan`, `no_trial`, `trial_used`, `not_new`, `membership_order_pending`.
pub fn days(plan: Option<&Plan>, asker: Asker) -> Result<u32, Code> {
    if !asker.is_verified {
        return Err(Code::EmailNotVerified);
    }
    let plan = plan.filter(|plan| plan.archived_at.is_none()).ok_or(Code::UnknownPlan)?;
    let days = u32::try_from(plan.trial_days).ok().filter(|days| *days > 0).ok_or(Code::NoTrial)?;
    match asker {
        Asker { has_tried: true, .. } => Err(Code::TrialUsed),
        Asker { was_member: true, .. } => Err(Code::NotNew),
        Asker { is_ordering: true, .. } => Err(Code::MembershipOrderPending),
        _ => Ok(days),
    }
}

/// When the mail about its end goes out: so long before it, and not in the first half of a short one.
pub fn notice_at(term: &TermRow, notice: TimeDelta) -> Option<DateTime<Utc>> {
    let end = term.ends_at?;
    Some(end - notice.min((end - term.starts_at) / 2))
}

/// What a job finds of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Its time isn't over: look again then.
    Runs(DateTime<Utc>),
    /// The membership rests: nobody knows when it is over. Whoever lets it resume queues its jobs anew.
    Rests,
    /// It is over, and something goes on behind it or in its place.
    Left,
    /// It is over, and was all that there was.
    Over,
}

/// How a trial stands. Also one that an upgrade has replaced, or behind which something was bought, is watched until its time
/// is over: where that money goes back it is all that there is again.
pub fn course(membership: &MembershipRow, term: &TermRow, now: DateTime<Utc>) -> Course {
    if !membership.is_open() {
        return Course::Left;
    }
    match term.ends_at {
        Some(_) if membership.state == Stored::Frozen => Course::Rests,
        Some(end) if now < end => Course::Runs(end),
        Some(_) if is_all(membership, term) => Course::Over,
        Some(_) | None => Course::Left,
    }
}

/// Does the membership end with it: was nothing bought or given behind it?
pub fn is_all(membership: &MembershipRow, term: &TermRow) -> bool {
    membership.is_open() && term.ended_at.is_none() && membership.ends_at == term.ends_at
}

#[cfg(test)]
mod tests {
    use kindred_stripe::Method;

    use super::*;
    use crate::membership::memberships::model::Source;
    use crate::membership::plans::model::Renews;
    use crate::types::id::{AccountId, ChapterId, MembershipId, PlanId, TermId, TierId};
    use crate::types::period::Term;

    const NEW: Asker = Asker { is_verified: true, has_tried: false, was_member: false, is_ordering: false };

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn plan(trial_days: i32) -> Plan {
        Plan {
            id: PlanId::new(),
            code: "regular-year".to_owned(),
            tier: TierId::new(),
            tier_code: "regular".to_owned(),
            tier_zh: "普通会员".to_owned(),
            tier_en: "Regular".to_owned(),
            tier_rank: 10,
            term: Term::Months(12),
            price_minor: 20_000,
            currency: "CNY".to_owned(),
            renews: Renews::Never,
            payment_methods: vec![Method::Card],
            hold_minutes: 15,
            open_sale: true,
            open_upgrade: false,
            trial_days,
            associate_seats: 0,
            created_at: at(0),
            archived_at: None,
            version: 1,
        }
    }

    #[test]
    fn new_people_try_plans_that_offer_it() {
        assert_eq!(days(Some(&plan(7)), NEW), Ok(7));
        assert_eq!(days(Some(&plan(0)), NEW), Err(Code::NoTrial));
        assert_eq!(days(None, NEW), Err(Code::UnknownPlan));
        let gone = Plan { archived_at: Some(at(0)), ..plan(7) };
        assert_eq!(days(Some(&gone), NEW), Err(Code::UnknownPlan));
        let refused = |asker| days(Some(&plan(7)), asker).unwrap_err();
        assert_eq!(refused(Asker { is_verified: false, ..NEW }), Code::EmailNotVerified);
        assert_eq!(refused(Asker { was_member: true, ..NEW }), Code::NotNew);
        assert_eq!(refused(Asker { was_member: true, has_tried: true, ..NEW }), Code::TrialUsed);
        assert_eq!(refused(Asker { is_ordering: true, ..NEW }), Code::MembershipOrderPending);
    }

    fn trial() -> (MembershipRow, TermRow) {
        let membership = MembershipRow {
            id: MembershipId::new(),
            account_id: AccountId::new(),
            tier_id: TierId::new(),
            plan_id: None,
            chapter_id: ChapterId::new(),
            state: Stored::Active,
            starts_at: at(0),
            ends_at: Some(at(10)),
            frozen_at: None,
            frozen_causes: Vec::new(),
            closed_at: None,
            version: 1,
            rested_seconds: 0,
        };
        let term = TermRow {
            id: TermId::new(),
            membership_id: membership.id,
            account_id: membership.account_id,
            source: Source::Trial,
            line_id: None,
            tier_id: membership.tier_id,
            plan_id: None,
            anchor_at: at(0),
            starts_at: at(0),
            ends_at: Some(at(10)),
            value_minor: 0,
            value_from: at(0),
            value_seconds: Some(864_000),
            ended_at: None,
            created_at: at(0),
            credited_minor: 0,
            replaced_by: None,
        };
        (membership, term)
    }

    #[test]
    fn it_ends_by_itself_unless_something_goes_on() {
        let (membership, term) = trial();
        assert_eq!(course(&membership, &term, at(9)), Course::Runs(at(10)));
        assert_eq!(course(&membership, &term, at(10)), Course::Over);
        let bought = MembershipRow { ends_at: Some(at(375)), ..membership.clone() };
        assert_eq!(course(&bought, &term, at(9)), Course::Runs(at(10)), "its money may go back");
        assert_eq!(course(&bought, &term, at(10)), Course::Left);
        assert!(is_all(&membership, &term) && !is_all(&bought, &term));
        let for_life = MembershipRow { ends_at: None, ..membership.clone() };
        assert_eq!(course(&for_life, &term, at(10)), Course::Left);
        let rests = MembershipRow { state: Stored::Frozen, frozen_at: Some(at(5)), ..membership.clone() };
        assert_eq!(course(&rests, &term, at(20)), Course::Rests);
        let revoked = MembershipRow { state: Stored::Revoked, ..membership.clone() };
        assert_eq!(course(&revoked, &term, at(9)), Course::Left);
        let upgraded = TermRow { ended_at: Some(at(4)), ..term };
        assert_eq!(course(&membership, &upgraded, at(9)), Course::Runs(at(10)));
        assert_eq!(course(&membership, &upgraded, at(10)), Course::Left);
    }

    #[test]
    fn it_is_told_of_before_its_end_and_not_in_its_first_half() {
        let (_, term) = trial();
        assert_eq!(notice_at(&term, TimeDelta::days(2)), Some(at(8)));
        assert_eq!(notice_at(&term, TimeDelta::days(5)), Some(at(5)));
        assert_eq!(notice_at(&term, TimeDelta::days(9)), Some(at(5)));
        assert_eq!(notice_at(&TermRow { ends_at: None, ..term }, TimeDelta::days(2)), None);
    }
}
