//! How seats become free, in the caller's transaction. Locks the seats' row and writes associates; who calls has locked the
//! membership or an account of it, or nothing.

use chrono::{DateTime, Utc};

use super::model::{self, AssociateRow, Cause, Seats, State};
use super::rules::{self, Giving};
use crate::db::Conn;
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::membership::memberships::model::{self as memberships, MembershipRow};
use crate::membership::memberships::rules::standing_at;
use crate::types::id::{AccountId, AssociateId, MembershipId};

/// Ends an open seat: an invitation is withdrawn (or what `unanswered` says), an associate is one no more. Who was one is told,
/// unless he did it himself. The seats are locked.
pub(super) async fn end(
    conn: &mut Conn,
    seats: Seats,
    row: AssociateRow,
    (unanswered, cause): (State, Cause),
    giving: Option<Giving>,
    now: DateTime<Utc>,
) -> Result<Seats> {
    let was_active = row.state == State::Active;
    let ended = AssociateRow {
        state: if was_active { State::Ended } else { unanswered },
        cause: was_active.then_some(cause),
        email: None,
        email_key: None,
        ended_at: Some(now),
        ..row
    };
    model::store(conn, &ended).await?;
    if was_active && !matches!(cause, Cause::Left | Cause::OwnMembership | Cause::Erased) {
        jobs::enqueue(conn, &Job::TellAssociate { associate: ended.id }, now, now).await?;
    }
    let (held, taken) = if was_active { (0, -1) } else { (-1, 0) };
    let seats = rules::moved(seats, held, taken, giving);
    model::store_seats(conn, seats).await?;
    Ok(seats)
}

/// What gives the seats of an open membership now.
pub(super) async fn giving(
    conn: &mut Conn,
    membership: &MembershipRow,
    now: DateTime<Utc>,
) -> Result<Option<Giving>> {
    let terms = memberships::terms_of(conn, membership.id).await?;
    let plans: Vec<_> = terms.iter().filter_map(|term| term.plan_id).collect();
    let seats = model::seats_of_plans(conn, &plans).await?;
    Ok(rules::giving(&terms, &seats, standing_at(membership, now)))
}

/// A membership is closed: so are its seats.
///
/// # Errors
/// The database's.
pub async fn head_is_over(conn: &mut Conn, membership: MembershipId, now: DateTime<Utc>) -> Result<()> {
    let Some(mut seats) = model::lock_seats(conn, membership).await? else { return Ok(()) };
    for row in model::open_of(conn, membership).await? {
        seats = end(conn, seats, row, (State::Withdrawn, Cause::HeadOver), None, now).await?;
    }
    Ok(())
}

/// These accounts have memberships of their own from now on: nobody ever has both. Their rows are locked.
///
/// # Errors
/// The database's.
pub async fn have_own(conn: &mut Conn, accounts: &[AccountId], now: DateTime<Utc>) -> Result<()> {
    for account in model::active_among(conn, accounts).await? {
        leave(conn, account, Cause::OwnMembership, now).await?;
    }
    Ok(())
}

async fn leave(conn: &mut Conn, account: AccountId, cause: Cause, now: DateTime<Utc>) -> Result<()> {
    let Some(row) = model::active_of(conn, account).await? else { return Ok(()) };
    let Some(seats) = model::lock_seats(conn, row.membership_id).await? else { return Ok(()) };
    // Read again, under the lock.
    let Some(row) = model::find(conn, row.id).await?.filter(|row| row.state == State::Active) else {
        return Ok(());
    };
    let giving = giving_of(conn, row.membership_id, now).await?;
    end(conn, seats, row, (State::Withdrawn, cause), giving, now).await?;
    Ok(())
}

/// What gives the seats of a membership that somebody else locks or nobody: only for what the capacity says.
pub(super) async fn giving_of(
    conn: &mut Conn,
    membership: MembershipId,
    now: DateTime<Utc>,
) -> Result<Option<Giving>> {
    match memberships::find(conn, membership).await?.filter(MembershipRow::is_open) {
        Some(row) => giving(conn, &row, now).await,
        None => Ok(None),
    }
}

/// Sets the seats of a membership right once its terms, or the time, have changed: invitations that nobody answered end, and
/// what is more than the plan gives ([`rules::surplus`]); what stays is given by the term that runs now. The membership is
/// locked.
///
/// # Errors
/// The database's.
pub async fn tend(conn: &mut Conn, membership: &MembershipRow, now: DateTime<Utc>) -> Result<()> {
    let Some(mut seats) = model::lock_seats(conn, membership.id).await? else { return Ok(()) };
    let giving = giving(conn, membership, now).await?;
    let mut open = Vec::new();
    for row in model::open_of(conn, membership.id).await? {
        if row.state == State::Invited && row.expires_at <= now {
            seats = end(conn, seats, row, (State::Expired, Cause::HeadOver), giving, now).await?;
        } else {
            open.push(row);
        }
    }
    let terms = memberships::all_terms_of(conn, membership.id).await?;
    let surplus = rules::surplus(&open, giving, &terms);
    let (gone, stays): (Vec<_>, Vec<_>) = open.into_iter().partition(|row| surplus.contains(&row.id));
    for row in gone {
        seats = end(conn, seats, row, (State::Withdrawn, Cause::FewerSeats), giving, now).await?;
    }
    if let Some(giving) = giving {
        let others = stays.iter().filter(|row| row.term_id != giving.term);
        let moved: Vec<AssociateId> = others.map(|row| row.id).collect();
        model::give_by(conn, &moved, giving.term).await?;
    }
    Ok(())
}

/// Of an account that is erased: its seat is free, and so are those to which its address, or by which it, had invited.
///
/// # Errors
/// The database's.
pub async fn forget(
    conn: &mut Conn,
    account: AccountId,
    email_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    leave(conn, account, Cause::Erased, now).await?;
    // In grace too, when nothing had to be given up.
    for open in memberships::open_of(conn, &[account]).await? {
        head_is_over(conn, open.id, now).await?;
    }
    for row in model::invitations(conn, account, email_key).await? {
        let Some(seats) = model::lock_seats(conn, row.membership_id).await? else { continue };
        let Some(row) = model::find(conn, row.id).await?.filter(|row| row.state == State::Invited) else {
            continue;
        };
        let giving = giving_of(conn, row.membership_id, now).await?;
        let ended = if row.head_id == account { State::Withdrawn } else { State::Declined };
        end(conn, seats, row, (ended, Cause::Erased), giving, now).await?;
    }
    Ok(())
}
