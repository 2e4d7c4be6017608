use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::Mode::{Prorate, Restart};
use super::*;
use crate::membership::memberships::model::{Source, Stored};
use crate::membership::memberships::rules::value_span;
use crate::membership::plans::model::Renews;
use crate::types::id::{ChapterId, MembershipId, PlanId, TermId, TierId};

const ZONE: Tz = chrono_tz::Asia::Shanghai;

fn start() -> DateTime<Utc> {
    "2026-03-01T04:00:00Z".parse().unwrap()
}

/// Terms of (value, days), one after the other.
fn terms(of: &[(i64, i64)]) -> Vec<TermRow> {
    let mut from = start();
    let mut terms = Vec::new();
    for (value_minor, days) in of {
        let span = Span { anchor_at: start(), starts_at: from, ends_at: Some(from + TimeDelta::days(*days)) };
        let (value_from, value_seconds) = value_span(&span, from);
        terms.push(TermRow {
            id: TermId::new(),
            membership_id: MembershipId::new(),
            account_id: AccountId::new(),
            source: Source::Order,
            line_id: None,
            tier_id: TierId::new(),
            plan_id: None,
            anchor_at: span.anchor_at,
            starts_at: span.starts_at,
            ends_at: span.ends_at,
            value_minor: *value_minor,
            value_from,
            value_seconds,
            ended_at: None,
            created_at: from,
            credited_minor: 0,
            replaced_by: None,
        });
        from += TimeDelta::days(*days);
    }
    terms
}

/// Terms by (value, days), days passed, new price, new term, mode, then (credit, charge, due), all money in minor units.
type Case = (&'static [(i64, i64)], i64, i64, &'static str, Mode, (i64, i64, i64));

// The first three are the rules' own example: 200 to 1,200 yuan with 292 of 365 days left; then, for one who paid the prorated
// 960, a credit of 480 with 146 days left. The others were computed with exact fractions.
const CASES: &[Case] = &[
    (&[(20_000, 365)], 73, 120_000, "P1Y", Prorate, (16_000, 96_000, 80_000)),
    (&[(20_000, 365)], 73, 120_000, "P1Y", Restart, (16_000, 120_000, 104_000)),
    (&[(96_000, 292)], 146, 300_000, "P1Y", Restart, (48_000, 300_000, 252_000)),
    (&[(96_000, 292)], 146, 300_000, "P1Y", Prorate, (48_000, 120_000, 72_000)),
    (&[(20_000, 365)], 0, 120_000, "P1Y", Prorate, (20_000, 120_000, 100_000)),
    (&[(20_000, 365)], 1, 120_000, "P1Y", Prorate, (19_945, 119_671, 99_726)),
    (&[(20_000, 365)], 100, 120_000, "P1Y", Prorate, (14_521, 87_123, 72_602)),
    (&[(20_000, 365)], 182, 120_000, "P1Y", Prorate, (10_027, 60_164, 50_137)),
    (&[(20_000, 365)], 183, 120_000, "P1Y", Prorate, (9973, 59_836, 49_863)),
    (&[(20_000, 365)], 300, 120_000, "P1Y", Prorate, (3562, 21_370, 17_808)),
    (&[(20_000, 365)], 364, 120_000, "P1Y", Prorate, (55, 329, 274)),
    (&[(20_000, 365)], 0, 120_000, "P1Y", Restart, (20_000, 120_000, 100_000)),
    (&[(20_000, 365)], 1, 120_000, "P1Y", Restart, (19_945, 120_000, 100_055)),
    (&[(20_000, 365)], 182, 120_000, "P1Y", Restart, (10_027, 120_000, 109_973)),
    (&[(20_000, 365)], 364, 120_000, "P1Y", Restart, (55, 120_000, 119_945)),
    (&[(0, 365)], 73, 120_000, "P1Y", Prorate, (0, 96_000, 96_000)),
    (&[(0, 365)], 73, 120_000, "P1Y", Restart, (0, 120_000, 120_000)),
    (&[(20_000, 365), (20_000, 365)], 73, 120_000, "P1Y", Prorate, (36_000, 216_000, 180_000)),
    (&[(20_000, 365), (20_000, 365)], 73, 120_000, "P1Y", Restart, (36_000, 120_000, 84_000)),
    (&[(20_000, 365), (0, 31)], 73, 120_000, "P1Y", Prorate, (16_000, 106_192, 90_192)),
    (&[(20_000, 365), (0, 31)], 380, 120_000, "P1Y", Prorate, (0, 5246, 5246)),
    (&[(20_000, 365), (18_000, 365)], 365, 120_000, "P1Y", Prorate, (18_000, 119_672, 101_672)),
    (&[(20_000, 365), (18_000, 365)], 400, 120_000, "P1Y", Restart, (16_274, 120_000, 103_726)),
    (&[(1, 365)], 182, 2, "P1Y", Prorate, (1, 1, 0)),
    (&[(1, 365)], 183, 2, "P1Y", Prorate, (0, 1, 1)),
    (&[(3, 2)], 1, 5, "P2D", Prorate, (2, 3, 1)),
    (&[(2000, 31)], 10, 10_000, "P1M", Prorate, (1355, 6774, 5419)),
    (&[(2000, 31)], 10, 10_000, "P1M", Restart, (1355, 10_000, 8645)),
    (&[(2000, 31)], 0, 120_000, "P1Y", Prorate, (2000, 10_192, 8192)),
    (&[(20_000, 365)], 73, 10_000, "P1M", Prorate, (16_000, 94_194, 78_194)),
    (&[(20_000, 365)], 73, 10_000, "P1M", Restart, (16_000, 10_000, 0)),
    (&[(120_000, 365)], 73, 90_000, "P1Y", Prorate, (96_000, 72_000, 0)),
    (&[(120_000, 365)], 73, 90_000, "P1Y", Restart, (96_000, 90_000, 0)),
    (&[(120_000, 365)], 364, 90_000, "P1Y", Restart, (329, 90_000, 89_671)),
    (&[(500, 7)], 3, 120_000, "P1Y", Prorate, (286, 1315, 1029)),
    (&[(500, 7)], 3, 900, "P7D", Prorate, (286, 514, 228)),
    (&[(99_999_999, 365)], 1, 99_999_999, "P1Y", Prorate, (99_726_026, 99_726_026, 0)),
    (&[(20_000, 36_500)], 100, 120_000, "P1Y", Prorate, (19_945, 11_967_123, 11_947_178)),
];

#[test]
fn amounts_are_exact_to_the_minor_unit() {
    for (of, passed, price_minor, term, mode, (credit_minor, charge_minor, due_minor)) in CASES {
        let now = start() + TimeDelta::days(*passed);
        let found = figures(&terms(of), *price_minor, term.parse().unwrap(), *mode, now, ZONE).unwrap();
        let case = format!("{of:?} after {passed} days, {price_minor} for {term}, {mode:?}");
        let amounts = (found.credit_minor, found.charge_minor, found.due_minor);
        assert_eq!(amounts, (*credit_minor, *charge_minor, *due_minor), "{case}");
        let last = start() + TimeDelta::days(of.iter().map(|(_, days)| days).sum());
        let ends_at = if *mode == Prorate {
            last
        } else {
            term.parse::<Term>().unwrap().end_after(now, 1, ZONE).unwrap()
        };
        assert_eq!(found.ends_at, Some(ends_at), "{case}");
    }
}

#[test]
fn for_life_is_paid_whole_and_a_life_gets_no_end() {
    let year = terms(&[(20_000, 365)]);
    let now = start() + TimeDelta::days(73);
    let life = figures(&year, 500_000, Term::Lifetime, Restart, now, ZONE).unwrap();
    assert_eq!((life.credit_minor, life.due_minor, life.ends_at), (16_000, 484_000, None));
    let mut for_life = year;
    (for_life[0].ends_at, for_life[0].value_seconds) = (None, None);
    for mode in [Prorate, Restart] {
        let refused = figures(&for_life, 120_000, Term::Months(12), mode, now, ZONE);
        assert_eq!(refused, Err(Code::AlreadyForLife));
    }
    // What has no end doesn't wear off.
    let higher = figures(&for_life, 500_000, Term::Lifetime, Restart, now, ZONE).unwrap();
    assert_eq!((higher.credit_minor, higher.due_minor), (20_000, 480_000));
}

/// Of the documented example: 200 yuan paid for a year, 73 days of it over, and a plan of 1,200.
fn example(mode: Mode) -> (Upgradable, DateTime<Utc>) {
    let open = membership(start() + TimeDelta::days(365));
    let (account, terms) = (open.account_id, terms(&[(20_000, 365)]));
    (Upgradable { account, open, terms, plan: plan(20), mode }, start() + TimeDelta::days(73))
}

fn offer(price_minor: i64, ends_at: DateTime<Utc>) -> OfferPrice {
    OfferPrice { offer: UpgradeOfferId::new(), price_minor, ends_at }
}

#[test]
fn an_offer_changes_the_price_and_nothing_else() {
    for (mode, price_minor, amounts) in [
        (Prorate, 80_000, (16_000, 64_000, 48_000, 32_000)),
        (Restart, 80_000, (16_000, 80_000, 64_000, 40_000)),
        (Prorate, 0, (16_000, 0, 0, 80_000)),
        (Restart, 0, (16_000, 0, 0, 104_000)),
        (Restart, 119_999, (16_000, 119_999, 103_999, 1)),
    ] {
        let (of, now) = example(mode);
        let offer = offer(price_minor, now + TimeDelta::days(1));
        let by = of.quote(Some(offer), now, ZONE).unwrap();
        assert_eq!((by.credit_minor, by.charge_minor, by.due_minor, by.discount_minor), amounts, "{mode:?}");
        assert_eq!(by.offer_id, Some(offer.offer));
        let plain = of.quote(None, now, ZONE).unwrap();
        assert_eq!((plain.offer_id, plain.discount_minor), (None, 0));
        assert_eq!((by.ends_at, by.valid_until), (plain.ends_at, plain.valid_until));
        assert_eq!(by.due_minor + by.discount_minor, plain.due_minor);
    }
}

#[test]
fn a_quote_by_an_offer_ends_with_it() {
    let (of, now) = example(Prorate);
    let until = |after: TimeDelta| of.quote(Some(offer(80_000, now + after)), now, ZONE).unwrap().valid_until;
    assert_eq!(until(TimeDelta::minutes(10)), now + TimeDelta::minutes(10));
    assert_eq!(until(VALID_FOR), now + VALID_FOR);
    assert_eq!(until(VALID_FOR + TimeDelta::seconds(1)), now + VALID_FOR);
}

#[test]
fn an_offer_by_which_no_less_is_due_is_left_unused() {
    let (of, now) = example(Restart);
    let soon = now + TimeDelta::minutes(1);
    let as_dear = of.quote(Some(offer(120_000, soon)), now, ZONE).unwrap();
    assert_eq!((as_dear.offer_id, as_dear.valid_until), (None, now + VALID_FOR));
    let dearer = of.quote(Some(offer(130_000, soon)), now, ZONE).unwrap();
    assert_eq!((dearer.offer_id, dearer.due_minor), (None, 104_000));
    // What was paid is worth more than either.
    let cheap = Upgradable { plan: Plan { price_minor: 9_000, ..of.plan.clone() }, ..of };
    assert_eq!(cheap.quote(Some(offer(8_000, soon)), now, ZONE).unwrap().offer_id, None);
}

fn membership(ends_at: DateTime<Utc>) -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: TierId::new(),
        plan_id: None,
        chapter_id: ChapterId::new(),
        state: Stored::Active,
        starts_at: start(),
        ends_at: Some(ends_at),
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 3,
        rested_seconds: 0,
    }
}

fn plan(tier_rank: i32) -> Plan {
    Plan {
        id: PlanId::new(),
        code: "diehard".into(),
        tier: TierId::new(),
        tier_code: "diehard".into(),
        tier_zh: "铁杆会员".into(),
        tier_en: "Diehard".into(),
        tier_rank,
        term: Term::Months(12),
        price_minor: 120_000,
        currency: "CNY".into(),
        renews: Renews::Never,
        payment_methods: Vec::new(),
        hold_minutes: 15,
        open_sale: false,
        open_upgrade: true,
        trial_days: 0,
        associate_seats: 0,
        created_at: start(),
        archived_at: None,
        version: 1,
    }
}

#[test]
fn only_a_running_membership_goes_up_and_only_to_what_is_sold() {
    let end = start() + TimeDelta::days(365);
    let open = membership(end);
    let second = TimeDelta::seconds(1);
    let may =
        |open: Option<&MembershipRow>, plan: &Plan, now| upgradable(open, 10, plan, now).map(|_| ()).err();
    assert_eq!(may(Some(&open), &plan(11), end - second), None);
    assert_eq!(may(Some(&open), &plan(11), end), Some(Code::MembershipNotOpen));
    assert_eq!(may(None, &plan(11), start()), Some(Code::MembershipNotOpen));
    assert_eq!(may(Some(&open), &plan(10), start()), Some(Code::NotAnUpgrade));
    assert_eq!(may(Some(&open), &plan(9), start()), Some(Code::NotAnUpgrade));
    let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(start()), ..open.clone() };
    assert_eq!(may(Some(&frozen), &plan(11), start()), Some(Code::MembershipFrozen));
    let in_drives = Plan { open_upgrade: false, ..plan(11) };
    assert_eq!(may(Some(&open), &in_drives, start()), Some(Code::UpgradeNotSold));
    assert_eq!(may(Some(&open), &Plan { open_sale: true, ..in_drives }, start()), None);
    let archived = Plan { archived_at: Some(start()), ..plan(11) };
    assert_eq!(may(Some(&open), &archived, start()), Some(Code::UnknownPlan));
}

#[test]
fn a_quote_is_good_for_its_time_and_for_the_membership_as_it_was() {
    let open = membership(start() + TimeDelta::days(365));
    let quote = UpgradeQuote {
        id: UpgradeQuoteId::new(),
        account_id: open.account_id,
        membership_id: open.id,
        membership_version: 3,
        plan_id: PlanId::new(),
        mode: Prorate,
        credit_minor: 16_000,
        charge_minor: 96_000,
        due_minor: 80_000,
        ends_at: open.ends_at,
        created_at: start(),
        valid_until: start() + VALID_FOR,
        offer_id: None,
        discount_minor: 0,
    };
    let last = quote.valid_until - TimeDelta::seconds(1);
    assert_eq!(may_order(&quote, &plan(20), Some(&open), last), Ok(()));
    assert_eq!(may_order(&quote, &plan(20), Some(&open), quote.valid_until), Err(Code::QuoteExpired));
    // It was ordered in time: then it is charged as quoted, however long the money takes.
    assert_eq!(still_fits(&quote, Some(&open), quote.valid_until), Ok(()));
    let withdrawn = Plan { open_upgrade: false, ..plan(20) };
    assert_eq!(may_order(&quote, &withdrawn, Some(&open), last), Err(Code::StaleQuote));
    let changed = MembershipRow { version: 4, ..open.clone() };
    assert_eq!(may_order(&quote, &plan(20), Some(&changed), last), Err(Code::StaleQuote));
    let another = MembershipRow { id: MembershipId::new(), ..open.clone() };
    assert_eq!(may_order(&quote, &plan(20), Some(&another), last), Err(Code::StaleQuote));
    assert_eq!(may_order(&quote, &plan(20), None, last), Err(Code::MembershipNotOpen));
    assert_eq!(still_fits(&quote, Some(&open), open.ends_at.unwrap()), Err(Code::MembershipNotOpen));
}

proptest! {
    /// Credit is never above what was paid, what is due is never negative, and the new term is worth what was paid for it:
    /// upgrading at once again credits all of it.
    #[test]
    fn worth_is_conserved(
        of in prop::collection::vec((0_i64..2_000_000, 1_i64..800), 1..4),
        share in 0.0_f64..1.0,
        price_minor in 0_i64..5_000_000,
        restarts in any::<bool>(),
    ) {
        let before = terms(&of);
        let days: i64 = of.iter().map(|(_, days)| days).sum();
        #[allow(clippy::as_conversions, clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let passed = TimeDelta::seconds(((days * 86_400 - 1) as f64 * share) as i64);
        let now = start() + passed;
        let mode = if restarts { Restart } else { Prorate };
        let found = figures(&before, price_minor, Term::Months(12), mode, now, ZONE).unwrap();
        let paid: i64 = of.iter().map(|(minor, _)| minor).sum();
        prop_assert!((0..=paid).contains(&found.credit_minor));
        prop_assert_eq!(found.due_minor, (found.charge_minor - found.credit_minor).max(0));
        let span = span(&before, Term::Months(12), mode, now, ZONE).unwrap();
        let (value_from, value_seconds) = value_span(&span, now);
        let after = TermRow {
            starts_at: span.starts_at,
            ends_at: span.ends_at,
            value_minor: found.credit_minor + found.due_minor,
            value_from,
            value_seconds,
            ..before[0].clone()
        };
        let again = figures(&[after], price_minor, Term::Months(12), Restart, now, ZONE).unwrap();
        prop_assert_eq!(again.credit_minor, found.credit_minor + found.due_minor);
    }
}
