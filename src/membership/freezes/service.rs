//! Freezing and resuming by the member, and by the time that the member said.

use chrono::{DateTime, Utc};

use super::model::{self, Freeze};
use super::rules::{self, YEAR};
use crate::app::App;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Outcome};
use crate::membership::memberships::model as memberships;
use crate::membership::memberships::rules::FreezeCause;
use crate::membership::memberships::service as membership;
use crate::people::accounts::model as accounts;
use crate::types::id::FreezeId;

/// The member's membership rests until then; a job resumes it.
///
/// # Errors
/// `membership_not_open`, `membership_frozen`, `already_for_life`, `membership_order_pending`, `freeze_limit`,
/// `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn freeze(app: &App, until: DateTime<Utc>, request: &Request) -> Result<()> {
    let (now, account) = (app.clock.now(), request.account);
    db::transaction(&app.pool, async |conn| {
        if is_repeat(conn, request, now).await? {
            return Ok(());
        }
        accounts::lock_buyers(conn, &[account]).await?;
        let held = memberships::lock_all_of(conn, &[account]).await?;
        let open = rules::freezable(held.iter().find(|row| row.is_open()), now)?;
        // An upgrade or a year that is about to be paid couldn't be given to a membership that rests.
        if model::is_buying(conn, account).await? {
            return Err(Code::MembershipOrderPending.error());
        }
        let used = rules::used(&model::since(conn, account, now - YEAR).await?, now);
        rules::may_rest(until, used, app.settings.freeze_most, now)?;
        let freeze = Freeze {
            id: FreezeId::new(),
            membership_id: open.id,
            account_id: account,
            started_at: now,
            until,
            ended_at: None,
        };
        model::insert(conn, &freeze).await?;
        membership::freeze(conn, account, FreezeCause::Member, now).await?;
        jobs::enqueue(conn, &Job::EndFreeze { freeze: freeze.id }, until, now).await?;
        Ok(())
    })
    .await
}

/// The member goes on before the time is over. It stays frozen while another cause holds, such as a dispute.
///
/// # Errors
/// `membership_not_frozen`, `idempotency_key_reused`, `request_in_progress`.
pub async fn resume(app: &App, request: &Request) -> Result<()> {
    let (now, account) = (app.clock.now(), request.account);
    db::transaction(&app.pool, async |conn| {
        if is_repeat(conn, request, now).await? {
            return Ok(());
        }
        accounts::lock_buyers(conn, &[account]).await?;
        if membership::resume(conn, account, FreezeCause::Member, now).await? {
            return Ok(());
        }
        Err(Code::MembershipNotFrozen.error())
    })
    .await
}

async fn is_repeat(conn: &mut Conn, request: &Request, now: DateTime<Utc>) -> Result<bool> {
    let claim = idempotency::claim(conn, request, 200, request.account.0, now).await?;
    Ok(matches!(claim, Claim::Repeat(_)))
}

/// The job [`Job::EndFreeze`]: does nothing where the member has come back before.
///
/// # Errors
/// The database's.
pub async fn end(app: &App, id: FreezeId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(freeze) = model::find(conn, id).await? else { return Ok(Outcome::Done) };
        accounts::lock_buyers(conn, &[freeze.account_id]).await?;
        // Read again, under the lock.
        if model::find(conn, id).await?.is_some_and(|freeze| freeze.ended_at.is_none()) {
            membership::resume(conn, freeze.account_id, FreezeCause::Member, now).await?;
        }
        Ok(Outcome::Done)
    })
    .await
}
