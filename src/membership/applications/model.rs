//! Rows of applications.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::drive_applications;
use crate::types::id::{AccountId, ApplicationId, DriveId};
use crate::types::stored::stored_enum;

stored_enum! {
    State {
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
pub async fn of(conn: &mut Conn, drives: &[DriveId], accounts: &[AccountId]) -> Result<Vec<Application>> {
    Ok(drive_applications::table
        .filter(drive_applications::drive_id.eq_any(drives))
        .filter(drive_applications::account_id.eq_any(accounts))
        .select(Application::as_select())
        .load(conn)
        .await?)
}
