//! Rules of the community: versions, acceptance with the order, measures and appeals.

use chrono::{DateTime, TimeDelta, Utc};
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::accounts::traces;
use crate::support::catalog::{count_sql, run_sql, text_sql};
use crate::support::desk::id;
use crate::support::mall::Mall;
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

async fn owner(mall: &Mall) -> Person {
    mall.shop.app.sign_in(&mall.owner.email).await
}

async fn publish(mall: &Mall, version: &str) -> Answer {
    publish_with(mall, version, "rest").await
}

async fn publish_with(mall: &Mall, version: &str, money: &str) -> Answer {
    let body = json!({
        "version": version, "texts": { "zh-CN": "第一条 友善", "en": "1. Be kind." }, "expulsion_money": money,
    });
    let owner = owner(mall).await;
    mall.shop.app.post("/v1/admin/community-rules").bearer(&owner.token).json(&body).send().await
}

fn plan_order(mall: &Mall, consents: Value) -> Value {
    json!({
        "lines": [{ "plan": mall.regular["id"] }], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/",
        "consents": consents,
    })
}

async fn order(mall: &Mall, person: &Person, key: &str, consents: Value) -> Answer {
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
    request.json(&plan_order(mall, consents)).send().await
}

async fn standing(mall: &Mall, person: &Person) -> Value {
    mall.shop.app.get("/v1/me/community-rules").bearer(&person.token).send().await.ok(200)
}

async fn accept(mall: &Mall, person: &Person, version: &str) -> Answer {
    let request = mall.shop.app.post("/v1/me/community-rules").bearer(&person.token);
    request.json(&json!({ "version": version })).send().await
}

async fn membership(mall: &Mall, person: &Person) -> Value {
    mall.shop.app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
}

/// A measure against the member, by the owner.
async fn measure(mall: &Mall, person: &Person, key: &str, more: Value) -> Answer {
    let mut body = json!({ "rule": "1. Be kind.", "reason": "Was rude to Zhang Sanfeng." });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    let path = format!("/v1/admin/memberships/{}/measures", id(&membership(mall, person).await));
    let owner = owner(mall).await;
    mall.shop.app.post(&path).bearer(&owner.token).key(key).json(&body).send().await
}

async fn decide(mall: &Mall, measure: &Value, verb: &str) -> Answer {
    let path = format!("/v1/admin/measures/{}/{verb}", id(measure));
    let owner = owner(mall).await;
    let body = json!({ "reason": "Looked at again." });
    mall.shop.app.post(&path).bearer(&owner.token).json(&body).send().await
}

async fn appeal(mall: &Mall, person: &Person, measure: &Value, text: &str) -> Answer {
    let path = format!("/v1/me/measures/{}/appeal", id(measure));
    mall.shop.app.post(&path).bearer(&person.token).json(&json!({ "text": text })).send().await
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn mails(mall: &Mall, kind: &str) -> i64 {
    let sql = format!("SELECT count(*) AS count FROM mails WHERE kind = '{kind}'");
    count_sql(&mut *mall.shop.app.conn().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_a_plan_accepts_the_rules_in_force() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    app.get("/v1/community-rules").send().await.refused(404, "not_found");
    let early = app.member("early@b.test").await;
    // Without rules nothing is asked, and nothing can be accepted.
    order(&mall, &early, "wrong", json!({ "community_rules": "1" }))
        .await
        .refused(409, "community_rules_changed");
    let joined = order(&mall, &early, "join", json!({ "terms": true })).await.ok(201);
    mall.shop.pay(&joined).await;
    mall.shop.settled(&early, &joined).await;
    assert_eq!(standing(&mall, &early).await["asked"], false);

    publish(&mall, "a b").await.refused(422, "invalid_field");
    publish(&mall, "1").await.ok(201);
    publish(&mall, "1").await.refused(409, "code_taken");
    let shown = app.get("/v1/community-rules").header("Accept-Language", "en").send().await;
    let etag = shown.header("etag").to_owned();
    let shown = shown.ok(200);
    assert_eq!((&shown["version"], &shown["text"]), (&json!("1"), &json!("1. Be kind.")));
    let again = app.get("/v1/community-rules").header("Accept-Language", "en").header("If-None-Match", &etag);
    assert_eq!(again.send().await.status, 304);

    let anna = app.member("anna@b.test").await;
    let refused = order(&mall, &anna, "a", json!({ "terms": true })).await;
    refused.refused(422, "community_rules_required");
    assert_eq!(refused.json["errors"][0]["field"], "consents.community_rules");
    order(&mall, &anna, "a", json!({ "community_rules": "0" })).await.refused(409, "community_rules_changed");
    assert_eq!(standing(&mall, &anna).await["accepted"], Value::Null);
    let consents = json!({ "terms": true, "community_rules": "1" });
    let placed = order(&mall, &anna, "a", consents.clone()).await.ok(201);
    mall.shop.pay(&placed).await;
    mall.shop.settled(&anna, &placed).await;
    let accepted = standing(&mall, &anna).await;
    assert_eq!((&accepted["accepted"], &accepted["asked"]), (&json!("1"), &json!(false)));

    // A newer version: the member is asked, the old one isn't taken any more, a repeat of the order is answered all the same.
    publish(&mall, "2").await.ok(201);
    assert_eq!(order(&mall, &anna, "a", consents).await.ok(201)["id"], placed["id"]);
    assert_eq!(standing(&mall, &anna).await["asked"], true);
    assert_eq!(standing(&mall, &early).await["asked"], true);
    accept(&mall, &anna, "1").await.refused(409, "community_rules_changed");
    accept(&mall, &anna, "nothing").await.refused(409, "community_rules_changed");
    let first = accept(&mall, &anna, "2").await.ok(200);
    assert_eq!((&first["accepted"], &first["asked"]), (&json!("2"), &json!(false)));
    assert_eq!(accept(&mall, &anna, "2").await.ok(200), first);
    // Goods need no acceptance.
    let book = mall.goods("BOOK", 40, 5).await;
    mall.order(&anna, "book", json!([{ "variant": book, "quantity": 1 }])).await.ok(201);
    let list = app.get("/v1/admin/community-rules").bearer(&owner(&mall).await.token).send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_stops_the_clock_until_its_days_are_over() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let three_days = json!({ "kind": "suspension", "days": 3 });
    measure(&mall, &anna, "none", three_days.clone()).await.refused(409, "no_community_rules");
    publish(&mall, "1").await.ok(201);
    measure(&mall, &anna, "a", json!({ "kind": "suspension" })).await.refused(422, "invalid_field");
    measure(&mall, &anna, "a", json!({ "kind": "warning", "days": 3 })).await.refused(422, "invalid_field");
    let before = membership(&mall, &anna).await;
    let taken = measure(&mall, &anna, "s", three_days.clone()).await.ok(201);
    // Once a key; not while she is suspended.
    assert_eq!(measure(&mall, &anna, "s", three_days.clone()).await.ok(201)["id"], taken["id"]);
    measure(&mall, &anna, "s", json!({ "kind": "warning" })).await.refused(422, "idempotency_key_reused");
    measure(&mall, &anna, "t", three_days).await.refused(409, "already_suspended");
    assert_eq!(membership(&mall, &anna).await["state"], "frozen");
    mall.shop.settle().await;
    app.check().await;

    mall.shop.advance(TimeDelta::days(3) - TimeDelta::minutes(1)).await;
    let anna = app.sign_in(&anna.email).await;
    assert_eq!(membership(&mall, &anna).await["state"], "frozen");
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let anna = app.sign_in(&anna.email).await;
    let after = membership(&mall, &anna).await;
    assert_eq!(after["state"], "active");
    let given_back = time(&after["ends_at"]) - time(&before["ends_at"]);
    assert!(given_back >= TimeDelta::days(3) && given_back < TimeDelta::days(3) + TimeDelta::minutes(2));
    let own = app.get("/v1/me/measures").bearer(&anna.token).send().await.ok(200);
    assert_eq!((&own["data"][0]["state"], &own["data"][0]["rule"]), (&json!("over"), &json!("1. Be kind.")));
    // Over without an appeal, there is nothing left to lift.
    decide(&mall, &taken, "lift").await.refused(409, "measure_ended");
    assert_eq!(mails(&mall, "measure_taken").await, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_appeals_once_and_an_operator_lifts_or_upholds() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish(&mall, "1").await.ok(201);
    let (anna, ben) =
        (mall.member("anna@b.test", &mall.regular).await, mall.member("ben@b.test", &mall.regular).await);
    let before = membership(&mall, &anna).await;
    let suspended = measure(&mall, &anna, "s", json!({ "kind": "suspension", "days": 30 })).await.ok(201);
    decide(&mall, &suspended, "uphold").await.refused(409, "no_appeal");
    appeal(&mall, &ben, &suspended, "Not mine.").await.refused(404, "not_found");
    appeal(&mall, &anna, &suspended, " ").await.refused(422, "invalid_field");
    // Twice at once: once.
    let (a, b) = tokio::join!(
        appeal(&mall, &anna, &suspended, "I was not there."),
        appeal(&mall, &anna, &suspended, "I was not there."),
    );
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!(won.ok(200)["appeal_state"], "open");
    lost.refused(409, "already_appealed");
    mall.shop.advance(TimeDelta::days(10)).await;
    let support = app.operator(Role::Support).await;
    let open = app.get("/v1/admin/measures?appeal=open").bearer(&support.token).send().await.ok(200);
    assert_eq!(open["data"][0]["id"], suspended["id"]);
    let path = format!("/v1/admin/measures/{}/lift", id(&suspended));
    let reason = json!({ "reason": "She wasn't." });
    app.post(&path).bearer(&support.token).json(&reason).send().await.refused(403, "forbidden");
    // Of two operators one lifts it.
    let (a, b) = tokio::join!(decide(&mall, &suspended, "lift"), decide(&mall, &suspended, "lift"));
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!(won.ok(200)["appeal_state"], "lifted");
    lost.refused(409, "measure_ended");
    decide(&mall, &suspended, "uphold").await.refused(409, "no_appeal");
    let anna = app.sign_in(&anna.email).await;
    let after = membership(&mall, &anna).await;
    assert_eq!(after["state"], "active");
    let given_back = time(&after["ends_at"]) - time(&before["ends_at"]);
    assert!(given_back >= TimeDelta::days(10) && given_back < TimeDelta::days(11), "{given_back}");
    appeal(&mall, &anna, &suspended, "Again.").await.refused(409, "already_appealed");

    let ben = app.sign_in(&ben.email).await;
    let warned = measure(&mall, &ben, "w", json!({ "kind": "warning" })).await.ok(201);
    assert_eq!(membership(&mall, &ben).await["state"], "active");
    appeal(&mall, &ben, &warned, "It was a joke.").await.ok(200);
    assert_eq!(decide(&mall, &warned, "uphold").await.ok(200)["appeal_state"], "upheld");
    decide(&mall, &warned, "uphold").await.refused(409, "no_appeal");
    assert_eq!(decide(&mall, &warned, "lift").await.ok(200)["state"], "lifted");
    decide(&mall, &warned, "lift").await.refused(409, "measure_ended");
    // Thirty days are over: the job of the lifted suspension does nothing.
    mall.shop.advance(TimeDelta::days(21)).await;
    let own = app.get("/v1/admin/measures").bearer(&owner(&mall).await.token).send().await.ok(200);
    assert!(own["data"].as_array().unwrap().iter().all(|measure| measure["state"] == "lifted"));
    assert_eq!((mails(&mall, "measure_taken").await, mails(&mall, "measure_decided").await), (2, 3));
    mall.finish().await;
}

/// Joins with an order that accepts the rules.
async fn join(mall: &Mall, email: &str, version: &str) -> (Person, Value) {
    let person = mall.shop.app.member(email).await;
    let joined = order(mall, &person, "join", json!({ "community_rules": version })).await.ok(201);
    mall.shop.pay(&joined).await;
    let joined = mall.shop.settled(&person, &joined).await;
    (person, joined)
}

/// What of the order went back.
async fn refunded(mall: &Mall, order: &Value) -> i64 {
    let id = id(order).trim_start_matches("ord_");
    let sql = format!("SELECT refunded_minor AS count FROM orders WHERE replace(id::text, '-', '') = '{id}'");
    count_sql(&mut *mall.shop.app.conn().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_expelled_loses_the_membership_and_buys_no_other_until_it_is_lifted() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish(&mall, "1").await.ok(201);
    let (anna, joined) = join(&mall, "anna@b.test", "1").await;
    mall.shop.advance(TimeDelta::days(10)).await;
    let anna = app.sign_in(&anna.email).await;
    // A membership that is suspended can be ended.
    measure(&mall, &anna, "s", json!({ "kind": "suspension", "days": 3 })).await.ok(201);
    measure(&mall, &anna, "e", json!({ "kind": "expulsion", "days": 3 })).await.refused(422, "invalid_field");
    // Less than the rules promise.
    let keep = json!({ "kind": "expulsion", "money": "none" });
    let refused = measure(&mall, &anna, "e", keep).await;
    refused.refused(422, "invalid_field");
    assert_eq!(refused.json["errors"][0]["field"], "money");
    let expelled = measure(&mall, &anna, "e", json!({ "kind": "expulsion" })).await.ok(201);
    assert_eq!(expelled["money"], "rest");
    let back = expelled["refund"]["amount"].as_i64().unwrap();
    assert!((19_451..=19_453).contains(&back), "{back}");
    assert_eq!(membership(&mall, &anna).await["state"], "revoked");
    measure(&mall, &anna, "f", json!({ "kind": "expulsion" })).await.refused(409, "membership_not_open");
    // The money goes back by the order that had sold the term, once.
    mall.shop.settle().await;
    assert_eq!(refunded(&mall, &joined).await, back);
    let path = format!("/v1/admin/orders/{}/refunds", id(&joined));
    let more = json!({ "reason": "More.", "amount": { "amount": 20_001 - back, "currency": "CNY" } });
    let by = owner(&mall).await;
    app.post(&path)
        .bearer(&by.token)
        .key("more")
        .json(&more)
        .send()
        .await
        .refused(409, "refund_exceeds_captured");
    // Neither by an order, nor by an operator's grant.
    let consents = json!({ "community_rules": "1" });
    order(&mall, &anna, "again", consents.clone()).await.refused(403, "expelled");
    let quote = plan_order(&mall, json!({}));
    app.post("/v1/quotes").bearer(&anna.token).json(&quote).send().await.refused(403, "expelled");
    let grant = json!({ "plan": mall.regular["id"], "reason": "Sorry." });
    let path = format!("/v1/admin/accounts/{}/memberships", anna.id);
    app.post(&path).bearer(&by.token).key("grant").json(&grant).send().await.refused(403, "expelled");
    appeal(&mall, &anna, &expelled, "I am Zhang Sanfeng.").await.ok(200);
    assert_eq!(decide(&mall, &expelled, "lift").await.ok(200)["appeal_state"], "lifted");
    assert_eq!(membership(&mall, &anna).await["state"], "revoked");
    order(&mall, &anna, "again", consents).await.ok(201);
    mall.shop.advance(TimeDelta::days(4)).await;
    app.check().await;
    let anna = app.sign_in(&anna.email).await;
    let export = app.get("/v1/me/export").bearer(&anna.token).send().await.ok(200);
    assert_eq!(export["community_measures"].as_array().unwrap().len(), 2);
    assert_eq!(export["community_acceptances"][0]["version"], "1");
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    app.delete("/v1/me").bearer(&anna.token).json(&erase).send().await.ok(204);
    let left = traces(app, &["Sanfeng"]).await;
    // The audit log keeps what operators gave as their reasons.
    assert!(left.iter().all(|row| row.starts_with("audit_log")), "{left:?}");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expulsion_gives_back_what_the_kinder_of_two_versions_promises() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish_with(&mall, "1", "all").await.ok(201);
    let (anna, annas) = join(&mall, "anna@b.test", "1").await;
    publish_with(&mall, "2", "none").await.ok(201);
    let (ben, bens) = join(&mall, "ben@b.test", "2").await;
    let (cleo, cleos) = join(&mall, "cleo@b.test", "2").await;
    mall.shop.advance(TimeDelta::days(100)).await;
    let [anna, ben, cleo] = [&anna, &ben, &cleo].map(|person| person.email.clone());
    let (anna, ben, cleo) = (app.sign_in(&anna).await, app.sign_in(&ben).await, app.sign_in(&cleo).await);

    // Part of it went back before: all is what is left.
    let path = format!("/v1/admin/orders/{}/refunds", id(&annas));
    let part = json!({ "reason": "A gesture.", "amount": { "amount": 5_000, "currency": "CNY" } });
    let by = owner(&mall).await;
    app.post(&path).bearer(&by.token).key("part").json(&part).send().await.ok(201);
    mall.shop.settle().await;
    let expelled = measure(&mall, &anna, "a", json!({ "kind": "expulsion" })).await.ok(201);
    assert_eq!((&expelled["money"], &expelled["refund"]["amount"]), (&json!("all"), &json!(15_000)));
    mall.shop.settle().await;
    assert_eq!(refunded(&mall, &annas).await, 20_000);

    // She accepted the version that keeps the money.
    let expelled = measure(&mall, &ben, "b", json!({ "kind": "expulsion" })).await.ok(201);
    assert_eq!((&expelled["money"], &expelled["refund"]["amount"]), (&json!("none"), &json!(0)));
    // Kinder than the rules.
    let expelled = measure(&mall, &cleo, "c", json!({ "kind": "expulsion", "money": "rest" })).await.ok(201);
    let rest = expelled["refund"]["amount"].as_i64().unwrap();
    assert!((14_519..=14_521).contains(&rest), "{rest}");
    mall.shop.settle().await;
    assert_eq!((refunded(&mall, &bens).await, refunded(&mall, &cleos).await), (0, rest));
    assert_eq!(mails(&mall, "refunded").await, 3);
    // Run again, the job finds what it did.
    let mut conn = app.conn().await;
    assert_eq!(
        run_sql(
            &mut conn,
            "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind = 'refund_expelled'"
        )
        .await,
        3
    );
    drop(conn);
    mall.shop.settle().await;
    assert_eq!((refunded(&mall, &annas).await, refunded(&mall, &cleos).await), (20_000, rest));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_an_expulsion_goes_back() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish(&mall, "1").await.ok(201);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let another = order(&mall, &anna, "more", json!({ "community_rules": "1" })).await.ok(201);
    let (a, b) = tokio::join!(
        measure(&mall, &anna, "a", json!({ "kind": "expulsion" })),
        measure(&mall, &anna, "b", json!({ "kind": "expulsion" })),
    );
    // Of two operators one expels her.
    let (won, lost) = if a.status == 201 { (a, b) } else { (b, a) };
    // It was given to her: there is nothing to give back.
    assert_eq!(won.ok(201)["refund"]["amount"], 0);
    lost.refused(409, "membership_not_open");
    mall.shop.pay(&another).await;
    let another = mall.shop.settled(&anna, &another).await;
    assert_eq!(another["state"], "cancelled");
    assert_eq!(membership(&mall, &anna).await["state"], "revoked");
    let sql =
        "SELECT count(*) AS count FROM refunds WHERE reason = 'membership_forbids' AND amount_minor = 20000";
    assert_eq!(count_sql(&mut *app.conn().await, sql).await, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appeal_comes_in_time_and_causes_of_a_freeze_stand_side_by_side() {
    let mall = Mall::open_with(&[("KINDRED_APPEAL_DAYS", "10")]).await;
    let app = &mall.shop.app;
    publish(&mall, "1").await.ok(201);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let before = membership(&mall, &anna).await;
    // She lets it rest, and is suspended meanwhile: it goes on when both are over, and all of the time comes back.
    let until = json!({ "until": app.now() + TimeDelta::days(4) });
    app.post("/v1/me/membership/freeze").bearer(&anna.token).key("f").json(&until).send().await.ok(200);
    mall.shop.advance(TimeDelta::days(2)).await;
    let anna = app.sign_in(&anna.email).await;
    let warned = measure(&mall, &anna, "w", json!({ "kind": "warning" })).await.ok(201);
    measure(&mall, &anna, "s", json!({ "kind": "suspension", "days": 5 })).await.ok(201);
    mall.shop.advance(TimeDelta::days(3)).await;
    let anna = app.sign_in(&anna.email).await;
    assert_eq!(membership(&mall, &anna).await["state"], "frozen");
    let resume = app.post("/v1/me/membership/resume").bearer(&anna.token).key("r").send().await;
    resume.refused(409, "membership_not_frozen");
    mall.shop.advance(TimeDelta::days(2) + TimeDelta::minutes(1)).await;
    let anna = app.sign_in(&anna.email).await;
    let after = membership(&mall, &anna).await;
    assert_eq!(after["state"], "active");
    let given_back = time(&after["ends_at"]) - time(&before["ends_at"]);
    assert!(
        given_back >= TimeDelta::days(7) && given_back < TimeDelta::days(7) + TimeDelta::minutes(3),
        "{given_back}"
    );

    assert_eq!(time(&warned["appeal_until"]), time(&warned["created_at"]) + TimeDelta::days(10));
    mall.shop.advance(TimeDelta::days(5)).await;
    let anna = app.sign_in(&anna.email).await;
    appeal(&mall, &anna, &warned, "I was joking.").await.refused(409, "appeal_too_late");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_grace_there_is_no_time_that_could_be_stopped() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish(&mall, "1").await.ok(201);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let before = membership(&mall, &anna).await;
    mall.shop.advance(time(&before["ends_at"]) - app.now() + TimeDelta::hours(1)).await;
    let anna = app.sign_in(&anna.email).await;
    assert_eq!(membership(&mall, &anna).await["state"], "grace");
    // It would be over before she comes back, and nothing could be renewed meanwhile.
    let month = json!({ "kind": "suspension", "days": 30 });
    measure(&mall, &anna, "s", month).await.refused(409, "membership_not_open");
    let path = format!("/v1/admin/memberships/{}/freeze", id(&before));
    let owner = owner(&mall).await;
    let frozen = app.post(&path).bearer(&owner.token).key("f").json(&json!({ "reason": "Asked." }));
    frozen.send().await.refused(409, "membership_not_open");
    measure(&mall, &anna, "w", json!({ "kind": "warning" })).await.ok(201);
    let after = membership(&mall, &anna).await;
    assert_eq!((&after["state"], &after["ends_at"]), (&json!("grace"), &before["ends_at"]));
    mall.finish().await;
}

/// A refund by the owner; its id at Stripe once it was sent.
async fn refund(mall: &Mall, order: &Value, minor: i64) -> String {
    let path = format!("/v1/admin/orders/{}/refunds", id(order));
    let body = json!({ "reason": "A gesture.", "amount": { "amount": minor, "currency": "CNY" } });
    let owner = owner(mall).await;
    let key = format!("refund-{minor}");
    mall.shop.app.post(&path).bearer(&owner.token).key(&key).json(&body).send().await.ok(201);
    mall.shop.settle().await;
    let sql = format!("SELECT stripe_refund_id AS text FROM refunds WHERE amount_minor = {minor}");
    text_sql(&mut *mall.shop.app.conn().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_expulsion_gives_back_is_paid_once_whatever_becomes_of_other_refunds() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    publish_with(&mall, "1", "all").await.ok(201);
    let anna = app.member("anna@b.test").await;
    let joined = order(&mall, &anna, "join", json!({ "community_rules": "1" })).await.ok(201);
    // A wallet's refund takes its days.
    mall.shop.simulator().set_refund_delay(TimeDelta::days(5));
    assert_eq!(mall.shop.on_page(&joined, &[("action", "pay"), ("method", "wechat_pay")]).await, 303);
    let joined = mall.shop.settled(&anna, &joined).await;
    refund(&mall, &joined, 5_000).await;
    let expelled = measure(&mall, &anna, "e", json!({ "kind": "expulsion" })).await.ok(201);
    assert_eq!(expelled["refund"]["amount"], 15_000);
    let other = refund(&mall, &joined, 10_000).await;
    let own = async || {
        let sql = "SELECT coalesce(sum(amount_minor), 0)::bigint AS count FROM refunds WHERE cause LIKE 'measure:%'";
        count_sql(&mut *app.conn().await, sql).await
    };
    // Whether those two come through isn't known: it waits.
    assert_eq!((refunded(&mall, &joined).await, own().await), (15_000, 0));
    app.check().await;
    mall.shop.advance(TimeDelta::days(5)).await;
    mall.shop.advance(TimeDelta::hours(3)).await;
    // What went back since is a part of it.
    assert_eq!((refunded(&mall, &joined).await, own().await), (20_000, 5_000));
    // The bank sends that back: the rest is paid, once.
    mall.shop.simulator().settle_refund(&other, false).unwrap();
    mall.shop.settle().await;
    assert_eq!((refunded(&mall, &joined).await, own().await), (20_000, 15_000));
    let again = "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind = 'refund_expelled'";
    assert!(run_sql(&mut *app.conn().await, again).await > 0);
    mall.shop.settle().await;
    mall.shop.advance(TimeDelta::days(6)).await;
    assert_eq!((refunded(&mall, &joined).await, own().await), (20_000, 15_000));
    assert_eq!(mall.shop.simulator().book().refunded_minor, 20_000);
    mall.finish().await;
}
