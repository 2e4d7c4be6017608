//! Rows of drives, with the plan that each sells and the pool that bounds it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::Release;
use crate::db::Conn;
use crate::db::page::Page;
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

/// The drives of these ids, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn load(conn: &Conn, ids: &[DriveId]) -> Result<Vec<Drive>> {
    let found = drives::table
        .inner_join(plans_table::table.inner_join(tiers::table))
        .inner_join(pools::table)
        .filter(drives::id.eq_any(ids))
        .select((DriveRow::as_select(), plans::model::COLUMNS, (pools::capacity, pools::held, pools::taken)))
        .order(drives::id.desc());
    let rows = async { Ok(found.load::<Joined>(&mut &*conn).await?) };
    let (rows, mut releases) = tokio::try_join!(rows, load_releases(conn, ids))?;
    rows.into_iter().map(|row| assemble(row, &mut releases)).collect()
}

async fn load_releases(mut conn: &Conn, ids: &[DriveId]) -> Result<HashMap<DriveId, Vec<Release>>> {
    let rows: Vec<(DriveId, DateTime<Utc>, i64)> = drive_releases::table
        .filter(drive_releases::drive_id.eq_any(ids))
        .order((drive_releases::drive_id, drive_releases::at))
        .load(&mut conn)
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

/// A drive, archived or not.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: DriveId) -> Result<Option<Drive>> {
    Ok(load(conn, &[id]).await?.pop())
}

/// Locks a drive's pool, then the drive, until the transaction ends: no place is claimed meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: DriveId) -> Result<Option<Drive>> {
    let pool: Option<PoolId> = drives::table.find(id).select(drives::pool_id).first(conn).await.optional()?;
    let Some(pool) = pool else { return Ok(None) };
    pools::table.find(pool).for_no_key_update().select(pools::id).first::<PoolId>(conn).await?;
    drives::table.find(id).for_no_key_update().select(drives::id).first::<DriveId>(conn).await?;
    find(conn, id).await
}

/// The id of a drive by its id or code; archived ones are not found by their code.
///
/// # Errors
/// The database's.
pub async fn find_id(conn: &mut Conn, id_or_code: &str) -> Result<Option<DriveId>> {
    if let Ok(id) = id_or_code.parse() {
        return Ok(Some(id));
    }
    Ok(drives::table
        .filter(drives::code.eq(id_or_code))
        .filter(drives::archived_at.is_null())
        .select(drives::id)
        .first(conn)
        .await
        .optional()?)
}

/// Drives that everybody sees: all that are not archived, newest first.
///
/// # Errors
/// The database's.
pub async fn on_show(conn: &mut Conn) -> Result<Vec<Drive>> {
    let ids: Vec<DriveId> =
        drives::table.filter(drives::archived_at.is_null()).select(drives::id).load(conn).await?;
    load(conn, &ids).await
}

/// A page of all drives, newest first; of one series where one is given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, series: Option<&str>, page: Page) -> Result<Vec<Drive>> {
    let mut query = drives::table
        .filter(drives::id.lt(DriveId(page.before)))
        .order(drives::id.desc())
        .limit(page.fetch())
        .select(drives::id)
        .into_boxed();
    if let Some(series) = series {
        query = query.filter(drives::series.eq(series));
    }
    let ids: Vec<DriveId> = query.load(conn).await?;
    load(conn, &ids).await
}

/// Writes a new drive with its pool and dated parts.
///
/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, drive: &Drive) -> Result<()> {
    diesel::insert_into(pools::table)
        .values((pools::id.eq(drive.pool), pools::kind.eq("drive"), pools::capacity.eq(drive.quota)))
        .execute(conn)
        .await?;
    diesel::insert_into(drives::table)
        .values((
            drives::id.eq(drive.id),
            drives::code.eq(&drive.code),
            drives::series.eq(&drive.series),
            drives::name_zh.eq(&drive.name_zh),
            drives::name_en.eq(&drive.name_en),
            drives::plan_id.eq(drive.plan.id),
            drives::pool_id.eq(drive.pool),
            drives::admission.eq(drive.admission),
            drives::opens_at.eq(drive.opens_at),
            drives::closes_at.eq(drive.closes_at),
            drives::buy_within_hours.eq(drive.buy_within_hours),
            drives::created_at.eq(drive.created_at),
        ))
        .execute(conn)
        .await?;
    insert_releases(conn, drive).await
}

async fn insert_releases(conn: &mut Conn, drive: &Drive) -> Result<()> {
    if !drive.is_dated {
        return Ok(());
    }
    let row = |release: &Release| {
        (
            drive_releases::drive_id.eq(drive.id),
            drive_releases::at.eq(release.at),
            drive_releases::quantity.eq(release.quantity),
        )
    };
    let rows: Vec<_> = drive.releases.iter().map(row).collect();
    diesel::insert_into(drive_releases::table).values(rows).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a drive that is locked with its pool: quota, pool and parts in one step.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, drive: &Drive) -> Result<()> {
    diesel::update(pools::table.find(drive.pool)).set(pools::capacity.eq(drive.quota)).execute(conn).await?;
    diesel::update(drives::table.find(drive.id))
        .set((
            drives::name_zh.eq(&drive.name_zh),
            drives::name_en.eq(&drive.name_en),
            drives::admission.eq(drive.admission),
            drives::opens_at.eq(drive.opens_at),
            drives::closes_at.eq(drive.closes_at),
            drives::buy_within_hours.eq(drive.buy_within_hours),
            drives::archived_at.eq(drive.archived_at),
            drives::version.eq(drive.version),
        ))
        .execute(conn)
        .await?;
    diesel::delete(drive_releases::table.filter(drive_releases::drive_id.eq(drive.id))).execute(conn).await?;
    insert_releases(conn, drive).await
}
