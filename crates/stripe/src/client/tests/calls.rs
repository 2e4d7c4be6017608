//! Each call: what is sent, to the pair, and what is read.

use serde_json::json;

use super::*;
use crate::{CheckoutStatus, DisputeStatus, PaymentStatus, RefundStatus};

#[tokio::test]
async fn a_checkout_is_sent_as_stripe_wants_it() {
    let (stripe, server) = scripted([ok(session())]).await;
    stripe.create_checkout(KEY, &new_checkout()).await.unwrap();
    let seen = only(&server);
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.query.as_str()),
        ("POST", "/v1/checkout/sessions", "")
    );
    assert_eq!(seen.key(), Some(KEY));
    assert_eq!(seen.headers["authorization"], "Bearer sk_test_verysecret");
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen.headers["stripe-version"], "2026-09-30.endive");
    expect_pairs(
        &seen.body,
        &[
            ("allowed_payment_method_types[0]", "card"),
            ("allowed_payment_method_types[1]", "wechat_pay"),
            ("cancel_url", "https://shop.example/back"),
            ("client_reference_id", "ord_1"),
            ("customer_email", "li@example.com"),
            ("expires_at", "1800000000"),
            ("line_items[0][price_data][currency]", "cny"),
            ("line_items[0][price_data][product_data][name]", "普通会员 & more"),
            ("line_items[0][price_data][unit_amount]", "20000"),
            ("line_items[0][quantity]", "1"),
            ("locale", "zh"),
            ("metadata[order_id]", "ord_1"),
            ("metadata[order_number]", "K-1"),
            ("metadata[payment_id]", "pay_1"),
            ("mode", "payment"),
            ("payment_intent_data[metadata][order_id]", "ord_1"),
            ("payment_intent_data[metadata][order_number]", "K-1"),
            ("payment_intent_data[metadata][payment_id]", "pay_1"),
            ("payment_method_options[wechat_pay][client]", "web"),
            ("success_url", "https://shop.example/done?order=ord_1"),
        ],
    );
}

#[tokio::test]
async fn a_card_is_saved_only_where_a_card_is_taken_and_for_a_customer() {
    let saving = NewCheckout { save_card: true, locale: Some("tlh".to_owned()), ..new_checkout() };
    let of_customer = NewCheckout { customer: Some("cus_1".to_owned()), ..saving.clone() };
    let wallet_only = NewCheckout { methods: vec![Method::Alipay], ..saving.clone() };
    let any_method = NewCheckout { methods: vec![], ..saving.clone() };
    let (stripe, server) = scripted([1, 2, 3, 4].map(|_| ok(session()))).await;
    for new in [&saving, &of_customer, &wallet_only, &any_method] {
        stripe.create_checkout(KEY, new).await.unwrap();
    }
    let forms: Vec<Vec<_>> = server.seen().iter().map(|seen| pairs(&seen.body)).collect();
    let value = |form: usize, key: &str| {
        forms[form].iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let saved = |form| value(form, "payment_method_options[card][setup_future_usage]");
    assert_eq!(saved(0).as_deref(), Some("off_session"));
    assert_eq!(value(0, "customer_creation").as_deref(), Some("always"));
    assert_eq!(value(0, "customer_email").as_deref(), Some("li@example.com"));
    assert_eq!(value(0, "locale"), None, "a language that Stripe doesn't speak is left to the browser");

    assert_eq!(saved(1).as_deref(), Some("off_session"));
    assert_eq!(value(1, "customer").as_deref(), Some("cus_1"));
    assert_eq!((value(1, "customer_creation"), value(1, "customer_email")), (None, None));

    assert_eq!(saved(2), None);
    assert_eq!(value(2, "customer_creation"), None);
    assert_eq!(value(2, "payment_method_options[wechat_pay][client]"), None);

    assert_eq!(saved(3).as_deref(), Some("off_session"));
    assert_eq!(value(3, "payment_method_options[wechat_pay][client]").as_deref(), Some("web"));
    assert!(!forms[3].iter().any(|(name, _)| name.starts_with("allowed_payment_method_types")));
}

#[tokio::test]
async fn a_paid_checkout_tells_its_charge() {
    let mut paid = session();
    paid["status"] = json!("complete");
    paid["payment_status"] = json!("paid");
    paid["url"] = json!(null);
    paid["customer"] = json!({"id": "cus_1", "object": "customer", "email": "li@example.com"});
    paid["payment_intent"] = json!({
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "payment_method": "pm_1",
        "last_payment_error": {"code": "card_declined"},
        "latest_charge": {
            "id": "ch_1", "object": "charge", "status": "succeeded", "amount_refunded": 500, "disputed": false,
            "payment_method_details": {"type": "card", "card": {"fingerprint": "fp1"}},
        },
    });
    let (stripe, server) = scripted([ok(paid)]).await;
    let checkout = stripe.checkout("cs_test_1").await.unwrap();
    let expected = Checkout {
        id: "cs_test_1".to_owned(),
        url: None,
        status: CheckoutStatus::Complete,
        payment_status: PaymentStatus::Paid,
        amount_total_minor: Some(20000),
        currency: Some("CNY".to_owned()),
        expires_at: 1_800_000_000,
        created: 1_799_990_000,
        methods: vec!["wechat_pay".to_owned()],
        order_id: Some("ord_1".to_owned()),
        payment_id: Some("pay_1".to_owned()),
        payment_intent: Some("pi_1".to_owned()),
        intent_status: Some("succeeded".to_owned()),
        latest_charge: Some("ch_1".to_owned()),
        charge_status: Some("succeeded".to_owned()),
        charge_refunded_minor: Some(500),
        charge_disputed: Some(false),
        method_used: Some("card".to_owned()),
        card_fingerprint: Some("fp1".to_owned()),
        failure_code: Some("card_declined".to_owned()),
        customer: Some("cus_1".to_owned()),
        payment_method: Some("pm_1".to_owned()),
    };
    assert_eq!(checkout, expected);
    let seen = only(&server);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1/checkout/sessions/cs_test_1"));
    assert_eq!(seen.key(), None);
    expect_pairs(&seen.query, &[("expand[0]", "payment_intent.latest_charge")]);
}

#[tokio::test]
async fn an_unpaid_and_a_foreign_checkout_are_read_too() {
    let foreign = json!({"id": "cs_2", "object": "checkout.session", "status": "new_word", "metadata": {},
        "payment_intent": "pi_2", "currency": null, "amount_total": null});
    let (stripe, server) = scripted([ok(session()), ok(foreign)]).await;
    let own = stripe.checkout("cs_test_1").await.unwrap();
    assert_eq!((own.status, own.payment_status), (CheckoutStatus::Open, PaymentStatus::Unpaid));
    assert_eq!((own.payment_intent, own.latest_charge, own.card_fingerprint), (None, None, None));
    assert_eq!(own.url.as_deref(), Some("https://pay.example/c/1"));
    let foreign = stripe.expire_checkout("expire:pay_1", "cs_2").await.unwrap();
    assert_eq!((foreign.status, foreign.payment_status), (CheckoutStatus::Unknown, PaymentStatus::Unknown));
    assert_eq!((foreign.order_id, foreign.payment_intent.as_deref()), (None, Some("pi_2")));
    let seen = &server.seen()[1];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/checkout/sessions/cs_2/expire"));
    assert_eq!(seen.key(), Some("expire:pay_1"));
}

#[tokio::test]
async fn checkouts_are_listed_newest_first_from_a_moment_on() {
    let page = json!({"object": "list", "data": [session()], "has_more": true});
    let (stripe, server) = scripted([ok(page.clone()), ok(page)]).await;
    let first = stripe.checkouts(1_700_000_000, None).await.unwrap();
    assert_eq!((first.data.len(), first.has_more), (1, true));
    stripe.checkouts(1_700_000_000, Some("cs_test_1")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].path, "/v1/checkout/sessions");
    expect_pairs(&seen[0].query, &[("created[gte]", "1700000000"), ("limit", "100")]);
    assert_eq!(pairs(&seen[1].query)[2], ("starting_after".to_owned(), "cs_test_1".to_owned()));
}

#[tokio::test]
async fn a_refund_is_sent_and_read() {
    let (stripe, server) = scripted([ok(refund_object("re_1")), ok(refund_object("re_1"))]).await;
    let refund = stripe.create_refund("refund:ref_1", &new_refund()).await.unwrap();
    assert_eq!(
        (refund.id.as_str(), refund.status, refund.amount_minor),
        ("re_1", RefundStatus::Pending, 500)
    );
    assert_eq!((refund.currency.as_str(), refund.refund_id.as_deref()), ("CNY", Some("ref_1")));
    assert_eq!(stripe.refund("re_1").await.unwrap(), refund);
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].key()), ("/v1/refunds", Some("refund:ref_1")));
    expect_pairs(
        &seen[0].body,
        &[
            ("amount", "500"),
            ("metadata[order_id]", "ord_1"),
            ("metadata[refund_id]", "ref_1"),
            ("payment_intent", "pi_1"),
            ("reason", "requested_by_customer"),
        ],
    );
    assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), ("GET", "/v1/refunds/re_1"));
}

#[tokio::test]
async fn refunds_of_a_payment_are_read_to_the_last_page_or_not_at_all() {
    let first = json!({"object": "list", "data": [refund_object("re_2")], "has_more": true});
    let last = json!({"object": "list", "data": [refund_object("re_1")], "has_more": false});
    let (stripe, server) = scripted([ok(first), ok(last)]).await;
    let ids: Vec<_> = stripe.refunds_of("pi_1").await.unwrap().into_iter().map(|refund| refund.id).collect();
    assert_eq!(ids, ["re_2", "re_1"]);
    let seen = server.seen();
    expect_pairs(&seen[0].query, &[("limit", "100"), ("payment_intent", "pi_1")]);
    expect_pairs(&seen[1].query, &[("limit", "100"), ("payment_intent", "pi_1"), ("starting_after", "re_2")]);

    let half = json!({"object": "list", "data": [refund_object("re_2"), {"object": "refund", "id": "re_1"}]});
    let (stripe, _server) = scripted(vec![ok(half); 3]).await;
    assert!(stripe.refunds_of("pi_1").await.unwrap_err().is_transient(), "a sum mustn't miss a refund");
}

#[tokio::test]
async fn disputes_are_read() {
    let object = |status: &str| {
        json!({"id": "du_1", "object": "dispute", "status": status, "amount": 20000, "currency": "cny",
            "payment_intent": "pi_1", "charge": "ch_1", "reason": "fraudulent", "created": 9})
    };
    let words = [
        ("needs_response", DisputeStatus::Open),
        ("under_review", DisputeStatus::Open),
        ("warning_needs_response", DisputeStatus::Open),
        ("warning_under_review", DisputeStatus::Open),
        ("won", DisputeStatus::Won),
        ("lost", DisputeStatus::Lost),
        ("warning_closed", DisputeStatus::WarningClosed),
        ("prevented", DisputeStatus::Unknown),
    ];
    let (stripe, _server) = scripted(words.map(|(word, _)| ok(object(word)))).await;
    for (_, status) in words {
        assert_eq!(stripe.dispute("du_1").await.unwrap().status, status);
    }
    let list = json!({"object": "list", "data": [object("lost")], "has_more": false});
    let (stripe, server) = scripted([ok(list)]).await;
    let disputes = stripe.disputes_of("pi_1").await.unwrap();
    assert_eq!((disputes.len(), disputes[0].charge.as_deref()), (1, Some("ch_1")));
    assert_eq!((disputes[0].reason.as_str(), disputes[0].amount_minor), ("fraudulent", 20000));
    assert_eq!(only(&server).path, "/v1/disputes");
}

#[tokio::test]
async fn a_customer_is_made() {
    let (stripe, server) = scripted([ok(json!({"id": "cus_1", "object": "customer"}))]).await;
    let new = NewCustomer {
        account_id: "acc_1".to_owned(),
        email: Some("li@example.com".to_owned()),
        name: Some("李雷".to_owned()),
    };
    assert_eq!(stripe.create_customer("customer:acc_1", &new).await.as_deref(), Ok("cus_1"));
    let seen = only(&server);
    assert_eq!((seen.path.as_str(), seen.key()), ("/v1/customers", Some("customer:acc_1")));
    expect_pairs(
        &seen.body,
        &[("email", "li@example.com"), ("metadata[account_id]", "acc_1"), ("name", "李雷")],
    );
}

#[tokio::test]
async fn one_unreadable_event_doesnt_lose_the_page() {
    let event = |id: &str, object: serde_json::Value| json!({"id": id, "object": "event", "type": "refund.updated", "created": 5, "data": {"object": object}});
    let page = json!({"object": "list", "has_more": true, "data": [
        event("evt_1", refund_object("re_1")), {"no": "id"}, "a string", event("evt_2", json!(null)),
    ]});
    let hopeless = json!({"object": "list", "has_more": true, "data": [{"no": "id"}]});
    let (stripe, server) = scripted([ok(page), ok(hopeless)]).await;
    let events = stripe.events(1_700_000_000, Some("evt_0"), true).await.unwrap();
    let ids: Vec<_> = events.data.iter().map(|event| event.id.as_str()).collect();
    assert_eq!((ids, events.has_more), (vec!["evt_1", "evt_2"], true));
    assert_eq!(events.data[0].object.payment_intent.as_deref(), Some("pi_1"));
    let query = pairs(&only(&server).query);
    let value = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!((value("created[gte]"), value("limit")), (Some("1700000000"), Some("100")));
    assert_eq!((value("delivery_success"), value("starting_after")), (Some("false"), Some("evt_0")));
    assert_eq!(value("types[0]"), Some("checkout.session.completed"));

    let none = stripe.events(0, None, false).await.unwrap();
    assert_eq!((none.data.len(), none.has_more), (0, false), "or a walk over the pages would never end");
}

#[tokio::test]
async fn the_address_may_have_a_path() {
    let server = Server::start([ok(session()), ok(session())]).await;
    for base in [format!("{}/dev/stripe", server.address), format!("{}/dev/stripe/", server.address)] {
        let stripe = Stripe::with_pause(config(&base), Duration::ZERO).unwrap();
        stripe.clone().checkout("cs_test_1").await.unwrap();
    }
    assert!(server.seen().iter().all(|seen| seen.path == "/dev/stripe/v1/checkout/sessions/cs_test_1"));
}

#[test]
fn a_body_is_the_same_to_the_byte_however_its_maps_are_ordered() {
    let body = |new: &NewCheckout| canonical(&request::create_checkout(new).build().body.unwrap());
    let first = body(&new_checkout());
    assert!((0..50).all(|_| body(&new_checkout()) == first));
}
