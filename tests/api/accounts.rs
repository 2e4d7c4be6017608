//! Accounts: sign-up, verification, profile, change of address, reset, export, erasure.

use chrono::TimeDelta;
use diesel::QueryDsl;
use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::http::Answer;
use crate::support::people::PASSWORD;
use crate::support::shop::{DriveSeed, Shop};

async fn sign_up(app: &TestApp, body: &Value) -> Answer {
    app.post("/v1/accounts").json(body).send().await
}

/// The one-time token in the newest mail to an address, and how many mails it got.
async fn mailed(app: &TestApp, address: &str) -> (Option<String>, usize) {
    app.drain().await;
    let mails = app.app.postbox.inbox().unwrap().to(address);
    let token = mails.as_slice().first().and_then(|mail| {
        let start = mail.text.find("token=")? + "token=".len();
        mail.text[start..].split_whitespace().next().map(str::to_owned)
    });
    (token, mails.len())
}

async fn verify(app: &TestApp, token: &str) -> Answer {
    app.post("/v1/email-verifications").json(&json!({ "token": token })).send().await
}

async fn ask_reset(app: &TestApp, email: &str) -> Answer {
    app.post("/v1/password-resets").json(&json!({ "email": email })).send().await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.put("/v1/password-resets").json(&json!({ "token": token, "password": password })).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_up_and_verifies_the_address() {
    let app = TestApp::spawn().await;
    let body = json!({ "email": " Zhang.San@Example.org", "password": PASSWORD, "name": " 张三 ",
                       "marketing": true, "invite_code": "zy0047" });
    let answer =
        app.post("/v1/accounts").header("Accept-Language", "fr, en-GB;q=0.8").json(&body).send().await;
    assert_eq!(answer.header("location"), "/v1/me");
    let account = answer.ok(201);
    assert!(account["id"].as_str().unwrap().starts_with("acc_"));
    let shown = ["email", "email_verified", "name", "locale", "marketing", "invite_code", "pending_email"];
    assert_eq!(
        shown.map(|name| account[name].clone()),
        [
            json!("Zhang.San@Example.org"),
            json!(false),
            json!("张三"),
            json!("en"),
            json!(true),
            json!("ZY0047"),
            json!(null)
        ]
    );
    // An unverified account may sign in.
    let person = app.sign_in("zhang.san@example.org").await;
    let (token, count) = mailed(&app, "Zhang.San@Example.org").await;
    assert_eq!(count, 1);
    let token = token.unwrap();
    verify(&app, "kt_forged").await.refused(410, "token_invalid");
    verify(&app, &token).await.ok(204);
    verify(&app, &token).await.refused(410, "token_invalid");
    let account = app.get("/v1/me").bearer(&person.token).send().await.ok(200);
    assert_eq!(account["email_verified"], true);
    // Nothing to send again now.
    app.post("/v1/me/email-verifications").bearer(&person.token).send().await.ok(202);
    assert_eq!(mailed(&app, "Zhang.San@Example.org").await.1, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_signs_up_once_however_it_is_written_and_however_many_try() {
    let app = TestApp::spawn().await;
    let bodies: Vec<_> = ["li@example.org", "LI@example.org", "Li@Example.Org", " li@example.org "]
        .iter()
        .cycle()
        .take(24)
        .map(|email| json!({ "email": email, "password": PASSWORD }))
        .collect();
    let answers = join_all(bodies.iter().map(|body| sign_up(&app, body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "email_taken");
    }
    app.drain().await;
    assert_eq!(app.app.postbox.inbox().unwrap().all().len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_are_refused_with_the_reason() {
    let app = TestApp::spawn().await;
    for weak in ["short", "password1", "1234567890", "zhangsan2013", "zhangsan@example.org"] {
        let body = json!({ "email": "zhangsan@example.org", "password": weak });
        let answer = sign_up(&app, &body).await;
        assert_eq!(answer.refused(422, "weak_password")["errors"][0]["field"], "password", "{weak}");
        assert!(!answer.text.contains(weak));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_named_and_make_no_account() {
    let app = TestApp::spawn().await;
    let raw =
        async |text: &str| app.post("/v1/accounts").raw("application/json", text.to_owned()).send().await;
    raw("{").await.refused(400, "malformed_json");
    raw("").await.refused(400, "malformed_json");
    app.post("/v1/accounts").raw("text/plain", "{}").send().await.refused(415, "unsupported_media_type");
    let good = json!({ "email": "a@example.org", "password": PASSWORD });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, body) in [
        ("admin", with("admin", json!(true))),
        ("roles", with("roles", json!(["owner"]))),
        ("email", with("email", json!(7))),
        ("email", with("email", json!("not an address"))),
        ("email", with("email", json!("a@b\r\nBcc: x@y.z"))),
        ("password", with("password", json!(["x"]))),
        ("marketing", with("marketing", json!("yes"))),
        ("locale", with("locale", json!("fr"))),
        ("name", with("name", json!("a\nb"))),
        ("name", with("name", json!("x".repeat(101)))),
        ("invite_code", with("invite_code", json!("x".repeat(65)))),
    ] {
        let answer = sign_up(&app, &body).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field, "{body}");
    }
    sign_up(&app, &json!({ "email": "a@example.org" })).await.refused(422, "invalid_field");
    sign_up(&app, &with("name", json!("x".repeat(70_000)))).await.refused(413, "body_too_large");
    let mut conn = app.conn().await;
    let count: i64 = kindred::schema::accounts::table.count().get_result(&mut conn).await.unwrap();
    assert_eq!(count, 0);
    drop(conn);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_mail_expires_and_can_be_had_again_a_few_times() {
    let app = TestApp::spawn().await;
    sign_up(&app, &json!({ "email": "wang@example.org", "password": PASSWORD })).await.ok(201);
    let first = mailed(&app, "wang@example.org").await.0.unwrap();
    app.advance(TimeDelta::days(3)).await;
    verify(&app, &first).await.refused(410, "token_invalid");
    let person = app.sign_in("wang@example.org").await;
    for _ in 0..3 {
        app.post("/v1/me/email-verifications").bearer(&person.token).send().await.ok(202);
    }
    let again = app.post("/v1/me/email-verifications").bearer(&person.token).send().await;
    again.refused(429, "too_many_attempts");
    let (token, count) = mailed(&app, "wang@example.org").await;
    assert_eq!(count, 4);
    verify(&app, &token.unwrap()).await.ok(204);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_changes_where_it_is_told_to_and_nowhere_else() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let patch = async |body: Value| app.patch("/v1/me").bearer(&person.token).json(&body).send().await;
    let account = patch(json!({ "name": "张三", "locale": "en", "marketing": true })).await.ok(200);
    assert_eq!((&account["name"], &account["locale"]), (&json!("张三"), &json!("en")));
    let account = patch(json!({ "marketing": false })).await.ok(200);
    assert_eq!((&account["name"], &account["marketing"]), (&json!("张三"), &json!(false)));
    assert_eq!(patch(json!({})).await.ok(200), account);
    assert_eq!(patch(json!({ "name": null })).await.ok(200)["name"], Value::Null);
    for (field, body) in [
        ("locale", json!({ "locale": null })),
        ("marketing", json!({ "marketing": null })),
        ("email", json!({ "email": null, "password": PASSWORD })),
        ("password", json!({ "email": "new@example.org" })),
        ("password", json!({ "new_password": "another phrase" })),
        ("id", json!({ "id": "acc_x" })),
    ] {
        assert_eq!(patch(body).await.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changes_with_the_old_one_and_ends_other_sessions() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let other = app.sign_in("zhang@example.org").await;
    let change = async |old: &str, new: &str| {
        let body = json!({ "password": old, "new_password": new });
        app.patch("/v1/me").bearer(&person.token).json(&body).send().await
    };
    change("not the right one", "another fine phrase").await.refused(403, "wrong_password");
    change(PASSWORD, "password").await.refused(422, "weak_password");
    change(PASSWORD, "another fine phrase").await.ok(200);
    app.get("/v1/me").bearer(&person.token).send().await.ok(200);
    app.get("/v1/me").bearer(&other.token).send().await.refused(401, "unauthenticated");
    let old = json!({ "email": "zhang@example.org", "password": PASSWORD });
    app.post("/v1/sessions").json(&old).send().await.refused(401, "invalid_credentials");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_verified_before_it_takes_the_old_ones_place() {
    let app = TestApp::spawn().await;
    let person = app.member("old@example.org").await;
    app.seed("taken@example.org", true, &[]).await;
    let ask = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        app.patch("/v1/me").bearer(&person.token).json(&body).send().await
    };
    ask("new@example.org", "not the right one").await.refused(403, "wrong_password");
    ask("Taken@example.org", PASSWORD).await.refused(409, "email_taken");
    let account = ask("new@example.org", PASSWORD).await.ok(200);
    assert_eq!(
        (&account["email"], &account["pending_email"]),
        (&json!("old@example.org"), &json!("new@example.org"))
    );
    let token = mailed(&app, "new@example.org").await.0.unwrap();
    app.sign_in("old@example.org").await;
    verify(&app, &token).await.ok(204);
    let account = app.get("/v1/me").bearer(&person.token).send().await.ok(200);
    assert_eq!((&account["email"], &account["pending_email"]), (&json!("new@example.org"), &json!(null)));
    let old = json!({ "email": "old@example.org", "password": PASSWORD });
    app.post("/v1/sessions").json(&old).send().await.refused(401, "invalid_credentials");
    // The old address is free again; the one wished for next is taken while its mail is on the way.
    sign_up(&app, &old).await.ok(201);
    ask("soon@example.org", PASSWORD).await.ok(200);
    let token = mailed(&app, "soon@example.org").await.0.unwrap();
    sign_up(&app, &json!({ "email": "soon@example.org", "password": PASSWORD })).await.ok(201);
    verify(&app, &token).await.refused(409, "email_taken");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_ends_a_change_of_address_that_another_had_begun() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let change = json!({ "email": "thief@example.org", "password": PASSWORD });
    app.patch("/v1/me").bearer(&person.token).json(&change).send().await.ok(200);
    let thiefs = mailed(&app, "thief@example.org").await.0.unwrap();
    ask_reset(&app, "zhang@example.org").await;
    let token = mailed(&app, "zhang@example.org").await.0.unwrap();
    reset(&app, &token, "another fine phrase").await.ok(204);
    verify(&app, &thiefs).await.refused(410, "token_invalid");
    // And who hasn't proved the address that he has can't change it.
    let new = app.stranger("new@example.org").await;
    let request = app.patch("/v1/me").bearer(&new.token).json(&change);
    request.send().await.refused(403, "email_not_verified");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_sets_a_new_password_once_and_ends_all_sessions() {
    let app = TestApp::spawn().await;
    let person = app.stranger("zhang@example.org").await;
    let known = ask_reset(&app, "Zhang@example.org").await;
    let unknown = ask_reset(&app, "nobody@example.org").await;
    assert_eq!((known.status, &known.text), (202, &unknown.text));
    assert_eq!(unknown.status, 202);
    assert_eq!(mailed(&app, "nobody@example.org").await.1, 0);
    let token = mailed(&app, "zhang@example.org").await.0.unwrap();
    reset(&app, "kt_forged", "another fine phrase").await.refused(410, "token_invalid");
    reset(&app, &token, "password").await.refused(422, "weak_password");
    reset(&app, &token, "another fine phrase").await.ok(204);
    reset(&app, &token, "a third fine phrase").await.refused(410, "token_invalid");
    app.get("/v1/me").bearer(&person.token).send().await.refused(401, "unauthenticated");
    let refresh = json!({ "refresh_token": person.refresh_token });
    app.post("/v1/sessions/refresh").json(&refresh).send().await.refused(401, "invalid_refresh_token");
    let new = json!({ "email": "zhang@example.org", "password": "another fine phrase" });
    let pair = app.post("/v1/sessions").json(&new).send().await.ok(201);
    // The mail that arrived has proved the address.
    let account = app.get("/v1/me").bearer(pair["access_token"].as_str().unwrap()).send().await.ok(200);
    assert_eq!(account["email_verified"], true);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_tokens_expire_and_mails_are_limited_without_a_word() {
    let app = TestApp::spawn().await;
    app.seed("zhang@example.org", true, &[]).await;
    for _ in 0..8 {
        ask_reset(&app, "zhang@example.org").await.ok(202);
    }
    let (token, count) = mailed(&app, "zhang@example.org").await;
    assert_eq!(count, 5);
    app.advance(TimeDelta::hours(1)).await;
    reset(&app, &token.unwrap(), "another fine phrase").await.refused(410, "token_invalid");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_unlocks_a_locked_account() {
    let app = TestApp::spawn().await;
    app.seed("zhang@example.org", true, &[]).await;
    let wrong = json!({ "email": "zhang@example.org", "password": "not the right one" });
    for _ in 0..11 {
        app.post("/v1/sessions").json(&wrong).send().await;
    }
    app.post("/v1/sessions").json(&wrong).send().await.refused(429, "too_many_attempts");
    ask_reset(&app, "zhang@example.org").await.ok(202);
    let token = mailed(&app, "zhang@example.org").await.0.unwrap();
    reset(&app, &token, PASSWORD).await.ok(204);
    app.sign_in("zhang@example.org").await;
    app.finish().await;
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    row: String,
}

#[derive(diesel::QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Every row of every table that holds one of these texts, also in raw bytes.
pub async fn traces(app: &TestApp, texts: &[&str]) -> Vec<String> {
    let mut conn = app.conn().await;
    let sql = "SELECT table_name::text AS name FROM information_schema.tables \
               WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let tables: Vec<Table> = diesel::sql_query(sql).load(&mut conn).await.unwrap();
    assert!(tables.len() > 20);
    let hex = |text: &&str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let wanted: Vec<String> =
        texts.iter().map(|text| text.to_lowercase()).chain(texts.iter().map(hex)).collect();
    let mut found = Vec::new();
    for Table { name } in tables {
        let sql = format!(
            "SELECT '{name}: ' || t::text AS row FROM \"{name}\" t \
             WHERE EXISTS (SELECT FROM unnest($1) x WHERE position(x IN lower(t::text)) > 0)"
        );
        let rows: Vec<Found> =
            diesel::sql_query(sql).bind::<Array<Text>, _>(wanted.clone()).load(&mut conn).await.unwrap();
        found.extend(rows.into_iter().map(|found| found.row));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_and_no_secret() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let (person, order) = shop.join("zhang@example.org", sale).await;
    let answer = shop.app.get("/v1/me/export").bearer(&person.token).send().await;
    for secret in ["password_hash", "$argon2", &person.refresh_token] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
    let data = answer.ok(200);
    assert_eq!(data["account"]["email"], "zhang@example.org");
    assert_eq!(data["member_number"]["number"], "KD0001");
    assert_eq!(data["orders"][0]["number"], order["number"]);
    let lengths = ["sessions", "memberships", "membership_terms", "order_lines", "payments", "series_places"]
        .map(|section| data[section].as_array().unwrap().len());
    assert_eq!(lengths, [1; 6]);
    // Every table that knows accounts is in it, or is left out on purpose.
    let mut conn = shop.app.conn().await;
    let sql = "SELECT table_name::text AS name FROM information_schema.columns \
               WHERE table_schema = 'public' AND column_name = 'account_id'";
    let tables: Vec<Table> = diesel::sql_query(sql).load(&mut conn).await.unwrap();
    for Table { name } in tables {
        let section = match name.as_str() {
            "account_tokens" => "mailed_tokens",
            "member_numbers" => "member_number",
            // Hashes of requests, for three days; views of memberships and associates, and of orders.
            "idempotency_keys" | "standings" | "order_money" => continue,
            name => name,
        };
        assert!(data.get(section).is_some(), "{name} is not in the export");
    }
    drop(conn);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_leaves_no_trace_of_the_person_and_keeps_the_number() {
    const EMAIL: &str = "Zhang.San@example.org";
    let shop = Shop::open().await;
    let app = &shop.app;
    let body = json!({ "email": EMAIL, "password": PASSWORD, "name": "Zhang Sanfeng" });
    sign_up(app, &body).await.ok(201);
    let person = app.sign_in(EMAIL).await;
    ask_reset(app, EMAIL).await.ok(202);
    // Applies to one drive, has a place reserved in another, is a member by a third.
    let seed = |code, series, admission| DriveSeed { code, series, admission, ..DriveSeed::default() };
    let asked = shop.drive(seed("asked", "a", "application")).await;
    let path = format!("/v1/drives/{}/applications", asked.drive);
    let answers = json!({ "answers": { "why": "I am Zhang Sanfeng" } });
    app.post(&path).bearer(&person.token).json(&answers).send().await.ok(201);
    let manager = app.operator(Role::Manager).await;
    let reserved = shop.drive(seed("reserved", "b", "invitation")).await;
    let path = format!("/v1/admin/drives/{}/invitations", reserved.drive);
    app.post(&path).bearer(&manager.token).json(&json!({ "emails": [EMAIL] })).send().await.ok(201);
    let sale = shop.drive(DriveSeed::default()).await;
    let order = shop.order(&person, sale, "join").send().await.ok(201);
    shop.pay(&order).await;
    shop.settled(&person, &order).await;
    shop.settle().await;

    let erase = async |body: Value| app.delete("/v1/me").bearer(&person.token).json(&body).send().await;
    erase(json!({ "password": "not the right one" })).await.refused(403, "wrong_password");
    erase(json!({ "password": PASSWORD })).await.refused(409, "membership_running");
    assert!(traces(app, &[EMAIL, "Sanfeng"]).await.len() > 5);
    erase(json!({ "password": PASSWORD, "forfeit": true })).await.ok(204);
    app.get("/v1/me").bearer(&person.token).send().await.refused(401, "unauthenticated");
    let refresh = json!({ "refresh_token": person.refresh_token });
    app.post("/v1/sessions/refresh").json(&refresh).send().await.refused(401, "invalid_refresh_token");
    let sign_in = json!({ "email": EMAIL, "password": PASSWORD });
    app.post("/v1/sessions").json(&sign_in).send().await.refused(401, "invalid_credentials");
    shop.settle().await;
    assert_eq!(traces(app, &[EMAIL, &EMAIL.to_lowercase(), "Sanfeng"]).await, Vec::<String>::new());
    assert!(traces(app, &["KD0001"]).await.iter().any(|row| row.starts_with("member_numbers: ")));
    // The address is free for a new start, as somebody else.
    sign_up(app, &body).await.ok(201);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_cannot_be_erased() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let body = json!({ "password": PASSWORD });
    app.delete("/v1/me").bearer(&owner.token).json(&body).send().await.refused(409, "last_owner");
    app.seed("second@shop.test", true, &[Role::Owner]).await;
    app.delete("/v1/me").bearer(&owner.token).json(&body).send().await.ok(204);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_keeps_an_account_unless_it_is_given_up() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("zhang@example.org").await;
    shop.order(&person, sale, "join").send().await.ok(201);
    assert_eq!(shop.pool(sale).await, (5_000, 1, 0));
    let erase = async |body: Value| shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await;
    erase(json!({ "password": PASSWORD })).await.refused(409, "order_pending");
    erase(json!({ "password": PASSWORD, "forfeit": "yes" })).await.refused(422, "invalid_field");
    erase(json!({ "password": PASSWORD, "forfeit": true })).await.ok(204);
    assert_eq!(shop.pool(sale).await, (5_000, 0, 0));
    shop.settle().await;
    // What Stripe told of the closed page came after the erasure: it goes with the purge.
    let left = traces(&shop.app, &["zhang@example.org"]).await;
    assert!(left.iter().all(|row| row.starts_with("stripe_events: ")), "{left:?}");
    shop.advance(TimeDelta::days(31)).await;
    assert_eq!(traces(&shop.app, &["zhang@example.org"]).await, Vec::<String>::new());
    shop.finish().await;
}
