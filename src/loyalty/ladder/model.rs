//! Rows of stages, and of who stands on which.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::rules::Stage;
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{account_stages, stage_changes, stages};
use crate::statement;
use crate::types::id::{AccountId, StageChangeId, StageId};
use crate::types::locale::Names;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = stages)]
#[diesel(treat_none_as_null = true)]
struct StageRow {
    id: StageId,
    code: String,
    rank: i32,
    name_zh: String,
    name_en: String,
    criteria: Value,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<StageRow> for Stage {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: StageRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            rank: row.rank,
            names: Names { zh: row.name_zh, en: row.name_en },
            criteria: serde_json::from_value(row.criteria).map_err(AppError::internal)?,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

impl StageRow {
    fn of(stage: &Stage) -> Result<Self> {
        Ok(Self {
            id: stage.id,
            code: stage.code.clone(),
            rank: stage.rank,
            name_zh: stage.names.zh.clone(),
            name_en: stage.names.en.clone(),
            criteria: serde_json::to_value(&stage.criteria).map_err(AppError::internal)?,
            created_at: stage.created_at,
            archived_at: stage.archived_at,
            version: stage.version,
        })
    }
}

/// All stages from the lowest up, archived ones too.
///
/// # Errors
/// The database's.
pub async fn all(conn: &mut Conn) -> Result<Vec<Stage>> {
    let rows: Vec<StageRow> =
        stages::table.order((stages::rank, stages::id)).select(StageRow::as_select()).load(conn).await?;
    rows.into_iter().map(Stage::try_from).collect()
}

/// Locks a stage until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: StageId) -> Result<Option<Stage>> {
    let query = stages::table.find(id).for_no_key_update().select(StageRow::as_select());
    query.first::<StageRow>(conn).await.optional()?.map(Stage::try_from).transpose()
}

/// # Errors
/// `code_taken`, `rank_taken`.
pub async fn insert(conn: &mut Conn, stage: &Stage) -> Result<()> {
    diesel::insert_into(stages::table).values(StageRow::of(stage)?).execute(conn).await?;
    Ok(())
}

/// Writes a stage that is locked.
///
/// # Errors
/// `rank_taken`.
pub async fn store(conn: &mut Conn, stage: &Stage) -> Result<()> {
    diesel::update(stages::table.find(stage.id)).set(StageRow::of(stage)?).execute(conn).await?;
    Ok(())
}

/// On which stage somebody stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = account_stages)]
pub struct StandsOn {
    account_id: AccountId,
    /// None: on none any more.
    pub stage_id: Option<StageId>,
    pub since: DateTime<Utc>,
}

/// How these accounts stand; nothing of who never stood on one.
///
/// # Errors
/// The database's.
pub async fn of(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, StandsOn>> {
    let rows: Vec<StandsOn> = account_stages::table
        .filter(account_stages::account_id.eq_any(accounts))
        .select(StandsOn::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row)).collect())
}

statement! {
    struct StoreStages = "INSERT INTO account_stages (account_id, stage_id, since)
        SELECT account, stage, "
        [since: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [stages: Vec<Option<StageId>> => Array<Nullable<SqlUuid>>] ") AS of (account, stage)
        ON CONFLICT (account_id) DO UPDATE SET stage_id = excluded.stage_id, since = excluded.since"
}

batch_insert! {
    /// Somebody moved from one stage to another.
    pub struct NewStageChange as StageChangeColumns into "stage_changes" {
        id: StageChangeId => SqlUuid,
        account_id: AccountId => SqlUuid,
        from_stage_id: Option<StageId> => Nullable<SqlUuid>,
        to_stage_id: Option<StageId> => Nullable<SqlUuid>,
        why: Value => Jsonb,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// Writes who moved where; the accounts are locked.
///
/// # Errors
/// The database's.
pub async fn write(conn: &mut Conn, changes: Vec<NewStageChange>, now: DateTime<Utc>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let rows = StoreStages {
        since: now,
        accounts: changes.iter().map(|change| change.account_id).collect(),
        stages: changes.iter().map(|change| change.to_stage_id).collect(),
    };
    rows.execute(conn).await?;
    NewStageChange::insert(&mut &*conn, changes).await?;
    Ok(())
}

/// A change as it is shown.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = stage_changes)]
pub struct StageChangeRow {
    pub id: StageChangeId,
    pub from_stage_id: Option<StageId>,
    pub to_stage_id: Option<StageId>,
    pub why: Value,
    pub created_at: DateTime<Utc>,
}

/// A page of an account's changes, newest first.
///
/// # Errors
/// The database's.
pub async fn changes(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<StageChangeRow>> {
    Ok(stage_changes::table
        .filter(stage_changes::account_id.eq(account))
        .filter(stage_changes::id.lt(StageChangeId(page.before)))
        .order(stage_changes::id.desc())
        .limit(page.fetch())
        .select(StageChangeRow::as_select())
        .load(conn)
        .await?)
}

/// Who is erased stands on none any more.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::delete(account_stages::table.find(account)).execute(conn).await?;
    Ok(())
}
