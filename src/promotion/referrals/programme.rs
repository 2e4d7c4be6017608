//! The programme: what is given for referrals, when, and how much at most. There is one; it is off until an operator turns
//! it on.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::{pools, referral_caps, referral_programme};
use crate::types::id::{AccountId, CampaignId, PoolId};
use crate::types::money::Money;

/// What one side of a referral gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ReferralReward)]
pub enum Reward {
    /// A coupon of this campaign, into the wallet.
    Coupon { campaign: CampaignId },
    /// Store credit.
    Credit { amount: Money },
    /// Days more of the membership that runs.
    MembershipDays { days: i32 },
    /// Points, which count for levels too.
    Points { points: i64 },
}

impl Reward {
    /// Minor units that it takes of the programme's budget: store credit alone does.
    pub fn budget_minor(&self) -> i64 {
        match self {
            Self::Credit { amount } => amount.amount,
            Self::Coupon { .. } | Self::MembershipDays { .. } | Self::Points { .. } => 0,
        }
    }
}

/// The programme as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Programme {
    pub is_on: bool,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// A code that was given at sign-up counts for that many days.
    pub touch_days: i32,
    /// What the friend's order must come to, without shipping.
    pub minimum_minor: i64,
    pub inviter_reward: Option<Reward>,
    pub friend_reward: Option<Reward>,
    /// Referrals of one inviter that count on one day of the shop.
    pub per_inviter_day: Option<i32>,
    /// Referrals of one inviter that count at all.
    pub per_inviter: Option<i32>,
    /// Referrals that count, of everybody.
    pub pool: PoolId,
    /// Minor units of store credit.
    pub budget_pool: PoolId,
    pub version: i32,
}

impl Programme {
    /// Does an order that is placed now count?
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.is_on
            && self.starts_at.is_none_or(|start| start <= now)
            && self.ends_at.is_none_or(|end| now < end)
    }

    /// Store credit that one referral promises, to both sides.
    pub fn budget_minor(&self) -> i64 {
        self.inviter_reward.iter().chain(&self.friend_reward).map(Reward::budget_minor).sum()
    }
}

#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = referral_programme)]
#[diesel(treat_none_as_null = true)]
struct Row {
    is_on: bool,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    touch_days: i32,
    minimum_minor: i64,
    inviter_reward: Option<Value>,
    friend_reward: Option<Value>,
    per_inviter_day: Option<i32>,
    per_inviter: Option<i32>,
    pool_id: PoolId,
    budget_pool_id: PoolId,
    version: i32,
}

impl TryFrom<Row> for Programme {
    type Error = AppError;

    fn try_from(row: Row) -> Result<Self> {
        let reward =
            |value: Option<Value>| value.map(serde_json::from_value).transpose().map_err(AppError::internal);
        Ok(Self {
            is_on: row.is_on,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            touch_days: row.touch_days,
            minimum_minor: row.minimum_minor,
            inviter_reward: reward(row.inviter_reward)?,
            friend_reward: reward(row.friend_reward)?,
            per_inviter_day: row.per_inviter_day,
            per_inviter: row.per_inviter,
            pool: row.pool_id,
            budget_pool: row.budget_pool_id,
            version: row.version,
        })
    }
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn) -> Result<Programme> {
    let row: Row = referral_programme::table.select(Row::as_select()).first(conn).await?;
    Programme::try_from(row)
}

/// Locks the programme until the transaction ends: nobody else changes it meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn) -> Result<Programme> {
    let row: Row = referral_programme::table.for_no_key_update().select(Row::as_select()).first(conn).await?;
    Programme::try_from(row)
}

/// Writes a programme that is locked. Its pools' capacities are their own.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Programme) -> Result<()> {
    let reward = |reward: &Option<Reward>| {
        reward.as_ref().map(serde_json::to_value).transpose().map_err(AppError::internal)
    };
    let row = Row {
        is_on: of.is_on,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        touch_days: of.touch_days,
        minimum_minor: of.minimum_minor,
        inviter_reward: reward(&of.inviter_reward)?,
        friend_reward: reward(&of.friend_reward)?,
        per_inviter_day: of.per_inviter_day,
        per_inviter: of.per_inviter,
        pool_id: of.pool,
        budget_pool_id: of.budget_pool,
        version: of.version,
    };
    diesel::update(referral_programme::table).set(row).execute(conn).await?;
    Ok(())
}

/// The pool of an inviter's referrals: of a day, or of all. Its id follows from both, so that whoever comes first makes it.
pub fn inviter_pool(inviter: AccountId, day: Option<NaiveDate>) -> PoolId {
    let name = day.map_or_else(|| "all".to_owned(), |day| day.to_string());
    PoolId(Uuid::new_v5(&inviter.0, format!("referrals:{name}").as_bytes()))
}

/// Makes the pools of an inviter where they aren't there yet. They limit nothing until a referral is claimed: then they are
/// given the capacity that the programme has by then.
///
/// # Errors
/// The database's.
pub async fn open_pools(conn: &mut Conn, inviter: AccountId, day: NaiveDate) -> Result<[PoolId; 2]> {
    let each = [(None, "referral_inviter"), (Some(day), "referral_day")];
    let rows: Vec<_> = each
        .iter()
        .map(|(day, kind)| {
            (pools::id.eq(inviter_pool(inviter, *day)), pools::kind.eq(*kind), pools::capacity.eq(0_i64))
        })
        .collect();
    diesel::insert_into(pools::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    let caps: Vec<_> = each
        .iter()
        .map(|(day, _)| {
            (
                referral_caps::pool_id.eq(inviter_pool(inviter, *day)),
                referral_caps::inviter_id.eq(inviter),
                referral_caps::day.eq(*day),
            )
        })
        .collect();
    diesel::insert_into(referral_caps::table).values(caps).on_conflict_do_nothing().execute(conn).await?;
    Ok(each.map(|(day, _)| inviter_pool(inviter, day)))
}
