//! Asking to join a drive, and who decides.

use chrono::TimeDelta;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::TestApp;
use crate::support::catalog::count_sql;

async fn apply(app: &TestApp, person: &Person, drive: &str) -> Value {
    let body = json!({ "answers": { "为什么": "从第一期听起。" } });
    let path = format!("/v1/drives/{drive}/applications");
    app.post(&path).bearer(&person.token).json(&body).send().await.ok(201)
}

async fn mails(app: &TestApp, kind: &str) -> i64 {
    let sql = format!("SELECT count(*) AS count FROM mails WHERE kind = '{kind}'");
    count_sql(&mut *app.conn().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_applies_once_and_sees_the_decision() {
    let app = TestApp::spawn().await;
    let manager = app.operator(Role::Manager).await;
    let drive = app.drive_with(&manager, "screened", json!({ "admission": "application" })).await;
    let (anna, bao) = (app.member("anna@example.org").await, app.member("bao@example.org").await);
    let path = "/v1/drives/screened/applications";
    app.post(path).json(&json!({ "answers": {} })).send().await.refused(401, "unauthenticated");
    let made = app
        .post(path)
        .bearer(&anna.token)
        .json(&json!({ "answers": { "why": "I listen.\nEvery day." } }))
        .send()
        .await;
    let location = made.header("location").to_owned();
    let made = made.ok(201);
    assert_eq!((&made["state"], &made["drive"]), (&json!("received"), &drive["id"]));
    assert_eq!(made["answers"], json!({ "why": "I listen.\nEvery day." }));
    let again = json!({ "answers": {} });
    app.post(path).bearer(&anna.token).json(&again).send().await.refused(409, "application_exists");
    app.get(&location).bearer(&bao.token).send().await.refused(404, "not_found");
    assert_eq!(mails(&app, "application_received").await, 1);

    let id = made["id"].as_str().unwrap();
    let waiting = format!("/v1/admin/applications?state=received&drive={}", drive["id"].as_str().unwrap());
    let list = app.get(&waiting).bearer(&manager.token).send().await.ok(200);
    assert_eq!((&list["data"][0]["id"], &list["data"][0]["account"]), (&made["id"], &json!(anna.id)));
    let approve = format!("/v1/admin/applications/{id}/approve");
    app.post(&approve).bearer(&anna.token).send().await.refused(403, "forbidden");
    let approved = app.post(&approve).bearer(&manager.token).send().await.ok(200);
    assert_eq!(
        approved["buy_until"], drive["closes_at"],
        "the right never outlives the drive, here of one day"
    );
    app.post(&approve).bearer(&manager.token).send().await.refused(409, "application_decided");
    let refuse = format!("/v1/admin/applications/{id}/refuse");
    let reason = json!({ "reason": "Full." });
    app.post(&refuse).bearer(&manager.token).json(&reason).send().await.refused(409, "application_decided");
    let seen = app.get(&location).bearer(&anna.token).send().await.ok(200);
    assert_eq!((&seen["state"], &seen["buy_until"]), (&json!("approved"), &approved["buy_until"]));
    assert_eq!(
        app.get("/v1/me/applications").bearer(&anna.token).send().await.ok(200)["data"],
        json!([seen])
    );
    assert_eq!(mails(&app, "application_approved").await, 1);
    assert_eq!(app.get(&waiting).bearer(&manager.token).send().await.ok(200)["data"], json!([]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_why() {
    let app = TestApp::spawn().await;
    let support = app.operator(Role::Support).await;
    let owner = app.operator(Role::Owner).await;
    app.drive_with(&owner, "screened", json!({ "admission": "application" })).await;
    let anna = app.member("anna@example.org").await;
    let made = apply(&app, &anna, "screened").await;
    let refuse = format!("/v1/admin/applications/{}/refuse", made["id"].as_str().unwrap());
    let post = |body: Value| app.post(&refuse).bearer(&support.token).json(&body).send();
    post(json!({ "reason": "  " })).await.refused(422, "invalid_field");
    post(json!({})).await.refused(422, "invalid_field");
    let refused = post(json!({ "reason": "请下次再来。" })).await.ok(200);
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("refused"), &json!("请下次再来。")));
    assert_eq!(mails(&app, "application_refused").await, 1);
    let logged = "SELECT count(*) AS count FROM audit_log WHERE action = 'application.refuse' AND reason = '请下次再来。'";
    assert_eq!(count_sql(&mut *app.conn().await, logged).await, 1);
    app.finish().await;
}

/// Many operators decide one application at the same time, some this way, some that.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_decisions_stands() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    app.drive_with(&owner, "screened", json!({ "admission": "application" })).await;
    let anna = app.member("anna@example.org").await;
    let made = apply(&app, &anna, "screened").await;
    let path = format!("/v1/admin/applications/{}", made["id"].as_str().unwrap());
    let decide = |n: usize| {
        let verb = if n.is_multiple_of(2) { "approve" } else { "refuse" };
        let request = app.post(&format!("{path}/{verb}")).bearer(&owner.token);
        if n.is_multiple_of(2) { request.send() } else { request.json(&json!({ "reason": "No." })).send() }
    };
    let answers = futures::future::join_all((0..10).map(decide)).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        lost.refused(409, "application_decided");
    }
    let now = app.get(&path).bearer(&owner.token).send().await.ok(200);
    assert_eq!(now, won[0].json);
    assert_eq!(mails(&app, "application_approved").await + mails(&app, "application_refused").await, 1);
    let logged = "SELECT count(*) AS count FROM audit_log WHERE subject_kind = 'application'";
    assert_eq!(count_sql(&mut *app.conn().await, logged).await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_applies_only_where_and_while_it_is_asked_for() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    app.drive_with(&owner, "open", json!({})).await;
    let opens_at = app.now() + TimeDelta::hours(1);
    app.drive_with(&owner, "screened", json!({ "admission": "application", "opens_at": opens_at })).await;
    let anna = app.member("anna@example.org").await;
    let post = |token: &str, drive: &str, body: Value| {
        app.post(&format!("/v1/drives/{drive}/applications")).bearer(token).json(&body).send()
    };
    post(&anna.token, "open", json!({ "answers": {} })).await.refused(409, "wrong_admission");
    post(&anna.token, "nope", json!({ "answers": {} })).await.refused(404, "not_found");
    let long = json!({ "answers": { "why": "x".repeat(2_001) } });
    post(&anna.token, "screened", long).await.refused(422, "invalid_field");
    post(&anna.token, "screened", json!({ "answers": { "why": 7 } })).await.refused(422, "invalid_field");
    post(&anna.token, "screened", json!({ "answers": { "why": "a\u{0}b" } }))
        .await
        .refused(422, "invalid_field");
    post(&anna.token, "screened", json!({})).await.refused(422, "invalid_field");
    // Before the opening one may apply; the right to buy counts from the opening then.
    let early = apply(&app, &anna, "screened").await;
    let bao = app.member("bao@example.org").await;
    let late = apply(&app, &bao, "screened").await;
    app.advance(TimeDelta::days(2)).await;
    let (owner, anna) = (app.sign_in(&owner.email).await, app.sign_in(&anna.email).await);
    post(&anna.token, "screened", json!({ "answers": {} })).await.refused(409, "closed");
    let verb = |id: &Value, verb: &str| format!("/v1/admin/applications/{}/{verb}", id.as_str().unwrap());
    let approve = verb(&early["id"], "approve");
    app.post(&approve).bearer(&owner.token).send().await.refused(409, "closed");
    let refuse = verb(&late["id"], "refuse");
    app.post(&refuse).bearer(&owner.token).json(&json!({ "reason": "Over." })).send().await.ok(200);
    app.finish().await;
}
