//! Trials: once a person, for nothing, with an end of their own.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::run_sql;
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

/// A shop whose year of `regular` can be tried for ten days.
async fn open() -> (Mall, Value, Value) {
    let mall = Mall::open().await;
    let plan = async |code: &str, of: &Value, more: Value| {
        let mut body = json!({
            "code": code, "tier": of["tier"], "term": "P365D", "price": yuan(200), "renews": "card",
            "payment_methods": ["card"], "open_sale": true,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mall.shop.app.make(&mall.owner, "/v1/admin/plans", &body).await
    };
    let regular = plan("regular-365", &mall.regular, json!({ "trial_days": 10 })).await;
    let diehard =
        plan("diehard-365", &mall.diehard, json!({ "price": yuan(1_200), "renews": "never" })).await;
    (mall, regular, diehard)
}

async fn ask(mall: &Mall, person: &Person, key: &str, plan: &Value) -> Answer {
    desk::post(mall, person, "/v1/me/trials", key, json!({ "plan": plan["id"] })).await
}

async fn mine(mall: &Mall, person: &Person) -> Value {
    let person = mall.shop.app.sign_in(&person.email).await;
    desk::get(mall, &person, "/v1/me/membership").await.ok(200)
}

async fn bought(mall: &Mall, person: &Person, key: &str, line: Value) -> Value {
    let mut body = mall.body(json!([line]));
    body.as_object_mut().unwrap().remove("shipping");
    let person = mall.shop.app.sign_in(&person.email).await;
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
    let order = request.json(&body).send().await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(&person, &order).await;
    mall.shop.settle().await;
    mall.shop.show(&person, &order).await
}

async fn refund(mall: &Mall, order: &Value, key: &str) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/orders/{}/refunds", id(order));
    desk::post(mall, &owner, &path, key, json!({ "reason": "Asked for it." })).await
}

/// Subjects of the mails about trials, the first first.
fn told(mall: &Mall, to: &str) -> Vec<String> {
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    let about = inbox.into_iter().filter(|mail| mail.to == to && mail.subject.contains("试用"));
    let mut found: Vec<_> = about.map(|mail| (mail.sent_at, mail.subject)).collect();
    found.sort();
    found.into_iter().map(|(_, subject)| subject).collect()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_ends_by_itself_and_charges_nothing() {
    let (mall, regular, _) = open().await;
    let tiers = mall.shop.app.get("/v1/tiers").send().await.ok(200);
    assert!(tiers.to_string().contains("\"trial_days\":10"));
    let campaign = json!({
        "code": "stay", "names": { "zh-CN": "留下来", "en": "Stay" }, "class": "membership",
        "benefit": { "kind": "amount", "off": yuan(50) }, "valid_days": 7,
    });
    let campaign = desk::post(&mall, &mall.owner, "/v1/admin/coupon-campaigns", "c", campaign).await.ok(201);
    let occasion = json!({ "event": "trial_ending", "campaign": campaign["id"] });
    desk::post(&mall, &mall.owner, "/v1/admin/occasions", "o", occasion).await.ok(201);
    let lin = mall.shop.app.member("lin@b.test").await;
    run_sql(&mut *mall.shop.app.conn().await, "UPDATE accounts SET marketing = true").await;
    let started = ask(&mall, &lin, "k", &regular).await.ok(201);
    assert_eq!(ask(&mall, &lin, "k", &regular).await.ok(201)["id"], started["id"]);
    assert_eq!((&started["days"], &started["membership"]["state"]), (&json!(10), &json!("active")));
    assert_eq!(time(&started["ends_at"]) - time(&started["starts_at"]), TimeDelta::days(10));
    let member = mine(&mall, &lin).await;
    assert_eq!((&member["number"], &member["tier"]), (&json!("KD0001"), &json!("regular")));
    assert_eq!((&member["worth"]["paid"]["amount"], &member["ends_at"]), (&json!(0), &started["ends_at"]));
    mall.shop.settle().await;
    assert_eq!(told(&mall, "lin@b.test").len(), 1);
    mall.shop.advance(TimeDelta::days(7)).await;
    assert_eq!(told(&mall, "lin@b.test").len(), 1);
    mall.shop.advance(TimeDelta::days(1)).await;
    assert!(told(&mall, "lin@b.test")[1].contains("将于"), "two days before its end");
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    let wallet = desk::get(&mall, &lin, "/v1/me/coupons").await.ok(200);
    assert_eq!(wallet["data"].as_array().unwrap().len(), 1, "with a coupon to stay");
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(told(&mall, "lin@b.test")[2], "您的试用已结束");
    assert_eq!(mine(&mall, &lin).await["state"], "expired", "nobody has paid for grace");
    mall.shop.advance(TimeDelta::days(30)).await;
    assert_eq!(told(&mall, "lin@b.test").len(), 3);
    assert_eq!(desk::count(&mall, "orders").await + desk::count(&mall, "payments").await, 0);
    assert!(mall.shop.simulator().book().payments.is_empty());
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    ask(&mall, &lin, "again", &regular).await.refused(409, "trial_used");
    // Who comes back later starts then, under his number.
    bought(&mall, &lin, "own", json!({ "plan": regular["id"] })).await;
    let back = mine(&mall, &lin).await;
    assert_eq!((&back["state"], &back["number"]), (&json!("active"), &json!("KD0001")));
    let export = mall.shop.app.sign_in("lin@b.test").await;
    let export = desk::get(&mall, &export, "/v1/me/export").await.ok(200);
    assert_eq!(export["trials"][0]["days"], 10);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_and_one_person_has_one_trial() {
    let (mall, regular, _) = open().await;
    // Twenty accounts of one person, by the ways to write one address.
    let mut people = Vec::new();
    for n in 0..10 {
        people.push(mall.shop.app.member(&format!("lin.da+{n}@gmail.com")).await);
        people.push(mall.shop.app.member(&format!("L.i.nda+x{n}@googlemail.com")).await);
    }
    let answers = join_all(people.iter().map(|person| ask(&mall, person, "k", &regular))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(409, "trial_used");
    }
    // One account with twenty keys.
    let bob = mall.shop.app.member("bob@b.test").await;
    let keys: Vec<_> = (0..20).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| ask(&mall, &bob, key, &regular))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    // Twenty people: each has his own, and a number without a gap.
    let mut others = Vec::new();
    for n in 0..20 {
        others.push(mall.shop.app.member(&format!("other{n}@b.test")).await);
    }
    for answer in join_all(others.iter().map(|person| ask(&mall, person, "k", &regular))).await {
        answer.ok(201);
    }
    assert_eq!(desk::count(&mall, "member_numbers").await, 22);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_or_was_a_member_tries_nothing() {
    let (mall, regular, diehard) = open().await;
    let new = mall.shop.app.stranger("new@b.test").await;
    ask(&mall, &new, "k", &regular).await.refused(403, "email_not_verified");
    let bob = mall.shop.app.member("bob@b.test").await;
    ask(&mall, &bob, "k", &diehard).await.refused(409, "no_trial");
    ask(&mall, &bob, "k", &json!({ "id": format!("plan_{}", "0".repeat(32)) }))
        .await
        .refused(422, "unknown_plan");
    let mut waits = mall.body(json!([{ "plan": regular["id"] }]));
    waits.as_object_mut().unwrap().remove("shipping");
    let order = desk::post(&mall, &bob, "/v1/orders?wait=payment", "wait", waits).await.ok(201);
    ask(&mall, &bob, "k", &regular).await.refused(409, "membership_order_pending");
    desk::cancel(&mall, &bob, &order, "c").await.ok(200);
    assert_eq!(desk::count(&mall, "trials").await + desk::count(&mall, "membership_terms").await, 0);
    // A member, and another account of his.
    let member = mall.member("m.ember@gmail.com", &mall.diehard).await;
    ask(&mall, &member, "k", &regular).await.refused(409, "not_new");
    let other = mall.shop.app.member("member+2@gmail.com").await;
    ask(&mall, &other, "k", &regular).await.refused(409, "not_new");
    // Who has had a trial, was erased, and comes back under another spelling.
    let lin = mall.shop.app.member("lin.da@gmail.com").await;
    ask(&mall, &lin, "k", &regular).await.ok(201);
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    mall.shop.app.delete("/v1/me").bearer(&lin.token).json(&erase).send().await.ok(204);
    for email in ["linda+again@gmail.com", "Lin.Da@googlemail.com"] {
        let back = mall.shop.app.member(email).await;
        ask(&mall, &back, "k", &regular).await.refused(409, "trial_used");
    }
    // The trial of who was erased ends without a mail to anybody.
    mall.shop.advance(TimeDelta::days(11)).await;
    assert!(told(&mall, "lin.da@gmail.com").iter().all(|subject| subject.starts_with("试用开始")));
    // Operators say what can be tried.
    for days in [-1, 366] {
        let body = json!({
            "code": "wrong", "tier": regular["tier"], "term": "P1Y", "price": yuan(1), "renews": "never",
            "payment_methods": ["card"], "trial_days": days,
        });
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        let answer = mall.shop.app.post("/v1/admin/plans").bearer(&owner.token).json(&body).send().await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], "trial_days");
    }
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/plans/{}", id(&regular));
    let request = mall.shop.app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"");
    assert_eq!(request.json(&json!({ "trial_days": 0 })).send().await.ok(200)["trial_days"], 0);
    let bob = mall.shop.app.sign_in("bob@b.test").await;
    ask(&mall, &bob, "k", &regular).await.refused(409, "no_trial");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_meanwhile_stands_behind_the_trial() {
    let (mall, regular, diehard) = open().await;
    // The same tier: from the trial's end on; nothing is lost, and nobody is told that it ends.
    let lin = mall.shop.app.member("lin@b.test").await;
    let started = ask(&mall, &lin, "k", &regular).await.ok(201);
    mall.shop.advance(TimeDelta::days(2)).await;
    bought(&mall, &lin, "own", json!({ "plan": regular["id"] })).await;
    let after = mine(&mall, &lin).await;
    assert_eq!(time(&after["ends_at"]), time(&started["ends_at"]) + TimeDelta::days(365));
    assert_eq!(after["worth"]["paid"], yuan(200));
    mall.shop.advance(TimeDelta::days(9)).await;
    assert_eq!(told(&mall, "lin@b.test").len(), 1, "that it began");
    assert_eq!(mine(&mall, &lin).await["state"], "active");

    // Another tier: an upgrade that is credited nothing.
    let bob = mall.shop.app.member("bob@b.test").await;
    ask(&mall, &bob, "k", &regular).await.ok(201);
    let asked = json!({ "plan": diehard["id"], "mode": "restart" });
    let quote = desk::post(&mall, &bob, "/v1/upgrade-quotes", "q", asked).await.ok(201);
    assert_eq!((&quote["credit"]["amount"], &quote["due"]["amount"]), (&json!(0), &json!(120_000)));
    let upgrade = bought(&mall, &bob, "up", json!({ "upgrade_quote": quote["id"] })).await;
    assert_eq!(mine(&mall, &bob).await["tier"], "diehard");
    // Its money goes back while the trial would run: that comes back, and ends by itself.
    mall.shop.advance(TimeDelta::days(3)).await;
    refund(&mall, &upgrade, "r").await.ok(201);
    let back = mine(&mall, &bob).await;
    assert_eq!((&back["tier"], &back["state"]), (&json!("regular"), &json!("active")));
    mall.shop.advance(TimeDelta::days(7)).await;
    assert_eq!(mine(&mall, &bob).await["state"], "expired");
    assert_eq!(told(&mall, "bob@b.test").last().unwrap(), "您的试用已结束");

    // A refund of what stood behind it, once the trial is over: nothing is left.
    let eve = mall.shop.app.member("eve@b.test").await;
    ask(&mall, &eve, "k", &regular).await.ok(201);
    let own = bought(&mall, &eve, "own", json!({ "plan": regular["id"] })).await;
    mall.shop.advance(TimeDelta::days(20)).await;
    refund(&mall, &own, "late").await.ok(201);
    assert_eq!(mine(&mall, &eve).await["state"], "expired");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_rests_ends_later() {
    let (mall, regular, _) = open().await;
    let lin = mall.shop.app.member("lin@b.test").await;
    let started = ask(&mall, &lin, "k", &regular).await.ok(201);
    let path = format!("/v1/admin/memberships/{}", id(&started["membership"]));
    let operate = async |verb: &str| {
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        desk::post(&mall, &owner, &format!("{path}/{verb}"), verb, json!({ "reason": "Why." })).await.ok(200)
    };
    mall.shop.advance(TimeDelta::days(3)).await;
    operate("freeze").await;
    mall.shop.advance(TimeDelta::days(20)).await;
    assert_eq!(mine(&mall, &lin).await["state"], "frozen");
    assert_eq!(told(&mall, "lin@b.test").len(), 1);
    // Nobody asks every day whether it goes on: who lets it resume says so.
    let waits = "jobs WHERE kind IN ('end_trial', 'remind_trial') AND state <> 'done'";
    assert_eq!(desk::count(&mall, waits).await, 0);
    operate("resume").await;
    assert!(desk::count(&mall, "jobs WHERE kind = 'end_trial' AND state <> 'done'").await > 0);
    mall.shop.advance(TimeDelta::days(4)).await;
    assert_eq!(told(&mall, "lin@b.test").len(), 1, "three days are left");
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(told(&mall, "lin@b.test").len(), 2);
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(mine(&mall, &lin).await["state"], "expired");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_is_over_ends_also_where_its_account_was_erased() {
    let (mall, regular, _) = open().await;
    let lin = mall.shop.app.member("lin@b.test").await;
    ask(&mall, &lin, "k", &regular).await.ok(201);
    // The job is late: the trial is over, and the account is erased before it comes.
    let later = "UPDATE jobs SET run_at = run_at + interval '1 day' WHERE kind = 'end_trial'";
    run_sql(&mut *mall.shop.app.conn().await, later).await;
    mall.shop.advance(TimeDelta::days(10) + TimeDelta::hours(1)).await;
    assert_eq!(mine(&mall, &lin).await["state"], "grace");
    let lin = mall.shop.app.sign_in("lin@b.test").await;
    let erase = json!({ "password": PASSWORD });
    mall.shop.app.delete("/v1/me").bearer(&lin.token).json(&erase).send().await.ok(204);
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(desk::count(&mall, "memberships WHERE state = 'expired'").await, 1);
    assert_eq!(desk::count(&mall, "mails WHERE kind = 'trial_ended'").await, 0);
    mall.finish().await;
}
