//! Saved cards: what is sent, and what is made of each answer and refusal.

use serde_json::{Value, json};

use super::server::refusal;
use super::*;
use crate::{Card, Intent, IntentStatus, NewCharge};

const CHARGE_KEY: &str = "renewal:ord_1:1";

fn new_charge() -> NewCharge {
    NewCharge {
        order_id: "ord_1".to_owned(),
        payment_id: "pay_1".to_owned(),
        order_number: "K-1".to_owned(),
        amount_minor: 120_000,
        currency: "CNY".to_owned(),
        description: "铁杆会员 of 李雷".to_owned(),
        customer: "cus_1".to_owned(),
        payment_method: "pm_1".to_owned(),
    }
}

fn payment_method() -> Value {
    let address = json!({"city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null});
    json!({
        "id": "pm_1", "object": "payment_method", "allow_redisplay": "limited", "created": 7, "customer": "cus_1",
        "billing_details": {"address": address, "email": null, "name": null, "phone": null, "tax_id": null},
        "card": {
            "brand": "visa", "checks": null, "country": "US", "display_brand": "visa", "exp_month": 12, "exp_year": 2034,
            "fingerprint": "fp1", "funding": "credit", "generated_from": null, "last4": "4242", "networks": null,
            "regulated_status": "unregulated", "three_d_secure_usage": null, "wallet": null,
        },
        "livemode": false, "metadata": {}, "type": "card",
    })
}

/// An intent as Stripe writes it; inside an error it is read by async-stripe's own type, which wants all of it.
fn intent(status: &str, failure: Value) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 120_000, "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic_async", "client_secret": "pi_1_secret_x", "confirmation_method": "automatic",
        "created": 1_800_000_000, "currency": "cny", "customer": "cus_1", "description": null,
        "last_payment_error": failure, "latest_charge": "ch_1", "livemode": false,
        "metadata": {"order_id": "ord_1", "order_number": "K-1", "payment_id": "pay_1"}, "next_action": null,
        "on_behalf_of": null, "payment_method": null, "payment_method_configuration_details": null,
        "payment_method_options": {}, "payment_method_types": ["card"], "processing": null, "receipt_email": null,
        "review": null, "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": status, "transfer_data": null, "transfer_group": null,
        "a_field_of_next_year": [1],
    })
}

fn card_error(code: &str, decline_code: Option<&str>) -> Value {
    json!({
        "charge": "ch_1", "code": code, "decline_code": decline_code, "doc_url": "https://stripe.com/docs",
        "message": "Your card was declined.", "payment_method": payment_method(), "type": "card_error",
    })
}

/// Stripe's 402: the error of the attempt, with the intent that was made.
fn refused_card(code: &str, decline_code: Option<&str>) -> Step {
    let mut error = card_error(code, decline_code);
    error["payment_intent"] = intent("requires_payment_method", card_error(code, decline_code));
    Step::Answer(402, json!({ "error": error }).to_string())
}

fn charged(mut intent: Value) -> Value {
    intent["latest_charge"] = json!({
        "id": "ch_1", "object": "charge", "status": "succeeded",
        "payment_method_details": {"type": "card", "card": {"fingerprint": "fp1"}},
    });
    intent
}

fn paid() -> Value {
    let mut paid = charged(intent("succeeded", json!(null)));
    paid["payment_method"] = json!("pm_1");
    paid
}

fn expected(status: IntentStatus, failure_code: Option<&str>) -> Intent {
    Intent {
        id: "pi_1".to_owned(),
        status,
        amount_minor: 120_000,
        currency: "CNY".to_owned(),
        customer: Some("cus_1".to_owned()),
        payment_method: Some("pm_1".to_owned()),
        latest_charge: Some("ch_1".to_owned()),
        card_fingerprint: Some("fp1".to_owned()),
        method_used: Some("card".to_owned()),
        failure_code: failure_code.map(str::to_owned),
        order_id: Some("ord_1".to_owned()),
        payment_id: Some("pay_1".to_owned()),
        created: 1_800_000_000,
    }
}

#[tokio::test]
async fn a_saved_card_is_charged_in_one_call() {
    let (stripe, server) = scripted([ok(paid())]).await;
    let intent = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap();
    assert_eq!(intent, expected(IntentStatus::Succeeded, None));
    let seen = only(&server);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/payment_intents"));
    assert_eq!(seen.key(), Some(CHARGE_KEY));
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    expect_pairs(
        &seen.body,
        &[
            ("allowed_payment_method_types[0]", "card"),
            ("amount", "120000"),
            ("confirm", "true"),
            ("currency", "cny"),
            ("customer", "cus_1"),
            ("description", "铁杆会员 of 李雷"),
            ("expand[0]", "latest_charge"),
            ("metadata[order_id]", "ord_1"),
            ("metadata[order_number]", "K-1"),
            ("metadata[payment_id]", "pay_1"),
            ("off_session", "true"),
            ("payment_method", "pm_1"),
        ],
    );
    assert!(!format!("{:?}", new_charge()).contains("李雷"));
}

#[tokio::test]
async fn a_card_that_is_refused_is_an_answer() {
    for (code, decline_code, told) in [
        ("card_declined", Some("generic_decline"), "generic_decline"),
        ("card_declined", Some("insufficient_funds"), "insufficient_funds"),
        ("expired_card", None, "expired_card"),
        ("authentication_required", Some("authentication_required"), "authentication_required"),
        ("processing_error", None, "processing_error"),
        ("a_code_of_next_year", None, "a_code_of_next_year"),
    ] {
        let after = charged(intent("requires_payment_method", card_error(code, decline_code)));
        let steps = [refused_card(code, decline_code), Step::Answer(500, refusal("api_error")), ok(after)];
        let (stripe, server) = scripted(steps).await;
        let intent = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap();
        assert_eq!(intent, expected(IntentStatus::RequiresPaymentMethod, Some(told)));
        let seen = server.seen();
        assert_eq!(seen.len(), 3, "the refusal isn't tried again, the look at it is");
        assert_eq!((seen[2].method.as_str(), seen[2].path.as_str()), ("GET", "/v1/payment_intents/pi_1"));
        expect_pairs(&seen[2].query, &[("expand[0]", "latest_charge")]);
        assert_eq!(seen[2].key(), None);
    }
}

#[tokio::test]
async fn a_refusal_that_cant_be_looked_at_is_open() {
    let refused = || refused_card("card_declined", Some("generic_decline"));
    let (stripe, _server) = scripted([refused(), Step::Answer(404, refusal("resource_missing"))]).await;
    let error = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let (stripe, server) = scripted([refused(), Step::Drop, Step::Drop, Step::Drop]).await;
    let error = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(server.seen().len(), 4);

    let bare =
        json!({"error": {"type": "card_error", "code": "card_declined", "message": "No."}}).to_string();
    let (stripe, _server) = scripted([Step::Answer(402, bare)]).await;
    let error = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap_err();
    let CallError::Refused { status, code, .. } = error else { panic!("{error}") };
    assert_eq!((status, code.as_deref()), (402, Some("card_declined")));
}

#[tokio::test]
async fn a_doubtful_charge_is_tried_again_with_the_same_key_and_body() {
    let (stripe, server) =
        scripted([Step::Drop, Step::Answer(409, refusal("lock_timeout")), ok(paid())]).await;
    stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap();
    let seen = server.seen();
    assert!(seen.len() == 3 && seen.iter().all(|one| one == &seen[0]), "{seen:?}");
}

#[tokio::test]
async fn a_customer_or_card_that_isnt_there_is_told_by_its_code() {
    let error = |code: Option<&str>, message: &str, param: Option<&str>| {
        let error =
            json!({"type": "invalid_request_error", "code": code, "message": message, "param": param});
        Step::Answer(400, json!({ "error": error }).to_string())
    };
    let detached = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, \
                    shared with a connected account without Customer attachment, or was detached from a Customer. It \
                    may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer \
                    first.";
    let foreign = "PaymentMethod pm_1 does not belong to the Customer you supplied cus_1. Please use this payment \
                   method with the Customer that it belongs to instead.";
    let unusable = Some("payment_method_unexpected_state");
    for (step, expected) in [
        (
            error(Some("resource_missing"), "No such customer: 'cus_1'", Some("customer")),
            Some("resource_missing"),
        ),
        (Step::Answer(404, refusal("resource_missing")), Some("resource_missing")),
        (error(None, detached, None), unusable),
        (error(None, foreign, None), unusable),
        (error(None, "New words.", Some("payment_method")), unusable),
        (
            error(Some("payment_method_customer_decline"), "No.", None),
            Some("payment_method_customer_decline"),
        ),
        (error(None, "Invalid currency: xyz", Some("currency")), None),
    ] {
        let (stripe, server) = scripted([step]).await;
        let error = stripe.charge_saved_card(CHARGE_KEY, &new_charge()).await.unwrap_err();
        let CallError::Refused { code, .. } = error else { panic!("{error}") };
        assert_eq!(code.as_deref(), expected);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_intents_status_is_read_word_by_word() {
    use IntentStatus as S;
    for (word, status) in [
        ("succeeded", S::Succeeded),
        ("processing", S::Processing),
        ("requires_action", S::RequiresAction),
        ("requires_payment_method", S::RequiresPaymentMethod),
        ("canceled", S::Canceled),
        ("requires_confirmation", S::Unknown),
        ("requires_capture", S::Unknown),
    ] {
        let (stripe, _server) = scripted([ok(intent(word, json!(null)))]).await;
        assert_eq!(stripe.intent("pi_1").await.unwrap().status, status);
    }
    let (stripe, server) = scripted([]).await;
    assert_eq!(stripe.intent("").await, Err(CallError::NotFound));
    assert_eq!(stripe.cancel_intent(KEY, "pi_1/confirm").await, Err(CallError::NotFound));
    assert_eq!(stripe.cards_of("cus_1?x").await, Err(CallError::NotFound));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn intents_of_a_customer_are_read_to_the_last_page_or_not_at_all() {
    let page = |one: Value, has_more| json!({"object": "list", "data": [one], "has_more": has_more});
    let mut older = intent("canceled", json!(null));
    older["id"] = json!("pi_0");
    let (stripe, server) = scripted([ok(page(paid(), true)), ok(page(older, false))]).await;
    let intents = stripe.intents_of("cus_1", 1_700_000_000).await.unwrap();
    assert_eq!(intents.iter().map(|intent| intent.id.as_str()).collect::<Vec<_>>(), ["pi_1", "pi_0"]);
    assert_eq!(intents[0], expected(IntentStatus::Succeeded, None));
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", "/v1/payment_intents"));
    let query = [
        ("created[gte]", "1700000000"),
        ("customer", "cus_1"),
        ("expand[0]", "data.latest_charge"),
        ("limit", "100"),
    ];
    expect_pairs(&seen[0].query, &query);
    expect_pairs(&seen[1].query, &[&query[..], &[("starting_after", "pi_1")]].concat());

    let broken = json!({"id": "pi_2", "object": "payment_intent"});
    let (stripe, _server) = scripted(vec![ok(page(broken, false)); 3]).await;
    assert!(stripe.intents_of("cus_1", 0).await.unwrap_err().is_transient(), "a charge mustn't be missed");
}

#[tokio::test]
async fn an_intent_is_ended() {
    let (stripe, server) = scripted([ok(intent("canceled", json!(null)))]).await;
    let ended = stripe.cancel_intent("cancel:pay_1", "pi_1").await.unwrap();
    assert_eq!(ended.status, IntentStatus::Canceled);
    let seen = only(&server);
    assert_eq!((seen.path.as_str(), seen.key()), ("/v1/payment_intents/pi_1/cancel", Some("cancel:pay_1")));
    expect_pairs(&seen.body, &[("cancellation_reason", "abandoned"), ("expand[0]", "latest_charge")]);
}

#[tokio::test]
async fn saved_cards_are_listed_with_the_default() {
    let owner = json!({"id": "cus_1", "object": "customer", "email": "li@example.com",
        "invoice_settings": {"default_payment_method": "pm_1"}});
    let mut newer = payment_method();
    newer["id"] = json!("pm_2");
    newer["card"] = json!({"brand": "unionpay", "last4": "0005", "exp_month": 1, "exp_year": 2027});
    let wallet = json!({"id": "pm_3", "object": "payment_method", "type": "link", "link": {}});
    let first = json!({"object": "list", "data": [wallet, newer], "has_more": true});
    let last = json!({"object": "list", "data": [payment_method()], "has_more": false});
    let (stripe, server) = scripted([ok(owner), ok(first), ok(last)]).await;
    let cards = stripe.cards_of("cus_1").await.unwrap();
    let old = Card {
        id: "pm_1".to_owned(),
        brand: "visa".to_owned(),
        last4: "4242".to_owned(),
        exp_month: 12,
        exp_year: 2034,
        fingerprint: Some("fp1".to_owned()),
        created: 7,
        is_default: true,
    };
    let new = Card {
        id: "pm_2".to_owned(),
        brand: "unionpay".to_owned(),
        last4: "0005".to_owned(),
        exp_month: 1,
        exp_year: 2027,
        fingerprint: None,
        is_default: false,
        ..old.clone()
    };
    assert_eq!(cards, [new, old]);
    let seen = server.seen();
    assert_eq!(seen[0].path, "/v1/customers/cus_1");
    assert_eq!(seen[1].path, "/v1/customers/cus_1/payment_methods");
    let mut query = pairs(&seen[2].query);
    query.sort();
    let wanted = [("limit", "100"), ("starting_after", "pm_2"), ("type", "card")];
    assert_eq!(query, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_customer_that_was_deleted_has_no_cards() {
    let deleted = json!({"id": "cus_1", "object": "customer", "deleted": true});
    let (stripe, server) = scripted([ok(deleted)]).await;
    assert_eq!(stripe.cards_of("cus_1").await, Ok(vec![]));
    only(&server);
    let owner = || ok(json!({"id": "cus_1", "object": "customer"}));
    for status in [400, 404] {
        let (stripe, _server) = scripted([owner(), Step::Answer(status, refusal("resource_missing"))]).await;
        assert_eq!(stripe.cards_of("cus_1").await, Ok(vec![]), "deleted between the two calls");
    }
    let (stripe, _server) = scripted([Step::Answer(404, refusal("resource_missing"))]).await;
    assert_eq!(stripe.cards_of("cus_1").await, Ok(Vec::new()), "that was never there");
}

#[tokio::test]
async fn a_portals_address_is_all_that_is_read_of_it() {
    let portal = json!({"id": "bps_1", "object": "billing_portal.session", "customer": "cus_1",
        "configuration": "bpc_1", "url": "https://billing.stripe.com/p/session/secret"});
    let (stripe, server) = scripted([ok(portal.clone()), ok(portal)]).await;
    let back = "https://shop.example/me?tab=cards&x=1";
    let url = stripe.create_portal("portal:1", "cus_1", back, Some("zh-CN")).await.unwrap();
    assert_eq!(url, "https://billing.stripe.com/p/session/secret");
    stripe.create_portal("portal:2", "cus_1", back, Some("tlh")).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].key()), ("/v1/billing_portal/sessions", Some("portal:1")));
    expect_pairs(&seen[0].body, &[("customer", "cus_1"), ("locale", "zh"), ("return_url", back)]);
    expect_pairs(&seen[1].body, &[("customer", "cus_1"), ("return_url", back)]);
}
