use chrono_tz::Asia::Shanghai;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::loyalty::metrics::rules::Metric;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn spend(minor: i64) -> Value {
    json!({ "metric": "spend", "amount": minor, "window": "P1Y" })
}

fn level(code: &str, rank: i32, enter: i64, keep: Option<i64>) -> Level {
    let read = |minor: i64| serde_json::from_value(spend(minor)).unwrap();
    Level {
        id: LevelId::new(),
        code: code.to_owned(),
        rank,
        names: Names::new(code, code),
        enter: Some(read(enter)),
        keep: keep.map(read),
        review: "P1Y".parse().unwrap(),
        warn_days: 30,
        grace_days: 0,
        drops: Drops::ToFit,
        welcome_points: 0,
        role: None,
        created_at: DateTime::UNIX_EPOCH,
        archived_at: None,
        version: 1,
    }
}

fn three() -> Levels {
    Levels::new(vec![
        level("gold", 30, 500, Some(300)),
        level("silver", 10, 100, None),
        level("jade", 20, 200, Some(150)),
    ])
}

fn spent(minor: i64) -> Figures {
    let measure = Measure { metric: Metric::Spend, window: Some("P1Y".parse().unwrap()) };
    Figures { counted: vec![(measure, minor)], level_rank: None }
}

fn code(levels: &Levels, held: Option<Held>) -> Option<&str> {
    held.and_then(|held| levels.find(held.level)).map(|level| level.code.as_str())
}

const NOW: &str = "2026-03-01T04:00:00Z";

fn raise(levels: &Levels, held: Option<&Held>, minor: i64) -> Option<Held> {
    levels.raised(held, &spent(minor), (at(NOW), Shanghai))
}

#[test]
fn the_highest_level_that_is_reached_is_held_at_once_and_never_a_lower_one() {
    let levels = three();
    let reached: Vec<_> =
        [99, 100, 199, 200, 499, 500].map(|minor| code(&levels, raise(&levels, None, minor))).to_vec();
    let (silver, jade) = (Some("silver"), Some("jade"));
    assert_eq!(reached, [None, silver, silver, jade, jade, Some("gold")]);
    let jade = raise(&levels, None, 200).unwrap();
    assert_eq!(raise(&levels, Some(&jade), 100), None);
    assert_eq!(raise(&levels, Some(&jade), 200), None);
    assert_eq!(code(&levels, raise(&levels, Some(&jade), 500)), Some("gold"));
    assert_eq!((jade.since, jade.judged_by), (at(NOW), JudgedBy::Enter));
    assert_eq!((jade.due_at, jade.warn_at), (at("2027-03-01T04:00:00Z"), Some(at("2027-01-30T04:00:00Z"))));
}

#[test]
fn a_review_keeps_by_the_criteria_to_keep_until_the_next_anniversary() {
    let levels = three();
    let gold = raise(&levels, None, 500).unwrap();
    let (kind, kept) = levels.reviewed(&gold, &spent(300), Shanghai);
    let kept = kept.unwrap();
    assert_eq!((kind, code(&levels, Some(kept))), (LevelChangeKind::Kept, Some("gold")));
    assert_eq!((kept.since, kept.due_at), (gold.since, at("2028-03-01T04:00:00Z")));
    assert_eq!((kept.judged_at, kept.judged_by), (gold.due_at, JudgedBy::Keep));
    // Reached on a 29 February, reviewed on the 28th, and on the 29th where there is one.
    let leap = Held { since: at("2024-02-29T04:00:00Z"), due_at: at("2027-02-28T04:00:00Z"), ..gold };
    let (_, kept) = levels.reviewed(&leap, &spent(300), Shanghai);
    assert_eq!(kept.unwrap().due_at, at("2028-02-29T04:00:00Z"));
}

#[test]
fn a_review_that_fails_leads_to_what_fits_or_one_down() {
    let mut levels = three();
    let gold = raise(&levels, None, 500).unwrap();
    let fall = |levels: &Levels, minor| {
        let (kind, held) = levels.reviewed(&gold, &spent(minor), Shanghai);
        (kind, held.and_then(|held| code(levels, Some(held)).map(str::to_owned)))
    };
    let dropped = |to: Option<&str>| (LevelChangeKind::Dropped, to.map(str::to_owned));
    assert_eq!(fall(&levels, 299), dropped(Some("jade")));
    assert_eq!(fall(&levels, 149), dropped(Some("silver")));
    assert_eq!(fall(&levels, 99), dropped(None));
    levels.all.iter_mut().for_each(|level| level.drops = Drops::OneDown);
    assert_eq!(fall(&levels, 0), dropped(Some("jade")));
    let (_, jade) = levels.reviewed(&gold, &spent(0), Shanghai);
    let jade = jade.unwrap();
    assert_eq!((jade.since, jade.due_at), (gold.due_at, at("2028-03-01T04:00:00Z")));
    // It was given by no criteria: nothing that goes back corrects it.
    assert_eq!(levels.corrected(&jade, &judgement(&jade, 200, None), &spent(0), Shanghai), None);
}

#[test]
fn grace_is_one_more_chance() {
    let mut levels = three();
    levels.all.iter_mut().for_each(|level| level.grace_days = 14);
    let gold = raise(&levels, None, 500).unwrap();
    let (kind, grace) = levels.reviewed(&gold, &spent(0), Shanghai);
    let grace = grace.unwrap();
    assert_eq!((kind, code(&levels, Some(grace))), (LevelChangeKind::Grace, Some("gold")));
    assert_eq!((grace.due_at, grace.in_grace, grace.warn_at), (at("2027-03-15T04:00:00Z"), true, None));
    let (kind, kept) = levels.reviewed(&grace, &spent(300), Shanghai);
    let kept = kept.unwrap();
    // The anniversaries stay where they were.
    assert_eq!(
        (kind, kept.due_at, kept.in_grace),
        (LevelChangeKind::Kept, at("2028-03-01T04:00:00Z"), false)
    );
    let (kind, held) = levels.reviewed(&grace, &spent(0), Shanghai);
    assert_eq!((kind, held), (LevelChangeKind::Dropped, None));
}

fn judgement(held: &Held, minor: i64, before: Option<Held>) -> Judgement {
    let criteria = serde_json::from_value(spend(minor)).unwrap();
    Judgement { level: held.level, judged_at: held.judged_at, criteria, before }
}

#[test]
fn who_was_raised_by_what_went_back_has_what_he_had_before() {
    let mut levels = three();
    let jade = raise(&levels, None, 200).unwrap();
    let gold = Held { since: at("2026-05-01T04:00:00Z"), ..raise(&levels, Some(&jade), 500).unwrap() };
    let from_jade = judgement(&gold, 500, Some(jade));
    assert_eq!(levels.corrected(&gold, &from_jade, &spent(500), Shanghai), None);
    // His year goes on, whatever it takes to enter it now.
    assert_eq!(levels.corrected(&gold, &from_jade, &spent(0), Shanghai), Some(Some(jade)));
    let from_none = judgement(&gold, 500, None);
    assert_eq!(levels.corrected(&gold, &from_none, &spent(499), Shanghai), Some(None));
    // By the rules of then: who fits them keeps what he has, whatever they are now.
    levels.all.iter_mut().for_each(|level| level.enter = Some(serde_json::from_value(spend(9_000)).unwrap()));
    assert_eq!(levels.corrected(&gold, &from_jade, &spent(500), Shanghai), None);
    let grace = Held { in_grace: true, ..gold };
    assert_eq!(levels.corrected(&grace, &from_jade, &spent(0), Shanghai), None);
}

#[test]
fn who_kept_a_level_by_what_went_back_has_what_that_review_leads_to() {
    let levels = three();
    let gold = raise(&levels, None, 500).unwrap();
    let (_, kept) = levels.reviewed(&gold, &spent(300), Shanghai);
    let kept = kept.unwrap();
    let by = judgement(&kept, 300, None);
    let corrected = |minor| levels.corrected(&kept, &by, &spent(minor), Shanghai);
    assert_eq!(corrected(300), None);
    let jade = corrected(299).unwrap().unwrap();
    assert_eq!((code(&levels, Some(jade)), jade.since), (Some("jade"), gold.due_at));
    assert_eq!(corrected(0), Some(None));
}

#[test]
fn an_archived_level_is_neither_reached_nor_kept() {
    let mut levels = three();
    let gold = raise(&levels, None, 500).unwrap();
    levels.all.last_mut().unwrap().archived_at = Some(at(NOW));
    assert_eq!(code(&levels, raise(&levels, None, 500)), Some("jade"));
    let (kind, held) = levels.reviewed(&gold, &spent(500), Shanghai);
    assert_eq!((kind, code(&levels, held)), (LevelChangeKind::Dropped, Some("jade")));
}

#[test]
fn a_level_without_criteria_is_only_given() {
    let mut levels = three();
    levels.all.last_mut().unwrap().enter = None;
    levels.all.last_mut().unwrap().keep = None;
    assert_eq!(code(&levels, raise(&levels, None, i64::MAX)), Some("jade"));
}

proptest! {
    /// Over any years: nobody falls between reviews, each falls on a review's day alone, and a review is always ahead.
    #[test]
    fn nobody_falls_between_reviews(years in prop::collection::vec((0_i64..700, 0_i64..700), 1..12), grace in 0_i32..40) {
        let mut levels = three();
        levels.all.iter_mut().for_each(|level| level.grace_days = grace);
        let (mut now, mut held): (_, Option<Held>) = (at(NOW), None);
        let rank = |held: &Option<Held>| held.and_then(|held| levels.find(held.level)).map_or(0, |level| level.rank);
        for (bought, left) in years {
            if let Some(raised) = levels.raised(held.as_ref(), &spent(bought), (now, Shanghai)) {
                prop_assert!(levels.find(raised.level).unwrap().rank > rank(&held));
                prop_assert!(raised.due_at > now);
                held = Some(raised);
            }
            // What is enough to enter is held, or more.
            let reached = levels.open().rev().find(|level| is_met(level.to_enter(), &spent(bought)));
            prop_assert!(reached.map_or(0, |level| level.rank) <= rank(&held));
            let Some(before) = held else { continue };
            let (kind, after) = levels.reviewed(&before, &spent(left), Shanghai);
            now = before.due_at;
            match kind {
                LevelChangeKind::Kept | LevelChangeKind::Grace => prop_assert_eq!(rank(&after), rank(&held)),
                _ => prop_assert!(rank(&after) < rank(&held)),
            }
            prop_assert_eq!(kind == LevelChangeKind::Grace, after.is_some_and(|held| held.in_grace));
            if let Some(after) = after {
                prop_assert!(after.due_at > now);
                prop_assert!(after.warn_at.is_none_or(|warn| warn < after.due_at));
            }
            held = after;
        }
    }
}
