//! Who gets into a drive, seen from the order: windows, parts, invitations, applications, and what no order can be.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::shop::{DriveSeed, Shop, order_body};
use crate::support::{Answer, Person};

/// The body of an order for a drive as operators see it, with an invitation's code where one is given.
fn body_of(drive: &Value, invitation: Option<&str>) -> Value {
    let mut line = json!({ "plan": drive["plan"], "drive": drive["id"] });
    if let Some(code) = invitation {
        line["invitation"] = json!(code);
    }
    json!({ "lines": [line], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" })
}

async fn place(shop: &Shop, person: &Person, body: &Value) -> Answer {
    shop.app.post("/v1/orders").bearer(&person.token).key("join").json(body).send().await
}

/// Everybody orders the same at once: how many got it; the rest are refused with this code.
async fn rush(shop: &Shop, people: &[Person], body: &Value, refusal: &str) -> usize {
    let answers = join_all(people.iter().map(|person| place(shop, person, body))).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    for answer in refused {
        answer.refused(409, refusal);
    }
    placed.len()
}

async fn people(shop: &Shop, count: usize) -> Vec<Person> {
    let mut people = Vec::with_capacity(count);
    for index in 0..count {
        people.push(shop.app.member(&format!("guest{index}@rush.test")).await);
    }
    people
}

async fn invite(shop: &Shop, operator: &Person, drive: &Value, body: &Value) -> Vec<Value> {
    let path = format!("/v1/admin/drives/{}/invitations", drive["id"].as_str().unwrap());
    shop.app.make(operator, &path, body).await["data"].as_array().unwrap().clone()
}

async fn orders_count(shop: &Shop, person: &Person) -> usize {
    let list = shop.app.get("/v1/orders").bearer(&person.token).send().await.ok(200);
    list["data"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_with_three_uses_lets_three_in_however_many_try() {
    let shop = Shop::open().await;
    let owner = shop.app.operator(Role::Owner).await;
    let drive = shop.app.drive_with(&owner, "friends", json!({ "admission": "invitation" })).await;
    let made = invite(&shop, &owner, &drive, &json!({ "codes": 1, "uses": 3 })).await;
    let code = made[0]["code"].as_str().unwrap();
    let guests = people(&shop, 24).await;
    place(&shop, &guests[0], &body_of(&drive, None)).await.refused(403, "invitation_required");
    let unknown = place(&shop, &guests[0], &body_of(&drive, Some("ZZZZZ-ZZZZZ"))).await;
    unknown.refused(422, "unknown_invitation");
    assert_eq!(rush(&shop, &guests, &body_of(&drive, Some(code)), "invitation_used_up").await, 3);
    // A place that is given up can be used by another, under the same code, as people type it.
    let mut holders = Vec::new();
    for guest in &guests {
        let list = shop.app.get("/v1/orders").bearer(&guest.token).send().await.ok(200);
        holders.extend(list["data"][0]["id"].as_str().map(|id| (guest, id.to_owned())));
    }
    assert_eq!(holders.len(), 3);
    let (holder, order) = &holders[0];
    let cancel = format!("/v1/orders/{order}/cancel");
    shop.app.post(&cancel).bearer(&holder.token).key("cancel").send().await.ok(200);
    let typed = code.to_lowercase().replace('-', " ");
    let late = shop.app.member("late@rush.test").await;
    assert_eq!(place(&shop, &late, &body_of(&drive, Some(&typed))).await.status, 201);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_place_is_for_its_verified_address() {
    let shop = Shop::open().await;
    let owner = shop.app.operator(Role::Owner).await;
    let drive = shop.app.drive_with(&owner, "hundred", json!({ "admission": "invitation" })).await;
    let list = json!({ "emails": ["anna@example.org", "bao@example.org"] });
    let made = invite(&shop, &owner, &drive, &list).await;
    let of_anna = made.iter().find(|row| row["email"] == "anna@example.org").unwrap();
    let code = of_anna["code"].as_str().unwrap();
    let anna = shop.app.member("anna@example.org").await;
    let bao = shop.app.stranger("bao@example.org").await;
    let thief = shop.app.member("thief@example.org").await;
    place(&shop, &thief, &body_of(&drive, Some(code))).await.refused(403, "invitation_not_yours");
    place(&shop, &thief, &body_of(&drive, None)).await.refused(403, "invitation_required");
    place(&shop, &bao, &body_of(&drive, None)).await.refused(403, "email_not_verified");
    assert_eq!(orders_count(&shop, &thief).await + orders_count(&shop, &bao).await, 0);
    let order = place(&shop, &anna, &body_of(&drive, None)).await.ok(201);
    let path = format!("/v1/orders/{}?wait=payment", order["id"].as_str().unwrap());
    shop.pay(&shop.app.get(&path).bearer(&anna.token).send().await.ok(200)).await;
    assert_eq!(shop.settled(&anna, &order).await["state"], "fulfilled");
    let second = shop.app.post("/v1/orders").bearer(&anna.token).key("second");
    second.json(&body_of(&drive, None)).send().await.refused(409, "one_per_person");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_by_its_time_or_by_the_operator() {
    let shop = Shop::open().await;
    let owner = shop.app.operator(Role::Owner).await;
    let drive = shop.app.drive_with(&owner, "friends", json!({ "admission": "invitation" })).await;
    let ends = shop.app.now() + TimeDelta::hours(1);
    let timed = invite(&shop, &owner, &drive, &json!({ "codes": 1, "expires_at": ends })).await;
    let withdrawn = invite(&shop, &owner, &drive, &json!({ "codes": 1 })).await;
    let revoke = format!("/v1/admin/invitations/{}/revoke", withdrawn[0]["id"].as_str().unwrap());
    shop.app.post(&revoke).bearer(&owner.token).send().await.ok(200);
    let anna = shop.app.member("anna@example.org").await;
    let body = body_of(&drive, withdrawn[0]["code"].as_str());
    place(&shop, &anna, &body).await.refused(409, "invitation_expired");
    shop.advance(TimeDelta::hours(1)).await;
    let anna = shop.app.sign_in("anna@example.org").await;
    let body = body_of(&drive, timed[0]["code"].as_str());
    place(&shop, &anna, &body).await.refused(409, "invitation_expired");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_application_is_a_right_to_buy_until_its_deadline() {
    let shop = Shop::open().await;
    let owner = shop.app.operator(Role::Owner).await;
    let week = json!({ "admission": "application", "closes_at": shop.app.now() + TimeDelta::days(7) });
    let drive = shop.app.drive_with(&owner, "screened", week).await;
    let body = body_of(&drive, None);
    let mut applicants = Vec::new();
    for name in ["quick", "slow", "refused", "waits"] {
        let person = shop.app.member(&format!("{name}@example.org")).await;
        place(&shop, &person, &body).await.refused(403, "application_required");
        let path = format!("/v1/drives/{}/applications", drive["id"].as_str().unwrap());
        let answers = json!({ "answers": { "why": "I listen." } });
        let made = shop.app.post(&path).bearer(&person.token).json(&answers).send().await.ok(201);
        applicants.push((person, made["id"].as_str().unwrap().to_owned()));
    }
    for (decision, (_, id)) in ["approve", "approve", "refuse"].iter().zip(&applicants) {
        let path = format!("/v1/admin/applications/{id}/{decision}");
        let reason = if *decision == "refuse" { json!({ "reason": "Full." }) } else { json!({}) };
        shop.app.post(&path).bearer(&owner.token).json(&reason).send().await.ok(200);
    }
    for (person, _) in &applicants[2..] {
        place(&shop, person, &body).await.refused(403, "application_required");
    }
    assert_eq!(place(&shop, &applicants[0].0, &body).await.status, 201);
    shop.advance(TimeDelta::hours(72)).await;
    let slow = shop.app.sign_in("slow@example.org").await;
    place(&shop, &slow, &body).await.refused(409, "right_to_buy_expired");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_let_out_by_their_dates_and_never_more() {
    let shop = Shop::open().await;
    let owner = shop.app.operator(Role::Owner).await;
    let opens_at = shop.app.now();
    let later = opens_at + TimeDelta::hours(2);
    let parts = json!([{ "at": opens_at, "quantity": 4 }, { "at": later, "quantity": 6 }]);
    let rhythm = json!({ "opens_at": opens_at, "releases": parts });
    let drive = shop.app.drive_with(&owner, "rhythm", rhythm).await;
    let body = body_of(&drive, None);
    let guests = people(&shop, 16).await;
    assert_eq!(rush(&shop, &guests, &body, "part_sold_out").await, 4);
    // Nobody pays: the four places come back, and six more are let out.
    shop.advance(TimeDelta::hours(2)).await;
    let mut returned = Vec::new();
    for guest in &guests {
        returned.push(shop.app.sign_in(&guest.email).await);
    }
    let again = join_all(
        returned
            .iter()
            .map(|guest| shop.app.post("/v1/orders").bearer(&guest.token).key("again").json(&body).send()),
    )
    .await;
    assert_eq!(again.iter().filter(|answer| answer.status == 201).count(), 10);
    for answer in again.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "sold_out");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_sells_from_its_opening_until_its_close() {
    let shop = Shop::open().await;
    let seed =
        DriveSeed { opens_in: TimeDelta::hours(1), closes_in: TimeDelta::hours(2), ..DriveSeed::default() };
    let sale = shop.drive(seed).await;
    let early = shop.app.member("early@b.test").await;
    shop.order(&early, sale, "k").send().await.refused(409, "not_open");
    let quote = shop.app.post("/v1/quotes").bearer(&early.token).json(&order_body(sale)).send().await;
    quote.refused(409, "not_open");
    shop.advance(TimeDelta::hours(1)).await;
    let early = shop.app.sign_in("early@b.test").await;
    shop.order(&early, sale, "k").send().await.ok(201);
    shop.advance(TimeDelta::hours(1)).await;
    let late = shop.app.member("late@b.test").await;
    shop.order(&late, sale, "k").send().await.refused(409, "closed");
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_order_can_be_is_refused_by_field_and_leaves_nothing() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let other = DriveSeed { code: "other", series: "other", tier: "diehard", ..DriveSeed::default() };
    let other = shop.drive(other).await;
    let person = shop.app.member("a@b.test").await;
    let with = |path: &str, value: Value| {
        let mut body = order_body(sale);
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let adding = |name: &str, value: Value| {
        let mut body = order_body(sale);
        body[name] = value;
        body
    };
    let line = order_body(sale)["lines"][0].clone();
    let unknown_plan = "plan_00000000000000000000000000000000";
    let unknown_drive = "drv_00000000000000000000000000000000";
    for (body, status, code, field) in [
        (with("/lines", json!([])), 422, "invalid_field", "lines"),
        (with("/lines", json!([line, line])), 422, "invalid_field", "lines"),
        (with("/lines/0", json!({ "plan": unknown_plan })), 422, "unknown_plan", "lines[0].plan"),
        (with("/lines/0/drive", json!(unknown_drive)), 422, "unknown_drive", "lines[0].drive"),
        (with("/lines/0/drive", json!(other.drive)), 422, "unknown_drive", "lines[0].drive"),
        (with("/lines/0/plan", json!("ord_1")), 422, "invalid_field", "lines[0].plan"),
        (with("/lines/0/plan", json!(7)), 422, "invalid_field", "lines[0].plan"),
        (
            with("/lines/0", json!({ "plan": sale.plan, "colour": "red" })),
            422,
            "invalid_field",
            "lines[0].colour",
        ),
        (adding("colour", json!("red")), 422, "invalid_field", "colour"),
        (adding("points", json!(-1)), 422, "invalid_field", "points"),
        (adding("credit", json!(-1)), 422, "invalid_field", "credit"),
        (adding("coupon_codes", json!(["FREE"])), 422, "coupon_refused", "coupon_codes[0]"),
        (adding("consents", json!({ "terms": "1999" })), 422, "unknown_terms", "consents.terms"),
        (with("/success_url", json!("https://evil.test/")), 422, "url_not_allowed", "success_url"),
        (with("/cancel_url", json!("javascript:alert(1)")), 422, "url_not_allowed", "cancel_url"),
        (with("/cancel_url", json!(null)), 422, "invalid_field", "cancel_url"),
    ] {
        let answer = place(&shop, &person, &body).await;
        assert_eq!(answer.refused(status, code)["errors"][0]["field"], field, "{body}: {}", answer.text);
    }
    let without_drive = with("/lines/0", json!({ "plan": sale.plan }));
    place(&shop, &person, &without_drive).await.refused(422, "drive_required");
    let long = "k".repeat(256);
    for key in ["", "two words", long.as_str()] {
        let request = shop.app.post("/v1/orders").bearer(&person.token).key(key);
        request.json(&order_body(sale)).send().await.refused(400, "idempotency_key_missing");
    }
    shop.app.post("/v1/orders").key("k").json(&order_body(sale)).send().await.refused(401, "unauthenticated");
    assert_eq!((orders_count(&shop, &person).await, shop.pool(sale).await), (0, (5_000, 0, 0)));
    // None of these used the key up.
    assert_eq!(place(&shop, &person, &order_body(sale)).await.status, 201);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_order_is_not_there() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let (owner, stranger) = (shop.app.member("own@b.test").await, shop.app.member("other@b.test").await);
    let order = shop.order(&owner, sale, "k").send().await.ok(201);
    let id = order["id"].as_str().unwrap();
    for id in [id, "ord_00000000000000000000000000000000", "1", "mem_00000000000000000000000000000000"] {
        let path = format!("/v1/orders/{id}");
        shop.app.get(&path).bearer(&stranger.token).send().await.refused(404, "not_found");
        for action in ["cancel", "payments"] {
            let request = shop.app.post(&format!("{path}/{action}")).bearer(&stranger.token).key("k");
            request.json(&json!({})).send().await.refused(404, "not_found");
        }
    }
    assert_eq!(shop.show(&owner, &order).await["state"], "pending_payment");
    shop.finish().await;
}
