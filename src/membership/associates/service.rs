//! Inviting, accepting and ending.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::dto::{AdminAssociateView, AssociatesView};
use super::model::{self, AssociateRow, Cause, State};
use super::rules::{self, INVITATION_LIFE};
use super::{access, endings};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;
use crate::membership::measures::model as measures;
use crate::membership::memberships::model::{self as memberships, MembershipRow, Stored};
use crate::membership::memberships::{joining, service as membership};
use crate::membership::tiers::{self, model::Tier};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::{attempts, secrets};
use crate::types::email::Email;
use crate::types::id::{AccountId, AssociateId, MembershipId};

const TOKEN_PREFIX: &str = "ka_";

/// Invitations are mails to strangers: so many a day, for who withdraws them and invites again.
const INVITATIONS_A_DAY: i32 = 20;

/// Holds a seat for an address and mails it the token.
///
/// # Errors
/// `membership_not_open`, `membership_frozen`, `is_associate`, `no_seat_left`, `already_invited`, `invalid_field` (one's own
/// address), `too_many_attempts`, `idempotency_key_reused`, `request_in_progress`.
pub async fn invite(app: &App, email: &Email, request: &Request) -> Result<AssociateId> {
    let (now, account) = (app.clock.now(), request.account);
    if let Some(done) = idempotency::earlier(&mut *db::connect(&app.pool).await?, request).await? {
        return Ok(AssociateId(done));
    }
    let key = attempts::key("associate_invitation", &account.to_string());
    attempts::count(&mut *db::connect(&app.pool).await?, &key, TimeDelta::days(1), INVITATIONS_A_DAY).await?;
    let token = secrets::generate(TOKEN_PREFIX)?;
    let id = db::transaction(&app.pool, async |conn| {
        let id = AssociateId::new();
        if let Claim::Repeat(done) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return Ok(AssociateId(done));
        }
        let head = accounts::lock_buyers(conn, &[account]).await?.pop().ok_or(Code::Unauthenticated)?;
        if head.email_key.as_deref() == Some(email.key().as_str()) {
            return Err(Code::InvalidField.at("email", "it is your own address"));
        }
        let held = memberships::lock_all_of(conn, &[account]).await?;
        let open = held.into_iter().find(MembershipRow::is_open);
        if open.is_none() && access::is_associate(conn, account).await? {
            return Err(Code::IsAssociate.error());
        }
        rules::may_seat(open.as_ref(), now)?;
        let open = open.ok_or(Code::MembershipNotOpen)?;
        hold(conn, (&head, &open), email, (id, &token), now).await?;
        Ok(id)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(id)
}

/// Writes the invitation on a seat of a membership that is locked.
async fn hold(
    conn: &mut Conn,
    (head, open): (&Buyer, &MembershipRow),
    email: &Email,
    (id, token): (AssociateId, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    model::make_seats(conn, open.id).await?;
    endings::tend(conn, open, now).await?;
    let seats = model::make_seats(conn, open.id).await?;
    let giving = endings::giving(conn, open, now).await?;
    if model::has_address(conn, open.id, &email.key()).await? {
        return Err(Code::AlreadyInvited.error());
    }
    let in_use = usize::try_from(seats.held + seats.taken).map_err(AppError::internal)?;
    let Some(term) = giving.filter(|_| rules::left(giving, in_use) > 0).map(|giving| giving.term) else {
        return Err(Code::NoSeatLeft.error());
    };
    let row = AssociateRow {
        id,
        membership_id: open.id,
        head_id: open.account_id,
        term_id: term,
        account_id: None,
        state: State::Invited,
        email: Some(email.as_str().to_owned()),
        email_key: Some(email.key()),
        token_hash: secrets::hash(token),
        expires_at: now + INVITATION_LIFE,
        created_at: now,
        accepted_at: None,
        ended_at: None,
        cause: None,
    };
    model::insert(conn, &row).await?;
    model::store_seats(conn, rules::moved(seats, 1, 0, giving)).await?;
    let tier = tier_of_seats(conn, open).await?;
    let to = Recipient { account: None, address: email.as_str().to_owned(), locale: head.locale };
    let mail = Mail::AssociateInvitation {
        token: token.to_owned(),
        from_name: head.name.clone().unwrap_or_default(),
        tier_zh: tier.names.zh,
        tier_en: tier.names.en,
        expires_at: row.expires_at,
    };
    mails::queue(conn, now, &to, &format!("associate:{id}:invited"), &mail).await
}

/// The tier that the seats of a membership give.
async fn tier_of_seats(conn: &mut Conn, head: &MembershipRow) -> Result<Tier> {
    let gone = || AppError::internal("the tier of a membership is gone");
    let tier = tiers::model::find(conn, head.tier_id).await?.ok_or_else(gone)?;
    match tier.associate_tier {
        Some(id) if id != tier.id => tiers::model::find(conn, id).await?.ok_or_else(gone),
        _ => Ok(tier),
    }
}

/// Takes the seat that the token is for. Accepting twice does no more than once.
///
/// # Errors
/// `token_invalid`, `invitation_expired`, `invitation_not_yours`, `has_membership`, `is_associate`, `expelled`,
/// `membership_frozen` (the head's).
pub async fn accept(app: &App, account: AccountId, token: &str) -> Result<()> {
    let now = app.clock.now();
    let hash = secrets::hash(token);
    db::transaction(&app.pool, async |conn| {
        let seen = model::by_token(conn, &hash).await?.ok_or(Code::TokenInvalid)?;
        let buyers = accounts::lock_buyers(conn, &[seen.head_id, account]).await?;
        let guest = buyers.iter().find(|buyer| buyer.id == account).ok_or(Code::Unauthenticated)?;
        let heads = memberships::lock_all_of(conn, &[seen.head_id]).await?;
        let head = heads.iter().find(|row| row.id == seen.membership_id && row.is_open());
        // Read again, under the locks.
        let row = model::find(conn, seen.id).await?.ok_or(Code::TokenInvalid)?;
        if row.state == State::Active && row.account_id == Some(account) {
            return Ok(());
        }
        rules::may_take(&row, guest.email_key.as_deref(), now)?;
        if access::is_associate(conn, account).await? {
            return Err(Code::IsAssociate.error());
        }
        if !measures::expelled_of(conn, &[account]).await?.is_empty() {
            return Err(Code::Expelled.error());
        }
        give_up_own(conn, account, now).await?;
        rules::may_seat(head, now).map_err(|code| match code {
            Code::MembershipNotOpen => Code::InvitationExpired,
            other => other,
        })?;
        let head = head.ok_or(Code::InvitationExpired)?;
        take(conn, row.id, head, guest, now).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// A membership of his own that is over is closed, as its job would have done after grace.
async fn give_up_own(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<()> {
    let own = memberships::lock_all_of(conn, &[account]).await?.into_iter().find(MembershipRow::is_open);
    rules::may_give_up(own.as_ref(), now)?;
    if let Some(mut own) = own {
        membership::close(conn, &mut own, Stored::Expired, now).await?;
        memberships::store(conn, &own).await?;
    }
    Ok(())
}

async fn take(
    conn: &mut Conn,
    id: AssociateId,
    head: &MembershipRow,
    guest: &Buyer,
    now: DateTime<Utc>,
) -> Result<()> {
    let seats = model::make_seats(conn, head.id).await?;
    // The seats are locked now: nobody withdraws it any more.
    let row = model::find(conn, id).await?.filter(|row| row.state == State::Invited);
    let row = row.ok_or(Code::InvitationExpired)?;
    let taken = AssociateRow {
        state: State::Active,
        account_id: Some(guest.id),
        accepted_at: Some(now),
        email: None,
        email_key: None,
        ..row
    };
    model::store(conn, &taken).await?;
    let giving = endings::giving(conn, head, now).await?;
    model::store_seats(conn, rules::moved(seats, -1, 1, giving)).await?;
    let tier = tier_of_seats(conn, head).await?;
    let number = joining::number_for(conn, guest.id, head.chapter_id, now).await?;
    let Some(address) = guest.email.clone() else { return Ok(()) };
    let to = Recipient { account: Some(guest.id), address, locale: guest.locale };
    let mail = Mail::AssociateJoined {
        number,
        tier_zh: tier.names.zh,
        tier_en: tier.names.en,
        ends_at: head.ends_at,
    };
    mails::queue(conn, now, &to, &format!("associate:{id}:joined"), &mail).await
}

/// Who has the token doesn't want the seat: it is free again. Twice does no more than once.
///
/// # Errors
/// `token_invalid`, `invitation_expired` where it was taken or has ended otherwise.
pub async fn decline(app: &App, token: &str) -> Result<()> {
    let now = app.clock.now();
    let hash = secrets::hash(token);
    db::transaction(&app.pool, async |conn| {
        let seen = model::by_token(conn, &hash).await?.ok_or(Code::TokenInvalid)?;
        let seats = model::lock_seats(conn, seen.membership_id).await?.ok_or(Code::TokenInvalid)?;
        let row = model::find(conn, seen.id).await?.ok_or(Code::TokenInvalid)?;
        match row.state {
            State::Declined => Ok(()),
            State::Invited => {
                let giving = endings::giving_of(conn, row.membership_id, now).await?;
                endings::end(conn, seats, row, (State::Declined, Cause::Left), giving, now).await?;
                Ok(())
            }
            _ => Err(Code::InvitationExpired.error()),
        }
    })
    .await
}

/// The head ends a seat or takes an invitation back; an associate leaves. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, account: AccountId, id: AssociateId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        let cause = match row {
            _ if row.head_id == account => Cause::Head,
            _ if row.account_id == Some(account) => Cause::Left,
            _ => return Err(Code::NotFound.error()),
        };
        end_open(conn, &row, cause, now).await.map(|_| ())
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(())
}

/// False where it was over before.
async fn end_open(conn: &mut Conn, seen: &AssociateRow, cause: Cause, now: DateTime<Utc>) -> Result<bool> {
    let Some(seats) = model::lock_seats(conn, seen.membership_id).await? else { return Ok(false) };
    // Read again, under the lock.
    let Some(row) = model::find(conn, seen.id).await?.filter(AssociateRow::is_open) else {
        return Ok(false);
    };
    let giving = endings::giving_of(conn, row.membership_id, now).await?;
    endings::end(conn, seats, row, (State::Withdrawn, cause), giving, now).await?;
    Ok(true)
}

/// An operator ends a seat, or takes an invitation back. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn end_by_operator(app: &App, actor: Actor, id: AssociateId, reason: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        if !end_open(conn, &row, Cause::Operator, now).await? {
            return Ok(());
        }
        let entry = Entry {
            actor,
            action: "associate.end",
            subject_kind: "associate",
            subject_id: id.to_string(),
            reason: Some(reason),
            detail: json!({ "membership": row.membership_id.to_string() }),
        };
        audit::record(conn, now, entry).await
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(())
}

/// The seats of the caller's membership and who has them.
///
/// # Errors
/// The database's.
pub async fn of_head(app: &App, account: AccountId) -> Result<AssociatesView> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let Some(open) = memberships::open_of(&conn, &[account]).await?.pop() else {
        return Ok(AssociatesView::default());
    };
    let giving = endings::giving(&mut conn, &open, now).await?;
    let named = model::named(&mut conn, open.id, true).await?;
    Ok(AssociatesView::new(named, giving, now))
}

/// Everybody who was or is an associate of a membership, for operators.
///
/// # Errors
/// The database's.
pub async fn of_membership(conn: &mut Conn, id: MembershipId) -> Result<Vec<AdminAssociateView>> {
    let named = model::named(conn, id, false).await?;
    Ok(named.into_iter().map(AdminAssociateView::from).collect())
}
