//! The catalog as operators keep it: edits that see one another, prices and what they were, teasers, related products.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::http::Answer;
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Person, TestApp};

async fn patch(app: &TestApp, owner: &Person, path: &str, version: &str, body: Value) -> Answer {
    let request = app.patch(path).bearer(&owner.token).header("If-Match", version);
    request.json(&body).send().await
}

/// The product as somebody who isn't signed in sees it.
async fn shelf(app: &TestApp, slug: &str) -> Value {
    app.get(&format!("/v1/products/{slug}")).send().await.ok(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_edit_one_variant_the_second_reads_it_again() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let tea = mall.goods("TEA", 90, 5).await;
    let path = format!("/v1/admin/variants/{}", tea.as_str().unwrap());
    let seen = app.get(&path).bearer(&owner.token).send().await;
    assert_eq!((seen.header("etag"), &seen.json["stock"]["free"]), ("\"v1\"", &json!(5)));
    let no_version = app.patch(&path).bearer(&owner.token).json(&json!({ "price": yuan(80) }));
    no_version.send().await.refused(428, "precondition_required");

    // Both have read version 1 and write at once.
    let bodies = [json!({ "price": yuan(80) }), json!({ "max_per_order": 3 })];
    let answers = join_all(bodies.map(|body| patch(app, owner, &path, "\"v1\"", body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    answers.iter().find(|answer| answer.status != 200).unwrap().refused(412, "version_mismatch");

    let change =
        json!({ "price": yuan(70), "options": { "size": "250 g" }, "weight_grams": 250, "max_per_order": 2 });
    let changed = patch(app, owner, &path, "\"v2\"", change).await;
    assert_eq!(changed.header("etag"), "\"v3\"");
    assert_eq!(changed.ok(200)["options"]["size"], "250 g");
    let shown = &shelf(app, "tea").await["variants"][0];
    assert_eq!((&shown["price"], &shown["max_per_order"]), (&yuan(70), &json!(2)));

    for (body, code, field) in [
        (json!({ "price": { "amount": -1, "currency": "CNY" } }), "amount_out_of_range", "price.amount"),
        (json!({ "price": { "amount": 1, "currency": "USD" } }), "invalid_field", "price.currency"),
        (json!({ "price": null }), "invalid_field", "price"),
        (json!({ "max_per_order": 0 }), "invalid_field", "max_per_order"),
        (json!({ "max_per_order": 10_001 }), "invalid_field", "max_per_order"),
        (json!({ "weight_grams": -1 }), "invalid_field", "weight_grams"),
        (json!({ "options": { "size": 3 } }), "invalid_field", "options"),
        (json!({ "sku": "X" }), "invalid_field", "sku"),
    ] {
        let refused = patch(app, owner, &path, "\"v3\"", body.clone()).await;
        assert_eq!(refused.refused(422, code)["errors"][0]["field"], field, "{body}: {}", refused.text);
    }

    // Not for a moment longer on the shelf; twice is once; what is ordered stays ordered.
    let ann = app.member("ann@b.test").await;
    let order = mall.order(&ann, "k", json!([{ "variant": tea }])).await.ok(201);
    for _ in 0..2 {
        let archived = app.post(&format!("{path}/archive")).bearer(&owner.token).send().await.ok(200);
        assert_eq!((&archived["version"], archived["archived_at"].is_string()), (&json!(4), true));
    }
    assert_eq!(shelf(app, "tea").await["variants"], json!([]));
    mall.order(&ann, "late", json!([{ "variant": tea }])).await.refused(422, "unknown_article");
    mall.shop.pay(&order).await;
    assert_eq!(mall.shop.settled(&ann, &order).await["state"], "paid");

    // Another one comes into its place, with a SKU of its own.
    let path = format!("/v1/admin/products/{}/variants", shelf(app, "tea").await["id"].as_str().unwrap());
    let add = |body: Value| app.post(&path).bearer(&owner.token).json(&body).send();
    add(json!({ "sku": "TEA", "price": yuan(1) })).await.refused(409, "code_taken");
    let parts = json!([{ "variant": tea, "quantity": 1 }]);
    let bad = add(json!({ "sku": "X", "price": yuan(1), "parts": parts })).await;
    assert_eq!(bad.refused(422, "invalid_field")["errors"][0]["field"], "parts");
    let added = add(json!({ "sku": "TEA-500", "price": yuan(150) })).await;
    assert!(added.header("location").ends_with(added.json["id"].as_str().unwrap()));
    assert_eq!(shelf(app, "tea").await["variants"][0]["sku"], "TEA-500");
    let found = app.get("/v1/products?q=tea-500").send().await.ok(200);
    assert_eq!(found["data"][0]["slug"], "tea");
    let acts = "SELECT count(*) AS count FROM audit_log WHERE action LIKE 'variant.%'";
    assert_eq!(count_sql(&mut *app.conn().await, acts).await, 4);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_before_is_the_lowest_that_everybody_paid_in_thirty_days() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let tea = mall.goods("TEA", 100, 50).await;
    let of_tea = format!("/v1/admin/variants/{}/prices", tea.as_str().unwrap());
    mall.shop.advance(TimeDelta::days(40)).await;
    let owner = app.sign_in(&mall.owner.email).await;
    let shown = async || {
        let tea = shelf(app, "tea").await;
        let listed = app.get("/v1/products").send().await.ok(200);
        assert_eq!(listed["data"][0]["variants"], tea["variants"], "lists say the same");
        let tea = &tea["variants"][0];
        (tea["price"].clone(), tea["before_price"].clone())
    };
    // What only some pay is no public price.
    let of_members = json!({ "price": yuan(60), "buyers": { "who": "members" } });
    app.make(&owner, &of_tea, &of_members).await;
    let of_many = json!({ "price": yuan(50), "quantity_from": 10 });
    app.make(&owner, &of_tea, &of_many).await;
    assert_eq!(shown().await, (yuan(100), Value::Null));

    let week = json!({ "price": yuan(80), "ends_at": app.now() + TimeDelta::days(7) });
    let sale = app.make(&owner, &of_tea, &week).await;
    assert_eq!(shown().await, (yuan(80), yuan(100)));
    let fan = mall.member("fan@b.test", &mall.regular).await;
    let for_fan = app.get("/v1/products/tea").bearer(&fan.token).send().await.ok(200);
    assert_eq!(for_fan["variants"][0]["price"], yuan(60));
    assert_eq!(for_fan["variants"][0]["before_price"], yuan(100), "the public reduction is told to him too");

    // Taken away, it has been a public price all the same, for thirty days.
    let path = format!("/v1/admin/prices/{}", sale["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(app.delete(&path).bearer(&owner.token).send().await.status, 204);
    }
    assert_eq!(shown().await, (yuan(100), Value::Null));
    let kept = app.get(&of_tea).bearer(&owner.token).send().await.ok(200);
    assert_eq!(kept["data"].as_array().unwrap().len(), 3);
    assert!(kept["data"][0]["archived_at"].is_string() && kept["data"][1]["archived_at"].is_null());
    mall.shop.advance(TimeDelta::days(29)).await;
    let owner = app.sign_in(&mall.owner.email).await;
    let again = json!({ "price": yuan(85), "ends_at": app.now() + TimeDelta::days(9) });
    app.make(&owner, &of_tea, &again).await;
    assert_eq!(shown().await, (yuan(85), Value::Null), "80 within the last thirty days");
    let deeper = json!({ "price": yuan(75), "ends_at": app.now() + TimeDelta::days(9) });
    app.make(&owner, &of_tea, &deeper).await;
    assert_eq!(shown().await, (yuan(75), yuan(80)));

    // A raised own price for show: the sale ends, and the next one tells what was really paid.
    mall.shop.advance(TimeDelta::days(60)).await;
    let owner = app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/variants/{}", tea.as_str().unwrap());
    patch(app, &owner, &path, "\"v1\"", json!({ "price": yuan(200) })).await.ok(200);
    let ends = app.now() + TimeDelta::days(9);
    app.make(&owner, &of_tea, &json!({ "price": yuan(90), "ends_at": ends })).await;
    let (price, before) = shown().await;
    assert_eq!((price, before), (yuan(90), yuan(100)));
    mall.finish().await;
}

/// A product that is announced and starts in an hour.
async fn teaser(mall: &Mall, slug: &str, more: Value) -> Value {
    let mut with = json!({
        "available_from": mall.shop.app.now() + TimeDelta::hours(1), "hides_price": true,
        "images": ["https://shop.test/phone.jpg"],
    });
    for (field, value) in more.as_object().unwrap() {
        with[field] = value.clone();
    }
    let variants = json!([{ "sku": slug.to_uppercase(), "price": yuan(1999) }]);
    let product = mall.product(slug, "goods", variants, with).await;
    mall.stock(&product["variants"][0]["id"], 10, "received").await.ok(201);
    product
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teaser_is_shown_and_told_of_before_it_can_be_bought() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let phone = teaser(&mall, "phone", json!({})).await;
    let seen = shelf(app, "phone").await;
    assert_eq!((&seen["may_buy"], &seen["refusal"]), (&json!(false), &json!("not_open")));
    assert_eq!(seen["available_from"], phone["available_from"]);
    assert_eq!((&seen["name"], &seen["images"][0]), (&json!("phone"), &json!("https://shop.test/phone.jpg")));
    assert_eq!(
        (&seen["variants"][0]["price"], &seen["variants"][0]["list_price"]),
        (&Value::Null, &Value::Null)
    );
    let ann = app.member("ann@b.test").await;
    let lines = json!([{ "variant": phone["variants"][0]["id"] }]);
    mall.order(&ann, "k", lines.clone()).await.refused(409, "not_open");
    mall.quote(&ann, lines.clone()).await.refused(409, "not_open");

    let remind = |person: &Person| app.post("/v1/products/phone/reminders").bearer(&person.token).send();
    app.post("/v1/products/phone/reminders").send().await.refused(401, "unauthenticated");
    app.post("/v1/products/nothing/reminders").bearer(&ann.token).send().await.refused(404, "not_found");
    let answers = join_all((0..8).map(|_| remind(&ann))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 204)));
    // One who changed her mind, one who is gone, one who isn't shown it any more.
    let (bea, cleo) = (app.member("bea@b.test").await, app.member("cleo@b.test").await);
    for person in [&bea, &cleo] {
        assert_eq!(remind(person).await.status, 201);
    }
    for _ in 0..2 {
        let path = "/v1/products/phone/reminders";
        assert_eq!(app.delete(path).bearer(&bea.token).send().await.status, 204);
    }
    let export = app.get("/v1/me/export").bearer(&cleo.token).send().await.ok(200);
    assert_eq!(export["product_reminders"][0]["product_id"].as_str().unwrap().len(), 36);
    let gone = app.delete("/v1/me").bearer(&cleo.token).json(&json!({ "password": PASSWORD }));
    assert_eq!(gone.send().await.status, 204);

    mall.shop.advance(TimeDelta::minutes(58)).await;
    let mails = "SELECT count(*) AS count FROM mails WHERE kind = 'now_available'";
    assert_eq!(count_sql(&mut *app.conn().await, mails).await, 0);
    mall.shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(count_sql(&mut *app.conn().await, mails).await, 1);
    let to_ann = format!("{mails} AND to_address = 'ann@b.test' AND state = 'sent'");
    assert_eq!(count_sql(&mut *app.conn().await, &to_ann).await, 1);
    let left = "SELECT count(*) AS count FROM product_reminders";
    assert_eq!(count_sql(&mut *app.conn().await, left).await, 0);

    let ann = app.sign_in("ann@b.test").await;
    remind_again(app, &ann).await.refused(409, "already_on_sale");
    let seen = shelf(app, "phone").await;
    assert_eq!((&seen["may_buy"], &seen["available_from"]), (&json!(true), &Value::Null));
    assert_eq!(seen["variants"][0]["price"], yuan(1999));
    mall.order(&ann, "k", lines).await.ok(201);
    mall.finish().await;
}

async fn remind_again(app: &TestApp, person: &Person) -> Answer {
    app.post("/v1/products/phone/reminders").bearer(&person.token).send().await
}

/// More than one run's worth: paced, each once, also by two instances and by a run that is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_for_a_start_are_mailed_once_each() {
    const PEOPLE: i64 = 1_300;
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let phone = teaser(&mall, "phone", json!({})).await;
    let hidden = teaser(&mall, "secret", json!({})).await;
    let wait = |product: &Value, like: &str| {
        let id = product["id"].as_str().unwrap().trim_start_matches("prod_").to_owned();
        format!(
            "INSERT INTO product_reminders SELECT gen_random_uuid(), '{id}', id, created_at FROM accounts \
             WHERE email LIKE '{like}'"
        )
    };
    let crowd = format!(
        "INSERT INTO accounts (id, email, email_key, person_key, locale, created_at) \
         SELECT gen_random_uuid(), 'c' || n || '@c.test', 'c' || n || '@c.test', 'c' || n || '@c.test', 'en', \
         '{}' FROM generate_series(1, {PEOPLE}) n",
        app.now().to_rfc3339()
    );
    let conn = &mut *app.conn().await;
    run_sql(conn, &crowd).await;
    assert_eq!(run_sql(conn, &wait(&phone, "%@c.test")).await, 1_300);
    assert_eq!(run_sql(conn, &wait(&hidden, "c1@c.test")).await, 1);
    // The other one is for members alone by now.
    let path = format!("/v1/admin/products/{}", hidden["id"].as_str().unwrap());
    let for_members = json!({ "sees": { "who": "members" } });
    patch(app, &mall.owner, &path, "\"v1\"", for_members).await.ok(200);
    let sibling = app.sibling(&[]).await;
    mall.shop.advance(TimeDelta::hours(1)).await;
    let count = "SELECT count(*) AS count FROM mails WHERE kind = 'now_available'";
    let started = count_sql(conn, count).await;
    assert!((1..=1_300).contains(&started), "{started}");
    mall.shop.advance(TimeDelta::minutes(3)).await;
    assert_eq!(count_sql(conn, count).await, PEOPLE);
    let people = "SELECT count(DISTINCT to_address) AS count FROM mails WHERE kind = 'now_available'";
    assert_eq!(count_sql(conn, people).await, PEOPLE);
    // As after a crash between mail and receipt of the job: nothing more goes out.
    kindred::shop::reminders::service::send_due(&app.app).await.unwrap();
    assert_eq!(count_sql(conn, count).await, PEOPLE);
    sibling.finish().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn related_products_are_those_that_the_looker_may_see() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let one = |sku: &str| json!([{ "sku": sku, "price": yuan(10) }]);
    let members = json!({ "sees": { "who": "members" } });
    let secret = mall.product("secret", "goods", one("S"), members).await;
    let open =
        mall.product("open", "goods", one("O"), json!({ "images": ["https://shop.test/o.jpg"] })).await;
    let soon = mall
        .product("soon", "goods", one("N"), json!({ "available_from": app.now() + TimeDelta::days(1) }))
        .await;
    let related = json!([secret["id"], soon["id"], open["id"]]);
    let tea = mall.product("tea", "goods", one("T"), json!({ "related": related })).await;
    assert_eq!(tea["related"], related);
    let slugs = |product: &Value| {
        let cards = product["related"].as_array().unwrap().iter();
        cards.map(|card| card["slug"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let seen = shelf(app, "tea").await;
    assert_eq!(slugs(&seen), ["soon", "open"]);
    assert_eq!(
        (&seen["related"][1]["image"], &seen["related"][1]["available_from"]),
        (&json!("https://shop.test/o.jpg"), &Value::Null)
    );
    assert!(seen["related"][0]["available_from"].is_string());
    let fan = mall.member("fan@b.test", &mall.regular).await;
    let for_fan = app.get("/v1/products/tea").bearer(&fan.token).send().await.ok(200);
    assert_eq!(slugs(&for_fan), ["secret", "soon", "open"]);

    let path = format!("/v1/admin/products/{}", tea["id"].as_str().unwrap());
    let set = |version: &'static str, related: Value| {
        patch(app, &mall.owner, &path, version, json!({ "related": related }))
    };
    for (bad, field) in [
        (json!([tea["id"]]), "related[0]"),
        (json!([open["id"], open["id"]]), "related[1]"),
        (json!(["prod_00000000000000000000000000000000"]), "related[0]"),
    ] {
        assert_eq!(set("\"v1\"", bad).await.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    set("\"v1\"", json!([open["id"]])).await.ok(200);
    assert_eq!(slugs(&shelf(app, "tea").await), ["open"]);
    let archive = format!("/v1/admin/products/{}/archive", open["id"].as_str().unwrap());
    app.post(&archive).bearer(&mall.owner.token).send().await.ok(200);
    assert!(slugs(&shelf(app, "tea").await).is_empty());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_to_send_is_changed_by_who_has_read_it_and_orders_keep_their_fee() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let tea = mall.goods("TEA", 90, 5).await;
    let ann = app.member("ann@b.test").await;
    let order = mall.order(&ann, "k", json!([{ "variant": tea }])).await.ok(201);
    assert_eq!(order["totals"]["shipping"], yuan(12));
    let path = format!("/v1/admin/shipping-methods/{}", mall.express["id"].as_str().unwrap());
    assert_eq!(app.get(&path).bearer(&owner.token).send().await.header("etag"), "\"v1\"");
    let change = json!({ "fee": yuan(20), "fee_per_kg": null, "free_from": yuan(500), "free_for": null, "countries": ["CN", "de"] });
    let changed = patch(app, owner, &path, "\"v1\"", change).await.ok(200);
    assert_eq!((&changed["version"], &changed["countries"]), (&json!(2), &json!(["CN", "DE"])));
    assert_eq!((&changed["free_for"], &changed["fee_per_kg"]), (&Value::Null, &yuan(0)));
    patch(app, owner, &path, "\"v1\"", json!({ "fee": yuan(1) })).await.refused(412, "version_mismatch");
    for (body, field) in [
        (json!({ "fee": null }), "fee"),
        (json!({ "countries": [] }), "countries"),
        (json!({ "countries": ["China"] }), "countries[0]"),
        (json!({ "free_for": { "who": "tier", "at_least": "gone" } }), "free_for.at_least"),
        (json!({ "code": "new" }), "code"),
    ] {
        let refused = patch(app, owner, &path, "\"v2\"", body.clone()).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field, "{body}");
    }
    let dearer = mall.order(&ann, "l", json!([{ "variant": tea }])).await.ok(201);
    assert_eq!(dearer["totals"]["shipping"], yuan(20));
    assert_eq!(mall.shop.show(&ann, &order).await["totals"]["shipping"], yuan(12));
    mall.finish().await;
}
