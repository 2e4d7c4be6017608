//! What can be changed to what, and what becomes of a quote that was paid.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::model::{self, Mode, UpgradeQuote};
use super::rules::{self, Upgradable};
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::membership::memberships::model as memberships;
use crate::membership::memberships::service::{self as membership, Activated, Upgrading};
use crate::membership::plans::model as plans;
use crate::types::id::{AccountId, LineId, PlanId, UpgradeQuoteId};
use crate::types::period::Term;

/// The account's membership, and the plan that it can be changed to now. Nothing is held: a quote for it is good
/// while the membership stays as it is, and no longer than [`rules::VALID_FOR`].
///
/// # Errors
/// `membership_not_open`, `membership_frozen`, `not_an_upgrade`, `upgrade_not_sold`; `unknown_plan`; `invalid_field`
/// for `prorate` with a plan for life, of which no time is a share.
pub async fn upgradable(
    conn: &mut Conn,
    account: AccountId,
    plan: PlanId,
    mode: Mode,
    now: DateTime<Utc>,
) -> Result<Upgradable> {
    let open = memberships::open_of(conn, &[account]).await?.pop();
    let plan = plans::load(conn, &[plan]).await?.pop();
    let plan = plan.ok_or_else(|| Code::UnknownPlan.at("plan", "unknown"))?;
    if plan.term == Term::Lifetime && mode == Mode::Prorate {
        return Err(Code::InvalidField.at("mode", "a plan for life is paid whole: restart"));
    }
    let rank = match &open {
        Some(open) => model::rank_of(conn, open.tier_id).await?,
        None => 0,
    };
    let open = rules::upgradable(open.as_ref(), rank, &plan, now)?.clone();
    let terms = membership::valued_terms(conn, open.id).await?;
    Ok(Upgradable { account, open, terms, plan, mode })
}

/// A line with a quote that was paid.
#[derive(Clone, Copy, Debug)]
pub struct PaidUpgrade {
    pub quote: UpgradeQuoteId,
    pub line: LineId,
    /// By money and store credit.
    pub paid_minor: i64,
}

/// Does what was quoted: the terms that aren't over are replaced by one of the higher tier. The account's row is locked, and
/// [`fits`] was asked under that lock.
///
/// # Errors
/// Those of [`rules::still_fits`], or the database's.
pub async fn apply(conn: &mut Conn, paid: PaidUpgrade, now: DateTime<Utc>, zone: Tz) -> Result<Activated> {
    let quote = load(conn, paid.quote).await?;
    let held = memberships::lock_all_of(conn, &[quote.account_id]).await?;
    let open = held.into_iter().find(memberships::MembershipRow::is_open);
    rules::still_fits(&quote, open.as_ref(), now)?;
    let open = open.ok_or(Code::MembershipNotOpen)?;
    let plan = plans::load(conn, &[quote.plan_id]).await?.pop();
    let plan = plan.ok_or_else(|| AppError::internal("a sold plan is gone"))?;
    let terms = memberships::terms_of(conn, open.id).await?;
    let upgrading = Upgrading {
        line: paid.line,
        paid_minor: paid.paid_minor,
        credited_minor: quote.credit_minor,
        span: rules::span(&terms, plan.term, quote.mode, now, zone)?,
        now,
    };
    membership::upgrade(conn, open, &plan, &upgrading).await
}

/// Can what was quoted still be done? The account's row is locked.
///
/// # Errors
/// The database's.
pub async fn fits(conn: &mut Conn, quote: UpgradeQuoteId, now: DateTime<Utc>) -> Result<bool> {
    let quote = load(conn, quote).await?;
    let open = memberships::open_of(conn, &[quote.account_id]).await?;
    Ok(rules::still_fits(&quote, open.first(), now).is_ok())
}

async fn load(conn: &mut Conn, id: UpgradeQuoteId) -> Result<UpgradeQuote> {
    let quote = model::load(conn, &[id]).await?.pop();
    quote.ok_or_else(|| AppError::internal("an upgrade's quote is gone"))
}
