//! Pledges in step with their orders, and the decision.
//!
//! A goal's row is locked by whoever moves its sums and by whoever decides it, after pools and accounts. So each settlement
//! is either before the decision, and counted, or after it, and treated by it; there is nothing in between.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::checkout::orders::model::LineRow;
use crate::checkout::shipments::promises;
use crate::checkout::shipments::rules::ship_by;
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job};
use crate::shop::crowdfunding::model::{self, Decision, Goal};
use crate::shop::crowdfunding::rules::{self, Verdict};
use crate::shop::drops::model as drops;
use crate::types::id::{DropId, OrderId};

/// The drops in which these lines were bought.
fn drops_of(lines: &[LineRow]) -> Vec<DropId> {
    lines.iter().filter_map(|line| line.drop_id).collect()
}

/// Is the money of an order with these lines to go back, because their goal was missed before it came? Locks the goal: what
/// is settled under this lock is counted by a decision that comes after it.
///
/// # Errors
/// The database's.
pub async fn are_missed(conn: &mut Conn, lines: &[LineRow]) -> Result<bool> {
    for drop in drops_of(lines) {
        if model::lock(conn, drop).await?.is_some_and(|goal| goal.is_missed()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Were any of these lines bought in a drop that is crowdfunded? A drop has its goal from the start.
///
/// # Errors
/// The database's.
pub async fn have_goals(conn: &mut Conn, lines: &[LineRow]) -> Result<bool> {
    Ok(!goals_among(conn, &drops_of(lines)).await?.is_empty())
}

/// Those of these drops that are crowdfunded.
///
/// # Errors
/// The database's.
pub async fn goals_among(conn: &mut Conn, drops: &[DropId]) -> Result<HashSet<DropId>> {
    if drops.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(model::of_drops(conn, drops).await?.into_iter().map(|(drop, _)| drop).collect())
}

/// Brings an order's pledge, where it is one, in step with its line: after a settlement, a refund, and a refund that failed.
/// The order's row is locked, and its pools where they are touched at all.
///
/// # Errors
/// The database's.
pub async fn follow(conn: &mut Conn, order: OrderId, lines: &[LineRow], now: DateTime<Utc>) -> Result<()> {
    if drops_of(lines).is_empty() {
        return Ok(());
    }
    let Some(pledge) = model::of_order(conn, order).await? else { return Ok(()) };
    let goal = model::lock(conn, pledge.drop).await?;
    let goal = goal.ok_or_else(|| AppError::internal("a pledge without a goal"))?;
    let weight = rules::weight(pledge.sold);
    if weight != (pledge.units, pledge.minor) {
        let (counted, counts) = (i64::from(pledge.units > 0), i64::from(weight.0 > 0));
        let is_same = counted == counts || model::backs_otherwise(conn, &pledge).await?;
        model::weigh(conn, &pledge, weight, if is_same { 0 } else { counts - counted }).await?;
    }
    // Also where the weight stays: shipping, which no goal counts, comes back to the order when its refund fails.
    let is_owed = |decision: &Decision| pledge.is_owed(decision.outcome, weight.0);
    if goal.decision.as_ref().is_some_and(is_owed) {
        jobs::enqueue(conn, &Job::ConcludeGoal { drop: pledge.drop }, now, now).await?;
    }
    Ok(())
}

/// From when on goods that were paid now can be sent that were bought in these drops: from the end of those that are crowdfunded.
/// The others wait for no goal.
///
/// # Errors
/// The database's.
pub async fn ready_at(conn: &mut Conn, bought_in: &[DropId]) -> Result<HashMap<DropId, DateTime<Utc>>> {
    let funded: Vec<_> = goals_among(conn, bought_in).await?.into_iter().collect();
    if funded.is_empty() {
        return Ok(HashMap::new());
    }
    let found = drops::load(conn, &funded).await?;
    Ok(found.iter().map(|drop| (drop.id, rules::ends_at(drop))).collect())
}

/// Promises the backers of a drop anew by when their goods are sent: counted from the end of its window, as it is now. What
/// was sent, or needs no sending any more, stays as it is. Under the goal's lock, which who pays takes too.
///
/// # Errors
/// The database's.
pub async fn move_promises(conn: &mut Conn, id: DropId, ship_within: TimeDelta) -> Result<()> {
    if model::lock(conn, id).await?.is_none() {
        return Ok(());
    }
    let drop = drops::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let ends_at = rules::ends_at(&drop);
    let open = promises::open_of_drop(conn, id).await?;
    let moved = open.into_iter().map(|open| {
        let ready_at = open.ships_from.map_or(ends_at, |from| from.max(ends_at));
        (open.order, ship_by(open.paid_at, Some(ready_at), ship_within))
    });
    promises::set(conn, &moved.collect::<Vec<_>>()).await
}

/// The drops of these lines whose goods aren't sent yet, because their goal isn't reached.
///
/// # Errors
/// The database's.
pub async fn unreached(conn: &mut Conn, lines: &[LineRow]) -> Result<HashSet<DropId>> {
    let mut drops = drops_of(lines);
    drops.sort_unstable();
    drops.dedup();
    if drops.is_empty() {
        return Ok(HashSet::new());
    }
    let goals = model::of_drops(conn, &drops).await?;
    Ok(goals.into_iter().filter(|(_, goal)| !goal.is_reached()).map(|(drop, _)| drop).collect())
}

/// Decides a drop's goal if it is time, once. None: it is decided; else when to look again.
///
/// # Errors
/// The database's.
pub async fn decide(conn: &mut Conn, id: DropId, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    // Under the locks of its pools nobody is ordering in it.
    let drop = drops::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let pools: Vec<_> = drop.items.iter().map(|item| item.pool).collect();
    claims::lock(conn, &pools).await?;
    let Some(goal) = model::lock(conn, id).await?.filter(|goal| goal.decision.is_none()) else {
        return Ok(None);
    };
    // Who changes the window locks the goal: read again.
    let drop = drops::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let has_open_holds = model::has_open_holds(conn, id).await?;
    let outcome = match rules::judge(&goal, rules::ends_at(&drop), has_open_holds, now) {
        Verdict::Wait(at) => return Ok(Some(at)),
        Verdict::Decide(outcome) => outcome,
    };
    let decision = Decision { outcome, decided_at: now, figures: goal.pledged };
    model::decide(conn, id, &decision).await?;
    jobs::enqueue(conn, &Job::ConcludeGoal { drop: id }, now, now).await?;
    record(conn, id, &goal, &decision).await?;
    Ok(None)
}

async fn record(conn: &mut Conn, id: DropId, goal: &Goal, decision: &Decision) -> Result<()> {
    let figures = decision.figures;
    let entry = Entry {
        actor: Actor::System,
        action: "goal.decide",
        subject_kind: "drop",
        subject_id: id.to_string(),
        reason: Some(decision.outcome.as_str()),
        detail: json!({
            "counts": goal.counts.as_str(), "goal": goal.goal, "units": figures.units,
            "amount_minor": figures.minor, "backers": figures.backers,
        }),
    };
    audit::record(conn, decision.decided_at, entry).await
}
