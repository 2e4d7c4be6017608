//! Rows of rules and of who accepted which.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{community_acceptances, community_rules};
use crate::types::id::{AccountId, OrderId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// What becomes of the money that was paid for a membership when its member is expelled.
    MoneyRule as "ExpulsionMoney" {
        /// The shop keeps it.
        None = "none",
        /// What the terms were still worth goes back.
        Rest = "rest",
        /// All that was paid for the terms that were not over goes back.
        All = "all",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = community_rules)]
pub struct Rules {
    pub version: String,
    pub text_zh: String,
    pub text_en: String,
    /// What becomes of the money of who is expelled.
    pub expulsion_money: MoneyRule,
    pub published_at: DateTime<Utc>,
}

/// An account accepted a version, for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = community_acceptances)]
pub struct Acceptance {
    pub account_id: AccountId,
    pub version: String,
    /// With that order; none where it was asked for it.
    pub order_id: Option<OrderId>,
    pub accepted_at: DateTime<Utc>,
}

/// The rules in force: the newest. None where none were published.
///
/// # Errors
/// The database's.
pub async fn current(conn: &mut Conn) -> Result<Option<Rules>> {
    Ok(community_rules::table
        .order((community_rules::published_at.desc(), community_rules::version.desc()))
        .select(Rules::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// The version in force.
///
/// # Errors
/// The database's.
pub async fn current_version(conn: &mut Conn) -> Result<Option<String>> {
    Ok(community_rules::table
        .order((community_rules::published_at.desc(), community_rules::version.desc()))
        .select(community_rules::version)
        .first(conn)
        .await
        .optional()?)
}

/// What a version promises to who is expelled.
///
/// # Errors
/// The database's.
pub async fn money_of(conn: &mut Conn, versions: &[String]) -> Result<Vec<MoneyRule>> {
    Ok(community_rules::table
        .filter(community_rules::version.eq_any(versions))
        .select(community_rules::expulsion_money)
        .load(conn)
        .await?)
}

/// All versions, newest first. They are few.
///
/// # Errors
/// The database's.
pub async fn all(conn: &mut Conn) -> Result<Vec<Rules>> {
    Ok(community_rules::table
        .order((community_rules::published_at.desc(), community_rules::version.desc()))
        .select(Rules::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// `code_taken` for a version that exists.
pub async fn insert(conn: &mut Conn, rules: &Rules) -> Result<()> {
    diesel::insert_into(community_rules::table).values(rules).execute(conn).await?;
    Ok(())
}

/// The newest version that the account accepted, and when.
///
/// # Errors
/// The database's.
pub async fn last_accepted(conn: &mut Conn, account: AccountId) -> Result<Option<Acceptance>> {
    Ok(community_acceptances::table
        .inner_join(community_rules::table)
        .filter(community_acceptances::account_id.eq(account))
        .order((community_rules::published_at.desc(), community_rules::version.desc()))
        .select(Acceptance::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Writes acceptances; one that is there already stays as it is.
///
/// # Errors
/// The database's.
pub async fn accept(conn: &mut Conn, rows: Vec<Acceptance>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    diesel::insert_into(community_acceptances::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}
