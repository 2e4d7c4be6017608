//! Rows of rules and of who accepted which.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

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
pub async fn current_version(mut conn: &Conn) -> Result<Option<String>> {
    Ok(community_rules::table
        .order((community_rules::published_at.desc(), community_rules::version.desc()))
        .select(community_rules::version)
        .first(&mut conn)
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

/// Writes acceptances; of two of one version the earlier one stays.
///
/// # Errors
/// The database's.
pub async fn accept(conn: &mut Conn, rows: Vec<Acceptance>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let each = |column: fn(&Acceptance) -> Uuid| rows.iter().map(column).collect::<Vec<_>>();
    let orders: Vec<_> = rows.iter().map(|row| row.order_id.map(|order| order.0)).collect();
    let versions: Vec<_> = rows.iter().map(|row| row.version.clone()).collect();
    let times: Vec<_> = rows.iter().map(|row| row.accepted_at).collect();
    diesel::sql_query(ACCEPT)
        .bind::<Array<SqlUuid>, _>(each(|row| row.account_id.0))
        .bind::<Array<Text>, _>(versions)
        .bind::<Array<Nullable<SqlUuid>>, _>(orders)
        .bind::<Array<Timestamptz>, _>(times)
        .execute(conn)
        .await?;
    Ok(())
}

const ACCEPT: &str = "
INSERT INTO community_acceptances AS a (account_id, version, order_id, accepted_at)
SELECT DISTINCT ON (account_id, version) account_id, version, order_id, accepted_at
FROM unnest($1, $2, $3, $4) AS t (account_id, version, order_id, accepted_at)
ORDER BY account_id, version, accepted_at
ON CONFLICT (account_id, version) DO UPDATE
SET order_id = excluded.order_id, accepted_at = excluded.accepted_at WHERE excluded.accepted_at < a.accepted_at";

/// What these accounts accepted is another one's, who adopts their orders.
///
/// # Errors
/// The database's.
pub async fn move_to(conn: &mut Conn, from: &[AccountId], to: AccountId) -> Result<()> {
    let own = community_acceptances::table.filter(community_acceptances::account_id.eq_any(from));
    let moved: Vec<Acceptance> =
        diesel::delete(own).returning(Acceptance::as_returning()).get_results(conn).await?;
    accept(conn, moved.into_iter().map(|row| Acceptance { account_id: to, ..row }).collect()).await
}
