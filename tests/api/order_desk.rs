//! Orders on the operators' desk and before it: cancelled before they are sent, late, and looked for.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::desk::{ask, cancel, count, get, id, post, send, ship};
use crate::support::mall::{Mall, yuan};

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_is_cancelled_before_it_is_sent_and_everything_comes_back() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let drop = mall.drop(&tea, 2, json!({ "cap_per_person": 2 })).await;
    let person = mall.shop.app.member("a@b.test").await;
    let lines = json!([{ "variant": tea, "drop": drop["id"], "quantity": 2 }]);
    let order = mall.buy(&person, "k", lines.clone()).await;
    let paid = order["totals"]["total"]["amount"].clone();
    mall.order(&person, "again", lines.clone()).await.refused(409, "sold_out");
    let stranger = mall.shop.app.member("x@b.test").await;
    cancel(&mall, &stranger, &order, "c").await.refused(404, "not_found");

    let cancelled = cancel(&mall, &person, &order, "c").await.ok(200);
    assert_eq!((&cancelled["state"], &cancelled["refunded"]["amount"]), (&json!("refunded"), &paid));
    assert!(cancelled["cancelled_at"].is_string());
    assert_eq!(cancel(&mall, &person, &order, "c").await.ok(200)["state"], "refunded");
    cancel(&mall, &person, &order, "d").await.refused(409, "order_not_pending");
    let parcel = json!({ "carrier": "顺丰" });
    ship(&mall, &mall.owner, &order, "p", parcel).await.refused(409, "nothing_to_ship");
    assert_eq!(mall.stands(&tea).await, (10, 0, 0));
    mall.shop.settle().await;
    assert_eq!(mall.shop.simulator().book().refunded_minor, paid);
    assert_eq!(count(&mall, "mails WHERE kind = 'order_cancelled' AND state = 'sent'").await, 1);
    assert_eq!(count(&mall, "mails WHERE kind = 'refunded'").await, 0, "one mail tells it");
    // The drop and the cap are as they were.
    let again = mall.buy(&person, "again", lines).await;
    cancel(&mall, &person, &again, "c").await.refused(422, "idempotency_key_reused");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_an_order_and_an_order_without_money_are_cancelled_too() {
    let mall = Mall::open().await;
    let (tea, book) = (mall.goods("TEA", 90, 10).await, mall.goods("BOOK", 40, 10).await);
    let gift = mall.goods("GIFT", 0, 10).await;
    let person = mall.member("fan@b.test", &mall.diehard).await;
    let lines = json!([{ "variant": tea }, { "variant": book }, { "variant": gift }]);
    let order = mall.buy(&person, "k", lines).await;
    let path = format!("/v1/admin/orders/{}/refunds", id(&order));
    let broken = json!({ "reason": "Broken here.", "lines": [{ "line": order["lines"][1]["id"] }] });
    post(&mall, &mall.owner, &path, "r", broken).await.ok(201);
    let cancelled = cancel(&mall, &person, &order, "c").await.ok(200);
    assert_eq!((&cancelled["state"], &cancelled["refunded"]), (&json!("refunded"), &yuan(130)));
    assert_eq!(mall.stands(&tea).await, (10, 0, 0));
    assert_eq!(mall.stands(&gift).await, (10, 0, 0));
    assert_eq!(mall.stands(&book).await, (10, 0, 1), "the broken one was kept from sale");

    let free = mall.order(&person, "free", json!([{ "variant": gift }])).await.ok(201);
    mall.shop.settle().await;
    let free = mall.shop.settled(&person, &free).await;
    assert_eq!((&free["state"], &free["totals"]["due"]), (&json!("paid"), &yuan(0)));
    assert_eq!(cancel(&mall, &person, &free, "f").await.ok(200)["state"], "refunded");
    assert_eq!(mall.stands(&gift).await, (10, 0, 0));
    let parcel = json!({ "carrier": "顺丰" });
    ship(&mall, &mall.owner, &free, "p", parcel).await.refused(409, "nothing_to_ship");
    mall.shop.settle().await;
    assert_eq!(count(&mall, "mails WHERE kind = 'order_cancelled'").await, 2);
    assert_eq!(mall.shop.simulator().book().refunded_minor, 13_000);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_or_sent_never_both() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let people = mall.members(8).await;
    let mut orders = Vec::new();
    for person in &people {
        orders.push(mall.buy(person, "k", json!([{ "variant": tea }])).await);
    }
    let races = people.iter().zip(&orders).enumerate().map(|(n, (person, order))| {
        let mall = &mall;
        async move {
            let key = format!("p{n}");
            let send = ship(mall, &mall.owner, order, &key, json!({ "carrier": "顺丰" }));
            // Either side starts first, by turns.
            if n % 2 == 0 {
                futures::join!(cancel(mall, person, order, "c"), send)
            } else {
                let (sent, cancelled) = futures::join!(send, cancel(mall, person, order, "c"));
                (cancelled, sent)
            }
        }
    });
    let mut sent = 0;
    for (cancelled, shipped) in join_all(races).await {
        match (cancelled.status, shipped.status) {
            (200, 409) => {
                shipped.refused(409, "nothing_to_ship");
            }
            (409, 201) => {
                cancelled.refused(409, "already_shipped");
                sent += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    mall.shop.settle().await;
    assert_eq!(mall.stands(&tea).await, (10, 0, sent));
    assert_eq!(count(&mall, "shipments").await, sent);
    assert_eq!(count(&mall, "refunds WHERE state = 'succeeded'").await, 8 - sent);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_at_once_is_not_cancelled() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let variants = json!([{ "sku": "COURSE", "price": yuan(99) }]);
    let course = mall.product("course", "digital", variants, json!({})).await;
    let course = course["variants"][0]["id"].clone();
    let person = mall.shop.app.member("a@b.test").await;
    let mixed = mall.buy(&person, "1", json!([{ "variant": tea }, { "variant": course }])).await;
    cancel(&mall, &person, &mixed, "1").await.refused(409, "not_cancellable");
    let plan = mall.buy(&person, "2", json!([{ "plan": mall.regular["id"] }])).await;
    cancel(&mall, &person, &plan, "2").await.refused(409, "not_cancellable");
    // Once the course's money went back the tea alone is left.
    let path = format!("/v1/admin/orders/{}/refunds", id(&mixed));
    let body = json!({ "reason": "Withdrawn.", "lines": [{ "line": mixed["lines"][1]["id"] }] });
    post(&mall, &mall.owner, &path, "r", body).await.ok(201);
    assert_eq!(cancel(&mall, &person, &mixed, "3").await.ok(200)["state"], "refunded");
    let sent = mall.buy(&person, "4", json!([{ "variant": tea }])).await;
    send(&mall, &sent).await;
    cancel(&mall, &person, &sent, "4").await.refused(409, "already_shipped");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crowdfunded_goods_are_promised_from_the_goals_end_and_a_backer_may_cancel() {
    let mall = Mall::open().await;
    let book = mall.goods("BOOK", 68, 10).await;
    let closes_at = mall.shop.app.now() + TimeDelta::days(3);
    let drop = mall.drop(&book, 10, json!({ "goal": { "units": 3 }, "closes_at": closes_at })).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": book, "drop": drop["id"], "quantity": 2 }])).await;
    let pledged = async || {
        mall.shop.app.get("/v1/drops/drop").send().await.ok(200)["crowdfunding"]["pledged"]["units"].clone()
    };
    assert_eq!(pledged().await, 2);
    assert_eq!(time(&order["ship_by"]), time(&drop["closes_at"]) + TimeDelta::hours(72));
    assert_eq!(cancel(&mall, &person, &order, "c").await.ok(200)["state"], "refunded");
    assert_eq!(pledged().await, 0);
    assert_eq!(mall.stands(&book).await, (10, 0, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_orders_are_listed_the_oldest_first_until_they_are_sent() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 50).await;
    let person = mall.shop.app.member("a@b.test").await;
    let mut orders = Vec::new();
    for n in 0..5 {
        let person = mall.shop.app.sign_in(&person.email).await;
        orders.push(mall.buy(&person, &format!("k{n}"), json!([{ "variant": tea, "quantity": 2 }])).await);
        mall.shop.advance(TimeDelta::minutes(1)).await;
    }
    assert_eq!(time(&orders[0]["ship_by"]), time(&orders[0]["paid_at"]) + TimeDelta::hours(72));
    mall.shop.advance(time(&orders[3]["ship_by"]) - mall.shop.app.now() - TimeDelta::seconds(1)).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let ids = |list: &Value| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect()
    };
    let of = |which: &[usize]| which.iter().map(|n| orders[*n]["id"].clone()).collect::<Vec<_>>();
    let late = async |query: &str| get(&mall, &owner, &format!("/v1/admin/orders/late{query}")).await.ok(200);
    assert_eq!(ids(&late("").await), of(&[0, 1, 2]));
    mall.shop.advance(TimeDelta::seconds(1)).await;
    let first = late("?limit=2").await;
    assert_eq!(ids(&first), of(&[0, 1]));
    // What was shown last is sent meanwhile: the next page goes on all the same.
    let part =
        json!({ "carrier": "顺丰", "lines": [{ "line": orders[0]["lines"][0]["id"], "quantity": 1 }] });
    ship(&mall, &owner, &orders[0], "part", part).await.ok(201);
    ship(&mall, &owner, &orders[1], "all", json!({ "carrier": "顺丰" })).await.ok(201);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = late(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (of(&[2, 3]), &Value::Null));
    // In part sent is late; refunded and cancelled ones are not.
    let path = format!("/v1/admin/orders/{}/refunds", id(&orders[2]));
    post(&mall, &owner, &path, "r", json!({ "reason": "Too late." })).await.ok(201);
    let person = mall.shop.app.sign_in(&person.email).await;
    cancel(&mall, &person, &orders[3], "c").await.ok(200);
    assert_eq!(ids(&late("").await), of(&[0]));
    let unshipped = get(&mall, &owner, "/v1/admin/orders?unshipped=true").await.ok(200);
    assert_eq!(ids(&unshipped), of(&[4, 0]));
    let others = get(&mall, &owner, "/v1/admin/orders?unshipped=false").await.ok(200);
    assert_eq!(ids(&others).len(), 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_orders_by_what_they_know() {
    let mall = Mall::open().await;
    let (tea, kiwi) = (mall.goods("TEA", 90, 50).await, mall.goods("KIWI", 68, 50).await);
    let drop = mall.drop(&kiwi, 10, json!({})).await;
    let (anna, bao) = (mall.shop.app.member("Anna@b.test").await, mall.shop.app.member("bao@b.test").await);
    let one = mall.buy(&anna, "1", json!([{ "variant": tea }])).await;
    let two = mall.buy(&bao, "2", json!([{ "variant": kiwi, "drop": drop["id"] }])).await;
    mall.shop.advance(TimeDelta::minutes(9)).await;
    let now = mall.shop.app.now();
    let anna = mall.shop.app.sign_in(&anna.email).await;
    let three = mall.order(&anna, "3", json!([{ "variant": tea }, { "variant": kiwi }])).await.ok(201);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let find = async |query: &str| get(&mall, &owner, &format!("/v1/admin/orders?{query}")).await;
    let time = now.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    for (query, found) in [
        (String::new(), vec![&three, &two, &one]),
        ("email=ANNA@B.test".to_owned(), vec![&three, &one]),
        ("email=nobody@b.test".to_owned(), vec![]),
        ("sku=TEA".to_owned(), vec![&three, &one]),
        ("sku=TEA&state=paid".to_owned(), vec![&one]),
        ("sku=NONE".to_owned(), vec![]),
        (format!("drop={}", drop["id"].as_str().unwrap()), vec![&two]),
        ("drive=drv_00000000000070008000000000000000".to_owned(), vec![]),
        (format!("from={time}"), vec![&three]),
        (format!("until={time}"), vec![&two, &one]),
        (format!("account={}", bao.id), vec![&two]),
        (format!("number={}", one["number"].as_str().unwrap()), vec![&one]),
        ("state=pending_payment".to_owned(), vec![&three]),
    ] {
        let list = find(&query).await.ok(200);
        let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|order| &order["id"]).collect();
        assert_eq!(ids, found.iter().map(|order| &order["id"]).collect::<Vec<_>>(), "{query}");
    }
    let first = find("sku=TEA&limit=1").await.ok(200);
    assert_eq!(first["data"][0]["id"], three["id"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = find(&format!("sku=TEA&limit=1&cursor={cursor}")).await.ok(200);
    assert_eq!((&rest["data"][0]["id"], &rest["next_cursor"]), (&one["id"], &Value::Null));
    find("email=nonsense").await.refused(422, "invalid_field");
    find("state=lost").await.refused(400, "malformed_request");
    find("from=yesterday").await.refused(400, "malformed_request");

    // Who reads figures alone sees no address and no words of a buyer, and doesn't look for people.
    send(&mall, &one).await;
    ask(&mall, &anna, &one, "r", 1, "damaged").await.ok(201);
    let analyst = mall.shop.app.operator(Role::Analyst).await;
    get(&mall, &analyst, "/v1/admin/orders?email=anna@b.test").await.refused(403, "forbidden");
    let seen = get(&mall, &analyst, &format!("/v1/admin/orders/{}", id(&one))).await.ok(200);
    assert_eq!((&seen["ship_to"], &seen["returns"][0]["reason"]), (&Value::Null, &json!("damaged")));
    let returns = get(&mall, &owner, "/v1/admin/returns?state=requested").await.ok(200);
    assert_eq!(returns["data"][0]["order"], one["id"]);
    let none = get(&mall, &owner, "/v1/admin/returns?state=approved").await.ok(200);
    assert_eq!(none["data"], json!([]));
    let shown = format!("/v1/admin/returns/{}", id(&returns["data"][0]));
    assert_eq!(get(&mall, &owner, &shown).await.ok(200), returns["data"][0]);
    mall.finish().await;
}
