//! Rows of tiers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{plans, tiers};
use crate::types::id::{LevelId, TierId};
use crate::types::locale::Names;

#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    pub id: TierId,
    pub code: String,
    pub names: Names,
    /// The higher the better.
    pub rank: i32,
    /// Of what tier the associates of its members are; none: of this one.
    pub associate_tier: Option<TierId>,
    /// On which level its members stand at least.
    pub floor_level: Option<LevelId>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = tiers)]
struct TierRow {
    id: TierId,
    code: String,
    name_zh: String,
    name_en: String,
    rank: i32,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
    associate_tier_id: Option<TierId>,
    floor_level_id: Option<LevelId>,
}

impl TryFrom<TierRow> for Tier {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: TierRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            rank: row.rank,
            associate_tier: row.associate_tier_id,
            floor_level: row.floor_level_id,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

/// # Errors
/// The database's.
pub async fn find(mut conn: &Conn, id: TierId) -> Result<Option<Tier>> {
    let row = tiers::table.find(id).select(TierRow::as_select()).first(&mut conn).await.optional()?;
    row.map(Tier::try_from).transpose()
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: TierId) -> Result<Option<Tier>> {
    let row = tiers::table
        .find(id)
        .for_no_key_update()
        .select(TierRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Tier::try_from).transpose()
}

/// [`find`], kept from being archived until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn find_for_use(conn: &mut Conn, id: TierId) -> Result<Option<Tier>> {
    let row = tiers::table.find(id).for_share().select(TierRow::as_select()).first(conn).await.optional()?;
    row.map(Tier::try_from).transpose()
}

/// A page of all tiers, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Tier>> {
    let rows: Vec<TierRow> = tiers::table
        .filter(tiers::id.lt(TierId(page.before)))
        .order(tiers::id.desc())
        .limit(page.fetch())
        .select(TierRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Tier::try_from).collect()
}

/// All tiers that are not archived, from the lowest rank up.
///
/// # Errors
/// The database's.
pub async fn on_offer(conn: &mut Conn) -> Result<Vec<Tier>> {
    let rows: Vec<TierRow> = tiers::table
        .filter(tiers::archived_at.is_null())
        .order((tiers::rank, tiers::id))
        .select(TierRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Tier::try_from).collect()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, tier: &Tier) -> Result<()> {
    let row = TierRow {
        id: tier.id,
        code: tier.code.clone(),
        name_zh: tier.names.zh.clone(),
        name_en: tier.names.en.clone(),
        rank: tier.rank,
        created_at: tier.created_at,
        archived_at: tier.archived_at,
        version: tier.version,
        associate_tier_id: tier.associate_tier,
        floor_level_id: tier.floor_level,
    };
    diesel::insert_into(tiers::table).values(row).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a locked tier.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, tier: &Tier) -> Result<()> {
    diesel::update(tiers::table.find(tier.id))
        .set((
            tiers::name_zh.eq(&tier.names.zh),
            tiers::name_en.eq(&tier.names.en),
            tiers::rank.eq(tier.rank),
            tiers::associate_tier_id.eq(tier.associate_tier),
            tiers::floor_level_id.eq(tier.floor_level),
            tiers::archived_at.eq(tier.archived_at),
            tiers::version.eq(tier.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Does a plan that isn't archived sell it?
///
/// # Errors
/// The database's.
pub async fn is_sold(conn: &mut Conn, id: TierId) -> Result<bool> {
    let live = plans::table.filter(plans::tier_id.eq(id)).filter(plans::archived_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(conn).await?)
}

/// The tier of this code, an archived one too: it may have members.
///
/// # Errors
/// The database's.
pub async fn id_by_code(conn: &mut Conn, code: &str) -> Result<Option<TierId>> {
    Ok(tiers::table.filter(tiers::code.eq(code)).select(tiers::id).first(conn).await.optional()?)
}
