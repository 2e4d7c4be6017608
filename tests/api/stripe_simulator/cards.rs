//! Saved cards: charges while their owner is away, through kindred's adapter, and the page on which he looks after them.

use chrono::{Datelike, TimeDelta};
use kindred::dev::stripe::{Fault, FaultKind};
use kindred_stripe::{
    CallError, Card, Intent, IntentStatus, NewCharge, NewCheckout, NewCustomer, NewRefund, RefundStatus,
    Stripe,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::contract::{adapter, new_checkout, pay};
use super::fixture::{Fixture, encode, text};

struct Saved {
    fixture: Fixture,
    stripe: Stripe,
    customer: String,
    card: Card,
}

impl Saved {
    async fn start() -> Self {
        Self::start_paying("").await
    }

    /// A customer who paid 200.00 yuan by a card that is saved; `form`: more of what he typed.
    async fn start_paying(form: &str) -> Self {
        let fixture = Fixture::start();
        let stripe = adapter(&fixture.sim.url);
        let person = NewCustomer { account_id: "acc_1".to_owned(), email: None, name: None };
        let customer = stripe.create_customer("customer:1", &person).await.unwrap();
        save_card(&fixture, &stripe, &customer, form).await;
        let [card] = stripe.cards_of(&customer).await.unwrap().try_into().unwrap();
        Self { fixture, stripe, customer, card }
    }

    fn charge(&self, payment: &str) -> NewCharge {
        new_charge(payment, &self.customer, &self.card.id)
    }

    async fn try_charge(&self, payment: &str) -> Result<Intent, CallError> {
        self.stripe.charge_saved_card(&format!("renewal:{payment}"), &self.charge(payment)).await
    }

    async fn set(&self, behaviour: &str, times: Option<u32>) {
        self.fixture.sim.simulator.set_card(&self.customer, behaviour, times).unwrap();
    }

    fn captured(&self) -> i64 {
        self.fixture.sim.simulator.book().captured_minor
    }

    async fn open_portal(&self, key: &str) -> String {
        let back = "https://shop.test/me?tab=cards&x=\"1\"";
        self.stripe.create_portal(key, &self.customer, back, Some("zh-CN")).await.unwrap()
    }

    async fn on_portal(&self, url: &str, form: &[(&str, &str)]) -> StatusCode {
        let request = self.fixture.http.post(url).body(encode(form));
        let answer =
            request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        if answer.status() == StatusCode::SEE_OTHER {
            assert_eq!(answer.headers()["location"], url);
        }
        answer.status()
    }
}

pub fn new_charge(payment: &str, customer: &str, card: &str) -> NewCharge {
    NewCharge {
        order_id: format!("ord_{payment}"),
        payment_id: payment.to_owned(),
        order_number: "K-0002".to_owned(),
        amount_minor: 120_000,
        currency: "CNY".to_owned(),
        description: "铁杆会员".to_owned(),
        customer: customer.to_owned(),
        payment_method: card.to_owned(),
    }
}

pub async fn save_card(fixture: &Fixture, stripe: &Stripe, customer: &str, form: &str) {
    let new = NewCheckout {
        customer: Some(customer.to_owned()),
        customer_email: None,
        save_card: true,
        ..new_checkout(fixture.clock.now())
    };
    let key = format!("checkout:{}", uuid::Uuid::new_v4());
    let page = stripe.create_checkout(&key, &new).await.unwrap();
    pay(fixture, page.url.as_deref().unwrap(), &format!("action=pay&method=card&{form}")).await;
}

fn code(error: CallError) -> String {
    match error {
        CallError::Refused { code, .. } => code.unwrap_or_default(),
        other => panic!("{other}"),
    }
}

#[actix_web::test]
async fn a_saved_card_is_charged_once_a_key_booked_and_refunded() {
    let saved = Saved::start_paying("fingerprint=fp_1&last4=0005&exp_month=3&exp_year=2031").await;
    let Card { brand, last4, exp_month, exp_year, .. } = &saved.card;
    assert_eq!((brand.as_str(), last4.as_str(), *exp_month, *exp_year), ("visa", "0005", 3, 2031));
    let intent = saved.try_charge("pay_2").await.unwrap();
    assert_eq!((intent.status, intent.amount_minor), (IntentStatus::Succeeded, 120_000));
    assert_eq!((intent.currency.as_str(), intent.failure_code.as_deref()), ("CNY", None));
    assert_eq!(intent.card_fingerprint.as_deref(), Some("fp_1"));
    assert_eq!(intent.payment_method.as_ref(), Some(&saved.card.id));
    assert_eq!(
        (intent.payment_id.as_deref(), intent.customer.as_ref()),
        (Some("pay_2"), Some(&saved.customer))
    );
    assert_eq!(saved.try_charge("pay_2").await.unwrap(), intent, "the same key charges nothing more");
    assert_eq!(saved.stripe.intent(&intent.id).await.unwrap(), intent);
    let all = saved.stripe.intents_of(&saved.customer, intent.created - 3_600).await.unwrap();
    assert_eq!((all.len(), &all[0]), (2, &intent), "the newest first, the page's intent too");
    assert!(saved.stripe.intents_of(&saved.customer, intent.created + 60).await.unwrap().is_empty());

    let simulator = &saved.fixture.sim.simulator;
    let book = simulator.book();
    assert_eq!(book.captured_minor, 140_000);
    let paid = &book.payments[1];
    assert_eq!((paid.order_id.as_deref(), paid.payment_id.as_deref()), (Some("ord_pay_2"), Some("pay_2")));
    assert_eq!((paid.session.as_deref(), &paid.payment_intent), (None, &intent.id));
    assert!(book.payments[0].session.is_some());

    let refund = NewRefund {
        payment_intent: intent.id.clone(),
        amount_minor: 500,
        refund_id: "ref_1".to_owned(),
        order_id: "ord_pay_2".to_owned(),
        reason: None,
    };
    assert_eq!(
        saved.stripe.create_refund("refund:1", &refund).await.unwrap().status,
        RefundStatus::Succeeded
    );
    simulator.open_dispute(&intent.id, "fraudulent").unwrap();
    assert_eq!(saved.stripe.disputes_of(&intent.id).await.unwrap().len(), 1);
    assert_eq!(simulator.book().refunded_minor, 500);
}

#[actix_web::test]
async fn a_card_behaves_as_it_was_told() {
    let saved = Saved::start_paying("card_behaviour=insufficient_funds").await;
    let refused = saved.try_charge("typed").await.unwrap();
    assert_eq!(refused.failure_code.as_deref(), Some("insufficient_funds"));
    for (behaviour, told) in [
        ("decline", "generic_decline"),
        ("insufficient_funds", "insufficient_funds"),
        ("expired_card", "expired_card"),
        ("authentication_required", "authentication_required"),
        ("processing_error", "processing_error"),
    ] {
        saved.set(behaviour, Some(1)).await;
        let intent = saved.try_charge(behaviour).await.unwrap();
        assert_eq!(intent.status, IntentStatus::RequiresPaymentMethod);
        assert_eq!(intent.failure_code.as_deref(), Some(told));
        assert_eq!(intent.payment_method.as_ref(), Some(&saved.card.id), "it is told which card it was");
        assert_eq!(intent.card_fingerprint, saved.card.fingerprint);
        assert!(intent.latest_charge.is_some());
        assert_eq!(saved.try_charge(behaviour).await.unwrap(), intent, "the refusal is kept under its key");
        assert_eq!(
            saved.try_charge(&format!("{behaviour}-2")).await.unwrap().status,
            IntentStatus::Succeeded
        );
    }
    assert_eq!(saved.captured(), 20_000 + 5 * 120_000);

    saved.set("decline", Some(2)).await;
    let mut outcomes = Vec::new();
    for number in 0..3 {
        outcomes.push(saved.try_charge(&format!("times-{number}")).await.unwrap().status);
    }
    use IntentStatus::{RequiresPaymentMethod as Refused, Succeeded};
    assert_eq!(outcomes, [Refused, Refused, Succeeded]);

    let simulator = &saved.fixture.sim.simulator;
    let now = saved.fixture.clock.now();
    let last_month = now - TimeDelta::days(now.day().into());
    simulator.set_card_expiry(&saved.card.id, last_month.month().into(), last_month.year().into()).unwrap();
    assert_eq!(saved.try_charge("old").await.unwrap().failure_code.as_deref(), Some("expired_card"));
    simulator.set_card_expiry(&saved.customer, now.month().into(), now.year().into()).unwrap();
    assert_eq!(saved.try_charge("just").await.unwrap().status, IntentStatus::Succeeded);
    assert!(simulator.set_card_expiry(&saved.customer, 13, 2030).is_err());
    assert!(simulator.set_card(&saved.customer, "generous", None).is_err());
    assert!(simulator.set_card("cus_none", "ok", None).is_err());
}

#[actix_web::test]
async fn a_card_is_driven_over_http_too() {
    let saved = Saved::start().await;
    let tell = async |id: &str, body: Value| {
        let url = format!("{}/_sim/cards/{id}", saved.fixture.sim.url);
        saved.fixture.http.post(url).json(&body).send().await.unwrap().status().as_u16()
    };
    let later = json!({ "behaviour": "decline", "times": 1, "exp_month": 1, "exp_year": 2040 });
    assert_eq!(tell(&saved.card.id, later).await, 204);
    assert_eq!(saved.stripe.cards_of(&saved.customer).await.unwrap()[0].exp_year, 2040);
    assert_eq!(saved.try_charge("1").await.unwrap().status, IntentStatus::RequiresPaymentMethod);
    assert_eq!(saved.try_charge("2").await.unwrap().status, IntentStatus::Succeeded);
    assert_eq!(tell(&saved.customer, json!({ "behaviour": "generous" })).await, 400);
    assert_eq!(tell(&saved.customer, json!({ "exp_month": 1 })).await, 400);
    assert_eq!(tell("cus_none", json!({ "behaviour": "ok" })).await, 400);
}

#[actix_web::test]
async fn what_isnt_there_any_more_is_told_by_its_code() {
    let saved = Saved::start().await;
    let try_with = async |key: &str, customer: &str, method: &str| {
        let new = NewCharge {
            customer: customer.to_owned(),
            payment_method: method.to_owned(),
            ..saved.charge("pay_2")
        };
        code(saved.stripe.charge_saved_card(key, &new).await.unwrap_err())
    };
    assert_eq!(try_with("a", "cus_none", &saved.card.id).await, "resource_missing");
    assert_eq!(try_with("b", &saved.customer, "pm_none").await, "resource_missing");
    let person = NewCustomer { account_id: "acc_2".to_owned(), email: None, name: None };
    let other = saved.stripe.create_customer("customer:2", &person).await.unwrap();
    assert_eq!(try_with("c", &other, &saved.card.id).await, "payment_method_unexpected_state");
    assert!(saved.stripe.cards_of(&other).await.unwrap().is_empty());

    saved.fixture.sim.simulator.detach_cards(&saved.customer);
    assert_eq!(try_with("d", &saved.customer, &saved.card.id).await, "payment_method_unexpected_state");
    assert!(saved.stripe.cards_of(&saved.customer).await.unwrap().is_empty());
    let path = format!("/v1/payment_methods/{}/detach", saved.card.id);
    assert_eq!(saved.fixture.post(&path, &[], None).await.0, 400, "twice");

    let url = format!("{}/v1/customers/{}", saved.fixture.sim.url, saved.customer);
    let delete = || saved.fixture.http.delete(&url).bearer_auth(super::fixture::KEY).send();
    let answer: Value = delete().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({ "id": saved.customer, "object": "customer", "deleted": true }));
    assert_eq!(delete().await.unwrap().status(), 404);
    assert_eq!(try_with("e", &saved.customer, &saved.card.id).await, "resource_missing");
    assert_eq!(saved.stripe.cards_of(&saved.customer).await, Ok(Vec::new()));
    assert_eq!(saved.stripe.cards_of("cus_none").await, Ok(Vec::new()));
    let refused = saved.stripe.create_portal("p", &saved.customer, "https://shop.test/me", None).await;
    assert_eq!(code(refused.unwrap_err()), "resource_missing");
    assert_eq!(saved.captured(), 20_000);
}

#[actix_web::test]
async fn whatever_goes_wrong_a_key_charges_once() {
    let saved = Saved::start().await;
    let simulator = &saved.fixture.sim.simulator;
    let faults = [
        Fault::new("create_payment_intent", FaultKind::AnswerLost),
        Fault::new("create_payment_intent", FaultKind::Delay).seconds(0.05),
        Fault::new("create_payment_intent", FaultKind::BadGateway),
        Fault::status("create_payment_intent", 409),
        Fault::status("create_payment_intent", 503),
    ];
    for (number, fault) in (1..).zip(faults) {
        simulator.inject(fault);
        let intent = saved.try_charge(&format!("pay_{number}")).await.unwrap();
        assert_eq!(intent.status, IntentStatus::Succeeded);
        assert_eq!(saved.captured(), 20_000 + number * 120_000);
    }
    // Refused, the answer lost: the same key learns of the same refusal.
    saved.set("decline", Some(1)).await;
    simulator.inject(Fault::new("create_payment_intent", FaultKind::AnswerLost));
    let refused = saved.try_charge("pay_6").await.unwrap();
    assert_eq!(refused.failure_code.as_deref(), Some("generic_decline"));
    // A 500 is replayed; the charge is looked for, isn't there, and is tried under another key.
    simulator.inject(Fault::status("create_payment_intent", 500));
    assert!(saved.try_charge("pay_7").await.unwrap_err().is_transient());
    let known = saved.stripe.intents_of(&saved.customer, 0).await.unwrap();
    assert!(known.iter().all(|intent| intent.payment_id.as_deref() != Some("pay_7")));
    // A 402 that names no intent is a refusal of the call.
    simulator.inject(Fault::status("create_payment_intent", 402));
    assert_eq!(code(saved.try_charge("pay_8").await.unwrap_err()), "card_declined");

    for operation in ["list_payment_intents", "retrieve_payment_intent", "list_payment_methods"] {
        simulator.inject(Fault::status(operation, 503).times(3));
    }
    assert!(saved.stripe.intents_of(&saved.customer, 0).await.unwrap_err().is_transient());
    assert!(saved.stripe.intent(&refused.id).await.unwrap_err().is_transient());
    assert!(saved.stripe.cards_of(&saved.customer).await.unwrap_err().is_transient());
    simulator.inject(Fault::status("create_portal_session", 500));
    assert!(saved.stripe.create_portal("p", &saved.customer, "https://shop.test/", None).await.is_err());
    simulator.inject(Fault::new("cancel_payment_intent", FaultKind::AnswerLost));
    let ended = saved.stripe.cancel_intent("cancel:6", &refused.id).await.unwrap();
    assert_eq!(ended.status, IntentStatus::Canceled);
}

#[actix_web::test]
async fn only_an_unpaid_intent_without_a_page_is_ended() {
    let saved = Saved::start().await;
    saved.set("authentication_required", Some(1)).await;
    let refused = saved.try_charge("pay_2").await.unwrap();
    let paid = saved.try_charge("pay_3").await.unwrap();
    let ended = saved.stripe.cancel_intent("cancel:2", &refused.id).await.unwrap();
    assert_eq!((ended.id.as_str(), ended.status), (refused.id.as_str(), IntentStatus::Canceled));
    let unexpected = "payment_intent_unexpected_state";
    for (key, id) in [("again", &refused.id), ("paid", &paid.id)] {
        assert_eq!(code(saved.stripe.cancel_intent(key, id).await.unwrap_err()), unexpected);
    }
    let of_page = saved.stripe.intents_of(&saved.customer, 0).await.unwrap().pop().unwrap();
    assert!(saved.stripe.cancel_intent("page", &of_page.id).await.is_err());
    assert_eq!(saved.stripe.cancel_intent("none", "pi_none").await, Err(CallError::NotFound));
}

#[actix_web::test]
async fn a_charge_tells_of_itself_with_our_ids() {
    let saved = Saved::start().await;
    let simulator = &saved.fixture.sim.simulator;
    simulator.set_webhook_events(vec!["payment_intent.*".to_owned(), "charge.*".to_owned()]);
    saved.fixture.arrivals.lock().unwrap().taken.clear();
    saved.try_charge("good").await.unwrap();
    let mut kinds = saved.fixture.kinds().await;
    kinds.sort();
    assert_eq!(kinds, ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]);
    saved.fixture.arrivals.lock().unwrap().taken.clear();
    saved.set("decline", None).await;
    let refused = saved.try_charge("bad").await.unwrap();
    let mut kinds = saved.fixture.kinds().await;
    kinds.sort();
    assert_eq!(kinds, ["charge.failed", "payment_intent.created", "payment_intent.payment_failed"]);

    let events = saved.stripe.events(0, None, false).await.unwrap();
    let event = events.data.iter().find(|event| event.kind == "payment_intent.payment_failed").unwrap();
    assert_eq!((&event.object.id, event.object.payment_id.as_deref()), (&refused.id, Some("bad")));
    assert!(events.data.iter().any(|event| event.kind == "payment_intent.succeeded"));
}

#[actix_web::test]
async fn what_stripe_would_refuse_of_a_charge_is_refused_by_its_name() {
    let saved = Saved::start().await;
    let good = [
        ("amount", "120000"),
        ("currency", "cny"),
        ("confirm", "true"),
        ("off_session", "true"),
        ("customer", saved.customer.as_str()),
        ("payment_method", saved.card.id.as_str()),
        ("allowed_payment_method_types[]", "card"),
    ];
    let cases = [
        (("amount", Some("399")), "amount", "amount_too_small"),
        (("amount", Some("100000000")), "amount", "amount_too_large"),
        (("amount", Some("0")), "amount", "parameter_invalid_integer"),
        (("amount", None), "amount", "parameter_missing"),
        (("currency", Some("yuan")), "currency", ""),
        (("confirm", Some("false")), "confirm", ""),
        (("off_session", None), "off_session", ""),
        (("payment_method", None), "payment_method", "parameter_missing"),
        (("allowed_payment_method_types[]", None), "return_url", ""),
        (("allowed_payment_method_types[]", Some("alipay")), "allowed_payment_method_types", ""),
        (("payment_method_types[]", Some("card")), "payment_method_types", "parameter_unknown"),
        (("setup_future_usage", Some("off_session")), "off_session", ""),
        (("capture_method", Some("manual")), "capture_method", ""),
        (("transfer_group", Some("g")), "transfer_group", ""),
        (("colour", Some("red")), "colour", "parameter_unknown"),
    ];
    for ((key, value), param, code) in cases {
        let mut form: Vec<_> = good.into_iter().filter(|(name, _)| *name != key).collect();
        form.extend(value.map(|value| (key, value)));
        let (status, answer) = saved.fixture.post("/v1/payment_intents", &form, None).await;
        let error = &answer["error"];
        assert_eq!((status, &error["param"]), (400, &json!(param)), "{key}: {answer}");
        assert_eq!(error["code"].as_str().unwrap_or(""), code, "{key}: {answer}");
    }
    let nobody: Vec<_> = good.into_iter().filter(|(name, _)| *name != "customer").collect();
    let (status, answer) = saved.fixture.post("/v1/payment_intents", &nobody, None).await;
    assert!(
        status == 400 && text(&answer["error"]["message"]).contains("belongs to the Customer"),
        "{answer}"
    );
    assert_eq!(saved.captured(), 20_000);
    assert_eq!(saved.fixture.post("/v1/payment_intents", &good, None).await.1["status"], "succeeded");
}

#[actix_web::test]
async fn the_portal_shows_adds_removes_and_chooses_cards() {
    let saved = Saved::start().await;
    let url = saved.open_portal("portal:1").await;
    let page = async || {
        let answer = saved.fixture.http.get(&url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, html) = page().await;
    assert!(status == 200 && html.contains("4242") && html.contains("12/2034"), "{html}");
    assert!(html.contains("https://shop.test/me?tab=cards&amp;x=&quot;1&quot;"), "{html}");
    assert!(!html.contains("<script"), "the page needs no script");

    let new = [
        ("action", "add"),
        ("last4", "0005"),
        ("exp_month", "3"),
        ("exp_year", "2031"),
        ("fingerprint", "f"),
    ];
    assert_eq!(saved.on_portal(&url, &new).await, 303);
    let cards = saved.stripe.cards_of(&saved.customer).await.unwrap();
    assert_eq!((cards.len(), cards[0].last4.as_str(), cards[0].exp_year), (2, "0005", 2031));
    assert_eq!(cards[0].fingerprint.as_deref(), Some("f"));
    assert!(cards.iter().all(|card| !card.is_default));
    let (added, old) = (cards[0].id.clone(), saved.card.id.clone());
    assert_eq!(saved.on_portal(&url, &[("action", "default"), ("card", &added)]).await, 303);
    let defaults = async || {
        let cards = saved.stripe.cards_of(&saved.customer).await.unwrap();
        cards.into_iter().filter(|card| card.is_default).map(|card| card.id).collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, std::slice::from_ref(&added));
    assert!(page().await.1.contains("default"));
    let mut charge = saved.charge("pay_2");
    charge.payment_method = added.clone();
    let intent = saved.stripe.charge_saved_card("renewal:added", &charge).await.unwrap();
    assert_eq!((intent.status, intent.card_fingerprint.as_deref()), (IntentStatus::Succeeded, Some("f")));

    assert_eq!(saved.on_portal(&url, &[("action", "remove"), ("card", &added)]).await, 303);
    assert!(defaults().await.is_empty(), "a card that is gone is nobody's default");
    for form in [
        &[("action", "remove"), ("card", &*added)][..],
        &[("action", "default"), ("card", "pm_none")],
        &[("action", "default")],
        &[("action", "add"), ("exp_month", "13")],
        &[("action", "add"), ("last4", "４２４２")],
        &[("action", "add"), ("card_behaviour", "generous")],
        &[("action", "steal")],
    ] {
        assert_eq!(saved.on_portal(&url, form).await, 400, "{form:?}");
    }
    assert_eq!(saved.stripe.cards_of(&saved.customer).await.unwrap().len(), 1);
    assert_eq!(saved.on_portal(&url, &[("action", "remove"), ("card", &old)]).await, 303);
    assert!(page().await.1.contains("No card is saved"));

    saved.fixture.advance(TimeDelta::minutes(61)).await;
    assert_eq!(page().await.0, 404);
    assert_eq!(saved.on_portal(&url, &[("action", "add")]).await, 404);
}

#[actix_web::test]
async fn a_default_card_is_set_by_the_api_too_and_only_ones_own() {
    let saved = Saved::start().await;
    let path = format!("/v1/customers/{}", saved.customer);
    let set = async |method: &str| {
        saved.fixture.post(&path, &[("invoice_settings[default_payment_method]", method)], None).await
    };
    let (status, customer) = set(&saved.card.id).await;
    assert_eq!(
        (status, &customer["invoice_settings"]["default_payment_method"]),
        (200, &json!(saved.card.id))
    );
    assert!(saved.stripe.cards_of(&saved.customer).await.unwrap()[0].is_default);
    let (status, refused) = set("pm_none").await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("resource_missing")));
    assert_eq!(saved.fixture.post(&path, &[("name", "x")], None).await.0, 400, "not simulated");
    let list = format!("/v1/payment_methods?customer={}&type=card&expand[]=data.customer", saved.customer);
    let (_, list) = saved.fixture.get(&list).await;
    assert_eq!(list["data"][0]["customer"]["id"], json!(saved.customer));
    assert_eq!(saved.fixture.get("/v1/payment_methods?customer=cus_none").await.0, 400);
    assert_eq!(saved.fixture.get("/v1/payment_methods").await.0, 400);
    let one = saved.fixture.get(&format!("/v1/payment_methods/{}", saved.card.id)).await.1;
    assert_eq!(one["card"]["last4"], "4242");
}
