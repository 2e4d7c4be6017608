//! Operators' work on methods of shipping.

use serde_json::json;

use super::model::{self, ShippingMethod};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db;
use crate::error::{Code, Result};
use crate::types::id::ShippingMethodId;

/// # Errors
/// `code_taken`
pub async fn create(app: &App, actor: Actor, method: &ShippingMethod) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, method).await?;
        let entry = entry(actor, "shipping_method.create", method.id, &method.code);
        audit::record(conn, method.created_at, entry).await
    })
    .await
}

/// Takes a method off the list. Twice does no more than once.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: ShippingMethodId) -> Result<ShippingMethod> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let is_new = model::archive(conn, id, now).await?;
        let method = model::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
        if is_new {
            let entry = entry(actor, "shipping_method.archive", id, &method.code);
            audit::record(conn, now, entry).await?;
        }
        Ok(method)
    })
    .await
}

fn entry<'a>(actor: Actor, action: &'a str, id: ShippingMethodId, code: &str) -> Entry<'a> {
    Entry {
        actor,
        action,
        subject_kind: "shipping_method",
        subject_id: id.to_string(),
        reason: None,
        detail: json!({ "code": code }),
    }
}
