//! Making pick lists, and giving up what of them wasn't sent.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{NewPickList, PickListView};
use super::model::{self, PickList};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::types::id::PickListId;

/// Orders of one list.
const ORDERS_MAX: i64 = 10_000;

/// Makes a list, once a request. Two that are made at once share no order.
///
/// # Errors
/// `invalid_field`, `nothing_to_pick`, `idempotency_key_reused`, `request_in_progress`.
pub async fn create(app: &App, actor: Actor, new: &NewPickList, request: &Request) -> Result<PickListView> {
    let now = app.clock.now();
    let most = fields::within("orders", new.orders, 1, ORDERS_MAX)?;
    let sku = new.sku.as_deref().map(|typed| fields::line("sku", typed, 100)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let id = PickListId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return view(conn, PickListId(earlier)).await;
        }
        let created_by = actor.kind().to_owned();
        let list = PickList { id, orders: most, created_by, created_at: now, released_at: None };
        model::insert(conn, &list).await?;
        let taken = model::take(conn, id, most, new.drop, sku.clone()).await?;
        if taken == 0 {
            return Err(Code::NothingToPick.error());
        }
        let orders = i64::try_from(taken).map_err(crate::error::AppError::internal)?;
        model::set_orders(conn, id, orders).await?;
        record(conn, actor, "pick_list.create", id, json!({ "orders": orders }), now).await?;
        view(conn, id).await
    })
    .await
}

/// Lets others pick what of a list wasn't sent. Twice does no more than once.
///
/// # Errors
/// `not_found`.
pub async fn release(app: &App, actor: Actor, id: PickListId) -> Result<PickListView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let list = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if list.released_at.is_none() {
            let released = model::release(conn, id, now).await?;
            record(conn, actor, "pick_list.release", id, json!({ "orders": released }), now).await?;
        }
        view(conn, id).await
    })
    .await
}

/// A list with how many of its orders are still open.
///
/// # Errors
/// `not_found`.
pub async fn view(conn: &mut Conn, id: PickListId) -> Result<PickListView> {
    let list = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    Ok(views(conn, vec![list]).await?.pop().ok_or(Code::NotFound)?)
}

/// # Errors
/// The database's.
pub async fn views(conn: &mut Conn, lists: Vec<PickList>) -> Result<Vec<PickListView>> {
    let ids: Vec<_> = lists.iter().map(|list| list.id).collect();
    let open = model::open_of(conn, &ids).await?;
    let count = |id| open.iter().find(|(list, _)| *list == id).map_or(0, |(_, count)| *count);
    Ok(lists.into_iter().map(|list| PickListView::new(list.clone(), count(list.id))).collect())
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    id: PickListId,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = id.to_string();
    let entry = Entry { actor, action, subject_kind: "pick_list", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}
