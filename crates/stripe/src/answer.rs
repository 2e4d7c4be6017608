//! Stripe's objects, read tolerantly: a field that is missing or of another type is `None`, an unknown word is
//! `Unknown`, and only an object without its identity is refused.

use serde_json::Value;

use crate::types::{
    Card, Checkout, CheckoutStatus, Dispute, DisputeStatus, Event, Intent, IntentStatus, ObjectRef, Page,
    PaymentStatus, Refund, RefundStatus,
};

/// A Checkout Session, with what is expanded of its payment intent and charge.
pub(crate) fn checkout(value: &Value) -> Option<Checkout> {
    let intent = at(value, "/payment_intent");
    let charge = at(intent, "/latest_charge");
    Some(Checkout {
        id: identity(value, "checkout.session")?,
        url: text(at(value, "/url")),
        status: checkout_status(at(value, "/status")),
        payment_status: payment_status(at(value, "/payment_status")),
        amount_total_minor: at(value, "/amount_total").as_i64(),
        currency: currency(at(value, "/currency")),
        expires_at: at(value, "/expires_at").as_i64().unwrap_or_default(),
        created: at(value, "/created").as_i64().unwrap_or_default(),
        methods: texts(at(value, "/payment_method_types")),
        order_id: text(at(value, "/metadata/order_id")),
        payment_id: text(at(value, "/metadata/payment_id")),
        payment_intent: reference(intent),
        intent_status: text(at(intent, "/status")),
        latest_charge: reference(charge),
        charge_status: text(at(charge, "/status")),
        charge_refunded_minor: at(charge, "/amount_refunded").as_i64(),
        charge_disputed: at(charge, "/disputed").as_bool(),
        method_used: text(at(charge, "/payment_method_details/type")),
        card_fingerprint: text(at(charge, "/payment_method_details/card/fingerprint")),
        failure_code: text(at(intent, "/last_payment_error/code")),
        customer: reference(at(value, "/customer")),
        payment_method: reference(at(intent, "/payment_method")),
    })
}

/// A refund; one without amount or currency can't be accounted for and is refused.
pub(crate) fn refund(value: &Value) -> Option<Refund> {
    Some(Refund {
        id: identity(value, "refund")?,
        status: refund_status(at(value, "/status")),
        amount_minor: at(value, "/amount").as_i64()?,
        currency: currency(at(value, "/currency"))?,
        payment_intent: reference(at(value, "/payment_intent")),
        charge: reference(at(value, "/charge")),
        refund_id: text(at(value, "/metadata/refund_id")),
        failure_reason: text(at(value, "/failure_reason")),
        created: at(value, "/created").as_i64().unwrap_or_default(),
    })
}

/// A dispute; one without amount or currency can't be accounted for and is refused.
pub(crate) fn dispute(value: &Value) -> Option<Dispute> {
    Some(Dispute {
        id: identity(value, "dispute")?,
        status: dispute_status(at(value, "/status")),
        amount_minor: at(value, "/amount").as_i64()?,
        currency: currency(at(value, "/currency"))?,
        payment_intent: reference(at(value, "/payment_intent")),
        charge: reference(at(value, "/charge")),
        reason: text(at(value, "/reason")).unwrap_or_default(),
        created: at(value, "/created").as_i64().unwrap_or_default(),
    })
}

/// A payment intent, with what is expanded of its charge; one without amount or currency can't be accounted for and is
/// refused.
pub(crate) fn intent(value: &Value) -> Option<Intent> {
    let charge = at(value, "/latest_charge");
    let failure = at(value, "/last_payment_error");
    Some(Intent {
        id: identity(value, "payment_intent")?,
        status: intent_status(at(value, "/status")),
        amount_minor: at(value, "/amount").as_i64()?,
        currency: currency(at(value, "/currency"))?,
        customer: reference(at(value, "/customer")),
        // Stripe takes a refused card off the intent; the failure still names it.
        payment_method: reference(at(value, "/payment_method"))
            .or_else(|| reference(at(failure, "/payment_method"))),
        latest_charge: reference(charge),
        card_fingerprint: text(at(charge, "/payment_method_details/card/fingerprint")),
        method_used: text(at(charge, "/payment_method_details/type")),
        failure_code: text(at(failure, "/decline_code")).or_else(|| text(at(failure, "/code"))),
        order_id: text(at(value, "/metadata/order_id")),
        payment_id: text(at(value, "/metadata/payment_id")),
        created: at(value, "/created").as_i64().unwrap_or_default(),
    })
}

/// What is asked of a customer whose cards are looked at.
pub(crate) struct Owner {
    pub(crate) is_deleted: bool,
    pub(crate) default_method: Option<String>,
}

/// A customer, also one that was deleted.
pub(crate) fn owner(value: &Value) -> Option<Owner> {
    identity(value, "customer")?;
    Some(Owner {
        is_deleted: at(value, "/deleted").as_bool().unwrap_or(false),
        default_method: reference(at(value, "/invoice_settings/default_payment_method")),
    })
}

/// A saved card; a payment method of another kind isn't one.
pub(crate) fn card(value: &Value, default_method: Option<&str>) -> Option<Card> {
    let card = Some(at(value, "/card")).filter(|card| card.is_object())?;
    let id = identity(value, "payment_method")?;
    Some(Card {
        brand: text(at(card, "/brand")).unwrap_or_default(),
        last4: text(at(card, "/last4")).unwrap_or_default(),
        exp_month: at(card, "/exp_month").as_i64().unwrap_or_default(),
        exp_year: at(card, "/exp_year").as_i64().unwrap_or_default(),
        fingerprint: text(at(card, "/fingerprint")),
        created: at(value, "/created").as_i64().unwrap_or_default(),
        is_default: default_method == Some(id.as_str()),
        id,
    })
}

/// The address of a portal session.
pub(crate) fn portal(value: &Value) -> Option<String> {
    identity(value, "billing_portal.session")?;
    text(at(value, "/url"))
}

/// The id of a customer that was made.
pub(crate) fn customer(value: &Value) -> Option<String> {
    identity(value, "customer")
}

/// An event of any kind and any API version, as long as it has an id. Thin events (`v2.core.event`) name a
/// `related_object` instead of carrying one.
pub(crate) fn event(value: &Value) -> Option<Event> {
    let inner = at(value, "/data/object");
    let object = if inner.is_object() {
        object_ref(inner)
    } else {
        let related = at(value, "/related_object");
        ObjectRef {
            kind: text(at(related, "/type")).unwrap_or_default(),
            id: text(at(related, "/id")).unwrap_or_default(),
            ..ObjectRef::default()
        }
    };
    Some(Event {
        id: text(at(value, "/id"))?,
        kind: text(at(value, "/type")).unwrap_or_default(),
        created: at(value, "/created").as_i64().unwrap_or_default(),
        object,
    })
}

fn object_ref(value: &Value) -> ObjectRef {
    let kind = text(at(value, "/object")).unwrap_or_default();
    let id = text(at(value, "/id")).unwrap_or_default();
    let payment_intent = if kind == "payment_intent" {
        Some(id.clone()).filter(|id| !id.is_empty())
    } else {
        reference(at(value, "/payment_intent"))
    };
    ObjectRef {
        payment_intent,
        order_id: text(at(value, "/metadata/order_id")),
        payment_id: text(at(value, "/metadata/payment_id")),
        refund_id: text(at(value, "/metadata/refund_id")),
        kind,
        id,
    }
}

/// A page of a list. An item that can't be read is left out rather than losing the page; a page of which nothing can
/// be read is the last one, because it gives no place to go on from.
pub(crate) fn page<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let items = at(value, "/data").as_array()?;
    let data: Vec<T> = items.iter().filter_map(item).collect();
    if data.len() < items.len() {
        tracing::warn!(
            unreadable = items.len() - data.len(),
            "a list from Stripe holds objects that can't be read"
        );
    }
    let has_more = at(value, "/has_more").as_bool().unwrap_or(false) && !data.is_empty();
    Some(Page { data, has_more })
}

/// A page of which everything must be read: what is summed up mustn't miss a part.
pub(crate) fn whole_page<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let data: Vec<T> = at(value, "/data").as_array()?.iter().map(item).collect::<Option<_>>()?;
    let has_more = at(value, "/has_more").as_bool().unwrap_or(false) && !data.is_empty();
    Some(Page { data, has_more })
}

/// What stands at a path, or null where nothing does.
fn at<'value>(value: &'value Value, path: &str) -> &'value Value {
    static NOTHING: Value = Value::Null;
    value.pointer(path).unwrap_or(&NOTHING)
}

/// The id of an object that says it is of this kind; an answer of another kind isn't what was asked for.
fn identity(value: &Value, kind: &str) -> Option<String> {
    if at(value, "/object").as_str() == Some(kind) { text(at(value, "/id")) } else { None }
}

/// An id, whether Stripe sends it bare or with the object expanded.
fn reference(value: &Value) -> Option<String> {
    text(value).or_else(|| text(at(value, "/id")))
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

fn intent_status(value: &Value) -> IntentStatus {
    match value.as_str() {
        Some("succeeded") => IntentStatus::Succeeded,
        Some("processing") => IntentStatus::Processing,
        Some("requires_action") => IntentStatus::RequiresAction,
        Some("requires_payment_method") => IntentStatus::RequiresPaymentMethod,
        Some("canceled") => IntentStatus::Canceled,
        _ => IntentStatus::Unknown,
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
