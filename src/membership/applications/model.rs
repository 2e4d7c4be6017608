//! Rows of applications.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::drive_applications;
use crate::types::id::{AccountId, ApplicationId, DriveId};
use crate::types::stored::stored_enum;

stored_enum! {
    State as "ApplicationState" {
        Received = "received",
        Approved = "approved",
        Refused = "refused",
    }
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = drive_applications)]
pub struct Application {
    pub id: ApplicationId,
    pub drive_id: DriveId,
    pub account_id: AccountId,
    /// An object of texts.
    pub answers: Value,
    pub state: State,
    /// Why it was refused.
    pub reason: Option<String>,
    pub decided_by: Option<Uuid>,
    pub decided_at: Option<DateTime<Utc>>,
    /// The end (exclusive) of the right to buy.
    pub buy_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// The applications of these accounts to these drives, in no order.
///
/// # Errors
/// The database's.
pub async fn of(mut conn: &Conn, drives: &[DriveId], accounts: &[AccountId]) -> Result<Vec<Application>> {
    Ok(drive_applications::table
        .filter(drive_applications::drive_id.eq_any(drives))
        .filter(drive_applications::account_id.eq_any(accounts))
        .select(Application::as_select())
        .load(&mut conn)
        .await?)
}

/// # Errors
/// `application_exists`
pub async fn insert(conn: &mut Conn, application: &Application) -> Result<()> {
    diesel::insert_into(drive_applications::table).values(application).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: ApplicationId) -> Result<Option<Application>> {
    Ok(drive_applications::table.find(id).select(Application::as_select()).first(conn).await.optional()?)
}

/// Which applications a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub account: Option<AccountId>,
    pub drive: Option<DriveId>,
    pub state: Option<State>,
}

/// A page of applications, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, wanted: Wanted, page: Page) -> Result<Vec<Application>> {
    let mut query = drive_applications::table
        .filter(drive_applications::id.lt(ApplicationId(page.before)))
        .order(drive_applications::id.desc())
        .limit(page.fetch())
        .select(Application::as_select())
        .into_boxed();
    if let Some(account) = wanted.account {
        query = query.filter(drive_applications::account_id.eq(account));
    }
    if let Some(drive) = wanted.drive {
        query = query.filter(drive_applications::drive_id.eq(drive));
    }
    if let Some(state) = wanted.state {
        query = query.filter(drive_applications::state.eq(state));
    }
    Ok(query.load(conn).await?)
}

/// What an operator decided.
#[derive(Clone, Debug)]
pub struct Decision {
    pub state: State,
    pub reason: Option<String>,
    pub decided_by: Option<Uuid>,
    pub decided_at: DateTime<Utc>,
    pub buy_until: Option<DateTime<Utc>>,
}

/// Decides an application that waits. Of two operators the first one's write stands; the other gets none.
///
/// # Errors
/// The database's.
pub async fn decide(conn: &mut Conn, id: ApplicationId, decision: &Decision) -> Result<Option<Application>> {
    let waiting = drive_applications::table.find(id).filter(drive_applications::state.eq(State::Received));
    Ok(diesel::update(waiting)
        .set((
            drive_applications::state.eq(decision.state),
            drive_applications::reason.eq(&decision.reason),
            drive_applications::decided_by.eq(decision.decided_by),
            drive_applications::decided_at.eq(decision.decided_at),
            drive_applications::buy_until.eq(decision.buy_until),
            drive_applications::version.eq(drive_applications::version + 1),
        ))
        .returning(Application::as_returning())
        .get_result(conn)
        .await
        .optional()?)
}
