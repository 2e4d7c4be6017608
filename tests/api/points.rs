//! Points: what orders and days earn, what they pay, what comes back, and what time takes.

use chrono::{Days, NaiveDate, TimeDelta};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::guests::filled;
use crate::support::catalog::text_sql;
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

/// Changes the programme as it stands.
async fn change(mall: &Mall, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = "/v1/admin/points-programme";
    let seen = mall.shop.app.get(path).bearer(&owner.token).send().await;
    let etag = seen.header("etag").to_owned();
    mall.shop.app.patch(path).bearer(&owner.token).header("If-Match", &etag).json(&body).send().await
}

/// A shop that gives a point for each yuan, of which 100 are worth a yuan, up to half of an order.
async fn open() -> Mall {
    let mall = Mall::open().await;
    let worth = json!({ "points": 100, "pay": yuan(1), "at_least": 100, "share_percent": "50" });
    let body = json!({ "is_on": true, "rate": "1", "level_rate": "2", "worth": worth, "lasts_months": 12 });
    change(&mall, body).await.ok(200);
    mall
}

/// An operator's hand in somebody's points.
async fn adjust(mall: &Mall, person: &Person, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let mut body = body;
    body["reason"] = json!("For waiting.");
    desk::post(mall, &owner, &format!("/v1/admin/accounts/{}/points", person.id), key, body).await
}

async fn rich(mall: &Mall, email: &str, points: i64) -> Person {
    let person = mall.shop.app.member(email).await;
    adjust(mall, &person, email, json!({ "points": points })).await.ok(201);
    person
}

/// (active, pending, owed).
async fn stands(mall: &Mall, person: &Person) -> (i64, i64, i64) {
    let person = mall.shop.app.sign_in(&person.email).await;
    let seen = desk::get(mall, &person, "/v1/me/points").await.ok(200);
    let of = |field: &str| seen[field].as_i64().unwrap();
    (of("active"), of("pending"), of("owed"))
}

async fn order(mall: &Mall, person: &Person, key: &str, lines: &Value, points: i64) -> Answer {
    let mut body = mall.body(lines.clone());
    body["points"] = json!(points);
    mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
}

/// Orders, pays, and the order as it then is.
async fn buy(mall: &Mall, person: &Person, key: &str, lines: &Value, points: i64) -> Value {
    let placed = order(mall, person, key, lines, points).await.ok(201);
    mall.shop.pay(&placed).await;
    mall.shop.settled(person, &placed).await;
    mall.shop.settle().await;
    mall.shop.show(person, &placed).await
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let mut body = body;
    body["reason"] = json!("Broken.");
    desk::post(mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(order)), key, body).await
}

/// The bank sends a refund back, which had succeeded.
async fn fail_refund(mall: &Mall, refund: &Value) {
    let named = format!("'ref_' || replace(id::text, '-', '') = '{}'", id(refund));
    let sql = format!("SELECT stripe_refund_id AS text FROM refunds WHERE {named}");
    let stripe = text_sql(&mut *mall.shop.app.conn().await, &sql).await;
    mall.shop.simulator().settle_refund(&stripe, false).unwrap();
    mall.shop.settle().await;
}

/// (total, points, points spent, due).
fn totals(priced: &Value) -> (i64, i64, i64, i64) {
    let minor = |field: &str| priced["totals"][field]["amount"].as_i64().unwrap();
    (minor("total"), minor("points"), priced["totals"]["points_spent"].as_i64().unwrap(), minor("due"))
}

/// What the explanation says by this rule: (outcome, reason, amount).
fn told(priced: &Value, rule: &str) -> Option<(String, String, i64)> {
    let all = priced["explanation"].as_array().unwrap();
    let one = all.iter().find(|one| one["rule"] == rule)?;
    let text = |field: &str| one[field].as_str().unwrap().to_owned();
    Some((text("outcome"), text("reason"), one["amount_minor"].as_i64().unwrap()))
}

/// (amount, into, points) of an order's refunds.
fn refunds_of(order: &Value) -> Vec<(i64, String, Option<i64>)> {
    let of = |refund: &Value| {
        let into = refund["into"].as_str().unwrap().to_owned();
        (refund["amount"]["amount"].as_i64().unwrap(), into, refund["points"].as_i64())
    };
    order["refunds"].as_array().unwrap().iter().map(of).collect()
}

/// Sent, delivered, and beyond what can be sent back.
async fn make_final(mall: &Mall, order: &Value) {
    desk::send(mall, order).await;
    mall.shop.advance(TimeDelta::days(16)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_earns_when_nothing_of_it_can_be_sent_back_any_more() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await, "quantity": 2 }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    let quote = mall.quote(&ada, tea.clone()).await.ok(200);
    // 176.00 of goods; the parcel earns nothing.
    assert_eq!(told(&quote, "earns_points"), Some(("applied".into(), "usual_rate".into(), 176)));
    assert_eq!(told(&quote, "earns_level_points").unwrap().2, 352);
    let placed = buy(&mall, &ada, "k", &tea, 0).await;
    assert_eq!(stands(&mall, &ada).await, (0, 176, 0));
    order(&mall, &ada, "k2", &tea, 100).await.refused(409, "points_insufficient");
    mall.shop.advance(TimeDelta::days(20)).await;
    assert_eq!(stands(&mall, &ada).await, (0, 176, 0), "it isn't sent yet");
    make_final(&mall, &placed).await;
    assert_eq!(stands(&mall, &ada).await, (176, 0, 0));
    let ada = mall.shop.app.sign_in(&ada.email).await;
    let seen = desk::get(&mall, &ada, "/v1/me/points/entries").await.ok(200);
    let kinds: Vec<_> = seen["data"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, [json!("matured"), json!("earned")]);
    assert_eq!(
        (&seen["data"][0]["level"], &seen["data"][0]["order"]),
        (&json!(352), &placed["id"]),
        "level points count from when they are final"
    );
    let expiring = desk::get(&mall, &ada, "/v1/me/points").await.ok(200)["expiring"].clone();
    assert_eq!((expiring.as_array().unwrap().len(), &expiring[0]["points"]), (1, &json!(176)));
    // Money that goes back now takes its points with it.
    refund(&mall, &placed, "r", json!({ "amount": yuan(88) })).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (88, 0, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_before_it_is_final_is_never_earned() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await, "quantity": 2 }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    let half = buy(&mall, &ada, "k", &tea, 0).await;
    let whole = buy(&mall, &ada, "k2", &tea, 0).await;
    assert_eq!(stands(&mall, &ada).await, (0, 352, 0));
    refund(&mall, &half, "r", json!({ "amount": yuan(88) })).await.ok(201);
    refund(&mall, &whole, "r2", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (0, 88, 0));
    // One refund fails at the bank, weeks later: its points are there again.
    make_final(&mall, &half).await;
    assert_eq!(stands(&mall, &ada).await, (88, 0, 0));
    let refund = mall.shop.show(&mall.shop.app.sign_in(&ada.email).await, &half).await["refunds"][0].clone();
    fail_refund(&mall, &refund).await;
    assert_eq!(stands(&mall, &ada).await, (176, 0, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_pay_a_share_in_whole_steps_and_come_back_last() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 9_050).await;
    let priced = async |points: i64| {
        let mut body = mall.body(tea.clone());
        body["points"] = json!(points);
        mall.shop.app.post("/v1/quotes").bearer(&ada.token).json(&body).send().await.ok(200)
    };
    // 100.00 with the parcel: half of it at most, 100 points for a yuan.
    let quote = priced(9_050).await;
    assert_eq!(totals(&quote), (10_000, 5_000, 5_000, 5_000));
    assert_eq!(told(&quote, "points"), Some(("applied".into(), "points_share".into(), 5_000)));
    assert_eq!(told(&quote, "earns_points").unwrap().2, 38, "what points pay earns none");
    assert_eq!(totals(&priced(1_270).await), (10_000, 1_200, 1_200, 8_800));
    let few = priced(99).await;
    assert_eq!((totals(&few).1, told(&few, "points").unwrap().1), (0, "points_step".to_owned()));
    let placed = buy(&mall, &ada, "k", &tea, 3_000).await;
    assert_eq!(totals(&placed), (10_000, 3_000, 3_000, 7_000));
    assert_eq!(stands(&mall, &ada).await, (6_050, 58, 0));
    let charged: i64 = mall.shop.simulator().book().payments.iter().map(|payment| payment.amount_minor).sum();
    assert_eq!(charged, 7_000);

    // The line's money first (88.00 less what points paid), then its points.
    refund(&mall, &placed, "r1", json!({ "amount": yuan(60) })).await.ok(201);
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!(refunds_of(&now), [(5_800, "payment".into(), None), (200, "points".into(), Some(200))]);
    refund(&mall, &placed, "r2", json!({})).await.ok(201);
    refund(&mall, &placed, "r2", json!({})).await.ok(201);
    mall.shop.settle().await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!(now["state"], "refunded");
    assert_eq!(
        refunds_of(&now)[2..],
        [(1_200, "payment".into(), None), (2_800, "points".into(), Some(2_800))]
    );
    assert_eq!(stands(&mall, &ada).await, (9_050, 0, 0));
    let told = mall.shop.app.app.postbox.inbox().unwrap().all();
    assert!(told.iter().any(|mail| mail.to == ada.email && mail.text.contains("2800")), "a mail says so");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_the_bank_sent_back_again_is_still_money() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 3_000).await;
    let placed = buy(&mall, &ada, "k", &tea, 3_000).await;
    refund(&mall, &placed, "r", json!({})).await.ok(201);
    mall.shop.settle().await;
    fail_refund(&mall, &mall.shop.show(&ada, &placed).await["refunds"][0]).await;
    // The points are back, the money isn't: it still earns, and goes back as money.
    assert_eq!(stands(&mall, &ada).await, (3_000, 58, 0));
    refund(&mall, &placed, "r2", json!({})).await.ok(201);
    mall.shop.settle().await;
    let now = mall.shop.show(&ada, &placed).await;
    assert_eq!(refunds_of(&now)[2..], [(7_000, "payment".into(), None)]);
    assert_eq!((&now["state"], stands(&mall, &ada).await), (&json!("refunded"), (3_000, 0, 0)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_credit_and_card_pay_together_and_go_back_card_credit_points() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = rich(&mall, "ada@b.test", 2_000).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let credit = json!({ "amount": yuan(30), "reason": "For waiting." });
    desk::post(&mall, &owner, &format!("/v1/admin/accounts/{}/credit", ada.id), "c", credit).await.ok(201);
    let mut body = mall.body(tea);
    (body["points"], body["credit"]) = (json!(2_000), json!(3_000));
    let placed = mall.shop.app.post("/v1/orders?wait=payment").bearer(&ada.token).key("k").json(&body);
    let placed = placed.send().await.ok(201);
    assert_eq!(totals(&placed), (10_000, 2_000, 2_000, 5_000));
    mall.shop.pay(&placed).await;
    mall.shop.settled(&ada, &placed).await;
    mall.shop.settle().await;
    refund(&mall, &placed, "r", json!({})).await.ok(201);
    mall.shop.settle().await;
    let parts = [
        (5_000, "payment".to_owned(), None),
        (3_000, "credit".to_owned(), None),
        (2_000, "points".to_owned(), Some(2_000)),
    ];
    assert_eq!(refunds_of(&mall.shop.show(&ada, &placed).await), parts);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tabs_at_once_never_spend_more_than_there_is() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 100).await }]);
    let ada = rich(&mall, "ada@b.test", 11_000).await;
    let keys: Vec<_> = (0..30).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| order(&mall, &ada, key, &tea, 5_000))).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 2, "5,000 of 11,000 twice");
    for answer in refused {
        answer.refused(409, "points_insufficient");
    }
    assert_eq!(stands(&mall, &ada).await.0, 1_000);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ends_unpaid_gives_them_back_and_late_money_takes_them_again_if_they_are_there() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let mut late = Vec::new();
    for (email, spends) in [("ada@b.test", false), ("bao@b.test", true)] {
        let person = rich(&mall, email, 4_000).await;
        let placed = order(&mall, &person, "k", &tea, 4_000).await.ok(201);
        assert_eq!(mall.shop.on_page(&placed, &[("action", "pay_late"), ("delay", "400000")]).await, 303);
        late.push((person, placed, spends));
    }
    mall.shop.settle().await;
    mall.shop.advance(TimeDelta::days(3) + TimeDelta::minutes(20)).await;
    for (person, placed, spends) in &late {
        let person = mall.shop.app.sign_in(&person.email).await;
        assert_eq!(mall.shop.show(&person, placed).await["state"], "expired");
        assert_eq!(stands(&mall, &person).await, (4_000, 0, 0));
        if *spends {
            adjust(&mall, &person, "spent", json!({ "points": -1 })).await.ok(201);
        }
    }
    mall.shop.advance(TimeDelta::days(2)).await;
    for (person, placed, spends) in &late {
        let person = mall.shop.app.sign_in(&person.email).await;
        let now = mall.shop.show(&person, placed).await;
        if *spends {
            assert_eq!((&now["state"], stands(&mall, &person).await), (&json!("expired"), (3_999, 0, 0)));
            assert_eq!(refunds_of(&now), [(6_000, "payment".into(), None)], "sent back as it came");
        } else {
            assert_eq!((&now["state"], stands(&mall, &person).await), (&json!("paid"), (0, 48, 0)));
        }
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_is_worth_the_money_in_it() {
    let mall = open().await;
    let ada = rich(&mall, "ada@b.test", 5_000).await;
    let plan = json!([{ "plan": mall.regular["id"] }]);
    let placed = buy(&mall, &ada, "k", &plan, 5_000).await;
    assert_eq!((totals(&placed), &placed["state"]), ((20_000, 5_000, 5_000, 15_000), &json!("fulfilled")));
    let seen = desk::get(&mall, &ada, "/v1/me/membership").await.ok(200);
    assert_eq!(seen["worth"]["paid"]["amount"], 15_000);
    refund(&mall, &placed, "r", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (5_000, 0, 0));
    assert_eq!(desk::get(&mall, &ada, "/v1/me/membership").await.ok(200)["state"], "expired");
    // Points can pay all of it, where the shop lets them: then nothing is charged, and it is worth no money.
    let worth = json!({ "points": 100, "pay": yuan(1), "at_least": 0, "share_percent": "100" });
    change(&mall, json!({ "worth": worth })).await.ok(200);
    adjust(&mall, &ada, "more", json!({ "points": 15_000 })).await.ok(201);
    let placed = order(&mall, &ada, "k2", &plan, 20_000).await.ok(201);
    assert_eq!(totals(&placed).3, 0);
    mall.shop.settle().await;
    let seen = desk::get(&mall, &ada, "/v1/me/membership").await.ok(200);
    assert_eq!((&seen["state"], &seen["worth"]["paid"]["amount"]), (&json!("active"), &json!(0)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_and_is_taken_back_is_owed_or_blocks() {
    let mall = open().await;
    let tea = mall.goods("TEA", 88, 100).await;
    let plain = json!([{ "variant": tea, "quantity": 3 }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    let first = buy(&mall, &ada, "k", &plain, 0).await;
    make_final(&mall, &first).await;
    let ada = mall.shop.app.sign_in(&ada.email).await;
    assert_eq!(stands(&mall, &ada).await, (264, 0, 0));
    let second = buy(&mall, &ada, "k2", &json!([{ "variant": tea }]), 200).await;
    refund(&mall, &first, "r", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (0, 86, 200), "of 264 were 64 there, and 200 spent");
    // What comes next pays for them.
    adjust(&mall, &ada, "a", json!({ "points": 150 })).await.ok(201);
    assert_eq!(stands(&mall, &ada).await, (0, 86, 50));
    // The order that they were spent on goes back: they are there again, and pay the rest.
    refund(&mall, &second, "r2", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (150, 0, 0));

    // Where the shop blocks instead, nothing can be spent until an operator has decided.
    change(&mall, json!({ "overdrawn": "block" })).await.ok(200);
    let third = buy(&mall, &ada, "k3", &plain, 0).await;
    make_final(&mall, &third).await;
    let ada = mall.shop.app.sign_in(&ada.email).await;
    buy(&mall, &ada, "k4", &json!([{ "variant": tea }]), 400).await;
    refund(&mall, &third, "r3", json!({})).await.ok(201);
    mall.shop.settle().await;
    adjust(&mall, &ada, "b", json!({ "points": 5_000 })).await.ok(201);
    let (active, _, owed) = stands(&mall, &ada).await;
    assert!(active >= 5_000 && owed > 0, "{active} {owed}");
    order(&mall, &ada, "k5", &json!([{ "variant": tea }]), 100).await.refused(409, "points_insufficient");
    adjust(&mall, &ada, "f", json!({ "forgive": owed + 1 })).await.refused(409, "points_insufficient");
    adjust(&mall, &ada, "f", json!({ "forgive": owed })).await.ok(201);
    order(&mall, &ada, "k6", &json!([{ "variant": tea }]), 100).await.ok(201);
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_by_and_by_of_what_was_spent_are_each_paid_by_what_is_there() {
    let mall = open().await;
    let tea = mall.goods("TEA", 100, 100).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let first = buy(&mall, &ada, "k", &json!([{ "variant": tea, "quantity": 3 }]), 0).await;
    make_final(&mall, &first).await;
    let ada = mall.shop.app.sign_in(&ada.email).await;
    let second = buy(&mall, &ada, "k2", &json!([{ "variant": tea }]), 300).await;
    adjust(&mall, &ada, "a", json!({ "points": 500 })).await.ok(201);
    for (key, left) in [("r1", 400), ("r2", 300)] {
        refund(&mall, &first, key, json!({ "amount": yuan(100) })).await.ok(201);
        mall.shop.settle().await;
        assert_eq!(stands(&mall, &ada).await, (left, 97, 0), "{key}");
    }
    // The bank sends one of them back: what others had paid for it is there again, and goes with the next refund.
    fail_refund(&mall, &mall.shop.show(&ada, &first).await["refunds"][0]).await;
    assert_eq!(stands(&mall, &ada).await, (400, 97, 0));
    refund(&mall, &first, "r3", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (200, 97, 0));
    // They were spent on an order that goes back too; and then nobody is there to have them.
    refund(&mall, &second, "r4", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (500, 0, 0));
    let body = json!({ "password": PASSWORD, "forfeit": true });
    let leave = mall.shop.app.delete("/v1/me").bearer(&ada.token).json(&body).send().await;
    assert_eq!(leave.status, 204, "{}", leave.json);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_holds_them_and_a_lost_one_takes_them() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    let placed = buy(&mall, &ada, "k", &tea, 0).await;
    desk::send(&mall, &placed).await;
    let book = mall.shop.simulator().book();
    let intent = book.payments[0].payment_intent.clone();
    let dispute = mall.shop.simulator().open_dispute(&intent, "fraudulent").unwrap();
    mall.shop.settle().await;
    mall.shop.advance(TimeDelta::days(30)).await;
    assert_eq!(stands(&mall, &ada).await, (0, 88, 0));
    mall.shop.simulator().close_dispute(&dispute, "lost").unwrap();
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (0, 0, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_expire_by_lot_with_a_mail_before_and_what_comes_back_lasts_a_month() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    change(&mall, json!({ "lasts_months": 3, "warn_days": 20 })).await.ok(200);
    let ada = rich(&mall, "ada@b.test", 1_000).await;
    let spent = buy(&mall, &ada, "k", &tea, 400).await;
    desk::send(&mall, &spent).await;
    mall.shop.advance(TimeDelta::days(40)).await;
    adjust(&mall, &ada, "later", json!({ "points": 70 })).await.ok(201);
    let warned = async || {
        let all = mall.shop.app.app.postbox.inbox().unwrap().all();
        all.into_iter()
            .filter(|mail| mail.to == ada.email && mail.subject.contains("过期"))
            .collect::<Vec<_>>()
    };
    assert!(warned().await.is_empty());
    mall.shop.advance(TimeDelta::days(33)).await;
    mall.shop.advance(TimeDelta::hours(2)).await;
    let mails = warned().await;
    assert_eq!(mails.len(), 1, "one mail for what expires together");
    assert!(mails[0].subject.contains("600"), "{}", mails[0].subject);
    mall.shop.advance(TimeDelta::days(21)).await;
    mall.shop.advance(TimeDelta::hours(2)).await;
    // 84 of the order's own, final by now, and what was given later.
    assert_eq!(stands(&mall, &ada).await, (70 + 84, 0, 0));
    assert_eq!(desk::count(&mall, "points_entries WHERE kind = 'expired'").await, 1);
    // Its lot is over, and what comes back to it can be spent for a month.
    refund(&mall, &spent, "r", json!({})).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (70 + 400, 0, 0));
    mall.shop.advance(TimeDelta::days(31)).await;
    mall.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(stands(&mall, &ada).await.0, 70);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_let_some_things_earn_more_for_some_people_in_their_time() {
    let mall = open().await;
    let tea = mall.goods("TEA", 100, 100).await;
    let book = mall.goods("BOOK", 100, 100).await;
    let rule = async |code: &str, more: Value| {
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        let mut body = json!({ "code": code });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mall.shop.app.post("/v1/admin/points-rules").bearer(&owner.token).json(&body).send().await
    };
    let tea_rule = rule("tea", json!({ "scope": { "variants": [tea] }, "rate": "2.5" })).await.ok(201);
    let members = json!({ "who": "tier", "at_least": "diehard" });
    rule("diehard", json!({ "audience": members, "rate": "3", "level_rate": "5" })).await.ok(201);
    let end = mall.shop.app.now() + TimeDelta::days(2);
    rule("week", json!({ "scope": { "variants": [book] }, "rate": "10", "ends_at": end })).await.ok(201);
    let anna = mall.shop.app.member("anna@b.test").await;
    let bert = mall.member("bert@b.test", &mall.diehard).await;
    let earns = async |person: &Person, variant: &Value| {
        let person = mall.shop.app.sign_in(&person.email).await;
        let quote = mall.quote(&person, json!([{ "variant": variant }])).await.ok(200);
        (told(&quote, "earns_points").unwrap(), told(&quote, "earns_level_points").unwrap().2)
    };
    let by = |code: &str, points: i64| ("applied".to_owned(), code.to_owned(), points);
    assert_eq!(earns(&anna, &tea).await, (by("points_rule:tea", 250), 200));
    assert_eq!(earns(&anna, &book).await, (by("points_rule:week", 1_000), 200));
    assert_eq!(earns(&bert, &tea).await, (by("points_rule:diehard", 300), 500));
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(earns(&anna, &book).await, (by("usual_rate", 100), 200));
    // What was ordered under a rule keeps its rate when that ends.
    let anna = mall.shop.app.sign_in(&anna.email).await;
    buy(&mall, &anna, "k", &json!([{ "variant": tea }]), 0).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/points-rules/{}/archive", id(&tea_rule));
    for _ in 0..2 {
        let answer = mall.shop.app.post(&path).bearer(&owner.token).send().await.ok(200);
        assert!(answer["archived_at"].is_string());
    }
    assert_eq!(stands(&mall, &anna).await, (0, 250, 0));
    assert_eq!(earns(&anna, &tea).await, (by("usual_rate", 100), 200));

    rule("tea", json!({ "rate": "1" })).await.refused(409, "code_taken");
    for bad in [
        json!({}),
        json!({ "rate": "-1" }),
        json!({ "rate": "1.005" }),
        json!({ "rate": "1000.01" }),
        json!({ "rate": "1", "audience": { "who": "tier", "at_least": "nobody" } }),
        json!({ "rate": "1", "starts_at": end, "ends_at": end }),
    ] {
        rule("bad", bad).await.refused(422, "invalid_field");
    }
    mall.finish().await;
}

/// Moves on to this time of the shop's day (Shanghai), today or tomorrow.
async fn until(mall: &Mall, hour: u32, minute: u32) {
    let local = mall.shop.app.now().with_timezone(&chrono_tz::Asia::Shanghai);
    let mut at = local.date_naive().and_hms_opt(hour, minute, 0).unwrap();
    if at <= local.naive_local() {
        at = at.checked_add_days(Days::new(1)).unwrap();
    }
    mall.shop.advance(at - local.naive_local()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_is_once_a_day_of_the_shop_and_days_in_a_row_give_more() {
    let mall = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let check_in = async |key: &str| {
        let ada = mall.shop.app.sign_in(&ada.email).await;
        mall.shop.app.post("/v1/me/check-ins").bearer(&ada.token).key(key).send().await
    };
    let streaks = json!([{ "days": 3, "points": 30 }]);
    change(&mall, json!({ "check_in_points": 5, "streaks": streaks })).await.ok(200);
    until(&mall, 23, 50).await;
    let first = check_in("a").await.ok(201);
    assert_eq!((&first["streak"], &first["points"]), (&json!(1), &json!(5)));
    assert_eq!(check_in("a").await.ok(201), first, "a repeat");
    check_in("b").await.refused(409, "already_checked_in");
    // Twenty minutes later it is another day in the shop, though the same in UTC.
    mall.shop.advance(TimeDelta::minutes(20)).await;
    assert_eq!(
        check_in("a").await.ok(201)["day"],
        first["day"],
        "a repeat after midnight is still that of the day before"
    );
    let second = check_in("c").await.ok(201);
    let day = |of: &Value| of["day"].as_str().unwrap().parse::<NaiveDate>().unwrap();
    assert_eq!((second["streak"].clone(), day(&second)), (json!(2), day(&first).succ_opt().unwrap()));
    mall.shop.advance(TimeDelta::days(1)).await;
    // Many taps at once.
    let keys: Vec<_> = (0..20).map(|n| format!("tap{n}")).collect();
    let signed = mall.shop.app.sign_in(&ada.email).await;
    let taps =
        keys.iter().map(|key| mall.shop.app.post("/v1/me/check-ins").bearer(&signed.token).key(key).send());
    let answers = join_all(taps).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!((good.len(), &good[0].json["points"]), (1, &json!(35)));
    assert_eq!(stands(&mall, &ada).await.0, 5 + 5 + 35);
    let seen = desk::get(&mall, &signed, "/v1/me/check-ins").await.ok(200);
    assert_eq!(
        (&seen["checked_in"], &seen["streak"], &seen["next_points"], seen["data"].as_array().unwrap().len()),
        (&json!(true), &json!(3), &json!(5), 3)
    );
    // A day is missed: it begins anew.
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(check_in("d").await.ok(201)["streak"], 1);
    change(&mall, json!({ "is_on": false })).await.ok(200);
    mall.shop.advance(TimeDelta::days(1)).await;
    check_in("e").await.refused(409, "not_open");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_give_out_may_cost_points_and_takes_them_once() {
    let mall = open().await;
    let campaign = json!({
        "code": "ten", "names": { "zh-CN": "十元券", "en": "Ten off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 30,
    });
    let campaign = mall.shop.app.make(&mall.owner, "/v1/admin/coupon-campaigns", &campaign).await;
    let now = mall.shop.app.now();
    let give_out = json!({
        "code": "swap", "campaign": campaign["id"], "starts_at": now, "ends_at": now + TimeDelta::days(9),
        "per_round": 3, "points": 800,
    });
    mall.shop.app.make(&mall.owner, "/v1/admin/give-outs", &give_out).await;
    let free = json!({ "code": "bad", "campaign": campaign["id"], "starts_at": now, "ends_at": now + TimeDelta::days(9),
        "per_round": 3, "points": 0 });
    let bad = mall.shop.app.post("/v1/admin/give-outs").bearer(&mall.owner.token).json(&free).send().await;
    bad.refused(422, "invalid_field");
    let shown = mall.shop.app.get("/v1/coupon-campaigns/swap").send().await.ok(200);
    assert_eq!((&shown["points"], &shown["remaining"]), (&json!(800), &json!(3)));
    let claim = async |person: &Person, key: &str| {
        mall.shop.app.post("/v1/coupon-campaigns/swap/claim").bearer(&person.token).key(key).send().await
    };
    let poor = rich(&mall, "poor@b.test", 799).await;
    claim(&poor, "k").await.refused(409, "points_insufficient");
    assert_eq!(stands(&mall, &poor).await.0, 799);
    let mut people = Vec::new();
    for index in 0..12 {
        people.push(rich(&mall, &format!("p{index}@b.test"), 1_000).await);
    }
    let answers =
        join_all(people.iter().flat_map(|person| ["k", "other"].map(|key| claim(person, key)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    let mut left = Vec::new();
    for person in &people {
        left.push(stands(&mall, person).await.0);
    }
    assert_eq!(left.iter().filter(|points| **points == 200).count(), 3);
    assert_eq!(left.iter().filter(|points| **points == 1_000).count(), 9);
    let lucky = people.iter().zip(answers.chunks(2)).find(|(_, own)| own[0].status == 201);
    if let Some((lucky, own)) = lucky {
        assert_eq!(claim(lucky, "k").await.ok(201)["code"], own[0].json["code"], "a repeat costs nothing");
        assert_eq!(stands(&mall, lucky).await.0, 200);
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_set_the_rules_and_adjust_with_a_reason() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    // Off until somebody turns it on.
    assert_eq!(told(&mall.quote(&ada, tea.clone()).await.ok(200), "earns_points"), None);
    let path = "/v1/admin/points-programme";
    let patch = async |tag: &str, body: Value| {
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        mall.shop.app.patch(path).bearer(&owner.token).header("If-Match", tag).json(&body).send().await
    };
    patch("\"v9\"", json!({ "is_on": true })).await.refused(412, "version_mismatch");
    mall.shop
        .app
        .patch(path)
        .bearer(&mall.owner.token)
        .json(&json!({}))
        .send()
        .await
        .refused(428, "precondition_required");
    for bad in [
        json!({ "rate": "-0.01" }),
        json!({ "rate": "1000.01" }),
        json!({ "lasts_months": 0 }),
        json!({ "warn_days": 0 }),
        json!({ "check_in_points": -1 }),
        json!({ "streaks": [{ "days": 1, "points": 5 }] }),
        json!({ "worth": { "points": 0, "pay": yuan(1), "at_least": 0, "share_percent": "50" } }),
        json!({ "worth": { "points": 1, "pay": yuan(0), "at_least": 0, "share_percent": "50" } }),
        json!({ "worth": { "points": 1, "pay": yuan(1), "at_least": 0, "share_percent": "100.01" } }),
    ] {
        patch("\"v1\"", bad).await.refused(422, "invalid_field");
    }
    let on = patch("\"v1\"", json!({ "is_on": true, "rate": 1.5, "lasts_months": 6 })).await.ok(200);
    assert_eq!((&on["rate"], &on["version"], &on["worth"]), (&json!("1.5"), &json!(2), &Value::Null));
    let quote = async |points: i64| {
        let mut body = mall.body(tea.clone());
        body["points"] = json!(points);
        mall.shop.app.post("/v1/quotes").bearer(&ada.token).json(&body).send().await
    };
    let none = quote(100).await.ok(200);
    assert_eq!((totals(&none).1, told(&none, "points").unwrap().1), (0, "points_not_spendable".to_owned()));
    quote(-1).await.refused(422, "invalid_field");
    quote(i64::MAX).await.refused(422, "invalid_field");
    let guests = filled(&mall, tea.clone()).await;
    let asked = json!({ "email": "guest@b.test", "points": 5 });
    guests.order(&mall, "k", asked).await.refused(422, "invalid_field");

    adjust(&mall, &ada, "k", json!({ "points": 500, "level_points": 40 })).await.ok(201);
    let again = adjust(&mall, &ada, "k", json!({ "points": 500, "level_points": 40 })).await.ok(201);
    assert_eq!((&again["active"], again["data"].as_array().unwrap().len()), (&json!(500), 1));
    adjust(&mall, &ada, "k", json!({ "points": 501 })).await.refused(422, "idempotency_key_reused");
    adjust(&mall, &ada, "t", json!({ "points": -501 })).await.refused(409, "points_insufficient");
    for bad in [
        json!({}),
        json!({ "points": 5, "forgive": 5 }),
        json!({ "points": -5, "level_points": 5 }),
        json!({ "points": 1_000_000_000_001_i64 }),
        json!({ "points": i64::MIN }),
    ] {
        adjust(&mall, &ada, "bad", bad).await.refused(422, "invalid_field");
    }
    let take = json!({ "points": -400, "reason": "Twice." });
    let path = format!("/v1/admin/accounts/{}/points", ada.id);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let one =
        async |n: usize| desk::post(&mall, &owner, &path, &format!("rush{n}"), take.clone()).await.status;
    let answers = join_all((0..20).map(one)).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(stands(&mall, &ada).await, (100, 0, 0));
    let desk_hand = mall.shop.app.operator(Role::Support).await;
    desk::get(&mall, &desk_hand, &path).await.ok(200);
    desk::post(&mall, &desk_hand, &path, "x", take.clone()).await.refused(403, "forbidden");
    assert_eq!(desk::count(&mall, "audit_log WHERE action = 'points.adjust'").await, 2);

    // Who leaves gives up what is left, and the export has it until then.
    let export = mall.shop.app.get("/v1/me/export").bearer(&ada.token).send().await.ok(200);
    assert_eq!(export["points_balances"][0]["active"], 100);
    let leave = mall.shop.app.delete("/v1/me").bearer(&ada.token).json(&json!({ "password": PASSWORD }));
    assert_eq!(leave.send().await.status, 204);
    assert_eq!(desk::count(&mall, "points_balances WHERE active + pending > 0").await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_bought_earns_for_the_account_that_adopts_it() {
    let mall = open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await }]);
    let placed = crate::guests::order(&mall, "guest@b.test", tea).await.ok(201);
    mall.shop.pay(&placed).await;
    mall.shop.settle().await;
    assert_eq!(desk::count(&mall, "points_lots").await, 0);
    let ada = mall.shop.app.member("guest@b.test").await;
    let path = format!("/v1/orders/{}/adopt", id(&placed));
    let token = placed["order_token"].as_str().unwrap();
    let adopted = mall.shop.app.post(&path).bearer(&ada.token).header("Order-Token", token).send().await;
    assert!(adopted.status < 300, "{} {}", adopted.status, adopted.json);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ada).await, (0, 88, 0));
    mall.finish().await;
}
