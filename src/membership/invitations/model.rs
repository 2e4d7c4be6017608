//! Rows of invitations, with the pools that count their uses.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
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
    conn: &mut Conn,
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
        .load(conn)
        .await?)
}
