//! Rows of trials.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::{accounts, memberships, trials};
use crate::types::id::{AccountId, PlanId, TermId, TrialId};

#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = trials)]
pub struct TrialRow {
    pub id: TrialId,
    pub account_id: AccountId,
    pub plan_id: PlanId,
    pub days: i32,
    /// What it gave.
    pub term_id: Option<TermId>,
    pub created_at: DateTime<Utc>,
}

/// A trial that is about to be given.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = trials)]
pub struct NewTrial {
    pub id: TrialId,
    pub account_id: AccountId,
    /// See [`crate::people::person`].
    pub person_key: String,
    pub plan_id: PlanId,
    pub days: i32,
    pub created_at: DateTime<Utc>,
}

/// Enters a trial. False where the person has had one, also where another one of this moment comes first: it waits for that.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, trial: &NewTrial) -> Result<bool> {
    let inserted =
        diesel::insert_into(trials::table).values(trial).on_conflict_do_nothing().execute(conn).await?;
    Ok(inserted == 1)
}

/// # Errors
/// The database's.
pub async fn set_term(conn: &mut Conn, id: TrialId, term: TermId) -> Result<()> {
    diesel::update(trials::table.find(id)).set(trials::term_id.eq(term)).execute(conn).await?;
    Ok(())
}

/// # Errors
/// When there is none.
pub async fn load(conn: &mut Conn, id: TrialId) -> Result<TrialRow> {
    let row = trials::table.find(id).select(TrialRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| AppError::internal("a trial is gone"))
}

/// The trials that gave these terms.
///
/// # Errors
/// The database's.
pub async fn of_terms(conn: &mut Conn, terms: &[TermId]) -> Result<Vec<TrialRow>> {
    let given = trials::table.filter(trials::term_id.eq_any(terms));
    Ok(given.select(TrialRow::as_select()).load(conn).await?)
}

/// Has this person had a trial, whoever he was then?
///
/// # Errors
/// The database's.
pub async fn is_known(conn: &mut Conn, person: &str) -> Result<bool> {
    let his = trials::table.filter(trials::person_key.eq(person));
    Ok(diesel::select(diesel::dsl::exists(his)).get_result(conn).await?)
}

/// Has this person, or had he, a membership under any account, an erased one too?
///
/// # Errors
/// The database's.
pub async fn was_member(conn: &mut Conn, account: AccountId, person: &str) -> Result<bool> {
    let his = accounts::table.filter(accounts::person_key.eq(person)).select(accounts::id);
    let held = memberships::table
        .filter(memberships::account_id.eq(account).or(memberships::account_id.eq_any(his)));
    Ok(diesel::select(diesel::dsl::exists(held)).get_result(conn).await?)
}
