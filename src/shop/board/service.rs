//! Entering sales, and what operators announce. Both run in the caller's transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::model::{self, MilestoneKind};
use super::rules;
use crate::db::Conn;
use crate::error::Result;
use crate::types::id::{DropId, OrderId};

/// A paid line: its drop, units and minor units.
pub type SoldLine = (DropId, i64, i64);

/// Orders were paid: what they bought in drops is entered, one sale after the other, and milestones that these reach are.
///
/// # Errors
/// The database's.
pub async fn count_sales(
    conn: &mut Conn,
    sold: &[(OrderId, Vec<SoldLine>)],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sales: BTreeMap<DropId, Vec<(OrderId, i64, i64)>> = BTreeMap::new();
    for (order, lines) in sold {
        for (drop, (units, revenue_minor)) in rules::by_drop(lines) {
            sales.entry(drop).or_default().push((*order, units, revenue_minor));
        }
    }
    for (drop, sales) in sales {
        let after = model::add(conn, drop, &sales).await?;
        model::enter(conn, drop, &sales, after, now).await?;
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
