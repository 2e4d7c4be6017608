use kindred_stripe::Method;

use super::*;
use crate::checkout::gift_codes::rules::AHEAD_MAX;
use crate::membership::plans::model::Renews;
use crate::types::id::{AccountId, ChapterId, GiftId, LineId, MembershipId, PlanId, TermId};
use crate::types::period::Term;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

fn gift() -> GiftRow {
    GiftRow {
        id: GiftId::new(),
        line_id: LineId::new(),
        account_id: AccountId::new(),
        plan_id: PlanId::new(),
        term: "P1Y".to_owned(),
        is_addressed: true,
        to_email: "lin@example.com".to_owned(),
        to_name: None,
        from_name: None,
        message: None,
        locale: "zh-CN".to_owned(),
        deliver_at: at(5),
        created_at: at(0),
        activated_at: Some(at(1)),
        delivered_at: Some(at(5)),
        code_end: None,
        expires_at: Some(at(100)),
        redeemed_at: None,
        redeemed_by: None,
        term_id: None,
        held_at: None,
        voided_at: None,
    }
}

fn plan() -> Plan {
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
        trial_days: 0,
        associate_seats: 0,
        created_at: at(0),
        archived_at: None,
        version: 1,
    }
}

fn membership(tier: TierId, state: Stored, ends_at: Option<DateTime<Utc>>) -> MembershipRow {
    MembershipRow {
        id: MembershipId::new(),
        account_id: AccountId::new(),
        tier_id: tier,
        plan_id: None,
        chapter_id: ChapterId::new(),
        state,
        starts_at: at(0),
        ends_at,
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    }
}

#[test]
fn plans_on_open_sale_are_given_and_not_to_oneself() {
    let to = |email: &str, deliver_at| Receiver {
        email: email.parse().unwrap(),
        name: None,
        message: None,
        deliver_at,
    };
    let ask = |plan: &Plan, to: Option<Receiver>| {
        may_sell("gift", plan, Some("Ada.B@gmail.com"), to.as_ref(), at(0)).map_err(|error| error.code)
    };
    assert_eq!(ask(&plan(), None), Ok(()));
    assert_eq!(ask(&plan(), Some(to("lin@example.com", Some(at(0) + AHEAD_MAX)))), Ok(()));
    let late = at(0) + AHEAD_MAX + TimeDelta::seconds(1);
    assert_eq!(ask(&plan(), Some(to("lin@example.com", Some(late)))), Err(Code::InvalidField));
    assert_eq!(ask(&plan(), Some(to("lin@example.com", Some(at(0))))), Err(Code::InvalidField));
    assert_eq!(ask(&plan(), Some(to("adab+gift@googlemail.com", None))), Err(Code::GiftToOneself));
    assert_eq!(ask(&Plan { open_sale: false, ..plan() }, None), Err(Code::PlanNotGiven));
    assert_eq!(ask(&Plan { archived_at: Some(at(0)), ..plan() }, None), Err(Code::UnknownPlan));
}

#[test]
fn it_is_redeemed_while_it_is_open() {
    let judged = |gift: GiftRow, day| may_redeem(&gift, at(day));
    assert_eq!(judged(gift(), 99), Ok(()));
    assert_eq!(judged(gift(), 100), Err(Code::GiftExpired));
    let (redeemed_by, term_id) = (Some(AccountId::new()), Some(TermId::new()));
    let redeemed = GiftRow { redeemed_at: Some(at(6)), redeemed_by, term_id, ..gift() };
    assert_eq!(judged(redeemed.clone(), 7), Err(Code::GiftRedeemed));
    assert_eq!(judged(GiftRow { voided_at: Some(at(7)), ..redeemed }, 7), Err(Code::GiftVoid));
    assert_eq!(judged(GiftRow { held_at: Some(at(6)), ..gift() }, 7), Err(Code::GiftHeld));
    assert_eq!(judged(GiftRow { delivered_at: None, ..gift() }, 7), Err(Code::GiftVoid));
    assert_eq!(judged(GiftRow { activated_at: None, ..gift() }, 7), Err(Code::GiftVoid));
}

#[test]
fn it_adds_to_what_one_has_and_takes_nothing_away() {
    let (tier, other) = (TierId::new(), TierId::new());
    let ask = |held: &[MembershipRow], day| may_receive(held, tier, false, at(day));
    let refused = |code, from| Err(Refusal { code, from });
    assert_eq!(ask(&[], 10), Ok(Joining::Anew));
    let own = |tier, ends_at| [membership(tier, Stored::Active, ends_at)];
    assert_eq!(ask(&own(tier, Some(at(20))), 10), Ok(Joining::Extends));
    assert_eq!(ask(&own(tier, Some(at(20))), 20), Ok(Joining::Extends), "grace");
    assert_eq!(ask(&own(tier, None), 10), refused(Code::AlreadyForLife, None));
    assert_eq!(ask(&own(other, Some(at(20))), 19), refused(Code::OtherTierRuns, Some(at(20))));
    assert_eq!(ask(&own(other, Some(at(20))), 20), Ok(Joining::Anew), "nothing of it is left to lose");
    assert_eq!(ask(&own(other, None), 10), refused(Code::AlreadyForLife, None));
    let frozen = [membership(tier, Stored::Frozen, Some(at(20)))];
    assert_eq!(ask(&frozen, 10), refused(Code::MembershipFrozen, None));
    let revoked = membership(tier, Stored::Revoked, Some(at(20)));
    assert_eq!(ask(std::slice::from_ref(&revoked), 10), refused(Code::MembershipRevoked, None));
    // Who has come back since is a member like others.
    let back = [membership(tier, Stored::Active, Some(at(30))), revoked.clone()];
    assert_eq!(ask(&back, 10), Ok(Joining::Extends));
    let over = [membership(tier, Stored::Expired, Some(at(5))), revoked];
    assert_eq!(ask(&over, 10), Ok(Joining::Anew));
    assert_eq!(may_receive(&[], tier, true, at(10)), refused(Code::MembershipOrderPending, None));
    let said = Refusal { code: Code::OtherTierRuns, from: Some(at(20)) }.error();
    assert!(said.errors[0].detail.contains("1970-01-21"), "{said:?}");
}

#[test]
fn it_expires_so_long_after_its_delivery_and_says_so_twice() {
    let valid = TimeDelta::days(365);
    assert_eq!(expires_at(&gift(), valid, at(1)), at(370), "delivered later than it was paid");
    assert_eq!(expires_at(&gift(), valid, at(6)), at(371), "paid later");
    assert_eq!(reminders(at(100), at(0)), [at(70), at(93)]);
    assert_eq!(reminders(at(100), at(70)), [at(93)]);
    assert!(reminders(at(100), at(93)).is_empty());
    assert_eq!((reminder_due(at(100), at(69)), reminder_due(at(100), at(70))), (None, Some(30)));
    assert_eq!((reminder_due(at(100), at(92)), reminder_due(at(100), at(93))), (Some(30), Some(7)));
    let held = GiftRow { held_at: Some(at(50)), ..gift() };
    assert_eq!(let_go_until(&held, at(60)), Some(at(110)));
    assert_eq!(let_go_until(&gift(), at(60)), Some(at(100)));
}
