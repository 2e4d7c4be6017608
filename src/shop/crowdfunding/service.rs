//! Names of backers that go again.

use serde_json::json;

use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::orders::access::OrderBuyer;
use crate::checkout::orders::model as orders;
use crate::db;
use crate::error::{Code, Result};
use crate::types::id::OrderId;

/// The buyer takes the consent to be named back. Twice does no more than once.
///
/// # Errors
/// `not_found` for what is no pledge of his.
pub async fn remove_name(app: &App, order: OrderId, buyer: OrderBuyer) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        let is_his = buyer.owns(&orders::lock(conn, order).await?);
        if is_his && model::remove_name(conn, order).await? { Ok(()) } else { Err(Code::NotFound.error()) }
    })
    .await
}

/// An operator takes a name off the list.
///
/// # Errors
/// `not_found` for what is no pledge.
pub async fn strike_name(app: &App, actor: Actor, order: OrderId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if !model::remove_name(conn, order).await? {
            return Err(Code::NotFound.error());
        }
        let entry = Entry {
            actor,
            action: "backer_name.remove",
            subject_kind: "order",
            subject_id: order.to_string(),
            reason: None,
            detail: json!({}),
        };
        audit::record(conn, now, entry).await
    })
    .await
}
