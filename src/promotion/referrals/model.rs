//! Rows of referrals and of their rewards. A referral changes only while the row of its order is locked.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::Signal;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Code, Result};
use crate::promotion::referrals::programme::Reward;
use crate::schema::{referral_rewards, referrals};
use crate::types::id::{AccountId, CampaignId, CouponId, OrderId, ReferralId, TermId};
use crate::types::money::Money;
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a referral stands.
    ReferralState {
        /// It counts; its rewards wait for the end of the friend's return window.
        Pending = "pending",
        /// An operator looks at it, or the friend's payment is disputed.
        Held = "held",
        Rewarded = "rewarded",
        /// It never counted: `reason` says why.
        Refused = "refused",
        /// It counted until the friend's money went back: `reason` says how.
        Reversed = "reversed",
    }
}

impl ReferralState {
    /// Nothing is decided yet, and its caps are held.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Held)
    }
}

stored_enum! {
    /// Of the two that a referral names.
    Side as "ReferralSide" {
        Inviter = "inviter",
        Friend = "friend",
    }
}

stored_enum! {
    /// What became of a side's reward.
    RewardState as "ReferralRewardState" {
        Promised = "promised",
        Given = "given",
        /// It was never given.
        Forfeited = "forfeited",
        TakenBack = "taken_back",
        /// It was used before it could be taken back.
        Spent = "spent",
    }
}

stored_enum! {
    /// What kind of reward it is.
    RewardKind as "ReferralRewardKind" {
        Coupon = "coupon",
        Credit = "credit",
        MembershipDays = "membership_days",
        Points = "points",
    }
}

/// Who brought whom.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = referrals)]
pub struct Referral {
    pub id: ReferralId,
    pub inviter_id: AccountId,
    pub friend_id: AccountId,
    /// The friend's, as it was when he bought.
    pub person_key: String,
    /// The friend's first paid order.
    pub order_id: OrderId,
    /// As it was given.
    pub code: String,
    /// The shop's, on which it counts for the caps.
    pub day: NaiveDate,
    /// What the order came to, without shipping.
    pub basis_minor: i64,
    pub minimum_minor: i64,
    /// Store credit that is promised to both; less what a side lost, once the other one was rewarded.
    pub budget_minor: i64,
    pub state: ReferralState,
    pub reason: Option<String>,
    /// As [`Signal`] writes them.
    pub signals: Vec<String>,
    /// An operator has looked at the signals and lets it pass.
    pub released_at: Option<DateTime<Utc>>,
    pub address_hash: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Referral {
    /// The account of a side.
    pub fn account(&self, side: Side) -> AccountId {
        match side {
            Side::Inviter => self.inviter_id,
            Side::Friend => self.friend_id,
        }
    }

    /// Puts it where it stands from now on.
    pub fn set(&mut self, state: ReferralState, reason: Option<&str>, now: DateTime<Utc>) {
        self.state = state;
        self.reason = reason.map(str::to_owned);
        self.ended_at = if state.is_open() { None } else { self.ended_at.or(Some(now)) };
    }

    /// Adds signals that it doesn't have yet.
    pub fn note(&mut self, signals: &[Signal]) {
        for signal in signals.iter().map(|signal| signal.as_str()) {
            if !self.signals.iter().any(|known| known == signal) {
                self.signals.push(signal.to_owned());
            }
        }
    }
}

/// What a side was promised, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = referral_rewards)]
pub struct RewardRow {
    pub referral_id: ReferralId,
    pub side: Side,
    pub kind: RewardKind,
    pub campaign_id: Option<CampaignId>,
    pub amount_minor: Option<i64>,
    pub days: Option<i32>,
    pub state: RewardState,
    pub coupon_id: Option<CouponId>,
    pub term_id: Option<TermId>,
    pub given_at: Option<DateTime<Utc>>,
    pub points: Option<i64>,
}

impl RewardRow {
    /// A reward that is promised now.
    pub fn promised(referral: ReferralId, side: Side, reward: &Reward) -> Self {
        let nothing = Self {
            referral_id: referral,
            side,
            kind: RewardKind::Coupon,
            campaign_id: None,
            amount_minor: None,
            days: None,
            points: None,
            state: RewardState::Promised,
            coupon_id: None,
            term_id: None,
            given_at: None,
        };
        match reward {
            Reward::Coupon { campaign } => Self { campaign_id: Some(*campaign), ..nothing },
            Reward::Credit { amount } => {
                Self { kind: RewardKind::Credit, amount_minor: Some(amount.amount), ..nothing }
            }
            Reward::MembershipDays { days } => {
                Self { kind: RewardKind::MembershipDays, days: Some(*days), ..nothing }
            }
            Reward::Points { points } => Self { kind: RewardKind::Points, points: Some(*points), ..nothing },
        }
    }

    /// What it is.
    ///
    /// # Errors
    /// Never in practice: a CHECK keeps other rows out.
    pub fn reward(&self, currency: &str) -> Result<Reward> {
        match (self.campaign_id, self.amount_minor, self.days, self.points) {
            (Some(campaign), None, None, None) => Ok(Reward::Coupon { campaign }),
            (None, Some(minor), None, None) => Ok(Reward::Credit { amount: Money::new(minor, currency) }),
            (None, None, Some(days), None) => Ok(Reward::MembershipDays { days }),
            (None, None, None, Some(points)) => Ok(Reward::Points { points }),
            _ => Err(AppError::internal("a reward that is nothing, or two things")),
        }
    }

    /// The cause under which store credit or points are given: the same one never pays twice.
    pub fn cause(&self) -> String {
        format!("referral:{}:{}", self.referral_id, self.side.as_str())
    }
}

/// Writes a referral with its rewards, unless its friend, his person or the order has one: then false.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, referral: &Referral, rewards: &[RewardRow]) -> Result<bool> {
    let written =
        diesel::insert_into(referrals::table).values(referral).on_conflict_do_nothing().execute(conn).await?;
    if written == 1 {
        diesel::insert_into(referral_rewards::table).values(rewards).execute(conn).await?;
    }
    Ok(written == 1)
}

/// Has this account, or this person, come by an invitation already?
///
/// # Errors
/// The database's.
pub async fn has_come(conn: &mut Conn, friend: AccountId, person: Option<&str>) -> Result<bool> {
    let query = referrals::table
        .filter(referrals::friend_id.eq(friend).or(referrals::person_key.eq(person.unwrap_or_default())));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// The referral that an order made.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Option<Referral>> {
    let query = referrals::table.filter(referrals::order_id.eq(order)).select(Referral::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// # Errors
/// `not_found`
pub async fn load(conn: &mut Conn, id: ReferralId) -> Result<Referral> {
    let row = referrals::table.find(id).select(Referral::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Writes what can change of a referral whose order is locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, referral: &Referral) -> Result<()> {
    diesel::update(referrals::table.find(referral.id))
        .set((
            referrals::budget_minor.eq(referral.budget_minor),
            referrals::state.eq(referral.state),
            referrals::reason.eq(&referral.reason),
            referrals::signals.eq(&referral.signals),
            referrals::released_at.eq(referral.released_at),
            referrals::ended_at.eq(referral.ended_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The rewards of these referrals, the inviter's before the friend's.
///
/// # Errors
/// The database's.
pub async fn rewards_of(conn: &mut Conn, ids: &[ReferralId]) -> Result<Vec<RewardRow>> {
    Ok(referral_rewards::table
        .filter(referral_rewards::referral_id.eq_any(ids))
        .order((referral_rewards::referral_id, referral_rewards::side.desc()))
        .select(RewardRow::as_select())
        .load(conn)
        .await?)
}

/// Writes what can change of a reward.
///
/// # Errors
/// The database's.
pub async fn store_reward(conn: &mut Conn, row: &RewardRow) -> Result<()> {
    diesel::update(referral_rewards::table.find((row.referral_id, row.side)))
        .set((
            referral_rewards::state.eq(row.state),
            referral_rewards::coupon_id.eq(row.coupon_id),
            referral_rewards::term_id.eq(row.term_id),
            referral_rewards::given_at.eq(row.given_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Which referrals a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<ReferralState>,
    pub inviter: Option<AccountId>,
    pub friend: Option<AccountId>,
}

/// A page of referrals, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: Filter, page: Page) -> Result<Vec<Referral>> {
    let mut query = referrals::table
        .filter(referrals::id.lt(ReferralId(page.before)))
        .order(referrals::id.desc())
        .limit(page.fetch())
        .select(Referral::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(referrals::state.eq(state));
    }
    if let Some(inviter) = filter.inviter {
        query = query.filter(referrals::inviter_id.eq(inviter));
    }
    if let Some(friend) = filter.friend {
        query = query.filter(referrals::friend_id.eq(friend));
    }
    Ok(query.load(conn).await?)
}

/// Had another friend's parcel gone to this address before that time? The order `but` is left out.
///
/// # Errors
/// The database's.
pub async fn knows_address(conn: &mut Conn, hash: &str, but: OrderId, before: DateTime<Utc>) -> Result<bool> {
    let query = referrals::table
        .filter(referrals::address_hash.eq(hash))
        .filter(referrals::order_id.ne(but))
        .filter(referrals::created_at.lt(before));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// Has the friend invited the inviter?
///
/// # Errors
/// The database's.
pub async fn is_mutual(conn: &mut Conn, inviter: AccountId, friend: AccountId) -> Result<bool> {
    let query =
        referrals::table.filter(referrals::inviter_id.eq(friend).and(referrals::friend_id.eq(inviter)));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// The referrals that these orders made.
///
/// # Errors
/// The database's.
pub async fn of_orders(conn: &mut Conn, orders: &[OrderId]) -> Result<Vec<Referral>> {
    Ok(referrals::table
        .filter(referrals::order_id.eq_any(orders))
        .order(referrals::id)
        .select(Referral::as_select())
        .load(conn)
        .await?)
}

/// The friend's order was adopted by his account.
///
/// # Errors
/// The database's.
pub async fn set_friend(conn: &mut Conn, id: ReferralId, friend: AccountId) -> Result<()> {
    diesel::update(referrals::table.find(id)).set(referrals::friend_id.eq(friend)).execute(conn).await?;
    Ok(())
}

/// Of where an erased friend's parcel went nothing stays; who came once came once all the same.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::update(referrals::table.filter(referrals::friend_id.eq(account)))
        .set(referrals::address_hash.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}
