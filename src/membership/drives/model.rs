//! Rows of drives, with the plan that each sells and the pool that bounds it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::Release;
use crate::db::Conn;
use crate::error::Result;
use crate::membership::plans;
use crate::membership::plans::model::{Plan, PlanRow};
use crate::schema::{drive_releases, drives, plans as plans_table, pools, tiers};
use crate::types::id::{DriveId, PoolId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Who may buy in a drive.
    Admission {
        /// Everybody.
        Open = "open",
        /// Who has a code, or whose address is on the list.
        Invitation = "invitation",
        /// Whose application an operator approved.
        Application = "application",
    }
}

/// A drive, its plan and where its places stand. Under a rush `held` and `taken` are old the moment they are read: what
/// decides is the pool's row under its lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Drive {
    pub id: DriveId,
    pub code: String,
    /// Drives of one series give one place a person.
    pub series: String,
    pub name_zh: String,
    pub name_en: String,
    pub plan: Plan,
    pub pool: PoolId,
    pub quota: i64,
    pub held: i64,
    pub taken: i64,
    pub admission: Admission,
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
    /// How long an approved application gives the right to buy.
    pub buy_within_hours: i32,
    /// By time; they add up to the quota. A drive without dated parts has one, at its opening.
    pub releases: Vec<Release>,
    /// False: all of it is let out at the opening.
    pub is_dated: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// The row; [`Drive`] is what it means.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = drives)]
pub struct DriveRow {
    pub id: DriveId,
    pub code: String,
    pub series: String,
    pub name_zh: String,
    pub name_en: String,
    pub pool_id: PoolId,
    pub admission: Admission,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    pub buy_within_hours: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

type Joined = (DriveRow, PlanRow, (i64, i64, i64));

/// The drives of these ids, archived ones too, in no order.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, ids: &[DriveId]) -> Result<Vec<Drive>> {
    let rows: Vec<Joined> = drives::table
        .inner_join(plans_table::table.inner_join(tiers::table))
        .inner_join(pools::table)
        .filter(drives::id.eq_any(ids))
        .select((DriveRow::as_select(), plans::model::COLUMNS, (pools::capacity, pools::held, pools::taken)))
        .load(conn)
        .await?;
    let mut releases = load_releases(conn, ids).await?;
    rows.into_iter().map(|row| assemble(row, &mut releases)).collect()
}

async fn load_releases(conn: &mut Conn, ids: &[DriveId]) -> Result<HashMap<DriveId, Vec<Release>>> {
    let rows: Vec<(DriveId, DateTime<Utc>, i64)> = drive_releases::table
        .filter(drive_releases::drive_id.eq_any(ids))
        .order((drive_releases::drive_id, drive_releases::at))
        .load(conn)
        .await?;
    let mut releases: HashMap<DriveId, Vec<Release>> = HashMap::new();
    for (drive, at, quantity) in rows {
        releases.entry(drive).or_default().push(Release { at, quantity });
    }
    Ok(releases)
}

fn assemble(
    (row, plan, (quota, held, taken)): Joined,
    releases: &mut HashMap<DriveId, Vec<Release>>,
) -> Result<Drive> {
    let dated = releases.remove(&row.id);
    Ok(Drive {
        is_dated: dated.is_some(),
        releases: dated.unwrap_or_else(|| vec![Release { at: row.opens_at, quantity: quota }]),
        id: row.id,
        code: row.code,
        series: row.series,
        name_zh: row.name_zh,
        name_en: row.name_en,
        plan: plan.try_into()?,
        pool: row.pool_id,
        quota,
        held,
        taken,
        admission: row.admission,
        opens_at: row.opens_at,
        closes_at: row.closes_at,
        buy_within_hours: row.buy_within_hours,
        created_at: row.created_at,
        archived_at: row.archived_at,
        version: row.version,
    })
}
