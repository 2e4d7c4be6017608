//! The journal, and who may talk to the simulator.

use std::path::PathBuf;

use chrono::TimeDelta;
use kindred::dev::stripe::{Error, Settings, Simulator};
use kindred::ports::clock::Clock;
use kindred_stripe::NewCustomer;
use serde_json::{Value, json};

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
async fn a_restarted_simulator_knows_saved_cards_and_older_journals() {
    let folder = Folder::new();
    let start = || Fixture::start_with(|settings| settings.journal = Some(folder.journal()));
    let (customer, portal, first_book);
    {
        let fixture = start();
        let stripe = super::contract::adapter(&fixture.sim.url);
        let person = NewCustomer { account_id: "acc_1".to_owned(), email: None, name: None };
        customer = stripe.create_customer("customer:1", &person).await.unwrap();
        super::cards::save_card(&fixture, &stripe, &customer, "last4=0005").await;
        fixture.sim.simulator.set_card(&customer, "decline", Some(1)).unwrap();
        portal = stripe.create_portal("portal:1", &customer, "https://shop.test/me", None).await.unwrap();
        first_book = fixture.sim.simulator.book();
    }
    {
        let fixture = start();
        let stripe = super::contract::adapter(&fixture.sim.url);
        let cards = stripe.cards_of(&customer).await.unwrap();
        assert_eq!((cards.len(), cards[0].last4.as_str()), (1, "0005"));
        let charge = super::cards::new_charge("pay_2", &customer, &cards[0].id);
        let refused = stripe.charge_saved_card("renewal:1", &charge).await.unwrap();
        assert_eq!(refused.failure_code.as_deref(), Some("generic_decline"), "its behaviour was kept");
        assert!(stripe.charge_saved_card("renewal:2", &charge).await.unwrap().failure_code.is_none());
        let page = portal.rsplit_once("/portal/").unwrap().1;
        let page = fixture.http.get(format!("{}/portal/{page}", fixture.sim.url)).send().await.unwrap();
        assert_eq!(page.status(), 200, "and the portal's page");
    }
    // As it was written before cards could be charged: rows without what came since.
    let newer = [
        "card",
        "behaviour",
        "failure_code",
        "decline_code",
        "allowed",
        "cancellation_reason",
        "default_method",
        "deleted",
    ];
    let older: Vec<String> = std::fs::read_to_string(folder.journal())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|entry| !matches!(entry["kind"].as_str().unwrap(), "event" | "key" | "portal"))
        .filter(|entry| entry["row"]["session"].is_string() || entry["kind"] != "intent")
        .map(|mut entry| {
            let is_session = entry["kind"] == "session";
            let row = entry["row"].as_object_mut().unwrap();
            row.retain(|name, _| is_session || !newer.contains(&name.as_str()));
            entry.to_string()
        })
        .collect();
    std::fs::write(folder.journal(), older.join("\n")).unwrap();
    let fixture = start();
    let book = fixture.sim.simulator.book();
    assert_eq!(book.payments[0], first_book.payments[0]);
    let stripe = super::contract::adapter(&fixture.sim.url);
    assert_eq!(stripe.cards_of(&customer).await.unwrap()[0].last4, "4242");
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

#[actix_web::test]
async fn it_can_be_mounted_under_a_path_of_another_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/dev/stripe", listener.local_addr().unwrap());
    let mut settings = Settings::new(Clock::real(), super::fixture::KEY);
    settings.public_base = format!("{url}/");
    let simulator = Simulator::start(settings).unwrap();
    let mounted = simulator.clone();
    let server = actix_web::HttpServer::new(move || {
        let mounted = mounted.clone();
        let scope = actix_web::web::scope("/dev/stripe").configure(move |service| mounted.configure(service));
        actix_web::App::new().service(scope)
    });
    actix_web::rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());

    let stripe = super::contract::adapter(&url);
    let customer = NewCustomer { account_id: "acc_1".to_owned(), email: None, name: None };
    assert!(stripe.create_customer("customer:1", &customer).await.unwrap().starts_with("cus_"));
    assert_eq!(simulator.requests()[0].p, "/v1/customers");
    let made = stripe
        .create_checkout("checkout:1", &super::contract::new_checkout(Clock::real().now()))
        .await
        .unwrap();
    let page = made.url.unwrap();
    assert_eq!(page, format!("{url}/pay/{}", made.id));
    let page = reqwest::Client::builder().no_proxy().build().unwrap().get(page).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("200.00") && page.contains("普通会员") && page.contains("微信支付"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http"), "the page needs nothing from elsewhere");
}
