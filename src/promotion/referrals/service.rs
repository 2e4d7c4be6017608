//! Referrals: recorded, followed, decided by operators; and the programme's settings.
//!
//! What happens to one happens under its order's row. Whoever changes what a referral depends on has it followed by a job
//! (`checkout::invited`), which looks at the order as it then stands: so it makes no difference how often, or in which order.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::dto::{OwnReferral, ProgrammeChange, ProgrammeView, ReferralView, RewardView};
use super::model::{self, Referral, ReferralState, RewardRow, Side};
use super::payout::{self, Caps, Terms};
use super::programme::{self, Programme, Reward};
use super::rules::{self, Bought, Decision, LOOK_AGAIN, Signal};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::points::rules::POINTS_MAX;
use crate::people::accounts::model as accounts;
use crate::promotion::campaigns::model::{UNLIMITED, set_capacity};
use crate::promotion::coupons::service::open_campaign;
use crate::types::id::{AccountId, OrderId, ReferralId};
use crate::types::money::Money;
use crate::types::patch::Patch;

/// Limits beyond these are slips of the keyboard.
const DAYS_MAX: i32 = 365;
const CAP_MAX: i32 = 1_000_000;
const TOTAL_MAX: i64 = 1_000_000_000;
const BUDGET_MAX: i64 = 100_000_000_000;

/// Somebody has invited a new buyer: the referral is recorded, and its caps are claimed. Once a friend, whatever account he
/// uses. One that can't count is recorded as refused, with the reason. The order's row is locked; locks pools.
///
/// # Errors
/// The database's.
pub async fn record(
    conn: &mut Conn,
    programme: &Programme,
    inviter: (AccountId, &str),
    bought: &Bought,
    signals: &[Signal],
    (day, now): (NaiveDate, DateTime<Utc>),
) -> Result<()> {
    let (inviter, code) = inviter;
    let Some(person_key) = bought.person.clone() else { return Ok(()) };
    let mut referral = Referral {
        id: ReferralId::new(),
        inviter_id: inviter,
        friend_id: bought.friend,
        person_key,
        order_id: bought.order,
        code: code.to_owned(),
        day,
        basis_minor: bought.basis_minor,
        minimum_minor: programme.minimum_minor,
        budget_minor: programme.budget_minor(),
        state: ReferralState::Pending,
        reason: None,
        signals: Vec::new(),
        released_at: None,
        address_hash: bought.address_hash.clone(),
        created_at: now,
        ended_at: None,
    };
    referral.note(signals);
    let counts = if signals.iter().any(|signal| signal.is_certain()) {
        Err("self_invitation")
    } else {
        claim(conn, programme, &referral).await?
    };
    let (state, reason) = match counts {
        Ok(()) => rules::standing(&referral, bought),
        Err(why) => (ReferralState::Refused, Some(why)),
    };
    referral.set(state, reason, now);
    let promised = promised(programme, &referral);
    let written = model::insert(conn, &referral, &promised).await?;
    if written && counts.is_ok() {
        payout::move_caps(conn, programme, &referral, Caps::Free, Caps::Held).await?;
    }
    Ok(())
}

/// What both sides are promised; where the referral is refused at once, nothing.
fn promised(programme: &Programme, referral: &Referral) -> Vec<RewardRow> {
    if !referral.state.is_open() {
        return Vec::new();
    }
    [(Side::Inviter, &programme.inviter_reward), (Side::Friend, &programme.friend_reward)]
        .into_iter()
        .filter_map(|(side, reward)| Some(RewardRow::promised(referral.id, side, reward.as_ref()?)))
        .collect()
}

/// Is there room for one more? Locks the pools; the inviter's are given the capacity that the programme has now.
async fn claim(
    conn: &mut Conn,
    programme: &Programme,
    referral: &Referral,
) -> Result<Result<(), &'static str>> {
    let [all, today] = programme::open_pools(conn, referral.inviter_id, referral.day).await?;
    let claimed = payout::claimed(programme, referral);
    let pools = claims::lock(conn, &claimed.map(|(pool, _)| pool)).await?;
    let left = |id| pools.iter().find(|pool| pool.id == id).map_or(0, claims::Pool::left);
    if left(programme.pool) < 1 || left(programme.budget_pool) < referral.budget_minor {
        return Ok(Err("programme_used_up"));
    }
    for (id, cap, why) in [
        (all, programme.per_inviter, "inviter_cap_reached"),
        (today, programme.per_inviter_day, "inviter_day_cap_reached"),
    ] {
        let Some(pool) = pools.iter().find(|pool| pool.id == id) else { continue };
        let claimed = pool.held + pool.taken;
        let capacity = cap.map_or(UNLIMITED, i64::from).max(claimed);
        if capacity != pool.capacity {
            set_capacity(conn, id, capacity).await?;
        }
        if capacity <= claimed {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

/// Brings a referral to where it belongs as its order stands: taken back, held, waiting or rewarded. When it is to be looked
/// at again; none where nothing is left to wait for. The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn follow(
    conn: &mut Conn,
    terms: &Terms,
    mut referral: Referral,
    bought: &Bought,
    signals: &[Signal],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    if matches!(referral.state, ReferralState::Refused | ReferralState::Reversed) {
        return Ok(None);
    }
    let programme = programme::load(conn).await?;
    if let Some(why) = rules::lost(&referral, bought) {
        payout::end(conn, &programme, &mut referral, ReferralState::Reversed, why, now).await?;
        return Ok(None);
    }
    if referral.state == ReferralState::Rewarded {
        return Ok(None);
    }
    let before = referral.clone();
    // What an operator saw when it was released counts no longer; what came to light since then does.
    let is_new = |signal: &&Signal| !before.signals.iter().any(|known| known == signal.as_str());
    if referral.released_at.is_none() || signals.iter().filter(is_new).any(|signal| signal.is_certain()) {
        referral.note(signals);
        if signals.iter().any(|signal| signal.is_certain()) {
            let why = "self_invitation";
            payout::end(conn, &programme, &mut referral, ReferralState::Refused, why, now).await?;
            return Ok(None);
        }
    }
    let (state, reason) = rules::standing(&referral, bought);
    referral.set(state, reason, now);
    if state == ReferralState::Held {
        if referral != before {
            model::store(conn, &referral).await?;
        }
        return Ok(Some(now + LOOK_AGAIN));
    }
    settle(conn, terms, &programme, referral, bought, now).await
}

/// Decides about one that is pending.
async fn settle(
    conn: &mut Conn,
    terms: &Terms,
    programme: &Programme,
    mut referral: Referral,
    bought: &Bought,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    if bought.final_at.is_none_or(|end| now < end) {
        model::store(conn, &referral).await?;
        return Ok(match rules::decide(bought.final_at, None, &[], now) {
            Decision::Wait(until, _) => Some(until),
            _ => Some(now + LOOK_AGAIN),
        });
    }
    payout::lock_caps(conn, programme, &referral).await?;
    let buyers = accounts::lock_buyers(conn, &[referral.inviter_id, referral.friend_id]).await?;
    let rewards = model::rewards_of(conn, &[referral.id]).await?;
    let ready = payout::readiness(conn, &referral, &rewards, &buyers, now).await?;
    match rules::decide(bought.final_at, referral.released_at, &ready, now) {
        Decision::Wait(until, why) => {
            referral.set(ReferralState::Pending, why, now);
            model::store(conn, &referral).await?;
            Ok(Some(until))
        }
        Decision::Refuse(why) => {
            payout::end(conn, programme, &mut referral, ReferralState::Refused, why, now).await?;
            Ok(None)
        }
        Decision::Reward(sides) => {
            let spared_minor = rules::spared_minor(&rewards, &sides);
            payout::spare(conn, programme, &mut referral, spared_minor).await?;
            payout::move_caps(conn, programme, &referral, Caps::Held, Caps::Taken).await?;
            payout::reward(conn, terms, &mut referral, rewards, &buyers, &sides, now).await?;
            Ok(None)
        }
    }
}

/// What an operator decides about a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What made it suspicious is fine: it goes on as if there were nothing.
    Release,
    /// It doesn't count.
    Refuse,
}

/// Decides about a referral whose order is locked. Twice does no more than once.
///
/// # Errors
/// `not_found`; `referral_decided` where there is nothing to decide.
pub async fn judge(
    conn: &mut Conn,
    actor: Actor,
    id: ReferralId,
    verdict: Verdict,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut referral = model::load(conn, id).await?;
    let action = match verdict {
        Verdict::Release if referral.released_at.is_some() => return Ok(()),
        Verdict::Release if referral.state == ReferralState::Held && !referral.signals.is_empty() => {
            referral.released_at = Some(now);
            model::store(conn, &referral).await?;
            "referral.release"
        }
        Verdict::Refuse if referral.reason.as_deref() == Some(BY_OPERATOR) => return Ok(()),
        Verdict::Refuse if referral.state.is_open() => {
            let programme = programme::load(conn).await?;
            let to = ReferralState::Refused;
            payout::end(conn, &programme, &mut referral, to, BY_OPERATOR, now).await?;
            "referral.refuse"
        }
        Verdict::Release | Verdict::Refuse => return Err(Code::ReferralDecided.error()),
    };
    let entry = Entry {
        actor,
        action,
        subject_kind: "referral",
        subject_id: id.to_string(),
        reason: Some(reason),
        detail: json!({ "signals": referral.signals }),
    };
    audit::record(conn, now, entry).await
}

/// Why a referral was refused: by an operator.
const BY_OPERATOR: &str = "operator";

/// Orders of a guest, which are locked, belong to this account from now on, and so does the referral that one of them made,
/// unless the account has come before or is the inviter's: then the referral loses its order. Tells the orders.
///
/// # Errors
/// The database's.
pub async fn adopt(conn: &mut Conn, orders: &[OrderId], by: AccountId) -> Result<Vec<OrderId>> {
    let referrals = model::of_orders(conn, orders).await?;
    for referral in &referrals {
        if referral.inviter_id != by && !model::has_come(conn, by, None).await? {
            model::set_friend(conn, referral.id, by).await?;
        }
    }
    Ok(referrals.iter().map(|referral| referral.order_id).collect())
}

/// A page of an account's referrals, as it may see them.
///
/// # Errors
/// The database's.
pub async fn own(conn: &mut Conn, referrals: Vec<Referral>, currency: &str) -> Result<Vec<OwnReferral>> {
    let ids: Vec<_> = referrals.iter().map(|referral| referral.id).collect();
    let friends: Vec<_> = referrals.iter().map(|referral| referral.friend_id).collect();
    let names = accounts::names_of(conn, &friends).await?;
    let rewards = model::rewards_of(conn, &ids).await?;
    let view = |referral: Referral| {
        let name = names.iter().find(|(id, _)| *id == referral.friend_id);
        let reward = rewards.iter().find(|row| row.referral_id == referral.id && row.side == Side::Inviter);
        let reward = reward.map(|row| RewardView::new(row, currency)).transpose()?;
        let friend = rules::masked(name.and_then(|(_, name)| name.as_deref()));
        Ok(OwnReferral::new(referral, friend, reward))
    };
    referrals.into_iter().map(view).collect()
}

/// Referrals as operators see them.
///
/// # Errors
/// The database's.
pub async fn views(conn: &mut Conn, referrals: Vec<Referral>, currency: &str) -> Result<Vec<ReferralView>> {
    let ids: Vec<_> = referrals.iter().map(|referral| referral.id).collect();
    let rewards = model::rewards_of(conn, &ids).await?;
    let view = |referral: Referral| {
        let of_it = rewards.iter().filter(|row| row.referral_id == referral.id);
        let views = of_it.map(|row| RewardView::new(row, currency)).collect::<Result<_>>()?;
        Ok(ReferralView::new(referral, views, currency))
    };
    referrals.into_iter().map(view).collect()
}

/// The programme, with how far its caps are used.
///
/// # Errors
/// The database's.
pub async fn show(conn: &mut Conn, of: Programme, currency: &str) -> Result<ProgrammeView> {
    let pools = claims::read(conn, &[of.pool, of.budget_pool]).await?;
    let find = |id| pools.iter().find(|pool| pool.id == id).copied();
    Ok(ProgrammeView::new(of.clone(), find(of.pool), find(of.budget_pool), currency))
}

/// Changes the programme. What referrals were promised before stays.
///
/// # Errors
/// `version_mismatch`, `invalid_field`, `amount_out_of_range`, `limit_below_uses`; those of a coupon's campaign.
pub async fn change(
    app: &App,
    actor: Actor,
    seen: IfMatch,
    asked: &ProgrammeChange,
) -> Result<ProgrammeView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    db::transaction(&app.pool, async |conn| {
        let before = programme::lock(conn).await?;
        seen.check(before.version)?;
        let after = changed(before, asked, currency, now)?;
        for (field, reward) in
            [("inviter_reward", &after.inviter_reward), ("friend_reward", &after.friend_reward)]
        {
            if let Some(Reward::Coupon { campaign }) = reward {
                let known = open_campaign(conn, *campaign).await;
                known.map_err(|error| match error.code {
                    Code::NotFound | Code::Closed | Code::InvalidField => Code::InvalidField
                        .at(field, "expected a campaign that needs codes and isn't archived"),
                    _ => error,
                })?;
            }
        }
        resize(conn, &after, asked, currency).await?;
        programme::store(conn, &after).await?;
        let view = show(conn, after, currency).await?;
        let detail = serde_json::to_value(&view).unwrap_or_default();
        let entry = Entry {
            actor,
            action: "referral_programme.change",
            subject_kind: "referral_programme",
            subject_id: "1".to_owned(),
            reason: None,
            detail,
        };
        audit::record(conn, now, entry).await?;
        Ok(view)
    })
    .await
}

fn changed(
    before: Programme,
    asked: &ProgrammeChange,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<Programme> {
    let dated = |field: &str, patch: &Patch<DateTime<Utc>>, old| match patch {
        Patch::Absent => Ok(old),
        Patch::Null => Ok(None),
        Patch::Value(at) => fields::dated(field, *at, now).map(Some),
    };
    let cap = |field: &str, patch: &Patch<i32>, old| match patch {
        Patch::Absent => Ok(old),
        Patch::Null => Ok(None),
        Patch::Value(cap) => fields::within(field, *cap, 1, CAP_MAX).map(Some),
    };
    let reward = |field: &str, patch: &Patch<Reward>, old| match patch {
        Patch::Absent => Ok(old),
        Patch::Null => Ok(None),
        Patch::Value(reward) => checked(field, reward, currency).map(Some),
    };
    let after = Programme {
        is_on: asked.is_on.unwrap_or(before.is_on),
        starts_at: dated("starts_at", &asked.starts_at, before.starts_at)?,
        ends_at: dated("ends_at", &asked.ends_at, before.ends_at)?,
        touch_days: match asked.touch_days {
            Some(days) => fields::within("touch_days", days, 1, DAYS_MAX)?,
            None => before.touch_days,
        },
        minimum_minor: match &asked.minimum_order {
            Some(money) => fields::price("minimum_order", money, currency)?,
            None => before.minimum_minor,
        },
        inviter_reward: reward("inviter_reward", &asked.inviter_reward, before.inviter_reward)?,
        friend_reward: reward("friend_reward", &asked.friend_reward, before.friend_reward)?,
        per_inviter_day: cap("caps.per_inviter_day", &asked.caps.per_inviter_day, before.per_inviter_day)?,
        per_inviter: cap("caps.per_inviter", &asked.caps.per_inviter, before.per_inviter)?,
        version: before.version + 1,
        ..before
    };
    if after.starts_at.zip(after.ends_at).is_some_and(|(start, end)| end <= start) {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    Ok(after)
}

fn checked(field: &str, reward: &Reward, currency: &str) -> Result<Reward> {
    match reward {
        Reward::Coupon { .. } => {}
        Reward::Credit { amount } => {
            let path = format!("{field}.amount");
            if fields::price(&path, amount, currency)? == 0 {
                return Err(Code::InvalidField.at(format!("{path}.amount"), "expected more than 0"));
            }
        }
        Reward::MembershipDays { days } => {
            fields::within(&format!("{field}.days"), *days, 1, DAYS_MAX)?;
        }
        Reward::Points { points } => {
            fields::within(&format!("{field}.points"), *points, 1, POINTS_MAX)?;
        }
    }
    Ok(reward.clone())
}

/// Gives the programme's pools the capacities that are asked for.
async fn resize(conn: &mut Conn, of: &Programme, asked: &ProgrammeChange, currency: &str) -> Result<()> {
    let total = match &asked.caps.total {
        Patch::Absent => None,
        Patch::Null => Some(UNLIMITED),
        Patch::Value(total) => Some(fields::within("caps.total", *total, 1, TOTAL_MAX)?),
    };
    let budget = match &asked.caps.budget {
        Patch::Absent => None,
        Patch::Null => Some(UNLIMITED),
        Patch::Value(money) => Some(budget(money, currency)?),
    };
    let pools = claims::lock(conn, &[of.pool, of.budget_pool]).await?;
    for (field, id, capacity) in [("caps.total", of.pool, total), ("caps.budget", of.budget_pool, budget)] {
        let Some(capacity) = capacity else { continue };
        let claimed = pools.iter().find(|pool| pool.id == id).map_or(0, |pool| pool.held + pool.taken);
        if capacity < claimed {
            return Err(Code::LimitBelowUses.at(field, format!("{claimed} are held or used")));
        }
        set_capacity(conn, id, capacity).await?;
    }
    Ok(())
}

fn budget(money: &Money, currency: &str) -> Result<i64> {
    if money.currency != currency {
        let why = format!("the shop's currency is {currency}");
        return Err(Code::InvalidField.at("caps.budget.currency", why));
    }
    fields::within("caps.budget.amount", money.amount, 0, BUDGET_MAX)
}
