//! Signing in, staying signed in, signing out; access tokens good and bad.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kindred::config::PasswordSettings;
use kindred::people::tokens::Bearer;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::people::PASSWORD;

async fn try_password(app: &TestApp, email: &str, password: &str) -> Answer {
    app.post("/v1/sessions").json(&json!({ "email": email, "password": password })).send().await
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/v1/sessions/refresh").json(&json!({ "refresh_token": token })).send().await
}

async fn me(app: &TestApp, token: &str) -> Answer {
    app.get("/v1/me").bearer(token).send().await
}

/// A problem without what differs by request.
fn plain(answer: &Answer) -> Value {
    let mut json = answer.json.clone();
    json.as_object_mut().unwrap().remove("request_id");
    json
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_is_listed_and_signs_out() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let other = app.sign_in("ZHANG@example.org").await;
    let list = app.get("/v1/me/sessions").bearer(&person.token).send().await.ok(200);
    let sessions = list["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!([&sessions[0]["current"], &sessions[1]["current"]], [false, true]);
    // One ends the other, by its id; then itself.
    let path = format!("/v1/me/sessions/{}", sessions[0]["id"].as_str().unwrap());
    app.delete(&path).bearer(&person.token).send().await.ok(204);
    me(&app, &other.token).await.refused(401, "unauthenticated");
    refresh(&app, &other.refresh_token).await.refused(401, "invalid_refresh_token");
    app.delete("/v1/me/sessions/current").bearer(&person.token).send().await.ok(204);
    me(&app, &person.token).await.refused(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_forgotten_in_time() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    app.sign_in("zhang@example.org").await;
    app.delete("/v1/me/sessions/current").bearer(&person.token).send().await.ok(204);
    let left = async || {
        let mut conn = app.conn().await;
        let sessions = count_sql(&mut conn, "SELECT count(*) AS count FROM sessions").await;
        (sessions, count_sql(&mut conn, "SELECT count(*) AS count FROM refresh_tokens").await)
    };
    app.advance(TimeDelta::days(6)).await;
    assert_eq!(left().await, (2, 2));
    app.advance(TimeDelta::days(2)).await;
    assert_eq!(left().await, (1, 1));
    app.advance(TimeDelta::days(30)).await;
    assert_eq!(left().await, (0, 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_a_strangers_session() {
    let app = TestApp::spawn().await;
    let (zhang, li) = (app.member("zhang@example.org").await, app.member("li@example.org").await);
    let list = app.get("/v1/me/sessions").bearer(&zhang.token).send().await.ok(200);
    let path = format!("/v1/me/sessions/{}", list["data"][0]["id"].as_str().unwrap());
    app.delete(&path).bearer(&li.token).send().await.refused(404, "not_found");
    app.delete("/v1/me/sessions/nonsense").bearer(&li.token).send().await.refused(404, "not_found");
    me(&app, &zhang.token).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_answered_like_a_wrong_password() {
    let app = TestApp::spawn().await;
    app.member("zhang@example.org").await;
    let wrong = try_password(&app, "zhang@example.org", "not the right one").await;
    let unknown = try_password(&app, "nobody@example.org", "not the right one").await;
    wrong.refused(401, "invalid_credentials");
    assert_eq!((wrong.status, plain(&wrong)), (unknown.status, plain(&unknown)));
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_the_right_password_is_refused_too_for_known_and_unknown_alike() {
    let app = TestApp::spawn().await;
    app.member("zhang@example.org").await;
    for email in ["zhang@example.org", "nobody@example.org"] {
        for _ in 0..9 {
            try_password(&app, email, "not the right one").await.refused(401, "invalid_credentials");
        }
    }
    // A right one forgets the wrong ones.
    app.sign_in("zhang@example.org").await;
    for _ in 0..10 {
        try_password(&app, "zhang@example.org", "not the right one")
            .await
            .refused(401, "invalid_credentials");
    }
    try_password(&app, "nobody@example.org", "not the right one").await;
    let locked = try_password(&app, "Zhang@Example.org", PASSWORD).await;
    let unknown = try_password(&app, "nobody@example.org", PASSWORD).await;
    locked.refused(429, "too_many_attempts");
    assert_eq!((locked.status, plain(&locked)), (unknown.status, plain(&unknown)));
    let seconds: u64 = locked.header("retry-after").parse().unwrap();
    assert!((1..=901).contains(&seconds), "{seconds}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_are_no_more_than_the_limit() {
    let app = TestApp::spawn().await;
    app.member("zhang@example.org").await;
    let guesses = (0..40).map(|n| format!("guess number {n}"));
    let tries: Vec<_> = guesses.collect();
    let answers = join_all(tries.iter().map(|guess| try_password(&app, "zhang@example.org", guess))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(429)), (10, 30));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate_and_a_repeat_answers_the_same_successor() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let first = refresh(&app, &person.refresh_token).await;
    assert_eq!(first.header("cache-control"), "no-store");
    let first = first.ok(201);
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(600)));
    me(&app, first["access_token"].as_str().unwrap()).await.ok(200);
    // Two tabs at once, a lost answer: the same successor.
    let repeats = join_all((0..8).map(|_| refresh(&app, &person.refresh_token))).await;
    for repeat in repeats {
        assert_eq!(repeat.ok(201)["refresh_token"], first["refresh_token"]);
    }
    let second = refresh(&app, first["refresh_token"].as_str().unwrap()).await.ok(201);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_ends_the_family() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let bystander = app.sign_in("zhang@example.org").await;
    let next = refresh(&app, &person.refresh_token).await.ok(201);
    app.advance(TimeDelta::seconds(11)).await;
    refresh(&app, &person.refresh_token).await.refused(401, "invalid_refresh_token");
    refresh(&app, next["refresh_token"].as_str().unwrap()).await.refused(401, "invalid_refresh_token");
    me(&app, next["access_token"].as_str().unwrap()).await.refused(401, "unauthenticated");
    // Another session of the account isn't touched.
    me(&app, &bystander.token).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_expired_refresh_tokens_are_refused() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    refresh(&app, "kr_nonsense").await.refused(401, "invalid_refresh_token");
    refresh(&app, &person.token).await.refused(401, "invalid_refresh_token");
    app.advance(TimeDelta::days(30)).await;
    refresh(&app, &person.refresh_token).await.refused(401, "invalid_refresh_token");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_expires_by_the_shops_clock() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    app.advance(TimeDelta::minutes(9)).await;
    me(&app, &person.token).await.ok(200);
    app.advance(TimeDelta::minutes(1)).await;
    me(&app, &person.token).await.refused(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let now = app.app.clock.now();
    let bearer = app.app.tokens.verify(&app.app.pool, &person.token, now).await.unwrap();
    let claims = json!({ "iss": "http://shop.test", "sub": bearer.account, "sid": bearer.session,
                         "iat": now.timestamp(), "exp": now.timestamp() + 600 });
    let keys = app.get("/.well-known/jwks.json").send().await.ok(200);
    let kid = keys["keys"][0]["kid"].as_str().unwrap();
    let encode = |bytes: &str| URL_SAFE_NO_PAD.encode(bytes);
    let parts: Vec<&str> = person.token.split('.').collect();
    let none = json!({ "alg": "none", "typ": "at+jwt", "kid": kid }).to_string();
    let mut hmac_header = Header::new(Algorithm::HS256);
    hmac_header.typ = Some("at+jwt".to_owned());
    hmac_header.kid = Some(kid.to_owned());
    let public = EncodingKey::from_secret(keys["keys"][0]["x"].as_str().unwrap().as_bytes());
    let other_kid = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "unknown" }).to_string();
    let forged = [
        format!("{}.{}.", encode(&none), encode(&claims.to_string())),
        format!("{}.{}.{}", encode(&none), encode(&claims.to_string()), parts[2]),
        jsonwebtoken::encode(&hmac_header, &claims, &public).unwrap(),
        format!("{}.{}.{}", parts[0], encode(&claims.to_string()), parts[2]),
        format!("{}.{}.{}", encode(&other_kid), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], encode("not a signature")),
        person.refresh_token.clone(),
        "kd_unknown".to_owned(),
        "nonsense".to_owned(),
    ];
    for token in &forged {
        me(&app, token).await.refused(401, "unauthenticated");
    }
    app.get("/v1/me").send().await.refused(401, "unauthenticated");
    app.get("/v1/me").header("Authorization", "Basic eDp5").send().await.refused(401, "unauthenticated");
    me(&app, &person.token).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_refused_by_other_instances_too() {
    let app = TestApp::spawn().await;
    let other = app.sibling(&[]).await;
    let person = app.member("zhang@example.org").await;
    me(&other, &person.token).await.ok(200);
    app.delete("/v1/me/sessions/current").bearer(&person.token).send().await.ok(204);
    let ended = Instant::now();
    me(&app, &person.token).await.refused(401, "unauthenticated");
    while me(&other, &person.token).await.status != 401 {
        // Within a second; this machine may be busy with other tests.
        assert!(ended.elapsed() < Duration::from_secs(3), "still accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.finish().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_and_are_published_before_they_sign() {
    let app = TestApp::spawn().await;
    app.seed("zhang@example.org", true, &[]).await;
    let kids = async || {
        let answer = app.get("/.well-known/jwks.json").send().await;
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let keys = answer.ok(200)["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let signed_by = async || {
        let person = app.sign_in("zhang@example.org").await;
        (jsonwebtoken::decode_header(&person.token).unwrap().kid.unwrap(), person.token)
    };
    let refresh = async || kindred::jobs::schedule::beat(&app.app, false).await.unwrap();
    let first = kids().await;
    assert_eq!(first.len(), 1);
    app.advance(TimeDelta::days(31)).await;
    refresh().await;
    let both = kids().await;
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    let (old_kid, old_token) = signed_by().await;
    assert_eq!(old_kid, first[0]);
    app.advance(TimeDelta::minutes(9)).await;
    me(&app, &old_token).await.ok(200);
    app.advance(TimeDelta::minutes(2)).await;
    assert_eq!(signed_by().await.0, both[0]);
    app.advance(TimeDelta::hours(2)).await;
    refresh().await;
    assert_eq!(kids().await, [both[0].clone()]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_key_made_elsewhere_is_good_at_once() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let now = app.app.clock.now();
    let bearer: Bearer = app.app.tokens.verify(&app.app.pool, &person.token, now).await.unwrap();
    let mut conn = app.conn().await;
    let elsewhere = {
        // As an instance that starts on a database without keys; ours hasn't looked since.
        use diesel_async::RunQueryDsl;
        diesel::delete(kindred::schema::signing_keys::table).execute(&mut conn).await.unwrap();
        let lifetime = TimeDelta::minutes(10);
        kindred::people::tokens::Tokens::open(&mut conn, "http://shop.test", lifetime, now).await.unwrap()
    };
    drop(conn);
    let token = elsewhere.issue(bearer, now).unwrap();
    me(&app, &token).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sign_ins_starves_nobody_else() {
    let app = TestApp::spawn_tuned(|settings| settings.passwords = PasswordSettings::default()).await;
    let emails: Vec<_> = (0..400).map(|n| format!("nobody{n}@example.org")).collect();
    let flood = join_all(emails.iter().map(|email| try_password(&app, email, "some password or other")));
    let watch = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let started = Instant::now();
            app.get("/.well-known/jwks.json").send().await.ok(200);
            slowest = slowest.max(started.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let (answers, slowest) = futures::join!(flood, watch);
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(401) + count(503), answers.len());
    assert!(count(401) > 0 && count(503) > 0, "{} refused as busy", count(503));
    let busy = answers.iter().find(|answer| answer.status == 503).unwrap();
    busy.refused(503, "busy");
    assert_eq!(busy.header("retry-after"), "2");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    app.finish().await;
}
