//! Under which membership accounts stand: their own, or the one whose associates they are. Whatever asks what somebody may do
//! as a member asks here; what asks about terms that somebody has bought asks for his own membership.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::future::try_join_all;

use super::model;
use crate::db::Conn;
use crate::error::Result;
use crate::membership::memberships::model::{MembershipRow, Stored};
use crate::membership::memberships::numbers;
use crate::membership::memberships::views::{self, Member};
use crate::membership::tiers;
use crate::people::accounts::model::buyers;
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
pub async fn member(conn: &Conn, account: AccountId) -> Result<Option<Member>> {
    Ok(members(conn, &[account]).await?.remove(&account))
}

/// [`member`] of each of these accounts that has one.
///
/// # Errors
/// The database's.
pub async fn members(conn: &Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Member>> {
    let (standings, mut found) =
        tokio::try_join!(standings_of(conn, accounts), views::of_accounts(conn, accounts))?;
    let seated = standings.into_iter().filter_map(|standing| Some((standing.seat_id?, standing)));
    for (account, member) in try_join_all(seated.map(|(seat, of)| seated_member(conn, seat, of))).await? {
        match member {
            Some(member) => found.insert(account, member),
            None => found.remove(&account),
        };
    }
    Ok(found)
}

/// An associate's account, and his head's membership as it is his.
async fn seated_member(
    conn: &Conn,
    seat: AssociateId,
    standing: Standing,
) -> Result<(AccountId, Option<Member>)> {
    let account = standing.account_id;
    let (row, accounts) = (standing.into_row(), [account]);
    let (head, tier, number, buyer) = tokio::try_join!(
        views::find(conn, row.id),
        tiers::model::find(conn, row.tier_id),
        numbers::of(conn, account),
        buyers(conn, &accounts),
    )?;
    let (Some(head), Some(tier), Some(buyer)) = (head, tier, buyer.into_iter().next()) else {
        return Ok((account, None));
    };
    let member = Member {
        row,
        tier_code: tier.code,
        tier_names: Names { zh: tier.names.zh, en: tier.names.en },
        plan: None,
        periods_from: head.row.starts_at,
        number,
        name: buyer.name,
        email: buyer.email,
        seat: Some((seat, head.number.clone())),
        ..head
    };
    Ok((account, Some(member)))
}

/// Is the account an associate of somebody?
///
/// # Errors
/// The database's.
pub async fn is_associate(conn: &mut Conn, account: AccountId) -> Result<bool> {
    Ok(model::active_of(conn, account).await?.is_some())
}
