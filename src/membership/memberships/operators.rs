//! What operators do to memberships: each with a reason, in the audit log, once a key.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::joining::{self, Addition};
use super::model::{self, MembershipRow, Source};
use super::rules::{FreezeCause, GRACE, Life, life};
use super::service;
use super::views;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;
use crate::membership::plans;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{AccountId, MembershipId, PlanId};
use crate::types::period::Term;

/// Whom it concerns: an account, or the account of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Account(AccountId),
    Membership(MembershipId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One term of a plan, without payment.
    Grant(PlanId),
    /// The membership gets longer.
    Extend(Term),
    Freeze,
    Resume,
    Revoke,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Grant(_) => "membership.grant",
            Self::Extend(_) => "membership.extend",
            Self::Freeze => "membership.freeze",
            Self::Resume => "membership.resume",
            Self::Revoke => "membership.revoke",
        }
    }

    fn detail(self) -> Value {
        match self {
            Self::Grant(plan) => json!({ "plan": plan.to_string() }),
            Self::Extend(term) => json!({ "term": term.to_string() }),
            Self::Freeze | Self::Resume | Self::Revoke => json!({}),
        }
    }
}

/// An operator's request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub actor: Actor,
    pub target: Target,
    pub action: Action,
    pub reason: String,
    /// Of the operator (for an API key, of the one who made it), the route, the key and the body.
    pub request: Request,
    /// Of the answer.
    pub status: u16,
}

/// Does it, or finds what the same request did before; answers the membership.
///
/// # Errors
/// `not_found`, `unknown_plan`, `use_upgrade_quote`, `already_for_life`, `membership_frozen`, `membership_not_frozen`,
/// `membership_not_open`, `idempotency_key_reused`, `request_in_progress`.
pub async fn act(app: &App, asked: &Asked) -> Result<MembershipId> {
    let now = app.clock.now();
    let membership = db::transaction(&app.pool, async |conn| {
        let account = account_of(conn, asked.target).await?;
        let status = i16::try_from(asked.status).map_err(AppError::internal)?;
        let claim = idempotency::claim(conn, &asked.request, status, account.0, now).await?;
        if let Claim::Repeat(_) = claim {
            return shown(conn, asked.target, account).await;
        }
        let buyer = accounts::lock_buyers(conn, &[account]).await?.pop();
        let buyer = buyer.filter(|buyer| !buyer.is_guest).ok_or(Code::NotFound)?;
        let membership = match asked.action {
            Action::Grant(plan) => grant(app, conn, &buyer, plan, now).await?,
            other => change(app, conn, account, asked.target, other, now).await?,
        };
        let entry = Entry {
            actor: asked.actor,
            action: asked.action.name(),
            subject_kind: "membership",
            subject_id: membership.to_string(),
            reason: Some(&asked.reason),
            detail: asked.action.detail(),
        };
        audit::record(conn, now, entry).await?;
        Ok(membership)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(membership)
}

async fn account_of(conn: &mut Conn, target: Target) -> Result<AccountId> {
    match target {
        Target::Account(account) => Ok(account),
        Target::Membership(id) => {
            let member = views::find(conn, id).await?.ok_or(Code::NotFound)?;
            Ok(member.row.account_id)
        }
    }
}

/// The membership that a request was about, as it is now.
async fn shown(conn: &mut Conn, target: Target, account: AccountId) -> Result<MembershipId> {
    match target {
        Target::Membership(id) => Ok(id),
        Target::Account(_) => {
            let member = views::of_account(conn, account).await?;
            Ok(member.ok_or(Code::NotFound)?.row.id)
        }
    }
}

async fn grant(
    app: &App,
    conn: &mut Conn,
    buyer: &Buyer,
    plan: PlanId,
    now: DateTime<Utc>,
) -> Result<MembershipId> {
    let plan = plans::model::find_for_use(conn, plan).await?;
    let plan = plan.filter(|plan| plan.archived_at.is_none()).ok_or(Code::UnknownPlan)?;
    let held = model::lock_all_of(conn, &[buyer.id]).await?;
    let addition = Addition {
        account: buyer.id,
        tier: plan.tier,
        plan: Some(plan.id),
        term: plan.term,
        source: Source::Grant,
        line: None,
        value_minor: 0,
        now,
        zone: app.settings.timezone,
    };
    let added = joining::add_term(conn, &held, addition).await?;
    let number = joining::number_for(conn, buyer.id, added.membership.chapter_id, now).await?;
    if let Some(address) = buyer.email.clone() {
        let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
        let mail = Mail::Welcome {
            number,
            tier_zh: plan.tier_zh,
            tier_en: plan.tier_en,
            starts_at: added.term.starts_at,
            ends_at: added.term.ends_at,
        };
        mails::queue(conn, now, &to, &format!("welcome:{}", added.term.id), &mail).await?;
    }
    Ok(added.membership.id)
}

/// Changes the membership that is open; the account's row is locked.
async fn change(
    app: &App,
    conn: &mut Conn,
    account: AccountId,
    target: Target,
    action: Action,
    now: DateTime<Utc>,
) -> Result<MembershipId> {
    let held = model::lock_all_of(conn, &[account]).await?;
    let open = held.iter().find(|row| row.is_open() && life(row, now, GRACE) != Life::Expired);
    let open = open.filter(|row| target == Target::Membership(row.id) || target == Target::Account(account));
    let open = open.ok_or(Code::MembershipNotOpen)?.clone();
    let done = match action {
        // Grace can't be stopped: it would be over when the membership resumes.
        Action::Freeze if life(&open, now, GRACE) == Life::Grace => {
            return Err(
                Code::MembershipNotOpen.because("Its term is over: there is no time that could be stopped.")
            );
        }
        Action::Extend(term) => extend(app, conn, held, &open, term, now).await.map(|()| true)?,
        Action::Freeze => service::freeze(conn, account, FreezeCause::Operator, now).await?,
        Action::Resume => service::resume(conn, account, FreezeCause::Operator, now).await?,
        Action::Revoke => service::revoke(conn, account, now).await?,
        Action::Grant(_) => false,
    };
    match (done, action) {
        (true, _) => Ok(open.id),
        (false, Action::Resume) => Err(Code::MembershipNotFrozen.error()),
        (false, _) => Err(Code::MembershipFrozen.error()),
    }
}

async fn extend(
    app: &App,
    conn: &mut Conn,
    held: Vec<MembershipRow>,
    open: &MembershipRow,
    term: Term,
    now: DateTime<Utc>,
) -> Result<()> {
    let addition = Addition {
        account: open.account_id,
        tier: open.tier_id,
        plan: None,
        term,
        source: Source::Extension,
        line: None,
        value_minor: 0,
        now,
        zone: app.settings.timezone,
    };
    joining::add_term(conn, &held, addition).await.map(|_| ())
}
