//! Digital goods that are opened by belonging: to the members, a tier, a segment.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

/// A course that belonging opens.
async fn course(mall: &Mall, slug: &str, opens_for: Value, more: Value) -> Value {
    let variants = json!([{ "sku": slug.to_uppercase(), "price": yuan(99) }]);
    let mut body = json!({ "opens_for": opens_for, "right_days": 30 });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    mall.product(slug, "digital", variants, body).await
}

async fn access(mall: &Mall, person: &Person, slug: &str) -> Answer {
    mall.shop.app.get(&format!("/v1/me/access/{slug}")).bearer(&person.token).send().await
}

/// (slug, kind of the source) of all that somebody may open, in order.
async fn all(mall: &Mall, person: &Person) -> Vec<(String, String)> {
    let list = mall.shop.app.get("/v1/me/access").bearer(&person.token).send().await.ok(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rights = list["data"].as_array().unwrap().iter();
    rights.map(|right| (text(&right["slug"]), text(&right["source"]["kind"]))).collect()
}

fn named(rights: &[(&str, &str)]) -> Vec<(String, String)> {
    rights.iter().map(|(slug, kind)| ((*slug).to_owned(), (*kind).to_owned())).collect()
}

async fn membership(mall: &Mall, person: &Person) -> Value {
    mall.shop.app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn members() -> Value {
    json!({ "who": "members" })
}

fn diehards() -> Value {
    json!({ "who": "tier", "at_least": "diehard" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_opens_it_until_the_membership_ends() {
    let mall = Mall::open().await;
    let course_id = course(&mall, "course", members(), json!({})).await["id"].clone();
    course(&mall, "talks", diehards(), json!({})).await;
    let regular = mall.member("regular@b.test", &mall.regular).await;
    let diehard = mall.member("diehard@b.test", &mall.diehard).await;
    let nobody = mall.shop.app.member("nobody@b.test").await;
    mall.shop.app.get("/v1/me/access/course").send().await.refused(401, "unauthenticated");
    access(&mall, &nobody, "course").await.refused(404, "not_found");
    access(&mall, &regular, "talks").await.refused(404, "not_found");
    let held = membership(&mall, &regular).await;
    let right = access(&mall, &regular, course_id.as_str().unwrap()).await.ok(200);
    assert_eq!(right["source"], json!({ "kind": "tier", "tier": "regular", "membership": held["id"] }));
    assert_eq!((&right["starts_at"], &right["ends_at"]), (&held["starts_at"], &held["ends_at"]));
    assert_eq!(access(&mall, &diehard, "talks").await.ok(200)["source"]["tier"], "diehard");
    assert_eq!(all(&mall, &nobody).await, []);
    assert_eq!(all(&mall, &regular).await, named(&[("course", "tier")]));
    assert_eq!(all(&mall, &diehard).await.len(), 2);

    // At the end of the term grace begins, and at the end of grace it is over.
    let end = time(&held["ends_at"]);
    mall.shop.advance(end - mall.shop.app.now()).await;
    let regular = mall.shop.app.sign_in(&regular.email).await;
    let right = access(&mall, &regular, "course").await.ok(200);
    assert_eq!(time(&right["ends_at"]), end + TimeDelta::days(7));
    mall.shop.advance(end + TimeDelta::days(7) - mall.shop.app.now()).await;
    let regular = mall.shop.app.sign_in(&regular.email).await;
    access(&mall, &regular, "course").await.refused(404, "not_found");
    assert_eq!(all(&mall, &regular).await, []);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bought_and_belonging_stand_side_by_side_and_each_ends_for_itself() {
    let mall = Mall::open().await;
    let product = course(&mall, "course", members(), json!({})).await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let anna = app.member("anna@b.test").await;
    let mut body = mall.body(json!([{ "plan": mall.regular["id"] }]));
    body.as_object_mut().unwrap().remove("shipping");
    let joined = app.post("/v1/orders?wait=payment").bearer(&anna.token).key("join").json(&body);
    let joined = joined.send().await.ok(201);
    mall.shop.pay(&joined).await;
    mall.shop.settled(&anna, &joined).await;
    assert_eq!(access(&mall, &anna, "course").await.ok(200)["source"]["kind"], "tier");

    // Thirty days were bought, the year lasts longer; both are told.
    let bought = mall.buy(&anna, "buy", json!([{ "variant": product["variants"][0]["id"] }])).await;
    assert_eq!(bought["state"], "fulfilled");
    assert_eq!(all(&mall, &anna).await, named(&[("course", "tier"), ("course", "order")]));
    assert_eq!(access(&mall, &anna, "course").await.ok(200)["source"]["kind"], "tier");

    // The membership is refunded, then what was bought.
    let refund = async |order: &Value| {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let key = order["id"].as_str().unwrap();
        let request = app.post(&path).bearer(&owner.token).key(key).json(&json!({ "reason": "Withdrawn." }));
        request.send().await.ok(201);
    };
    refund(&joined).await;
    assert_eq!(all(&mall, &anna).await, named(&[("course", "order")]));
    let right = access(&mall, &anna, "course").await.ok(200);
    assert_eq!(right["source"], json!({ "kind": "order", "order": bought["id"] }));
    refund(&bought).await;
    access(&mall, &anna, "course").await.refused(404, "not_found");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_membership_opens_nothing_and_a_segment_as_long_as_one_is_in_it() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let segment = json!({ "code": "students", "name": "Students", "rule": { "tag": "student" } });
    app.make(owner, "/v1/admin/segments", &segment).await;
    course(&mall, "course", json!({ "who": "segment", "segment": "students" }), json!({})).await;
    course(&mall, "talks", members(), json!({})).await;
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let bao = app.member("bao@b.test").await;
    let tag = async |tags: Value| {
        let path = format!("/v1/admin/accounts/{}/tags", anna.id);
        app.put(&path).bearer(&owner.token).json(&json!({ "tags": tags })).send().await.ok(200);
    };
    access(&mall, &anna, "course").await.refused(404, "not_found");
    tag(json!(["student"])).await;
    let right = access(&mall, &anna, "course").await.ok(200);
    // What operators call the segment is theirs.
    assert_eq!(right["source"], json!({ "kind": "segment" }));
    assert_eq!((&right["starts_at"], &right["ends_at"]), (&Value::Null, &Value::Null));
    access(&mall, &bao, "course").await.refused(404, "not_found");
    assert_eq!(all(&mall, &anna).await, named(&[("talks", "tier"), ("course", "segment")]));
    tag(json!([])).await;
    access(&mall, &anna, "course").await.refused(404, "not_found");

    let held = membership(&mall, &anna).await;
    let act = async |verb: &str| {
        let path = format!("/v1/admin/memberships/{}/{verb}", held["id"].as_str().unwrap());
        let request = app.post(&path).bearer(&owner.token).key(verb).json(&json!({ "reason": "Asked." }));
        request.send().await.ok(200);
    };
    act("freeze").await;
    assert_eq!(all(&mall, &anna).await, []);
    act("resume").await;
    assert_eq!(all(&mall, &anna).await, named(&[("talks", "tier")]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_say_who_may_open_it_and_the_tiers_page_tells() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let of = async |kind: &str, opens_for: Value| {
        let body = json!({
            "slug": "wrong", "kind": kind, "names": { "zh-CN": "x", "en": "x" }, "opens_for": opens_for,
            "variants": [{ "sku": "WRONG", "price": yuan(1) }],
        });
        app.post("/v1/admin/products").bearer(&owner.token).json(&body).send().await
    };
    let unknown = json!({ "who": "tier", "at_least": "gold" });
    for (kind, opens_for, field) in [
        ("goods", members(), "opens_for"),
        ("digital", json!({ "who": "everyone" }), "opens_for"),
        ("digital", json!({ "who": "signed_in" }), "opens_for"),
        ("digital", unknown, "opens_for.at_least"),
        ("digital", json!({ "who": "segment", "segment": "none" }), "opens_for.segment"),
    ] {
        let answer = of(kind, opens_for.clone()).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field, "{kind} {opens_for}");
    }
    of("digital", json!({ "who": "tier" })).await.refused(422, "invalid_field");

    let made = course(&mall, "course", Value::Null, json!({})).await;
    assert_eq!(made["opens_for"], Value::Null);
    let path = format!("/v1/admin/products/{}", made["id"].as_str().unwrap());
    let change = async |version: i64, body: Value| {
        let request = app.patch(&path).bearer(&owner.token).header("If-Match", &format!("\"v{version}\""));
        request.json(&body).send().await
    };
    let benefits = async || {
        let tiers = app.get("/v1/tiers").send().await.ok(200);
        let tiers = tiers["data"].as_array().unwrap();
        let slugs = |tier: &Value| {
            tier["benefits"].as_array().unwrap().iter().map(|b| b["product"]["slug"].clone()).collect()
        };
        tiers.iter().map(slugs).collect::<Vec<Vec<Value>>>()
    };
    access(&mall, &anna, "course").await.refused(404, "not_found");
    assert_eq!(benefits().await, [vec![], vec![]] as [Vec<Value>; 2]);
    assert_eq!(change(1, json!({ "opens_for": diehards() })).await.ok(200)["opens_for"], diehards());
    assert_eq!(benefits().await, [vec![], vec![json!("course")]]);
    access(&mall, &anna, "course").await.refused(404, "not_found");
    change(1, json!({ "opens_for": members() })).await.refused(412, "version_mismatch");
    change(2, json!({ "opens_for": { "who": "everyone" } })).await.refused(422, "invalid_field");
    change(2, json!({ "opens_for": members() })).await.ok(200);
    assert_eq!(benefits().await, [vec![json!("course")], vec![json!("course")]]);
    let tiers = app.get("/v1/tiers").header("Accept-Language", "en").send().await.ok(200);
    let expected = json!({
        "kind": "opens_product", "name": "course", "names": { "zh-CN": "course", "en": "course" }, "every": null,
        "allowed": null,
        "product": { "id": made["id"], "slug": "course" },
    });
    assert_eq!(tiers["data"][0]["benefits"][0], expected);
    access(&mall, &anna, "course").await.ok(200);

    // Announced it isn't open yet; hidden it isn't told of either, until its time.
    let from = app.now() + TimeDelta::minutes(5);
    change(3, json!({ "available_from": from })).await.ok(200);
    assert_eq!(all(&mall, &anna).await, []);
    assert_eq!(benefits().await[0], [json!("course")]);
    change(4, json!({ "shown_from": from })).await.ok(200);
    assert_eq!(benefits().await, [vec![], vec![]] as [Vec<Value>; 2]);
    mall.shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(benefits().await[0], [json!("course")]);
    assert_eq!(time(&access(&mall, &anna, "course").await.ok(200)["starts_at"]), from);

    // The rule goes, and with it what it opened; the catalog's file brings it back.
    change(5, json!({ "opens_for": null })).await.ok(200);
    access(&mall, &anna, "course").await.refused(404, "not_found");
    let file = "slug,sku,opens_for\ncourse,COURSE,\"{\"\"who\"\":\"\"members\"\"}\"\n";
    let import = app.post("/v1/admin/product-imports").bearer(&owner.token).raw("text/csv", file);
    import.send().await.ok(202);
    mall.shop.settle().await;
    access(&mall, &anna, "course").await.ok(200);
    app.post(&format!("{path}/archive")).bearer(&owner.token).send().await.ok(200);
    access(&mall, &anna, "course").await.refused(404, "not_found");
    mall.finish().await;
}
