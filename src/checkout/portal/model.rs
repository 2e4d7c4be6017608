//! Rows of visits to Stripe's page for saved cards.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::portal_visits;
use crate::types::id::{AccountId, PortalVisitId};

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = portal_visits)]
pub struct Visit {
    pub id: PortalVisitId,
    pub account_id: AccountId,
    /// Where the page's way back leads.
    pub return_url: String,
    /// Secret, and good for some minutes.
    pub url: Option<String>,
    /// Why there is no page.
    pub failure: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, visit: &Visit) -> Result<()> {
    diesel::insert_into(portal_visits::table).values(visit).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: PortalVisitId) -> Result<Option<Visit>> {
    Ok(portal_visits::table.find(id).select(Visit::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn set_url(conn: &mut Conn, id: PortalVisitId, url: &str) -> Result<()> {
    diesel::update(portal_visits::table.find(id)).set(portal_visits::url.eq(url)).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn fail(conn: &mut Conn, id: PortalVisitId, why: &str) -> Result<()> {
    diesel::update(portal_visits::table.find(id)).set(portal_visits::failure.eq(why)).execute(conn).await?;
    Ok(())
}

/// Visits of an erased account.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::delete(portal_visits::table.filter(portal_visits::account_id.eq(account))).execute(conn).await?;
    Ok(())
}
