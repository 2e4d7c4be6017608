//! The jobs that follow what an order earns. Each looks at how the order stands now, under its row: so twice, late and out of
//! order make no difference.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::app::App;
use crate::checkout::invited::model as moving;
use crate::checkout::invited::rules::final_at;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Outcome};
use crate::loyalty::points::model as points;
use crate::loyalty::points::rules::earned;
use crate::loyalty::points::service::{self as ledger, Earned, Terms};
use crate::loyalty::walks::service as walks;
use crate::people::accounts::model as accounts;
use crate::promotion::referrals::rules::{Dispute, LOOK_AGAIN};
use crate::types::id::OrderId;

/// An order with these lines was paid: where it earns something, this job looks at it. Queued in the transaction that settles it.
pub fn paid(order: OrderId, lines: &[LineRow]) -> Option<Job> {
    let earns = lines.iter().any(|line| line.points_rate_bp > 0 || line.level_rate_bp > 0);
    earns.then_some(Job::FollowPoints { order })
}

/// Money of an order goes back, or is disputed: jobs look at what it has earned, and at its buyer's level. Called in the transaction
/// that enters it.
///
/// # Errors
/// The database's.
pub async fn changed(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let buyers = orders::buyers_of(conn, &[order]).await?;
    walks::touched(conn, &buyers, true, now).await?;
    if points::by_cause(conn, &ledger::earned_by(order)).await?.is_some() {
        jobs::enqueue(conn, &Job::FollowPoints { order }, now, now).await?;
    }
    Ok(())
}

/// Orders of guests belong to an account from now on: it earns what they earn.
///
/// # Errors
/// The database's.
pub async fn adopted(conn: &mut Conn, adopted: &[OrderId], now: DateTime<Utc>) -> Result<()> {
    let jobs: Vec<_> = adopted.iter().map(|order| (Job::FollowPoints { order: *order }, now)).collect();
    jobs::queue::enqueue_all(conn, &jobs, now).await?;
    let buyers = orders::buyers_of(conn, adopted).await?;
    walks::touched(conn, &buyers, false, now).await?;
    Ok(())
}

/// The job [`Job::FollowPoints`]: looks at what an order has earned, and again until it can be spent.
///
/// # Errors
/// The database's.
pub async fn follow(app: &App, id: OrderId) -> Result<Outcome> {
    let now = app.clock.now();
    let (zone, window) = (app.settings.timezone, app.settings.goods.return_window);
    let next = db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, id).await?;
        let Some((earned, final_at)) = earned_now(conn, &order, window, zone, now).await? else {
            return Ok(None);
        };
        let terms = Terms::load(conn, zone).await?;
        let is_pending = ledger::follow(conn, &terms, &earned, now).await?;
        Ok(is_pending.then(|| final_at.filter(|at| *at > now).unwrap_or(now + LOOK_AGAIN)))
    })
    .await?;
    Ok(next.map_or(Outcome::Done, Outcome::Again))
}

/// What an order has earned as it stands, and when that is final; none where nobody can have it.
async fn earned_now(
    conn: &mut Conn,
    order: &OrderRow,
    window: TimeDelta,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Option<(Earned, Option<DateTime<Utc>>)>> {
    let Some(paid_at) = order.paid_at else { return Ok(None) };
    let is_guests = orders::of_guests(conn, &[order.id]).await?.contains(&order.id);
    let is_there = match accounts::load_buyer(conn, order.account_id).await {
        Ok(buyer) => buyer.email.is_some(),
        Err(error) if error.code == Code::Unauthenticated => false,
        Err(error) => return Err(error),
    };
    if is_guests || !is_there {
        return Ok(None);
    }
    let dispute = moving::dispute_of(conn, order.id).await?;
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let for_money = |minor: fn(&LineRow) -> i64| -> (i64, i64) {
        let at = |rate: fn(&LineRow) -> i32| lines.iter().map(|line| earned(minor(line), rate(line))).sum();
        (at(|line| line.points_rate_bp), at(|line| line.level_rate_bp))
    };
    let underway = moving::underway(conn, order.id, paid_at).await?;
    let final_at = final_at(&underway, window, zone).filter(|_| dispute != Dispute::Open);
    let earned = Earned {
        account: order.account_id,
        order: order.id,
        whole: for_money(LineRow::money_minor),
        kept: if dispute == Dispute::Lost { (0, 0) } else { for_money(LineRow::money_left_minor) },
        is_final: final_at.is_some_and(|at| at <= now),
    };
    Ok(Some((earned, final_at)))
}
