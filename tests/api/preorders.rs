//! What is sold before it is there, and what is about to run out.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::mall::{Mall, yuan};
use crate::support::{Person, TestApp};

async fn patch(app: &TestApp, owner: &Person, variant: &Value, version: u32, body: Value) -> Answer {
    let path = format!("/v1/admin/variants/{}", variant.as_str().unwrap());
    let request = app.patch(&path).bearer(&owner.token).header("If-Match", &format!("\"v{version}\""));
    request.json(&body).send().await
}

async fn moved(app: &TestApp, owner: &Person, key: &str, body: Value) -> Answer {
    app.post("/v1/admin/stock-moves").bearer(&owner.token).key(key).json(&body).send().await
}

async fn ship(app: &TestApp, owner: &Person, order: &Value, key: &str, body: Value) -> Answer {
    let path = format!("/v1/admin/orders/{}/shipments", order["id"].as_str().unwrap());
    app.post(&path).bearer(&owner.token).key(key).json(&body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_is_sold_and_sent_when_it_has_come() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let phone = mall.goods("PHONE", 1999, 0).await;
    let announce = |quantity: i64| json!({ "variant": phone, "quantity": quantity, "reason": "announced" });
    let arrive = |quantity: i64| json!({ "variant": phone, "quantity": quantity, "reason": "received", "of_announced": true });

    // Only of what says when it is sent.
    let untold = moved(app, owner, "a", announce(3)).await;
    assert_eq!(untold.refused(422, "invalid_field")["errors"][0]["field"], "reason");
    let start = app.now() + TimeDelta::hours(2);
    patch(app, owner, &phone, 1, json!({ "ships_from": start })).await.ok(200);
    moved(app, owner, "b", announce(3)).await.ok(201);
    moved(app, owner, "c", announce(-4)).await.refused(409, "stock_not_free");
    patch(app, owner, &phone, 2, json!({ "ships_from": null })).await.refused(409, "in_use");
    let odd = json!({ "variant": phone, "quantity": 1, "reason": "corrected", "of_announced": true });
    assert_eq!(
        moved(app, owner, "d", odd).await.refused(422, "invalid_field")["errors"][0]["field"],
        "of_announced"
    );

    // The date is told wherever it is sold, also in a bundle; the last one is sold once.
    let parts = json!([{ "variant": phone, "quantity": 1 }]);
    let set = mall
        .product("set", "bundle", json!([{ "sku": "SET", "price": yuan(2100), "parts": parts }]), json!({}))
        .await;
    let seen = app.get("/v1/products/set").send().await.ok(200);
    let told = seen["variants"][0]["ships_from"].clone();
    assert_eq!(told, app.get("/v1/products/phone").send().await.ok(200)["variants"][0]["ships_from"]);
    assert!(told.is_string());
    let mut people = Vec::new();
    for name in ["ann", "bea", "cleo", "dora", "ella"] {
        people.push(app.member(&format!("{name}@b.test")).await);
    }
    let line = json!([{ "variant": phone }]);
    assert_eq!(mall.quote(&people[0], line.clone()).await.ok(200)["lines"][0]["ships_from"], told);
    let (first, rest) = people.split_first().unwrap();
    let bundle = mall.buy(first, "set", json!([{ "bundle": set["variants"][0]["bundle"] }])).await;
    assert_eq!(bundle["lines"][0]["ships_from"], told);
    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(
        time(&bundle["ship_by"]),
        time(&told) + TimeDelta::hours(72),
        "promised from when it is there"
    );
    let answers = join_all(rest.iter().map(|person| mall.order(person, "k", line.clone()))).await;
    let (mut orders, mut buyers) = (Vec::new(), Vec::new());
    for (person, answer) in rest.iter().zip(answers) {
        if answer.status == 201 {
            mall.shop.pay(&answer.json).await;
            orders.push(mall.shop.settled(person, &answer.json).await);
            buyers.push(person);
        } else {
            answer.refused(409, "out_of_stock");
        }
    }
    assert_eq!((orders.len(), mall.stands(&phone).await), (2, (3, 0, 3)));
    assert_eq!(orders[0]["lines"][0]["ships_from"], told);

    // Nothing goes out before it came, and no more than came.
    let parcel = json!({ "carrier": "顺丰" });
    ship(app, owner, &orders[0], "p0", parcel.clone()).await.refused(409, "not_arrived");
    moved(app, owner, "e", arrive(4)).await.refused(409, "stock_not_free");
    moved(app, owner, "f", arrive(1)).await.ok(201);
    assert_eq!(moved(app, owner, "f", arrive(1)).await.ok(201)["quantity"], 1, "a repeat enters nothing");
    assert_eq!(mall.stands(&phone).await, (3, 0, 3));
    let tries = [(&orders[0], "p1"), (&orders[1], "p2"), (&bundle, "p3")];
    let sent = join_all(tries.map(|(order, key)| ship(app, owner, order, key, parcel.clone()))).await;
    assert_eq!(sent.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in sent.iter().filter(|answer| answer.status != 201) {
        refused.refused(409, "not_arrived");
    }
    moved(app, owner, "g", arrive(2)).await.ok(201);
    for ((order, _), key) in tries.iter().zip(["q1", "q2", "q3"]) {
        let status = ship(app, owner, order, key, parcel.clone()).await.status;
        assert!(matches!(status, 201 | 409), "{status}");
    }
    let shipped = "SELECT sum(shipped)::bigint AS count FROM order_lines";
    assert_eq!(count_sql(&mut *app.conn().await, shipped).await, 3);

    // All has come: the date may go, and is told no more. What was told to a buyer stays.
    patch(app, owner, &phone, 2, json!({ "ships_from": null })).await.ok(200);
    let seen = app.get("/v1/products/phone").send().await.ok(200);
    assert_eq!(seen["variants"][0]["ships_from"], Value::Null);
    let after = mall.shop.show(buyers[0], &orders[0]).await;
    assert_eq!(after["lines"][0]["ships_from"], told);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_and_came_back_can_be_sent_again_before_the_rest_has_come() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let phone = mall.goods("PHONE", 1999, 1).await;
    patch(app, owner, &phone, 1, json!({ "ships_from": app.now() + TimeDelta::days(9) })).await.ok(200);
    let more = json!({ "variant": phone, "quantity": 1, "reason": "announced" });
    moved(app, owner, "a", more).await.ok(201);
    let (ann, bea) = (app.member("ann@b.test").await, app.member("bea@b.test").await);
    let first = mall.buy(&ann, "k", json!([{ "variant": phone }])).await;
    let second = mall.buy(&bea, "k", json!([{ "variant": phone }])).await;
    let parcel = json!({ "carrier": "顺丰" });
    ship(app, owner, &first, "p", parcel.clone()).await.ok(201);
    ship(app, owner, &second, "o", parcel.clone()).await.refused(409, "not_arrived");
    let path = format!("/v1/admin/orders/{}/refunds", first["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    app.post(&path).bearer(&owner.token).key("r").json(&refund).send().await.ok(201);
    ship(app, owner, &second, "q", parcel).await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_once_of_what_is_low_until_there_is_more_again() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let manager = app.operator(Role::Manager).await;
    app.operator(Role::Support).await;
    let tea = mall.goods("TEA", 90, 5).await;
    let book = mall.goods("BOOK", 40, 2).await;
    for (variant, at) in [(&tea, 2), (&book, 2)] {
        patch(app, &mall.owner, variant, 1, json!({ "low_stock_at": at })).await.ok(200);
    }
    let course =
        mall.product("course", "digital", json!([{ "sku": "C", "price": yuan(9) }]), json!({})).await;
    let endless =
        patch(app, &mall.owner, &course["variants"][0]["id"], 1, json!({ "low_stock_at": 2 })).await;
    assert_eq!(endless.refused(422, "invalid_field")["errors"][0]["field"], "low_stock_at");
    let told = async |like: &str| {
        let sql = format!(
            "SELECT count(*) AS count FROM mails WHERE kind = 'low_stock' AND data::text LIKE '%{like}%'"
        );
        count_sql(&mut *app.conn().await, &sql).await
    };
    let look = async || mall.shop.advance(TimeDelta::minutes(5)).await;
    look().await;
    assert_eq!(
        (told("BOOK").await, told("TEA").await),
        (2, 0),
        "owner and manager, of what is at its threshold"
    );
    // Held units count as gone: three of five.
    let ann = app.member("ann@b.test").await;
    let order = mall.order(&ann, "k", json!([{ "variant": tea, "quantity": 3 }])).await.ok(201);
    look().await;
    look().await;
    assert_eq!((told("BOOK").await, told("TEA").await), (2, 2));
    // Given up: there is more again; then low a second time.
    let ann = app.sign_in("ann@b.test").await;
    let cancel = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    app.post(&cancel).bearer(&ann.token).key("c").send().await.ok(200);
    look().await;
    let ann = app.sign_in("ann@b.test").await;
    mall.order(&ann, "l", json!([{ "variant": tea, "quantity": 4 }])).await.ok(201);
    look().await;
    assert_eq!((told("BOOK").await, told("TEA").await), (2, 4));
    let to = "SELECT count(DISTINCT to_address) AS count FROM mails WHERE kind = 'low_stock'";
    assert_eq!(count_sql(&mut *app.conn().await, to).await, 2);
    assert!(manager.email.starts_with("manager"));
    mall.finish().await;
}
