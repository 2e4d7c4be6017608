use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::loyalty::metrics::rules::{Criteria, Measure, Metric};
use crate::membership::memberships::model::Stored;
use crate::membership::plans::model::Renews;
use crate::types::id::{AccountId, ChapterId, MembershipId, PlanId, PoolId, TierId, UpgradeOfferId};
use crate::types::locale::Names;

const TICK: TimeDelta = TimeDelta::microseconds(1);

fn start() -> DateTime<Utc> {
    "2026-03-01T04:00:00Z".parse().unwrap()
}

fn offer() -> UpgradeOffer {
    let criteria = json!({ "all": [
        { "metric": "tenure", "amount": 365 },
        { "metric": "spend", "amount": 100_000, "window": "P1Y" },
    ] });
    UpgradeOffer {
        id: UpgradeOfferId::new(),
        code: "year-one".into(),
        names: Names::new("一年", "A year"),
        from_tier: None,
        plan: PlanId::new(),
        price_minor: 80_000,
        criteria: serde_json::from_value(criteria).unwrap(),
        pool: PoolId::new(),
        budget_pool: PoolId::new(),
        starts_at: start(),
        ends_at: start() + TimeDelta::days(30),
        mails: false,
        walked_to: None,
        walked_at: None,
        created_at: start(),
        archived_at: None,
        version: 1,
    }
}

fn membership() -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: TierId::new(),
        plan_id: None,
        chapter_id: ChapterId::new(),
        state: Stored::Active,
        starts_at: start(),
        ends_at: Some(start() + TimeDelta::days(365)),
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    }
}

fn plan(tier_rank: i32, term: Term) -> Plan {
    Plan {
        id: PlanId::new(),
        code: "diehard".into(),
        tier: TierId::new(),
        tier_code: "diehard".into(),
        tier_zh: "铁杆会员".into(),
        tier_en: "Diehard".into(),
        tier_rank,
        term,
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

/// Of a member for so many days who has paid so much.
fn judged(days: i64, spend_minor: i64, is_used: bool, left: Left) -> Judged {
    let tenure = Measure { metric: Metric::Tenure, window: None };
    let spend = Measure { metric: Metric::Spend, window: Some("P1Y".parse().unwrap()) };
    let figures = Figures { counted: vec![(tenure, days), (spend, spend_minor)], level_rank: None };
    Judged::new(offer(), &figures, &LevelRanks::new(), is_used, left)
}

const PLENTY: Left = Left { uses: 1, budget_minor: 1 };

#[test]
fn it_is_open_from_its_start_until_its_end() {
    let of = offer();
    assert_eq!(check_open(&of, of.starts_at - TICK), Err(Code::NotOpen));
    assert_eq!(check_open(&of, of.starts_at), Ok(()));
    assert_eq!(check_open(&of, of.ends_at - TICK), Ok(()));
    assert_eq!(check_open(&of, of.ends_at), Err(Code::Closed));
    let archived = UpgradeOffer { archived_at: Some(of.starts_at), ..of };
    assert_eq!(check_open(&archived, archived.starts_at), Err(Code::Closed));
}

#[test]
fn it_is_for_running_memberships_of_lower_tiers() {
    let (of, open, year) = (offer(), membership(), Term::Months(12));
    let is_it = |of: &UpgradeOffer, open: &MembershipRow, term, rank| {
        is_for(of, &plan(20, term), open, rank, start() + TimeDelta::days(1))
    };
    assert!(is_it(&of, &open, year, 19) && !is_it(&of, &open, year, 20));
    let of_tier = |tier| UpgradeOffer { from_tier: Some(tier), ..offer() };
    assert!(
        is_it(&of_tier(open.tier_id), &open, year, 10) && !is_it(&of_tier(TierId::new()), &open, year, 10)
    );
    let frozen = MembershipRow { state: Stored::Frozen, frozen_at: Some(start()), ..membership() };
    assert!(!is_it(&of, &frozen, year, 10));
    let over = MembershipRow { ends_at: Some(start()), ..membership() };
    assert!(!is_it(&of, &over, year, 10));
    // What has no end gets none.
    let for_life = MembershipRow { ends_at: None, ..membership() };
    assert!(!is_it(&of, &for_life, year, 10) && is_it(&of, &for_life, Term::Lifetime, 10));
}

#[test]
fn what_is_missing_is_told() {
    let open = membership();
    let price = judged(365, 100_000, false, PLENTY).may_use(&open).unwrap();
    assert_eq!(price.price_minor, 80_000);
    let refused = judged(364, 64_999, false, PLENTY).may_use(&open).unwrap_err();
    let told: Vec<_> = refused.errors.iter().map(|one| (one.field.as_str(), one.detail.as_str())).collect();
    assert_eq!(refused.code, Code::NotEntitled);
    assert_eq!(
        told,
        [("offer.tenure", "364 of 365, 1 missing"), ("offer.spend", "64999 of 100000 in P1Y, 35001 missing")]
    );
    let mut gold = judged(0, 0, false, PLENTY);
    gold.offer.criteria = Criteria::Level(Some("gold".into()));
    let at = |rank| {
        let figures = Figures { counted: Vec::new(), level_rank: rank };
        let levels = LevelRanks::from([("gold".to_owned(), 30)]);
        Judged::new(gold.offer.clone(), &figures, &levels, false, PLENTY).may_use(&open).err()
    };
    assert!(at(Some(30)).is_none());
    assert_eq!(at(Some(20)).unwrap().errors[0].field, "offer.level");
}

#[test]
fn it_is_used_once_and_while_something_is_left() {
    let open = membership();
    let code = |of: Judged| of.may_use(&open).map_err(|error| error.code).err();
    let with = |is_used, left| code(judged(400, 200_000, is_used, left));
    assert_eq!(with(false, PLENTY), None);
    assert_eq!(with(true, PLENTY), Some(Code::OnePerPerson));
    assert_eq!(with(false, Left { uses: 0, budget_minor: 1 }), Some(Code::SoldOut));
    let mut other = judged(400, 200_000, false, PLENTY);
    other.offer.from_tier = Some(TierId::new());
    assert_eq!(code(other), Some(Code::NotEntitled));
    let left = Left { uses: 1, budget_minor: 32_000 };
    assert!(left.has_room(32_000).is_ok() && left.has_room(32_001).is_err() && !left.is_used_up());
    assert!(Left { uses: 1, budget_minor: 0 }.is_used_up() && Left { uses: 0, budget_minor: 9 }.is_used_up());
}
