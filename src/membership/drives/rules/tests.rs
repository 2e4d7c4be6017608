use chrono::TimeDelta;
use kindred_stripe::Method;

use super::*;
use crate::membership::drives::model::Admission;
use crate::membership::plans::model::{Plan, Renews};
use crate::types::id::{DriveId, PlanId, PoolId, TierId};
use crate::types::period::Term;

const TICK: TimeDelta = TimeDelta::microseconds(1);

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn opening() -> DateTime<Utc> {
    utc("2013-08-09T06:00:00Z")
}

/// 500 places from the opening on, for five hours.
pub(crate) fn drive() -> Drive {
    let closes_at = opening() + TimeDelta::hours(5);
    Drive {
        id: DriveId::new(),
        code: "luoji-2013-diehard".into(),
        series: "luoji-2013".into(),
        name_zh: "铁杆会员".into(),
        name_en: "Diehard".into(),
        plan: Plan {
            id: PlanId::new(),
            code: "diehard-2013".into(),
            tier: TierId::new(),
            tier_code: "diehard".into(),
            tier_zh: "铁杆会员".into(),
            tier_en: "Diehard".into(),
            tier_rank: 20,
            term: Term::Months(12),
            price_minor: 120_000,
            currency: "CNY".into(),
            renews: Renews::Never,
            payment_methods: vec![Method::WechatPay],
            hold_minutes: 15,
            open_sale: false,
            open_upgrade: false,
            trial_days: 0,
            associate_seats: 0,
            created_at: opening(),
            archived_at: None,
            version: 1,
        },
        pool: PoolId::new(),
        quota: 500,
        held: 0,
        taken: 0,
        admission: Admission::Open,
        opens_at: opening(),
        closes_at,
        buy_within_hours: 72,
        releases: vec![Release { at: opening(), quantity: 500 }],
        is_dated: false,
        created_at: opening(),
        archived_at: None,
        version: 1,
    }
}

#[test]
fn the_window_includes_its_start_and_not_its_end() {
    let drive = drive();
    let cases = [
        (drive.opens_at - TICK, State::Scheduled, Err(Code::NotOpen)),
        (drive.opens_at, State::Open, Ok(())),
        (drive.closes_at - TICK, State::Open, Ok(())),
        (drive.closes_at, State::Closed, Err(Code::Closed)),
    ];
    for (now, expected, sale) in cases {
        assert_eq!((state(&drive, now), check_open(&drive, now)), (expected, sale), "{now}");
    }
}

#[test]
fn the_last_place_held_or_taken_sells_it_out() {
    let almost = Drive { held: 99, taken: 400, ..drive() };
    assert_eq!((state(&almost, opening()), remaining(&almost)), (State::Open, 1));
    let full = Drive { held: 100, taken: 400, ..drive() };
    assert_eq!((state(&full, opening()), remaining(&full)), (State::SoldOut, 0));
    // Its window is open all the same: a place may come back. The pool refuses, not the window.
    assert_eq!(check_open(&full, opening()), Ok(()));
    assert_eq!(state(&full, full.closes_at), State::Closed);
    assert_eq!(state(&full, full.opens_at - TICK), State::Scheduled);
}

#[test]
fn an_archived_drive_is_closed() {
    let drive = Drive { archived_at: Some(opening()), ..drive() };
    assert_eq!(state(&drive, opening() - TICK), State::Closed);
    assert_eq!(check_open(&drive, opening()), Err(Code::Closed));
    assert_eq!(next_release_at(&drive, opening() - TICK), None);
}

#[test]
fn parts_are_let_out_at_their_moment() {
    let evening = opening() + TimeDelta::hours(2);
    let parts = vec![Release { at: opening(), quantity: 200 }, Release { at: evening, quantity: 300 }];
    let drive = Drive { releases: parts.clone(), is_dated: true, held: 30, taken: 170, ..drive() };
    assert_eq!(released(&parts, opening() - TICK), 0);
    assert_eq!(released(&parts, opening()), 200);
    assert_eq!(released(&parts, evening - TICK), 200);
    assert_eq!(released(&parts, evening), 500);
    // The quota isn't sold out, but nothing can be claimed until the evening.
    assert_eq!(state(&drive, evening - TICK), State::Open);
    assert_eq!((remaining(&drive), available_now(&drive, evening - TICK)), (300, 0));
    assert_eq!(next_release_at(&drive, evening - TICK), Some(evening));
    assert_eq!((available_now(&drive, evening), next_release_at(&drive, evening)), (300, None));
    assert_eq!(available_now(&drive, drive.closes_at), 0);
    assert_eq!(available_now(&drive, drive.opens_at - TICK), 0);
    // More claimed than is let out (the parts were changed since): never below nothing.
    assert_eq!(available_now(&Drive { taken: 400, ..drive }, opening()), 0);
}

#[test]
fn the_next_change_by_the_clock_is_the_nearest_edge() {
    let drive = drive();
    assert_eq!(next_change_at(&drive, drive.opens_at - TICK), Some(drive.opens_at));
    assert_eq!(next_change_at(&drive, drive.opens_at), Some(drive.closes_at));
    assert_eq!(next_change_at(&drive, drive.closes_at), None);
}

fn wrong_field(drive: &Drive) -> String {
    let error = check_offer(drive).unwrap_err();
    assert_eq!(error.code, Code::InvalidField);
    error.errors[0].field.clone()
}

#[test]
fn what_cannot_be_sold_is_refused() {
    assert!(check_offer(&drive()).is_ok());
    assert_eq!(wrong_field(&Drive { closes_at: opening(), ..drive() }), "closes_at");
    assert!(check_offer(&Drive { closes_at: opening() + TICK, ..drive() }).is_ok());
    assert_eq!(wrong_field(&Drive { quota: 0, ..drive() }), "quota");
    assert_eq!(wrong_field(&Drive { quota: LARGEST_QUOTA + 1, ..drive() }), "quota");
    assert_eq!(wrong_field(&Drive { buy_within_hours: 0, ..drive() }), "buy_within_hours");
}

#[test]
fn parts_lie_in_the_window_in_order_and_add_up() {
    let dated = |parts: &[(TimeDelta, i64)]| Drive {
        is_dated: true,
        releases: parts
            .iter()
            .map(|(after, quantity)| Release { at: opening() + *after, quantity: *quantity })
            .collect(),
        ..drive()
    };
    let hour = TimeDelta::hours(1);
    assert!(check_offer(&dated(&[(TimeDelta::zero(), 200), (hour, 300)])).is_ok());
    assert!(check_offer(&dated(&[(hour * 5 - TICK, 500)])).is_ok());
    assert_eq!(wrong_field(&dated(&[(hour * 5, 500)])), "releases[0].at");
    assert_eq!(wrong_field(&dated(&[(-TICK, 500)])), "releases[0].at");
    assert_eq!(wrong_field(&dated(&[(hour, 200), (hour, 300)])), "releases[1].at");
    assert_eq!(wrong_field(&dated(&[(hour, 0), (hour * 2, 500)])), "releases[0].quantity");
    assert_eq!(wrong_field(&dated(&[(hour, 200), (hour * 2, 299)])), "releases");
    assert_eq!(wrong_field(&dated(&[(hour, 200), (hour * 2, 301)])), "releases");
    assert_eq!(wrong_field(&dated(&[])), "releases");
}

#[test]
fn a_quota_never_falls_below_the_claims() {
    assert_eq!(check_quota(10, 4, 6), Ok(()));
    assert_eq!(check_quota(9, 4, 6), Err(Code::QuotaBelowClaims));
}
