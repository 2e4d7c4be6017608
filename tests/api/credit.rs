//! Store credit: it pays orders alone or with Stripe, comes back the way it went, and is never spent twice.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use kindred::checkout::credit::model::EntryKind;
use kindred::checkout::credit::service::{self as credit, Grant};
use kindred::db;
use kindred::schema::refunds;
use serde_json::{Value, json};

use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

/// An operator gives somebody so many yuan.
async fn give(mall: &Mall, person: &Person, amount_yuan: i64, key: &str) -> Answer {
    let body = json!({ "amount": yuan(amount_yuan), "reason": "For waiting." });
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/accounts/{}/credit", person.id);
    mall.shop.app.post(&path).bearer(&owner.token).key(key).json(&body).send().await
}

async fn rich(mall: &Mall, email: &str, amount_yuan: i64) -> Person {
    let person = mall.shop.app.member(email).await;
    give(mall, &person, amount_yuan, email).await.ok(201);
    person
}

/// In minor units: what can be spent.
async fn balance(mall: &Mall, person: &Person) -> i64 {
    let person = mall.shop.app.sign_in(&person.email).await;
    let view = mall.shop.app.get("/v1/me/credit").bearer(&person.token).send().await.ok(200);
    view["balance"]["amount"].as_i64().unwrap()
}

fn with(mall: &Mall, lines: &Value, credit_yuan: i64) -> Value {
    let mut body = mall.body(lines.clone());
    body["credit"] = json!(credit_yuan * 100);
    body
}

async fn order(mall: &Mall, person: &Person, key: &str, lines: &Value, credit_yuan: i64) -> Answer {
    let body = with(mall, lines, credit_yuan);
    mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
}

/// (total, credit, due) in minor units.
fn totals(priced: &Value) -> (i64, i64, i64) {
    let minor = |field: &str| priced["totals"][field]["amount"].as_i64().unwrap();
    (minor("total"), minor("credit"), minor("due"))
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    desk::post(mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(order)), key, body).await
}

/// (amount, into) of an order's refunds.
fn refunds_of(order: &Value) -> Vec<(i64, String)> {
    let of = |refund: &Value| {
        (refund["amount"]["amount"].as_i64().unwrap(), refund["into"].as_str().unwrap().to_owned())
    };
    order["refunds"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_pays_a_part_and_stripe_the_rest_and_refunds_go_back_card_first() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 30).await;
    let quote = mall.shop.app.post("/v1/quotes").bearer(&ada.token).json(&with(&mall, &tea, 30)).send().await;
    assert_eq!(totals(&quote.ok(200)), (10_000, 3_000, 7_000));
    let placed = order(&mall, &ada, "k", &tea, 30).await.ok(201);
    assert_eq!(totals(&placed), (10_000, 3_000, 7_000), "the quote is what is charged");
    assert_eq!(balance(&mall, &ada).await, 0, "it is held from now on");
    let used = placed["explanation"].as_array().unwrap().iter().find(|one| one["rule"] == "store_credit");
    assert_eq!(
        (&used.unwrap()["outcome"], &used.unwrap()["amount_minor"]),
        (&json!("applied"), &json!(3_000))
    );
    mall.shop.pay(&placed).await;
    mall.shop.settled(&ada, &placed).await;
    let charged: i64 = mall.shop.simulator().book().payments.iter().map(|payment| payment.amount_minor).sum();
    assert_eq!(charged, 7_000);

    refund(&mall, &placed, "r1", json!({ "amount": yuan(60), "reason": "Late." })).await.ok(201);
    mall.shop.settle().await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!(
        (&now["state"], refunds_of(&now)),
        (&json!("partly_refunded"), vec![(6_000, "payment".into())])
    );
    refund(&mall, &placed, "r2", json!({ "reason": "Lost." })).await.ok(201);
    refund(&mall, &placed, "r2", json!({ "reason": "Lost." })).await.ok(201);
    mall.shop.settle().await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!(now["state"], "refunded");
    assert_eq!(
        refunds_of(&now),
        [(6_000, "payment".into()), (1_000, "payment".into()), (3_000, "credit".into())],
        "what is left of the card, then credit; a repeat does nothing"
    );
    assert_eq!(balance(&mall, &ada).await, 3_000);
    refund(&mall, &placed, "r3", json!({ "reason": "Again." })).await.refused(409, "nothing_to_refund");
    let told = mall.shop.app.app.postbox.inbox().unwrap().all();
    let told = told.iter().filter(|mail| mail.to == ada.email && mail.subject.contains("40.00")).count();
    assert_eq!(told, 1, "one mail tells of both ways");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_alone_needs_no_page_and_comes_back_when_the_order_is_cancelled() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 250).await;
    let placed = order(&mall, &ada, "k", &tea, 250).await.ok(201);
    assert_eq!(totals(&placed), (10_000, 10_000, 0), "no more than it comes to");
    mall.shop.settle().await;
    let paid = mall.shop.show(&ada, &placed).await;
    assert_eq!((&paid["state"], &paid["payment"]["state"]), (&json!("paid"), &json!("not_needed")));
    assert!(mall.shop.simulator().book().payments.is_empty());
    desk::cancel(&mall, &ada, &placed, "c").await.ok(200);
    mall.shop.settle().await;
    let ended = mall.shop.show(&ada, &placed).await;
    assert_eq!((&ended["state"], refunds_of(&ended)), (&json!("refunded"), vec![(10_000, "credit".into())]));
    assert_eq!(balance(&mall, &ada).await, 25_000);
    // What Stripe was paid can become credit too, if the operator says so.
    let paid = mall.buy(&ada, "k2", tea).await;
    let into = json!({ "reason": "As you wished.", "into_credit": true });
    refund(&mall, &paid, "r", into).await.ok(201);
    assert_eq!(refunds_of(&mall.shop.show(&ada, &paid).await), [(10_000, "credit".into())]);
    assert_eq!(balance(&mall, &ada).await, 35_000);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rest_is_left_that_stripe_would_not_charge() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 98).await;
    let placed = order(&mall, &ada, "k", &tea, 98).await.ok(201);
    let (total, used, due) = totals(&placed);
    assert!(total == 10_000 && used < 9_800 && due >= 400 && used + due == total, "{used} {due}");
    let why = placed["explanation"].as_array().unwrap().iter().find(|one| one["rule"] == "store_credit");
    assert_eq!(why.unwrap()["reason"], "rest_too_small");
    // Credit that pays all of it may pay what is too little for Stripe.
    let pin = json!([{ "plan": mall.regular["id"] }]);
    let cheap = mall.product(
        "pin",
        "digital",
        json!([{ "sku": "PIN", "price": { "amount": 100, "currency": "CNY" } }]),
        json!({}),
    );
    let cheap = json!([{ "variant": cheap.await["variants"][0]["id"] }]);
    order(&mall, &ada, "k2", &cheap, 0).await.refused(422, "amount_too_small");
    assert_eq!(totals(&order(&mall, &ada, "k3", &cheap, 1).await.ok(201)), (100, 100, 0));
    order(&mall, &ada, "k4", &pin, 200).await.refused(409, "credit_insufficient");
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_orders_at_once_never_spend_more_than_there_is() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 100).await }]);
    let ada = rich(&mall, "ada@b.test", 250).await;
    let keys: Vec<_> = (0..30).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| order(&mall, &ada, key, &tea, 100))).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 2, "100 of 250 twice");
    for answer in refused {
        answer.refused(409, "credit_insufficient");
    }
    assert_eq!(balance(&mall, &ada).await, 5_000);
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ends_unpaid_gives_it_back_and_late_money_takes_it_again_if_it_is_there() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let mut late = Vec::new();
    for (email, spends) in [("ada@b.test", false), ("bao@b.test", true)] {
        let person = rich(&mall, email, 40).await;
        let placed = order(&mall, &person, "k", &tea, 40).await.ok(201);
        assert_eq!(mall.shop.on_page(&placed, &[("action", "pay_late"), ("delay", "400000")]).await, 303);
        late.push((person, placed, spends));
    }
    mall.shop.settle().await;
    mall.shop.advance(TimeDelta::days(3) + TimeDelta::minutes(20)).await;
    for (person, placed, spends) in &late {
        let person = mall.shop.app.sign_in(&person.email).await;
        assert_eq!(mall.shop.show(&person, placed).await["state"], "expired");
        assert_eq!(balance(&mall, &person).await, 4_000);
        if *spends {
            give(&mall, &person, -1, "spent").await.ok(201);
        }
    }
    mall.shop.advance(TimeDelta::days(2)).await;
    for (person, placed, spends) in &late {
        let person = mall.shop.app.sign_in(&person.email).await;
        let now = mall.shop.show(&person, placed).await;
        if *spends {
            assert_eq!((&now["state"], balance(&mall, &person).await), (&json!("expired"), 3_900));
            assert_eq!(refunds_of(&now), [(6_000, "payment".into())], "sent back as it came");
        } else {
            assert_eq!((&now["state"], balance(&mall, &person).await), (&json!("paid"), 0));
        }
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_give_and_take_what_is_there_once() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    give(&mall, &ada, 50, "k").await.ok(201);
    let again = give(&mall, &ada, 50, "k").await.ok(201);
    assert_eq!(again["balance"]["amount"], 5_000);
    give(&mall, &ada, 60, "k").await.refused(422, "idempotency_key_reused");
    give(&mall, &ada, -51, "t").await.refused(409, "credit_insufficient");
    let left = give(&mall, &ada, -20, "t").await.ok(201);
    assert_eq!((&left["balance"]["amount"], left["data"].as_array().unwrap().len()), (&json!(3_000), 2));
    assert_eq!(
        (&left["data"][0]["amount"]["amount"], &left["data"][0]["kind"]),
        (&json!(-2_000), &json!("operator"))
    );
    give(&mall, &ada, 0, "z").await.refused(422, "invalid_field");
    let path = format!("/v1/admin/accounts/{}/credit", ada.id);
    let euros = json!({ "amount": { "amount": 100, "currency": "EUR" }, "reason": "x" });
    desk::post(&mall, &mall.owner, &path, "e", euros).await.refused(422, "invalid_field");
    let nobody = "/v1/admin/accounts/acc_00000000000000000000000000000000/credit";
    let body = json!({ "amount": yuan(1), "reason": "x" });
    desk::post(&mall, &mall.owner, nobody, "n", body).await.refused(404, "not_found");

    // Twenty takings at once of what is there once.
    let take = json!({ "amount": yuan(-30), "reason": "Twice." });
    let one = async |n: usize| {
        desk::post(&mall, &mall.owner, &path, &format!("rush{n}"), take.clone()).await.status
    };
    let answers = join_all((0..20).map(one)).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(balance(&mall, &ada).await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_after_it_was_spent_is_owed_and_paid_by_what_comes_next() {
    let mall = Mall::open().await;
    let ada = rich(&mall, "ada@b.test", 20).await;
    let now = mall.shop.app.now();
    let back = async |minor: i64, cause: &str, owe: bool| {
        let (pool, account) = (&mall.shop.app.app.pool, ada.id);
        let cause = cause.to_owned();
        db::transaction(pool, async |conn| credit::claw_back(conn, account, minor, &cause, owe, now).await)
            .await
            .unwrap();
    };
    back(5_000, "reward:1", true).await;
    back(5_000, "reward:1", true).await;
    let view = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!((&view["balance"]["amount"], &view["owed"]["amount"]), (&json!(0), &json!(3_000)));
    back(1_000, "reward:2", false).await;
    let granted = |cause: &str| Grant {
        account: ada.id,
        amount_minor: 2_000,
        kind: EntryKind::Prize,
        cause: cause.to_owned(),
        order: None,
        reason: None,
    };
    let grants = [granted("prize:1"), granted("prize:2"), granted("prize:1")];
    for expected in [2, 0] {
        let pool = &mall.shop.app.app.pool;
        let written =
            db::transaction(pool, async |conn| credit::grant(conn, &grants, now).await).await.unwrap();
        assert_eq!(written.len(), expected, "a cause pays once");
    }
    let view = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!((&view["balance"]["amount"], &view["owed"]["amount"]), (&json!(1_000), &json!(0)));
    let page = mall.shop.app.get("/v1/me/credit?limit=2").bearer(&ada.token).send().await.ok(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    assert!(page["next_cursor"].is_string());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_none_cannot_spend_it_and_who_leaves_gives_it_up() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    order(&mall, &ada, "k", &tea, 1).await.refused(409, "credit_insufficient");
    order(&mall, &ada, "k", &tea, -1).await.refused(422, "invalid_field");
    mall.shop.app.get("/v1/me/credit").send().await.refused(401, "unauthenticated");
    give(&mall, &ada, 5, "k").await.ok(201);
    let leave =
        async |body: Value| mall.shop.app.delete("/v1/me").bearer(&ada.token).json(&body).send().await;
    leave(json!({ "password": PASSWORD })).await.refused(409, "credit_left");
    let answer = leave(json!({ "password": PASSWORD, "forfeit": true })).await;
    assert_eq!(answer.status, 204);
    mall.finish().await;
}

/// Somebody sends so much of an order's payment back at Stripe, without us.
async fn refund_at_stripe(mall: &Mall, order: &Value, amount_minor: i64) {
    let book = mall.shop.simulator().book();
    let paid =
        book.payments.iter().find(|payment| payment.order_id.as_deref() == order["id"].as_str()).unwrap();
    let form = format!("payment_intent={}&amount={amount_minor}", paid.payment_intent);
    let sent = mall.shop.app.client.post(format!("{}/v1/refunds", mall.shop.stripe.url));
    let sent =
        sent.bearer_auth("sk_test_simulated").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(sent.body(form).send().await.unwrap().status(), 200);
    mall.shop.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_sends_back_by_hand_ends_cards_and_undoes_credit() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 88, 10).await;
    let ada = rich(&mall, "ada@b.test", 40).await;
    // 60 by Stripe, 40 by credit; 80 back as credit, then 60 by hand: the credit is taken back again, and owed where it is spent.
    let placed = order(&mall, &ada, "k", &json!([{ "variant": tea }]), 40).await.ok(201);
    mall.shop.pay(&placed).await;
    mall.shop.settled(&ada, &placed).await;
    let body = json!({ "amount": yuan(80), "reason": "Broken.", "into_credit": true });
    refund(&mall, &placed, "r", body).await.ok(201);
    assert_eq!(balance(&mall, &ada).await, 8_000);
    give(&mall, &ada, -30, "spent").await.ok(201);
    refund_at_stripe(&mall, &placed, 6_000).await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!((&now["state"], &now["refunded"]["amount"]), (&json!("partly_refunded"), &json!(6_000)));
    let view = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!((&view["balance"]["amount"], &view["owed"]["amount"]), (&json!(0), &json!(3_000)));

    // A part of a card's money by hand: the card is worth nothing from then on. A redeemed one gives that part back.
    let card = json!([{ "gift_card": { "amount": yuan(100) } }]);
    let both = json!([{ "gift_card": { "amount": yuan(100) } }, { "variant": tea }]);
    let asleep = mall.buy(&ada, "card", card).await;
    mall.shop.settle().await;
    refund_at_stripe(&mall, &asleep, 3_000).await;
    assert_eq!(mall.shop.show(&ada, &asleep).await["lines"][0]["gift_card"]["state"], "void");
    let order = mall.buy(&ada, "both", both).await;
    mall.shop.settle().await;
    let code = mall.shop.app.app.postbox.inbox().unwrap().all();
    let code =
        code.into_iter().filter(|mail| mail.subject.contains("礼品卡")).max_by_key(|mail| mail.sent_at);
    let code = code.unwrap().text.lines().find(|line| line.split('-').count() == 4).unwrap().to_owned();
    let body = json!({ "code": code });
    let redeem = mall.shop.app.post("/v1/gift-cards/redeem").bearer(&ada.token).key("r").json(&body);
    assert_eq!(redeem.send().await.ok(200)["credit"]["balance"]["amount"], 7_000, "30 were owed");
    // The tea and its way of 12 can be refunded beside it, the card can't.
    refund(&mall, &order, "f", json!({ "lines": [{ "line": order["lines"][0]["id"] }], "reason": "x" }))
        .await
        .refused(409, "gift_card_redeemed");
    refund(&mall, &order, "a", json!({ "amount": yuan(20), "reason": "Dented." })).await.ok(201);
    mall.shop.settle().await;
    refund_at_stripe(&mall, &order, 18_000).await;
    assert_eq!(mall.shop.show(&ada, &order).await["state"], "refunded");
    let view = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!((&view["balance"]["amount"], &view["owed"]["amount"]), (&json!(0), &json!(3_000)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_that_stripe_refuses_can_be_refunded_again_as_credit() {
    let mall = Mall::open().await;
    let ada = rich(&mall, "ada@b.test", 40).await;
    let lines = json!([{ "gift_card": { "amount": yuan(100) } }]);
    let placed = order(&mall, &ada, "k", &lines, 40).await.ok(201);
    mall.shop.pay(&placed).await;
    mall.shop.settled(&ada, &placed).await;
    mall.shop.settle().await;
    mall.shop.simulator().set_refund_delay(TimeDelta::days(5));
    refund(&mall, &placed, "r", json!({ "reason": "Returned." })).await.ok(201);
    mall.shop.settle().await;
    let stripe_id: Option<String> = refunds::table
        .filter(refunds::payment_id.is_not_null())
        .select(refunds::stripe_refund_id)
        .first(&mut mall.shop.app.conn().await)
        .await
        .unwrap();
    let stripe_id = stripe_id.unwrap();
    mall.shop.simulator().settle_refund(&stripe_id, false).unwrap();
    mall.shop.settle().await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!((&now["state"], &now["refunded"]["amount"]), (&json!("partly_refunded"), &json!(4_000)));
    refund(&mall, &placed, "again", json!({ "reason": "Returned.", "into_credit": true })).await.ok(201);
    assert_eq!(mall.shop.show(&ada, &placed).await["state"], "refunded");
    assert_eq!(balance(&mall, &ada).await, 10_000);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_may_leave_little_where_credit_pays_it() {
    let mall = Mall::open().await;
    let product = mall.product("pin", "digital", json!([{ "sku": "PIN", "price": yuan(5) }]), json!({}));
    let lines = json!([{ "variant": product.await["variants"][0]["id"] }]);
    let campaign = json!({
        "code": "three", "names": { "zh-CN": "三元", "en": "Three" }, "class": "product", "automatic": true,
        "benefit": { "kind": "amount", "off": yuan(3) },
    });
    desk::post(&mall, &mall.owner, "/v1/admin/coupon-campaigns", "c", campaign).await.ok(201);
    let ada = rich(&mall, "ada@b.test", 10).await;
    let quote = async |credit_yuan: i64| {
        let body = with(&mall, &lines, credit_yuan);
        totals(&mall.shop.app.post("/v1/quotes").bearer(&ada.token).json(&body).send().await.ok(200))
    };
    assert_eq!(quote(0).await, (500, 0, 500), "two yuan can't be charged");
    assert_eq!(quote(2).await, (200, 200, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_credit_pays_alone_says_that_it_wont_renew() {
    let mall = Mall::open().await;
    let plan = json!({
        "code": "renewing", "tier": mall.regular["tier"], "term": "P1Y", "price": yuan(100), "renews": "card",
        "payment_methods": ["card"], "open_sale": true,
    });
    let plan = mall.shop.app.make(&mall.owner, "/v1/admin/plans", &plan).await;
    let ada = rich(&mall, "ada@b.test", 100).await;
    let lines = json!([{ "plan": plan["id"] }]);
    let renewal = |priced: &Value| {
        let rules = priced["explanation"].as_array().unwrap();
        rules.iter().find(|rule| rule["rule"] == "renewal").map(|rule| rule["reason"].clone())
    };
    for (credit_yuan, said) in [(0, None), (50, None), (100, Some(json!("no_card_kept")))] {
        let body = with(&mall, &lines, credit_yuan);
        let quote = mall.shop.app.post("/v1/quotes").bearer(&ada.token).json(&body).send().await.ok(200);
        assert_eq!(renewal(&quote), said);
    }
    let placed = order(&mall, &ada, "k", &lines, 100).await.ok(201);
    assert_eq!((totals(&placed), renewal(&placed)), ((10_000, 10_000, 0), Some(json!("no_card_kept"))));
    mall.shop.settle().await;
    mall.finish().await;
}
