//! Segments: who is in one now, and what it opens: things seen and sold, prices, doors of drops, free shipping.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::mall::{Mall, yuan};

async fn segment(mall: &Mall, code: &str, rule: Value) -> Value {
    let body = json!({ "code": code, "name": code, "rule": rule });
    mall.shop.app.make(&mall.owner, "/v1/admin/segments", &body).await
}

/// How many a rule means now.
async fn count(mall: &Mall, rule: Value) -> i64 {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let request = mall.shop.app.post("/v1/admin/segments/preview").bearer(&owner.token);
    request.json(&json!({ "rule": rule })).send().await.ok(200)["count"].as_i64().unwrap()
}

async fn tag(mall: &Mall, person: &Person, tags: Value) {
    let path = format!("/v1/admin/accounts/{}/tags", person.id);
    let request = mall.shop.app.put(&path).bearer(&mall.owner.token);
    request.json(&json!({ "tags": tags })).send().await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_condition_means_who_it_says_at_the_moment_it_is_asked() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let ink = mall.goods("INK", 30, 100).await;
    let anna = mall.member("anna@b.test", &mall.diehard).await;
    let bao = mall.member("bao@b.test", &mall.regular).await;
    let chen = mall.shop.app.member("chen@b.test").await;
    tag(&mall, &chen, json!(["teacher", " teacher ", "early"])).await;
    let product = mall.shop.app.get("/v1/products/tea").send().await.ok(200)["id"].clone();
    let spent = |amount: i64| json!({ "spent": { "at_least": yuan(amount) } });
    let bought = json!({ "bought": { "product": product } });
    // Nobody has paid yet: what isn't paid is neither spent nor bought.
    let waiting = mall.order(&bao, "wait", json!([{ "variant": tea }])).await.ok(201);
    assert_eq!((count(&mall, spent(1)).await, count(&mall, bought.clone()).await), (0, 0));
    mall.shop.pay(&waiting).await;
    let order = mall.shop.settled(&bao, &waiting).await;
    mall.buy(&chen, "ink", json!([{ "variant": ink, "quantity": 3 }])).await;
    let all = count(&mall, json!({ "not": { "tag": "nobody" } })).await;
    let now = mall.shop.app.now();
    for (rule, expected) in [
        (json!({ "tier_at_least": "regular" }), 2),
        (json!({ "tier_at_least": "diehard" }), 1),
        (json!({ "not": { "tier_at_least": "regular" } }), all - 2),
        (json!({ "tag": "teacher" }), 1),
        (bought.clone(), 1),
        (spent(102), 2),
        (spent(103), 1),
        (spent(107), 1),
        (spent(108), 0),
        (json!({ "any": [{ "tag": "early" }, { "tier_at_least": "diehard" }] }), 2),
        (json!({ "all": [{ "tag": "early" }, { "tier_at_least": "diehard" }] }), 0),
        (json!({ "member_before": now + TimeDelta::seconds(1) }), 2),
        (json!({ "member_before": now - TimeDelta::days(1) }), 0),
        (json!({ "signed_up_before": now - TimeDelta::days(1) }), 0),
    ] {
        assert_eq!(count(&mall, rule.clone()).await, expected, "{rule}");
    }

    // Money that went back was not spent, what went back was not bought, days pass, and terms end.
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(&path).bearer(&owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!((count(&mall, spent(1)).await, count(&mall, bought).await), (1, 0));
    let lately = |days: i64| json!({ "spent": { "at_least": yuan(1), "within_days": days } });
    mall.shop.advance(TimeDelta::days(30)).await;
    assert_eq!((count(&mall, lately(29)).await, count(&mall, lately(31)).await), (0, 1));
    mall.shop.advance(TimeDelta::days(365)).await;
    assert_eq!(count(&mall, json!({ "tier_at_least": "regular" })).await, 0);
    drop(anna);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_opens_what_names_it() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let early = segment(&mall, "early", json!({ "tag": "early" })).await;
    let named = json!({ "who": "segment", "segment": "early" });
    let (anna, bao) = (mall.shop.app.member("anna@b.test").await, mall.shop.app.member("bao@b.test").await);
    tag(&mall, &anna, json!(["early"])).await;
    let prices = format!("/v1/admin/variants/{}/prices", tea.as_str().unwrap());
    mall.shop.app.make(&mall.owner, &prices, &json!({ "price": yuan(60), "buyers": named })).await;
    let variants = json!([{ "sku": "SAMPLE", "price": yuan(5), "limit": 5 }]);
    let more = json!({ "sees": named, "buys": named });
    let sample = mall.product("sample", "digital", variants, more).await["variants"][0]["id"].clone();
    let doors = json!([{ "buyers": named, "opens_at": mall.shop.app.now() }]);
    let drop = mall.drop(&tea, 5, json!({ "audiences": doors })).await;
    let method = json!({
        "code": "courier", "names": { "zh-CN": "快递", "en": "Courier" }, "countries": ["CN"], "fee": yuan(9),
        "free_for": named,
    });
    let courier = mall.shop.app.make(&mall.owner, "/v1/admin/shipping-methods", &method).await;
    let ask = async |person: &Person, lines: Value| {
        let mut body = mall.body(lines);
        body["shipping"]["method"] = courier["id"].clone();
        mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&body).send().await
    };

    let of_anna = ask(&anna, json!([{ "variant": tea }])).await.ok(200);
    assert_eq!(
        (&of_anna["totals"]["due"], &of_anna["explanation"][0]["reason"]),
        (&yuan(60), &json!("segment_price"))
    );
    assert_eq!(ask(&bao, json!([{ "variant": tea }])).await.ok(200)["totals"]["due"], yuan(99));
    let shelf =
        async |person: &Person| mall.shop.app.get("/v1/products/sample").bearer(&person.token).send().await;
    shelf(&anna).await.ok(200);
    shelf(&bao).await.refused(404, "not_found");
    mall.shop.app.get("/v1/products/sample").send().await.refused(404, "not_found");
    let seen = mall.shop.app.get("/v1/products").bearer(&anna.token).send().await.ok(200);
    assert_eq!(seen["data"].as_array().unwrap().len(), 2);
    ask(&bao, json!([{ "variant": sample }])).await.refused(422, "unknown_article");
    ask(&anna, json!([{ "variant": sample }])).await.ok(200);
    let in_drop = json!([{ "variant": tea, "drop": drop["id"] }]);
    ask(&bao, in_drop.clone()).await.refused(403, "segment_required");
    mall.order(&anna, "drop", in_drop.clone()).await.ok(201);

    // It is kept current: an archived segment means nobody, and so does a tag that was taken away.
    tag(&mall, &anna, json!([])).await;
    tag(&mall, &bao, json!(["early"])).await;
    ask(&anna, in_drop.clone()).await.refused(403, "segment_required");
    ask(&bao, in_drop.clone()).await.ok(200);
    let archive = format!("/v1/admin/segments/{}/archive", early["id"].as_str().unwrap());
    mall.shop.app.post(&archive).bearer(&mall.owner.token).send().await.ok(200);
    ask(&bao, in_drop).await.refused(403, "segment_required");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_list_has_who_was_put_on_it() {
    let mall = Mall::open().await;
    let list = mall
        .shop
        .app
        .make(&mall.owner, "/v1/admin/segments", &json!({ "code": "students", "name": "Students of 2013" }))
        .await;
    let path = format!("/v1/admin/segments/{}", list["id"].as_str().unwrap());
    let people = format!("{path}/accounts");
    let (anna, bao) = (mall.shop.app.member("anna@b.test").await, mall.shop.app.member("bao@b.test").await);
    let add = |body: Value| mall.shop.app.post(&people).bearer(&mall.owner.token).json(&body).send();
    let size = async || {
        mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200)["count"].as_i64().unwrap()
    };
    // All or none.
    let wrong = add(json!({ "accounts": [anna.id], "emails": ["bao@b.test", "nobody@b.test"] })).await;
    assert_eq!(wrong.refused(422, "invalid_field")["errors"][0]["field"], "emails[1]");
    assert_eq!(size().await, 0);
    add(json!({ "accounts": [anna.id], "emails": ["BAO@b.test", "anna@b.test"] })).await.ok(204);
    add(json!({ "emails": ["bao@b.test"] })).await.ok(204);
    assert_eq!(size().await, 2);
    let page = mall.shop.app.get(&format!("{people}?limit=1")).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(page["data"], json!([{ "account": bao.id }]));
    assert!(page["next_cursor"].is_string());
    let one = format!("{people}/{}", bao.id);
    mall.shop.app.delete(&one).bearer(&mall.owner.token).send().await.ok(204);
    mall.shop.app.delete(&one).bearer(&mall.owner.token).send().await.refused(404, "not_found");
    assert_eq!(size().await, 1);
    // Who is erased is on no list.
    let erase = mall
        .shop
        .app
        .delete("/v1/me")
        .bearer(&anna.token)
        .json(&json!({ "password": crate::support::people::PASSWORD }));
    erase.send().await.ok(204);
    assert_eq!(size().await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_segment_can_be_is_refused_and_an_edit_overwrites_no_other() {
    let mall = Mall::open().await;
    let create =
        |body: Value| mall.shop.app.post("/v1/admin/segments").bearer(&mall.owner.token).json(&body).send();
    for rule in [
        json!({ "tier_at_least": "gone" }),
        json!({ "bought": { "product": "prod_00000000000000000000000000000000" } }),
        json!({ "spent": { "at_least": { "amount": 1, "currency": "USD" } } }),
        json!({ "all": [] }),
        json!({ "tag": "" }),
        json!({ "tag": "a", "not": { "tag": "b" } }),
    ] {
        create(json!({ "code": "x", "name": "x", "rule": rule })).await.refused(422, "invalid_field");
    }
    let made = segment(&mall, "early", json!({ "tag": "early" })).await;
    create(json!({ "code": "early", "name": "again" })).await.refused(409, "code_taken");
    let path = format!("/v1/admin/segments/{}", made["id"].as_str().unwrap());
    let change = |etag: &str, body: Value| {
        let request = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", etag);
        request.json(&body).send()
    };
    let changed = change("\"v1\"", json!({ "rule": { "tag": "first" } })).await.ok(200);
    assert_eq!((&changed["rule"], &changed["version"]), (&json!({ "tag": "first" }), &json!(2)));
    change("\"v1\"", json!({ "name": "late" })).await.refused(412, "version_mismatch");
    change("\"v2\"", json!({ "rule": null })).await.refused(422, "invalid_field");
    let accounts = format!("{path}/accounts");
    let add =
        mall.shop.app.post(&accounts).bearer(&mall.owner.token).json(&json!({ "emails": ["a@b.test"] }));
    add.send().await.refused(422, "invalid_field");
    // Nothing can be for a segment that isn't there.
    let body = json!({
        "slug": "x", "kind": "digital", "names": { "zh-CN": "x", "en": "x" },
        "variants": [{ "sku": "X", "price": yuan(1) }], "buys": { "who": "segment", "segment": "gone" },
    });
    let refused = mall.shop.app.post("/v1/admin/products").bearer(&mall.owner.token).json(&body).send().await;
    assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "buys.segment");
    mall.finish().await;
}
