//! Gift memberships: bought, delivered on their day, added to what the receiver has, and worth nothing once their money went back.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::baskets::Basket;
use crate::support::catalog::text_sql;
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

/// A year of `regular` that is always 365 days.
async fn plan(mall: &Mall, code: &str, tier: &Value, more: Value) -> Value {
    let mut body = json!({
        "code": code, "tier": tier["tier"], "term": "P365D", "price": yuan(200), "renews": "never",
        "payment_methods": ["card"], "open_sale": true,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.make(&owner, "/v1/admin/plans", &body).await
}

fn gift(plan: &Value, to: Option<Value>) -> Value {
    json!({ "gift": { "plan": plan["id"], "to": to } })
}

/// Mails to an address about gifts, the first first: (subject, text, html).
fn mails(mall: &Mall, to: &str) -> Vec<(String, String, String)> {
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    let of_gifts = inbox.into_iter().filter(|mail| mail.to == to && mail.subject.contains("会员礼物"));
    let mut found: Vec<_> = of_gifts.map(|mail| (mail.sent_at, mail.subject, mail.text, mail.html)).collect();
    found.sort();
    found.into_iter().map(|(_, subject, text, html)| (subject, text, html)).collect()
}

/// Codes that were mailed to an address, the first first.
fn codes(mall: &Mall, to: &str) -> Vec<String> {
    let is_code = |line: &&str| line.len() == 20 && line.split('-').count() == 4;
    mails(mall, to).iter().filter_map(|(_, text, _)| text.lines().find(is_code)).map(str::to_owned).collect()
}

async fn redeem(mall: &Mall, person: &Person, key: &str, code: &str) -> Answer {
    let body = json!({ "code": code });
    mall.shop.app.post("/v1/gifts/redeem").bearer(&person.token).key(key).json(&body).send().await
}

async fn check(mall: &Mall, person: Option<&Person>, code: &str) -> Answer {
    let request = mall.shop.app.post("/v1/gifts/check").json(&json!({ "code": code }));
    match person {
        Some(person) => request.bearer(&person.token).send().await,
        None => request.send().await,
    }
}

async fn order(mall: &Mall, person: &Person, key: &str, line: Value) -> Answer {
    let mut body = mall.body(json!([line]));
    body.as_object_mut().unwrap().remove("shipping");
    mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
}

async fn bought(mall: &Mall, person: &Person, key: &str, line: Value) -> Value {
    let order = order(mall, person, key, line).await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(person, &order).await;
    mall.shop.settle().await;
    mall.shop.show(person, &order).await
}

/// Buys a gift for nobody yet; the order and its code.
async fn code_of(mall: &Mall, person: &Person, key: &str, plan: &Value) -> (Value, String) {
    let order = bought(mall, person, key, gift(plan, None)).await;
    (order, codes(mall, &person.email).pop().unwrap())
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    desk::post(mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(order)), key, body).await
}

async fn operate(mall: &Mall, path: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    desk::post(mall, &owner, path, &uuid::Uuid::now_v7().to_string(), body).await
}

async fn mine(mall: &Mall, person: &Person) -> Value {
    desk::get(mall, person, "/v1/me/membership").await.ok(200)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_goes_to_a_friend_on_its_day_and_makes_him_a_member() {
    let mall = Mall::open().await;
    let year = plan(&mall, "regular-365", &mall.regular, json!({})).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let day = mall.shop.app.now() + TimeDelta::days(10);
    let to = json!({ "email": "lin@b.test", "name": "小林", "message": "<b>生日</b>快乐 & 早", "deliver_at": day });
    let order = bought(&mall, &ada, "k", gift(&year, Some(to))).await;
    assert_eq!((&order["state"], &order["totals"]["due"]["amount"]), (&json!("fulfilled"), &json!(20_000)));
    let line = &order["lines"][0];
    assert_eq!(
        (&line["kind"], &line["plan"], &line["title"]),
        (&json!("gift"), &year["id"], &json!("赠送regular"))
    );
    assert_eq!((&line["gift"]["state"], &line["gift"]["to"]), (&json!("scheduled"), &json!("lin@b.test")));
    desk::get(&mall, &ada, "/v1/me/membership").await.refused(404, "no_membership");
    assert!(mails(&mall, "lin@b.test").is_empty(), "not before its day");
    mall.shop.advance(TimeDelta::days(10)).await;
    let (subject, text, html) = mails(&mall, "lin@b.test").remove(0);
    assert!(subject.contains("regular 365 天"), "{subject}");
    assert!(text.contains("<b>生日</b>快乐 & 早") && html.contains("&lt;b&gt;") && !html.contains("<b>生日"));
    let code = codes(&mall, "lin@b.test").remove(0);
    assert!(codes(&mall, "ada@b.test").is_empty(), "its code is the receiver's alone");
    assert_eq!(mails(&mall, "ada@b.test")[0].0, "您的会员礼物已送出");

    let told = check(&mall, None, &code).await.ok(200);
    assert_eq!((&told["kind"], &told["may_redeem"]), (&json!("gift"), &json!(true)));
    assert_eq!((&told["plan"]["id"], &told["plan"]["term"]), (&year["id"], &json!("P365D")));
    assert_eq!(time(&told["expires_at"]), day + TimeDelta::days(365));
    let lin = mall.shop.app.member("lin@b.test").await;
    let typed = code.to_lowercase().replace('-', " ");
    let given = redeem(&mall, &lin, "k", &typed).await.ok(200);
    assert_eq!(redeem(&mall, &lin, "k", &typed).await.ok(200)["id"], given["id"]);
    redeem(&mall, &lin, "k", "AAAA-AAAA-AAAA-AAAAA").await.refused(422, "unknown_gift");
    let member = mine(&mall, &lin).await;
    assert_eq!((&member["state"], &member["tier"]), (&json!("active"), &json!("regular")));
    assert_eq!((&member["number"], &member["worth"]["paid"]["amount"]), (&json!("KD0001"), &json!(0)));
    assert_eq!(time(&member["ends_at"]) - time(&member["starts_at"]), TimeDelta::days(365));
    assert_eq!((&given["ends_at"], &given["membership"]["id"]), (&member["ends_at"], &member["id"]));
    redeem(&mall, &lin, "k2", &code).await.refused(409, "gift_redeemed");
    let told = check(&mall, Some(&lin), &code).await.ok(200);
    assert_eq!((&told["refusal"], &told["may_redeem"]), (&json!("gift_redeemed"), &json!(false)));
    mall.shop.settle().await;
    assert_eq!(mails(&mall, "ada@b.test")[1].0, "您的会员礼物已兑换");
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    assert_eq!(mall.shop.show(&ada, &order).await["lines"][0]["gift"]["state"], "redeemed");
    // What was given is worth nothing where it is to be credited.
    let dear = json!({ "price": yuan(1_200), "open_upgrade": true });
    let dear = plan(&mall, "diehard-365", &mall.diehard, dear).await;
    let asked = json!({ "plan": dear["id"], "mode": "restart" });
    let quote = mall.shop.app.post("/v1/upgrade-quotes").bearer(&lin.token).json(&asked).send().await.ok(201);
    assert_eq!((&quote["credit"]["amount"], &quote["due"]["amount"]), (&json!(0), &json!(120_000)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_adds_and_never_replaces() {
    let mall = Mall::open().await;
    let regular = plan(&mall, "regular-365", &mall.regular, json!({})).await;
    let card = json!({ "term": "P30D", "renews": "card" });
    let monthly = plan(&mall, "regular-card", &mall.regular, card).await;
    let diehard = plan(&mall, "diehard-365", &mall.diehard, json!({})).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    // The same tier: from the old end on, under the plan that he has bought.
    bought(&mall, &lin, "own", json!({ "plan": regular["id"] })).await;
    let before = mine(&mall, &lin).await;
    let (_, code) = code_of(&mall, &ada, "month", &monthly).await;
    let given = redeem(&mall, &lin, "month", &code).await.ok(200);
    let after = mine(&mall, &lin).await;
    assert_eq!(given["starts_at"], before["ends_at"]);
    assert_eq!(time(&after["ends_at"]), time(&before["ends_at"]) + TimeDelta::days(30));
    assert_eq!((&after["plan"], &after["renews"]), (&json!("regular-365"), &json!("never")));
    assert_eq!((&after["number"], &after["worth"]["paid"]), (&before["number"], &yuan(200)));
    let saved =
        "payments p JOIN order_lines l ON l.order_id = p.order_id WHERE l.kind = 'gift' AND p.saves_card";
    assert_eq!(desk::count(&mall, saved).await, 0, "who gives doesn't renew what he gave");

    // Another tier, higher or lower: from its end on.
    let (_, higher) = code_of(&mall, &ada, "higher", &diehard).await;
    let told = redeem(&mall, &lin, "higher", &higher).await;
    let end = time(&after["ends_at"]);
    let detail = told.refused(409, "other_tier_runs")["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(&end.format("%Y-%m-%d").to_string()), "{detail}");
    let told = check(&mall, Some(&lin), &higher).await.ok(200);
    assert_eq!((&told["refusal"], &told["redeemable_from"]), (&json!("other_tier_runs"), &after["ends_at"]));
    assert_eq!(check(&mall, None, &higher).await.ok(200)["may_redeem"], true, "somebody else could");
    let top = mall.member("top@b.test", &mall.diehard).await;
    let (_, lower) = code_of(&mall, &ada, "lower", &regular).await;
    redeem(&mall, &top, "lower", &lower).await.refused(409, "other_tier_runs");
    // Who gives says nothing of his own membership: one that he has cancelled stays so.
    desk::post(&mall, &top, "/v1/me/membership/cancel", "c", json!({})).await.ok(200);
    code_of(&mall, &top, "gives", &regular).await;
    assert!(mine(&mall, &top).await["renewal"]["cancelled_at"].is_string());

    // Frozen, and an order that may change it: later.
    let until = mall.shop.app.now() + TimeDelta::days(3);
    desk::post(&mall, &lin, "/v1/me/membership/freeze", "f", json!({ "until": until })).await.ok(200);
    redeem(&mall, &lin, "frozen", &lower).await.refused(409, "membership_frozen");
    desk::post(&mall, &lin, "/v1/me/membership/resume", "f", json!({})).await.ok(200);
    let bob = mall.shop.app.member("bob@b.test").await;
    let pending = order(&mall, &bob, "pending", json!({ "plan": diehard["id"] })).await.ok(201);
    redeem(&mall, &bob, "pending", &lower).await.refused(409, "membership_order_pending");
    desk::cancel(&mall, &bob, &pending, "c").await.ok(200);
    // For life, and thrown out: never; the gift stays good for somebody else.
    let life = plan(&mall, "regular-life", &mall.regular, json!({ "term": "lifetime" })).await;
    let old = mall.member("old@b.test", &life).await;
    redeem(&mall, &old, "life", &lower).await.refused(409, "already_for_life");
    let membership = mine(&mall, &old).await;
    let path = format!("/v1/admin/memberships/{}/revoke", id(&membership));
    operate(&mall, &path, json!({ "reason": "Out." })).await.ok(200);
    redeem(&mall, &old, "revoked", &lower).await.refused(409, "membership_revoked");
    assert_eq!(redeem(&mall, &bob, "anew", &lower).await.ok(200)["membership"]["tier"], "regular");

    // Once what he has is over, the other tier starts anew, with the same number.
    mall.shop.advance(end - mall.shop.app.now() + TimeDelta::days(1)).await;
    let owner_extends =
        json!({ "expires_at": mall.shop.app.now() + TimeDelta::days(9), "reason": "He waits." });
    let gifts =
        desk::get(&mall, &mall.shop.app.sign_in(&mall.owner.email).await, "/v1/admin/gifts").await.ok(200);
    let waiting = gifts["data"].as_array().unwrap().iter().find(|one| one["plan"] == diehard["id"]).unwrap();
    assert_eq!(waiting["state"], "expired");
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    redeem(&mall, &lin, "late", &higher).await.refused(409, "gift_expired");
    operate(&mall, &format!("/v1/admin/gifts/{}/extend", id(waiting)), owner_extends).await.ok(200);
    let given = redeem(&mall, &lin, "late", &higher).await.ok(200);
    assert_eq!(given["membership"]["tier"], "diehard");
    assert_eq!(given["membership"]["number"], before["number"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_redeem_one_gift_and_one_gets_it() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let (_, code) = code_of(&mall, &ada, "k", &mall.regular).await;
    let mut people = Vec::new();
    for n in 0..30 {
        people.push(mall.shop.app.member(&format!("r{n}@b.test")).await);
    }
    let answers = join_all(people.iter().map(|person| redeem(&mall, person, "k", &code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(409, "gift_redeemed");
    }
    assert_eq!(desk::count(&mall, "membership_terms").await, 1);
    // One person who has many at once gets each of them, one behind the other.
    let mut line = Vec::new();
    for n in 0..5 {
        line.push(code_of(&mall, &ada, &format!("five{n}"), &mall.regular).await.1);
    }
    let keys: Vec<_> = (0..5).map(|n| format!("five{n}")).collect();
    let all = line.iter().zip(&keys).map(|(code, key)| redeem(&mall, &ada, key, code));
    for answer in join_all(all).await {
        answer.ok(200);
    }
    assert_eq!(desk::count(&mall, "membership_terms").await, 6);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refunded_gift_grants_nothing() {
    let mall = Mall::open().await;
    let year = plan(&mall, "regular-365", &mall.regular, json!({})).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let (order, code) = code_of(&mall, &ada, "k", &year).await;
    // A part leaves it good, as a part of a membership's money does.
    refund(&mall, &order, "p", json!({ "amount": yuan(40), "reason": "Part." })).await.ok(201);
    assert_eq!(check(&mall, Some(&lin), &code).await.ok(200)["may_redeem"], true);
    refund(&mall, &order, "r", json!({ "reason": "Changed my mind." })).await.ok(201);
    redeem(&mall, &lin, "k", &code).await.refused(409, "gift_void");
    desk::cancel(&mall, &ada, &order, "c").await.refused(409, "order_not_pending");

    // Redeemed alone: the membership ends. Behind what he has bought: that stays as it was.
    let (order, code) = code_of(&mall, &ada, "alone", &year).await;
    desk::cancel(&mall, &ada, &order, "c2").await.refused(409, "not_cancellable");
    redeem(&mall, &lin, "alone", &code).await.ok(200);
    refund(&mall, &order, "alone", json!({ "reason": "Changed my mind." })).await.ok(201);
    assert_eq!(mine(&mall, &lin).await["state"], "expired");
    bought(&mall, &lin, "own", json!({ "plan": year["id"] })).await;
    let before = mine(&mall, &lin).await;
    let (order, code) = code_of(&mall, &ada, "behind", &year).await;
    redeem(&mall, &lin, "behind", &code).await.ok(200);
    refund(&mall, &order, "behind", json!({ "reason": "Changed my mind." })).await.ok(201);
    let after = mine(&mall, &lin).await;
    assert_eq!((&after["state"], &after["ends_at"]), (&json!("active"), &before["ends_at"]));
    // In front of what he has bought: that moves up.
    let bob = mall.shop.app.member("bob@b.test").await;
    let (order, code) = code_of(&mall, &ada, "front", &year).await;
    redeem(&mall, &bob, "front", &code).await.ok(200);
    bought(&mall, &bob, "own", json!({ "plan": year["id"] })).await;
    mall.shop.advance(TimeDelta::days(100)).await;
    refund(&mall, &order, "front", json!({ "reason": "Changed my mind." })).await.ok(201);
    let bob = mall.shop.app.sign_in("bob@b.test").await;
    let left = time(&mine(&mall, &bob).await["ends_at"]) - mall.shop.app.now();
    assert_eq!((left + TimeDelta::hours(1)).num_days(), 365);
    // Redeeming and refunding at the same moment: whichever comes first, nothing of it runs.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    for round in 0..4 {
        let eve = mall.shop.app.member(&format!("eve{round}@b.test")).await;
        let (order, code) = code_of(&mall, &ada, &format!("both{round}"), &year).await;
        let key = format!("both{round}");
        let (_, refunded) = tokio::join!(
            redeem(&mall, &eve, &key, &code),
            refund(&mall, &order, &key, json!({ "reason": "Changed my mind." })),
        );
        refunded.ok(201);
        let membership = desk::get(&mall, &eve, "/v1/me/membership").await;
        assert!(membership.status == 404 || membership.json["state"] == "expired", "{}", membership.json);
        mall.shop.settle().await;
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_behind_an_upgrade_holds_the_upgrade() {
    let mall = Mall::open().await;
    let regular = plan(&mall, "regular-365", &mall.regular, json!({})).await;
    let dear = json!({ "price": yuan(1_200), "open_upgrade": true });
    let diehard = plan(&mall, "diehard-365", &mall.diehard, dear).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    // A gift, then an upgrade that replaces it and credits nothing for it, then a gift of the higher tier.
    let (first, code) = code_of(&mall, &ada, "first", &regular).await;
    redeem(&mall, &lin, "first", &code).await.ok(200);
    let asked = json!({ "plan": diehard["id"], "mode": "restart" });
    let quote = mall.shop.app.post("/v1/upgrade-quotes").bearer(&lin.token).json(&asked).send().await.ok(201);
    let upgrade = bought(&mall, &lin, "up", json!({ "upgrade_quote": quote["id"] })).await;
    let (second, code) = code_of(&mall, &ada, "second", &diehard).await;
    redeem(&mall, &lin, "second", &code).await.ok(200);
    // Without the upgrade the second one would become a year of the lower tier.
    refund(&mall, &upgrade, "u", json!({ "reason": "No." })).await.refused(409, "refund_later_first");
    // The first one's money goes back: the upgrade was paid for without it, and it can't come back.
    refund(&mall, &first, "f", json!({ "reason": "No." })).await.ok(201);
    assert_eq!(mine(&mall, &lin).await["tier"], "diehard");
    refund(&mall, &second, "s", json!({ "reason": "No." })).await.ok(201);
    refund(&mall, &upgrade, "u2", json!({ "reason": "No." })).await.ok(201);
    assert_eq!(mine(&mall, &lin).await["state"], "expired");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_gift_waits_and_a_lost_one_ends_what_it_gave() {
    let mall = Mall::open().await;
    let year = plan(&mall, "regular-365", &mall.regular, json!({})).await;
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
    // Not redeemed: it waits, its time is given back, and it is delivered though its day passed meanwhile.
    let day = mall.shop.app.now() + TimeDelta::days(1);
    let order =
        bought(&mall, &ada, "w", gift(&year, Some(json!({ "email": "lin@b.test", "deliver_at": day }))))
            .await;
    let expires_at = time(&order["lines"][0]["gift"]["expires_at"]);
    let won = dispute(&order).await;
    mall.shop.advance(TimeDelta::days(20)).await;
    assert!(codes(&mall, "lin@b.test").is_empty());
    close(&won, "won").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let code = codes(&mall, "lin@b.test").remove(0);
    let told = check(&mall, Some(&lin), &code).await.ok(200);
    let given_back = time(&told["expires_at"]) - expires_at - TimeDelta::days(20);
    assert!(given_back.abs() < TimeDelta::minutes(10), "{given_back}");
    redeem(&mall, &lin, "k", &code).await.ok(200);
    // Redeemed: the receiver is frozen meanwhile; won: he goes on, with the time given back.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    let (second, code) = code_of(&mall, &ada, "second", &year).await;
    redeem(&mall, &lin, "second", &code).await.ok(200);
    let before = mine(&mall, &lin).await;
    let won = dispute(&second).await;
    assert_eq!(mine(&mall, &lin).await["state"], "frozen");
    mall.shop.advance(TimeDelta::days(5)).await;
    close(&won, "won").await;
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    let after = mine(&mall, &lin).await;
    assert_eq!(after["state"], "active");
    let given_back = time(&after["ends_at"]) - time(&before["ends_at"]) - TimeDelta::days(5);
    assert!(given_back.abs() < TimeDelta::minutes(10), "{given_back}");
    // Lost after it was redeemed: what it gave ends, and what he has bought himself stays whole.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    let bob = mall.shop.app.member("bob@b.test").await;
    let (third, code) = code_of(&mall, &ada, "third", &year).await;
    redeem(&mall, &bob, "third", &code).await.ok(200);
    bought(&mall, &bob, "own", json!({ "plan": year["id"] })).await;
    let lost = dispute(&third).await;
    assert_eq!(mine(&mall, &bob).await["state"], "frozen");
    mall.shop.advance(TimeDelta::days(2)).await;
    close(&lost, "lost").await;
    let bob = mall.shop.app.sign_in("bob@b.test").await;
    let own = mine(&mall, &bob).await;
    let left = time(&own["ends_at"]) - mall.shop.app.now() + TimeDelta::hours(1);
    assert_eq!((&own["state"], left.num_days()), (&json!("active"), 365));
    redeem(&mall, &bob, "again", &code).await.refused(409, "gift_void");
    // Lost before it was redeemed.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    let (held, code) = code_of(&mall, &ada, "h", &year).await;
    let lost = dispute(&held).await;
    redeem(&mall, &lin, "h", &code).await.refused(409, "gift_held");
    close(&lost, "lost").await;
    redeem(&mall, &lin, "h2", &code).await.refused(409, "gift_void");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gave_is_reminded_and_operators_see_to_gifts() {
    let mall = Mall::open_with(&[("KINDRED_GIFT_DAYS", "60")]).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let (first, old) = code_of(&mall, &ada, "k", &mall.regular).await;
    let reminders =
        || mails(&mall, "ada@b.test").iter().filter(|mail| mail.0 == "您的会员礼物尚未兑换").count();
    mall.shop.advance(TimeDelta::days(29)).await;
    assert_eq!(reminders(), 0);
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(reminders(), 1);
    mall.shop.advance(TimeDelta::days(23)).await;
    assert_eq!(reminders(), 2);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let list = desk::get(&mall, &owner, &format!("/v1/admin/gifts?order={}", id(&first))).await.ok(200);
    let path = format!("/v1/admin/gifts/{}", list["data"][0]["id"].as_str().unwrap());
    assert_eq!(list["data"][0]["code_end"], json!(&old.replace('-', "")[13..]));
    assert!(!list.to_string().contains(&old), "nobody but its holder has the code");
    // Moved: it is to be redeemed later, and its buyer hears again.
    let end = mall.shop.app.now() + TimeDelta::days(40);
    let past = json!({ "expires_at": mall.shop.app.now(), "reason": "Why." });
    operate(&mall, &format!("{path}/extend"), past).await.refused(422, "invalid_field");
    let moved = json!({ "expires_at": end, "reason": "Ada asked." });
    assert_eq!(time(&operate(&mall, &format!("{path}/extend"), moved).await.ok(200)["expires_at"]), end);
    mall.shop.advance(TimeDelta::days(10)).await;
    assert_eq!(reminders(), 3);
    // A lost code: another one, to another address.
    let lost = json!({ "email": "lin@b.test", "reason": "Lost." });
    operate(&mall, &format!("{path}/replace"), lost).await.ok(200);
    mall.shop.settle().await;
    check(&mall, None, &old).await.refused(422, "unknown_gift_card");
    let new = codes(&mall, "lin@b.test").remove(0);
    let lin = mall.shop.app.member("lin@b.test").await;
    redeem(&mall, &lin, "k", &new).await.ok(200);
    for verb in ["void", "extend", "replace"] {
        let body = json!({ "reason": "Late.", "expires_at": end });
        let body = if verb == "extend" { body } else { json!({ "reason": "Late." }) };
        operate(&mall, &format!("{path}/{verb}"), body).await.refused(409, "gift_redeemed");
    }
    mall.shop.advance(TimeDelta::days(40)).await;
    assert_eq!(reminders(), 3, "what was redeemed is no matter any more");
    // Taken back.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    let (second, code) = code_of(&mall, &ada, "v", &mall.regular).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let list = desk::get(&mall, &owner, &format!("/v1/admin/gifts?order={}", id(&second))).await.ok(200);
    let path = format!("/v1/admin/gifts/{}", list["data"][0]["id"].as_str().unwrap());
    operate(&mall, &format!("{path}/void"), json!({ "reason": "" })).await.refused(422, "invalid_field");
    for _ in 0..2 {
        let void = operate(&mall, &format!("{path}/void"), json!({ "reason": "A mistake." })).await.ok(200);
        assert_eq!(void["state"], "void");
    }
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    redeem(&mall, &lin, "v", &code).await.refused(409, "gift_void");
    assert_eq!(desk::get(&mall, &owner, &path).await.ok(200)["state"], "void");
    assert_eq!(desk::count(&mall, "audit_log WHERE action LIKE 'gift.%'").await, 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_is_refused_and_nothing_changes() {
    let mall = Mall::open().await;
    let closed = plan(&mall, "closed", &mall.diehard, json!({ "open_sale": false })).await;
    let gone = plan(&mall, "gone", &mall.diehard, json!({})).await;
    mall.shop
        .app
        .post(&format!("/v1/admin/plans/{}/archive", id(&gone)))
        .bearer(&mall.owner.token)
        .send()
        .await
        .ok(200);
    let ada = mall.shop.app.member("ada.b@gmail.com").await;
    let now = mall.shop.app.now();
    let to = |more: Value| {
        let mut to = json!({ "email": "lin@b.test" });
        to.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(to)
    };
    let open = &mall.regular;
    let mut twice = gift(open, None);
    twice["quantity"] = json!(2);
    let mut both = gift(open, None);
    both["plan"] = open["id"].clone();
    let mut card = gift(open, None);
    card["gift_card"] = json!({ "amount": yuan(100) });
    let mut driven = gift(open, None);
    driven["drive"] = json!(format!("drv_{}", "0".repeat(32)));
    for (line, status, code, field) in [
        (gift(open, to(json!({ "deliver_at": now }))), 422, "invalid_field", "lines[0].gift.to.deliver_at"),
        (
            gift(open, to(json!({ "message": "心".repeat(501) }))),
            422,
            "invalid_field",
            "lines[0].gift.to.message",
        ),
        (twice, 422, "invalid_field", "lines[0].quantity"),
        (both, 422, "invalid_field", "lines[0]"),
        (card, 422, "invalid_field", "lines[0]"),
        (driven, 422, "invalid_field", "lines[0].drive"),
        (gift(&closed, None), 409, "plan_not_given", "lines[0].gift.plan"),
        (gift(&gone, None), 422, "unknown_plan", "lines[0].gift.plan"),
        (
            gift(open, Some(json!({ "email": "AdaB+me@googlemail.com" }))),
            422,
            "gift_to_oneself",
            "lines[0].gift.to.email",
        ),
    ] {
        let answer = order(&mall, &ada, "k", line).await;
        assert_eq!(answer.refused(status, code)["errors"][0]["field"], field);
    }
    let unknown = json!({ "id": format!("plan_{}", "0".repeat(32)) });
    order(&mall, &ada, "k", gift(&unknown, None)).await.refused(422, "unknown_plan");
    assert_eq!(desk::count(&mall, "gifts").await, 0);
    // An unpaid one was never a gift, and keeps nobody from buying a membership.
    let unpaid = order(&mall, &ada, "k", gift(open, None)).await.ok(201);
    assert_eq!(unpaid["lines"][0]["gift"]["state"], "unpaid");
    bought(&mall, &ada, "own", json!({ "plan": open["id"] })).await;
    mall.shop.advance(TimeDelta::minutes(60)).await;
    assert!(mails(&mall, "ada.b@gmail.com").is_empty());
    // Two gifts and one's own membership stand in one order.
    let bob = mall.shop.app.member("bob@b.test").await;
    let lines = json!([{ "plan": open["id"] }, gift(open, None), gift(open, to(json!({})))]);
    let order = mall.order(&bob, "three", lines).await.ok(201);
    assert_eq!(order["totals"]["total"]["amount"], 60_000);
    mall.shop.pay(&order).await;
    mall.shop.settled(&bob, &order).await;
    mall.shop.settle().await;
    assert_eq!((codes(&mall, "bob@b.test").len(), codes(&mall, "lin@b.test").len()), (1, 1));
    // One's own code: it may be used, and is worth nothing.
    redeem(&mall, &bob, "own", &codes(&mall, "bob@b.test")[0]).await.ok(200);
    assert_eq!(mine(&mall, &bob).await["worth"]["paid"], yuan(200));
    // A code of the other kind names nothing here.
    let guess = "7Q4M-2X9P-AB3K-W6TYN";
    let mut refused = 0;
    for n in 0..40 {
        let answer = redeem(&mall, &bob, &format!("guess{n}"), guess).await;
        match answer.status {
            429 => refused += 1,
            _ => drop(answer.refused(422, "unknown_gift").clone()),
        }
    }
    assert_eq!(refused, 10, "thirty in an hour");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_give_and_who_is_erased_is_forgotten() {
    let mall = Mall::open().await;
    let basket = Basket::of_guest(&mall).await;
    basket.put(&mall, json!([gift(&mall.regular, Some(json!({ "email": "lin@b.test" })))])).await.ok(200);
    basket.order(&mall, "own", json!({ "email": "lin@b.test" })).await.refused(422, "gift_to_oneself");
    let order = basket.order(&mall, "k", json!({ "email": "guest@b.test" })).await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settle().await;
    let lin = mall.shop.app.member("lin@b.test").await;
    redeem(&mall, &lin, "k", &codes(&mall, "lin@b.test")[0]).await.ok(200);
    mall.shop.settle().await;
    assert_eq!(mails(&mall, "guest@b.test").last().unwrap().0, "您的会员礼物已兑换");

    // The buyer is erased: what he gave is delivered all the same, and a lost code that was his own to hand on can be sent to
    // nobody before an operator names somebody.
    let ada = mall.shop.app.member("ada@b.test").await;
    let day = mall.shop.app.now() + TimeDelta::days(9);
    let to = json!({ "email": "bob@b.test", "name": "Bob", "message": "Yours, Ada", "deliver_at": day });
    bought(&mall, &ada, "k", gift(&mall.regular, Some(to))).await;
    let (own, _) = code_of(&mall, &ada, "own", &mall.regular).await;
    let export = desk::get(&mall, &ada, "/v1/me/export").await.ok(200);
    assert_eq!(export["gifts"][0]["to_email"], "bob@b.test");
    let erase = async |person: &Person| {
        let body = json!({ "password": PASSWORD, "forfeit": true });
        mall.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await
    };
    erase(&ada).await.ok(204);
    assert_eq!(desk::count(&mall, "gifts WHERE message IS NOT NULL OR from_name IS NOT NULL").await, 0);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let list = desk::get(&mall, &owner, &format!("/v1/admin/gifts?order={}", id(&own))).await.ok(200);
    let path = format!("/v1/admin/gifts/{}/replace", list["data"][0]["id"].as_str().unwrap());
    operate(&mall, &path, json!({ "reason": "Lost." })).await.refused(422, "invalid_field");
    operate(&mall, &path, json!({ "email": "eve@b.test", "reason": "Lost." })).await.ok(200);
    mall.shop.settle().await;
    assert_eq!(codes(&mall, "eve@b.test").len(), 1);
    mall.shop.advance(TimeDelta::days(9)).await;
    let code = codes(&mall, "bob@b.test").remove(0);
    let bob = mall.shop.app.member("bob@b.test").await;
    redeem(&mall, &bob, "k", &code).await.ok(200);
    erase(&bob).await.ok(204);
    let told = "gifts WHERE to_email LIKE 'bob%' OR to_name IS NOT NULL";
    assert_eq!(desk::count(&mall, told).await, 0);
    mall.finish().await;
}

/// Where operators see to the gift of an order.
async fn path_of(mall: &Mall, order: &Value) -> String {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let list = desk::get(mall, &owner, &format!("/v1/admin/gifts?order={}", id(order))).await.ok(200);
    format!("/v1/admin/gifts/{}", id(&list["data"][0]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_whose_refund_fails_is_good_again() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let fails = async |order: &Value| {
        let sql = format!(
            "SELECT r.stripe_refund_id AS text FROM refunds r JOIN orders o ON o.id = r.order_id WHERE o.number = '{}'",
            order["number"].as_str().unwrap()
        );
        let refund = text_sql(&mut *mall.shop.app.conn().await, &sql).await;
        mall.shop.simulator().settle_refund(&refund, false).unwrap();
        mall.shop.settle().await;
    };
    let (order, code) = code_of(&mall, &ada, "k", &mall.regular).await;
    refund(&mall, &order, "r", json!({ "reason": "Changed my mind." })).await.ok(201);
    mall.shop.settle().await;
    redeem(&mall, &lin, "void", &code).await.refused(409, "gift_void");
    fails(&order).await;
    redeem(&mall, &lin, "good", &code).await.ok(200);
    // Before it was delivered: it is, once nothing goes back.
    let to = json!({ "email": "may@b.test", "deliver_at": mall.shop.app.now() + TimeDelta::days(3) });
    let order = bought(&mall, &ada, "later", gift(&mall.regular, Some(to))).await;
    refund(&mall, &order, "later", json!({ "reason": "Changed my mind." })).await.ok(201);
    mall.shop.advance(TimeDelta::days(4)).await;
    assert!(mails(&mall, "may@b.test").is_empty());
    fails(&order).await;
    assert_eq!(codes(&mall, "may@b.test").len(), 1);
    // What an operator has taken back stays so.
    let ada = mall.shop.app.sign_in("ada@b.test").await;
    let (order, code) = code_of(&mall, &ada, "taken", &mall.regular).await;
    let path = format!("{}/void", path_of(&mall, &order).await);
    operate(&mall, &path, json!({ "reason": "Abuse." })).await.ok(200);
    refund(&mall, &order, "taken", json!({ "reason": "Changed my mind." })).await.ok(201);
    mall.shop.settle().await;
    fails(&order).await;
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    redeem(&mall, &lin, "taken", &code).await.refused(409, "gift_void");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_for_nobody_yet_that_goes_to_somebody_is_told_as_one() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let (order, old) = code_of(&mall, &ada, "k", &mall.regular).await;
    let path = format!("{}/replace", path_of(&mall, &order).await);
    operate(&mall, &path, json!({ "email": "lin@b.test", "reason": "For her." })).await.ok(200);
    mall.shop.settle().await;
    let count = async |what: &str| desk::count(&mall, what).await;
    assert_eq!(count("mails WHERE kind = 'gift' AND to_address = 'lin@b.test'").await, 1);
    // The buyer is told that it was sent, and has no code any more.
    assert_eq!(count("mails WHERE kind = 'gift_delivered' AND to_address = 'ada@b.test'").await, 1);
    let lin = mall.shop.app.member("lin@b.test").await;
    redeem(&mall, &lin, "old", &old).await.refused(422, "unknown_gift");
    // Back to its buyer, who hands it on himself.
    operate(&mall, &path, json!({ "email": "ada@b.test", "reason": "Not for her." })).await.ok(200);
    mall.shop.settle().await;
    assert_eq!(count("mails WHERE kind = 'gift_code' AND to_address = 'ada@b.test'").await, 2);
    redeem(&mall, &lin, "new", &codes(&mall, "ada@b.test").pop().unwrap()).await.ok(200);
    mall.finish().await;
}
