//! Rows of the ledger of a drop's sales, of its sums, and of boards.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{drop_boards, drop_milestones, drop_tallies};
use crate::types::id::{DropId, OrderId};
use crate::types::stored::stored_enum;
use crate::{batch_insert, statement};

stored_enum! {
    /// What a milestone counts.
    MilestoneKind {
        Units = "units",
        Revenue = "revenue",
    }
}

/// What was sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub units: i64,
    pub orders: i64,
    pub revenue_minor: i64,
}

/// A public board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    pub sums: Sums,
    /// By amount.
    pub milestones: Vec<Milestone>,
}

/// An amount to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milestone {
    pub kind: MilestoneKind,
    /// Units, or minor units of money.
    pub amount: i64,
    pub reached_at: Option<DateTime<Utc>>,
}

/// Adds sales (order, units, minor units) to a drop's sums, whose row is locked by it: one of the counters, the last of all
/// locks. The sums after them.
///
/// # Errors
/// The database's.
pub async fn add(conn: &mut Conn, drop: DropId, sales: &[(OrderId, i64, i64)]) -> Result<Sums> {
    let orders = i64::try_from(sales.len()).unwrap_or(i64::MAX);
    let (units, revenue_minor): (i64, i64) =
        sales.iter().fold((0, 0), |(units, minor), sale| (units + sale.1, minor + sale.2));
    let first = (
        drop_tallies::drop_id.eq(drop),
        drop_tallies::units.eq(units),
        drop_tallies::orders.eq(orders),
        drop_tallies::revenue_minor.eq(revenue_minor),
    );
    let (units, orders, revenue_minor) = diesel::insert_into(drop_tallies::table)
        .values(first)
        .on_conflict(drop_tallies::drop_id)
        .do_update()
        .set((
            drop_tallies::units.eq(drop_tallies::units + units),
            drop_tallies::orders.eq(drop_tallies::orders + orders),
            drop_tallies::revenue_minor.eq(drop_tallies::revenue_minor + revenue_minor),
        ))
        .returning((drop_tallies::units, drop_tallies::orders, drop_tallies::revenue_minor))
        .get_result(conn)
        .await?;
    Ok(Sums { units, orders, revenue_minor })
}

batch_insert! {
    struct NewSale as SaleColumns into "drop_sales" {
        drop_id: DropId => SqlUuid,
        order_id: OrderId => SqlUuid,
        units: i64 => BigInt,
        revenue_minor: i64 => BigInt,
        units_after: i64 => BigInt,
        revenue_after_minor: i64 => BigInt,
        sold_at: DateTime<Utc> => Timestamptz,
    }
}

/// Enters sales, each with the sums after it; `after` are those after the last one. The tally's row is locked.
///
/// # Errors
/// The database's.
pub async fn enter(
    conn: &mut Conn,
    drop: DropId,
    sales: &[(OrderId, i64, i64)],
    after: Sums,
    now: DateTime<Utc>,
) -> Result<()> {
    let (mut units_after, mut revenue_after_minor) = (after.units, after.revenue_minor);
    let mut rows = Vec::with_capacity(sales.len());
    for (order_id, units, revenue_minor) in sales.iter().rev().copied() {
        rows.push(NewSale {
            drop_id: drop,
            order_id,
            units,
            revenue_minor,
            units_after,
            revenue_after_minor,
            sold_at: now,
        });
        units_after -= units;
        revenue_after_minor -= revenue_minor;
    }
    rows.reverse();
    NewSale::insert(&mut &*conn, rows).await?;
    Ok(())
}

statement! {
    struct Reach = "UPDATE drop_milestones SET reached_at = "
        [now: DateTime<Utc> => Timestamptz] " WHERE reached_at IS NULL AND drop_id = "
        [drop: DropId => SqlUuid] " AND amount <= CASE kind WHEN 'units' THEN "
        [units: i64 => BigInt] " ELSE " [revenue_minor: i64 => BigInt] " END"
}

/// Milestones up to these sums are reached now; the tally's row is locked.
///
/// # Errors
/// The database's.
pub async fn reach(conn: &mut Conn, drop: DropId, sums: Sums, now: DateTime<Utc>) -> Result<()> {
    Reach { now, drop, units: sums.units, revenue_minor: sums.revenue_minor }.execute(conn).await?;
    Ok(())
}

/// Locks a drop's sums, so that no sale is entered meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, drop: DropId) -> Result<()> {
    let none = (
        drop_tallies::drop_id.eq(drop),
        drop_tallies::units.eq(0),
        drop_tallies::orders.eq(0),
        drop_tallies::revenue_minor.eq(0),
    );
    diesel::insert_into(drop_tallies::table).values(none).on_conflict_do_nothing().execute(conn).await?;
    let row = drop_tallies::table.find(drop).select(drop_tallies::units).for_no_key_update();
    row.first::<i64>(conn).await?;
    Ok(())
}

/// Makes a drop's board public; one that is stays.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut Conn, drop: DropId, now: DateTime<Utc>) -> Result<()> {
    diesel::insert_into(drop_boards::table)
        .values((drop_boards::drop_id.eq(drop), drop_boards::created_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a drop's board away, with its milestones; the ledger stays.
///
/// # Errors
/// The database's.
pub async fn close(conn: &mut Conn, drop: DropId) -> Result<()> {
    clear(conn, drop).await?;
    diesel::delete(drop_boards::table.find(drop)).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn clear(conn: &mut Conn, drop: DropId) -> Result<()> {
    let all = drop_milestones::table.filter(drop_milestones::drop_id.eq(drop));
    diesel::delete(all).execute(conn).await?;
    Ok(())
}

statement! {
    struct Announce = "INSERT INTO drop_milestones (drop_id, kind, amount, reached_at) SELECT m.*, \
         (SELECT s.sold_at FROM drop_sales s WHERE s.drop_id = m.drop_id \
             AND CASE m.kind WHEN 'units' THEN s.units_after ELSE s.revenue_after_minor END >= m.amount \
             ORDER BY s.units_after LIMIT 1) FROM (SELECT "
        [drop: DropId => SqlUuid] "::uuid AS drop_id, " [kind: &'static str => Text] "::text AS kind, "
        [amount: i64 => BigInt] "::bigint AS amount) AS m"
}

/// Announces a milestone; where the ledger has passed it already, it was reached then. The tally's row is locked.
///
/// # Errors
/// The database's.
pub async fn announce(conn: &mut Conn, drop: DropId, kind: MilestoneKind, amount: i64) -> Result<()> {
    Announce { drop, kind: kind.as_str(), amount }.execute(conn).await?;
    Ok(())
}

/// The public boards of these drops.
///
/// # Errors
/// The database's.
pub async fn of(conn: &mut Conn, drops: &[DropId]) -> Result<HashMap<DropId, Board>> {
    type Row = (DropId, Option<(i64, i64, i64)>);
    let rows: Vec<Row> = drop_boards::table
        .left_join(drop_tallies::table.on(drop_tallies::drop_id.eq(drop_boards::drop_id)))
        .filter(drop_boards::drop_id.eq_any(drops))
        .select((
            drop_boards::drop_id,
            (drop_tallies::units, drop_tallies::orders, drop_tallies::revenue_minor).nullable(),
        ))
        .load(conn)
        .await?;
    let mut boards: HashMap<_, _> = rows
        .into_iter()
        .map(|(drop, sums)| {
            let (units, orders, revenue_minor) = sums.unwrap_or_default();
            (drop, Board { sums: Sums { units, orders, revenue_minor }, milestones: Vec::new() })
        })
        .collect();
    let milestones: Vec<(DropId, MilestoneKind, i64, Option<DateTime<Utc>>)> = drop_milestones::table
        .filter(drop_milestones::drop_id.eq_any(drops))
        .order((drop_milestones::drop_id, drop_milestones::kind, drop_milestones::amount))
        .select((
            drop_milestones::drop_id,
            drop_milestones::kind,
            drop_milestones::amount,
            drop_milestones::reached_at,
        ))
        .load(conn)
        .await?;
    for (drop, kind, amount, reached_at) in milestones {
        if let Some(board) = boards.get_mut(&drop) {
            board.milestones.push(Milestone { kind, amount, reached_at });
        }
    }
    Ok(boards)
}
