//! Who looks or buys, as the rules of the shop see him.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::audience::{Audience, Ranks, Visitor};
use super::products::model::ranks;
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::levels::model::held_ranks;
use crate::membership::associates::access;
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{GRACE, gives_access, life};
use crate::people::segments::model::segments_of;
use crate::types::id::AccountId;

/// Somebody who is signed in, with the open membership under which he stands (`associates::access`), the rank of his level, and
/// the segments that he is in.
pub fn visitor_of<'a>(
    membership: Option<&MembershipRow>,
    level_rank: Option<i32>,
    segments: &'a [String],
    ranks: &Ranks,
    now: DateTime<Utc>,
) -> Visitor<'a> {
    let open = opening(membership, now);
    let tier_rank = open.and_then(|row| ranks.of(row.tier_id));
    Visitor { is_signed_in: true, tier_rank, level_rank, segments }
}

/// The membership, where it gives access now.
fn opening(membership: Option<&MembershipRow>, now: DateTime<Utc>) -> Option<&MembershipRow> {
    membership.filter(|row| gives_access(life(row, now, GRACE)))
}

/// Who looks, with what it takes to judge him.
#[derive(Clone, Debug)]
pub struct Looker {
    membership: Option<MembershipRow>,
    level_rank: Option<i32>,
    is_signed_in: bool,
    segments: Vec<String>,
    pub ranks: Ranks,
    now: DateTime<Utc>,
}

impl Looker {
    /// The membership that gives him access now.
    pub fn membership(&self) -> Option<&MembershipRow> {
        opening(self.membership.as_ref(), self.now)
    }

    pub fn visitor(&self) -> Visitor<'_> {
        if self.is_signed_in {
            visitor_of(self.membership.as_ref(), self.level_rank, &self.segments, &self.ranks, self.now)
        } else {
            Visitor::default()
        }
    }
}

/// Several people who are signed in, with what it takes to judge each.
#[derive(Clone, Debug)]
pub struct Crowd {
    memberships: HashMap<AccountId, MembershipRow>,
    levels: HashMap<AccountId, i32>,
    segments: HashMap<AccountId, Vec<String>>,
    pub ranks: Ranks,
    now: DateTime<Utc>,
}

impl Crowd {
    /// The membership that gives somebody access now.
    pub fn membership(&self, account: AccountId) -> Option<&MembershipRow> {
        opening(self.memberships.get(&account), self.now)
    }

    pub fn visitor(&self, account: AccountId) -> Visitor<'_> {
        let segments = self.segments.get(&account).map(Vec::as_slice).unwrap_or_default();
        let level_rank = self.levels.get(&account).copied();
        visitor_of(self.memberships.get(&account), level_rank, segments, &self.ranks, self.now)
    }
}

/// These accounts, as those who want something that is for these audiences.
///
/// # Errors
/// The database's.
pub async fn crowd<'a>(
    conn: &mut Conn,
    accounts: &[AccountId],
    audiences: impl IntoIterator<Item = &'a Audience>,
    now: DateTime<Utc>,
) -> Result<Crowd> {
    let memberships = access::of(conn, accounts).await?;
    let ranks = ranks(conn).await?;
    Ok(Crowd {
        memberships: memberships.into_iter().map(|row| (row.account_id, row)).collect(),
        levels: levels_of(conn, accounts, &ranks, now).await?,
        segments: segments_of(conn, &segments_in(audiences), accounts, now).await?,
        ranks,
        now,
    })
}

/// Ranks of the levels on which these accounts stand. Nothing is asked where there are none.
///
/// # Errors
/// The database's.
pub async fn levels_of(
    conn: &mut Conn,
    accounts: &[AccountId],
    ranks: &Ranks,
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, i32>> {
    if ranks.has_levels() { held_ranks(conn, accounts, now).await } else { Ok(HashMap::new()) }
}

/// Codes of the segments that these audiences name.
pub fn segments_in<'a>(audiences: impl IntoIterator<Item = &'a Audience>) -> BTreeSet<String> {
    audiences.into_iter().filter_map(Audience::segment).map(str::to_owned).collect()
}

/// Who looks, signed in or not, at things for these audiences.
///
/// # Errors
/// The database's.
pub async fn load<'a>(
    conn: &mut Conn,
    account: Option<AccountId>,
    audiences: impl IntoIterator<Item = &'a Audience>,
    now: DateTime<Utc>,
) -> Result<Looker> {
    let ranks = ranks(conn).await?;
    load_with(conn, account, audiences, ranks, now).await
}

/// [`load`] for who knows the ranks of the tiers already.
///
/// # Errors
/// The database's.
pub async fn load_with<'a>(
    conn: &mut Conn,
    account: Option<AccountId>,
    audiences: impl IntoIterator<Item = &'a Audience>,
    ranks: Ranks,
    now: DateTime<Utc>,
) -> Result<Looker> {
    let named = segments_in(audiences);
    let (membership, level_rank, segments) = (None, None, Vec::new());
    let stranger = Looker { membership, level_rank, is_signed_in: false, segments, ranks, now };
    let Some(account) = account else { return Ok(stranger) };
    let membership = access::of(conn, &[account]).await?.pop();
    let segments = segments_of(conn, &named, &[account], now).await?.remove(&account).unwrap_or_default();
    let level_rank = levels_of(conn, &[account], &stranger.ranks, now).await?.remove(&account);
    Ok(Looker { membership, level_rank, is_signed_in: true, segments, ..stranger })
}
