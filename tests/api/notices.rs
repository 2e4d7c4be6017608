//! Notices: drafted, tested, scheduled, paced, cancelled; lists that are left one by one; suppressed addresses; the cap.

use chrono::TimeDelta;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::desk::id;
use crate::support::mall::Mall;
use crate::support::smtp::{SmtpServer, Step};
use crate::support::{Answer, Person, TestApp};

async fn owner(mall: &Mall) -> Person {
    mall.shop.app.sign_in(&mall.owner.email).await
}

async fn act(mall: &Mall, notice: &Value, verb: &str, body: Value) -> Answer {
    let by = owner(mall).await;
    let path = format!("/v1/admin/notices/{}/{verb}", id(notice));
    mall.shop.app.post(&path).bearer(&by.token).json(&body).send().await
}

async fn show(mall: &Mall, notice: &Value) -> Value {
    let by = owner(mall).await;
    mall.shop.app.get(&format!("/v1/admin/notices/{}", id(notice))).bearer(&by.token).send().await.ok(200)
}

fn words() -> Value {
    json!({
        "subject": { "zh-CN": "周六聚会", "en": "Meeting on Saturday" },
        "body": { "zh-CN": "各位：\n\n周六见 <老地方>。", "en": "Dear all,\r\n\r\nsee you <there>.\nBring a book." },
        "audience": { "tier": "regular" },
    })
}

async fn draft(mall: &Mall, audience: Value) -> Value {
    let mut body = words();
    body["audience"] = audience;
    let by = owner(mall).await;
    mall.shop.app.make(&by, "/v1/admin/notices", &body).await
}

/// A draft whose words have gone to a test address.
async fn tested(mall: &Mall, audience: Value) -> Value {
    let notice = draft(mall, audience).await;
    act(mall, &notice, "test", json!({ "to": "boss@shop.test" })).await.ok(202);
    mall.shop.settle().await;
    notice
}

async fn schedule(mall: &Mall, notice: &Value) {
    act(mall, notice, "schedule", json!({})).await.ok(200);
}

/// Members on the regular plan who take news.
async fn readers(mall: &Mall, count: usize) -> Vec<Person> {
    let people = mall.members(count).await;
    run_sql(
        &mut *mall.shop.app.conn().await,
        "UPDATE accounts SET marketing = true WHERE email LIKE 'm%@rush.test'",
    )
    .await;
    people
}

fn inbox(app: &TestApp, address: &str) -> Vec<kindred::ports::mail::Delivered> {
    app.app.postbox.inbox().unwrap().to(address)
}

fn counts(notice: &Value) -> [i64; 5] {
    ["recipients", "waiting", "queued", "skipped", "cancelled"]
        .map(|name| notice["counts"][name].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_previewed_tested_and_sent_to_who_takes_news() {
    let mall = Mall::open_with(&[("KINDRED_NOTICE_FROM", "罗友会 <news@shop.test>")]).await;
    let app = &mall.shop.app;
    let people = readers(&mall, 3).await;
    // Takes no news; is of another tier.
    mall.member("quiet@b.test", &mall.regular).await;
    mall.member("higher@b.test", &mall.diehard).await;
    run_sql(&mut *app.conn().await, "UPDATE accounts SET marketing = true WHERE email = 'higher@b.test'")
        .await;
    run_sql(&mut *app.conn().await, "UPDATE accounts SET locale = 'en' WHERE email = 'm1@rush.test'").await;

    let by = owner(&mall).await;
    let post = |body: Value| app.post("/v1/admin/notices").bearer(&by.token).json(&body).send();
    for (field, wrong) in [
        ("audience", json!({ "tier": "nobody" })),
        ("audience", json!({ "planet": "mars" })),
        ("subject", json!({ "zh-CN": "", "en": "x" })),
        ("body", json!({ "zh-CN": "x", "en": "y".repeat(20_001) })),
    ] {
        let mut body = words();
        body[field] = wrong;
        let answer = post(body).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (422, Some("invalid_field")),
            "{}",
            answer.text
        );
    }
    let notice = draft(&mall, json!({ "tier": "regular" })).await;
    let path = format!("/v1/admin/notices/{}", id(&notice));
    let preview = app.get(&format!("{path}/preview?locale=en")).bearer(&by.token).send().await.ok(200);
    assert_eq!(preview["subject"], "Meeting on Saturday");
    assert!(preview["text"].as_str().unwrap().starts_with("Dear all,\n\nsee you <there>.\nBring a book."));
    let html = preview["html"].as_str().unwrap();
    assert!(
        html.contains("see you &lt;there&gt;.<br>Bring a book.") && html.contains("unsubscribe?t="),
        "{html}"
    );

    // Not before its words were tested, nor after they were changed again.
    act(&mall, &notice, "schedule", json!({})).await.refused(409, "notice_not_tested");
    act(&mall, &notice, "test", json!({ "to": "boss" })).await.refused(422, "invalid_field");
    act(&mall, &notice, "test", json!({ "to": "boss@shop.test" })).await.ok(202);
    mall.shop.settle().await;
    assert_eq!(inbox(app, "boss@shop.test").len(), 2);
    assert!(inbox(app, "boss@shop.test").iter().all(|mail| mail.from.contains("news@shop.test")));
    let change = json!({ "subject": { "zh-CN": "周日聚会", "en": "Meeting on Sunday" } });
    let patch =
        |version: &str| app.patch(&path).bearer(&by.token).header("If-Match", version).json(&change).send();
    patch("\"v9\"").await.refused(412, "version_mismatch");
    assert_eq!(patch("\"v1\"").await.ok(200)["tested"], false);
    act(&mall, &notice, "schedule", json!({})).await.refused(409, "notice_not_tested");
    act(&mall, &notice, "test", json!({ "to": "boss@shop.test" })).await.ok(202);
    mall.shop.settle().await;
    let past = json!({ "send_at": app.now() - TimeDelta::hours(1) });
    act(&mall, &notice, "schedule", past).await.refused(422, "invalid_field");
    let later = json!({ "send_at": app.now() + TimeDelta::hours(2) });
    assert_eq!(act(&mall, &notice, "schedule", later).await.ok(200)["state"], "scheduled");
    act(&mall, &notice, "schedule", json!({})).await.refused(409, "notice_not_draft");
    act(&mall, &notice, "test", json!({ "to": "boss@shop.test" })).await.refused(409, "notice_not_draft");
    mall.shop.advance(TimeDelta::hours(1)).await;
    assert_eq!(counts(&show(&mall, &notice).await), [0, 0, 0, 0, 0]);

    // Between schedule and send one leaves the list.
    let leaver = app.sign_in(&people[0].email).await;
    let off = json!({ "preferences": { "notices": false } });
    let account = app.patch("/v1/me").bearer(&leaver.token).json(&off).send().await.ok(200);
    assert_eq!(
        account["preferences"],
        json!({ "notices": false, "coupons": true, "birthday": true, "reminders": true })
    );
    mall.shop.advance(TimeDelta::hours(2)).await;
    let sent = show(&mall, &notice).await;
    assert_eq!((&sent["state"], counts(&sent)), (&json!("sent"), [2, 0, 2, 0, 0]));
    assert_eq!(sent["counts"]["sent"], 2);
    for quiet in ["m0@rush.test", "quiet@b.test", "higher@b.test"] {
        assert!(
            inbox(app, quiet)
                .iter()
                .all(|mail| !mail.subject.contains("Sunday") && !mail.subject.contains("周日")),
            "{quiet}"
        );
    }
    let english = inbox(app, "m1@rush.test").remove(0);
    assert_eq!(english.subject, "Meeting on Sunday");
    assert!(english.unsubscribe_url.as_deref().is_some_and(|url| english.text.contains(url)));
    assert_eq!(inbox(app, "m2@rush.test").remove(0).subject, "周日聚会");
    act(&mall, &notice, "cancel", json!({ "reason": "Late." })).await.refused(409, "notice_ended");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_ends_one_list_and_a_wrong_token_none() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let people = readers(&mall, 2).await;
    let notice = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &notice).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let url = inbox(app, "m0@rush.test").remove(0).unsubscribe_url.unwrap();
    let path = &url[url.find("/v1/").unwrap()..];

    // A look changes nothing.
    assert_eq!(app.get(path).send().await.status, 200);
    let me = async || {
        let person = app.sign_in(&people[0].email).await;
        app.get("/v1/me").bearer(&person.token).send().await.ok(200)
    };
    assert_eq!(me().await["preferences"]["notices"], true);
    for wrong in [
        "/v1/unsubscribe",
        "/v1/unsubscribe?t=x",
        &path.replace("notices", "coupons"),
        &path[..path.len() - 2],
    ] {
        app.post(wrong).send().await.refused(410, "token_invalid");
    }
    // As a mail program does it: nobody is signed in.
    for _ in 0..2 {
        let form = app.post(path).raw("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click");
        assert_eq!(form.send().await.ok(200)["list"], "notices");
    }
    let account = me().await;
    assert_eq!(
        account["preferences"],
        json!({ "notices": false, "coupons": true, "birthday": true, "reminders": true })
    );
    assert_eq!(account["marketing"], true);
    // What an order needs can't be switched off.
    let person = app.sign_in(&people[0].email).await;
    let patch = |body: Value| app.patch("/v1/me").bearer(&person.token).json(&body).send();
    assert!(matches!(patch(json!({ "preferences": { "receipt": false } })).await.status, 400 | 422));
    assert_eq!(
        patch(json!({ "preferences": { "birthday": false, "notices": true } })).await.ok(200)["preferences"],
        json!({ "notices": true, "coupons": true, "birthday": false, "reminders": true })
    );
    patch(json!({ "preferences": { "notices": false } })).await.ok(200);

    let next = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &next).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    assert_eq!(counts(&show(&mall, &next).await), [1, 0, 1, 0, 0]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_recipients_two_workers_and_a_crash_half_way() {
    let mall = Mall::open_with(&[("KINDRED_NOTICE_RATE", "300")]).await;
    let app = &mall.shop.app;
    // 300 members by SQL: how they joined doesn't matter here.
    run_sql(&mut *app.conn().await, "WITH one AS (
            INSERT INTO accounts (id, email, email_key, person_key, locale, marketing, email_verified_at, created_at)
            SELECT gen_random_uuid(), 'r' || n || '@crowd.test', 'r' || n || '@crowd.test', 'crowd-' || n, 'zh-CN', true,
                   '2026-01-01Z', '2026-01-01Z' FROM generate_series(1, 300) n RETURNING id),
         listed AS (INSERT INTO account_tags (account_id, tag) SELECT id, 'crowd' FROM one RETURNING 1)
         SELECT count(*) FROM listed").await;
    let by = owner(&mall).await;
    let segment = json!({ "code": "crowd", "name": "Crowd", "rule": { "tag": "crowd" } });
    app.make(&by, "/v1/admin/segments", &segment).await;
    let sibling = app.sibling(&[("KINDRED_NOTICE_RATE", "300")]).await;
    let notice = tested(&mall, json!({ "segment": "crowd" })).await;
    schedule(&mall, &notice).await;
    // The same job once more, as after a crash of the instance that ran it: both instances work on it.
    run_sql(&mut *app.conn().await, "INSERT INTO jobs (id, lane, kind, payload, run_at, created_at)
         SELECT gen_random_uuid(), lane, kind, payload, run_at, created_at FROM jobs WHERE kind = 'send_notice'").await;
    mall.shop.advance(TimeDelta::seconds(11)).await;
    let half = counts(&show(&mall, &notice).await);
    assert!(half[0] == 300 && half[1] > 0 && half[2] > 0, "{half:?}");
    app.check().await;
    // A job that is lost while it runs goes back to the queue and begins anew.
    run_sql(
        &mut *app.conn().await,
        "UPDATE jobs SET state = 'running', lease = gen_random_uuid(),
         leased_until = '2026-01-01Z' WHERE kind = 'send_notice' AND state = 'queued'",
    )
    .await;
    mall.shop.advance(TimeDelta::seconds(1)).await;
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while count_sql(
            &mut *app.conn().await,
            "SELECT count(*) AS count FROM jobs WHERE kind = 'send_notice'
              AND state = 'running' AND leased_until < '2026-02-01Z'",
        )
        .await
            > 0
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let sent = show(&mall, &notice).await;
    assert_eq!((&sent["state"], counts(&sent)), (&json!("sent"), [300, 0, 300, 0, 0]));
    assert_eq!(sent["counts"]["sent"], 300);
    let sql = "SELECT count(DISTINCT to_address) AS count FROM mails WHERE kind = 'notice' AND state = 'sent' AND account_id IS NOT NULL";
    assert_eq!(count_sql(&mut *app.conn().await, sql).await, 300);
    // None of them waited in the lane of an order's mail.
    let sql = "SELECT count(*) AS count FROM jobs j JOIN mails m ON j.payload ->> 'mail' = 'mail_' || replace(m.id::text, '-', '')
               WHERE m.kind = 'notice' AND m.account_id IS NOT NULL AND j.lane <> 'notice'";
    assert_eq!(count_sql(&mut *app.conn().await, sql).await, 0);
    sibling.finish().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_cancelled_half_way_reaches_no_further() {
    let mall = Mall::open_with(&[("KINDRED_NOTICE_RATE", "12")]).await;
    let app = &mall.shop.app;
    readers(&mall, 10).await;
    let early = tested(&mall, json!({ "tier": "regular" })).await;
    let later = json!({ "send_at": app.now() + TimeDelta::hours(2) });
    act(&mall, &early, "schedule", later).await.ok(200);
    act(&mall, &early, "cancel", json!({ "reason": "Another day." })).await.ok(200);
    let notice = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &notice).await;
    mall.shop.advance(TimeDelta::seconds(21)).await;
    let half = counts(&show(&mall, &notice).await);
    assert!(half[0] == 10 && half[1] >= 1 && half[2] >= 2, "{half:?}");
    // Of two operators one cancels it.
    let reason = json!({ "reason": "A mistake in it." });
    let (a, b) = tokio::join!(
        act(&mall, &notice, "cancel", reason.clone()),
        act(&mall, &notice, "cancel", reason.clone())
    );
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    let cancelled = counts(&won.ok(200));
    lost.refused(409, "notice_ended");
    assert_eq!((cancelled[1], cancelled[2] + cancelled[4]), (0, 10));
    mall.shop.advance(TimeDelta::hours(3)).await;
    let over = show(&mall, &notice).await;
    assert_eq!((counts(&over), &over["state"]), (cancelled, &json!("cancelled")));
    assert_eq!(over["counts"]["sent"], cancelled[2]);
    assert_eq!(counts(&show(&mall, &early).await), [0, 0, 0, 0, 0]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_notices_at_once_nobody_gets_more_than_a_month_holds() {
    let mall = Mall::open_with(&[("KINDRED_NOTICE_CAP", "1")]).await;
    let app = &mall.shop.app;
    readers(&mall, 20).await;
    let (one, two) = (
        tested(&mall, json!({ "tier": "regular" })).await,
        tested(&mall, json!({ "tier": "regular" })).await,
    );
    tokio::join!(schedule(&mall, &one), schedule(&mall, &two));
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let (one, two) = (counts(&show(&mall, &one).await), counts(&show(&mall, &two).await));
    assert_eq!((one[2] + two[2], one[3] + two[3]), (20, 20), "{one:?} {two:?}");
    app.check().await;
    // In the next month there is room again.
    mall.shop.advance(TimeDelta::days(31)).await;
    let next = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &next).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    assert_eq!(counts(&show(&mall, &next).await), [20, 0, 20, 0, 0]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_suppresses_an_address_and_nothing_of_an_order() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let people = readers(&mall, 3).await;
    let owner = owner(&mall).await;
    let key = json!({ "name": "mail provider", "roles": ["support"] });
    let key = app.post("/v1/admin/api-keys").bearer(&owner.token).json(&key).send().await.ok(201);
    let key = key["key"].as_str().unwrap().to_owned();
    let told = |body: Value| app.post("/v1/admin/bounces").bearer(&key).json(&body).send();
    let first = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &first).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let message_id = inbox(app, "m0@rush.test").remove(0).message_id;

    assert_eq!(
        told(json!({ "kind": "soft_bounce", "address": "m2@rush.test" })).await.ok(200)["suppressed"],
        false
    );
    told(json!({ "kind": "hard_bounce" })).await.refused(422, "invalid_field");
    told(json!({ "kind": "hard_bounce", "message_id": "<x@y>" })).await.refused(422, "invalid_field");
    for _ in 0..2 {
        let body = json!({ "kind": "hard_bounce", "message_id": format!("<{message_id}>") });
        assert_eq!(told(body).await.ok(200)["suppressed"], true);
    }
    told(json!({ "kind": "complaint", "address": "M1@rush.test" })).await.ok(200);
    app.post("/v1/admin/bounces")
        .bearer(&people[0].token)
        .json(&json!({}))
        .send()
        .await
        .refused(403, "forbidden");
    let next = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &next).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    assert_eq!(counts(&show(&mall, &next).await), [1, 0, 1, 0, 0]);
    // An order's mail goes all the same.
    let buyer = app.sign_in("m0@rush.test").await;
    let book = mall.goods("BOOK", 40, 5).await;
    let before = inbox(app, "m0@rush.test").len();
    mall.buy(&buyer, "book", json!([{ "variant": book, "quantity": 1 }])).await;
    mall.shop.settle().await;
    assert!(inbox(app, "m0@rush.test").len() > before);

    let by = app.sign_in(&mall.owner.email).await;
    let list = app.get("/v1/admin/suppressions").bearer(&by.token).send().await.ok(200);
    let rows = list["data"].as_array().unwrap();
    let reasons: Vec<_> =
        rows.iter().map(|row| (row["address"].as_str().unwrap(), row["reason"].as_str().unwrap())).collect();
    assert_eq!(reasons, [("m1@rush.test", "complaint"), ("m0@rush.test", "hard_bounce")]);
    let path = format!("/v1/admin/suppressions/{}", id(&rows[1]));
    let support = app.operator(Role::Support).await;
    app.delete(&path).bearer(&support.token).send().await.refused(403, "forbidden");
    app.delete(&path).bearer(&by.token).send().await.ok(204);
    app.delete(&path).bearer(&by.token).send().await.refused(404, "not_found");
    let last = tested(&mall, json!({ "tier": "regular" })).await;
    schedule(&mall, &last).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    assert_eq!(counts(&show(&mall, &last).await), [2, 0, 2, 0, 0]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_whom_the_server_refuses_stops_nobody() {
    let server = SmtpServer::start(&[]).await;
    let mall = Mall::open_with(&[("KINDRED_SMTP_URL", &server.url())]).await;
    let app = &mall.shop.app;
    readers(&mall, 4).await;
    let notice = tested(&mall, json!({ "chapter": "default" })).await;
    server.follow(&[Step::Refuse("550 no such user")]);
    schedule(&mall, &notice).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let sent = show(&mall, &notice).await;
    assert_eq!(
        (counts(&sent), &sent["counts"]["sent"], &sent["counts"]["failed"]),
        ([4, 0, 4, 0, 0], &json!(3), &json!(1))
    );
    let got = server.received();
    let of_list =
        got.iter().filter(|mail| mail.text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
    assert_eq!(of_list.filter(|mail| mail.header("List-Unsubscribe").starts_with("<http")).count(), 3);
    let rows = app
        .get(&format!("/v1/admin/notices/{}/recipients", id(&notice)))
        .bearer(&owner(&mall).await.token)
        .send()
        .await
        .ok(200);
    assert!(rows["data"].as_array().unwrap().iter().all(|row| row["state"] == "queued"));
    mall.finish().await;
}
