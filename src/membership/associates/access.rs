//! Under which membership accounts stand: their own, or the one whose associates they are. Whatever asks what somebody may do
//! as a member asks here; what asks about terms that somebody has bought asks for his own membership.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model;
use crate::db::Conn;
use crate::error::Result;
use crate::membership::memberships::model::{MembershipRow, Stored};
use crate::membership::memberships::numbers;
use crate::membership::memberships::views::{self, Member};
use crate::membership::tiers;
use crate::people::accounts::model::load_buyer;
use crate::schema::standings;
use crate::types::id::{AccountId, AssociateId, ChapterId, MembershipId, PlanId, TierId};
use crate::types::locale::Names;

/// An open membership as it counts for one account.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = standings)]
pub struct Standing {
    seat_id: Option<AssociateId>,
    id: MembershipId,
    account_id: AccountId,
    tier_id: TierId,
    plan_id: Option<PlanId>,
    chapter_id: ChapterId,
    state: Stored,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    frozen_at: Option<DateTime<Utc>>,
    frozen_causes: Vec<String>,
    closed_at: Option<DateTime<Utc>>,
    version: i32,
    rested_seconds: i64,
    periods_from: DateTime<Utc>,
}

impl Standing {
    /// The seat by which the account belongs; none where the membership is its own.
    pub fn seat(&self) -> Option<AssociateId> {
        self.seat_id
    }

    pub fn account(&self) -> AccountId {
        self.account_id
    }

    /// From when the periods of benefits are counted: the start of the membership, also for who took a seat of it later.
    pub fn periods_from(&self) -> DateTime<Utc> {
        self.periods_from
    }

    /// The membership, as if it were the account's: an associate's is of the tier that the seat gives, and counts from when he
    /// took that.
    pub fn into_row(self) -> MembershipRow {
        MembershipRow {
            id: self.id,
            account_id: self.account_id,
            tier_id: self.tier_id,
            plan_id: self.plan_id,
            chapter_id: self.chapter_id,
            state: self.state,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            frozen_at: self.frozen_at,
            frozen_causes: self.frozen_causes,
            closed_at: self.closed_at,
            version: self.version,
            rested_seconds: self.rested_seconds,
        }
    }
}

/// How these accounts stand, each at most once, in no order. That a membership is open doesn't say that it gives access now:
/// ask `memberships::rules::life` of it.
///
/// # Errors
/// The database's.
pub async fn standings_of(mut conn: &Conn, accounts: &[AccountId]) -> Result<Vec<Standing>> {
    Ok(standings::table
        .filter(standings::account_id.eq_any(accounts))
        .select(Standing::as_select())
        .load(&mut conn)
        .await?)
}

/// The open memberships under which these accounts stand, in no order; `account_id` is theirs.
///
/// # Errors
/// The database's.
pub async fn of(conn: &mut Conn, accounts: &[AccountId]) -> Result<Vec<MembershipRow>> {
    Ok(standings_of(conn, accounts).await?.into_iter().map(Standing::into_row).collect())
}

/// The membership that is shown to an account: its own that is open, or its head's, or else the last one of its own.
///
/// # Errors
/// The database's.
pub async fn member(conn: &mut Conn, account: AccountId) -> Result<Option<Member>> {
    let Some(standing) = standings_of(conn, &[account]).await?.into_iter().find(|row| row.seat_id.is_some())
    else {
        return views::of_account(conn, account).await;
    };
    let seat = standing.seat_id;
    let row = standing.into_row();
    let (Some(head), Some(tier)) =
        (views::find(conn, row.id).await?, tiers::model::find(conn, row.tier_id).await?)
    else {
        return Ok(None);
    };
    let buyer = load_buyer(conn, account).await?;
    Ok(Some(Member {
        row,
        tier_code: tier.code,
        tier_names: Names { zh: tier.names.zh, en: tier.names.en },
        plan: None,
        periods_from: head.row.starts_at,
        number: numbers::of(conn, account).await?,
        name: buyer.name,
        email: buyer.email,
        seat: seat.map(|id| (id, head.number.clone())),
        ..head
    }))
}

/// Is the account an associate of somebody?
///
/// # Errors
/// The database's.
pub async fn is_associate(conn: &mut Conn, account: AccountId) -> Result<bool> {
    Ok(model::active_of(conn, account).await?.is_some())
}
