//! kindred's Stripe adapter against the simulator: neither was made to fit the other, and they must agree.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::{
    CallError, CheckoutStatus, Config, DisputeStatus, NewCheckout, NewCustomer, NewRefund, PaymentStatus,
    RefundReason, RefundStatus, Stripe,
};

use kindred::dev::stripe::{Fault, FaultKind};

use super::fixture::{Fixture, KEY};

pub fn adapter(url: &str) -> Stripe {
    Stripe::new(Config {
        secret_key: KEY.to_owned(),
        base_url: Some(url.to_owned()),
        timeout: Duration::from_secs(5),
        rate_per_second: 1_000,
    })
    .unwrap()
}

pub fn new_checkout(now: DateTime<Utc>) -> NewCheckout {
    NewCheckout {
        order_id: "ord_1".to_owned(),
        payment_id: "pay_1".to_owned(),
        order_number: "K-0001".to_owned(),
        amount_minor: 20_000,
        currency: "CNY".to_owned(),
        description: "普通会员".to_owned(),
        methods: Vec::new(),
        success_url: "https://shop.test/done?session={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "https://shop.test/back".to_owned(),
        expires_at: (now + TimeDelta::minutes(45)).timestamp(),
        customer: None,
        customer_email: Some("buyer@shop.test".to_owned()),
        save_card: false,
        locale: Some("zh-CN".to_owned()),
    }
}

pub async fn pay(fixture: &Fixture, url: &str, form: &str) {
    let request = fixture.http.post(url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form.to_owned()).send().await.unwrap();
    assert_eq!(answer.status(), 303);
}

#[actix_web::test]
async fn the_adapter_opens_reads_and_closes_pages() {
    let fixture = Fixture::start();
    let stripe = adapter(&fixture.sim.url);
    let new = new_checkout(fixture.clock.now());
    let made = stripe.create_checkout("checkout:1", &new).await.unwrap();
    assert_eq!(made.status, CheckoutStatus::Open);
    assert_eq!((made.amount_total_minor, made.currency.as_deref()), (Some(20_000), Some("CNY")));
    assert_eq!(made.methods, ["card", "wechat_pay", "alipay"]);
    assert_eq!(made.expires_at, new.expires_at);
    let same = stripe.create_checkout("checkout:1", &new).await.unwrap();
    assert_eq!(same.id, made.id);

    pay(&fixture, made.url.as_deref().unwrap(), "action=pay&method=card&fingerprint=fp_1").await;
    let paid = stripe.checkout(&made.id).await.unwrap();
    assert_eq!((paid.status, paid.payment_status), (CheckoutStatus::Complete, PaymentStatus::Paid));
    assert_eq!(paid.card_fingerprint.as_deref(), Some("fp_1"));
    assert_eq!((paid.method_used.as_deref(), paid.order_id.as_deref()), (Some("card"), Some("ord_1")));
    assert_eq!((paid.charge_refunded_minor, paid.charge_disputed), (Some(0), Some(false)));

    let refused = stripe.expire_checkout("expire:1", &made.id).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused { status: 400, .. }), "{refused:?}");
    let other = stripe.create_checkout("checkout:2", &new).await.unwrap();
    let expired = stripe.expire_checkout("expire:2", &other.id).await.unwrap();
    assert_eq!(expired.status, CheckoutStatus::Expired);
    assert_eq!(stripe.checkout("cs_test_none").await.unwrap_err(), CallError::NotFound);
    let page = stripe.checkouts(new.expires_at - 3_600, None).await.unwrap();
    assert_eq!(page.data.iter().map(|one| &one.id).collect::<Vec<_>>(), [&other.id, &made.id]);
}

#[actix_web::test]
async fn the_adapter_saves_cards_refunds_and_reads_disputes() {
    let fixture = Fixture::start();
    let stripe = adapter(&fixture.sim.url);
    let person = NewCustomer {
        account_id: "acc_1".to_owned(),
        email: Some("buyer@shop.test".to_owned()),
        name: Some("罗胖".to_owned()),
    };
    let customer = stripe.create_customer("customer:1", &person).await.unwrap();
    let new = NewCheckout {
        customer: Some(customer.clone()),
        customer_email: None,
        save_card: true,
        ..new_checkout(fixture.clock.now())
    };
    let made = stripe.create_checkout("checkout:1", &new).await.unwrap();
    assert_eq!(made.methods, ["card", "wechat_pay", "alipay"], "wallets stay on offer");
    pay(&fixture, made.url.as_deref().unwrap(), "action=pay&method=card").await;
    let paid = stripe.checkout(&made.id).await.unwrap();
    assert_eq!(paid.customer, Some(customer));
    assert!(paid.payment_method.is_some());

    let intent = paid.payment_intent.unwrap();
    let refund = |amount_minor| NewRefund {
        payment_intent: intent.clone(),
        amount_minor,
        refund_id: format!("ref_{amount_minor}"),
        order_id: "ord_1".to_owned(),
        reason: Some(RefundReason::RequestedByCustomer),
    };
    let done = stripe.create_refund("refund:1", &refund(500)).await.unwrap();
    assert_eq!((done.status, done.refund_id.as_deref()), (RefundStatus::Succeeded, Some("ref_500")));
    assert_eq!(stripe.refund(&done.id).await.unwrap(), done);
    let refused = stripe.create_refund("refund:2", &refund(19_501)).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused { status: 400, .. }), "{refused:?}");
    assert_eq!(stripe.refunds_of(&intent).await.unwrap().len(), 1);

    fixture.sim.simulator.open_dispute(&intent, "fraudulent").unwrap();
    let disputes = stripe.disputes_of(&intent).await.unwrap();
    assert_eq!(disputes[0].status, DisputeStatus::Open);
    assert_eq!(stripe.dispute(&disputes[0].id).await.unwrap(), disputes[0]);
    let events = stripe.events(0, None, false).await.unwrap();
    let kinds: Vec<_> = events.data.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        "charge.dispute.created",
        "refund.created",
        "checkout.session.completed",
        "payment_intent.succeeded",
    ];
    assert_eq!(kinds, expected);
}

#[actix_web::test]
async fn the_adapter_lives_through_what_goes_wrong() {
    let fixture = Fixture::start();
    let stripe = adapter(&fixture.sim.url);
    let new = new_checkout(fixture.clock.now());
    for (at, fault) in [
        Fault::new("create_checkout", FaultKind::AnswerLost),
        Fault::new("create_checkout", FaultKind::BadGateway),
        Fault::status("create_checkout", 409),
        Fault::status("create_checkout", 429),
        Fault::status("create_checkout", 503),
    ]
    .into_iter()
    .enumerate()
    {
        fixture.sim.simulator.inject(fault);
        stripe.create_checkout(&format!("checkout:{at}"), &new).await.unwrap();
        assert_eq!(fixture.sim.simulator.book().sessions.open, at + 1);
    }
    fixture.sim.simulator.inject(Fault::status("create_checkout", 500));
    let unknown = stripe.create_checkout("checkout:500", &new).await.unwrap_err();
    assert!(matches!(unknown, CallError::OutcomeUnknown { status: Some(500), .. }), "{unknown:?}");
}
