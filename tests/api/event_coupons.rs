//! Coupons on occasions and for segments: each cause once, limits that hold, and a mail that tells of it.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use futures::future::join_all;
use kindred::promotion::mailings::service as mailings;
use kindred::types::id::MailingId;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

async fn admin(mall: &Mall, path: &str, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(path).bearer(&owner.token).key(key).json(&body).send().await
}

async fn campaign(mall: &Mall, code: &str) -> Value {
    let body = json!({
        "code": code, "names": { "zh-CN": "见面礼", "en": "A gift" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 30,
    });
    admin(mall, "/v1/admin/coupon-campaigns", code, body).await.ok(201)
}

async fn occasion(mall: &Mall, campaign: &Value, more: Value) -> Value {
    let mut body = json!({ "campaign": campaign["id"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin(mall, "/v1/admin/occasions", "k", body).await.ok(201)
}

async fn wallet(mall: &Mall, person: &Person) -> Vec<Value> {
    let person = mall.shop.app.sign_in(&person.email).await;
    let seen = mall.shop.app.get("/v1/me/coupons").bearer(&person.token).send().await.ok(200);
    seen["data"].as_array().unwrap().clone()
}

/// Subjects of the mails that tell an address of coupons.
fn told(mall: &Mall, email: &str) -> Vec<String> {
    let mails = mall.shop.app.app.postbox.inbox().unwrap().to(email);
    mails.into_iter().map(|mail| mail.subject).filter(|subject| subject.contains("优惠券")).collect()
}

/// The link's token of the newest mail to somebody who asks to be verified.
async fn token_for(mall: &Mall, person: &Person) -> String {
    mall.shop.app.post("/v1/me/email-verifications").bearer(&person.token).send().await.ok(202);
    mall.shop.app.drain().await;
    let mails = mall.shop.app.app.postbox.inbox().unwrap().to(&person.email);
    let text = &mails.first().unwrap().text;
    let start = text.find("token=").unwrap() + "token=".len();
    text[start..].split_whitespace().next().unwrap().to_owned()
}

async fn verify(mall: &Mall, token: &str) -> Answer {
    mall.shop.app.post("/v1/email-verifications").json(&json!({ "token": token })).send().await
}

/// All who have an account by now want to hear of such things.
async fn accept_news(mall: &Mall) {
    run_sql(&mut *mall.shop.app.conn().await, "UPDATE accounts SET marketing = true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_who_verify_at_once_as_many_get_one_as_there_are() {
    let mall = Mall::open().await;
    let welcome = campaign(&mall, "welcome").await;
    let early = mall.shop.app.member("early@b.test").await;
    let rule = occasion(&mall, &welcome, json!({ "event": "sign_up", "total": 7 })).await;
    let mut people = Vec::new();
    for index in 0..40 {
        people.push(mall.shop.app.stranger(&format!("new{index}@b.test")).await);
    }
    accept_news(&mall).await;
    let tokens = join_all(people.iter().map(|person| token_for(&mall, person))).await;
    assert!(wallet(&mall, &people[0]).await.is_empty());
    join_all(tokens.iter().map(|token| async { verify(&mall, token).await.ok(204) })).await;
    mall.shop.app.drain().await;
    let mut given = 0;
    for person in &people {
        let coupons = wallet(&mall, person).await;
        assert_eq!(told(&mall, &person.email).len(), coupons.len(), "a mail tells of each");
        given += coupons.len();
    }
    assert_eq!((given, wallet(&mall, &early).await.len()), (7, 0));
    let rules = mall.shop.app.get("/v1/admin/occasions").bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!((&rules["data"][0]["given"], &rules["data"][0]["total"]), (&json!(7), &json!(7)));
    // Ended, it gives nothing more, and what was given stays.
    let second = occasion(&mall, &welcome, json!({ "event": "sign_up" })).await;
    for rule in [&rule, &second, &second] {
        let path = format!("/v1/admin/occasions/{}/end", rule["id"].as_str().unwrap());
        admin(&mall, &path, "e", json!({})).await.ok(200);
    }
    let late = mall.shop.app.stranger("late@b.test").await;
    let token = token_for(&mall, &late).await;
    verify(&mall, &token).await.ok(204);
    mall.shop.app.drain().await;
    assert!(wallet(&mall, &late).await.is_empty());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_welcomed_once_whatever_addresses_there_are() {
    let mall = Mall::open().await;
    let welcome = campaign(&mall, "welcome").await;
    occasion(&mall, &welcome, json!({ "event": "sign_up" })).await;
    let mut people = Vec::new();
    for email in ["anna@b.test", "anna+two@b.test", "anna+three@b.test"] {
        people.push(mall.shop.app.stranger(email).await);
    }
    let tokens = join_all(people.iter().map(|person| token_for(&mall, person))).await;
    join_all(tokens.iter().map(|token| async { verify(&mall, token).await.ok(204) })).await;
    mall.shop.app.drain().await;
    let mut given = 0;
    for person in &people {
        given += wallet(&mall, person).await.len();
        assert!(told(&mall, &person.email).is_empty(), "who wants no news finds it in the wallet");
    }
    assert_eq!(given, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birthday_is_kept_once_a_year_and_the_29th_of_february_too() {
    let mall = Mall::open().await;
    let gift = campaign(&mall, "birthday").await;
    occasion(&mall, &gift, json!({ "event": "birthday" })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let leap = mall.shop.app.member("leap@b.test").await;
    let stranger = mall.shop.app.stranger("stranger@b.test").await;
    accept_news(&mall).await;
    let zone = mall.shop.app.app.settings.timezone;
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let today = local(mall.shop.app.now());
    let soon = today + TimeDelta::days(3);
    let day = soon.format("%m-%d").to_string();
    for (person, birthday) in [(&anna, day.as_str()), (&leap, "02-29"), (&stranger, day.as_str())] {
        let request = mall.shop.app.patch("/v1/me").bearer(&person.token);
        request.json(&json!({ "birthday": birthday })).send().await.ok(200);
    }
    mall.shop.advance(TimeDelta::days(2)).await;
    assert!(wallet(&mall, &anna).await.is_empty());
    // On the day, and not again an hour or a day later.
    for _ in 0..3 {
        mall.shop.advance(TimeDelta::hours(12)).await;
    }
    mall.shop.advance(TimeDelta::hours(1)).await;
    assert_eq!(wallet(&mall, &anna).await.len(), 1);
    let subjects = told(&mall, &anna.email);
    assert!(subjects.len() == 1 && subjects[0].starts_with("生日快乐"), "{subjects:?}");
    assert!(wallet(&mall, &stranger).await.is_empty(), "whose address isn't verified");
    // A year on there is another one; who was born on a 29 February has it on the 28th of a common year.
    let mut next = today.with_day(1).unwrap().with_month(2).unwrap().with_day(28).unwrap();
    while next <= local(mall.shop.app.now()) || next.leap_year() {
        next = next.with_year(next.year() + 1).unwrap();
    }
    let before = wallet(&mall, &leap).await.len();
    mall.shop.advance(TimeDelta::days((next - local(mall.shop.app.now())).num_days())).await;
    assert_eq!((next.month(), next.day()), (2, 28));
    assert_eq!(wallet(&mall, &leap).await.len(), before + 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_order_that_is_paid_brings_one_and_no_other_does() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let thanks = campaign(&mall, "thanks").await;
    occasion(&mall, &thanks, json!({ "event": "nth_order", "nth": 2 })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    accept_news(&mall).await;
    let lines = json!([{ "variant": tea }]);
    mall.buy(&anna, "1", lines.clone()).await;
    mall.order(&anna, "never-paid", lines.clone()).await.ok(201);
    mall.shop.settle().await;
    assert!(wallet(&mall, &anna).await.is_empty());
    // Two at once: one of them is the second.
    let (second, third) = (
        mall.order(&anna, "2", lines.clone()).await.ok(201),
        mall.order(&anna, "3", lines.clone()).await.ok(201),
    );
    tokio::join!(mall.shop.pay(&second), mall.shop.pay(&third));
    mall.shop.settle().await;
    assert_eq!(wallet(&mall, &anna).await.len(), 1);
    mall.buy(&anna, "4", lines.clone()).await;
    mall.shop.settle().await;
    assert_eq!((wallet(&mall, &anna).await.len(), told(&mall, &anna.email).len()), (1, 1));
    // What happened before a rule doesn't count for it.
    occasion(&mall, &thanks, json!({ "event": "nth_order", "nth": 1 })).await;
    mall.buy(&anna, "5", lines).await;
    mall.shop.settle().await;
    assert_eq!(wallet(&mall, &anna).await.len(), 1);
    for (field, more) in [
        ("nth", json!({ "event": "nth_order" })),
        ("nth", json!({ "event": "birthday", "nth": 2 })),
        ("nth", json!({ "event": "nth_order", "nth": 0 })),
        ("total", json!({ "event": "birthday", "total": 0 })),
        ("ends_at", json!({ "event": "birthday", "ends_at": mall.shop.app.now() })),
    ] {
        let mut body = json!({ "campaign": thanks["id"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = admin(&mall, "/v1/admin/occasions", "bad", body).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    mall.finish().await;
}

/// Twelve hundred who say nothing of mails, one who wants them and one who is on no list.
async fn crowd(mall: &Mall) -> (Person, Person) {
    let keen = mall.shop.app.member("keen@b.test").await;
    let change = mall.shop.app.patch("/v1/me").bearer(&keen.token).json(&json!({ "marketing": true }));
    change.send().await.ok(200);
    let list = json!({ "code": "readers", "name": "Readers" });
    mall.shop.app.make(&mall.owner, "/v1/admin/segments", &list).await;
    let sql = "INSERT INTO accounts (id, email, email_key, person_key, locale, created_at, email_verified_at) \
               SELECT gen_random_uuid(), e, e, e, 'en', now(), now() \
               FROM (SELECT 'c' || n || '@crowd.test' AS e FROM generate_series(1, 1200) n) t";
    run_sql(&mut *mall.shop.app.conn().await, sql).await;
    let sql = "INSERT INTO segment_accounts (segment_id, account_id) \
               SELECT s.id, a.id FROM segments s, accounts a \
               WHERE a.email LIKE '%crowd.test' OR a.email = 'keen@b.test'";
    run_sql(&mut *mall.shop.app.conn().await, sql).await;
    (keen, mall.shop.app.member("other@b.test").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_gets_one_each_however_often_it_is_begun_anew() {
    let mall = Mall::open().await;
    let gift = campaign(&mall, "gift").await;
    let (keen, other) = crowd(&mall).await;
    let path = format!("/v1/admin/coupon-campaigns/{}/mailings", gift["id"].as_str().unwrap());
    let body = json!({ "segment": "readers", "reason": "For reading." });
    // Two answers of one request, while another hand does parts of it: each part is done once, whoever does it.
    let (first, again) =
        tokio::join!(admin(&mall, &path, "k", body.clone()), admin(&mall, &path, "k", body.clone()));
    let [first, again] = [first, again].map(|answer| answer.ok(202));
    assert_eq!(first["id"], again["id"]);
    let id: MailingId = first["id"].as_str().unwrap().parse().unwrap();
    let now = mall.shop.app.now();
    let hands = join_all((0..6).map(|_| mailings::step(&mall.shop.app.app.pool, id, now))).await;
    assert!(hands.iter().all(Result::is_ok));
    mall.shop.app.drain().await;
    let seen = mall.shop.app.get(&format!("/v1/admin/coupon-mailings/{id}"));
    let seen = seen.bearer(&mall.owner.token).send().await.ok(200);
    let counted = ["accounts", "given", "mailed"].map(|field| seen[field].as_i64().unwrap());
    assert_eq!((counted, seen["ended_at"].is_string()), ([1_201, 1_201, 1], true));
    let each = "SELECT count(DISTINCT account_id) AS count FROM coupons";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, each).await, 1_201);
    let coupons = wallet(&mall, &keen).await;
    assert_eq!((coupons.len(), wallet(&mall, &other).await.len()), (1, 0));
    let mails = mall.shop.app.app.postbox.inbox().unwrap().to(&keen.email);
    assert!(mails.iter().any(|mail| mail.text.contains(coupons[0]["code"].as_str().unwrap())));
    assert!(mall.shop.app.app.postbox.inbox().unwrap().to("c1@crowd.test").is_empty());
    // The job tells how far it is.
    let job = [&first, &again].into_iter().find_map(|answer| answer["job"].as_str()).unwrap();
    let job = mall.shop.app.get(&format!("/v1/admin/jobs/{job}")).bearer(&mall.owner.token).send().await;
    assert_eq!(job.ok(200)["progress"], json!({ "done": 1_201, "of": 1_201 }));
    admin(&mall, &path, "l", json!({ "segment": "nobody", "reason": "x" }))
        .await
        .refused(422, "invalid_field");
    mall.finish().await;
}

/// A hand that is killed in the middle leaves whole parts; the next one goes on after them.
#[tokio::test(flavor = "multi_thread")]
async fn from_the_shell_and_after_a_kill() {
    let mall = Mall::open().await;
    campaign(&mall, "gift").await;
    crowd(&mall).await;
    let give = || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kindred"));
        command.args(["coupons", "give", "gift", "--segment", "readers", "--reason", "For reading."]);
        command.env_clear().env("DATABASE_URL", mall.shop.app.database_url()).kill_on_drop(true);
        command
    };
    let mut killed = give().spawn().unwrap();
    let begun = "SELECT count(*) AS count FROM coupon_mailings";
    for _ in 0..200 {
        if count_sql(&mut *mall.shop.app.conn().await, begun).await > 0
            || killed.try_wait().unwrap().is_some()
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    killed.kill().await.unwrap();
    // The shop that runs finishes it.
    mall.shop.app.drain().await;
    let each = "SELECT count(*) AS count FROM coupon_mailing_accounts";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, each).await, 1_201);
    let output = give().output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("gave 1201 coupons, 1 of them"), "{said}");
    mall.shop.app.drain().await;
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, each).await, 2_402);
    mall.finish().await;
}
