//! Rows of pick lists, and the orders on them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::checkout::orders::model::OrderRow;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{orders, pick_lists, shipping_promises};
use crate::statement;
use crate::types::id::{DropId, OrderId, PickListId};

/// Orders that are picked together.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = pick_lists)]
pub struct PickList {
    pub id: PickListId,
    pub orders: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub released_at: Option<DateTime<Utc>>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, list: &PickList) -> Result<()> {
    diesel::insert_into(pick_lists::table).values(list).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn set_orders(conn: &mut Conn, id: PickListId, count: i64) -> Result<()> {
    diesel::update(pick_lists::table.find(id)).set(pick_lists::orders.eq(count)).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: PickListId) -> Result<Option<PickList>> {
    Ok(pick_lists::table.find(id).select(PickList::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: PickListId) -> Result<Option<PickList>> {
    let query = pick_lists::table.find(id).select(PickList::as_select()).for_no_key_update();
    Ok(query.first(conn).await.optional()?)
}

/// A page of lists, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<PickList>> {
    Ok(pick_lists::table
        .filter(pick_lists::id.lt(PickListId(page.before)))
        .order(pick_lists::id.desc())
        .limit(page.fetch())
        .select(PickList::as_select())
        .load(conn)
        .await?)
}

// A drop that waits for its goal isn't sent before that is reached. Chosen once: a subquery that skips what is locked may
// be run again for each row, and would choose others.
statement! {
    struct Take = "WITH chosen AS MATERIALIZED (SELECT p.order_id FROM shipping_promises p \
          WHERE p.done_at IS NULL AND p.pick_list_id IS NULL \
            AND NOT EXISTS (SELECT FROM order_lines l JOIN drop_goals g ON g.drop_id = l.drop_id \
                            WHERE l.order_id = p.order_id AND g.outcome IS DISTINCT FROM 'reached') \
            AND (" [drop: Option<DropId> => Nullable<SqlUuid>]
        " IS NULL OR EXISTS (SELECT FROM order_lines l WHERE l.order_id = p.order_id AND l.drop_id = "
        [same_drop: Option<DropId> => Nullable<SqlUuid>] ")) AND (" [sku: Option<String> => Nullable<Text>]
        " IS NULL OR EXISTS (SELECT FROM order_lines l JOIN variants v ON v.id = l.variant_id \
                             WHERE l.order_id = p.order_id AND v.sku = "
        [same_sku: Option<String> => Nullable<Text>] ")) ORDER BY p.ship_by, p.order_id LIMIT "
        [most: i64 => BigInt] " FOR UPDATE OF p SKIP LOCKED) \
          UPDATE shipping_promises SET pick_list_id = " [list: PickListId => SqlUuid]
        " FROM chosen WHERE chosen.order_id = shipping_promises.order_id"
}

/// Puts orders on a list that is there: of those that are on none, the ones that were promised soonest. Orders that
/// somebody else takes at the same moment are left to him. How many.
///
/// # Errors
/// The database's.
pub async fn take(
    conn: &mut Conn,
    list: PickListId,
    most: i64,
    drop: Option<DropId>,
    sku: Option<String>,
) -> Result<usize> {
    let take = Take { list, drop, same_drop: drop, sku: sku.clone(), same_sku: sku, most };
    Ok(take.execute(conn).await?)
}

/// Takes what isn't sent off a list. How many orders.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, list: PickListId, now: DateTime<Utc>) -> Result<usize> {
    let open = shipping_promises::table
        .filter(shipping_promises::pick_list_id.eq(list))
        .filter(shipping_promises::done_at.is_null());
    let released = diesel::update(open)
        .set(shipping_promises::pick_list_id.eq(None::<PickListId>))
        .execute(conn)
        .await?;
    diesel::update(pick_lists::table.find(list)).set(pick_lists::released_at.eq(now)).execute(conn).await?;
    Ok(released)
}

/// Of these lists: orders of which something is still to be sent.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, lists: &[PickListId]) -> Result<Vec<(PickListId, i64)>> {
    let rows: Vec<(Option<PickListId>, i64)> = shipping_promises::table
        .filter(shipping_promises::pick_list_id.eq_any(lists))
        .filter(shipping_promises::done_at.is_null())
        .group_by(shipping_promises::pick_list_id)
        .select((shipping_promises::pick_list_id, diesel::dsl::count_star()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(list, open)| Some((list?, open))).collect())
}

/// Where a list is read on.
pub type After = (DateTime<Utc>, OrderId);

/// Orders of a list of which something is still to be sent, the ones promised soonest first, after `after`.
///
/// # Errors
/// The database's.
pub async fn open_orders(
    conn: &mut Conn,
    list: PickListId,
    after: Option<After>,
    most: i64,
) -> Result<Vec<(DateTime<Utc>, OrderRow)>> {
    let mut query = shipping_promises::table
        .inner_join(orders::table)
        .filter(shipping_promises::pick_list_id.eq(list))
        .filter(shipping_promises::done_at.is_null())
        .order((shipping_promises::ship_by, shipping_promises::order_id))
        .limit(most)
        .select((shipping_promises::ship_by, OrderRow::as_select()))
        .into_boxed();
    if let Some((ship_by, last)) = after {
        let later = shipping_promises::ship_by.gt(ship_by);
        let same = shipping_promises::ship_by.eq(ship_by).and(shipping_promises::order_id.gt(last));
        query = query.filter(later.or(same));
    }
    Ok(query.load(conn).await?)
}
