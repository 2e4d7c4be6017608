//! Stripe's objects, read tolerantly: a field that is missing or of another type is `None`, an unknown word is
//! `Unknown`, and only an object without its identity is refused.

use serde_json::Value;

use crate::types::{
    Checkout, CheckoutStatus, Dispute, DisputeStatus, Event, ObjectRef, Page, PaymentStatus, Refund,
    RefundStatus,
};

/// A Checkout Session, with what is expanded of its payment intent and charge.
pub(crate) fn checkout(value: &Value) -> Option<Checkout> {
    let intent = &value["payment_intent"];
    let charge = &intent["latest_charge"];
    Some(Checkout {
        id: identity(value, "checkout.session")?,
        url: text(&value["url"]),
        status: checkout_status(&value["status"]),
        payment_status: payment_status(&value["payment_status"]),
        amount_total_minor: value["amount_total"].as_i64(),
        currency: currency(&value["currency"]),
        expires_at: value["expires_at"].as_i64().unwrap_or_default(),
        created: value["created"].as_i64().unwrap_or_default(),
        methods: texts(&value["payment_method_types"]),
        order_id: text(&value["metadata"]["order_id"]),
        payment_id: text(&value["metadata"]["payment_id"]),
        payment_intent: reference(intent),
        intent_status: text(&intent["status"]),
        latest_charge: reference(charge),
        charge_status: text(&charge["status"]),
        charge_refunded_minor: charge["amount_refunded"].as_i64(),
        charge_disputed: charge["disputed"].as_bool(),
        method_used: text(&charge["payment_method_details"]["type"]),
        card_fingerprint: text(&charge["payment_method_details"]["card"]["fingerprint"]),
        failure_code: text(&intent["last_payment_error"]["code"]),
        customer: reference(&value["customer"]),
        payment_method: reference(&intent["payment_method"]),
    })
}

/// A refund; one without amount or currency can't be accounted for and is refused.
pub(crate) fn refund(value: &Value) -> Option<Refund> {
    Some(Refund {
        id: identity(value, "refund")?,
        status: refund_status(&value["status"]),
        amount_minor: value["amount"].as_i64()?,
        currency: currency(&value["currency"])?,
        payment_intent: reference(&value["payment_intent"]),
        charge: reference(&value["charge"]),
        refund_id: text(&value["metadata"]["refund_id"]),
        failure_reason: text(&value["failure_reason"]),
        created: value["created"].as_i64().unwrap_or_default(),
    })
}

/// A dispute; one without amount or currency can't be accounted for and is refused.
pub(crate) fn dispute(value: &Value) -> Option<Dispute> {
    Some(Dispute {
        id: identity(value, "dispute")?,
        status: dispute_status(&value["status"]),
        amount_minor: value["amount"].as_i64()?,
        currency: currency(&value["currency"])?,
        payment_intent: reference(&value["payment_intent"]),
        charge: reference(&value["charge"]),
        reason: text(&value["reason"]).unwrap_or_default(),
        created: value["created"].as_i64().unwrap_or_default(),
    })
}

/// The id of a customer that was made.
pub(crate) fn customer(value: &Value) -> Option<String> {
    identity(value, "customer")
}

/// An event of any kind and any API version, as long as it has an id. Thin events (`v2.core.event`) name a
/// `related_object` instead of carrying one.
pub(crate) fn event(value: &Value) -> Option<Event> {
    let inner = &value["data"]["object"];
    let object = if inner.is_object() {
        object_ref(inner)
    } else {
        let related = &value["related_object"];
        ObjectRef {
            kind: text(&related["type"]).unwrap_or_default(),
            id: text(&related["id"]).unwrap_or_default(),
            ..ObjectRef::default()
        }
    };
    Some(Event {
        id: text(&value["id"])?,
        kind: text(&value["type"]).unwrap_or_default(),
        created: value["created"].as_i64().unwrap_or_default(),
        object,
    })
}

fn object_ref(value: &Value) -> ObjectRef {
    let kind = text(&value["object"]).unwrap_or_default();
    let id = text(&value["id"]).unwrap_or_default();
    let payment_intent = if kind == "payment_intent" {
        Some(id.clone()).filter(|id| !id.is_empty())
    } else {
        reference(&value["payment_intent"])
    };
    ObjectRef {
        payment_intent,
        order_id: text(&value["metadata"]["order_id"]),
        payment_id: text(&value["metadata"]["payment_id"]),
        refund_id: text(&value["metadata"]["refund_id"]),
        kind,
        id,
    }
}

/// A page of a list. An item that can't be read is left out rather than losing the page; a page of which nothing can
/// be read is the last one, because it gives no place to go on from.
pub(crate) fn page<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let items = value["data"].as_array()?;
    let data: Vec<T> = items.iter().filter_map(item).collect();
    if data.len() < items.len() {
        tracing::warn!(
            unreadable = items.len() - data.len(),
            "a list from Stripe holds objects that can't be read"
        );
    }
    let has_more = value["has_more"].as_bool().unwrap_or(false) && !data.is_empty();
    Some(Page { data, has_more })
}

/// A page of which everything must be read: what is summed up mustn't miss a part.
pub(crate) fn whole_page<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let data: Vec<T> = value["data"].as_array()?.iter().map(item).collect::<Option<_>>()?;
    let has_more = value["has_more"].as_bool().unwrap_or(false) && !data.is_empty();
    Some(Page { data, has_more })
}

/// The id of an object that says it is of this kind; an answer of another kind isn't what was asked for.
fn identity(value: &Value, kind: &str) -> Option<String> {
    if value["object"].as_str() == Some(kind) { text(&value["id"]) } else { None }
}

/// An id, whether Stripe sends it bare or with the object expanded.
fn reference(value: &Value) -> Option<String> {
    text(value).or_else(|| text(&value["id"]))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|items| items.iter().filter_map(text).collect()).unwrap_or_default()
}

fn currency(value: &Value) -> Option<String> {
    text(value).map(|code| code.to_ascii_uppercase())
}

fn checkout_status(value: &Value) -> CheckoutStatus {
    match value.as_str() {
        Some("open") => CheckoutStatus::Open,
        Some("complete") => CheckoutStatus::Complete,
        Some("expired") => CheckoutStatus::Expired,
        _ => CheckoutStatus::Unknown,
    }
}

fn payment_status(value: &Value) -> PaymentStatus {
    match value.as_str() {
        Some("unpaid") => PaymentStatus::Unpaid,
        Some("paid") => PaymentStatus::Paid,
        Some("no_payment_required") => PaymentStatus::NoPaymentRequired,
        _ => PaymentStatus::Unknown,
    }
}

fn refund_status(value: &Value) -> RefundStatus {
    match value.as_str() {
        Some("pending") => RefundStatus::Pending,
        Some("requires_action") => RefundStatus::RequiresAction,
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed") => RefundStatus::Failed,
        Some("canceled") => RefundStatus::Canceled,
        _ => RefundStatus::Unknown,
    }
}

fn dispute_status(value: &Value) -> DisputeStatus {
    match value.as_str() {
        Some("needs_response" | "under_review" | "warning_needs_response" | "warning_under_review") => {
            DisputeStatus::Open
        }
        Some("won") => DisputeStatus::Won,
        Some("lost") => DisputeStatus::Lost,
        Some("warning_closed") => DisputeStatus::WarningClosed,
        _ => DisputeStatus::Unknown,
    }
}
