//! Rows of measures.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::membership::community::model::MoneyRule;
use crate::schema::{community_measures, mails, measure_refunds, order_lines};
use crate::types::id::{AccountId, LineId, MeasureId, MembershipId, OrderId, TermId};
use crate::types::stored::stored_enum;

stored_enum! {
    Kind as "MeasureKind" {
        /// It is said, and nothing else happens.
        Warning = "warning",
        /// The membership is frozen for some days.
        Suspension = "suspension",
        /// The membership ends, and the account can't buy another one.
        Expulsion = "expulsion",
    }
}

stored_enum! {
    State as "MeasureState" {
        InForce = "in_force",
        /// A suspension whose days have passed.
        Over = "over",
        /// Taken back by an operator.
        Lifted = "lifted",
    }
}

stored_enum! {
    AppealState {
        Open = "open",
        /// The measure stands.
        Upheld = "upheld",
        /// The measure was lifted.
        Lifted = "lifted",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = community_measures)]
pub struct Measure {
    pub id: MeasureId,
    pub account_id: AccountId,
    pub membership_id: MembershipId,
    pub kind: Kind,
    /// Of the rules that were in force.
    pub version: String,
    /// The rule that was broken, as the operator cites it.
    pub rule: String,
    pub reason: String,
    /// Of an expulsion.
    pub money: Option<MoneyRule>,
    /// Of an expulsion: what goes back of the money; lines and amounts are in [`MeasureRefund`].
    pub back_minor: Option<i64>,
    /// Of a suspension: when it ends (exclusive).
    pub ends_at: Option<DateTime<Utc>>,
    pub state: State,
    pub taken_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    /// Until then one may appeal (exclusive).
    pub appeal_until: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub appeal: Option<String>,
    pub appealed_at: Option<DateTime<Utc>>,
    pub appeal_state: Option<AppealState>,
    /// Why the appeal was decided so, or the measure lifted without one.
    pub decision: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// # Errors
/// `already_suspended`
pub async fn insert(conn: &mut Conn, row: &Measure) -> Result<()> {
    diesel::insert_into(community_measures::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: MeasureId) -> Result<Option<Measure>> {
    Ok(community_measures::table.find(id).select(Measure::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: MeasureId) -> Result<Option<Measure>> {
    let row = community_measures::table.find(id).for_no_key_update();
    Ok(row.select(Measure::as_select()).first(conn).await.optional()?)
}

/// Writes what can change of a locked row.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &Measure) -> Result<()> {
    diesel::update(community_measures::table.find(row.id))
        .set((
            community_measures::state.eq(row.state),
            community_measures::ended_at.eq(row.ended_at),
            community_measures::appeal.eq(&row.appeal),
            community_measures::appealed_at.eq(row.appealed_at),
            community_measures::appeal_state.eq(row.appeal_state),
            community_measures::decision.eq(&row.decision),
            community_measures::decided_at.eq(row.decided_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of the accounts that were expelled, and the expulsion not lifted.
///
/// # Errors
/// The database's.
pub async fn expelled_of(mut conn: &Conn, accounts: &[AccountId]) -> Result<HashSet<AccountId>> {
    let expelled: Vec<AccountId> = community_measures::table
        .filter(community_measures::account_id.eq_any(accounts))
        .filter(community_measures::kind.eq(Kind::Expulsion))
        .filter(community_measures::state.eq(State::InForce))
        .select(community_measures::account_id)
        .load(&mut conn)
        .await?;
    Ok(expelled.into_iter().collect())
}

/// What of a line goes back with an expulsion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = measure_refunds)]
pub struct MeasureRefund {
    pub measure_id: MeasureId,
    pub line_id: LineId,
    pub amount_minor: i64,
    /// Of the line, when the measure was taken.
    pub refunded_minor: i64,
}

/// # Errors
/// The database's.
pub async fn insert_refunds(conn: &mut Conn, rows: &[MeasureRefund]) -> Result<()> {
    if !rows.is_empty() {
        diesel::insert_into(measure_refunds::table).values(rows).execute(conn).await?;
    }
    Ok(())
}

/// Expulsions with which something of an order goes back.
///
/// # Errors
/// The database's.
pub async fn refunding(conn: &mut Conn, order: OrderId) -> Result<Vec<MeasureId>> {
    Ok(measure_refunds::table
        .inner_join(order_lines::table)
        .filter(order_lines::order_id.eq(order))
        .order(measure_refunds::measure_id)
        .select(measure_refunds::measure_id)
        .distinct()
        .load(conn)
        .await?)
}

/// What goes back with an expulsion, by order and line.
///
/// # Errors
/// The database's.
pub async fn refunds_of(conn: &mut Conn, measure: MeasureId) -> Result<Vec<(OrderId, MeasureRefund)>> {
    Ok(measure_refunds::table
        .inner_join(order_lines::table)
        .filter(measure_refunds::measure_id.eq(measure))
        .order((order_lines::order_id, order_lines::id))
        .select((order_lines::order_id, MeasureRefund::as_select()))
        .load(conn)
        .await?)
}

/// A line that paid for a term: with its own, or with that of a term that an upgrade credited to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct PaidLine {
    #[diesel(sql_type = SqlUuid)]
    pub term: TermId,
    #[diesel(sql_type = SqlUuid)]
    pub line: LineId,
    /// What was paid for it and hasn't gone back.
    #[diesel(sql_type = BigInt)]
    pub left_minor: i64,
    /// What has.
    #[diesel(sql_type = BigInt)]
    pub refunded_minor: i64,
}

/// The lines behind these terms, each term's own before those that it was credited with.
///
/// # Errors
/// The database's.
pub async fn lines_behind(conn: &mut Conn, terms: &[TermId]) -> Result<Vec<PaidLine>> {
    let ids: Vec<_> = terms.iter().map(|term| term.0).collect();
    Ok(diesel::sql_query(LINES_BEHIND).bind::<Array<SqlUuid>, _>(ids).load(conn).await?)
}

const LINES_BEHIND: &str = "
WITH RECURSIVE behind(term, id, line_id, step) AS (
    SELECT id, id, line_id, 0 FROM membership_terms WHERE id = ANY ($1)
    UNION ALL
    SELECT b.term, t.id, t.line_id, b.step + 1 FROM behind b JOIN membership_terms t ON t.replaced_by = b.id)
SELECT b.term, l.id AS line, l.total_minor - l.refunded_minor AS left_minor, l.refunded_minor
FROM behind b JOIN order_lines l ON l.id = b.line_id ORDER BY b.term, b.step, l.id DESC";

/// Which measures a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub account: Option<AccountId>,
    pub state: Option<State>,
    pub appeal: Option<AppealState>,
}

/// A page of measures, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, wanted: Wanted, page: Page) -> Result<Vec<Measure>> {
    let mut query = community_measures::table
        .filter(community_measures::id.lt(MeasureId(page.before)))
        .order(community_measures::id.desc())
        .limit(page.fetch())
        .select(Measure::as_select())
        .into_boxed();
    if let Some(account) = wanted.account {
        query = query.filter(community_measures::account_id.eq(account));
    }
    if let Some(state) = wanted.state {
        query = query.filter(community_measures::state.eq(state));
    }
    if let Some(appeal) = wanted.appeal {
        query = query.filter(community_measures::appeal_state.eq(appeal));
    }
    Ok(query.load(conn).await?)
}

/// Of an erased account: what was written about it and by it, in mails too. That there was a measure stays.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = community_measures::table.filter(community_measures::account_id.eq(account));
    diesel::update(own.filter(community_measures::appeal.is_not_null()))
        .set(community_measures::appeal.eq(""))
        .execute(conn)
        .await?;
    diesel::update(own.filter(community_measures::decision.is_not_null()))
        .set(community_measures::decision.eq(""))
        .execute(conn)
        .await?;
    diesel::update(own).set(community_measures::reason.eq("")).execute(conn).await?;
    let told = mails::table.filter(mails::account_id.eq(account));
    let told = told.filter(mails::kind.eq_any(["measure_taken", "measure_decided"]));
    let without = mails::data.concat(serde_json::json!({ "reason": "" }));
    diesel::update(told).set(mails::data.eq(without)).execute(conn).await?;
    Ok(())
}
