//! Rows of associates, and the seats of memberships. The seats' row is locked before rows of associates are written, after
//! accounts and memberships.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{accounts, associate_seats, associates, member_numbers, membership_terms, plans};
use crate::types::id::{AccountId, AssociateId, MembershipId, PlanId, TermId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// How an associate's seat stands.
    State as "AssociateState" {
        /// Held for the address that was invited.
        Invited = "invited",
        /// Taken.
        Active = "active",
        /// Who was invited doesn't want it.
        Declined = "declined",
        /// The invitation was taken back, or its membership is over.
        Withdrawn = "withdrawn",
        /// Nobody answered the invitation in time.
        Expired = "expired",
        /// It was taken, and is free again.
        Ended = "ended",
    }
}

stored_enum! {
    /// Why an associate is one no more.
    Cause as "AssociateEnd" {
        /// The head ended it.
        Head = "head",
        Left = "left",
        Operator = "operator",
        /// The associate has a membership of his own.
        OwnMembership = "own_membership",
        /// The head's membership is over.
        HeadOver = "head_over",
        /// The head's plan gives fewer seats now.
        FewerSeats = "fewer_seats",
        /// The associate's account was erased.
        Erased = "erased",
    }
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = associates)]
pub struct AssociateRow {
    pub id: AssociateId,
    /// The head's.
    pub membership_id: MembershipId,
    pub head_id: AccountId,
    /// The term whose plan gives the seat.
    pub term_id: TermId,
    /// Who took the seat.
    pub account_id: Option<AccountId>,
    pub state: State,
    /// The address that was invited, while that is open.
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub token_hash: Vec<u8>,
    /// Of the invitation, exclusive.
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub cause: Option<Cause>,
}

impl AssociateRow {
    /// It holds or takes a seat.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Invited | State::Active)
    }
}

/// The seats of a membership, locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = associate_seats)]
pub struct Seats {
    pub membership_id: MembershipId,
    pub capacity: i32,
    pub held: i32,
    pub taken: i32,
}

/// Locks the seats of a membership; none where nobody was ever invited to one.
///
/// # Errors
/// The database's.
pub async fn lock_seats(conn: &mut Conn, membership: MembershipId) -> Result<Option<Seats>> {
    Ok(associate_seats::table
        .find(membership)
        .for_no_key_update()
        .select(Seats::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Locks the seats of a membership, which are made where there are none yet.
///
/// # Errors
/// The database's.
pub async fn make_seats(conn: &mut Conn, membership: MembershipId) -> Result<Seats> {
    diesel::insert_into(associate_seats::table)
        .values((associate_seats::membership_id.eq(membership), associate_seats::capacity.eq(0)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    let seats = associate_seats::table.find(membership).for_no_key_update().select(Seats::as_select());
    Ok(seats.first(conn).await?)
}

/// Writes seats that are locked.
///
/// # Errors
/// The database's; `associate_seats_within_capacity` is the alarm that a rule was missed.
pub async fn store_seats(conn: &mut Conn, seats: Seats) -> Result<()> {
    diesel::update(associate_seats::table.find(seats.membership_id))
        .set((
            associate_seats::capacity.eq(seats.capacity),
            associate_seats::held.eq(seats.held),
            associate_seats::taken.eq(seats.taken),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// How many seats each of these plans gives.
///
/// # Errors
/// The database's.
pub async fn seats_of_plans(conn: &mut Conn, ids: &[PlanId]) -> Result<HashMap<PlanId, i32>> {
    let rows: Vec<(PlanId, i32)> = plans::table
        .filter(plans::id.eq_any(ids))
        .select((plans::id, plans::associate_seats))
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &AssociateRow) -> Result<()> {
    diesel::insert_into(associates::table).values(row).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a row whose seats are locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &AssociateRow) -> Result<()> {
    diesel::update(associates::table.find(row.id))
        .set((
            associates::account_id.eq(row.account_id),
            associates::state.eq(row.state),
            associates::email.eq(&row.email),
            associates::email_key.eq(&row.email_key),
            associates::accepted_at.eq(row.accepted_at),
            associates::ended_at.eq(row.ended_at),
            associates::cause.eq(row.cause),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Seats whose terms are over are given by another one from now on.
///
/// # Errors
/// The database's.
pub async fn give_by(conn: &mut Conn, ids: &[AssociateId], term: TermId) -> Result<()> {
    diesel::update(associates::table.filter(associates::id.eq_any(ids)))
        .set(associates::term_id.eq(term))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: AssociateId) -> Result<Option<AssociateRow>> {
    let row = associates::table.find(id).select(AssociateRow::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn by_token(conn: &mut Conn, hash: &[u8]) -> Result<Option<AssociateRow>> {
    let row = associates::table.filter(associates::token_hash.eq(hash)).select(AssociateRow::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// Those that hold or take a seat of a membership, in the order in which they were invited.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, membership: MembershipId) -> Result<Vec<AssociateRow>> {
    Ok(associates::table
        .filter(associates::membership_id.eq(membership))
        .filter(associates::state.eq_any([State::Invited, State::Active]))
        .order(associates::id)
        .select(AssociateRow::as_select())
        .load(conn)
        .await?)
}

/// The seat that an account has taken.
///
/// # Errors
/// The database's.
pub async fn active_of(conn: &mut Conn, account: AccountId) -> Result<Option<AssociateRow>> {
    Ok(associates::table
        .filter(associates::account_id.eq(account))
        .filter(associates::state.eq(State::Active))
        .select(AssociateRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Those of these accounts that are on a seat, in the order of their ids.
///
/// # Errors
/// The database's.
pub async fn active_among(mut conn: &Conn, accounts: &[AccountId]) -> Result<Vec<AccountId>> {
    let rows: Vec<Option<AccountId>> = associates::table
        .filter(associates::account_id.eq_any(accounts))
        .filter(associates::state.eq(State::Active))
        .order(associates::account_id)
        .select(associates::account_id)
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().flatten().collect())
}

/// Who of these associates has this address.
///
/// # Errors
/// The database's.
pub async fn has_address(conn: &mut Conn, membership: MembershipId, email_key: &str) -> Result<bool> {
    let known = associates::table
        .left_join(accounts::table.on(accounts::id.nullable().eq(associates::account_id)))
        .filter(associates::membership_id.eq(membership))
        .filter(
            associates::state
                .eq(State::Invited)
                .and(associates::email_key.eq(email_key))
                .or(associates::state.eq(State::Active).and(accounts::email_key.eq(email_key))),
        );
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn).await?)
}

/// Invitations that are open: of a head, or to an address.
///
/// # Errors
/// The database's.
pub async fn invitations(
    conn: &mut Conn,
    head: AccountId,
    email_key: Option<&str>,
) -> Result<Vec<AssociateRow>> {
    let to = associates::email_key.eq(email_key.unwrap_or_default());
    let by = associates::head_id.eq(head);
    Ok(associates::table
        .filter(associates::state.eq(State::Invited))
        .filter(by.nullable().or(to))
        .order(associates::id)
        .select(AssociateRow::as_select())
        .load(conn)
        .await?)
}

/// A page of memberships, by id, after `after`, that have an invitation whose time is over, or a seat whose term is.
///
/// # Errors
/// The database's.
pub async fn to_tend(
    conn: &mut Conn,
    after: Option<MembershipId>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(MembershipId, AccountId)>> {
    let unanswered = associates::state.eq(State::Invited).and(associates::expires_at.le(now));
    let is_over = membership_terms::ended_at.is_not_null().nullable().or(membership_terms::ends_at.le(now));
    let mut query = associates::table
        .inner_join(membership_terms::table)
        .filter(associates::state.eq_any([State::Invited, State::Active]))
        .filter(unanswered.nullable().or(is_over))
        .order(associates::membership_id)
        .select((associates::membership_id, associates::head_id))
        .distinct()
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(associates::membership_id.gt(after));
    }
    Ok(query.load(conn).await?)
}

/// An associate with what his account is called and its number.
pub type Named = (AssociateRow, Option<String>, Option<String>);

/// Associates of a membership, all there ever were, the newest first; or those that are open, the oldest first.
///
/// # Errors
/// The database's.
pub async fn named(conn: &mut Conn, membership: MembershipId, only_open: bool) -> Result<Vec<Named>> {
    let mut query = associates::table
        .left_join(accounts::table.on(accounts::id.nullable().eq(associates::account_id)))
        .left_join(member_numbers::table.on(member_numbers::account_id.nullable().eq(associates::account_id)))
        .filter(associates::membership_id.eq(membership))
        .select((AssociateRow::as_select(), accounts::name.nullable(), member_numbers::number.nullable()))
        .into_boxed();
    query = if only_open {
        query.filter(associates::state.eq_any([State::Invited, State::Active])).order(associates::id.asc())
    } else {
        query.order(associates::id.desc()).limit(MOST_SHOWN)
    };
    Ok(query.load(conn).await?)
}

/// Of a long history operators are shown that many.
const MOST_SHOWN: i64 = 200;
