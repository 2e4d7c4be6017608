//! `expand[]`: an id in an answer replaced by the object, up to four levels deep.

use serde_json::{Value, json};

use super::error::ApiError;
use super::store::Store;
use super::view;

const DEPTH_MAX: usize = 4;

/// What may be expanded of each object, and what the id there names.
fn target(object: &str, field: &str) -> Option<&'static str> {
    Some(match (object, field) {
        ("checkout.session" | "charge" | "refund" | "dispute", "payment_intent") => "payment_intent",
        ("checkout.session" | "payment_intent" | "charge" | "refund" | "payment_method", "customer") => {
            "customer"
        }
        ("payment_intent", "latest_charge") | ("refund" | "dispute", "charge") => "charge",
        ("payment_intent" | "refund", "payment_method") => "payment_method",
        ("checkout.session", "line_items") => "line_items",
        ("charge", "refunds") => "refunds",
        _ => return None,
    })
}

/// Expands one path, such as `payment_intent.latest_charge`, or `data.payment_intent` in a list.
pub fn expand(store: &Store, answer: &mut Value, path: &str) -> Result<(), ApiError> {
    let parts: Vec<&str> = path.split('.').collect();
    if parts.len() > DEPTH_MAX {
        return Err(ApiError::invalid("You cannot expand more than 4 levels of a property.").param("expand"));
    }
    walk(store, answer, &parts, path)
}

fn walk(store: &Store, value: &mut Value, parts: &[&str], path: &str) -> Result<(), ApiError> {
    let Some((field, rest)) = parts.split_first() else { return Ok(()) };
    let refused = || ApiError::invalid(format!("This property cannot be expanded ({path}).")).param("expand");
    let Some(object) = value.get("object").and_then(Value::as_str).map(str::to_owned) else {
        return Err(refused());
    };
    if object == "list" && *field == "data" && !rest.is_empty() {
        let Some(rows) = value.get_mut("data").and_then(Value::as_array_mut) else { return Err(refused()) };
        return rows.iter_mut().try_for_each(|row| walk(store, row, rest, path));
    }
    let named = target(&object, field).ok_or_else(refused)?;
    let owner = value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(fields) = value.as_object_mut() else { return Err(refused()) };
    let place = fields.entry((*field).to_owned()).or_insert(Value::Null);
    if !place.is_object() {
        let id = place.as_str().unwrap_or_default().to_owned();
        if let Some(found) = fetch(store, named, &id, &owner) {
            *place = found;
        }
    }
    // What isn't there (null) has nothing to expand further.
    if place.is_object() { walk(store, place, rest, path) } else { Ok(()) }
}

fn fetch(store: &Store, named: &str, id: &str, owner: &str) -> Option<Value> {
    Some(match named {
        "payment_intent" => view::intent(store.intents.get(id)?),
        "customer" => view::customer(store.customers.get(id)?),
        "charge" => view::charge(store.charges.get(id)?),
        "payment_method" => view::payment_method(store.payment_methods.get(id)?),
        "line_items" => line_items(store, owner)?,
        "refunds" => {
            let charge = store.charges.get(owner)?;
            let newest = charge.refunds.iter().rev().filter_map(|id| store.refunds.get(id));
            let data: Vec<Value> = newest.map(|refund| view::refund(refund)).take(10).collect();
            json!({
                "object": "list", "data": data, "has_more": charge.refunds.len() > 10,
                "url": format!("/v1/charges/{owner}/refunds"),
            })
        }
        _ => return None,
    })
}

fn line_items(store: &Store, session: &str) -> Option<Value> {
    let session = store.sessions.get(session)?;
    let data: Vec<Value> = session.lines.iter().map(|line| view::line(line, &session.currency)).collect();
    Some(json!({
        "object": "list", "data": data, "has_more": false,
        "url": format!("/v1/checkout/sessions/{}/line_items", session.id),
    }))
}
