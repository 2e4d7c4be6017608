use proptest::prelude::*;

use super::*;
use crate::promotion::campaigns::rules::{Conditions, Scope};
use crate::types::id::{CampaignId, ProductId};
use crate::types::locale::Names;
use crate::types::money::Money;

const PAYABLE: Payable<'_> = Payable { methods: &Method::ALL, least_minor: 0, credit_minor: 0, points: None };

fn yuan(minor: i64) -> Money {
    Money::new(minor, "CNY")
}

fn percent(percent: i64) -> Benefit {
    Benefit::Percentage { percent: Decimal::from(percent), cap: None }
}

fn campaign(class: Class, benefit: Benefit, combines_with: &[Class]) -> Campaign {
    Campaign {
        id: CampaignId::new(),
        code: "c".into(),
        names: Names::new("", ""),
        class,
        benefit,
        scope: Scope::default(),
        conditions: Conditions::default(),
        combines_with: combines_with.to_vec(),
        priority: 0,
        automatic: false,
        per_person: None,
        per_order: 1,
        per_day: None,
        pool: None,
        budget_pool: None,
        starts_at: None,
        ends_at: None,
        valid_days: None,
        on_repeat_card: Default::default(),
        created_at: "2014-09-01T00:00:00Z".parse().unwrap(),
        paused_at: None,
        archived_at: None,
        version: 1,
    }
}

fn candidate(campaign: &Campaign) -> Candidate<'_> {
    Candidate {
        campaign,
        asked: Some(0),
        coupon: None,
        is_single: false,
        refusal: None,
        uses_left: 1,
        budget_left_minor: None,
    }
}

fn goods(units: i64, minor: i64) -> CartLine<'static> {
    let (variant, product) = (VariantId::new(), ProductId::new());
    let sold = Sold::Article { variant, product, category: None, in_drop: false, is_reduced: false };
    CartLine { sold, units, minor }
}

fn ask(lines: &[CartLine<'_>], campaigns: &[&Campaign], fee: Option<i64>) -> Applied {
    let candidates: Vec<_> = campaigns.iter().map(|one| candidate(one)).collect();
    best(lines, &candidates, PAYABLE, |_| Ok(fee)).unwrap()
}

/// What is taken off each line, and off the shipping.
fn off(applied: &Applied, lines: usize) -> (Vec<i64>, i64) {
    let of_lines = (0..lines).map(|line| applied.off_line_minor(line)).collect();
    (of_lines, applied.uses.iter().map(|used| used.shipping_minor).sum())
}

#[test]
fn each_benefit_takes_what_it_says_and_never_more_than_the_price() {
    let lines = [goods(2, 20_000), goods(3, 1_001)];
    let product = |benefit| off(&ask(&lines, &[&campaign(Class::Product, benefit, &[])], None), 2).0;
    assert_eq!(product(percent(15)), [3_000, 150]);
    assert_eq!(product(percent(100)), [20_000, 1_001]);
    let capped = |minor| Benefit::Percentage { percent: Decimal::from(50), cap: Some(yuan(minor)) };
    // 10,000 and 501 (half away from zero): the cap is split by them.
    assert_eq!(product(capped(20_000)), [10_000, 501]);
    assert_eq!(product(capped(1_000)), [952, 48]);
    assert_eq!(product(Benefit::Amount { off: yuan(1_000) }), [952, 48]);
    assert_eq!(product(Benefit::Amount { off: yuan(99_999) }), [20_000, 1_001]);
    assert_eq!(product(Benefit::FixedPrice { price: yuan(300) }), [19_400, 101]);
    assert_eq!(product(Benefit::BuyGet { buy: 1, get: 1 }), [0, 667]);
    assert_eq!(product(Benefit::BuyGet { buy: 1, get: 4 }), [10_000, 1_001]);
    assert_eq!(product(Benefit::CheapestFree { of: 5 }), [0, 334]);
    let order = |benefit| off(&ask(&lines, &[&campaign(Class::Order, benefit, &[])], None), 2).0;
    // 3,150.15 of the whole, rounded once.
    assert_eq!(order(percent(15)), [3_000, 150]);
    assert_eq!(order(Benefit::Amount { off: yuan(1_000) }), [952, 48]);
}

#[test]
fn shipping_coupons_take_off_the_fee_that_is_left_to_pay() {
    let lines = [goods(1, 5_000)];
    let shipping = |benefit| {
        let applied = ask(&lines, &[&campaign(Class::Shipping, benefit, &[])], Some(1_200));
        (off(&applied, 1), applied.shipping_minor)
    };
    assert_eq!(shipping(percent(100)), ((vec![0], 1_200), Some(0)));
    assert_eq!(shipping(Benefit::Amount { off: yuan(500) }), ((vec![0], 500), Some(700)));
    assert_eq!(shipping(Benefit::FixedPrice { price: yuan(200) }), ((vec![0], 1_000), Some(200)));
    // Nothing is sent: nothing to take off.
    let free = campaign(Class::Shipping, percent(100), &[]);
    let applied = ask(&lines, &[&free], None);
    assert_eq!((applied.uses.len(), applied.refused), (0, vec![(0, Reason::NothingToTakeOff)]));
}

#[test]
fn a_discount_that_costs_free_shipping_is_not_used() {
    let lines = [goods(1, 10_000)];
    let little = campaign(Class::Product, Benefit::Amount { off: yuan(100) }, &[]);
    let candidates = [candidate(&little)];
    let fee = |lines: &[i64]| Ok(Some(if lines.iter().sum::<i64>() >= 10_000 { 0 } else { 1_200 }));
    let applied = best(&lines, &candidates, PAYABLE, fee).unwrap();
    assert_eq!((applied.uses.len(), applied.refused), (0, vec![(0, Reason::BetterWithout)]));
}

#[test]
fn both_must_agree_and_the_better_set_wins() {
    let lines = [goods(1, 10_000)];
    let fifth = campaign(Class::Product, percent(20), &[Class::Order]);
    let tenth = campaign(Class::Order, percent(10), &[Class::Product]);
    let stubborn = campaign(Class::Order, percent(25), &[]);
    assert_eq!(off(&ask(&lines, &[&fifth, &tenth], None), 1).0, [2_800]);
    let applied = ask(&lines, &[&fifth, &stubborn, &tenth], None);
    assert_eq!((off(&applied, 1).0, applied.refused), (vec![2_800], vec![(1, Reason::NotCombined)]));
    let applied = ask(&lines, &[&fifth, &stubborn], None);
    assert_eq!((off(&applied, 1).0, applied.refused), (vec![2_500], vec![(0, Reason::NotCombined)]));
    // Of equal ones that of higher priority, then the older one.
    let (first, second) =
        (campaign(Class::Order, percent(10), &[]), campaign(Class::Order, percent(10), &[]));
    assert_eq!(ask(&lines, &[&second, &first], None).uses[0].candidate, 1);
    let preferred = Campaign { priority: 1, ..second };
    assert_eq!(ask(&lines, &[&preferred, &first], None).uses[0].candidate, 0);
}

#[test]
fn budgets_and_uses_that_are_left_are_never_passed() {
    let lines = [goods(1, 10_000)];
    let tenth = campaign(Class::Product, percent(10), &[]);
    let with = |budget_left_minor| {
        let candidates = [Candidate { budget_left_minor, ..candidate(&tenth) }];
        best(&lines, &candidates, PAYABLE, |_| Ok(None)).unwrap()
    };
    assert_eq!(with(Some(1_000)).uses.len(), 1);
    assert_eq!(with(Some(999)).refused, [(0, Reason::BudgetUsedUp)]);
    // Two codes of one campaign share what is left.
    let twice = Campaign { combines_with: vec![Class::Product], ..tenth };
    let two = |uses_left, budget_left_minor| {
        let one = Candidate { uses_left, budget_left_minor, ..candidate(&twice) };
        let other = Candidate { coupon: Some(CouponId::new()), ..one };
        best(&lines, &[one, other], PAYABLE, |_| Ok(None)).unwrap().uses.len()
    };
    assert_eq!([two(2, None), two(1, None), two(2, Some(1_900)), two(2, Some(1_899))], [2, 1, 2, 1]);
}

#[test]
fn what_leaves_too_little_or_no_method_is_no_set() {
    let lines = [goods(1, 1_000)];
    let off = |minor| campaign(Class::Product, Benefit::Amount { off: yuan(minor) }, &[Class::Order]);
    let ask = |campaigns: &[&Campaign]| {
        let candidates: Vec<_> = campaigns.iter().map(|one| candidate(one)).collect();
        let payable = Payable { methods: &Method::ALL, least_minor: 400, credit_minor: 0, points: None };
        let applied = best(&lines, &candidates, payable, |_| Ok(None)).unwrap();
        (applied.uses.len(), applied.refused)
    };
    assert_eq!(ask(&[&off(600)]), (1, vec![]));
    assert_eq!(ask(&[&off(601)]), (0, vec![(0, Reason::TooLittleLeft)]));
    assert_eq!(ask(&[&off(1_000)]), (1, vec![]));
    let by = |class, with: &[Class], method: &str| {
        let mut one = campaign(class, percent(10), with);
        one.conditions.payment_methods = vec![method.to_owned()];
        one
    };
    let one = by(Class::Product, &[Class::Order], "alipay");
    let other = by(Class::Order, &[Class::Product], "wechat_pay");
    assert_eq!(ask(&[&one, &other]).0, 1);
}

fn any_class() -> impl Strategy<Value = Class> {
    (0..Class::ALL.len())
        .prop_map(|index| Class::ALL[index])
        .prop_filter("goods", |class| *class != Class::GiftItem)
}

fn any_benefit() -> impl Strategy<Value = Benefit> {
    prop_oneof![
        (1_i64..=100).prop_map(percent),
        (1_i64..=100, 0_i64..2_000).prop_map(|(percent, cap)| Benefit::Percentage {
            percent: Decimal::from(percent),
            cap: Some(yuan(cap + 1)),
        }),
        (1_i64..20_000).prop_map(|minor| Benefit::Amount { off: yuan(minor) }),
        (0_i64..5_000).prop_map(|minor| Benefit::FixedPrice { price: yuan(minor) }),
        (1_i64..3, 1_i64..3).prop_map(|(buy, get)| Benefit::BuyGet { buy, get }),
        (2_i64..4).prop_map(|of| Benefit::CheapestFree { of }),
    ]
}

proptest! {
    #[test]
    fn no_price_is_passed_no_order_matters_and_nobody_pays_more(
        lines in prop::collection::vec((1_i64..6, 0_i64..10_000), 1..5),
        rules in prop::collection::vec(
            (any_class(), any_benefit(), prop::collection::vec(any_class(), 0..4), prop::option::of(1_i64..3_000)),
            0..5,
        ),
        fee in prop::option::of(0_i64..2_000),
    ) {
        let lines: Vec<_> = lines.into_iter().map(|(units, price)| goods(units, units * price)).collect();
        let campaigns: Vec<_> =
            rules.iter().map(|(class, benefit, with, _)| campaign(*class, benefit.clone(), with)).collect();
        let mut candidates: Vec<_> = campaigns
            .iter()
            .zip(&rules)
            .map(|(one, (.., budget))| Candidate { budget_left_minor: *budget, ..candidate(one) })
            .collect();
        let ask = |candidates: &[Candidate<'_>]| best(&lines, candidates, PAYABLE, |_| Ok(fee)).unwrap();
        let due = |applied: &Applied| -> i64 {
            let lines: i64 =
                lines.iter().enumerate().map(|(index, line)| line.minor - applied.off_line_minor(index)).sum();
            lines + applied.shipping_minor.unwrap_or(0)
        };
        let applied = ask(&candidates);
        for (index, line) in lines.iter().enumerate() {
            prop_assert!((0..=line.minor).contains(&applied.off_line_minor(index)));
            prop_assert!(applied.uses.iter().all(|used| used.lines_minor[index] >= 0));
        }
        prop_assert!(applied.shipping_minor.unwrap_or(0) >= 0);
        prop_assert_eq!(applied.uses.len() + applied.refused.len(), candidates.len());
        for used in &applied.uses {
            let budget = candidates[used.candidate].budget_left_minor;
            prop_assert!(used.total_minor() > 0 && budget.is_none_or(|left| used.total_minor() <= left));
        }
        // Each of them alone, and none, costs as much at least.
        prop_assert!(due(&applied) <= due(&ask(&[])));
        for one in &candidates {
            prop_assert!(due(&applied) <= due(&ask(std::slice::from_ref(one))));
        }
        candidates.reverse();
        prop_assert_eq!(due(&ask(&candidates)), due(&applied));
    }
}
