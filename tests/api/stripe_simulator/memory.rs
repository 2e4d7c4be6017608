//! The journal, and who may talk to the simulator.

use std::path::PathBuf;

use chrono::TimeDelta;
use kindred::dev::stripe::{Error, Settings, Simulator};
use kindred::ports::clock::Clock;
use serde_json::json;

use super::fixture::{Fixture, SESSION, text};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("kindred-simulator-{}", uuid::Uuid::new_v4())))
    }

    fn journal(&self) -> PathBuf {
        self.0.join("stripe.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[actix_web::test]
async fn a_restarted_simulator_knows_everything_again() {
    let folder = Folder::new();
    let start = || Fixture::start_with(|settings| settings.journal = Some(folder.journal()));
    let (paid, open, late, refund, first_book);
    {
        let fixture = start();
        paid = fixture.paid("wechat_pay").await;
        (_, open) = fixture.post("/v1/checkout/sessions", &SESSION, Some("key-1")).await;
        late = fixture.session().await;
        fixture.act(&late, &[("action", "pay_late"), ("delay", "900")]).await;
        let form = [("payment_intent", &*text(&paid["payment_intent"])), ("amount", "500")];
        refund = fixture.post("/v1/refunds", &form, None).await.1;
        assert_eq!(fixture.kinds().await.len(), 3);
        fixture.sim.simulator.flush_journal();
        first_book = fixture.sim.simulator.book();
    }
    // A crash tore the last line.
    let torn = std::fs::read_to_string(folder.journal()).unwrap() + r#"{"kind":"session","row":{"id":"cs"#;
    std::fs::write(folder.journal(), torn).unwrap();

    let fixture = start();
    assert_eq!(fixture.sim.simulator.book(), first_book);
    assert!(fixture.kinds().await.is_empty(), "what had arrived isn't sent again");
    let (_, replayed) = fixture.post("/v1/checkout/sessions", &SESSION, Some("key-1")).await;
    assert_eq!(replayed["id"], open["id"]);
    fixture.advance(TimeDelta::seconds(901)).await;
    assert_eq!(fixture.again(&late).await["payment_status"], "paid");
    let (_, refund) = fixture.get(&format!("/v1/refunds/{}", text(&refund["id"]))).await;
    assert_eq!(refund["status"], "succeeded");
}

#[actix_web::test]
async fn events_that_hadnt_arrived_are_sent_after_a_restart() {
    let folder = Folder::new();
    {
        let fixture = Fixture::start_with(|settings| {
            settings.journal = Some(folder.journal());
            // Nobody listens there.
            settings.webhook_url = Some("http://127.0.0.1:9/".to_owned());
        });
        fixture.paid("card").await;
        fixture.sim.simulator.flush_journal();
    }
    let fixture = Fixture::start_with(|settings| settings.journal = Some(folder.journal()));
    assert_eq!(fixture.kinds().await, ["checkout.session.completed"]);
    assert!(fixture.undelivered().await.is_empty());
}

#[actix_web::test]
async fn live_keys_are_refused_at_the_start_and_at_the_door() {
    for key in ["sk_live_x", "rk_live_x"] {
        let started = Simulator::start(Settings::new(Clock::real(), key));
        assert!(matches!(started.err(), Some(Error::LiveKey)));
    }
    let fixture = Fixture::start();
    let with = async |key: &str| {
        let call = fixture.http.get(format!("{}/v1/refunds", fixture.sim.url)).basic_auth(key, Some(""));
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(with(super::fixture::KEY).await.0, 200);
    assert_eq!(with("sk_test_other").await.0, 401);
    let (status, body) = with("sk_live_secret123").await;
    assert_eq!(status, 401);
    assert!(!body.contains("secret123"));
    let none = fixture.http.get(format!("{}/v1/refunds", fixture.sim.url)).send().await.unwrap();
    assert_eq!(none.status(), 401);
}

#[actix_web::test]
async fn what_stripe_would_refuse_is_refused_by_its_name() {
    let fixture = Fixture::start();
    let soon = (fixture.clock.now() + TimeDelta::minutes(29)).timestamp().to_string();
    let far = (fixture.clock.now() + TimeDelta::hours(25)).timestamp().to_string();
    let add = |key: &'static str, value: String| (key, value);
    let cases = [
        (add("payment_method_types[0]", "card".into()), "payment_method_types", "parameter_unknown"),
        (add("colour", "red".into()), "colour", "parameter_unknown"),
        (add("expires_at", soon), "expires_at", ""),
        (add("expires_at", far), "expires_at", ""),
        (add("expires_at", "soon".into()), "expires_at", "parameter_invalid_integer"),
        (add("allowed_payment_method_types[0]", "barter".into()), "allowed_payment_method_types[0]", ""),
        (add("customer", "cus_none".into()), "customer", "resource_missing"),
        (add("customer_email", "nobody".into()), "customer_email", "email_invalid"),
        (add("client_reference_id", "x".repeat(201)), "client_reference_id", "parameter_invalid_string"),
        (add("metadata[k]", "x".repeat(501)), "metadata[k]", "parameter_invalid_string"),
        (add("discounts[0][coupon]", "c".into()), "discounts", ""),
        (add("line_items[1][quantity]", "1".into()), "line_items[1][price_data]", "parameter_missing"),
        (add("expand[]", "nothing".into()), "expand", ""),
    ];
    for ((key, value), param, code) in cases {
        let mut form = SESSION.to_vec();
        form.push((key, &value));
        let (status, answer) = fixture.post("/v1/checkout/sessions", &form, None).await;
        let error = &answer["error"];
        assert_eq!((status, &error["param"]), (400, &json!(param)), "{key}: {answer}");
        assert_eq!(error["code"].as_str().unwrap_or(""), code, "{key}: {answer}");
    }
    let without_client: Vec<_> = SESSION.into_iter().filter(|(key, _)| !key.contains("wechat")).collect();
    let (status, answer) = fixture.post("/v1/checkout/sessions", &without_client, None).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("parameter_missing")));
    let mut card_only = without_client.clone();
    card_only.push(("allowed_payment_method_types[]", "card"));
    card_only.push(("allowed_payment_method_types[]", "paypal"));
    let (_, session) = fixture.post("/v1/checkout/sessions", &card_only, None).await;
    assert_eq!(session["payment_method_types"], json!(["card"]), "what isn't enabled falls out silently");
    let answer = fixture.act(&session, &[("action", "pay"), ("method", "alipay")]).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(fixture.get("/v1/nothing").await.0, 404);
    assert_eq!(fixture.get("/v1/checkout/sessions/cs_none").await.1["error"]["code"], "resource_missing");
}
