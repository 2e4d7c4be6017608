//! Who looks or buys, as the rules of the shop see him.

use chrono::{DateTime, Utc};

use super::audience::{Ranks, Visitor};
use super::products::model::ranks;
use crate::db::Conn;
use crate::error::Result;
use crate::membership::memberships::model::{MembershipRow, open_of};
use crate::membership::memberships::rules::{GRACE, gives_access, life};
use crate::types::id::AccountId;

/// Somebody who is signed in, with the open membership that he has.
pub fn visitor_of(membership: Option<&MembershipRow>, ranks: &Ranks, now: DateTime<Utc>) -> Visitor {
    let open = membership.filter(|row| gives_access(life(row, now, GRACE)));
    Visitor { is_signed_in: true, tier_rank: open.and_then(|row| ranks.of(row.tier_id)) }
}

/// Who looks, signed in or not, and the ranks of all tiers.
///
/// # Errors
/// The database's.
pub async fn load(
    conn: &mut Conn,
    account: Option<AccountId>,
    now: DateTime<Utc>,
) -> Result<(Visitor, Ranks)> {
    let ranks = ranks(conn).await?;
    let Some(account) = account else { return Ok((Visitor::default(), ranks)) };
    let membership = open_of(conn, &[account]).await?.pop();
    Ok((visitor_of(membership.as_ref(), &ranks, now), ranks))
}
