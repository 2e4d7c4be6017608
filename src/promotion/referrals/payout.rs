//! Rewards given and taken back. The order's row is locked; locks pools, coupons, accounts, memberships, store credit and points,
//! in this order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::model::{self, Referral, ReferralState, RewardKind, RewardRow, RewardState, Side};
use super::programme::{Programme, inviter_pool};
use super::rules::{FRIEND_NOT_VERIFIED, INVITER_NOT_VERIFIED, Ready, masked};
use crate::checkout::claims;
use crate::checkout::credit::model::EntryKind;
use crate::checkout::credit::service::{self as credit, Grant};
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::loyalty::points;
use crate::loyalty::points::model::LotKind;
use crate::loyalty::walks::service as walks;
use crate::membership::memberships;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::campaigns::model::{self as campaigns, Campaign};
use crate::promotion::coupons::{model as coupons, service as coupon_service, uses};
use crate::types::id::{AccountId, CouponId, PoolId};

/// What of the shop a reward goes by.
#[derive(Clone, Debug)]
pub struct Terms {
    pub zone: Tz,
    pub currency: String,
}

/// Whether the caps of a referral are held or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caps {
    Held,
    Taken,
    /// Others can claim them.
    Free,
}

/// What a referral claims, by pool.
pub fn claimed(programme: &Programme, referral: &Referral) -> [(PoolId, i64); 4] {
    [
        (programme.pool, 1),
        (programme.budget_pool, referral.budget_minor),
        (inviter_pool(referral.inviter_id, None), 1),
        (inviter_pool(referral.inviter_id, Some(referral.day)), 1),
    ]
}

/// Locks the pools that a referral claims of.
///
/// # Errors
/// The database's.
pub async fn lock_caps(conn: &mut Conn, programme: &Programme, referral: &Referral) -> Result<()> {
    claims::lock(conn, &claimed(programme, referral).map(|(pool, _)| pool)).await?;
    Ok(())
}

/// Moves what a referral claims; its pools are locked.
///
/// # Errors
/// The database's.
pub async fn move_caps(
    conn: &mut Conn,
    programme: &Programme,
    referral: &Referral,
    from: Caps,
    to: Caps,
) -> Result<()> {
    let counted = |caps: Caps| match caps {
        Caps::Held => (1, 0),
        Caps::Taken => (0, 1),
        Caps::Free => (0, 0),
    };
    let ((held_before, taken_before), (held, taken)) = (counted(from), counted(to));
    let changes: BTreeMap<_, _> = claimed(programme, referral)
        .into_iter()
        .map(|(pool, quantity)| (pool, ((held - held_before) * quantity, (taken - taken_before) * quantity)))
        .collect();
    claims::shift(&mut &*conn, &changes).await?;
    Ok(())
}

/// What a side isn't given goes back into the budget. The referral's caps are held, and their pools locked.
///
/// # Errors
/// The database's.
pub async fn spare(
    conn: &mut Conn,
    programme: &Programme,
    referral: &mut Referral,
    spared_minor: i64,
) -> Result<()> {
    if spared_minor > 0 {
        claims::shift(&mut &*conn, &BTreeMap::from([(programme.budget_pool, (-spared_minor, 0))])).await?;
        referral.budget_minor -= spared_minor;
    }
    Ok(())
}

/// Whether each side could be given its reward now; the friend is among them in any case. The accounts are locked, and
/// `buyers` are those that aren't erased.
///
/// # Errors
/// The database's.
pub async fn readiness(
    conn: &mut Conn,
    referral: &Referral,
    rewards: &[RewardRow],
    buyers: &[Buyer],
    now: DateTime<Utc>,
) -> Result<Vec<(Side, Ready)>> {
    let mut ready = Vec::with_capacity(2);
    for side in [Side::Inviter, Side::Friend] {
        let reward = rewards.iter().find(|row| row.side == side);
        if side == Side::Inviter && reward.is_none() {
            continue;
        }
        let found = buyers.iter().find(|buyer| buyer.id == referral.account(side));
        ready.push((side, readiness_of(conn, side, reward, found, now).await?));
    }
    Ok(ready)
}

async fn readiness_of(
    conn: &mut Conn,
    side: Side,
    reward: Option<&RewardRow>,
    buyer: Option<&Buyer>,
    now: DateTime<Utc>,
) -> Result<Ready> {
    let Some(buyer) = buyer else { return Ok(Ready::Never) };
    if buyer.email_verified_at.is_none() {
        return Ok(Ready::NotYet(match side {
            Side::Inviter => INVITER_NOT_VERIFIED,
            Side::Friend => FRIEND_NOT_VERIFIED,
        }));
    }
    let Some(reward) = reward else { return Ok(Ready::Yes) };
    match reward.kind {
        RewardKind::Credit => Ok(Ready::Yes),
        RewardKind::Coupon if campaign_of(conn, reward, now).await?.is_some() => Ok(Ready::Yes),
        RewardKind::Coupon => Ok(Ready::NotYet("campaign_over")),
        RewardKind::MembershipDays if memberships::service::is_running(conn, buyer.id, now).await? => {
            Ok(Ready::Yes)
        }
        RewardKind::MembershipDays => Ok(Ready::NotYet("no_membership")),
        RewardKind::Points if points::programme::load(conn).await?.is_on => Ok(Ready::Yes),
        RewardKind::Points => Ok(Ready::NotYet("no_points")),
    }
}

/// The campaign of a coupon that can still be used.
async fn campaign_of(conn: &mut Conn, reward: &RewardRow, now: DateTime<Utc>) -> Result<Option<Campaign>> {
    let Some(id) = reward.campaign_id else { return Ok(None) };
    let campaign = campaigns::find(conn, id).await?;
    Ok(campaign.filter(|of| of.archived_at.is_none() && of.ends_at.is_none_or(|end| now < end)))
}

/// Gives these sides their rewards, each once, and mails them; what the others were promised is lost. Pools and accounts are
/// locked.
///
/// # Errors
/// The database's.
pub async fn reward(
    conn: &mut Conn,
    terms: &Terms,
    referral: &mut Referral,
    rewards: Vec<RewardRow>,
    buyers: &[Buyer],
    sides: &[Side],
    now: DateTime<Utc>,
) -> Result<()> {
    let (mut grants, mut earned) = (Vec::new(), Vec::new());
    let mut mailed = Vec::new();
    for mut row in rewards {
        let account = referral.account(row.side);
        let buyer = buyers.iter().find(|buyer| buyer.id == account).filter(|_| sides.contains(&row.side));
        let Some(buyer) = buyer else {
            row.state = RewardState::Forfeited;
            model::store_reward(conn, &row).await?;
            continue;
        };
        let names = give(conn, terms, account, &mut row, now).await?;
        if let Some(amount_minor) = row.amount_minor {
            grants.push(Grant {
                account,
                amount_minor,
                kind: EntryKind::Referral,
                cause: row.cause(),
                order: None,
                reason: None,
            });
        }
        if let Some(points) = row.points {
            earned.push(points::service::Grant {
                account,
                kind: LotKind::Referral,
                cause: row.cause(),
                points,
                level_points: points,
                order: None,
                reason: None,
            });
        }
        row.state = RewardState::Given;
        row.given_at = Some(now);
        model::store_reward(conn, &row).await?;
        mailed.extend(mail_to(terms, buyer, &row, names, friend_of(referral, row.side, buyers)));
    }
    credit::grant(conn, &grants, now).await?;
    if !earned.is_empty() {
        let of = points::service::Terms::load(conn, terms.zone).await?;
        points::service::grant(conn, &of, &earned, now).await?;
    }
    referral.set(ReferralState::Rewarded, None, now);
    model::store(conn, referral).await?;
    walks::touched(conn, &[referral.inviter_id], false, now).await?;
    mails::queue_all(conn, now, &mailed).await
}

/// What the inviter is told of the friend.
fn friend_of(referral: &Referral, side: Side, buyers: &[Buyer]) -> Option<String> {
    let friend = buyers.iter().find(|buyer| buyer.id == referral.friend_id)?;
    masked(friend.name.as_deref()).filter(|_| side == Side::Inviter)
}

/// Makes the coupon or the term; store credit and points are given to both together. The names of the campaign, in Chinese and English.
async fn give(
    conn: &mut Conn,
    terms: &Terms,
    account: AccountId,
    row: &mut RewardRow,
    now: DateTime<Utc>,
) -> Result<(String, String)> {
    match row.kind {
        RewardKind::Credit | RewardKind::Points => Ok(Default::default()),
        RewardKind::Coupon => {
            let campaign = campaign_of(conn, row, now).await?;
            let campaign =
                campaign.ok_or_else(|| AppError::internal("a coupon of a campaign that is over"))?;
            let id = CouponId::new();
            coupon_service::give(conn, &campaign, &[(id, account)], now).await?;
            row.coupon_id = Some(id);
            Ok((campaign.names.zh, campaign.names.en))
        }
        RewardKind::MembershipDays => {
            let days = row.days.and_then(|days| u32::try_from(days).ok()).unwrap_or(0);
            let term = memberships::service::lengthen(conn, account, days, now, terms.zone).await?;
            row.term_id = Some(term);
            Ok(Default::default())
        }
    }
}

fn mail_to(
    terms: &Terms,
    buyer: &Buyer,
    row: &RewardRow,
    (coupon_zh, coupon_en): (String, String),
    friend: Option<String>,
) -> Option<(Recipient, String, Mail)> {
    let to = Recipient { account: Some(buyer.id), address: buyer.email.clone()?, locale: buyer.locale };
    let mail = Mail::ReferralReward {
        side: row.side.as_str().to_owned(),
        friend,
        reward: row.kind.as_str().to_owned(),
        amount_minor: row.amount_minor.unwrap_or(0),
        currency: terms.currency.clone(),
        days: row.days.unwrap_or(0),
        points: row.points.unwrap_or(0),
        coupon_zh,
        coupon_en,
    };
    Some((to, row.cause(), mail))
}

/// Ends a referral: what was given is taken back, as far as it is still there, and what was promised is lost. Others can
/// claim its caps. Locks its pools, coupons and accounts.
///
/// # Errors
/// The database's.
pub async fn end(
    conn: &mut Conn,
    programme: &Programme,
    referral: &mut Referral,
    to: ReferralState,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    lock_caps(conn, programme, referral).await?;
    let rewards = model::rewards_of(conn, &[referral.id]).await?;
    let given: Vec<_> = rewards.iter().filter_map(|row| row.coupon_id).collect();
    coupons::lock(conn, &given).await?;
    accounts::lock_buyers(conn, &[referral.inviter_id, referral.friend_id]).await?;
    for mut row in rewards {
        row.state = match row.state {
            RewardState::Promised => RewardState::Forfeited,
            RewardState::Given => take_back(conn, referral.account(row.side), &row, now).await?,
            other => other,
        };
        model::store_reward(conn, &row).await?;
    }
    let from = if referral.state.is_open() { Caps::Held } else { Caps::Taken };
    move_caps(conn, programme, referral, from, Caps::Free).await?;
    walks::touched(conn, &[referral.inviter_id], true, now).await?;
    referral.set(to, Some(reason), now);
    referral.ended_at = Some(now);
    model::store(conn, referral).await
}

async fn take_back(
    conn: &mut Conn,
    account: AccountId,
    row: &RewardRow,
    now: DateTime<Utc>,
) -> Result<RewardState> {
    let is_back = match (row.coupon_id, row.amount_minor, row.term_id) {
        (Some(coupon), ..) => revoke(conn, row, coupon, now).await?,
        (None, Some(amount_minor), _) => {
            // What was spent is owed, and taken from what comes next.
            credit::claw_back(conn, account, amount_minor, &format!("{}:back", row.cause()), true, now)
                .await?;
            true
        }
        (None, None, Some(term)) => memberships::ending::take_back(conn, term, now).await?,
        (None, None, None) if row.points.is_some() => {
            // What was spent is owed.
            points::service::take_back(conn, account, &[row.cause()], now).await?;
            true
        }
        (None, None, None) => false,
    };
    Ok(if is_back { RewardState::TakenBack } else { RewardState::Spent })
}

/// The coupon can't be used any more. An order that holds or used it keeps it; false then.
async fn revoke(conn: &mut Conn, row: &RewardRow, coupon: CouponId, now: DateTime<Utc>) -> Result<bool> {
    let is_used = uses::taken(conn, &[coupon]).await?.contains_key(&coupon);
    if let Some(campaign) = row.campaign_id {
        coupons::revoke(conn, campaign, coupons::Which::One(coupon), 1, now).await?;
    }
    Ok(!is_used)
}
