//! What buyers and operators do with orders, in a word.

use serde_json::{Value, json};

use super::Person;
use super::catalog::count_sql;
use super::http::Answer;
use super::mall::Mall;

pub fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap()
}

pub async fn post(mall: &Mall, person: &Person, path: &str, key: &str, body: Value) -> Answer {
    mall.shop.app.post(path).bearer(&person.token).key(key).json(&body).send().await
}

pub async fn get(mall: &Mall, person: &Person, path: &str) -> Answer {
    mall.shop.app.get(path).bearer(&person.token).send().await
}

pub async fn cancel(mall: &Mall, person: &Person, order: &Value, key: &str) -> Answer {
    post(mall, person, &format!("/v1/orders/{}/cancel", id(order)), key, json!({})).await
}

pub async fn ship(mall: &Mall, by: &Person, order: &Value, key: &str, body: Value) -> Answer {
    post(mall, by, &format!("/v1/admin/orders/{}/shipments", id(order)), key, body).await
}

/// All of an order is handed over; the parcel.
pub async fn send(mall: &Mall, order: &Value) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let parcels =
        ship(mall, &owner, order, &format!("all-{}", id(order)), json!({ "carrier": "顺丰" })).await.ok(201);
    parcels["data"].as_array().unwrap().last().unwrap().clone()
}

/// One line of an order is asked to be sent back.
pub async fn ask(mall: &Mall, person: &Person, order: &Value, key: &str, units: i64, reason: &str) -> Answer {
    let lines = json!([{ "line": order["lines"][0]["id"], "quantity": units }]);
    let path = format!("/v1/orders/{}/returns", id(order));
    post(mall, person, &path, key, json!({ "lines": lines, "reason": reason })).await
}

pub async fn act(mall: &Mall, by: &Person, of: &Value, verb: &str, key: &str, body: Value) -> Answer {
    post(mall, by, &format!("/v1/admin/returns/{}/{verb}", id(of)), key, body).await
}

/// A return is approved and arrives: so many units of its one line to be sold again, so many not.
pub async fn arrive(mall: &Mall, by: &Person, of: &Value, restock: i64, write_off: i64) -> Value {
    act(mall, by, of, "approve", id(of), json!({ "instructions": "寄到仓库" })).await.ok(200);
    let line = &of["lines"][0]["line"];
    let lines = json!([{ "line": line, "restock": restock, "write_off": write_off }]);
    act(mall, by, of, "receive", id(of), json!({ "lines": lines })).await.ok(200)
}

pub async fn count(mall: &Mall, what: &str) -> i64 {
    count_sql(&mut *mall.shop.app.conn().await, &format!("SELECT count(*) AS count FROM {what}")).await
}
