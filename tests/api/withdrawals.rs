//! Withdrawals: equal answers, one case, the stop link, and what operators decide.

use chrono::{TimeDelta, Timelike};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

async fn declare(mall: &Mall, number: &Value, email: &str) -> Answer {
    let body = json!({ "order_number": number, "email": email, "name": "罗小姐" });
    mall.shop.app.post("/v1/withdrawals").json(&body).send().await
}

async fn cases(mall: &Mall, query: &str) -> Vec<Value> {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/withdrawals?{query}");
    let answer = mall.shop.app.get(&path).bearer(&owner.token).send().await.ok(200);
    answer["data"].as_array().unwrap().clone()
}

/// Mails of this subject's beginning.
fn mails(mall: &Mall, subject: &str) -> Vec<(String, String)> {
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    let of_subject = inbox.into_iter().filter(|mail| mail.subject.starts_with(subject));
    of_subject.map(|mail| (mail.to, mail.text)).collect()
}

fn token_of(text: &str) -> String {
    let link = text.lines().find(|line| line.contains("/stop-withdrawal?token=")).unwrap();
    link.split("token=").nth(1).unwrap().to_owned()
}

async fn bought(mall: &Mall, email: &str) -> (Person, Value) {
    let tea = mall.goods(&format!("TEA-{}", email.len()), 90, 10).await;
    let person = mall.shop.app.member(email).await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea }])).await;
    mall.shop.settle().await;
    (person, order)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_what_orders_there_are_and_only_their_own_address_opens_a_case() {
    let mall = Mall::open().await;
    let (person, order) = bought(&mall, "luo@b.test").await;
    let tea = mall.goods("UNPAID", 90, 10).await;
    let unpaid = mall.order(&person, "u", json!([{ "variant": tea }])).await.ok(201);
    let number = &order["number"];
    let mut answers = Vec::new();
    for (number, email) in [
        (&json!("20140101-AAAAAAAA"), "luo@b.test"),
        (number, "someone@b.test"),
        (&unpaid["number"], "luo@b.test"),
    ] {
        answers.push(declare(&mall, number, email).await);
    }
    mall.shop.settle().await;
    assert!(cases(&mall, "").await.is_empty());
    // In other letters it is the same order and the same address.
    let typed = json!(format!(" {} ", number.as_str().unwrap().to_lowercase()));
    answers.push(declare(&mall, &typed, "LUO@b.test").await);
    for answer in &answers {
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    }
    mall.shop.settle().await;
    let opened = cases(&mall, "state=open").await;
    assert_eq!((opened.len(), &opened[0]["order"], &opened[0]["name"]), (1, &order["id"], &json!("罗小姐")));
    assert_eq!((&opened[0]["in_time"], &opened[0]["deadline_at"]), (&json!(true), &Value::Null));
    let received = mails(&mall, "我们收到了您对订单");
    assert_eq!((received.len(), received[0].0.as_str()), (1, "luo@b.test"));
    assert!(received[0].1.contains(&format!("撤回订单 {}", number.as_str().unwrap())), "{}", received[0].1);

    let again = join_all((0..4).map(|_| declare(&mall, number, "luo@b.test"))).await;
    assert!(again.iter().all(|answer| answer.status == 202));
    mall.shop.settle().await;
    assert_eq!(cases(&mall, "").await.len(), 1);
    assert_eq!(mails(&mall, "我们收到了您对订单").len(), 1);
    // No money moved by it.
    assert_eq!(mall.shop.show(&person, &order).await["refunded"], yuan(0));
    for (body, field) in [
        (json!({ "order_number": "", "email": "a@b.test", "name": "a" }), "order_number"),
        (json!({ "order_number": "1", "email": "nowhere", "name": "a" }), "email"),
        (json!({ "order_number": "1", "email": "a@b.test", "name": "a\nb" }), "name"),
        (json!({ "order_number": "1", "email": "a@b.test", "name": "a", "why": "" }), "why"),
    ] {
        let answer = mall.shop.app.post("/v1/withdrawals").json(&body).send().await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_declarations_at_once_open_one_case() {
    let mall = Mall::open().await;
    let (_, order) = bought(&mall, "luo@b.test").await;
    let answers = join_all((0..12).map(|_| declare(&mall, &order["number"], "luo@b.test"))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    mall.shop.settle().await;
    assert_eq!((cases(&mall, "").await.len(), mails(&mall, "我们收到了您对订单").len()), (1, 1));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_stops_it_by_a_button_once() {
    let mall = Mall::open().await;
    let (_, order) = bought(&mall, "luo@b.test").await;
    declare(&mall, &order["number"], "luo@b.test").await.ok(202);
    mall.shop.settle().await;
    let token = token_of(&mails(&mall, "我们收到了您对订单")[0].1);
    let page = mall.shop.app.get(&format!("/stop-withdrawal?token={token}")).send().await;
    assert!(page.status == 200 && page.text.contains("/v1/withdrawals/stop") && !page.text.contains(&token));
    assert_eq!(cases(&mall, "").await[0]["state"], "open", "looking changes nothing");
    let stop = |token: &str| {
        let request = mall.shop.app.post("/v1/withdrawals/stop").json(&json!({ "token": token }));
        request.send()
    };
    stop("kw_unknown").await.refused(410, "token_invalid");
    let twins = join_all([stop(&token), stop(&token)]).await;
    assert_eq!(twins.iter().filter(|answer| answer.status == 204).count(), 1);
    assert_eq!(cases(&mall, "state=stopped").await.len(), 1);
    let id = cases(&mall, "").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/withdrawals/{id}/accept");
    let request = mall.shop.app.post(&path).bearer(&mall.owner.token).key("k");
    request.json(&json!({ "reason": "r" })).send().await.refused(409, "withdrawal_ended");
    // Who changes his mind again declares again.
    declare(&mall, &order["number"], "luo@b.test").await.ok(202);
    mall.shop.settle().await;
    assert_eq!(cases(&mall, "state=open").await.len(), 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_decide_once_with_a_reason_and_the_refund_that_was_made() {
    let mall = Mall::open().await;
    let (person, order) = bought(&mall, "luo@b.test").await;
    let (_, other) = bought(&mall, "another@b.test").await;
    for (order, email) in [(&order, "luo@b.test"), (&other, "another@b.test")] {
        declare(&mall, &order["number"], email).await.ok(202);
    }
    mall.shop.settle().await;
    let support = mall.shop.app.operator(Role::Support).await;
    let by_order = |order: &Value| format!("order={}", order["id"].as_str().unwrap());
    let id = cases(&mall, &by_order(&order)).await[0]["id"].as_str().unwrap().to_owned();
    let other_id = cases(&mall, &by_order(&other)).await[0]["id"].as_str().unwrap().to_owned();
    let refund = |order: &Value| {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let request = mall.shop.app.post(&path).bearer(&mall.owner.token).key(&path);
        request.json(&json!({ "reason": "Withdrawn." })).send()
    };
    let (made, foreign) = (refund(&order).await.ok(201), refund(&other).await.ok(201));
    let decide = |id: &str, verb: &str, key: &str, body: Value| {
        let path = format!("/v1/admin/withdrawals/{id}/{verb}");
        mall.shop.app.post(&path).bearer(&support.token).key(key).json(&body).send()
    };
    decide(&id, "accept", "1", json!({ "reason": " " })).await.refused(422, "invalid_field");
    let wrong = json!({ "reason": "In time.", "refund": foreign["id"] });
    decide(&id, "accept", "1", wrong.clone()).await.refused(422, "invalid_field");
    decide(&id, "reject", "1", wrong).await.refused(422, "invalid_field");
    let body = json!({ "reason": "In time.", "refund": made["id"] });
    let accepted = decide(&id, "accept", "1", body.clone()).await.ok(200);
    assert_eq!((&accepted["state"], &accepted["refund"]), (&json!("accepted"), &made["id"]));
    assert_eq!(decide(&id, "accept", "1", body).await.ok(200), accepted);
    decide(&id, "accept", "1", json!({ "reason": "Else." })).await.refused(422, "idempotency_key_reused");
    decide(&id, "reject", "2", json!({ "reason": "No." })).await.refused(409, "withdrawal_ended");
    let twins = ["a", "b"].map(|key| decide(&other_id, "reject", key, json!({ "reason": "Too late." })));
    let twins = join_all(twins).await;
    assert_eq!(twins.iter().filter(|answer| answer.status == 200).count(), 1);
    mall.shop.settle().await;
    assert_eq!(mails(&mall, "您对订单").len(), 1);
    let rejected = mails(&mall, "关于您对订单");
    assert!(rejected.len() == 1 && rejected[0].0 == "another@b.test" && rejected[0].1.contains("Too late."));
    let audit = mall.shop.app.get("/v1/admin/audit?subject_kind=withdrawal").bearer(&mall.owner.token);
    let audit = audit.send().await.ok(200);
    let actions: Vec<_> = audit["data"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(
        actions,
        ["withdrawal.reject", "withdrawal.accept", "withdrawal.declare", "withdrawal.declare"]
    );
    // What is known of a person is told, and forgotten.
    let export = mall.shop.app.get("/v1/me/export").bearer(&person.token).send().await;
    assert!(!export.text.contains("token_hash"));
    assert_eq!(export.ok(200)["withdrawals"][0]["name"], "罗小姐");
    let leave = mall.shop.app.delete("/v1/me").bearer(&person.token);
    leave.json(&json!({ "password": PASSWORD, "forfeit": true })).send().await.ok(204);
    let kept = cases(&mall, "state=accepted").await;
    assert_eq!((&kept[0]["name"], &kept[0]["refund"]), (&Value::Null, &made["id"]));
    declare(&mall, &order["number"], "luo@b.test").await.ok(202);
    mall.shop.settle().await;
    assert!(cases(&mall, "state=open").await.is_empty());
    let none = "/v1/admin/withdrawals/wdr_00000000000000000000000000000000";
    mall.shop.app.get(none).bearer(&support.token).send().await.refused(404, "not_found");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_counted_from_the_last_parcel_or_from_payment() {
    let mall = Mall::open().await;
    let (_, order) = bought(&mall, "luo@b.test").await;
    let course =
        mall.product("course", "digital", json!([{ "sku": "COURSE", "price": yuan(99) }]), json!({})).await;
    let person = mall.shop.app.sign_in("luo@b.test").await;
    let digital = mall.buy(&person, "d", json!([{ "variant": course["variants"][0]["id"] }])).await;
    mall.shop.advance(TimeDelta::days(1)).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/orders/{}/shipments", order["id"].as_str().unwrap());
    let parcel = mall.shop.app.post(&path).bearer(&owner.token).key("s").json(&json!({ "carrier": "SF" }));
    parcel.send().await.ok(201);
    mall.shop.settle().await;
    let of = async |order: &Value| {
        declare(&mall, &order["number"], "luo@b.test").await.ok(202);
        mall.shop.settle().await;
        cases(&mall, &format!("order={}", order["id"].as_str().unwrap())).await.remove(0)
    };
    // To the start of the fifteenth day after payment, in Shanghai: the last moment of one, too late for the other.
    let paid: chrono::DateTime<chrono::Utc> = digital["paid_at"].as_str().unwrap().parse().unwrap();
    let day = paid.with_timezone(&chrono_tz::Asia::Shanghai);
    let today = TimeDelta::seconds(i64::from(day.num_seconds_from_midnight()));
    let end = paid - today + TimeDelta::days(15) + TimeDelta::minutes(1);
    mall.shop.advance(end - mall.shop.app.now()).await;
    let (late, early) = (of(&digital).await, of(&order).await);
    assert_eq!((&late["in_time"], &early["in_time"]), (&json!(false), &json!(true)), "{late} {early}");
    assert_eq!(late["counted_from"], digital["paid_at"]);
    assert!(early["deadline_at"].as_str() > late["deadline_at"].as_str());
    mall.finish().await;
}
