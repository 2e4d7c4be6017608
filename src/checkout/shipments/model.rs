//! Rows of parcels.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::{Code, Result};
use crate::schema::{order_lines, shipment_lines, shipments};
use crate::statement;
use crate::types::id::{LineId, OrderId, ShipmentId};

/// A parcel.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = shipments)]
pub struct Shipment {
    pub id: ShipmentId,
    pub order_id: OrderId,
    pub carrier: String,
    pub tracking_number: Option<String>,
    /// The request that made it, once.
    pub cause: String,
    pub shipped_at: DateTime<Utc>,
    /// As an operator says.
    pub delivered_at: Option<DateTime<Utc>>,
}

statement! {
    struct AddShipped = "UPDATE order_lines SET shipped = shipped + add.quantity FROM UNNEST("
        [lines: Vec<LineId> => Array<SqlUuid>] ", "
        [quantities: Vec<i64> => Array<BigInt>] ") AS add (id, quantity) WHERE order_lines.id = add.id"
}

/// Writes parcels and what of each line is in them. The orders' rows are locked and no line is in two of the parcels; false
/// where a cause is known already, and then nothing may stay.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut Conn,
    parcels: &[Shipment],
    contents: &[(ShipmentId, LineId, i64)],
) -> Result<bool> {
    let written = diesel::insert_into(shipments::table)
        .values(parcels)
        .on_conflict(shipments::cause)
        .do_nothing()
        .execute(conn)
        .await?;
    if written < parcels.len() {
        return Ok(false);
    }
    let row = |(parcel, line, quantity): &(ShipmentId, LineId, i64)| {
        (
            shipment_lines::shipment_id.eq(*parcel),
            shipment_lines::line_id.eq(*line),
            shipment_lines::quantity.eq(*quantity),
        )
    };
    let rows: Vec<_> = contents.iter().map(row).collect();
    diesel::insert_into(shipment_lines::table).values(rows).execute(conn).await?;
    let (lines, quantities) = contents.iter().map(|(_, line, quantity)| (*line, *quantity)).unzip();
    AddShipped { lines, quantities }.execute(conn).await?;
    Ok(true)
}

/// Parcels of an order with what is in them, oldest first.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<(Shipment, Vec<(LineId, i64)>)>> {
    let parcels: Vec<Shipment> = shipments::table
        .filter(shipments::order_id.eq(order))
        .order(shipments::id)
        .select(Shipment::as_select())
        .load(conn)
        .await?;
    let rows: Vec<(ShipmentId, LineId, i64)> = shipment_lines::table
        .inner_join(order_lines::table)
        .filter(order_lines::order_id.eq(order))
        .order((shipment_lines::shipment_id, order_lines::position))
        .select((shipment_lines::shipment_id, shipment_lines::line_id, shipment_lines::quantity))
        .load(conn)
        .await?;
    let in_it = |parcel: &Shipment| {
        rows.iter()
            .filter(|(id, ..)| *id == parcel.id)
            .map(|(_, line, quantity)| (*line, *quantity))
            .collect()
    };
    Ok(parcels.into_iter().map(|parcel| (parcel.clone(), in_it(&parcel))).collect())
}

/// Of which of these causes was a parcel entered before?
///
/// # Errors
/// The database's.
pub async fn known(conn: &mut Conn, causes: &[String]) -> Result<HashSet<String>> {
    let known = shipments::table.filter(shipments::cause.eq_any(causes)).select(shipments::cause);
    Ok(known.load(conn).await?.into_iter().collect())
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: ShipmentId) -> Result<Shipment> {
    let row = shipments::table.find(id).select(Shipment::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// # Errors
/// The database's.
pub async fn set_delivered(conn: &mut Conn, id: ShipmentId, at: DateTime<Utc>) -> Result<()> {
    diesel::update(shipments::table.find(id)).set(shipments::delivered_at.eq(at)).execute(conn).await?;
    Ok(())
}
