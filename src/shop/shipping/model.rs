//! Rows of shipping methods.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::shipping_methods;
use crate::shop::audience::Audience;
use crate::shop::products::model::audience;
use crate::types::id::ShippingMethodId;
use crate::types::locale::Names;

/// A way to send goods, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct ShippingMethod {
    pub id: ShippingMethodId,
    pub code: String,
    pub names: Names,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    pub fee_minor: i64,
    /// For each begun kilogram after the first.
    pub fee_per_kg_minor: i64,
    /// Free from that worth of goods on.
    pub free_from_minor: Option<i64>,
    /// Free for these buyers.
    pub free_for: Option<Audience>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = shipping_methods)]
struct MethodRow {
    id: ShippingMethodId,
    code: String,
    name_zh: String,
    name_en: String,
    countries: Vec<String>,
    fee_minor: i64,
    fee_per_kg_minor: i64,
    free_from_minor: Option<i64>,
    free_for: Option<Value>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<MethodRow> for ShippingMethod {
    type Error = AppError;

    fn try_from(row: MethodRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            countries: row.countries,
            fee_minor: row.fee_minor,
            fee_per_kg_minor: row.fee_per_kg_minor,
            free_from_minor: row.free_from_minor,
            free_for: row.free_for.map(audience).transpose()?,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

/// The methods of these ids, archived ones too.
///
/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[ShippingMethodId]) -> Result<Vec<ShippingMethod>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<MethodRow> = shipping_methods::table
        .filter(shipping_methods::id.eq_any(ids))
        .select(MethodRow::as_select())
        .load(&mut conn)
        .await?;
    rows.into_iter().map(ShippingMethod::try_from).collect()
}

/// All methods that aren't archived, cheapest first.
///
/// # Errors
/// The database's.
pub async fn on_offer(conn: &mut Conn) -> Result<Vec<ShippingMethod>> {
    let rows: Vec<MethodRow> = shipping_methods::table
        .filter(shipping_methods::archived_at.is_null())
        .order((shipping_methods::fee_minor, shipping_methods::id))
        .select(MethodRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(ShippingMethod::try_from).collect()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, method: &ShippingMethod) -> Result<()> {
    let free_for =
        method.free_for.as_ref().map(serde_json::to_value).transpose().map_err(AppError::internal)?;
    diesel::insert_into(shipping_methods::table)
        .values((
            shipping_methods::id.eq(method.id),
            shipping_methods::code.eq(&method.code),
            shipping_methods::name_zh.eq(&method.names.zh),
            shipping_methods::name_en.eq(&method.names.en),
            shipping_methods::countries.eq(&method.countries),
            shipping_methods::fee_minor.eq(method.fee_minor),
            shipping_methods::fee_per_kg_minor.eq(method.fee_per_kg_minor),
            shipping_methods::free_from_minor.eq(method.free_from_minor),
            shipping_methods::free_for.eq(free_for),
            shipping_methods::created_at.eq(method.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks a method that is to be changed, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: ShippingMethodId) -> Result<Option<ShippingMethod>> {
    let query = shipping_methods::table.find(id).for_no_key_update().select(MethodRow::as_select());
    let row: Option<MethodRow> = query.first(conn).await.optional()?;
    row.map(ShippingMethod::try_from).transpose()
}

/// Writes what can change of a locked method.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, method: &ShippingMethod) -> Result<()> {
    let free_for =
        method.free_for.as_ref().map(serde_json::to_value).transpose().map_err(AppError::internal)?;
    diesel::update(shipping_methods::table.find(method.id))
        .set((
            shipping_methods::name_zh.eq(&method.names.zh),
            shipping_methods::name_en.eq(&method.names.en),
            shipping_methods::countries.eq(&method.countries),
            shipping_methods::fee_minor.eq(method.fee_minor),
            shipping_methods::fee_per_kg_minor.eq(method.fee_per_kg_minor),
            shipping_methods::free_from_minor.eq(method.free_from_minor),
            shipping_methods::free_for.eq(free_for),
            shipping_methods::version.eq(method.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a method off the list; orders that chose it keep it.
///
/// # Errors
/// The database's.
pub async fn archive(conn: &mut Conn, id: ShippingMethodId, now: DateTime<Utc>) -> Result<bool> {
    let live = shipping_methods::table.find(id).filter(shipping_methods::archived_at.is_null());
    let set =
        (shipping_methods::archived_at.eq(now), shipping_methods::version.eq(shipping_methods::version + 1));
    Ok(diesel::update(live).set(set).execute(conn).await? == 1)
}
