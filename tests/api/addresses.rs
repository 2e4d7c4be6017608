//! The address book: what it keeps, that one address is the default whatever happens at once, and orders sent to one.

use chrono::TimeDelta;
use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::accounts::traces;
use crate::support::catalog::count_sql;
use crate::support::mall::Mall;
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person, TestApp};

fn address(city: &str) -> Value {
    json!({ "name": "罗小姐", "phone": "13800000000", "country": "CN", "city": city, "line1": "朝阳门外大街 1 号" })
}

fn with(mut body: Value, change: Value) -> Value {
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

async fn add(app: &TestApp, person: &Person, body: &Value) -> Answer {
    app.post("/v1/me/addresses").bearer(&person.token).json(body).send().await
}

fn path(saved: &Value) -> String {
    format!("/v1/me/addresses/{}", saved["id"].as_str().unwrap())
}

async fn change(app: &TestApp, person: &Person, saved: &Value, body: &Value) -> Answer {
    app.patch(&path(saved)).bearer(&person.token).json(body).send().await
}

async fn remove(app: &TestApp, person: &Person, saved: &Value) -> Answer {
    app.delete(&path(saved)).bearer(&person.token).send().await
}

async fn book(app: &TestApp, person: &Person) -> Vec<Value> {
    let list = app.get("/v1/me/addresses").bearer(&person.token).send().await.ok(200);
    list["data"].as_array().unwrap().clone()
}

/// Cities in the order of the list, the default marked.
async fn cities(app: &TestApp, person: &Person) -> Vec<String> {
    let mark = |saved: &Value| if saved["is_default"] == true { "*" } else { "" };
    let city = |saved: &Value| format!("{}{}", saved["city"].as_str().unwrap(), mark(saved));
    book(app, person).await.iter().map(city).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_kept_changed_made_the_default_and_deleted() {
    let app = TestApp::spawn().await;
    let ada = app.member("ada@example.org").await;
    assert!(book(&app, &ada).await.is_empty());

    let more = json!({ "city": " 北京 ", "country": "cn", "province": "", "postcode": "100020" });
    let answer = add(&app, &ada, &with(address("北京"), more)).await;
    let location = answer.header("location").to_owned();
    let first = answer.ok(201);
    assert_eq!(location, path(&first));
    assert!(location.starts_with("/v1/me/addresses/addr_"));
    assert_eq!((&first["city"], &first["country"]), (&json!("北京"), &json!("CN")));
    assert_eq!((&first["province"], &first["postcode"]), (&Value::Null, &json!("100020")));
    assert_eq!(first["is_default"], true, "the first one is the default");
    let second = add(&app, &ada, &address("上海")).await.ok(201);
    add(&app, &ada, &address("广州")).await.ok(201);
    assert_eq!(cities(&app, &ada).await, ["北京*", "广州", "上海"]);
    add(&app, &ada, &with(address("郑州"), json!({ "is_default": true }))).await.ok(201);
    assert_eq!(cities(&app, &ada).await, ["郑州*", "广州", "上海", "北京"]);

    // Absent stays, null empties.
    let changed = change(&app, &ada, &first, &json!({ "line2": "2 楼", "postcode": null })).await.ok(200);
    assert_eq!(
        changed,
        with(first.clone(), json!({ "line2": "2 楼", "postcode": null, "is_default": false }))
    );
    assert_eq!(change(&app, &ada, &first, &json!({})).await.ok(200), changed);

    // The default changes hands; it is never just dropped.
    assert_eq!(change(&app, &ada, &second, &json!({ "is_default": true })).await.ok(200)["is_default"], true);
    assert_eq!(cities(&app, &ada).await, ["上海*", "郑州", "广州", "北京"]);
    change(&app, &ada, &second, &json!({ "is_default": true, "city": "苏州" })).await.ok(200);
    change(&app, &ada, &first, &json!({ "is_default": false })).await.ok(200);
    let refused = change(&app, &ada, &second, &json!({ "is_default": false })).await;
    assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "is_default");
    assert_eq!(cities(&app, &ada).await, ["苏州*", "郑州", "广州", "北京"]);

    remove(&app, &ada, &first).await.ok(204);
    remove(&app, &ada, &first).await.refused(404, "not_found");
    assert_eq!(cities(&app, &ada).await, ["苏州*", "郑州", "广州"]);
    remove(&app, &ada, &second).await.ok(204);
    assert_eq!(cities(&app, &ada).await, ["郑州*", "广州"]);
    for saved in book(&app, &ada).await {
        remove(&app, &ada, &saved).await.ok(204);
    }
    assert!(book(&app, &ada).await.is_empty());
    assert_eq!(add(&app, &ada, &address("北京")).await.ok(201)["is_default"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_never_exceed_fifty() {
    let app = TestApp::spawn().await;
    let (ada, bao) = (app.member("ada@example.org").await, app.member("bao@example.org").await);
    add(&app, &bao, &address("北京")).await.ok(201);
    let body = address("北京");
    let answers = join_all((0..70).map(|_| add(&app, &ada, &body))).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(kept.len(), 50);
    for answer in refused {
        answer.refused(409, "too_many_addresses");
    }
    let all = book(&app, &ada).await;
    assert_eq!((all.len(), all.iter().filter(|saved| saved["is_default"] == true).count()), (50, 1));
    // A place that comes free is for one.
    remove(&app, &ada, &all[0]).await.ok(204);
    let answers = join_all((0..5).map(|_| add(&app, &ada, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!((book(&app, &ada).await.len(), book(&app, &bao).await.len()), (50, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_the_default_whatever_happens_at_once() {
    let app = TestApp::spawn().await;
    let ada = app.member("ada@example.org").await;
    for index in 0..8 {
        add(&app, &ada, &address(&index.to_string())).await.ok(201);
    }
    let saved = book(&app, &ada).await;
    for round in 0..3 {
        let wish = json!({ "is_default": true });
        let new = with(address("new"), wish.clone());
        let makes = join_all(saved.iter().skip(round).map(|saved| change(&app, &ada, saved, &wish)));
        let adds = join_all((0..3).map(|_| add(&app, &ada, &new)));
        let removes = join_all(saved.iter().skip(round).take(1).map(|saved| remove(&app, &ada, saved)));
        let looks = join_all((0..6).map(|_| book(&app, &ada)));
        let ((made, added), (removed, seen)) = join(join(makes, adds), join(removes, looks)).await;
        assert!(made.iter().all(|answer| [200, 404].contains(&answer.status)), "{made:?}");
        assert!(added.iter().all(|answer| answer.status == 201), "{added:?}");
        assert!(removed.iter().all(|answer| answer.status == 204), "{removed:?}");
        for seen in seen {
            assert_eq!(seen.iter().filter(|saved| saved["is_default"] == true).count(), 1, "{seen:?}");
        }
        let left = book(&app, &ada).await;
        assert_eq!(left.len(), 8 + 2 * (round + 1));
        assert_eq!(left.iter().filter(|saved| saved["is_default"] == true).count(), 1, "{left:?}");
        assert_eq!(left[0]["is_default"], true);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_by_its_field() {
    let app = TestApp::spawn().await;
    let ada = app.member("ada@example.org").await;
    let saved = add(&app, &ada, &address("北京")).await.ok(201);
    let wrong = |answer: Answer| answer.refused(422, "invalid_field")["errors"][0]["field"].clone();
    let long = "长".repeat(201);
    for (field, value) in [
        ("name", json!("")),
        ("phone", json!("138\n000")),
        ("country", json!("China")),
        ("country", json!("中")),
        ("province", json!(long)),
        ("city", json!("  ")),
        ("district", json!("a\u{7}b")),
        ("line1", json!(long)),
        ("line2", json!("a\tb")),
        ("postcode", json!(100_020)),
        ("is_default", json!("yes")),
        ("name", Value::Null),
        ("is_default", Value::Null),
        ("id", json!("addr_1")),
        ("nickname", json!("home")),
    ] {
        let body = json!({ field: value });
        assert_eq!(wrong(add(&app, &ada, &with(address("上海"), body.clone())).await), field, "{body}");
        assert_eq!(wrong(change(&app, &ada, &saved, &body).await), field, "{body}");
    }
    for field in ["phone", "country", "city", "line1"] {
        assert_eq!(wrong(change(&app, &ada, &saved, &json!({ field: null })).await), field);
        let mut body = address("上海");
        body.as_object_mut().unwrap().remove(field);
        add(&app, &ada, &body).await.refused(422, "invalid_field");
    }
    assert_eq!(book(&app, &ada).await, [saved]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_address_is_not_there() {
    let app = TestApp::spawn().await;
    let (ada, bao) = (app.member("ada@example.org").await, app.member("bao@example.org").await);
    let saved = add(&app, &ada, &address("北京")).await.ok(201);
    let body = json!({ "city": "上海", "is_default": true });
    change(&app, &bao, &saved, &body).await.refused(404, "not_found");
    remove(&app, &bao, &saved).await.refused(404, "not_found");
    for id in ["addr_0", &bao.id.to_string(), "addr_00000000000000000000000000000000"] {
        let nothing = json!({ "id": id });
        change(&app, &bao, &nothing, &body).await.refused(404, "not_found");
        remove(&app, &bao, &nothing).await.refused(404, "not_found");
    }
    assert!(book(&app, &bao).await.is_empty());
    assert_eq!(book(&app, &ada).await, vec![saved.clone()]);
    app.get("/v1/me/addresses").send().await.refused(401, "unauthenticated");
    app.post("/v1/me/addresses").json(&address("北京")).send().await.refused(401, "unauthenticated");
    app.patch(&path(&saved)).json(&body).send().await.refused(401, "unauthenticated");
    app.delete(&path(&saved)).send().await.refused(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_exported_and_goes_with_the_account() {
    const EMAIL: &str = "Zhang.San@example.org";
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let (zhang, bao) = (app.member(EMAIL).await, app.member("bao@example.org").await);
    let mine = with(address("Sanfeng City"), json!({ "name": "Zhang Sanfeng", "line2": "Sanfeng Tower" }));
    add(app, &zhang, &mine).await.ok(201);
    add(app, &zhang, &address("北京")).await.ok(201);
    add(app, &bao, &address("上海")).await.ok(201);
    // Also a unit of a drop, and a code that is bound to the person.
    let tea = mall.goods("TEA", 90, 3).await;
    let drop = mall.drop(&tea, 3, json!({ "cap_per_person": 2 })).await;
    let codes = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
    let bound = json!({ "variant": tea, "emails": [EMAIL] });
    app.post(&codes).bearer(&mall.owner.token).key("k").json(&bound).send().await.ok(201);
    mall.buy(&zhang, "k", json!([{ "variant": tea, "drop": drop["id"] }])).await;
    mall.shop.settle().await;

    let data = app.get("/v1/me/export").bearer(&zhang.token).send().await.ok(200);
    let kept = data["addresses"].as_array().unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0]["address"], mine);
    assert_eq!(
        (data["drop_purchases"][0]["quantity"].as_i64(), data["rights"].clone()),
        (Some(1), json!([]))
    );
    assert_eq!(data["f_codes"].as_array().unwrap().len(), 1);

    let leave = json!({ "password": PASSWORD, "forfeit": true });
    app.delete("/v1/me").bearer(&zhang.token).json(&leave).send().await.ok(204);
    add(app, &zhang, &mine).await.refused(401, "unauthenticated");
    mall.shop.settle().await;
    assert_eq!(traces(app, &[EMAIL, "Sanfeng", "北京"]).await, Vec::<String>::new());
    assert_eq!(count_sql(&mut *app.conn().await, "SELECT count(*) AS count FROM addresses").await, 1);
    assert_eq!(cities(app, &bao).await, ["上海*"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_keeps_its_copy_of_the_address_that_it_chose() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let tea = mall.goods("TEA", 90, 10).await;
    let (ada, bao) = (app.member("ada@example.org").await, app.member("bao@example.org").await);
    let home = add(app, &ada, &with(address("北京"), json!({ "line2": "2 楼" }))).await.ok(201);
    let abroad = add(app, &ada, &with(address("Berlin"), json!({ "country": "DE" }))).await.ok(201);
    let theirs = add(app, &bao, &address("上海")).await.ok(201);
    let lines = json!([{ "variant": tea }]);
    let ship = |shipping: Value| {
        let mut body = mall.body(lines.clone());
        let method = body["shipping"]["method"].clone();
        body["shipping"] = with(shipping, json!({ "method": method }));
        body
    };
    let order = async |key: &str, body: &Value| {
        app.post("/v1/orders?wait=payment").bearer(&ada.token).key(key).json(body).send().await
    };
    let quote = async |body: &Value| app.post("/v1/quotes").bearer(&ada.token).json(body).send().await;

    // One of the two, and one's own.
    let unknown = "addr_00000000000000000000000000000000";
    for (shipping, field) in [
        (json!({}), "shipping"),
        (json!({ "address": address("北京"), "address_id": home["id"] }), "shipping"),
        (json!({ "address_id": theirs["id"] }), "shipping.address_id"),
        (json!({ "address_id": unknown }), "shipping.address_id"),
        (json!({ "address_id": "acc_00000000000000000000000000000000" }), "shipping.address_id"),
        (json!({ "address": with(address("北京"), json!({ "city": "" })) }), "shipping.address.city"),
    ] {
        let body = ship(shipping);
        for answer in [order("k", &body).await, quote(&body).await] {
            assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field, "{body}");
        }
    }
    order("k", &ship(json!({ "address_id": abroad["id"] }))).await.refused(422, "not_shipped_there");

    let body = ship(json!({ "address_id": home["id"] }));
    assert_eq!(quote(&body).await.ok(200)["totals"]["shipping"]["amount"], 1_200);
    let placed = order("k", &body).await.ok(201);
    let copy = with(address("北京"), json!({ "line2": "2 楼" }));
    assert_eq!(placed["ship_to"], copy);

    // The book changes, and then the address goes: the order and repeats of it stay as they are.
    change(app, &ada, &home, &json!({ "city": "苏州", "line2": null })).await.ok(200);
    assert_eq!(mall.shop.show(&ada, &placed).await["ship_to"], copy);
    assert_eq!(order("k", &body).await.ok(201)["id"], placed["id"]);
    let moved = order("moved", &body).await.ok(201);
    assert_eq!(moved["ship_to"], address("苏州"));
    remove(app, &ada, &home).await.ok(204);
    let again = order("k", &body).await;
    assert_eq!(again.header("location"), format!("/v1/orders/{}", placed["id"].as_str().unwrap()));
    assert_eq!(again.ok(201)["ship_to"], copy);
    order("k", &ship(json!({ "address_id": unknown }))).await.refused(422, "idempotency_key_reused");
    let gone = order("new", &body).await;
    assert_eq!(gone.refused(422, "invalid_field")["errors"][0]["field"], "shipping.address_id");
    mall.shop.pay(&placed).await;
    assert_eq!(mall.shop.settled(&ada, &placed).await["ship_to"], copy);
    mall.shop.advance(TimeDelta::minutes(16)).await;
    mall.finish().await;
}
