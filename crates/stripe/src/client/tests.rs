//! The client against a server that follows a script: what is sent and read, and what becomes of trouble.

mod calls;
mod cards;
mod outcomes;
mod server;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{Method, RefundReason};
use server::{Seen, Server, Step};

const KEY: &str = "checkout:ord_1:1";

fn config(base_url: &str) -> Config {
    Config {
        secret_key: "sk_test_verysecret".to_owned(),
        base_url: Some(base_url.to_owned()),
        timeout: Duration::from_secs(10),
        rate_per_second: 10_000,
    }
}

/// A client that doesn't pause between tries.
fn client(server: &Server) -> Stripe {
    Stripe::with_pause(config(&server.address), Duration::ZERO).unwrap()
}

async fn scripted(steps: impl IntoIterator<Item = Step>) -> (Stripe, Server) {
    let server = Server::start(steps).await;
    (client(&server), server)
}

fn ok(body: serde_json::Value) -> Step {
    Step::Answer(200, body.to_string())
}

fn session() -> serde_json::Value {
    json!({
        "id": "cs_test_1", "object": "checkout.session", "url": "https://pay.example/c/1", "status": "open",
        "payment_status": "unpaid", "amount_total": 20000, "currency": "cny", "expires_at": 1_800_000_000,
        "created": 1_799_990_000, "payment_method_types": ["wechat_pay"], "payment_intent": null,
        "customer": null, "metadata": {"order_id": "ord_1", "payment_id": "pay_1", "order_number": "K-1"},
        "a_field_of_next_year": {"deep": [1.5, -3, true, null]},
    })
}

fn new_checkout() -> NewCheckout {
    NewCheckout {
        order_id: "ord_1".to_owned(),
        payment_id: "pay_1".to_owned(),
        order_number: "K-1".to_owned(),
        amount_minor: 20000,
        currency: "CNY".to_owned(),
        description: "普通会员 & more".to_owned(),
        methods: vec![Method::Card, Method::WechatPay],
        success_url: "https://shop.example/done?order=ord_1".to_owned(),
        cancel_url: "https://shop.example/back".to_owned(),
        expires_at: 1_800_000_000,
        customer: None,
        customer_email: Some("li@example.com".to_owned()),
        save_card: false,
        locale: Some("zh-CN".to_owned()),
    }
}

fn new_refund() -> NewRefund {
    NewRefund {
        payment_intent: "pi_1".to_owned(),
        amount_minor: 500,
        refund_id: "ref_1".to_owned(),
        order_id: "ord_1".to_owned(),
        reason: Some(RefundReason::RequestedByCustomer),
    }
}

fn refund_object(id: &str) -> serde_json::Value {
    json!({"id": id, "object": "refund", "status": "pending", "amount": 500, "currency": "cny", "created": 7,
        "payment_intent": "pi_1", "charge": "ch_1", "metadata": {"refund_id": "ref_1", "order_id": "ord_1"}})
}

/// The pairs of a form or query, decoded, in their order.
fn pairs(form: &str) -> Vec<(String, String)> {
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap();
            (plain(key), plain(value))
        })
        .collect()
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn expect_pairs(form: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(pairs(form), expected);
}

fn only(server: &Server) -> Seen {
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen[0].clone()
}
