use super::*;
use crate::membership::memberships::model::{Source, Stored};
use crate::types::id::{AccountId, ChapterId, MembershipId, TierId};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-03-01T04:00:00Z")
}

const TICK: TimeDelta = TimeDelta::microseconds(1);

fn membership(state: Stored, ends_at: Option<DateTime<Utc>>) -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: TierId::new(),
        plan_id: None,
        chapter_id: ChapterId::new(),
        state,
        starts_at: now() - TimeDelta::days(300),
        ends_at,
        frozen_at: (state == Stored::Frozen).then(now),
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    }
}

fn term(plan: Option<PlanId>, starts_at: DateTime<Utc>) -> TermRow {
    TermRow {
        id: TermId::new(),
        membership_id: MembershipId::new(),
        account_id: AccountId::new(),
        source: Source::Grant,
        line_id: None,
        tier_id: TierId::new(),
        plan_id: plan,
        anchor_at: starts_at,
        starts_at,
        ends_at: Some(starts_at + TimeDelta::days(30)),
        value_minor: 0,
        value_from: starts_at,
        value_seconds: None,
        ended_at: None,
        created_at: starts_at,
        credited_minor: 0,
        replaced_by: None,
    }
}

fn seat(term: TermId, state: State) -> AssociateRow {
    AssociateRow {
        id: AssociateId::new(),
        membership_id: MembershipId::new(),
        head_id: AccountId::new(),
        term_id: term,
        account_id: (state == State::Active).then(AccountId::new),
        state,
        email: (state == State::Invited).then(|| "b@b.org".to_owned()),
        email_key: (state == State::Invited).then(|| "b@b.org".to_owned()),
        token_hash: Vec::new(),
        expires_at: now() + INVITATION_LIFE,
        created_at: now(),
        accepted_at: None,
        ended_at: None,
        cause: None,
    }
}

#[test]
fn seats_are_given_while_the_heads_membership_gives_access() {
    let ask = |state, ends_at| may_seat(Some(&membership(state, ends_at)), now());
    assert_eq!(ask(Stored::Active, None), Ok(()));
    assert_eq!(ask(Stored::Active, Some(now() - GRACE + TICK)), Ok(()));
    assert_eq!(ask(Stored::Active, Some(now() - GRACE)), Err(Code::MembershipNotOpen));
    assert_eq!(ask(Stored::Frozen, None), Err(Code::MembershipFrozen));
    assert_eq!(ask(Stored::Revoked, None), Err(Code::MembershipNotOpen));
    assert_eq!(may_seat(None, now()), Err(Code::MembershipNotOpen));
}

#[test]
fn who_runs_on_his_own_gives_nothing_up() {
    let ask = |state, ends_at| may_give_up(Some(&membership(state, ends_at)), now());
    assert_eq!(ask(Stored::Active, Some(now() + TICK)), Err(Code::HasMembership));
    assert_eq!(ask(Stored::Active, Some(now())), Ok(()));
    assert_eq!(ask(Stored::Active, None), Err(Code::HasMembership));
    assert_eq!(ask(Stored::Frozen, Some(now())), Err(Code::HasMembership));
    assert_eq!(may_give_up(None, now()), Ok(()));
}

#[test]
fn an_invitation_is_for_its_address_until_it_ends() {
    let row = seat(TermId::new(), State::Invited);
    let end = row.expires_at;
    assert_eq!(may_take(&row, Some("b@b.org"), end - TICK), Ok(()));
    assert_eq!(may_take(&row, Some("b@b.org"), end), Err(Code::InvitationExpired));
    assert_eq!(may_take(&row, Some("c@b.org"), now()), Err(Code::InvitationNotYours));
    assert_eq!(may_take(&row, None, now()), Err(Code::InvitationNotYours));
    let taken = seat(TermId::new(), State::Active);
    assert_eq!(may_take(&taken, None, now()), Err(Code::InvitationExpired));
}

#[test]
fn the_plan_of_the_term_that_runs_gives_the_seats() {
    let (single, family) = (PlanId::new(), PlanId::new());
    let seats = HashMap::from([(single, 0), (family, 3)]);
    let first = term(Some(single), now());
    let days = term(None, now() + TimeDelta::days(30));
    let second = term(Some(family), now() + TimeDelta::days(60));
    let terms = [first.clone(), days, second.clone()];
    let of = |at| giving(&terms, &seats, at);
    assert_eq!(of(now() - TICK), None);
    assert_eq!(of(now()), Some(Giving { term: first.id, seats: 0 }));
    // Days that were given have no plan: the one before counts on.
    assert_eq!(of(now() + TimeDelta::days(31)).unwrap().term, first.id);
    assert_eq!(of(second.starts_at - TICK).unwrap().seats, 0);
    assert_eq!(of(second.starts_at), Some(Giving { term: second.id, seats: 3 }));
    // In grace it is the last one's.
    assert_eq!(of(second.starts_at + TimeDelta::days(33)).unwrap().seats, 3);
    assert_eq!((left(of(second.starts_at), 2), left(of(second.starts_at), 3), left(None, 0)), (1, 0, 0));
    assert_eq!(left(of(second.starts_at), 5), 0);
}

#[test]
fn what_a_term_has_given_stays_to_its_end_and_through_an_upgrade() {
    let old = term(None, now());
    let next = term(None, now() + TimeDelta::days(30));
    let upgraded = TermRow { replaced_by: Some(next.id), ..old.clone() };
    let open = [
        seat(old.id, State::Active),
        seat(old.id, State::Active),
        seat(old.id, State::Invited),
        seat(old.id, State::Active),
    ];
    let giving = |term, seats| Some(Giving { term, seats });
    // The term that gave them still runs, however few the plan gives by now.
    assert!(surplus(&open, giving(old.id, 0), &[old.clone(), next.clone()]).is_empty());
    // An upgrade has replaced it.
    assert!(surplus(&open, giving(next.id, 1), &[upgraded, next.clone()]).is_empty());
    // Another term has begun: the invitation goes first, then who came last.
    let gone = surplus(&open, giving(next.id, 2), &[old.clone(), next.clone()]);
    assert_eq!(gone, [open[2].id, open[3].id]);
    assert!(surplus(&open, giving(next.id, 4), &[old.clone(), next.clone()]).is_empty());
    assert_eq!(surplus(&open, None, &[old]).len(), 4);
}

#[test]
fn capacity_is_what_the_plan_gives_or_what_is_in_use() {
    let none = Seats { membership_id: MembershipId::new(), capacity: 0, held: 0, taken: 0 };
    let giving = |seats| Some(Giving { term: TermId::new(), seats });
    let one = moved(none, 1, 0, giving(3));
    assert_eq!((one.capacity, one.held, one.taken), (3, 1, 0));
    let taken = moved(one, -1, 1, giving(0));
    assert_eq!((taken.capacity, taken.held, taken.taken), (1, 0, 1));
    assert_eq!(moved(taken, 0, -1, None).capacity, 0);
}
