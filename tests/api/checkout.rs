//! From the order to the member number, and every way in which a payment can go.

use chrono::TimeDelta;
use kindred::dev::stripe::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::support::shop::{DriveSeed, Shop, order_body};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_joins_and_becomes_member_number_one() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("first@member.test").await;
    let quote =
        shop.app.post("/v1/quotes").bearer(&person.token).json(&order_body(sale)).send().await.ok(200);
    assert_eq!(quote["totals"]["due"], json!({ "amount": 20_000, "currency": "CNY" }));
    assert_eq!(quote["explanation"][0]["reason"], "drive_price");
    let answer = shop.order(&person, sale, "k1").send().await;
    let order = answer.json.clone();
    assert_eq!(answer.header("location"), format!("/v1/orders/{}", order["id"].as_str().unwrap()));
    let order = answer.ok(201);
    assert_eq!(order["state"], "pending_payment");
    assert_eq!(order["payment"]["state"], "ready");
    assert_eq!(order["payment"]["methods"], json!(["wechat_pay"]));
    assert_eq!(shop.pool(sale).await, (5_000, 1, 0));
    shop.pay(&order).await;
    let order = shop.settled(&person, &order).await;
    assert_eq!((&order["state"], &order["payment"]["state"]), (&json!("fulfilled"), &json!("succeeded")));
    assert_eq!(shop.pool(sale).await, (5_000, 0, 1));
    let membership = shop.membership(&person).await.unwrap();
    assert_eq!(membership["number"], "KD0001");
    assert_eq!(membership["state"], "active");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_answers_the_same_order_and_another_body_is_refused() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    let first = shop.order(&person, sale, "same").send().await.ok(201);
    let again = shop.order(&person, sale, "same").send().await.ok(201);
    assert_eq!(first["id"], again["id"]);
    let mut other = order_body(sale);
    other["success_url"] = json!("http://shop.test/elsewhere");
    let answer = shop.app.post("/v1/orders").bearer(&person.token).key("same").json(&other).send().await;
    answer.refused(422, "idempotency_key_reused");
    shop.app
        .post("/v1/orders")
        .bearer(&person.token)
        .json(&other)
        .send()
        .await
        .refused(400, "idempotency_key_missing");
    // Twins that come at once join.
    let person = shop.app.member("twin@b.test").await;
    let twins = futures::future::join_all((0..8).map(|_| shop.order(&person, sale, "twin").send())).await;
    let ids: std::collections::HashSet<_> =
        twins.into_iter().map(|twin| twin.ok(201)["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(shop.pool(sale).await, (5_000, 2, 0));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_holds_when_everyone_comes_at_once() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 7, ..DriveSeed::default() }).await;
    let mut people = Vec::new();
    for index in 0..40 {
        people.push(shop.app.member(&format!("p{index}@rush.test")).await);
    }
    let answers = futures::future::join_all(people.iter().map(|person| {
        shop.app.post("/v1/orders").bearer(&person.token).key("rush").json(&order_body(sale)).send()
    }))
    .await;
    let placed = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(placed, 7);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "sold_out");
    }
    assert_eq!(shop.pool(sale).await, (7, 7, 0));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_a_person_over_the_series_also_at_once_and_by_a_second_address() {
    let shop = Shop::open().await;
    let regular = shop.drive(DriveSeed::default()).await;
    let diehard = shop
        .drive(DriveSeed {
            code: "luoji-2013-diehard",
            tier: "diehard",
            price_minor: 120_000,
            quota: 500,
            ..DriveSeed::default()
        })
        .await;
    let person = shop.app.member("zhang.san@gmail.com").await;
    let alias = shop.app.member("zhangsan+2@gmail.com").await;
    let wanted =
        [(&person, regular, "1"), (&person, diehard, "2"), (&alias, regular, "3"), (&alias, diehard, "4")];
    let answers = futures::future::join_all(wanted.iter().map(|(person, sale, key)| {
        shop.app.post("/v1/orders").bearer(&person.token).key(key).json(&order_body(*sale)).send()
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "one_per_person");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_leaves_the_hold_and_the_buyer_pays_on_the_same_page() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card", "wechat_pay"], ..DriveSeed::default() }).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "fail"), ("method", "card")]).await, 200);
    shop.settle().await;
    let pending = shop.show(&person, &order).await;
    assert_eq!(
        (&pending["state"], &pending["payment"]["state"]),
        (&json!("pending_payment"), &json!("ready"))
    );
    shop.pay(&order).await;
    assert_eq!(shop.settled(&person, &order).await["state"], "fulfilled");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_the_plan_does_not_take_is_refused() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "pay"), ("method", "card")]).await, 400);
    let path = format!("/v1/orders/{}/payments", order["id"].as_str().unwrap());
    let attempt = |method: &str, key: &str| {
        shop.app.post(&path).bearer(&person.token).key(key).json(&json!({ "method": method })).send()
    };
    attempt("card", "1").await.refused(422, "method_not_offered");
    // The open page gives way to the new attempt, under the same hold.
    let again = attempt("wechat_pay", "2").await.ok(201);
    assert_eq!(again["payment"]["attempt"], 2);
    assert_eq!(attempt("wechat_pay", "2").await.ok(201)["payment"]["attempt"], 2);
    shop.settle().await;
    assert_eq!(shop.on_page(&order, &[("action", "pay")]).await, 409);
    let again = shop.show(&person, &order).await;
    assert_eq!(again["payment"]["expires_at"], order["payment"]["expires_at"]);
    shop.pay(&again).await;
    assert_eq!(shop.settled(&person, &order).await["state"], "fulfilled");
    assert_eq!(shop.pool(sale).await, (5_000, 0, 1));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_hold_ends_and_its_place_is_sold_again() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 1, ..DriveSeed::default() }).await;
    let slow = shop.app.member("slow@b.test").await;
    let order = shop.order(&slow, sale, "k").send().await.ok(201);
    let quick = shop.app.member("quick@b.test").await;
    shop.order(&quick, sale, "k").send().await.refused(409, "sold_out");
    shop.advance(TimeDelta::minutes(16)).await;
    let slow = shop.app.sign_in("slow@b.test").await;
    let expired = shop.show(&slow, &order).await;
    assert_eq!((&expired["state"], &expired["payment"]["state"]), (&json!("expired"), &json!("expired")));
    assert_eq!(shop.on_page(&order, &[("action", "pay")]).await, 409);
    let quick = shop.app.sign_in("quick@b.test").await;
    let order = shop.order(&quick, sale, "k").send().await.ok(201);
    shop.pay(&order).await;
    assert_eq!(shop.settled(&quick, &order).await["state"], "fulfilled");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_a_webhook_is_honoured_when_the_buyer_returns_or_the_hold_ends() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let waits = shop.app.member("waits@b.test").await;
    let order = shop.order(&waits, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "pay_unseen")]).await, 303);
    assert_eq!(shop.settled(&waits, &order).await["state"], "fulfilled");
    let leaves = shop.app.member("leaves@b.test").await;
    let order = shop.order(&leaves, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "pay_unseen")]).await, 303);
    shop.advance(TimeDelta::minutes(16)).await;
    let leaves = shop.app.sign_in("leaves@b.test").await;
    assert_eq!(shop.show(&leaves, &order).await["state"], "fulfilled");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reconciler_finds_what_a_lost_webhook_left() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { hold_minutes: 600, ..DriveSeed::default() }).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "pay_unseen")]).await, 303);
    shop.advance(TimeDelta::minutes(6)).await;
    assert_eq!(shop.show(&person, &order).await["state"], "fulfilled");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_money_keeps_the_hold_until_it_comes_or_fails() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 2, ..DriveSeed::default() }).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "pay_late"), ("delay", "86400")]).await, 303);
    shop.settle().await;
    assert_eq!(shop.show(&person, &order).await["payment"]["state"], "processing");
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    shop.app.post(&path).bearer(&person.token).key("c").send().await.refused(409, "payment_in_progress");
    shop.advance(TimeDelta::hours(1)).await;
    assert_eq!(shop.pool(sale).await, (2, 1, 0));
    shop.advance(TimeDelta::hours(24)).await;
    let person = shop.app.sign_in("a@b.test").await;
    assert_eq!(shop.show(&person, &order).await["state"], "fulfilled");
    let other = shop.app.member("other@b.test").await;
    let order = shop.order(&other, sale, "k").send().await.ok(201);
    assert_eq!(shop.on_page(&order, &[("action", "fail_late"), ("delay", "600")]).await, 303);
    shop.settle().await;
    shop.advance(TimeDelta::minutes(11)).await;
    let other = shop.app.sign_in("other@b.test").await;
    let failed = shop.show(&other, &order).await;
    assert_eq!(
        (&failed["state"], &failed["payment"]["state"]),
        (&json!("pending_payment"), &json!("failed"))
    );
    // The place is still held for another attempt, and goes back when none comes.
    assert_eq!(shop.pool(sale).await, (2, 1, 1));
    shop.advance(TimeDelta::minutes(20)).await;
    assert_eq!(shop.pool(sale).await, (2, 0, 1));
    shop.finish().await;
}

/// Lets the hold of a paid but unnoticed order end while Stripe can't be asked, so that the money comes late.
/// As if the order had been expired on the word of a Stripe that takes the money all the same.
pub async fn expire(shop: &Shop, order: &Value) {
    use diesel_async::SimpleAsyncConnection;
    let id = order["id"].as_str().unwrap().trim_start_matches("ord_").to_owned();
    let sql = format!(
        "UPDATE claims SET state = 'released', ended_at = created_at WHERE order_id = '{id}' AND state = 'held';
         UPDATE pools SET held = held - 1 WHERE id = (SELECT pool_id FROM claims WHERE order_id = '{id}' LIMIT 1);
         UPDATE series_places SET released_at = '2026-01-01T00:00:00Z' WHERE order_id = '{id}';
         UPDATE benefit_uses SET released_at = created_at WHERE order_id = '{id}';
         UPDATE payments SET state = 'expired' WHERE order_id = '{id}';
         UPDATE orders SET state = 'expired', closed_at = created_at WHERE id = '{id}'"
    );
    shop.app.conn().await.batch_execute(&sql).await.unwrap();
}

async fn pay_after_the_end(shop: &Shop, order: &Value) {
    expire(shop, order).await;
    shop.pay(order).await;
    shop.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_money_gets_a_place_again_or_goes_back() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 1, ..DriveSeed::default() }).await;
    let person = shop.app.member("late@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    pay_after_the_end(&shop, &order).await;
    assert_eq!(shop.show(&person, &order).await["state"], "fulfilled");
    assert_eq!(shop.pool(sale).await, (1, 0, 1));
    shop.finish().await;

    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 2, ..DriveSeed::default() }).await;
    let late = shop.app.member("late@b.test").await;
    let order = shop.order(&late, sale, "k").send().await.ok(201);
    shop.join("one@b.test", sale).await;
    let id = order["id"].as_str().unwrap().to_owned();
    {
        use diesel_async::SimpleAsyncConnection;
        let capacity = format!("UPDATE pools SET capacity = 1, held = 0 WHERE id = '{}'", sale.pool.0);
        let hold = format!("UPDATE pools SET held = 1 WHERE id = '{}'", sale.pool.0);
        // The quota was cut while the order was unpaid.
        let mut conn = shop.app.conn().await;
        conn.batch_execute(&capacity).await.unwrap();
        conn.batch_execute("ALTER TABLE pools DROP CONSTRAINT pools_within_capacity").await.unwrap();
        conn.batch_execute(&hold).await.unwrap();
    }
    pay_after_the_end(&shop, &order).await;
    let sent_back = shop.show(&late, &order).await;
    assert_eq!(sent_back["state"], "expired");
    assert_eq!(sent_back["refunds"][0]["reason"], "no_place_left");
    assert_eq!(sent_back["refunds"][0]["amount"]["amount"], 20_000);
    shop.advance(TimeDelta::hours(1)).await;
    let late = shop.app.sign_in("late@b.test").await;
    assert_eq!(shop.show(&late, &order).await["refunds"][0]["state"], "succeeded");
    assert_eq!(shop.simulator().book().refunded_minor, 20_000, "{id}");
    assert!(shop.membership(&late).await.is_none());
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_gives_its_place_back_and_money_that_slips_through_too() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { quota: 1, ..DriveSeed::default() }).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    shop.order(&person, sale, "k2").send().await.refused(409, "one_per_person");
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    let stranger = shop.app.member("x@b.test").await;
    shop.app.post(&path).bearer(&stranger.token).key("c").send().await.refused(404, "not_found");
    let cancelled = shop.app.post(&path).bearer(&person.token).key("c").send().await.ok(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(
        shop.app.post(&path).bearer(&person.token).key("c").send().await.ok(200)["state"],
        "cancelled"
    );
    shop.app.post(&path).bearer(&person.token).key("d").send().await.refused(409, "order_not_pending");
    assert_eq!(shop.pool(sale).await, (1, 0, 0));
    shop.settle().await;
    assert_eq!(shop.on_page(&order, &[("action", "pay")]).await, 409);
    // He pays in the same moment in which he cancels: Stripe can't expire a complete session.
    let order = shop.order(&person, sale, "again").send().await.ok(201);
    shop.simulator().inject(Fault::new("*", FaultKind::Drop).times(10));
    shop.pay(&order).await;
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    shop.app.post(&path).bearer(&person.token).key("e").send().await.ok(200);
    shop.settle().await;
    let order = shop.show(&person, &order).await;
    assert_eq!(
        (&order["state"], &order["refunds"][0]["reason"]),
        (&json!("cancelled"), &json!("order_closed"))
    );
    assert_eq!(shop.pool(sale).await, (1, 0, 0));
    shop.finish().await;
}
