//! Trouble: what is tried again and how, and what the caller learns.

use std::time::Instant;

use serde_json::json;

use super::server::refusal;
use super::*;

#[tokio::test]
async fn every_doubtful_outcome_is_tried_again_with_the_same_key_and_body() {
    let doubtful = [
        Step::Answer(500, refusal("api_error")),
        Step::Answer(503, "overloaded".to_owned()),
        Step::Answer(502, "<html>Bad Gateway</html>".to_owned()),
        Step::Answer(429, refusal("rate_limit")),
        Step::Answer(409, refusal("idempotency_key_in_use")),
        Step::Answer(424, refusal("external")),
        Step::Answer(200, "not json".to_owned()),
        Step::Answer(200, json!({"object": "list", "data": []}).to_string()),
        Step::Drop,
        Step::Cut,
    ];
    for step in doubtful {
        let (stripe, server) = scripted([step.clone(), step.clone(), ok(session())]).await;
        let answer = stripe.create_checkout(KEY, &new_checkout()).await;
        assert_eq!(answer.map(|checkout| checkout.id).as_deref(), Ok("cs_test_1"), "{step:?}");
        let seen = server.seen();
        assert_eq!(seen.len(), 3, "{step:?}");
        assert!(seen.iter().all(|one| one == &seen[0] && one.key() == Some(KEY)), "{step:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_hanging_server_is_left_after_the_time_out_and_asked_again() {
    let server = Server::start([Step::Hang, ok(session())]).await;
    let timeout = Duration::from_millis(300);
    let stripe = Stripe::with_pause(Config { timeout, ..config(&server.address) }, Duration::ZERO).unwrap();
    stripe.create_checkout(KEY, &new_checkout()).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));

    let server = Server::start([Step::Hang, Step::Hang, Step::Hang]).await;
    let stripe = Stripe::with_pause(Config { timeout, ..config(&server.address) }, Duration::ZERO).unwrap();
    let error = stripe.create_checkout(KEY, &new_checkout()).await.unwrap_err();
    assert_eq!(error, CallError::unknown(None, "time-out"));
}

#[tokio::test]
async fn after_three_tries_the_caller_learns_what_is_known() {
    let cases = [
        (Step::Answer(500, refusal("api_error")), CallError::unknown(Some(500), "Stripe answered 500")),
        (Step::Answer(429, refusal("rate_limit")), CallError::RateLimited),
        (
            Step::Answer(409, refusal("idempotency_key_in_use")),
            CallError::unknown(Some(409), "a call with the same key is running (409)"),
        ),
        (
            Step::Answer(502, "<html>Bad Gateway</html>".to_owned()),
            CallError::unknown(None, "the answer couldn't be read"),
        ),
        (
            Step::Answer(200, json!({"id": "cus_1", "object": "customer"}).to_string()),
            CallError::unknown(Some(200), "the answer isn't the object that was asked for"),
        ),
    ];
    for (step, expected) in cases {
        let (stripe, server) = scripted(vec![step; 4]).await;
        let error = stripe.create_checkout(KEY, &new_checkout()).await.unwrap_err();
        assert_eq!(error, expected);
        assert!(error.is_transient());
        assert_eq!(server.seen().len(), 3);
    }
    let nobody = Stripe::with_pause(config("http://127.0.0.1:1"), Duration::ZERO).unwrap();
    let error = nobody.refund("re_1").await.unwrap_err();
    assert!(matches!(error, CallError::OutcomeUnknown { status: None, .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_is_final_and_tells_why() {
    for status in [400, 401, 402, 403, 418] {
        let (stripe, server) = scripted([Step::Answer(status, refusal("charge_already_refunded"))]).await;
        let error = stripe.create_refund("refund:ref_1", &new_refund()).await.unwrap_err();
        assert!(!error.is_transient());
        assert_eq!(error.is_credentials(), status == 401 || status == 403);
        assert_eq!(server.seen().len(), 1);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("charge_already_refunded") && !shown.contains("li@example.com"), "{shown}");
        let CallError::Refused { status: told, kind, code, message, param } = error else {
            panic!("{error}")
        };
        assert_eq!((told, kind.as_str()), (status, "invalid_request_error"));
        assert_eq!(code.as_deref(), Some("charge_already_refunded"));
        assert_eq!(param.as_deref(), Some("amount"));
        assert!(message.contains("Invalid email"));
    }
}

#[tokio::test]
async fn a_code_of_next_year_is_a_refusal_all_the_same() {
    let body = json!({"error": {"type": "brand_new_error", "code": "brand_new_code"}}).to_string();
    let (stripe, _server) = scripted([Step::Answer(400, body)]).await;
    let error = stripe.create_refund("refund:ref_1", &new_refund()).await.unwrap_err();
    let CallError::Refused { kind, code, .. } = error else { panic!("{error}") };
    assert_eq!((kind.as_str(), code.as_deref()), ("brand_new_error", Some("brand_new_code")));
}

#[tokio::test]
async fn what_isnt_there_is_not_found_and_a_strange_id_is_never_sent() {
    let (stripe, server) = scripted([Step::Answer(404, refusal("resource_missing"))]).await;
    assert_eq!(stripe.checkout("cs_test_9").await, Err(CallError::NotFound));
    assert_eq!(server.seen().len(), 1);
    for id in ["", "../customers", "cs_1?x=1", "cs_1/expire", "cs_é", "a b"] {
        assert_eq!(stripe.checkout(id).await, Err(CallError::NotFound));
        assert_eq!(stripe.expire_checkout(KEY, id).await, Err(CallError::NotFound));
        assert_eq!(stripe.refund(id).await, Err(CallError::NotFound));
        assert_eq!(stripe.dispute(id).await, Err(CallError::NotFound));
    }
    for key in ["", "schlüssel", "a\nb", &"k".repeat(256)] {
        let error = stripe.create_checkout(key, &new_checkout()).await.unwrap_err();
        assert!(matches!(error, CallError::Refused { status: 0, .. }), "{error}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn every_try_waits_for_its_turn() {
    let server = Server::start([
        Step::Answer(500, refusal("api_error")),
        Step::Drop,
        ok(session()),
        ok(session()),
        ok(session()),
    ])
    .await;
    let slow = Config { rate_per_second: 20, ..config(&server.address) };
    let stripe = Stripe::with_pause(slow, Duration::ZERO).unwrap();
    let start = Instant::now();
    stripe.create_checkout(KEY, &new_checkout()).await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(90),
        "three tries at 20 a second: {:?}",
        start.elapsed()
    );
    assert!(!stripe.inner.reads.is_used().await, "reads don't wait for writes");
    let start = Instant::now();
    stripe.checkout("cs_test_1").await.unwrap();
    stripe.checkout("cs_test_1").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(40), "two reads at 20 a second: {:?}", start.elapsed());
}

#[test]
fn wrong_settings_are_refused_and_the_key_is_never_shown() {
    let with = |key: &str, url: Option<&str>| {
        let base_url = url.map(str::to_owned);
        Stripe::new(Config { secret_key: key.to_owned(), base_url, ..config("") })
    };
    for key in ["", "sk_test_ab c", "sk_test_é", "sk_test_a\n"] {
        assert_eq!(with(key, None).unwrap_err(), ConfigError::SecretKey);
    }
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https:///x",
        "http://a/?q=1",
        "http://a/#f",
        "http://a b/",
    ] {
        assert_eq!(with("sk_test_1", Some(url)).unwrap_err(), ConfigError::BaseUrl, "{url}");
    }
    assert_eq!(with("rk_live_1", Some("http://127.0.0.1/")).unwrap_err(), ConfigError::LiveKeyInTheClear);
    assert!(with("sk_live_1", None).unwrap().is_live() && with("rk_live_1", None).unwrap().is_live());
    let test = with("sk_test_verysecret", None).unwrap();
    assert!(!test.is_live());
    let shown = format!("{test:?} {:?} {:?}", config("http://a/"), new_checkout());
    assert!(!shown.contains("verysecret") && !shown.contains("li@example.com"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_reaches_every_clone_for_reads_and_writes() {
    let slow = Config { rate_per_second: 1, ..config("http://127.0.0.1:1") };
    let stripe = Stripe::new(slow).unwrap();
    stripe.clone().set_rate(10);
    for pacer in [&stripe.inner.reads, &stripe.inner.writes] {
        let start = tokio::time::Instant::now();
        for _ in 0..3 {
            pacer.turn().await;
        }
        let waited = start.elapsed().as_millis();
        assert!((200..=204).contains(&waited), "{waited}");
    }
}
