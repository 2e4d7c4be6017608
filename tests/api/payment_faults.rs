//! Every call to Stripe and every event from it: failed, timed out, repeated, late, lost, forged.

use chrono::TimeDelta;
use kindred::dev::stripe::{Fault, FaultKind};
use kindred::people::operators::rules::Role;
use kindred::schema::{jobs, stripe_events};
use kindred_stripe::webhook;
use serde_json::{Value, json};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::support::Person;
use crate::support::shop::{DriveSeed, Shop, WEBHOOK_SECRET, order_body};

async fn place(shop: &Shop, faults: &[Fault]) -> (Person, Value) {
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    for fault in faults {
        shop.simulator().inject(fault.clone());
    }
    let order =
        shop.app.post("/v1/orders").bearer(&person.token).key("k").json(&order_body(sale)).send().await;
    (person, order.ok(201))
}

/// The page comes in the end, one session was made, and it can be paid.
async fn is_payable_at_last(shop: &Shop, person: &Person, order: &Value) {
    // The job tries again after seconds of the shop's time.
    for _ in 0..4 {
        shop.advance(TimeDelta::seconds(40)).await;
    }
    let order = shop.show(person, order).await;
    assert_eq!(order["payment"]["state"], "ready", "{order}");
    shop.pay(&order).await;
    assert_eq!(shop.settled(person, &order).await["state"], "fulfilled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_stripe_fails_to_make_is_made_later() {
    for status in [429, 500, 503] {
        let shop = Shop::open().await;
        let (person, order) = place(&shop, &[Fault::status("create_checkout", status).times(4)]).await;
        assert_eq!(order["payment"]["state"], "preparing");
        is_payable_at_last(&shop, &person, &order).await;
        shop.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_second_session() {
    for fault in [FaultKind::AnswerLost, FaultKind::BadGateway] {
        let shop = Shop::open().await;
        let (person, order) = place(&shop, &[Fault::new("create_checkout", fault).times(4)]).await;
        is_payable_at_last(&shop, &person, &order).await;
        let sessions = shop.simulator().book().sessions;
        assert_eq!((sessions.open, sessions.complete, sessions.expired), (0, 1, 0));
        shop.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_fails_the_attempt_and_the_place_goes_back_in_the_end() {
    let shop = Shop::open().await;
    let (person, order) = place(&shop, &[Fault::status("create_checkout", 400)]).await;
    shop.settle().await;
    let failed = shop.show(&person, &order).await;
    assert_eq!(
        (&failed["state"], &failed["payment"]["state"]),
        (&json!("pending_payment"), &json!("failed"))
    );
    let path = format!("/v1/orders/{}/payments?wait=payment", order["id"].as_str().unwrap());
    let again = shop.app.post(&path).bearer(&person.token).key("2").json(&json!({})).send().await.ok(201);
    shop.pay(&again).await;
    assert_eq!(shop.settled(&person, &order).await["state"], "fulfilled");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_stripe_cannot_be_asked_the_hold_stays() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    shop.order(&person, sale, "k").send().await.ok(201);
    shop.simulator().inject(Fault::status("expire_checkout", 503).times(1_000));
    shop.advance(TimeDelta::minutes(16)).await;
    assert_eq!(shop.pool(sale).await, (5_000, 1, 0));
    shop.simulator().clear_faults();
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    shop.finish().await;
}

/// Stripe keeps a 500 with its key and answers it again for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_though_stripe_failed_to_expire_its_page() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    shop.order(&person, sale, "k").send().await.ok(201);
    shop.simulator().inject(Fault::status("expire_checkout", 500));
    shop.advance(TimeDelta::minutes(20)).await;
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_stripe_fails_to_make_is_made_later() {
    let shop = Shop::open().await;
    let renewing = DriveSeed { renews: "card", methods: vec!["card"], ..DriveSeed::default() };
    let sale = shop.drive(renewing).await;
    let person = shop.app.member("a@b.test").await;
    shop.simulator().inject(Fault::status("create_customer", 500));
    let mut body = order_body(sale);
    body["consents"] = json!({ "renewal": true });
    let order = shop.app.post("/v1/orders").bearer(&person.token).key("k").json(&body).send().await.ok(201);
    is_payable_at_last(&shop, &person, &order).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_twice_late_and_out_of_order_make_no_difference() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    for (index, fault) in [FaultKind::Duplicate, FaultKind::Reorder, FaultKind::TwoV1].into_iter().enumerate()
    {
        shop.simulator().inject(Fault::new("*", fault));
        shop.join(&format!("p{index}@b.test"), sale).await;
    }
    let person = shop.app.member("late@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    shop.simulator().inject(Fault::new("*", FaultKind::Late).seconds(3_600.0).times(10));
    shop.pay(&order).await;
    // The hold's end comes first and asks Stripe; the late event then finds nothing to do.
    shop.advance(TimeDelta::minutes(20)).await;
    shop.advance(TimeDelta::minutes(60)).await;
    let person = shop.app.sign_in("late@b.test").await;
    assert_eq!(shop.show(&person, &order).await["state"], "fulfilled");
    assert_eq!(shop.pool(sale).await, (5_000, 0, 4));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_stale_events_are_refused_and_leave_nothing() {
    let shop = Shop::open().await;
    let now = shop.app.app.clock.now().timestamp();
    let payload = json!({ "id": "evt_forged", "object": "event", "type": "checkout.session.completed",
        "data": { "object": { "id": "cs_1", "object": "checkout.session" } } })
    .to_string();
    let send = |signature: Option<String>| {
        let request = shop.app.post("/v1/stripe/webhooks").raw("application/json", payload.clone());
        match signature {
            Some(signature) => request.header("Stripe-Signature", &signature).send(),
            None => request.send(),
        }
    };
    for signature in [
        None,
        Some(String::new()),
        Some("t=1,v1=00".to_owned()),
        Some(webhook::sign(payload.as_bytes(), "whsec_other", now)),
        Some(webhook::sign(payload.as_bytes(), WEBHOOK_SECRET, now - 301)),
        Some(webhook::sign(b"another body", WEBHOOK_SECRET, now)),
    ] {
        send(signature).await.refused(400, "signature_invalid");
    }
    let kept: i64 = stripe_events::table.count().get_result(&mut shop.app.conn().await).await.unwrap();
    assert_eq!(kept, 0);
    // Authentic, but somebody else's: kept and ignored, each once.
    for _ in 0..2 {
        send(Some(webhook::sign(payload.as_bytes(), WEBHOOK_SECRET, now))).await.ok(200);
    }
    shop.settle().await;
    let mut conn = shop.app.conn().await;
    let states: Vec<String> =
        stripe_events::table.select(stripe_events::state).load(&mut conn).await.unwrap();
    assert_eq!(states, ["ignored"]);
    let too_large = vec![b'x'; 1024 * 1024 + 1];
    let answer = shop.app.post("/v1/stripe/webhooks").raw("application/json", too_large).send().await;
    answer.refused(413, "body_too_large");
    drop(conn);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_about_something_not_known_yet_is_parked_and_then_let_go() {
    let shop = Shop::open().await;
    let payload =
        json!({ "id": "evt_parked", "object": "event", "type": "checkout.session.completed", "created": 1,
        "data": { "object": { "id": "cs_2", "object": "checkout.session",
            "metadata": { "order_id": "ord_x", "payment_id": kindred::types::id::PaymentId::new() } } } })
        .to_string();
    let signature = webhook::sign(payload.as_bytes(), WEBHOOK_SECRET, shop.app.app.clock.now().timestamp());
    let request = shop.app.post("/v1/stripe/webhooks").raw("application/json", payload);
    request.header("Stripe-Signature", &signature).send().await.ok(200);
    shop.settle().await;
    let state = async || -> String {
        let query = stripe_events::table.find("evt_parked").select(stripe_events::state);
        query.first(&mut shop.app.conn().await).await.unwrap()
    };
    assert_eq!(state().await, "parked");
    shop.advance(TimeDelta::minutes(61)).await;
    assert_eq!(state().await, "ignored");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_in_full_by_amount_and_never_more_than_was_captured() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card"], ..DriveSeed::default() }).await;
    let (person, order) = shop.join("a@b.test", sale).await;
    let manager = shop.app.operator(Role::Manager).await;
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let refund =
        |key: &str, body: Value| shop.app.post(&path).bearer(&manager.token).key(key).json(&body).send();
    let money = |amount: i64| json!({ "amount": amount, "currency": "CNY" });
    let stranger =
        shop.app.post(&path).bearer(&person.token).key("x").json(&json!({ "reason": "r" })).send().await;
    stranger.refused(403, "forbidden");
    refund("0", json!({ "reason": " " })).await.refused(422, "invalid_field");
    refund("1", json!({ "reason": "r", "amount": money(20_001) }))
        .await
        .refused(409, "refund_exceeds_captured");
    // Many at once: together never more than what was captured.
    let keys = ["a", "b", "c", "d", "e"];
    let asked = keys.map(|key| refund(key, json!({ "reason": "r", "amount": money(6_000) })));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    shop.settle().await;
    let partly = shop.show(&person, &order).await;
    assert_eq!(
        (&partly["state"], &partly["refunded"]["amount"]),
        (&json!("partly_refunded"), &json!(18_000))
    );
    assert!(shop.membership(&person).await.is_some());
    let rest = refund("rest", json!({ "reason": "goodwill", "restock": true })).await.ok(201);
    assert_eq!(rest["amount"], money(2_000));
    assert_eq!(
        refund("rest", json!({ "reason": "goodwill", "restock": true })).await.ok(201)["id"],
        rest["id"]
    );
    shop.settle().await;
    let refunded = shop.show(&person, &order).await;
    assert_eq!(refunded["state"], "refunded");
    assert!(refunded["refunds"].as_array().unwrap().iter().all(|refund| refund["state"] == "succeeded"));
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    assert_eq!(shop.simulator().book().refunded_minor, 20_000);
    assert!(shop.membership(&person).await.is_none_or(|membership| membership["state"] == "expired"));
    refund("more", json!({ "reason": "r" })).await.refused(409, "nothing_to_refund");
    // A key is for one order.
    let (_, other) = shop.join("other@b.test", sale).await;
    let other = format!("/v1/admin/orders/{}/refunds", other["id"].as_str().unwrap());
    let body = json!({ "reason": "goodwill" });
    let reused = shop.app.post(&other).bearer(&manager.token).key("rest").json(&body).send().await;
    reused.refused(422, "idempotency_key_reused");
    assert_eq!(shop.simulator().book().refunded_minor, 20_000);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_answers_badly_is_paid_once() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card"], ..DriveSeed::default() }).await;
    let manager = shop.app.operator(Role::Manager).await;
    for (index, fault) in
        [Fault::status("create_refund", 500), Fault::new("create_refund", FaultKind::AnswerLost)]
            .iter()
            .enumerate()
    {
        let (person, order) = shop.join(&format!("p{index}@b.test"), sale).await;
        shop.simulator().inject(fault.clone().times(4));
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let body = json!({ "reason": "r" });
        let key = format!("k{index}");
        shop.app.post(&path).bearer(&manager.token).key(&key).json(&body).send().await.ok(201);
        for _ in 0..4 {
            shop.advance(TimeDelta::seconds(40)).await;
        }
        let order = shop.show(&person, &order).await;
        assert_eq!(order["refunds"][0]["state"], "succeeded", "{order}");
        assert_eq!(shop.simulator().book().refunded_minor, 20_000 * i64::try_from(index + 1).unwrap());
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_later_counts_no_longer() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let (person, order) = shop.join("a@b.test", sale).await;
    let manager = shop.app.operator(Role::Manager).await;
    shop.simulator().set_refund_delay(TimeDelta::days(5));
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let body = json!({ "reason": "r" });
    shop.app.post(&path).bearer(&manager.token).key("k").json(&body).send().await.ok(201);
    shop.settle().await;
    let pending = shop.show(&person, &order).await;
    assert_eq!((&pending["state"], &pending["refunds"][0]["state"]), (&json!("refunded"), &json!("pending")));
    let stripe_id: Option<String> = kindred::schema::refunds::table
        .select(kindred::schema::refunds::stripe_refund_id)
        .first(&mut shop.app.conn().await)
        .await
        .unwrap();
    shop.simulator().settle_refund(&stripe_id.unwrap(), false).unwrap();
    shop.settle().await;
    let failed = shop.show(&person, &order).await;
    assert_eq!((&failed["state"], &failed["refunds"][0]["state"]), (&json!("fulfilled"), &json!("failed")));
    assert_eq!(failed["refunded"]["amount"], 0);
    shop.app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_in_grace_leaves_as_much_of_it_as_there_was() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card"], ..DriveSeed::default() }).await;
    let (person, _) = shop.join("a@b.test", sale).await;
    let ends_at = shop.membership(&person).await.unwrap()["ends_at"].as_str().unwrap().to_owned();
    let ends_at: chrono::DateTime<chrono::Utc> = ends_at.parse().unwrap();
    let state = async || {
        let person = shop.app.sign_in("a@b.test").await;
        shop.membership(&person).await.unwrap()["state"].clone()
    };
    shop.advance(ends_at - shop.app.now() + TimeDelta::days(3)).await;
    let paid = shop.simulator().book().payments.remove(0);
    let dispute = shop.simulator().open_dispute(&paid.payment_intent, "fraudulent").unwrap();
    shop.settle().await;
    shop.advance(TimeDelta::days(30)).await;
    assert_eq!(state().await, "frozen");
    shop.simulator().close_dispute(&dispute, "won").unwrap();
    shop.settle().await;
    assert_eq!(state().await, "grace");
    shop.advance(TimeDelta::days(4) - TimeDelta::hours(1)).await;
    assert_eq!(state().await, "grace");
    shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(state().await, "expired");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_freezes_and_its_end_resumes_or_revokes() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card"], ..DriveSeed::default() }).await;
    shop.app.operator(Role::Owner).await;
    for (email, end, state) in [("w@b.test", "won", "active"), ("l@b.test", "lost", "revoked")] {
        let (person, order) = shop.join(email, sale).await;
        let book = shop.simulator().book();
        let order_id = order["id"].as_str().unwrap();
        let paid =
            book.payments.iter().find(|payment| payment.order_id.as_deref() == Some(order_id)).unwrap();
        let dispute = shop.simulator().open_dispute(&paid.payment_intent, "fraudulent").unwrap();
        shop.settle().await;
        assert_eq!(shop.membership(&person).await.unwrap()["state"], "frozen");
        shop.simulator().close_dispute(&dispute, end).unwrap();
        shop.settle().await;
        let now = shop.membership(&person).await.map(|membership| membership["state"].clone());
        assert!(now == Some(json!(state)) || (state == "revoked" && now.is_none()), "{now:?}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_not_the_orders_goes_back() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    {
        use diesel_async::SimpleAsyncConnection;
        // As if the page had been made for another amount than the order's.
        let sql = "UPDATE orders SET subtotal_minor = 25000, total_minor = 25000, due_minor = 25000;
                   UPDATE order_lines SET unit_price_minor = 25000, total_minor = 25000;
                   UPDATE payments SET amount_minor = 25000";
        shop.app.conn().await.batch_execute(sql).await.unwrap();
    }
    shop.pay(&order).await;
    shop.settle().await;
    let order = shop.show(&person, &order).await;
    assert_eq!(
        (&order["state"], &order["refunds"][0]["reason"]),
        (&json!("cancelled"), &json!("amount_differs"))
    );
    assert_eq!(order["refunds"][0]["amount"]["amount"], 20_000);
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_which_nothing_is_due_needs_no_stripe() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { price_minor: 0, ..DriveSeed::default() }).await;
    let person = shop.app.member("a@b.test").await;
    let order = shop.order(&person, sale, "k").send().await.ok(201);
    assert_eq!(order["payment"]["state"], "not_needed");
    assert_eq!(shop.settled(&person, &order).await["state"], "fulfilled");
    assert!(shop.simulator().requests().iter().all(|call| call.m != "POST"));
    let asked: i64 = jobs::table
        .filter(jobs::kind.eq("open_checkout"))
        .count()
        .get_result(&mut shop.app.conn().await)
        .await
        .unwrap();
    assert_eq!(asked, 0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_renews_by_card_has_a_customer_and_saves_the_card() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed { methods: vec!["card"], renews: "card", ..DriveSeed::default() }).await;
    let (person, _) = shop.join("a@b.test", sale).await;
    let calls = shop.simulator().requests();
    let created =
        calls.iter().find(|call| call.p.ends_with("/checkout/sessions") && call.m == "POST").unwrap();
    assert!(created.b.contains("customer=cus_") && created.b.contains("setup_future_usage"), "{}", created.b);
    let customer: Option<String> = kindred::schema::accounts::table
        .find(person.id)
        .select(kindred::schema::accounts::stripe_customer_id)
        .first(&mut shop.app.conn().await)
        .await
        .unwrap();
    assert!(customer.unwrap().starts_with("cus_"));
    shop.finish().await;
}
