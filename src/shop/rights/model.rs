//! Rows of rights.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::rules::{Right, Source};
use crate::batch_insert;
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{order_lines, products, rights};
use crate::shop::products::model::{Product, ProductRow};
use crate::types::id::{AccountId, LineId, OrderId, ProductId, RightId};
use crate::types::locale::Names;

batch_insert! {
    /// A right that a line gives.
    pub struct NewRight as RightColumns into "rights" {
        id: RightId => SqlUuid,
        account_id: AccountId => SqlUuid,
        product_id: ProductId => SqlUuid,
        line_id: LineId => SqlUuid,
        starts_at: DateTime<Utc> => Timestamptz,
        ends_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

/// When a right of so many days ends.
pub fn end_of(starts_at: DateTime<Utc>, days: Option<i32>) -> Option<DateTime<Utc>> {
    days.map(|days| starts_at + TimeDelta::days(i64::from(days)))
}

/// What an account holds now because it bought it, of one product where one is named (by id or slug), newest first.
///
/// # Errors
/// The database's.
pub async fn held(
    conn: &mut Conn,
    account: AccountId,
    product: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Right>> {
    let mut query = rights::table
        .inner_join(products::table)
        .inner_join(order_lines::table)
        .filter(rights::account_id.eq(account))
        .filter(rights::ended_at.is_null())
        .filter(rights::ends_at.is_null().or(rights::ends_at.gt(now)))
        .order(rights::id.desc())
        .select((
            products::id,
            products::slug,
            products::name_zh,
            products::name_en,
            order_lines::order_id,
            rights::starts_at,
            rights::ends_at,
        ))
        .into_boxed();
    if let Some(product) = product {
        query = match product.parse::<ProductId>() {
            Ok(id) => query.filter(products::id.eq(id)),
            Err(_) => query.filter(products::slug.eq(product.to_owned())),
        };
    }
    type Row = (ProductId, String, String, String, OrderId, DateTime<Utc>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = query.load(conn).await?;
    let right = |(product, slug, name_zh, name_en, order, starts_at, ends_at): Row| Right {
        product,
        slug,
        names: Names { zh: name_zh, en: name_en },
        source: Source::Order { order },
        starts_at: Some(starts_at),
        ends_at,
    };
    Ok(rows.into_iter().map(right).collect())
}

/// Products that some may open by belonging, newest first: all of them, or the one that is named (by id or slug), where it is
/// such a one.
///
/// # Errors
/// The database's.
pub async fn opened_by_belonging(conn: &mut Conn, product: Option<&str>) -> Result<Vec<Product>> {
    let mut query = products::table
        .filter(products::opens_for.is_not_null())
        .filter(products::archived_at.is_null())
        .order(products::id.desc())
        .select(ProductRow::as_select())
        .into_boxed();
    if let Some(product) = product {
        query = match product.parse::<ProductId>() {
            Ok(id) => query.filter(products::id.eq(id)),
            Err(_) => query.filter(products::slug.eq(product.to_owned())),
        };
    }
    let rows: Vec<ProductRow> = query.load(conn).await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// The rights of a line end: it was refunded.
///
/// # Errors
/// The database's.
pub async fn end_of_line(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<()> {
    let live = rights::table.filter(rights::line_id.eq(line)).filter(rights::ended_at.is_null());
    diesel::update(live).set(rights::ended_at.eq(now)).execute(conn).await?;
    Ok(())
}
