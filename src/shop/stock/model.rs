//! The ledger of stock and the pools that it adds up to.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{pools, stock_moves};
use crate::types::id::{MoveId, PoolId, VariantId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Why stock moves.
    Reason as "StockMoveReason" {
        Received = "received",
        Corrected = "corrected",
        Damaged = "damaged",
        WrittenOff = "written_off",
        /// Into the pools of F-codes and channels.
        SetAside = "set_aside",
        /// Out of them again.
        ReturnedToSale = "returned_to_sale",
        /// Sent back by who had bought them, fit to be sold again. Their claims stay taken.
        Returned = "returned",
        /// Not there yet, and sold already: what arrives takes its place.
        Announced = "announced",
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = stock_moves)]
pub struct Move {
    pub id: MoveId,
    pub variant_id: VariantId,
    pub quantity: i64,
    pub reason: Reason,
    pub note: Option<String>,
    /// What caused it, once.
    pub cause: String,
    pub moved_by: String,
    pub moved_at: DateTime<Utc>,
}

/// Writes moves of one variant and what they do to its pool, which is locked. False where a cause is known already: then
/// nothing is written.
///
/// # Errors
/// The database's; `pools_within_capacity` where more goes than is free.
pub async fn enter(conn: &mut Conn, pool: PoolId, new: &Move) -> Result<bool> {
    let written = diesel::insert_into(stock_moves::table)
        .values(new)
        .on_conflict(stock_moves::cause)
        .do_nothing()
        .execute(conn)
        .await?;
    if written == 1 {
        diesel::update(pools::table.find(pool))
            .set(pools::capacity.eq(pools::capacity + new.quantity))
            .execute(conn)
            .await?;
    }
    Ok(written == 1)
}

/// Lets a pool without a ledger take more, or fewer. It is locked.
///
/// # Errors
/// The database's.
pub async fn resize(conn: &mut Conn, pool: PoolId, by: i64) -> Result<()> {
    diesel::update(pools::table.find(pool))
        .set(pools::capacity.eq(pools::capacity + by))
        .execute(conn)
        .await?;
    Ok(())
}

/// The move of a cause.
///
/// # Errors
/// The database's.
pub async fn by_cause(conn: &mut Conn, cause: &str) -> Result<Option<Move>> {
    let query = stock_moves::table.filter(stock_moves::cause.eq(cause)).select(Move::as_select());
    Ok(query.first(conn).await.optional()?)
}

#[derive(QueryableByName)]
struct Units {
    #[diesel(sql_type = SqlUuid)]
    id: VariantId,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
}

async fn units(conn: &mut Conn, sql: &str, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>> {
    if variants.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Units> = diesel::sql_query(sql).bind::<Array<SqlUuid>, _>(variants).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.quantity)).collect())
}

/// How many of these variants are announced and didn't come yet; none of those that were never announced.
///
/// # Errors
/// The database's.
pub async fn announced(conn: &mut Conn, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>> {
    let sql = "SELECT variant_id AS id, sum(quantity)::bigint AS quantity FROM stock_moves \
               WHERE reason = 'announced' AND variant_id = ANY($1) GROUP BY variant_id";
    units(conn, sql, variants).await
}

/// How many of these variants lie in the store: what came, less what went out, by a move or in a parcel. What a parcel took
/// of a claim that was given back since has come back.
///
/// # Errors
/// The database's.
pub async fn on_hand(conn: &mut Conn, variants: &[VariantId]) -> Result<HashMap<VariantId, i64>> {
    let sql = "SELECT v.id, (coalesce(m.quantity, 0) - coalesce(s.quantity, 0))::bigint AS quantity FROM variants v \
               LEFT JOIN LATERAL (SELECT sum(quantity) AS quantity FROM stock_moves \
                   WHERE variant_id = v.id AND reason <> 'announced') m ON true \
               LEFT JOIN LATERAL (SELECT sum(c.quantity * l.shipped / l.quantity) AS quantity FROM claims c \
                   JOIN order_lines l ON l.id = c.line_id WHERE c.pool_id = v.pool_id AND c.state = 'taken') s ON true \
               WHERE v.id = ANY($1)";
    units(conn, sql, variants).await
}

/// A variant of which no more are left than its operators want.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Low {
    #[diesel(sql_type = SqlUuid)]
    pub id: VariantId,
    #[diesel(sql_type = Text)]
    pub sku: String,
    #[diesel(sql_type = Text)]
    pub name_zh: String,
    #[diesel(sql_type = Text)]
    pub name_en: String,
    #[diesel(sql_type = BigInt)]
    pub left: i64,
}

/// Marks what has become low since it was looked at last as told of, and forgets it of what is low no more.
///
/// # Errors
/// The database's.
pub async fn become_low(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<Low>> {
    diesel::sql_query(
        "UPDATE variants v SET low_stock_told_at = NULL FROM pools p \
         WHERE p.id = v.pool_id AND v.low_stock_told_at IS NOT NULL \
           AND (v.low_stock_at IS NULL OR p.capacity - p.held - p.taken > v.low_stock_at)",
    )
    .execute(conn)
    .await?;
    let sql = "UPDATE variants v SET low_stock_told_at = $1 FROM pools p, products r \
               WHERE p.id = v.pool_id AND r.id = v.product_id AND v.low_stock_told_at IS NULL \
                 AND v.low_stock_at IS NOT NULL AND v.archived_at IS NULL \
                 AND p.capacity - p.held - p.taken <= v.low_stock_at \
               RETURNING v.id, v.sku, r.name_zh, r.name_en, p.capacity - p.held - p.taken AS \"left\"";
    let mut low: Vec<Low> = diesel::sql_query(sql).bind::<Timestamptz, _>(now).load(conn).await?;
    low.sort_by(|a, b| a.sku.cmp(&b.sku));
    Ok(low)
}

/// A page of the ledger, newest first; of one variant where one is given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, variant: Option<VariantId>, page: Page) -> Result<Vec<Move>> {
    let mut query = stock_moves::table
        .filter(stock_moves::id.lt(MoveId(page.before)))
        .order(stock_moves::id.desc())
        .limit(page.fetch())
        .select(Move::as_select())
        .into_boxed();
    if let Some(variant) = variant {
        query = query.filter(stock_moves::variant_id.eq(variant));
    }
    Ok(query.load(conn).await?)
}
