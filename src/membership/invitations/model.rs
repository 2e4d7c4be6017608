//! Rows of invitations, with the pools that count their uses.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{drive_invitations, pools};
use crate::types::id::{DriveId, InvitationId, PoolId};

/// An invitation and how far it has been used.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Invitation {
    pub id: InvitationId,
    pub drive: DriveId,
    pub code: String,
    /// The address that it is reserved for; who has verified it needs no code.
    pub email_key: Option<String>,
    pub pool: PoolId,
    pub uses: i64,
    pub held: i64,
    pub taken: i64,
    /// Exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// The columns of an [`Invitation`], from invitations joined with their pools.
pub(super) const COLUMNS: Columns = (
    drive_invitations::id,
    drive_invitations::drive_id,
    drive_invitations::code,
    drive_invitations::email_key,
    drive_invitations::pool_id,
    pools::capacity,
    pools::held,
    pools::taken,
    drive_invitations::expires_at,
    drive_invitations::revoked_at,
    drive_invitations::created_at,
);

pub(super) type Columns = (
    drive_invitations::id,
    drive_invitations::drive_id,
    drive_invitations::code,
    drive_invitations::email_key,
    drive_invitations::pool_id,
    pools::capacity,
    pools::held,
    pools::taken,
    drive_invitations::expires_at,
    drive_invitations::revoked_at,
    drive_invitations::created_at,
);

/// The invitations to any of `drives` with one of the codes (as [`super::rules::normal_code`] writes them) or for one of
/// the addresses (e-mail keys), expired, used up and revoked ones too.
///
/// # Errors
/// The database's.
pub async fn find(
    mut conn: &Conn,
    drives: &[DriveId],
    codes: &[String],
    email_keys: &[String],
) -> Result<Vec<Invitation>> {
    let known = drive_invitations::code
        .eq_any(codes)
        .or(drive_invitations::email_key.assume_not_null().eq_any(email_keys));
    Ok(drive_invitations::table
        .inner_join(pools::table)
        .filter(drive_invitations::drive_id.eq_any(drives))
        .filter(known)
        .select(COLUMNS)
        .load(&mut conn)
        .await?)
}

/// A page of a drive's invitations, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, drive: DriveId, page: Page) -> Result<Vec<Invitation>> {
    Ok(drive_invitations::table
        .inner_join(pools::table)
        .filter(drive_invitations::drive_id.eq(drive))
        .filter(drive_invitations::id.lt(InvitationId(page.before)))
        .order(drive_invitations::id.desc())
        .limit(page.fetch())
        .select(COLUMNS)
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, ids: &[InvitationId]) -> Result<Vec<Invitation>> {
    Ok(drive_invitations::table
        .inner_join(pools::table)
        .filter(drive_invitations::id.eq_any(ids))
        .order(drive_invitations::id)
        .select(COLUMNS)
        .load(conn)
        .await?)
}

/// An invitation to be written.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    pub id: InvitationId,
    pub code: String,
    pub email_key: Option<String>,
    pub pool: PoolId,
    pub uses: i64,
}

/// Writes invitations with their pools; those for an address that the drive has invited already are left out. Returns
/// the ids of what was written.
///
/// # Errors
/// `code_taken`
pub async fn insert(
    conn: &mut Conn,
    drive: DriveId,
    new: &[NewInvitation],
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<InvitationId>> {
    let pool_rows: Vec<_> = new
        .iter()
        .map(|row| (pools::id.eq(row.pool), pools::kind.eq("invitation"), pools::capacity.eq(row.uses)))
        .collect();
    diesel::insert_into(pools::table).values(pool_rows).execute(conn).await?;
    let rows: Vec<_> = new
        .iter()
        .map(|row| {
            (
                drive_invitations::id.eq(row.id),
                drive_invitations::drive_id.eq(drive),
                drive_invitations::code.eq(&row.code),
                drive_invitations::email_key.eq(&row.email_key),
                drive_invitations::pool_id.eq(row.pool),
                drive_invitations::expires_at.eq(expires_at),
                drive_invitations::created_at.eq(now),
            )
        })
        .collect();
    let written: Vec<InvitationId> = diesel::insert_into(drive_invitations::table)
        .values(rows)
        .on_conflict((drive_invitations::drive_id, drive_invitations::email_key))
        .do_nothing()
        .returning(drive_invitations::id)
        .get_results(conn)
        .await?;
    let unused: Vec<PoolId> =
        new.iter().filter(|row| !written.contains(&row.id)).map(|row| row.pool).collect();
    diesel::delete(pools::table.filter(pools::id.eq_any(unused))).execute(conn).await?;
    Ok(written)
}

/// Invites addresses again whose invitation had ended: it is the same one, with a new end. Returns the ids of all
/// invitations to these addresses.
///
/// # Errors
/// The database's.
pub async fn renew(
    conn: &mut Conn,
    drive: DriveId,
    email_keys: &[String],
    expires_at: Option<DateTime<Utc>>,
) -> Result<Vec<InvitationId>> {
    let known = drive_invitations::table
        .filter(drive_invitations::drive_id.eq(drive))
        .filter(drive_invitations::email_key.assume_not_null().eq_any(email_keys));
    Ok(diesel::update(known)
        .set((
            drive_invitations::expires_at.eq(expires_at),
            drive_invitations::revoked_at.eq(None::<DateTime<Utc>>),
        ))
        .returning(drive_invitations::id)
        .get_results(conn)
        .await?)
}

/// Withdraws an invitation; the first time counts. False where there is no such invitation.
///
/// # Errors
/// The database's.
pub async fn revoke(conn: &mut Conn, id: InvitationId, now: DateTime<Utc>) -> Result<bool> {
    let first = drive_invitations::table.find(id).filter(drive_invitations::revoked_at.is_null());
    Ok(diesel::update(first).set(drive_invitations::revoked_at.eq(now)).execute(conn).await? == 1)
}
