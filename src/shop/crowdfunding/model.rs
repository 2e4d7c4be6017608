//! Rows of goals and pledges.

use chrono::{DateTime, Utc};
use diesel::dsl::count;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::rules::PledgedLine;
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{drop_goals, order_lines, orders, pledges};
use crate::types::id::{AccountId, DropId, LineId, OrderId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a goal counts.
    Counts {
        /// Units of the drop, of whatever it sells.
        Units = "units",
        /// Minor units of what they cost.
        Amount = "amount",
    }
}

stored_enum! {
    /// What was decided of a goal.
    Outcome {
        Reached = "reached",
        Missed = "missed",
    }
}

/// What has come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub units: i64,
    pub minor: i64,
    /// Accounts with a pledge that counts.
    pub backers: i64,
}

/// What was decided, once, and by which figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    pub decided_at: DateTime<Utc>,
    pub figures: Figures,
}

/// What a crowdfunded drop must bring together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    pub counts: Counts,
    pub goal: i64,
    /// Of amounts.
    pub currency: String,
    /// As it is now.
    pub pledged: Figures,
    pub decision: Option<Decision>,
}

impl Goal {
    pub fn new(counts: Counts, goal: i64, currency: &str) -> Self {
        Self { counts, goal, currency: currency.to_owned(), pledged: Figures::default(), decision: None }
    }

    /// Missed: money that comes now goes back.
    pub fn is_missed(&self) -> bool {
        self.decision.is_some_and(|decision| decision.outcome == Outcome::Missed)
    }

    /// Reached: parcels may go out.
    pub fn is_reached(&self) -> bool {
        self.decision.is_some_and(|decision| decision.outcome == Outcome::Reached)
    }
}

/// A goal's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = drop_goals)]
pub struct GoalRow {
    counts: Counts,
    goal: i64,
    currency: String,
    pledged_units: i64,
    pledged_minor: i64,
    backers: i64,
    outcome: Option<Outcome>,
    decided_at: Option<DateTime<Utc>>,
    decided_units: Option<i64>,
    decided_minor: Option<i64>,
    decided_backers: Option<i64>,
}

impl From<GoalRow> for Goal {
    fn from(row: GoalRow) -> Self {
        let figures = |units, minor, backers| Figures { units, minor, backers };
        let decided = row.outcome.zip(row.decided_at);
        let by = row.decided_units.zip(row.decided_minor).zip(row.decided_backers);
        Self {
            counts: row.counts,
            goal: row.goal,
            currency: row.currency,
            pledged: figures(row.pledged_units, row.pledged_minor, row.backers),
            decision: decided.zip(by).map(|((outcome, decided_at), ((units, minor), backers))| Decision {
                outcome,
                decided_at,
                figures: figures(units, minor, backers),
            }),
        }
    }
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, drop: DropId, goal: &Goal) -> Result<()> {
    diesel::insert_into(drop_goals::table)
        .values((
            drop_goals::drop_id.eq(drop),
            drop_goals::counts.eq(goal.counts),
            drop_goals::goal.eq(goal.goal),
            drop_goals::currency.eq(&goal.currency),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks a drop's goal: after pools and accounts, before counters. None where the drop has none.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, drop: DropId) -> Result<Option<Goal>> {
    let query = drop_goals::table.find(drop).select(GoalRow::as_select()).for_no_key_update();
    Ok(query.first(conn).await.optional()?.map(Goal::from))
}

/// The goals of these drops, of those that have one.
///
/// # Errors
/// The database's.
pub async fn of_drops(conn: &mut Conn, drops: &[DropId]) -> Result<Vec<(DropId, Goal)>> {
    let rows: Vec<(DropId, GoalRow)> = drop_goals::table
        .filter(drop_goals::drop_id.eq_any(drops))
        .select((drop_goals::drop_id, GoalRow::as_select()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(drop, row)| (drop, row.into())).collect())
}

/// Writes the decision of a goal that is locked and has none.
///
/// # Errors
/// The database's.
pub async fn decide(conn: &mut Conn, drop: DropId, decision: &Decision) -> Result<()> {
    diesel::update(drop_goals::table.find(drop).filter(drop_goals::outcome.is_null()))
        .set((
            drop_goals::outcome.eq(decision.outcome),
            drop_goals::decided_at.eq(decision.decided_at),
            drop_goals::decided_units.eq(decision.figures.units),
            drop_goals::decided_minor.eq(decision.figures.minor),
            drop_goals::decided_backers.eq(decision.figures.backers),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// When the first order in a drop was placed, of whatever became of it.
///
/// # Errors
/// The database's.
pub async fn first_order_at(conn: &mut Conn, drop: DropId) -> Result<Option<DateTime<Utc>>> {
    // Ids are led by time: the first line is of the first order, but for orders of one batch.
    Ok(pledges::table
        .inner_join(order_lines::table.inner_join(orders::table))
        .filter(pledges::drop_id.eq(drop))
        .order(pledges::line_id)
        .select(orders::created_at)
        .first(conn)
        .await
        .optional()?)
}

/// May an order of the drop still be paid that was placed in time?
///
/// # Errors
/// The database's.
pub async fn has_open_holds(conn: &mut Conn, drop: DropId) -> Result<bool> {
    let open = pledges::table
        .inner_join(order_lines::table.inner_join(orders::table))
        .filter(pledges::drop_id.eq(drop))
        .filter(orders::state.eq("pending_payment"));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(conn).await?)
}

batch_insert! {
    /// A line of a crowdfunded drop, as it is ordered: it counts once it is settled.
    pub struct NewPledge as PledgeColumns into "pledges" {
        line_id: LineId => SqlUuid,
        drop_id: DropId => SqlUuid,
        account_id: AccountId => SqlUuid,
        backer_name: Option<String> => Nullable<Text>,
    }
}

/// A pledge with what it counts for, beside its line.
#[derive(Clone, Copy, Debug)]
pub struct Pledge {
    pub line: LineId,
    pub drop: DropId,
    pub account: AccountId,
    pub units: i64,
    pub minor: i64,
    pub sold: PledgedLine,
    /// Its backer was told, or refunded, after the decision.
    pub is_concluded: bool,
    /// Is money of its order left, shipping included?
    pub has_money_left: bool,
}

/// The pledge of an order, which is its only line.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Option<Pledge>> {
    type Sums = (i64, i64, i64, i64, i64);
    type Row = (LineId, DropId, AccountId, Sums, Option<DateTime<Utc>>, Option<DateTime<Utc>>, i64, i64);
    let row: Option<Row> = pledges::table
        .inner_join(order_lines::table.inner_join(orders::table))
        .filter(orders::id.eq(order))
        .select((
            pledges::line_id,
            pledges::drop_id,
            pledges::account_id,
            (
                pledges::units,
                pledges::minor,
                order_lines::quantity,
                order_lines::total_minor,
                order_lines::refunded_minor,
            ),
            orders::paid_at,
            pledges::concluded_at,
            orders::refunded_minor,
            orders::total_minor,
        ))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(line, drop, account, sums, paid_at, concluded_at, refunded, due)| {
        let (units, minor, quantity, total_minor, refunded_minor) = sums;
        Pledge {
            line,
            drop,
            account,
            units,
            minor,
            sold: PledgedLine { is_paid: paid_at.is_some(), quantity, total_minor, refunded_minor },
            is_concluded: concluded_at.is_some(),
            has_money_left: paid_at.is_some() && refunded < due,
        }
    }))
}

impl Pledge {
    /// Is something still to be done for its backer, now that the goal is decided and the pledge counts for so many units? As
    /// [`open_pledges`] chooses.
    pub fn is_owed(&self, outcome: Outcome, units: i64) -> bool {
        !self.is_concluded
            && match outcome {
                Outcome::Reached => units > 0,
                Outcome::Missed => self.has_money_left,
            }
    }
}

/// Has the account another pledge of the drop that counts? The goal's row is locked.
///
/// # Errors
/// The database's.
pub async fn backs_otherwise(conn: &mut Conn, pledge: &Pledge) -> Result<bool> {
    let others = pledges::table
        .filter(pledges::account_id.eq(pledge.account))
        .filter(pledges::drop_id.eq(pledge.drop))
        .filter(pledges::line_id.ne(pledge.line))
        .filter(pledges::units.gt(0));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(conn).await?)
}

/// Writes what a pledge counts for from now on and moves its goal's sums, whose row is locked.
///
/// # Errors
/// The database's.
pub async fn weigh(conn: &mut Conn, pledge: &Pledge, (units, minor): (i64, i64), backers: i64) -> Result<()> {
    diesel::update(pledges::table.find(pledge.line))
        .set((pledges::units.eq(units), pledges::minor.eq(minor)))
        .execute(conn)
        .await?;
    diesel::update(drop_goals::table.find(pledge.drop))
        .set((
            drop_goals::pledged_units.eq(drop_goals::pledged_units + (units - pledge.units)),
            drop_goals::pledged_minor.eq(drop_goals::pledged_minor + (minor - pledge.minor)),
            drop_goals::backers.eq(drop_goals::backers + backers),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Orders of a drop whose pledges haven't been concluded, the first first: of a missed goal all of which some money is left,
/// of a reached one those that count.
///
/// # Errors
/// The database's.
pub async fn open_pledges(
    conn: &mut Conn,
    drop: DropId,
    outcome: Outcome,
    limit: i64,
) -> Result<Vec<(LineId, OrderId)>> {
    let mut query = pledges::table
        .inner_join(order_lines::table.inner_join(orders::table))
        .filter(pledges::drop_id.eq(drop))
        .filter(pledges::concluded_at.is_null())
        .order(pledges::line_id)
        .limit(limit)
        .select((pledges::line_id, orders::id))
        .into_boxed();
    query = match outcome {
        Outcome::Reached => query.filter(pledges::units.gt(0)),
        Outcome::Missed => {
            query.filter(orders::paid_at.is_not_null()).filter(orders::refunded_minor.lt(orders::total_minor))
        }
    };
    Ok(query.load(conn).await?)
}

/// Marks a pledge as concluded: its backer was told, or refunded.
///
/// # Errors
/// The database's.
pub async fn conclude(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(pledges::table.find(line)).set(pledges::concluded_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// A page of the names of a drop's backers, the first first: those whose pledges count and who are to be named.
///
/// # Errors
/// The database's.
pub async fn named(conn: &mut Conn, drop: DropId, page: Page) -> Result<Vec<(LineId, String)>> {
    // A first page begins before all ids; the cursor of a later one is the last id that was shown.
    let after = if page.before == Uuid::max() { Uuid::nil() } else { page.before };
    Ok(pledges::table
        .filter(pledges::drop_id.eq(drop))
        .filter(pledges::line_id.gt(LineId(after)))
        .filter(pledges::units.gt(0))
        .filter(pledges::backer_name.is_not_null())
        .order(pledges::line_id)
        .limit(page.fetch())
        .select((pledges::line_id, pledges::backer_name.assume_not_null()))
        .load(conn)
        .await?)
}

/// Moves the pledges of these orders to another account. Two accounts that become one are one backer: under the goals' locks,
/// which are taken by id, their counts follow.
///
/// # Errors
/// The database's.
pub async fn move_to(conn: &mut Conn, of: &[OrderId], account: AccountId) -> Result<()> {
    let moved: Vec<(LineId, DropId, AccountId)> = pledges::table
        .inner_join(order_lines::table)
        .filter(order_lines::order_id.eq_any(of))
        .order((pledges::drop_id, pledges::line_id))
        .select((pledges::line_id, pledges::drop_id, pledges::account_id))
        .load(conn)
        .await?;
    for of_drop in moved.chunk_by(|(_, one, _), (_, next, _)| one == next) {
        let Some((_, drop, _)) = of_drop.first().copied() else { continue };
        lock(conn, drop).await?;
        let lines: Vec<_> = of_drop.iter().map(|(line, _, _)| *line).collect();
        let mut both: Vec<_> = of_drop.iter().map(|(_, _, from)| *from).collect();
        both.push(account);
        let before = backing(conn, drop, &both).await?;
        diesel::update(pledges::table.filter(pledges::line_id.eq_any(lines)))
            .set(pledges::account_id.eq(account))
            .execute(conn)
            .await?;
        let after = backing(conn, drop, &both).await?;
        diesel::update(drop_goals::table.find(drop))
            .set(drop_goals::backers.eq(drop_goals::backers + (after - before)))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// How many of these accounts have a pledge of the drop that counts.
async fn backing(conn: &mut Conn, drop: DropId, accounts: &[AccountId]) -> Result<i64> {
    let counting = pledges::table
        .filter(pledges::account_id.eq_any(accounts))
        .filter(pledges::drop_id.eq(drop))
        .filter(pledges::units.gt(0));
    Ok(counting.select(count(pledges::account_id).aggregate_distinct()).first(conn).await?)
}

/// The names under which the buyers of these orders are thanked, of those who want to be.
///
/// # Errors
/// The database's.
pub async fn names_of(mut conn: &Conn, ids: &[OrderId]) -> Result<Vec<(OrderId, String)>> {
    Ok(pledges::table
        .inner_join(order_lines::table)
        .filter(order_lines::order_id.eq_any(ids))
        .filter(pledges::backer_name.is_not_null())
        .select((order_lines::order_id, pledges::backer_name.assume_not_null()))
        .load(&mut conn)
        .await?)
}

/// Takes the name off an order's pledge. False where there is no such pledge.
///
/// # Errors
/// The database's.
pub async fn remove_name(conn: &mut Conn, order: OrderId) -> Result<bool> {
    let lines = order_lines::table.filter(order_lines::order_id.eq(order)).select(order_lines::id);
    let lines: Vec<LineId> = lines.load(conn).await?;
    let theirs = diesel::update(pledges::table.filter(pledges::line_id.eq_any(lines)))
        .set(pledges::backer_name.eq(None::<String>));
    Ok(theirs.execute(conn).await? > 0)
}

/// A person who is erased is named no longer.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::update(pledges::table.filter(pledges::account_id.eq(account)))
        .set(pledges::backer_name.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}
