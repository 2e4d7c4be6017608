//! Gift cards: bought, delivered on their day, redeemed once, and worth nothing once their money went back.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

fn card(amount_yuan: i64, to: Option<Value>) -> Value {
    json!({ "gift_card": { "amount": yuan(amount_yuan), "to": to } })
}

/// Codes that were mailed to an address, the first first.
fn codes(mall: &Mall, to: &str) -> Vec<String> {
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    let mails = inbox.into_iter().filter(|mail| mail.to == to && mail.subject.contains("礼品卡"));
    let code = |text: &str| {
        let is_code = |line: &&str| line.len() == 20 && line.split('-').count() == 4;
        text.lines().find(is_code).unwrap().to_owned()
    };
    let mut found: Vec<_> = mails.map(|mail| (mail.sent_at, code(&mail.text))).collect();
    found.sort();
    found.into_iter().map(|(_, code)| code).collect()
}

async fn redeem(mall: &Mall, person: &Person, key: &str, code: &str) -> Answer {
    let body = json!({ "code": code });
    mall.shop.app.post("/v1/gift-cards/redeem").bearer(&person.token).key(key).json(&body).send().await
}

async fn check(mall: &Mall, code: &str) -> Answer {
    mall.shop.app.post("/v1/gifts/check").json(&json!({ "code": code })).send().await
}

async fn bought(mall: &Mall, person: &Person, key: &str, line: Value) -> Value {
    let mut body = mall.body(json!([line]));
    body.as_object_mut().unwrap().remove("shipping");
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
    let order = request.json(&body).send().await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(person, &order).await;
    mall.shop.settle().await;
    mall.shop.show(person, &order).await
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    desk::post(mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(order)), key, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_goes_to_a_friend_on_its_day_and_pays_his_order() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 88, 5).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let day = mall.shop.app.now() + TimeDelta::days(10);
    let to = json!({ "email": "lin@b.test", "name": "小林", "message": "生日快乐", "deliver_at": day });
    let order = bought(&mall, &ada, "k", card(200, Some(to))).await;
    assert_eq!((&order["state"], &order["totals"]["due"]["amount"]), (&json!("fulfilled"), &json!(20_000)));
    let line = &order["lines"][0];
    assert_eq!((&line["kind"], &line["gift_card"]["state"]), (&json!("gift_card"), &json!("scheduled")));
    assert_eq!(line["gift_card"]["to"], "lin@b.test");
    assert!(codes(&mall, "lin@b.test").is_empty(), "not before its day");
    mall.shop.advance(TimeDelta::days(10)).await;
    let code = codes(&mall, "lin@b.test").remove(0);
    assert!(codes(&mall, "ada@b.test").is_empty());
    let told = check(&mall, &code).await.ok(200);
    assert_eq!((&told["amount"]["amount"], &told["may_redeem"]), (&json!(20_000), &json!(true)));

    let lin = mall.shop.app.member("lin@b.test").await;
    let redeemed = redeem(&mall, &lin, "k", &code.to_lowercase().replace('-', " ")).await.ok(200);
    assert_eq!(redeemed["credit"]["balance"]["amount"], 20_000);
    redeem(&mall, &lin, "k", &code.to_lowercase().replace('-', " ")).await.ok(200);
    redeem(&mall, &lin, "k2", &code).await.refused(409, "gift_card_redeemed");
    let told = check(&mall, &code).await.ok(200);
    assert_eq!((&told["refusal"], &told["may_redeem"]), (&json!("gift_card_redeemed"), &json!(false)));

    let mut body = mall.body(json!([{ "variant": tea }]));
    body["credit"] = json!(20_000);
    let paid = mall.shop.app.post("/v1/orders").bearer(&lin.token).key("t").json(&body).send().await.ok(201);
    assert_eq!(paid["totals"]["due"]["amount"], 0);
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    refund(&mall, &order, "r", json!({ "reason": "Changed my mind." }))
        .await
        .refused(409, "gift_card_redeemed");
    assert_eq!(mall.shop.show(&ada, &order).await["lines"][0]["gift_card"]["state"], "redeemed");
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_redeem_one_card_and_one_gets_it() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    bought(&mall, &ada, "k", card(100, None)).await;
    let code = codes(&mall, "ada@b.test").remove(0);
    let people = mall.members(30).await;
    let answers = join_all(people.iter().map(|person| redeem(&mall, person, "k", &code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(409, "gift_card_redeemed");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refunded_card_is_worth_nothing() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let order = bought(&mall, &ada, "k", card(100, None)).await;
    let code = codes(&mall, "ada@b.test").remove(0);
    let part = json!({ "amount": yuan(40), "reason": "Part." });
    refund(&mall, &order, "p", part).await.refused(422, "invalid_field");
    refund(&mall, &order, "r", json!({ "reason": "Changed my mind." })).await.ok(201);
    redeem(&mall, &ada, "k", &code).await.refused(409, "gift_card_void");
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&ada, &order).await["state"], "refunded");
    // Redeeming and refunding at the same moment: one of both happens.
    for round in 0..4 {
        let order = bought(&mall, &ada, &format!("both{round}"), card(100, None)).await;
        let code = codes(&mall, "ada@b.test").pop().unwrap();
        let key = format!("both{round}");
        let (redeemed, refunded) = tokio::join!(
            redeem(&mall, &ada, &key, &code),
            refund(&mall, &order, &key, json!({ "reason": "Changed my mind." })),
        );
        assert!(
            (redeemed.status == 200) != (refunded.status == 201),
            "{} and {}",
            redeemed.status,
            refunded.status
        );
        mall.shop.settle().await;
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_card_waits_and_a_lost_one_is_taken_back() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let dispute = async |order: &Value| {
        let book = mall.shop.simulator().book();
        let paid =
            book.payments.iter().find(|payment| payment.order_id.as_deref() == order["id"].as_str()).unwrap();
        let dispute = mall.shop.simulator().open_dispute(&paid.payment_intent, "fraudulent").unwrap();
        mall.shop.settle().await;
        dispute
    };
    let close = async |dispute: &str, end: &str| {
        mall.shop.simulator().close_dispute(dispute, end).unwrap();
        mall.shop.settle().await;
    };
    // Won: it is delivered though its day passed meanwhile.
    let day = mall.shop.app.now() + TimeDelta::minutes(5);
    let to = json!({ "email": "lin@b.test", "deliver_at": day });
    let later = bought(&mall, &ada, "w", card(100, Some(to))).await;
    let won = dispute(&later).await;
    mall.shop.advance(TimeDelta::minutes(6)).await;
    assert!(codes(&mall, "lin@b.test").is_empty());
    close(&won, "won").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    redeem(&mall, &lin, "k", &codes(&mall, "lin@b.test")[0]).await.ok(200);
    // Held, then lost before it was redeemed.
    let held = bought(&mall, &ada, "h", card(100, None)).await;
    let code = codes(&mall, "ada@b.test").pop().unwrap();
    let lost = dispute(&held).await;
    redeem(&mall, &lin, "h", &code).await.refused(409, "gift_card_held");
    close(&lost, "lost").await;
    redeem(&mall, &lin, "h2", &code).await.refused(409, "gift_card_void");
    // Redeemed by who bought it, a part of it spent, then lost: what is left goes, and the rest is owed.
    let order = bought(&mall, &ada, "r", card(100, None)).await;
    redeem(&mall, &ada, "r", &codes(&mall, "ada@b.test").pop().unwrap()).await.ok(200);
    let plan = json!({ "lines": [{ "plan": mall.regular["id"] }], "credit": 6_000, "success_url": "http://shop.test/",
                       "cancel_url": "http://shop.test/" });
    mall.shop.app.post("/v1/orders").bearer(&ada.token).key("p").json(&plan).send().await.ok(201);
    let lost = dispute(&order).await;
    close(&lost, "lost").await;
    let credit = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!((&credit["balance"]["amount"], &credit["owed"]["amount"]), (&json!(0), &json!(6_000)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_packet_is_taken_back_too() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let bao = mall.shop.app.member("bao@b.test").await;
    // Ada redeems her own card, Lin one that he was given; both put all of it into packets.
    let mut packets = Vec::new();
    let mut disputes = Vec::new();
    for (person, to) in [(&ada, None), (&lin, Some(json!({ "email": "lin@b.test" })))] {
        let order = bought(&mall, &ada, &person.email, card(100, to)).await;
        redeem(&mall, person, "r", &codes(&mall, &person.email).pop().unwrap()).await.ok(200);
        let packet = json!({ "amount": yuan(100), "parts": 2, "split": "equal" });
        let made = desk::post(&mall, person, "/v1/me/packets", "p", packet).await.ok(201);
        let claim = format!("/v1/coupon-campaigns/{}/claim", made["code"].as_str().unwrap());
        desk::post(&mall, &bao, &claim, &person.email, json!({})).await.ok(201);
        packets.push(claim);
        let book = mall.shop.simulator().book();
        let paid = book.payments.iter().find(|payment| payment.order_id.as_deref() == Some(id(&order)));
        disputes
            .push(mall.shop.simulator().open_dispute(&paid.unwrap().payment_intent, "fraudulent").unwrap());
    }
    mall.shop.settle().await;
    for dispute in &disputes {
        mall.shop.simulator().close_dispute(dispute, "lost").unwrap();
    }
    mall.shop.settle().await;
    // What Bao has opened is his: Ada owes it, Lin doesn't.
    for (person, owed) in [(&ada, 5_000), (&lin, 0)] {
        let credit = mall.shop.app.get("/v1/me/credit").bearer(&person.token).send().await.ok(200);
        assert_eq!((&credit["balance"]["amount"], &credit["owed"]["amount"]), (&json!(0), &json!(owed)));
    }
    let eve = mall.shop.app.member("eve@b.test").await;
    for claim in &packets {
        desk::post(&mall, &eve, claim, claim, json!({})).await.refused(409, "closed");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_give_cards_out_take_them_back_and_mail_a_new_code() {
    let mall = Mall::open().await;
    let end = mall.shop.app.now() + TimeDelta::days(30);
    let body =
        json!({ "amount": yuan(50), "to": { "email": "lin@b.test" }, "expires_at": end, "reason": "Sorry." });
    let made = desk::post(&mall, &mall.owner, "/v1/admin/gift-cards", "k", body.clone()).await.ok(201);
    assert_eq!(
        desk::post(&mall, &mall.owner, "/v1/admin/gift-cards", "k", body).await.ok(201)["id"],
        made["id"]
    );
    mall.shop.settle().await;
    let old = codes(&mall, "lin@b.test").remove(0);
    let path = |made: &Value, verb: &str| format!("/v1/admin/gift-cards/{}/{verb}", id(made));
    let lost = json!({ "email": "lin.new@b.test", "reason": "Lost." });
    let post = async |path: String, body: Value| {
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        let key = uuid::Uuid::now_v7().to_string();
        mall.shop.app.post(&path).bearer(&owner.token).key(&key).json(&body).send().await
    };
    post(path(&made, "replace"), lost.clone()).await.ok(200);
    mall.shop.settle().await;
    check(&mall, &old).await.refused(422, "unknown_gift_card");
    let new = codes(&mall, "lin.new@b.test").remove(0);
    let list = desk::get(&mall, &mall.owner, "/v1/admin/gift-cards").await.ok(200);
    assert_eq!(list["data"][0]["code_end"], json!(&new.replace('-', "")[13..]));
    assert!(!list.to_string().contains(&new), "nobody but its holder has the code");
    let lin = mall.shop.app.member("lin@b.test").await;
    redeem(&mall, &lin, "k", &new).await.ok(200);
    post(path(&made, "void"), json!({ "reason": "Late." })).await.refused(409, "gift_card_redeemed");
    post(path(&made, "replace"), lost.clone()).await.refused(409, "gift_card_redeemed");

    let body =
        json!({ "amount": yuan(50), "to": { "email": "lin@b.test" }, "expires_at": end, "reason": "Sorry." });
    let other = desk::post(&mall, &mall.owner, "/v1/admin/gift-cards", "k2", body.clone()).await.ok(201);
    let third = desk::post(&mall, &mall.owner, "/v1/admin/gift-cards", "k3", body).await.ok(201);
    mall.shop.settle().await;
    post(path(&other, "void"), json!({ "reason": "A mistake." })).await.ok(200);
    assert_eq!(post(path(&other, "void"), json!({ "reason": "Twice." })).await.ok(200)["state"], "void");
    let mailed = codes(&mall, "lin@b.test");
    let mut answers = Vec::new();
    for (key, code) in [("a", &mailed[1]), ("b", &mailed[2])] {
        answers.push((redeem(&mall, &lin, key, code).await.status, code.clone()));
    }
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 200).count(),
        1,
        "the void one is worth nothing"
    );
    assert_eq!(
        desk::get(&mall, &mall.owner, &format!("/v1/admin/gift-cards/{}", id(&third))).await.ok(200)["state"],
        "redeemed"
    );
    let body =
        json!({ "amount": yuan(50), "to": { "email": "lin@b.test" }, "expires_at": end, "reason": "Sorry." });
    desk::post(&mall, &mall.owner, "/v1/admin/gift-cards", "k4", body).await.ok(201);
    mall.shop.settle().await;
    let last = codes(&mall, "lin@b.test").pop().unwrap();
    mall.shop.advance(TimeDelta::days(31)).await;
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    redeem(&mall, &lin, "late", &last).await.refused(409, "gift_card_expired");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_gift_card_is_refused_and_nothing_changes() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let now = mall.shop.app.now();
    let to = |more: Value| {
        let mut to = json!({ "email": "lin@b.test" });
        to.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(to)
    };
    let mut twice = card(100, None);
    twice["quantity"] = json!(2);
    let mut both = card(100, None);
    both["plan"] = mall.regular["id"].clone();
    for (line, field) in [
        (card(9, None), "lines[0].gift_card.amount.amount"),
        (card(-100, None), "lines[0].gift_card.amount.amount"),
        (card(1_001, None), "lines[0].gift_card.amount.amount"),
        (
            json!({ "gift_card": { "amount": { "amount": 5_000, "currency": "EUR" } } }),
            "lines[0].gift_card.amount.currency",
        ),
        (card(100, to(json!({ "deliver_at": now }))), "lines[0].gift_card.to.deliver_at"),
        (
            card(100, to(json!({ "deliver_at": now + TimeDelta::days(367) }))),
            "lines[0].gift_card.to.deliver_at",
        ),
        (card(100, to(json!({ "message": "心".repeat(501) }))), "lines[0].gift_card.to.message"),
        (twice, "lines[0].quantity"),
        (both, "lines[0]"),
    ] {
        let answer = mall.order(&ada, "k", json!([line])).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    assert_eq!(desk::count(&mall, "gift_cards").await, 0);
    // No coupon makes money cheaper, not even one for everything.
    let campaign = json!({
        "code": "all", "names": { "zh-CN": "优惠", "en": "Off" }, "class": "order", "automatic": true,
        "benefit": { "kind": "percentage", "percent": "50" },
    });
    desk::post(&mall, &mall.owner, "/v1/admin/coupon-campaigns", "c", campaign).await.ok(201);
    let tea = mall.goods("TEA", 88, 5).await;
    let quote = mall.quote(&ada, json!([card(100, None), { "variant": tea }])).await.ok(200);
    assert_eq!(quote["totals"]["discount"]["amount"], 4_400);
    // An unpaid one was never a card.
    let order = mall.order(&ada, "k", json!([card(100, None)])).await.ok(201);
    assert_eq!(order["lines"][0]["gift_card"]["state"], "unpaid");
    mall.shop.advance(TimeDelta::minutes(60)).await;
    assert!(codes(&mall, "ada@b.test").is_empty());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_code_ends_soon() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let mut refused = 0;
    for n in 0..40 {
        let answer = redeem(&mall, &ada, &format!("k{n}"), "7Q4M-2X9P-AB3K-W6TYN").await;
        match answer.status {
            429 => refused += 1,
            _ => drop(answer.refused(422, "unknown_gift_card").clone()),
        }
    }
    assert_eq!(refused, 10, "thirty in an hour");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_redeems_a_card_is_told_nothing_of_who_gave_it() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let to = json!({ "email": "ada.friend@b.test", "name": "小林", "message": "生日快乐" });
    bought(&mall, &ada, "k", card(50, Some(to))).await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let code = codes(&mall, "ada.friend@b.test").remove(0);
    redeem(&mall, &lin, "k", &code).await.ok(200);
    let card_of = async |person: &Person| {
        let export = desk::get(&mall, person, "/v1/me/export").await.ok(200);
        assert_eq!(export["gift_cards"].as_array().unwrap().len(), 1);
        export["gift_cards"][0].clone()
    };
    let given = card_of(&lin).await;
    for hidden in ["to_email", "to_name", "from_name", "message", "line_id"] {
        assert!(given.get(hidden).is_none(), "{hidden}");
    }
    assert_eq!((&given["amount_minor"], given["redeemed_at"].is_string()), (&json!(5_000), true));
    // Who gave it typed that.
    assert_eq!(card_of(&ada).await["to_email"], "ada.friend@b.test");
    mall.finish().await;
}
