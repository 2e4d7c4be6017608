//! Rows of freezes that members asked for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{membership_freezes, orders};
use crate::types::id::{AccountId, FreezeId, MembershipId};

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = membership_freezes)]
pub struct Freeze {
    pub id: FreezeId,
    pub membership_id: MembershipId,
    pub account_id: AccountId,
    pub started_at: DateTime<Utc>,
    /// When it is to end by itself.
    pub until: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, freeze: &Freeze) -> Result<()> {
    diesel::insert_into(membership_freezes::table).values(freeze).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: FreezeId) -> Result<Option<Freeze>> {
    Ok(membership_freezes::table.find(id).select(Freeze::as_select()).first(conn).await.optional()?)
}

/// The one that holds now.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, membership: MembershipId) -> Result<Option<Freeze>> {
    Ok(membership_freezes::table
        .filter(membership_freezes::membership_id.eq(membership))
        .filter(membership_freezes::ended_at.is_null())
        .select(Freeze::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Until when those of these memberships rest that do so by their members' own wish.
///
/// # Errors
/// The database's.
pub async fn open_among(
    mut conn: &Conn,
    memberships: &[MembershipId],
) -> Result<HashMap<MembershipId, DateTime<Utc>>> {
    let open: Vec<(MembershipId, DateTime<Utc>)> = membership_freezes::table
        .filter(membership_freezes::membership_id.eq_any(memberships))
        .filter(membership_freezes::ended_at.is_null())
        .select((membership_freezes::membership_id, membership_freezes::until))
        .load(&mut conn)
        .await?;
    Ok(open.into_iter().collect())
}

/// Freezes of an account that ended after `from`, whichever of its memberships they were of.
///
/// # Errors
/// The database's.
pub async fn since(conn: &mut Conn, account: AccountId, from: DateTime<Utc>) -> Result<Vec<Freeze>> {
    Ok(membership_freezes::table
        .filter(membership_freezes::account_id.eq(account))
        .filter(membership_freezes::ended_at.gt(from))
        .select(Freeze::as_select())
        .load(conn)
        .await?)
}

/// Does an order that changes the account's membership wait for its payment?
///
/// # Errors
/// The database's.
pub async fn is_buying(conn: &mut Conn, account: AccountId) -> Result<bool> {
    let pending = orders::table
        .filter(orders::account_id.eq(account))
        .filter(orders::has_membership)
        .filter(orders::state.eq("pending_payment"));
    Ok(diesel::select(diesel::dsl::exists(pending)).get_result(conn).await?)
}

/// The freeze that holds ends now. Called whenever a membership resumes for that cause, or closes.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, membership: MembershipId, now: DateTime<Utc>) -> Result<()> {
    // The caller's time may have been read before it waited for the account.
    let Some(open) = open_of(conn, membership).await? else { return Ok(()) };
    diesel::update(membership_freezes::table.find(open.id))
        .set(membership_freezes::ended_at.eq(now.max(open.started_at)))
        .execute(conn)
        .await?;
    Ok(())
}
