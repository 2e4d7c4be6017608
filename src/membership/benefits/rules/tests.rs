use chrono_tz::Asia::Shanghai;
use proptest::prelude::*;

use super::*;
use crate::membership::memberships::model::{Source, Stored};
use crate::types::id::{AccountId, BenefitId, ChapterId, LevelId, MembershipId, TermId, TierId};
use crate::types::locale::Names;

fn of(row: &MembershipRow, every: Option<Term>, now: DateTime<Utc>) -> Window {
    window(row, row.starts_at, every, (now, Shanghai))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn membership(starts_at: &str, ends_at: Option<&str>) -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: TierId::new(),
        plan_id: None,
        chapter_id: ChapterId::new(),
        state: Stored::Active,
        starts_at: at(starts_at),
        ends_at: ends_at.map(at),
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    }
}

const MONTH: Option<Term> = Some(Term::Months(1));
const YEAR: Option<Term> = Some(Term::Months(12));

#[test]
fn periods_are_counted_from_the_start_in_the_shops_zone() {
    // 31 January in Shanghai: the months end on 28 February, 31 March, 30 April.
    let row = membership("2026-01-30T17:00:00Z", Some("2027-01-30T17:00:00Z"));
    let nth = |now: &str| of(&row, MONTH, at(now)).nth;
    assert_eq!(nth("2026-01-30T17:00:00Z"), 0);
    assert_eq!((nth("2026-02-27T16:59:59Z"), nth("2026-02-27T17:00:00Z")), (0, 1));
    assert_eq!((nth("2026-03-30T16:59:59Z"), nth("2026-03-30T17:00:00Z")), (1, 2));
    assert_eq!((nth("2026-04-29T16:59:59Z"), nth("2026-04-29T17:00:00Z")), (2, 3));
    let until = of(&row, MONTH, at("2026-02-01T00:00:00Z")).until;
    assert_eq!(until, Some(at("2026-02-27T17:00:00Z")));
}

#[test]
fn who_joined_on_the_29th_of_february_has_years_too() {
    let row = membership("2028-02-29T04:00:00Z", None);
    let nth = |now: &str| of(&row, YEAR, at(now)).nth;
    assert_eq!((nth("2029-02-28T03:59:59Z"), nth("2029-02-28T04:00:00Z")), (0, 1));
    assert_eq!((nth("2032-02-29T03:59:59Z"), nth("2032-02-29T04:00:00Z")), (3, 4));
}

#[test]
fn the_days_of_grace_belong_to_the_last_period() {
    let row = membership("2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
    let grace = of(&row, YEAR, at("2027-01-03T00:00:00Z"));
    assert_eq!(grace, Window { nth: 0, until: Some(at("2027-01-08T00:00:00Z")) });
    let renewed = MembershipRow { ends_at: Some(at("2028-01-01T00:00:00Z")), ..row };
    let next = of(&renewed, YEAR, at("2027-01-03T00:00:00Z"));
    assert_eq!(next, Window { nth: 1, until: Some(at("2028-01-01T00:00:00Z")) });
}

#[test]
fn a_period_stands_still_while_the_membership_rests() {
    // Frozen for thirty days: its year ends thirty days later, and there is no second period in them.
    let thirty = 30 * 86_400;
    let row = membership("2026-01-01T00:00:00Z", Some("2027-01-31T00:00:00Z"));
    let rested = MembershipRow { rested_seconds: thirty, ..row.clone() };
    let now = at("2027-01-15T00:00:00Z");
    assert_eq!(of(&rested, YEAR, now), Window { nth: 0, until: rested.ends_at });
    assert_eq!(of(&row, YEAR, now).nth, 1, "it would have begun otherwise");
    // A part of a second that was given back opens nothing either: rests are rounded up.
    let end = at("2027-01-31T00:00:00Z") + TimeDelta::milliseconds(400);
    let uneven = MembershipRow { ends_at: Some(end), rested_seconds: thirty + 1, ..row.clone() };
    assert_eq!(of(&uneven, YEAR, end + TimeDelta::days(1)).nth, 0);
    let frozen = MembershipRow { frozen_at: Some(at("2026-01-20T00:00:00Z")), ..row };
    assert_eq!(of(&frozen, MONTH, at("2026-02-10T00:00:00Z")).nth, 0);
}

#[test]
fn who_took_a_seat_later_has_the_periods_of_its_membership() {
    let head = membership("2026-01-10T00:00:00Z", Some("2027-01-10T00:00:00Z"));
    let seat = MembershipRow { starts_at: at("2026-03-25T00:00:00Z"), ..head.clone() };
    let now = at("2026-04-01T00:00:00Z");
    assert_eq!(window(&seat, head.starts_at, MONTH, (now, Shanghai)), of(&head, MONTH, now));
}

#[test]
fn what_is_allowed_once_has_no_periods() {
    let row = membership("2026-01-01T00:00:00Z", None);
    let never = of(&row, None, at("2031-01-01T00:00:00Z"));
    assert_eq!(never, Window { nth: 0, until: None });
}

fn benefit(tier: TierId) -> Benefit {
    Benefit {
        id: BenefitId::new(),
        given_by: GivenBy::Tier(tier),
        kind: "monthly_coupon".into(),
        gives: Gives::Service,
        names: Names::new("每月一券", "A coupon a month"),
        every: MONTH,
        allowed: Some(1),
        campaign_id: None,
        variant_id: None,
        value_minor: None,
        in_trial: false,
        created_at: at("2026-01-01T00:00:00Z"),
        archived_at: None,
        version: 1,
    }
}

#[test]
fn benefits_are_for_members_of_their_tier() {
    let row = membership("2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
    let now = at("2026-06-01T00:00:00Z");
    let own = benefit(row.tier_id);
    fn ground(row: Option<&MembershipRow>, is_trial: bool) -> Ground<'_> {
        Ground { membership: row.map(|row| (row, row.starts_at)), is_trial, level: None }
    }
    let ask = |benefit: &Benefit, row: Option<&MembershipRow>, is_trial| {
        may_use(benefit, &ground(row, is_trial), now)
    };
    assert_eq!(ask(&own, Some(&row), false), Ok(()));
    assert_eq!(ask(&own, None, false), Err(Code::MembersOnly));
    assert_eq!(ask(&benefit(TierId::new()), Some(&row), false), Err(Code::UnknownBenefit));
    let archived = Benefit { archived_at: Some(now), ..own.clone() };
    assert_eq!(ask(&archived, Some(&row), false), Err(Code::UnknownBenefit));
    assert_eq!(ask(&own, Some(&row), true), Err(Code::BenefitNotInTrial));
    assert_eq!(ask(&Benefit { in_trial: true, ..own.clone() }, Some(&row), true), Ok(()));
    let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(now), ..row.clone() };
    assert_eq!(ask(&own, Some(&frozen), false), Err(Code::MembershipFrozen));
    let member = ground(Some(&row), false);
    let grace = may_use(&own, &member, at("2027-01-07T23:59:59Z"));
    let over = may_use(&own, &member, at("2027-01-08T00:00:00Z"));
    assert_eq!((grace, over), (Ok(()), Err(Code::MembersOnly)));
}

#[test]
fn a_levels_benefits_need_the_level_and_no_membership() {
    let (gold, now) = (LevelId::new(), at("2026-06-01T00:00:00Z"));
    let of_gold = Benefit { given_by: GivenBy::Level(gold), ..benefit(TierId::new()) };
    let on = |level| Ground { level, ..Ground::default() };
    assert_eq!(may_use(&of_gold, &on(Some(gold)), now), Ok(()));
    assert_eq!(may_use(&of_gold, &on(Some(LevelId::new())), now), Err(Code::LevelRequired));
    assert_eq!(may_use(&of_gold, &on(None), now), Err(Code::LevelRequired));
    let archived = Benefit { archived_at: Some(now), ..of_gold };
    assert_eq!(may_use(&archived, &on(Some(gold)), now), Err(Code::UnknownBenefit));
}

#[test]
fn a_levels_periods_are_the_calendars() {
    let last = at("2026-03-31T15:59:59Z");
    let march = calendar_window(MONTH, (last, Shanghai));
    let april = calendar_window(MONTH, (at("2026-03-31T16:00:00Z"), Shanghai));
    assert_eq!(march, Window { nth: 26 * 12 + 2, until: Some(at("2026-03-31T16:00:00Z")) });
    assert_eq!(april, Window { nth: 26 * 12 + 3, until: Some(at("2026-04-30T16:00:00Z")) });
    assert_eq!(calendar_window(None, (last, Shanghai)), Window { nth: 0, until: None });
}

#[test]
fn of_tier_and_level_the_better_counts() {
    let row = membership("2026-01-01T00:00:00Z", None);
    let (gold, now) = (LevelId::new(), at("2026-06-01T00:00:00Z"));
    let member = Some((&row, row.starts_at));
    let ground = Ground { membership: member, is_trial: false, level: Some(gold) };
    let tiers = benefit(row.tier_id);
    let levels = |allowed, every, value_minor| Benefit {
        id: BenefitId::new(),
        given_by: GivenBy::Level(gold),
        allowed,
        every,
        value_minor,
        ..tiers.clone()
    };
    let year = Some(Term::Months(12));
    let outranked =
        |of: &Benefit, by: &Benefit| outranked_by(of, &ground, &[tiers.clone(), by.clone()], now).is_some();
    // (the level's, does it outrank the tier's: one a month without a value)
    for (of_level, is_better) in [
        (levels(Some(2), MONTH, None), true),
        (levels(None, None, None), true),
        (levels(Some(13), year, None), true),
        (levels(Some(12), year, None), false),
        (levels(Some(1), MONTH, None), false),
        (levels(Some(1), MONTH, Some(500)), false),
        (levels(Some(11), None, None), false),
    ] {
        assert_eq!(outranked(&tiers, &of_level), is_better, "{of_level:?}");
        assert_eq!(outranked(&of_level, &tiers), !is_better, "{of_level:?}");
    }
    let better = levels(None, None, None);
    let others = [better.clone()];
    // Not of another kind, nor of a level that he doesn't stand on, nor without a membership.
    let other_kind = Benefit { kind: "parcels".into(), ..tiers.clone() };
    assert_eq!(outranked_by(&other_kind, &ground, &others, now), None);
    let below = Ground { level: None, ..ground };
    assert_eq!(outranked_by(&tiers, &below, &others, now), None);
    let alone = Ground { membership: None, ..ground };
    assert_eq!(outranked_by(&levels(Some(1), year, None), &alone, std::slice::from_ref(&tiers), now), None);
    // A membership that rests gives nothing, and outranks nothing.
    let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(now), ..row.clone() };
    let resting = Ground { membership: Some((&frozen, frozen.starts_at)), ..ground };
    assert_eq!(outranked_by(&levels(Some(1), year, None), &resting, std::slice::from_ref(&tiers), now), None);
    // A trial's member has the level's where the tier's isn't for him.
    let trial = Ground { is_trial: true, ..ground };
    assert_eq!(outranked_by(&levels(Some(1), year, None), &trial, std::slice::from_ref(&tiers), now), None);
}

fn term(starts_at: &str, ends_at: &str) -> TermRow {
    TermRow {
        id: TermId::new(),
        membership_id: MembershipId::new(),
        account_id: AccountId::new(),
        source: Source::Order,
        line_id: None,
        tier_id: TierId::new(),
        plan_id: None,
        anchor_at: at(starts_at),
        starts_at: at(starts_at),
        ends_at: Some(at(ends_at)),
        value_minor: 20_000,
        value_from: at(starts_at),
        value_seconds: Some(1),
        ended_at: None,
        created_at: at(starts_at),
        credited_minor: 0,
        replaced_by: None,
    }
}

#[test]
fn what_a_fee_was_worth_counts_from_the_terms_that_it_was_credited_from() {
    let now = at("2027-06-01T00:00:00Z");
    let over = term("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    let upgraded = term("2027-02-01T00:00:00Z", "2028-02-01T00:00:00Z");
    let replaced = TermRow {
        ended_at: Some(at("2027-02-01T00:00:00Z")),
        replaced_by: Some(upgraded.id),
        ..term("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    };
    let first = TermRow { replaced_by: Some(replaced.id), ..replaced.clone() };
    let first = TermRow { id: TermId::new(), starts_at: at("2025-06-01T00:00:00Z"), ..first };
    assert_eq!(paid_since(std::slice::from_ref(&over), now), None);
    assert_eq!(paid_since(&[over.clone(), upgraded.clone()], now), Some(upgraded.starts_at));
    assert_eq!(paid_since(&[over, first.clone(), replaced, upgraded], now), Some(first.starts_at));
}

proptest! {
    /// The number of whole periods is the one between whose ends the moment lies.
    #[test]
    fn a_moment_lies_in_its_period(
        seconds in 0_i64..6_000_000_000, months in 1_u32..25, days in 1_u32..400, by_days in any::<bool>()
    ) {
        let from = at("2020-01-31T15:30:00Z");
        let to = from + TimeDelta::seconds(seconds);
        let every = if by_days { Term::Days(days) } else { Term::Months(months) };
        let nth = whole_periods(from, every, to, chrono_tz::Europe::Berlin);
        let end = |n| every.end_after(from, n, chrono_tz::Europe::Berlin).unwrap();
        prop_assert!(nth == 0 || end(nth) <= to);
        prop_assert!(to < end(nth + 1));
    }
}
