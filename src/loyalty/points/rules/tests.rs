use proptest::prelude::*;

use super::*;

fn at(days: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(days)
}

fn active(points: i64, expires: Option<i64>) -> Lot {
    Lot { expires_at: expires.map(at), ..Lot::new(points, points, Some(at(0))) }
}

fn purse(lots: &[Lot]) -> Purse {
    let mut purse = Purse::default();
    lots.iter().for_each(|lot| purse.earn(*lot));
    purse
}

fn spent(purse: &Purse) -> Vec<i64> {
    purse.lots.iter().map(|lot| lot.spent).collect()
}

#[test]
fn what_expires_first_is_spent_first_and_comes_back_to_where_it_was() {
    let mut purse = purse(&[active(100, None), active(100, Some(20)), active(100, Some(10))]);
    assert!(purse.spend(150, at(5)));
    assert_eq!(spent(&purse), [100, 50, 0]);
    let second = purse.lots[1].id;
    purse.give_back(second, 50, at(6));
    assert_eq!((spent(&purse), purse.balance.active), (vec![100, 0, 0], 200));
    // More than was spent of it never comes back.
    purse.give_back(second, 50, at(6));
    assert_eq!(purse.balance.active, 200);
    assert!(!purse.spend(201, at(6)));
    assert_eq!(purse.balance.active, 200);
}

#[test]
fn what_has_expired_pays_nothing_also_before_it_is_written_off() {
    let mut purse = purse(&[active(100, Some(10))]);
    let lot = purse.lots[0].id;
    purse.expire(lot, at(10) - TimeDelta::microseconds(1));
    assert_eq!((purse.spendable(at(9)), purse.spendable(at(10)), purse.balance.active), (100, 0, 100));
    assert!(!purse.spend(1, at(10)));
    purse.expire(lot, at(10));
    assert_eq!((purse.balance.active, purse.lots[0].expired), (0, 100));
}

#[test]
fn what_comes_back_to_an_expired_lot_lasts_a_month() {
    let mut purse = purse(&[active(100, Some(10))]);
    let lot = purse.lots[0].id;
    assert!(purse.spend(60, at(5)));
    purse.expire(lot, at(10));
    purse.give_back(lot, 60, at(20));
    assert_eq!((purse.spendable(at(49)), purse.spendable(at(50))), (60, 0));
}

#[test]
fn what_is_taken_back_after_it_was_spent_is_owed_until_something_pays_for_it() {
    let mut purse = purse(&[active(100, None)]);
    let first = purse.lots[0].id;
    assert!(purse.spend(80, at(1)));
    purse.lower(first, 0, 0);
    assert_eq!((purse.balance.active, purse.balance.owed), (0, 80));
    assert_eq!((purse.lots[0].reversed, purse.lots[0].spent), (20, 80));
    // What comes next pays; the rest can be spent.
    purse.earn(active(100, None));
    assert_eq!(purse.spendable(at(2)), 0);
    purse.settle(at(2));
    assert_eq!((purse.balance.owed, purse.spendable(at(2))), (0, 20));
    // What it was spent on is refunded: the points are there again, in their lot.
    purse.give_back(first, 80, at(3));
    assert_eq!(purse.balance.active, 100);
}

#[test]
fn a_refund_that_failed_gives_back_what_it_took() {
    let mut purse = purse(&[active(100, None)]);
    let lot = purse.lots[0].id;
    assert!(purse.spend(80, at(1)));
    purse.lower(lot, 30, 40);
    assert_eq!((purse.balance.owed, purse.lots[0].level_reversed), (50, 60));
    assert_eq!(purse.raise(lot, 100, 100, at(2)), 0);
    assert_eq!((purse.balance.owed, purse.balance.active, purse.lots[0].level_reversed), (0, 20, 0));
    // Where others have paid for it meanwhile, it is told.
    purse.lower(lot, 0, 0);
    purse.earn(active(200, None));
    purse.settle(at(2));
    assert_eq!(purse.raise(lot, 100, 100, at(2)), 80);
    // Once; and it is taken back with the lot that it came from.
    assert_eq!(purse.raise(lot, 100, 100, at(2)), 0);
    purse.earn(active(80, None));
    purse.lower(lot, 0, 0);
    assert_eq!((purse.balance.owed, purse.balance.active), (80, 200));
}

#[test]
fn a_pending_lot_counts_from_when_it_is_active() {
    let mut purse = purse(&[Lot::new(100, 50, None)]);
    let lot = purse.lots[0].id;
    assert_eq!((purse.spendable(at(1)), purse.balance.pending, purse.moved[0].level), (0, 100, 0));
    purse.lower(lot, 70, 35);
    purse.mature(lot, at(14), Some(at(400)));
    assert_eq!((purse.balance.active, purse.moved.last().unwrap().level), (70, 35));
    // Once.
    purse.mature(lot, at(15), None);
    assert_eq!((purse.moved.len(), purse.lots[0].expires_at), (3, Some(at(400))));
}

#[test]
fn rates_earn_whole_points() {
    assert_eq!(earned(19_999, 100), 199);
    assert_eq!(earned(20_000, 150), 300);
    assert_eq!(earned(199, 50), 0);
    assert_eq!((earned(-5, 100), earned(0, 900)), (0, 0));
    assert_eq!(earned(i64::MAX, i32::MAX), POINTS_MAX);
}

#[test]
fn points_end_with_a_day_of_the_shop() {
    let zone = chrono_tz::Asia::Shanghai;
    // Half past one in the morning of 31 January, in the shop.
    let now = "2025-01-30T17:30:00Z".parse().unwrap();
    assert_eq!(expires_at(now, Some(1), zone), Some("2025-02-28T16:00:00Z".parse().unwrap()));
    assert_eq!(expires_at(now, Some(12), zone), Some("2026-01-31T16:00:00Z".parse().unwrap()));
    assert_eq!(expires_at(now, None, zone), None);
}

const HUNDRED_A_YUAN: Exchange =
    Exchange { step_points: 100, step_minor: 100, least_points: 200, most_share_bp: 5_000 };

#[test]
fn points_pay_whole_steps_within_the_share() {
    let pays = |wanted, total| {
        let paid = HUNDRED_A_YUAN.pays(wanted, total, total, 400);
        (paid.points, paid.minor, paid.limited)
    };
    assert_eq!(pays(1_050, 10_000), (1_000, 1_000, None));
    assert_eq!(pays(9_000, 10_000), (5_000, 5_000, Some("points_share")));
    assert_eq!(pays(100, 10_000), (0, 0, Some("points_minimum")));
    assert_eq!(pays(99, 10_000), (0, 0, Some("points_step")));
    assert_eq!(pays(5_000, 10_050), (5_000, 5_000, None));
    let all = Exchange { most_share_bp: 10_000, ..HUNDRED_A_YUAN };
    let pays = |wanted, payable| {
        let paid = all.pays(wanted, 1_000, payable, 400);
        (paid.minor, paid.limited)
    };
    assert_eq!(pays(1_000, 1_000), (1_000, None));
    assert_eq!(pays(900, 1_000), (600, Some("rest_too_small")));
    assert_eq!(pays(900, 300), (300, Some("points_share")));
}

#[test]
fn all_points_are_back_when_all_that_they_paid_is() {
    assert_eq!(
        (returned(1_000, 700, 0), returned(1_000, 700, 350), returned(1_000, 700, 700)),
        (0, 500, 1_000)
    );
    assert_eq!((returned(1_000, 3, 1), returned(1_000, 3, 2), returned(0, 0, 5)), (333, 666, 0));
    assert_eq!(returned(POINTS_MAX, 99_999_999, 99_999_998), 999_999_989_999);
}

proptest! {
    #[test]
    fn what_points_pay_leaves_nothing_that_cannot_be_charged(
        wanted in 0i64..20_000, total in 0i64..20_000, goods in 0i64..20_000, step_points in 1i64..300,
        step_minor in 1i64..300, least_points in 0i64..900, most_share_bp in 0i32..=10_000, least in 1i64..500,
    ) {
        let goods = goods.min(total);
        let by = Exchange { step_points, step_minor, least_points, most_share_bp };
        let paid = by.pays(wanted, total, goods, least);
        prop_assert!(paid.points <= wanted && paid.minor <= goods);
        prop_assert!(paid.minor * 10_000 <= total * i64::from(most_share_bp));
        prop_assert!(paid.points * step_minor == paid.minor * step_points);
        prop_assert!(paid.minor == 0 || !(1..least).contains(&(total - paid.minor)));
        prop_assert_eq!(paid.points == 0, paid.minor == 0);
    }

    /// Random histories of one account: no point appears or is lost, and no balance is ever below nothing.
    #[test]
    fn what_was_earned_is_somewhere(
        acts in prop::collection::vec((0u8..9, 0usize..6, 1i64..120, 0i64..40), 1..60)
    ) {
        let mut purse = Purse::default();
        // Per order that points paid: of which lot, how many.
        let mut orders: Vec<Vec<(PointsLotId, i64)>> = Vec::new();
        let mut day = 0;
        let mut earned = 0;
        for (act, which, points, days) in acts {
            day += days / 8;
            let now = at(day);
            let lot = purse.lots.get(which % purse.lots.len().max(1)).map(|lot| lot.id);
            match (act, lot) {
                (0, _) => { earned += points; purse.earn(Lot::new(points, points / 2, None)); }
                (1, _) => {
                    earned += points;
                    let expires_at = Some(at(day + days));
                    purse.earn(Lot { expires_at, ..Lot::new(points, points, Some(now)) });
                }
                (2, Some(id)) => purse.mature(id, now, Some(at(day + days))),
                (3, _) => {
                    let before = purse.moved.len();
                    let had = purse.spendable(now);
                    let paid = purse.spend(points, now);
                    prop_assert_eq!(paid, had >= points);
                    let parts: Vec<_> =
                        purse.moved[before..].iter().map(|by| (by.lot.unwrap(), by.spent)).collect();
                    prop_assert_eq!(parts.iter().map(|(_, part)| part).sum::<i64>(), if paid { points } else { 0 });
                    orders.push(parts);
                }
                (4, _) => for (id, part) in orders.pop().into_iter().flatten() {
                    purse.expire(id, now);
                    let before = purse.lot(id).unwrap();
                    purse.give_back(id, part, now);
                    let after = purse.lot(id).unwrap();
                    // Exactly: to the lot that it came from, all of it.
                    prop_assert_eq!((before.spent - after.spent, after.active - before.active), (part, part));
                },
                (5, Some(id)) => purse.lower(id, points / 2, points / 4),
                (6, Some(id)) => {
                    let lot = purse.lot(id).unwrap();
                    let rest = purse.raise(id, lot.points, lot.level_points, now);
                    if rest > 0 { earned += rest; purse.earn(Lot::new(rest, 0, Some(now))); }
                }
                (7, Some(id)) => purse.expire(id, now),
                (8, _) => purse.settle(now),
                _ => {}
            }
            let sum = |of: fn(&Lot) -> i64| purse.lots.iter().map(of).sum::<i64>();
            let states = [
                sum(|lot| lot.pending), sum(|lot| lot.active), sum(|lot| lot.spent), sum(|lot| lot.expired),
                sum(|lot| lot.reversed),
            ];
            prop_assert!(states.iter().all(|points| *points >= 0));
            prop_assert_eq!(states.iter().sum::<i64>(), earned);
            prop_assert_eq!((purse.balance.pending, purse.balance.active), (states[0], states[1]));
            for lot in &purse.lots {
                prop_assert_eq!(lot.points, lot.pending + lot.active + lot.spent + lot.expired + lot.reversed);
                prop_assert!(lot.clawed_back >= 0 && lot.reversed + lot.clawed_back <= lot.points);
                prop_assert!((0..=lot.level_points).contains(&lot.level_reversed));
            }
            // The entries tell the same.
            let told = |of: fn(&Movement) -> i64| purse.moved.iter().map(of).sum::<i64>();
            prop_assert_eq!(told(|by| by.active), states[1]);
            prop_assert_eq!(told(|by| by.owed), purse.balance.owed);
            prop_assert!(purse.balance.owed >= 0);
        }
    }
}
