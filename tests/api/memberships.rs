//! What a member holds: number, card, terms, state from dates; and what operators do to it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use kindred::db;
use kindred::membership::memberships::rules::FreezeCause;
use kindred::membership::memberships::service;
use kindred::people::accounts::model::lock_buyers;
use kindred::people::operators::rules::Role;
use kindred::types::id::{AccountId, DisputeId};
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::shop::Shop;
use crate::support::{Person, TestApp};

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn grant(app: &TestApp, operator: &Person, account: AccountId, plan: &Value, key: &str) -> Value {
    let path = format!("/v1/admin/accounts/{account}/memberships");
    let body = json!({ "plan": plan["id"], "reason": "A gift of the house." });
    app.post(&path).bearer(&operator.token).key(key).json(&body).send().await.ok(201)
}

/// A year of the plan, ordered and paid; the order.
async fn buy(shop: &Shop, person: &Person, plan: &Value, key: &str) -> Value {
    let body = json!({
        "lines": [{ "plan": plan["id"] }],
        "success_url": "http://shop.test/thanks",
        "cancel_url": "http://shop.test/",
    });
    let request = shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body);
    let order = request.send().await.ok(201);
    shop.pay(&order).await;
    let order = shop.settled(person, &order).await;
    assert_eq!(order["state"], "fulfilled");
    order
}

/// All of an order's money goes back.
async fn refund(shop: &Shop, operator: &Person, order: &Value) {
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let body = json!({ "reason": "Asked for it." });
    let key = order["id"].as_str().unwrap();
    shop.app.post(&path).bearer(&operator.token).key(key).json(&body).send().await.ok(201);
}

/// A plan of 200 yuan a year that is sold without a drive.
async fn plan_on_sale(app: &TestApp, operator: &Person) -> Value {
    let (_, plan) = app.tier_and_plan(operator, "regular").await;
    let path = format!("/v1/admin/plans/{}", plan["id"].as_str().unwrap());
    let body = json!({ "open_sale": true });
    app.patch(&path).bearer(&operator.token).header("If-Match", "\"v1\"").json(&body).send().await.ok(200)
}

/// The member's terms as operators see them, in order.
async fn terms(app: &TestApp, operator: &Person, membership: &Value) -> Vec<Value> {
    let path = format!("/v1/admin/members/{}", membership["id"].as_str().unwrap());
    let detail = app.get(&path).bearer(&operator.token).send().await.ok(200);
    detail["terms"].as_array().unwrap().clone()
}

async fn mine(app: &TestApp, person: &Person) -> Value {
    app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_has_number_card_and_a_public_check() {
    let app = TestApp::spawn().await;
    let support = app.operator(Role::Support).await;
    let owner = app.operator(Role::Owner).await;
    let tier = json!({
        "code": "diehard", "names": { "zh-CN": "铁杆会员", "en": "Diehard" }, "rank": 20,
    });
    let tier = app.make(&owner, "/v1/admin/tiers", &tier).await;
    let meals = json!({
        "tier": tier["id"], "kind": "free_meals", "gives": "service", "every": "P1Y", "allowed": 2,
        "names": { "zh-CN": "霸王餐", "en": "Free meals" },
    });
    app.make(&owner, "/v1/admin/benefits", &meals).await;
    let plan = json!({
        "code": "diehard-year", "tier": tier["id"], "term": "P1Y",
        "price": { "amount": 120_000, "currency": "CNY" }, "renews": "card", "payment_methods": ["card"],
    });
    let plan = app.make(&owner, "/v1/admin/plans", &plan).await;
    let anna = app.member("anna@example.org").await;
    app.get("/v1/me/membership").bearer(&anna.token).send().await.refused(404, "no_membership");
    app.get("/v1/me/membership/card").bearer(&anna.token).send().await.refused(404, "no_membership");
    app.get("/v1/members/KD0001").send().await.refused(404, "not_found");

    let granted = grant(&app, &support, anna.id, &plan, "first").await;
    let membership = mine(&app, &anna).await;
    assert_eq!(membership["id"], granted["id"]);
    assert_eq!(membership["state"], "active");
    assert_eq!((&membership["tier"], &membership["tier_name"]), (&json!("diehard"), &json!("铁杆会员")));
    // No card was saved by which it could go on.
    assert_eq!((&membership["plan"], &membership["renews"]), (&json!("diehard-year"), &json!("never")));
    assert_eq!((&membership["number"], &membership["chapter"]), (&json!("KD0001"), &json!("default")));
    assert_eq!(membership["level"], Value::Null);
    let zone = app.app.settings.timezone;
    let a_year_on = time(&membership["starts_at"]).with_timezone(&zone) + chrono::Months::new(12);
    assert_eq!(time(&membership["ends_at"]), a_year_on);
    let benefit = &membership["benefits"][0];
    assert_eq!((&benefit["kind"], &benefit["name"]), (&json!("free_meals"), &json!("霸王餐")));
    assert_eq!((&benefit["allowed"], &benefit["used"], &benefit["left"]), (&json!(2), &json!(0), &json!(2)));
    assert_eq!(benefit["until"], membership["ends_at"]);
    // A gift is worth nothing in an upgrade.
    assert_eq!(membership["worth"]["paid"], json!({ "amount": 0, "currency": "CNY" }));

    let card = app.get("/v1/me/membership/card").bearer(&anna.token).send().await;
    assert_eq!((card.status, card.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(card.text.contains("KD0001") && card.text.contains("铁杆会员"));
    let picture = app.get("/v1/me/membership/card").bearer(&anna.token).header("Accept", "image/svg+xml");
    assert!(picture.send().await.text.starts_with("<svg"));
    let check = app.get("/v1/members/kd0001").send().await.ok(200);
    let fields: Vec<_> = check.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 4);
    assert_eq!(
        (&check["number"], &check["valid"], &check["tier"]),
        (&json!("KD0001"), &json!(true), &json!("diehard"))
    );
    assert_eq!(check["since"], membership["starts_at"]);
    for unknown in ["KD0002", "KD1", "%E7%BD%97", "KD0001%00"] {
        app.get(&format!("/v1/members/{unknown}")).send().await.refused(404, "not_found");
    }
    let mut conn = app.conn().await;
    assert_eq!(count_sql(&mut conn, "SELECT count(*) AS count FROM mails WHERE kind = 'welcome'").await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_expires_by_the_clock_and_the_number_stays() {
    let shop = Shop::open().await;
    let app = &shop.app;
    let owner = app.operator(Role::Owner).await;
    let plan = plan_on_sale(app, &owner).await;
    let anna = app.member("anna@example.org").await;
    buy(&shop, &anna, &plan, "first").await;
    let first = mine(app, &anna).await;
    assert_eq!(first["worth"]["paid"]["amount"], 20_000);
    shop.advance(time(&first["ends_at"]) - app.now()).await;
    let anna = app.sign_in(&anna.email).await;
    let over = mine(app, &anna).await;
    assert_eq!((&over["state"], &over["worth"]["paid"]["amount"]), (&json!("grace"), &json!(0)));
    assert_eq!(app.get("/v1/members/KD0001").send().await.ok(200)["valid"], true);
    shop.advance(TimeDelta::days(7)).await;
    let anna = app.sign_in(&anna.email).await;
    let expired = mine(app, &anna).await;
    assert_eq!((&expired["state"], &expired["benefits"]), (&json!("expired"), &json!([])));
    assert_eq!(app.get("/v1/members/KD0001").send().await.ok(200)["valid"], false);
    let open = "SELECT count(*) AS count FROM memberships WHERE state = 'active'";
    assert_eq!(count_sql(&mut *app.conn().await, open).await, 0);

    // Who comes back starts anew, with the old number.
    buy(&shop, &anna, &plan, "second").await;
    let second = mine(app, &anna).await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!((&second["number"], &second["state"]), (&json!("KD0001"), &json!("active")));
    assert!(time(&second["starts_at"]) > time(&expired["ends_at"]));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_tier_extends_from_the_old_end_and_a_refund_moves_the_rest_up() {
    let shop = Shop::open().await;
    let app = &shop.app;
    let owner = app.operator(Role::Owner).await;
    let plan = plan_on_sale(app, &owner).await;
    let anna = app.member("anna@example.org").await;
    let running = buy(&shop, &anna, &plan, "running").await;
    let middle = buy(&shop, &anna, &plan, "middle").await;
    let last = buy(&shop, &anna, &plan, "last").await;
    let membership = mine(app, &anna).await;
    let bought = terms(app, &owner, &membership).await;
    let zone = app.app.settings.timezone;
    let anniversary =
        |years: u32| time(&bought[0]["starts_at"]).with_timezone(&zone) + chrono::Months::new(12 * years);
    for (term, years) in bought.iter().zip(0..) {
        assert_eq!(time(&term["starts_at"]), anniversary(years));
        assert_eq!(time(&term["ends_at"]), anniversary(years + 1));
    }
    assert_eq!(time(&membership["ends_at"]), anniversary(3));
    assert_eq!(membership["worth"]["paid"]["amount"], 60_000);

    // The middle year's money goes back: its length is gone from the end.
    refund(&shop, &owner, &middle).await;
    let after = mine(app, &anna).await;
    let length = anniversary(2) - anniversary(1);
    assert_eq!(time(&after["ends_at"]), anniversary(3) - length);
    assert_eq!(after["worth"]["paid"]["amount"], 40_000);
    // The running year's: the next one starts now.
    shop.advance(TimeDelta::days(100)).await;
    let (owner, anna) = (app.sign_in(&owner.email).await, app.sign_in(&anna.email).await);
    refund(&shop, &owner, &running).await;
    let after = mine(app, &anna).await;
    let moved = terms(app, &owner, &after).await;
    let next = moved.iter().find(|term| term["id"] == bought[2]["id"]).unwrap();
    let ended = moved.iter().find(|term| term["id"] == bought[0]["id"]).unwrap();
    assert_eq!(next["starts_at"], ended["ended_at"]);
    assert_eq!(time(&next["ends_at"]) - time(&next["starts_at"]), anniversary(3) - anniversary(2));
    assert_eq!(after["ends_at"], next["ends_at"]);
    assert_eq!(after["worth"]["paid"]["amount"], 20_000);
    // The last one's: nothing is left, and no grace.
    refund(&shop, &owner, &last).await;
    assert_eq!(mine(app, &anna).await["state"], "expired");
    let check = app.get("/v1/members/KD0001").send().await.ok(200);
    assert_eq!((&check["valid"], &check["tier"]), (&json!(false), &json!("regular")));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tier_needs_an_upgrade_quote() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let (_, regular) = app.tier_and_plan(&owner, "regular").await;
    let (_, diehard) = app.tier_and_plan(&owner, "diehard").await;
    let anna = app.member("anna@example.org").await;
    grant(&app, &owner, anna.id, &regular, "first").await;
    let path = format!("/v1/admin/accounts/{}/memberships", anna.id);
    let body = json!({ "plan": diehard["id"], "reason": "Up." });
    let post = || app.post(&path).bearer(&owner.token).key("second").json(&body).send();
    post().await.refused(409, "use_upgrade_quote");
    // A refusal leaves the key free. Once the term is over there is nothing to upgrade from.
    app.advance(TimeDelta::days(366)).await;
    let (owner, anna) = (app.sign_in(&owner.email).await, app.sign_in(&anna.email).await);
    app.post(&path).bearer(&owner.token).key("second").json(&body).send().await.ok(201);
    assert_eq!(mine(&app, &anna).await["tier"], "diehard");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_time_is_given_back_when_the_last_cause_is_gone() {
    let shop = Shop::open().await;
    let app = &shop.app;
    let owner = app.operator(Role::Owner).await;
    let plan = plan_on_sale(app, &owner).await;
    let anna = app.member("anna@example.org").await;
    buy(&shop, &anna, &plan, "first").await;
    buy(&shop, &anna, &plan, "second").await;
    let before = mine(app, &anna).await;
    let path = format!("/v1/admin/memberships/{}", before["id"].as_str().unwrap());
    let act = async |verb: &str, key: &str| {
        let operator = app.sign_in(&owner.email).await;
        let body = json!({ "reason": "Abroad." });
        app.post(&format!("{path}/{verb}")).bearer(&operator.token).key(key).json(&body).send().await
    };
    act("resume", "r0").await.refused(409, "membership_not_frozen");
    shop.advance(TimeDelta::days(10)).await;
    let frozen = act("freeze", "f1").await.ok(200);
    assert_eq!((&frozen["state"], &frozen["frozen_causes"]), (&json!("frozen"), &json!(["operator"])));
    act("freeze", "f2").await.refused(409, "membership_frozen");
    assert_eq!(app.get("/v1/members/KD0001").send().await.ok(200)["valid"], false);
    let (dispute, account) = (FreezeCause::Dispute(DisputeId::new()), anna.id);
    let now = app.now();
    let freeze = db::transaction(&app.app.pool, async |conn| {
        lock_buyers(conn, &[account]).await?;
        service::freeze(conn, account, dispute, now).await
    });
    assert!(freeze.await.unwrap());

    // Long past its end: frozen, it doesn't expire.
    shop.advance(TimeDelta::days(900)).await;
    let resumed = act("resume", "r1").await.ok(200);
    assert_eq!(resumed["state"], "frozen", "the dispute still holds");
    assert_eq!(resumed["worth"], frozen["worth"]);
    let now = app.now();
    let resume = db::transaction(&app.app.pool, async |conn| {
        lock_buyers(conn, &[account]).await?;
        service::resume(conn, account, dispute, now).await
    });
    assert!(resume.await.unwrap());
    let anna = app.sign_in(&anna.email).await;
    let after = mine(app, &anna).await;
    assert_eq!(after["state"], "active");
    let given_back = now - time(&frozen["frozen_at"]);
    assert_eq!(time(&after["ends_at"]), time(&before["ends_at"]) + given_back);
    assert_eq!(after["worth"], frozen["worth"]);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_extend_and_revoke_with_a_reason_once_a_key() {
    let app = TestApp::spawn().await;
    let support = app.operator(Role::Support).await;
    let owner = app.operator(Role::Owner).await;
    let (_, plan) = app.tier_and_plan(&owner, "regular").await;
    let anna = app.member("anna@example.org").await;
    let granted = grant(&app, &support, anna.id, &plan, "g").await;
    let path = format!("/v1/admin/memberships/{}", granted["id"].as_str().unwrap());
    let post = |verb: &str, key: &str, body: Value| {
        app.post(&format!("{path}/{verb}")).bearer(&support.token).key(key).json(&body).send()
    };
    let month = json!({ "term": "P1M", "reason": "The shop was closed." });
    let no_key = app.post(&format!("{path}/extend")).bearer(&support.token).json(&month).send().await;
    no_key.refused(400, "idempotency_key_missing");
    post("extend", "e", json!({ "term": "P1M" })).await.refused(422, "invalid_field");
    post("extend", "e", json!({ "term": "P1M", "reason": " " })).await.refused(422, "invalid_field");
    post("extend", "e", json!({ "term": "P1W", "reason": "x" })).await.refused(422, "invalid_field");
    app.post(&format!("{path}/extend"))
        .bearer(&anna.token)
        .key("e")
        .json(&month)
        .send()
        .await
        .refused(403, "forbidden");
    let extended = post("extend", "e", month.clone()).await.ok(200);
    let zone = app.app.settings.timezone;
    let start = time(&extended["starts_at"]).with_timezone(&zone);
    assert_eq!(time(&extended["ends_at"]), start + chrono::Months::new(13));
    // Repeated, also by twins at once: the same answer, no second month.
    let twins = futures::future::join_all((0..5).map(|_| post("extend", "e", month.clone()))).await;
    for twin in twins {
        assert_eq!(twin.ok(200), extended);
    }
    let other = json!({ "term": "P2M", "reason": "The shop was closed." });
    post("extend", "e", other).await.refused(422, "idempotency_key_reused");
    // By the membership's id the path of a grant works too.
    let gift = json!({ "plan": plan["id"], "reason": "Another year." });
    let longer = post("grant", "g2", gift).await.ok(200);
    assert_eq!(longer["terms"].as_array().unwrap().len(), 3);
    let sources: Vec<_> =
        longer["terms"].as_array().unwrap().iter().map(|term| term["source"].clone()).collect();
    assert_eq!(sources, ["grant", "extension", "grant"]);

    let revoked = post("revoke", "r", json!({ "reason": "Sold his card." })).await.ok(200);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(post("revoke", "r", json!({ "reason": "Sold his card." })).await.ok(200), revoked);
    post("revoke", "r2", json!({ "reason": "Again." })).await.refused(409, "membership_not_open");
    post("extend", "e2", month).await.refused(409, "membership_not_open");
    assert_eq!(mine(&app, &anna).await["state"], "revoked");
    assert_eq!(app.get("/v1/members/KD0001").send().await.ok(200)["valid"], false);
    let logged =
        "SELECT count(*) AS count FROM audit_log WHERE subject_kind = 'membership' AND reason IS NOT NULL";
    assert_eq!(count_sql(&mut *app.conn().await, logged).await, 4);
    let unknown = "/v1/admin/memberships/mem_00000000000000000000000000000000/revoke";
    let body = json!({ "reason": "x" });
    app.post(unknown).bearer(&support.token).key("u").json(&body).send().await.refused(404, "not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_new_members_at_once_get_numbers_without_gaps() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let (_, plan) = app.tier_and_plan(&owner, "regular").await;
    let mut accounts = Vec::new();
    for n in 0..12 {
        accounts.push(app.seed(&format!("m{n}@example.org"), true, &[]).await);
    }
    // Each twice, under two keys: a membership of two years, one number.
    let calls = accounts.iter().flat_map(|account| [(*account, "a"), (*account, "b")]);
    let calls = calls.map(|(account, key)| {
        let key = format!("{account}{key}");
        let (app, owner, plan) = (&app, &owner, &plan);
        async move { grant(app, owner, account, plan, &key).await }
    });
    futures::future::join_all(calls).await;
    let list = app.get("/v1/admin/members?limit=100&state=active").bearer(&owner.token).send().await.ok(200);
    let numbers: BTreeSet<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].as_str().unwrap().to_owned())
        .collect();
    let expected: BTreeSet<_> = (1..=12).map(|n| format!("KD{n:04}")).collect();
    assert_eq!(numbers, expected);
    let mut conn = app.conn().await;
    assert_eq!(count_sql(&mut conn, "SELECT count(*) AS count FROM memberships").await, 12);
    assert_eq!(count_sql(&mut conn, "SELECT count(*) AS count FROM membership_terms").await, 24);
    let one = app.get("/v1/admin/members?number=kd0003").bearer(&owner.token).send().await.ok(200);
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    let detail = app
        .get(&format!("/v1/admin/members/{}", one["data"][0]["id"].as_str().unwrap()))
        .bearer(&owner.token)
        .send()
        .await
        .ok(200);
    assert_eq!(detail["terms"][1]["starts_at"], detail["terms"][0]["ends_at"]);
    let none = app.get("/v1/admin/members?state=grace").bearer(&owner.token).send().await.ok(200);
    assert_eq!(none["data"], json!([]));
    app.finish().await;
}
