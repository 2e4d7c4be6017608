//! Orders of renewals.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::checkout::orders::model::OrderState;
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{order_lines, orders};
use crate::types::id::{OrderId, RenewalId};

/// Orders of a renewal, the newest first.
///
/// # Errors
/// The database's.
pub async fn orders_of(conn: &mut Conn, renewal: RenewalId) -> Result<Vec<(OrderId, OrderState)>> {
    Ok(order_lines::table
        .inner_join(orders::table)
        .filter(order_lines::renewal_id.eq(renewal))
        .order(orders::id.desc())
        .select((orders::id, orders::state))
        .load(conn)
        .await?)
}
