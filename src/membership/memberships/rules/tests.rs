use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::membership::memberships::model::Source;
use crate::types::id::{AccountId, ChapterId, MembershipId, TermId};

const SHANGHAI: Tz = chrono_tz::Asia::Shanghai;
const TICK: TimeDelta = TimeDelta::microseconds(1);

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    utc("2026-03-01T04:00:00Z")
}

fn term(text: &str) -> Term {
    text.parse().unwrap()
}

fn membership(tier: TierId, ends_at: Option<DateTime<Utc>>) -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: tier,
        plan_id: None,
        chapter_id: ChapterId::new(),
        state: Stored::Active,
        starts_at: start(),
        ends_at,
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    }
}

fn term_row(starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>, value_minor: i64) -> TermRow {
    let span = Span { anchor_at: starts_at, starts_at, ends_at };
    let (value_from, value_seconds) = value_span(&span, starts_at);
    TermRow {
        id: TermId::new(),
        membership_id: MembershipId::new(),
        account_id: AccountId::new(),
        source: Source::Order,
        line_id: None,
        tier_id: TierId::new(),
        plan_id: None,
        anchor_at: starts_at,
        starts_at,
        ends_at,
        value_minor,
        value_from,
        value_seconds,
        ended_at: None,
        created_at: starts_at,
        credited_minor: 0,
        replaced_by: None,
    }
}

/// Terms of these lengths in days, one after the other.
fn chain(days: &[i64]) -> Vec<TermRow> {
    let mut from = start();
    let mut terms = Vec::new();
    for days in days {
        let to = from + TimeDelta::days(*days);
        terms.push(term_row(from, Some(to), 20_000));
        from = to;
    }
    terms
}

#[test]
fn the_state_follows_from_dates_on_both_sides_of_each_end() {
    let end = utc("2027-03-01T04:00:00Z");
    let row = membership(TierId::new(), Some(end));
    assert_eq!(life(&row, end - TICK, GRACE), Life::Active);
    assert_eq!(life(&row, end, GRACE), Life::Grace);
    assert_eq!(life(&row, end + GRACE - TICK, GRACE), Life::Grace);
    assert_eq!(life(&row, end + GRACE, GRACE), Life::Expired);
    let for_life = membership(TierId::new(), None);
    assert_eq!(life(&for_life, end + TimeDelta::days(40_000), GRACE), Life::Active);
    let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(start()), ..row.clone() };
    assert_eq!(life(&frozen, end + GRACE, GRACE), Life::Frozen);
    let revoked = MembershipRow { state: Stored::Revoked, closed_at: Some(start()), ..row };
    assert_eq!(life(&revoked, start(), GRACE), Life::Revoked);
    let open: Vec<_> = [Life::Active, Life::Grace, Life::Frozen, Life::Expired, Life::Revoked]
        .into_iter()
        .filter(|life| gives_access(*life))
        .collect();
    assert_eq!(open, [Life::Active, Life::Grace]);
}

#[test]
fn the_same_tier_extends_until_grace_is_over_and_another_needs_a_quote_while_a_term_runs() {
    let (mine, other) = (TierId::new(), TierId::new());
    let end = utc("2027-03-01T04:00:00Z");
    let row = membership(mine, Some(end));
    let ask = |row: &MembershipRow, tier, now| joining(Some(row), tier, now, GRACE);
    assert_eq!(joining(None, mine, start(), GRACE), Ok(Joining::Anew));
    assert_eq!(ask(&row, mine, start()), Ok(Joining::Extends));
    assert_eq!(ask(&row, mine, end + GRACE - TICK), Ok(Joining::Extends));
    assert_eq!(ask(&row, mine, end + GRACE), Ok(Joining::Anew));
    assert_eq!(ask(&row, other, end - TICK), Err(Code::UseUpgradeQuote));
    assert_eq!(ask(&row, other, end), Ok(Joining::Anew));
    assert_eq!(ask(&row, other, end + GRACE), Ok(Joining::Anew));
    assert_eq!(may_buy(Some(&row), other, start(), GRACE), Err(Code::UseUpgradeQuote));
    assert_eq!(may_buy(Some(&row), mine, start(), GRACE), Ok(()));
}

#[test]
fn frozen_and_endless_memberships_are_not_extended() {
    let tier = TierId::new();
    let end = utc("2027-03-01T04:00:00Z");
    let frozen =
        MembershipRow { state: Stored::Frozen, frozen_at: Some(start()), ..membership(tier, Some(end)) };
    assert_eq!(may_buy(Some(&frozen), tier, start(), GRACE), Err(Code::MembershipFrozen));
    assert_eq!(may_buy(Some(&frozen), TierId::new(), start(), GRACE), Err(Code::MembershipFrozen));
    let for_life = membership(tier, None);
    assert_eq!(may_buy(Some(&for_life), tier, start(), GRACE), Err(Code::AlreadyForLife));
    assert_eq!(may_buy(Some(&for_life), TierId::new(), start(), GRACE), Err(Code::UseUpgradeQuote));
    let century = membership(tier, Some(start() + LONGEST_AHEAD));
    assert_eq!(may_buy(Some(&century), tier, start(), GRACE), Ok(()));
    assert_eq!(may_buy(Some(&century), tier, start() - TICK, GRACE), Err(Code::AlreadyForLife));
}

#[test]
fn extensions_count_on_from_the_anchor() {
    let anchor = utc("2026-01-30T17:00:00Z"); // 31 January, 01:00 in Shanghai
    let first = first_span(term("P1M"), anchor, SHANGHAI);
    assert_eq!(first.ends_at, Some(utc("2026-02-27T17:00:00Z"))); // 28 February there
    let second = next_span(anchor, first.ends_at.unwrap(), term("P1M"), SHANGHAI);
    assert_eq!(second.anchor_at, anchor);
    assert_eq!(
        (second.starts_at, second.ends_at),
        (first.ends_at.unwrap(), Some(utc("2026-03-30T17:00:00Z")))
    );
    let year = next_span(anchor, second.ends_at.unwrap(), term("P1Y"), SHANGHAI);
    assert_eq!(year.ends_at, Some(utc("2027-03-30T17:00:00Z")));
    // Days added, or time given back, move the end off the grid: it is the new anchor.
    let days = next_span(anchor, second.ends_at.unwrap(), term("P7D"), SHANGHAI);
    assert_eq!((days.anchor_at, days.ends_at), (second.ends_at.unwrap(), Some(utc("2026-04-06T17:00:00Z"))));
    let after = next_span(anchor, days.ends_at.unwrap(), term("P1M"), SHANGHAI);
    assert_eq!((after.anchor_at, after.ends_at), (days.ends_at.unwrap(), Some(utc("2026-05-06T17:00:00Z"))));
    let for_life = next_span(anchor, second.ends_at.unwrap(), term("lifetime"), SHANGHAI);
    assert_eq!((for_life.starts_at, for_life.ends_at), (second.ends_at.unwrap(), None));
    assert_eq!(first_span(Term::Lifetime, anchor, SHANGHAI).ends_at, None);
}

#[test]
fn value_counts_from_the_start_or_from_the_purchase_during_grace() {
    let end = start() + TimeDelta::days(365);
    let ahead = Span { anchor_at: start(), starts_at: start(), ends_at: Some(end) };
    assert_eq!(value_span(&ahead, start() - TimeDelta::days(30)), (start(), Some(365 * 86_400)));
    let bought = start() + TimeDelta::days(5);
    assert_eq!(value_span(&ahead, bought), (bought, Some(360 * 86_400)));
    assert_eq!(value_span(&Span { ends_at: None, ..ahead }, bought), (bought, None));
}

/// The example of the design: 200 yuan, upgraded with 292 of 365 days left, is worth 160; what replaces it (800 paid and
/// those 160) is worth 480 with 146 days left, as 1,200 paid for a year would be.
#[test]
fn worth_of_a_term_as_in_the_design() {
    let end = start() + TimeDelta::days(365);
    let regular = term_row(start(), Some(end), 20_000);
    let upgraded_at = end - TimeDelta::days(292);
    assert_eq!(value_left(&regular, upgraded_at), Ok(16_000));
    let mut diehard = term_row(start(), Some(end), 80_000 + 16_000);
    (diehard.value_from, diehard.value_seconds) = (upgraded_at, Some(292 * 86_400));
    assert_eq!(value_left(&diehard, end - TimeDelta::days(146)), Ok(48_000));
    let bought_outright = term_row(start(), Some(end), 120_000);
    assert_eq!(value_left(&bought_outright, end - TimeDelta::days(146)), Ok(48_000));
}

#[test]
fn a_term_is_worth_all_before_and_nothing_after() {
    let end = start() + TimeDelta::days(10);
    let row = term_row(start(), Some(end), 1_000);
    assert_eq!(value_left(&row, start() - TimeDelta::days(1)), Ok(1_000));
    assert_eq!(value_left(&row, start()), Ok(1_000));
    assert_eq!(value_left(&row, end), Ok(0));
    assert_eq!(value_left(&row, end + TimeDelta::days(1)), Ok(0));
    let ended = TermRow { ended_at: Some(start()), ..row.clone() };
    assert_eq!(value_left(&ended, start()), Ok(0));
    assert_eq!(value_left(&term_row(start(), None, 1_000), end), Ok(1_000));
    assert_eq!(worth(&[row], end), Ok(Worth { paid_minor: 0, used_minor: 0 }));
}

#[test]
fn worth_adds_up_the_terms_that_are_not_over() {
    let terms = chain(&[10, 10, 10]);
    let at = start() + TimeDelta::days(15);
    assert_eq!(worth(&terms, at), Ok(Worth { paid_minor: 40_000, used_minor: 10_000 }));
}

#[test]
fn taking_out_the_running_term_moves_the_later_ones_up() {
    let terms = chain(&[10, 20, 30]);
    let at = start() + TimeDelta::days(4);
    let removal = removal(&terms, &terms[0], at).unwrap();
    assert_eq!(removal.following, [terms[1].id, terms[2].id]);
    assert_eq!(removal.moved_up, TimeDelta::days(6));
    assert_eq!(removal.ends_at, Some(at + TimeDelta::days(50)));
    assert!(!removal.closes);
    let second = moved(&terms[1], -removal.moved_up);
    assert_eq!((second.starts_at, second.ends_at), (at, Some(at + TimeDelta::days(20))));
    assert_eq!(second.value_from, at);
}

#[test]
fn taking_out_a_term_that_is_to_come_shortens_the_membership_by_it() {
    let terms = chain(&[10, 20, 30]);
    let at = start() + TimeDelta::days(4);
    let middle = removal(&terms, &terms[1], at).unwrap();
    assert_eq!(
        (middle.following.as_slice(), middle.moved_up),
        ([terms[2].id].as_slice(), TimeDelta::days(20))
    );
    assert_eq!(middle.ends_at, Some(start() + TimeDelta::days(40)));
    let last = removal(&terms, &terms[2], at).unwrap();
    assert_eq!((last.ends_at, last.closes), (Some(start() + TimeDelta::days(30)), false));
    assert!(last.following.is_empty());
}

#[test]
fn with_the_last_term_gone_nothing_is_left() {
    let terms = chain(&[10, 20]);
    let running = start() + TimeDelta::days(10);
    let gone = removal(&terms, &terms[1], running).unwrap();
    assert_eq!((gone.ends_at, gone.closes), (Some(running), true));
    // One tick before it starts, the first still runs to its end.
    let before = removal(&terms, &terms[1], running - TICK).unwrap();
    assert_eq!((before.ends_at, before.closes), (Some(running), false));
    // In grace too: its money went back.
    let in_grace = start() + TimeDelta::days(31);
    assert!(removal(&terms, &terms[1], in_grace).unwrap().closes);
    // A term that was over before a later one changes nothing any more.
    assert_eq!(removal(&terms, &terms[0], running), None);
    let for_life = [term_row(start(), None, 1)];
    assert!(removal(&for_life, &for_life[0], running).unwrap().closes);
}

#[test]
fn frozen_time_is_given_back() {
    let terms = chain(&[10, 10, 10]);
    let frozen_at = start() + TimeDelta::days(15);
    let back = TimeDelta::days(100);
    assert_eq!(thawed(&terms[0], frozen_at, back), None);
    let running = thawed(&terms[1], frozen_at, back).unwrap();
    assert_eq!(running.starts_at, terms[1].starts_at);
    assert_eq!(running.ends_at, terms[1].ends_at.map(|end| end + back));
    // What is left of its worth is what was left when it was frozen.
    assert_eq!(value_left(&running, frozen_at + back), value_left(&terms[1], frozen_at));
    let later = thawed(&terms[2], frozen_at, back).unwrap();
    assert_eq!(later, moved(&terms[2], back));
    assert_eq!(thawed(&term_row(start(), None, 1), frozen_at, back), None);
}

#[test]
fn who_was_frozen_in_grace_has_as_much_of_it_left() {
    let [term] = chain(&[10]).try_into().unwrap();
    let (end, back) = (term.ends_at.unwrap(), TimeDelta::days(100));
    let at = |frozen_at| grace_kept(&term, frozen_at, back).and_then(|kept| kept.ends_at);
    assert_eq!(at(end + TimeDelta::days(3)), Some(end + back));
    assert_eq!((at(end), at(end - TimeDelta::seconds(1))), (Some(end + back), None));
    let kept = grace_kept(&term, end + TimeDelta::days(3), back).unwrap();
    assert_eq!(value_left(&kept, end + TimeDelta::days(3) + back), Ok(0));
    assert_eq!(grace_kept(&term_row(start(), None, 1), end, back), None);
}

#[test]
fn while_frozen_time_stands_still() {
    let row = membership(TierId::new(), None);
    let later = start() + TimeDelta::days(9);
    assert_eq!(standing_at(&row, later), later);
    assert_eq!(standing_at(&MembershipRow { frozen_at: Some(start()), ..row }, later), start());
}

#[test]
fn numbers_are_padded_and_grow() {
    assert_eq!(member_number("ZY", 47), "ZY0047");
    assert_eq!(member_number("KD", 9_999), "KD9999");
    assert_eq!(member_number("KD", 10_000), "KD10000");
}

#[test]
fn causes_are_written_apart() {
    let dispute = DisputeId::new();
    assert_eq!(FreezeCause::Operator.to_string(), "operator");
    assert_eq!(FreezeCause::Dispute(dispute).to_string(), format!("dispute:{dispute}"));
}

proptest! {
    /// However the terms are cut, credit never exceeds what was paid, never grows with time, and used + left = paid.
    #[test]
    fn credit_wears_off_and_never_exceeds_the_price(
        days in prop::collection::vec(1i64..800, 1..6),
        value in 0i64..10_000_000,
        first in 0i64..2_000,
        wait in 0i64..2_000,
    ) {
        let mut terms = chain(&days);
        for term in &mut terms {
            term.value_minor = value;
        }
        let paid = value * i64::try_from(terms.len()).unwrap();
        let credit = |at| terms.iter().map(|term| value_left(term, at).unwrap()).sum::<i64>();
        let early = start() + TimeDelta::days(first);
        let late = early + TimeDelta::days(wait);
        prop_assert!(credit(early) <= paid && credit(late) <= credit(early) && credit(late) >= 0);
        let worth = worth(&terms, early).unwrap();
        prop_assert_eq!(worth.paid_minor - worth.used_minor, credit(early));
        prop_assert!(worth.used_minor >= 0);
    }

    /// After any refund the terms still lie end to end, and the membership's end is the last one's.
    #[test]
    fn a_membership_has_no_hole_after_a_refund(
        days in prop::collection::vec(1i64..400, 1..6), pick in 0usize..6, at in 0i64..2_000,
    ) {
        let terms = chain(&days);
        let removed = &terms[pick % terms.len()];
        let at = start() + TimeDelta::days(at);
        let Some(removal) = removal(&terms, removed, at) else { return Ok(()) };
        let rest: Vec<TermRow> = terms.iter().filter(|term| term.id != removed.id).map(|term| {
            if removal.following.contains(&term.id) { moved(term, -removal.moved_up) } else { term.clone() }
        }).collect();
        let live: Vec<&TermRow> = rest.iter().filter(|term| term.ends_at.unwrap() > at).collect();
        prop_assert_eq!(removal.closes, live.is_empty());
        for pair in live.windows(2) {
            prop_assert_eq!(pair[0].ends_at, Some(pair[1].starts_at));
        }
        match live.last() {
            Some(last) => prop_assert_eq!(removal.ends_at, last.ends_at),
            None => prop_assert_eq!(removal.ends_at, Some(at)),
        }
    }

    /// n months bought one by one end where n months bought at once do.
    #[test]
    fn months_one_by_one_end_as_months_at_once(offset in 0i64..1_500, months in 1u32..40) {
        let anchor = start() + TimeDelta::days(offset);
        let mut span = first_span(Term::Months(1), anchor, SHANGHAI);
        for _ in 1..months {
            span = next_span(span.anchor_at, span.ends_at.unwrap(), Term::Months(1), SHANGHAI);
        }
        prop_assert_eq!(span.ends_at, first_span(Term::Months(months), anchor, SHANGHAI).ends_at);
    }
}

#[test]
fn money_that_went_back_is_worth_nothing() {
    let end = start() + TimeDelta::days(365);
    let upgraded = TermRow { credited_minor: 16_000, ..term_row(start(), Some(end), 96_000) };
    let value = |own_minor, credited_minor| {
        let back = PaidBack { term: upgraded.id, own_minor, credited_minor };
        less_paid_back(vec![upgraded.clone()], &[back])[0].value_minor
    };
    assert_eq!(value(0, 0), 96_000);
    assert_eq!(value(30_000, 0), 66_000);
    assert_eq!(value(80_000, 0), 16_000);
    // What was used up of the first term isn't in the credit, and isn't taken from what was paid beside it.
    assert_eq!(value(0, 20_000), 80_000);
    assert_eq!(value(0, 5_000), 91_000);
    assert_eq!(value(80_000, 20_000), 0);
    let another = PaidBack { term: TermId::new(), own_minor: 1, credited_minor: 1 };
    assert_eq!(less_paid_back(vec![upgraded.clone()], &[another]), [upgraded]);
}

#[test]
fn of_what_was_replaced_only_what_still_runs_comes_back_without_a_hole() {
    let (by, tier_id) = (Some(TermId::new()), TierId::new());
    let replaced = |term: TermRow| TermRow { ended_at: Some(start()), replaced_by: by, tier_id, ..term };
    let terms: Vec<_> = chain(&[30, 30, 30]).into_iter().map(replaced).collect();
    let first_end = terms[0].ends_at.unwrap();
    let back = |at| restored(&terms, at).iter().map(|term| term.id).collect::<Vec<_>>();
    assert_eq!(back(first_end - TICK), [terms[0].id, terms[1].id, terms[2].id]);
    assert_eq!(back(first_end), [terms[1].id, terms[2].id]);
    assert_eq!(back(terms[2].ends_at.unwrap()), []);
    assert!(
        restored(&terms, start()).iter().all(|term| term.ended_at.is_none() && term.replaced_by.is_none())
    );
    // The one in the middle was refunded meanwhile: the last one moves up to the first, or to now.
    let without = [terms[0].clone(), terms[2].clone()];
    let ends = |at| restored(&without, at).iter().map(|term| term.ends_at.unwrap()).collect::<Vec<_>>();
    assert_eq!(ends(start()), [first_end, first_end + TimeDelta::days(30)]);
    let later = first_end + TimeDelta::days(10);
    assert_eq!(ends(later), [later + TimeDelta::days(30)]);
    // What was given for the higher tier stands behind it, in the lower one.
    let given: Vec<_> = chain(&[7, 5]).into_iter().collect();
    let hung = behind(&terms[..1], &given);
    let ends: Vec<_> = hung.iter().map(|term| term.ends_at.unwrap() - first_end).collect();
    assert_eq!(ends, [TimeDelta::days(7), TimeDelta::days(12)]);
    assert!(hung.iter().all(|term| term.tier_id == tier_id));
    assert!(behind(&[], &given).is_empty());
}
