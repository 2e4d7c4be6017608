//! Rows of channels, their allocations and what they report.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::Sources;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{
    channel_allocations, channel_moves, channel_sale_lines, channel_sales, channels, pools, variants,
};
use crate::types::id::{ChannelId, ChannelSaleId, MoveId, PoolId, VariantId};
use crate::types::locale::Names;

/// Where things are sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub id: ChannelId,
    pub code: String,
    pub names: Names,
    /// The own mall.
    pub is_own: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = channels)]
struct ChannelRow {
    id: ChannelId,
    code: String,
    name_zh: String,
    name_en: String,
    is_own: bool,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            is_own: row.is_own,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        }
    }
}

/// What of a variant is set aside for a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    pub channel: ChannelId,
    pub variant: VariantId,
    pub sku: String,
    pub capacity: i64,
    /// Sold.
    pub taken: i64,
}

/// A report's row.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = channel_sales)]
pub struct SaleRow {
    pub id: ChannelSaleId,
    pub channel_id: ChannelId,
    pub reference: String,
    pub reverses: Option<ChannelSaleId>,
    pub note: Option<String>,
    pub sold_at: DateTime<Utc>,
    pub reported_by: String,
    pub created_at: DateTime<Utc>,
}

/// What was sold of a variant, and out of which pool.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = channel_sale_lines)]
pub struct SaleLine {
    pub sale_id: ChannelSaleId,
    pub variant_id: VariantId,
    pub pool_id: PoolId,
    pub quantity: i64,
    pub amount_minor: i64,
    pub currency: String,
}

/// A report with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub row: SaleRow,
    pub lines: Vec<SaleLine>,
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, channel: &Channel) -> Result<()> {
    let row = ChannelRow {
        id: channel.id,
        code: channel.code.clone(),
        name_zh: channel.names.zh.clone(),
        name_en: channel.names.en.clone(),
        is_own: channel.is_own,
        created_at: channel.created_at,
        archived_at: channel.archived_at,
        version: channel.version,
    };
    diesel::insert_into(channels::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: ChannelId) -> Result<Option<Channel>> {
    let row = channels::table.find(id).select(ChannelRow::as_select()).first(conn).await.optional()?;
    Ok(row.map(Channel::from))
}

/// Locks a channel until the transaction ends: the first lock of whatever changes it or sells in it.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: ChannelId) -> Result<Option<Channel>> {
    let query = channels::table.find(id).select(ChannelRow::as_select()).for_no_key_update();
    Ok(query.first(conn).await.optional()?.map(Channel::from))
}

/// A page of channels, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Channel>> {
    let rows: Vec<ChannelRow> = channels::table
        .filter(channels::id.lt(ChannelId(page.before)))
        .order(channels::id.desc())
        .limit(page.fetch())
        .select(ChannelRow::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Channel::from).collect())
}

/// Writes what can change of a locked channel.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, channel: &Channel) -> Result<()> {
    diesel::update(channels::table.find(channel.id))
        .set((
            channels::name_zh.eq(&channel.names.zh),
            channels::name_en.eq(&channel.names.en),
            channels::archived_at.eq(channel.archived_at),
            channels::version.eq(channel.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What is set aside for these channels, by SKU.
///
/// # Errors
/// The database's.
pub async fn allocations(conn: &mut Conn, ids: &[ChannelId]) -> Result<Vec<Allocation>> {
    let rows: Vec<(ChannelId, VariantId, String, i64, i64)> = channel_allocations::table
        .inner_join(variants::table)
        .inner_join(pools::table)
        .filter(channel_allocations::channel_id.eq_any(ids))
        .order((channel_allocations::channel_id, variants::sku))
        .select((
            channel_allocations::channel_id,
            channel_allocations::variant_id,
            variants::sku,
            pools::capacity,
            pools::taken,
        ))
        .load(conn)
        .await?;
    let allocation =
        |(channel, variant, sku, capacity, taken)| Allocation { channel, variant, sku, capacity, taken };
    Ok(rows.into_iter().map(allocation).collect())
}

/// The pools of a channel's allocations of these variants.
///
/// # Errors
/// The database's.
pub async fn allocated(
    conn: &mut Conn,
    channel: ChannelId,
    variants: &[VariantId],
) -> Result<Vec<(VariantId, PoolId)>> {
    Ok(channel_allocations::table
        .filter(channel_allocations::channel_id.eq(channel))
        .filter(channel_allocations::variant_id.eq_any(variants))
        .select((channel_allocations::variant_id, channel_allocations::pool_id))
        .load(conn)
        .await?)
}

/// Makes an allocation of nothing; the channel's row is locked.
///
/// # Errors
/// The database's.
pub async fn make_allocation(conn: &mut Conn, channel: ChannelId, variant: VariantId) -> Result<PoolId> {
    let pool = PoolId::new();
    diesel::insert_into(pools::table)
        .values((pools::id.eq(pool), pools::kind.eq("channel"), pools::capacity.eq(0_i64)))
        .execute(conn)
        .await?;
    diesel::insert_into(channel_allocations::table)
        .values((
            channel_allocations::channel_id.eq(channel),
            channel_allocations::variant_id.eq(variant),
            channel_allocations::pool_id.eq(pool),
        ))
        .execute(conn)
        .await?;
    Ok(pool)
}

/// Moves an allocation's capacity and notes the move of stock that it goes with. The pool is locked.
///
/// # Errors
/// The database's.
pub async fn resize(
    conn: &mut Conn,
    channel: ChannelId,
    pool: PoolId,
    by: i64,
    stock_move: MoveId,
) -> Result<()> {
    diesel::update(pools::table.find(pool))
        .set(pools::capacity.eq(pools::capacity + by))
        .execute(conn)
        .await?;
    diesel::insert_into(channel_moves::table)
        .values((channel_moves::move_id.eq(stock_move), channel_moves::channel_id.eq(channel)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes a report with its lines. False where the reference, or the reversal, is known already: then nothing is written.
///
/// # Errors
/// The database's.
pub async fn enter(conn: &mut Conn, sale: &Sale) -> Result<bool> {
    let written = diesel::insert_into(channel_sales::table)
        .values(&sale.row)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if written == 0 {
        return Ok(false);
    }
    diesel::insert_into(channel_sale_lines::table).values(&sale.lines).execute(conn).await?;
    Ok(true)
}

/// A report by its reference.
///
/// # Errors
/// The database's.
pub async fn by_reference(conn: &mut Conn, channel: ChannelId, reference: &str) -> Result<Option<Sale>> {
    let id: Option<ChannelSaleId> = channel_sales::table
        .filter(channel_sales::channel_id.eq(channel))
        .filter(channel_sales::reference.eq(reference))
        .filter(channel_sales::reverses.is_null())
        .select(channel_sales::id)
        .first(conn)
        .await
        .optional()?;
    match id {
        Some(id) => Ok(load_sales(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// Has a report a counter-entry? Its channel's row is locked.
///
/// # Errors
/// The database's.
pub async fn is_reversed(conn: &mut Conn, sale: ChannelSaleId) -> Result<bool> {
    let counter = channel_sales::table.filter(channel_sales::reverses.eq(sale));
    Ok(diesel::select(diesel::dsl::exists(counter)).get_result(conn).await?)
}

/// Reports of these ids, newest first.
///
/// # Errors
/// The database's.
pub async fn load_sales(conn: &mut Conn, ids: &[ChannelSaleId]) -> Result<Vec<Sale>> {
    let rows: Vec<SaleRow> = channel_sales::table
        .filter(channel_sales::id.eq_any(ids))
        .order(channel_sales::id.desc())
        .select(SaleRow::as_select())
        .load(conn)
        .await?;
    let lines: Vec<SaleLine> = channel_sale_lines::table
        .filter(channel_sale_lines::sale_id.eq_any(ids))
        .order((channel_sale_lines::sale_id, channel_sale_lines::variant_id))
        .select(SaleLine::as_select())
        .load(conn)
        .await?;
    let of = |id| lines.iter().filter(|line| line.sale_id == id).cloned().collect();
    Ok(rows.into_iter().map(|row| Sale { lines: of(row.id), row }).collect())
}

/// A page of a channel's reports, newest first.
///
/// # Errors
/// The database's.
pub async fn list_sales(conn: &mut Conn, channel: ChannelId, page: Page) -> Result<Vec<Sale>> {
    let ids: Vec<ChannelSaleId> = channel_sales::table
        .filter(channel_sales::channel_id.eq(channel))
        .filter(channel_sales::id.lt(ChannelSaleId(page.before)))
        .order(channel_sales::id.desc())
        .limit(page.fetch())
        .select(channel_sales::id)
        .load(conn)
        .await?;
    load_sales(conn, &ids).await
}

/// Where a channel takes these variants from; those that have no stock of their own are missing.
///
/// # Errors
/// The database's.
pub async fn sources(conn: &mut Conn, channel: ChannelId, ids: &[VariantId]) -> Result<Vec<Sources>> {
    let stocks: Vec<(VariantId, PoolId)> = variants::table
        .inner_join(pools::table)
        .filter(variants::id.eq_any(ids))
        .filter(pools::kind.eq("stock"))
        .select((variants::id, pools::id))
        .load(conn)
        .await?;
    let allocated = allocated(conn, channel, ids).await?;
    let of = |variant| allocated.iter().find(|(id, _)| *id == variant).map(|(_, pool)| *pool);
    let sources =
        stocks.into_iter().map(|(variant, stock)| Sources { variant, stock, allocation: of(variant) });
    Ok(sources.collect())
}
