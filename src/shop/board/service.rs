//! Entering sales, and what operators announce. Both run in the caller's transaction.

use chrono::{DateTime, Utc};

use super::model::{self, MilestoneKind};
use super::rules;
use crate::db::Conn;
use crate::error::Result;
use crate::types::id::{DropId, OrderId};

/// An order was paid: what it bought in drops is entered, and milestones that it reaches are. Its lines' drops, units and
/// minor units.
///
/// # Errors
/// The database's.
pub async fn count_sale(
    conn: &mut Conn,
    order: OrderId,
    lines: &[(DropId, i64, i64)],
    now: DateTime<Utc>,
) -> Result<()> {
    for (drop, (units, revenue_minor)) in rules::by_drop(lines) {
        let after = model::add(conn, drop, units, revenue_minor).await?;
        model::enter(conn, (drop, order), (units, revenue_minor), after, now).await?;
        model::reach(conn, drop, after, now).await?;
    }
    Ok(())
}

/// Makes a drop's board public with these milestones, or takes it away.
///
/// # Errors
/// The database's.
pub async fn set(
    conn: &mut Conn,
    drop: DropId,
    milestones: Option<&[(MilestoneKind, i64)]>,
    now: DateTime<Utc>,
) -> Result<()> {
    model::lock(conn, drop).await?;
    let Some(milestones) = milestones else { return model::close(conn, drop).await };
    model::open(conn, drop, now).await?;
    model::clear(conn, drop).await?;
    for (kind, amount) in milestones {
        model::announce(conn, drop, *kind, *amount).await?;
    }
    Ok(())
}
