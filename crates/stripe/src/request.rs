//! Our wishes as async-stripe's requests.

use std::collections::HashMap;
use std::str::FromStr;

use miniserde::json::Value as RawAnswer;
use serde_json::{Value, json};

use stripe_checkout::checkout_session as session;
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};
use stripe_core::customer::{CreateCustomer, ListPaymentMethodsCustomer, ListPaymentMethodsCustomerType};
use stripe_core::dispute::ListDispute;
use stripe_core::event::ListEvent;
use stripe_core::refund::{CreateRefund, CreateRefundReason, ListRefund};
use stripe_shared::{CheckoutSessionLocale, CheckoutSessionMode};
use stripe_types::{Currency, RangeQueryTs};

use crate::types::{Method, NewCharge, NewCheckout, NewCustomer, NewRefund, RefundReason};

/// The most that Stripe gives in one page.
const PAGE_SIZE: i64 = 100;

/// A hosted page for one line and one payment.
pub(crate) fn create_checkout(new: &NewCheckout) -> session::CreateCheckoutSession {
    let metadata = metadata([
        ("order_id", &new.order_id),
        ("payment_id", &new.payment_id),
        ("order_number", &new.order_number),
    ]);
    // The session's metadata doesn't reach the charge; the payment intent's does.
    let mut intent = session::CreateCheckoutSessionPaymentIntentData::new();
    intent.metadata = Some(metadata.clone());

    let mut request = session::CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .line_items(vec![line(new)])
        .client_reference_id(new.order_id.as_str())
        .metadata(metadata)
        .payment_intent_data(intent)
        .success_url(new.success_url.as_str())
        .cancel_url(new.cancel_url.as_str())
        .expires_at(new.expires_at);
    if !new.methods.is_empty() {
        let allowed: Vec<_> = new.methods.iter().map(|method| allowed_method(*method)).collect();
        request = request.allowed_payment_method_types(allowed);
    }
    if let Some(options) = method_options(new) {
        request = request.payment_method_options(options);
    }
    match (&new.customer, &new.customer_email) {
        (Some(customer), _) => request = request.customer(customer.as_str()),
        (None, Some(email)) => request = request.customer_email(email.as_str()),
        (None, None) => {}
    }
    if new.customer.is_none() && saves_card(new) {
        // A card is saved to somebody.
        request = request.customer_creation(session::CreateCheckoutSessionCustomerCreation::Always);
    }
    if let Some(locale) = new.locale.as_deref().and_then(locale) {
        request = request.locale(locale);
    }
    request
}

fn line(new: &NewCheckout) -> session::CreateCheckoutSessionLineItems {
    let mut price = session::CreateCheckoutSessionLineItemsPriceData::new(currency(&new.currency));
    price.unit_amount = Some(new.amount_minor);
    price.product_data = Some(session::ProductData::new(new.description.as_str()));
    let mut line = session::CreateCheckoutSessionLineItems::new();
    line.price_data = Some(price);
    line.quantity = Some(1);
    line
}

fn method_options(new: &NewCheckout) -> Option<session::CreateCheckoutSessionPaymentMethodOptions> {
    let wechat = offers(new, Method::WechatPay).then(|| {
        // Stripe refuses WeChat Pay without it; `web` shows a QR code, also on a phone.
        session::CreateCheckoutSessionPaymentMethodOptionsWechatPay::new(
            session::CreateCheckoutSessionPaymentMethodOptionsWechatPayClient::Web,
        )
    });
    let card = saves_card(new).then(|| {
        let mut card = session::CreateCheckoutSessionPaymentMethodOptionsCard::new();
        card.setup_future_usage =
            Some(session::CreateCheckoutSessionPaymentMethodOptionsCardSetupFutureUsage::OffSession);
        card
    });
    if wechat.is_none() && card.is_none() {
        return None;
    }
    let mut options = session::CreateCheckoutSessionPaymentMethodOptions::new();
    options.wechat_pay = wechat;
    options.card = card;
    Some(options)
}

fn offers(new: &NewCheckout, method: Method) -> bool {
    new.methods.is_empty() || new.methods.contains(&method)
}

fn saves_card(new: &NewCheckout) -> bool {
    new.save_card && offers(new, Method::Card)
}

fn allowed_method(method: Method) -> session::CreateCheckoutSessionAllowedPaymentMethodTypes {
    match method {
        Method::Card => session::CreateCheckoutSessionAllowedPaymentMethodTypes::Card,
        Method::WechatPay => session::CreateCheckoutSessionAllowedPaymentMethodTypes::WechatPay,
        Method::Alipay => session::CreateCheckoutSessionAllowedPaymentMethodTypes::Alipay,
    }
}

/// The session with its payment intent and charge inside: one call tells all that settlement needs.
pub(crate) fn checkout(id: &str) -> session::RetrieveCheckoutSession {
    session::RetrieveCheckoutSession::new(id).expand(vec!["payment_intent.latest_charge".to_owned()])
}

/// Newest first.
pub(crate) fn checkouts(created_from: i64, after: Option<&str>) -> session::ListCheckoutSession {
    let request =
        session::ListCheckoutSession::new().created(RangeQueryTs::gte(created_from)).limit(PAGE_SIZE);
    match after {
        Some(id) => request.starting_after(id),
        None => request,
    }
}

/// Part or all of a payment.
pub(crate) fn create_refund(new: &NewRefund) -> CreateRefund {
    let request = CreateRefund::new()
        .payment_intent(new.payment_intent.as_str())
        .amount(new.amount_minor)
        .metadata(metadata([("refund_id", &new.refund_id), ("order_id", &new.order_id)]));
    match new.reason {
        None => request,
        Some(RefundReason::Duplicate) => request.reason(CreateRefundReason::Duplicate),
        Some(RefundReason::Fraudulent) => request.reason(CreateRefundReason::Fraudulent),
        Some(RefundReason::RequestedByCustomer) => request.reason(CreateRefundReason::RequestedByCustomer),
    }
}

/// Newest first.
pub(crate) fn refunds_of(payment_intent: &str, after: Option<&str>) -> ListRefund {
    let request = ListRefund::new().payment_intent(payment_intent).limit(PAGE_SIZE);
    match after {
        Some(id) => request.starting_after(id),
        None => request,
    }
}

/// Newest first.
pub(crate) fn disputes_of(payment_intent: &str, after: Option<&str>) -> ListDispute {
    let request = ListDispute::new().payment_intent(payment_intent).limit(PAGE_SIZE);
    match after {
        Some(id) => request.starting_after(id),
        None => request,
    }
}

/// Somebody whose card may be saved.
pub(crate) fn create_customer(new: &NewCustomer) -> CreateCustomer {
    let mut request = CreateCustomer::new().metadata(metadata([("account_id", &new.account_id)]));
    if let Some(email) = &new.email {
        request = request.email(email.as_str());
    }
    if let Some(name) = &new.name {
        request = request.name(name.as_str());
    }
    request
}

/// A call that async-stripe has too, but in modules of fifty thousand lines, which every build would pay for.
pub(crate) struct Plain {
    method: StripeMethod,
    path: String,
    /// Without nulls.
    fields: Value,
}

impl StripeRequest for Plain {
    type Output = RawAnswer;

    fn build(&self) -> RequestBuilder {
        let request = RequestBuilder::new(self.method, self.path.as_str());
        match self.method {
            StripeMethod::Post => request.form(&self.fields),
            StripeMethod::Get | StripeMethod::Delete => request.query(&self.fields),
        }
    }
}

fn get(path: impl Into<String>, fields: Value) -> Plain {
    Plain { method: StripeMethod::Get, path: path.into(), fields }
}

fn post(path: impl Into<String>, fields: Value) -> Plain {
    Plain { method: StripeMethod::Post, path: path.into(), fields }
}

/// Made and confirmed in one call. Only cards, so that no method comes in that would send somebody to another page.
pub(crate) fn charge_saved_card(new: &NewCharge) -> Plain {
    let fields = json!({
        "allowed_payment_method_types": ["card"],
        "amount": new.amount_minor,
        "confirm": true,
        "currency": new.currency.to_ascii_lowercase(),
        "customer": new.customer,
        "description": new.description,
        "expand": ["latest_charge"],
        "metadata": {
            "order_id": new.order_id, "order_number": new.order_number, "payment_id": new.payment_id,
        },
        "off_session": true,
        "payment_method": new.payment_method,
    });
    post("/payment_intents", fields)
}

/// The intent with its charge inside.
pub(crate) fn intent(id: &str) -> Plain {
    get(format!("/payment_intents/{id}"), json!({ "expand": ["latest_charge"] }))
}

/// Newest first.
pub(crate) fn intents_of(customer: &str, created_from: i64, after: Option<&str>) -> Plain {
    let mut fields = json!({
        "created": { "gte": created_from },
        "customer": customer,
        "expand": ["data.latest_charge"],
        "limit": PAGE_SIZE,
    });
    if let (Some(after), Some(fields)) = (after, fields.as_object_mut()) {
        fields.insert("starting_after".to_owned(), json!(after));
    }
    get("/payment_intents", fields)
}

/// Nobody will pay it.
pub(crate) fn cancel_intent(id: &str) -> Plain {
    let fields = json!({ "cancellation_reason": "abandoned", "expand": ["latest_charge"] });
    post(format!("/payment_intents/{id}/cancel"), fields)
}

/// Newest first.
pub(crate) fn cards_of(customer: &str, after: Option<&str>) -> ListPaymentMethodsCustomer {
    let request = ListPaymentMethodsCustomer::new(customer)
        .type_(ListPaymentMethodsCustomerType::Card)
        .limit(PAGE_SIZE);
    match after {
        Some(id) => request.starting_after(id),
        None => request,
    }
}

/// Stripe's page on which a customer looks after his cards.
pub(crate) fn create_portal(customer: &str, return_url: &str, tag: Option<&str>) -> Plain {
    let mut fields = json!({ "customer": customer, "return_url": return_url });
    if let (Some(locale), Some(fields)) = (tag.and_then(locale), fields.as_object_mut()) {
        fields.insert("locale".to_owned(), json!(locale.as_str()));
    }
    post("/billing_portal/sessions", fields)
}

/// Newest first, of the kinds that we act on.
pub(crate) fn events(created_from: i64, after: Option<&str>, undelivered_only: bool) -> ListEvent {
    let kinds: Vec<String> = crate::EVENT_KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    let mut request = ListEvent::new().created(RangeQueryTs::gte(created_from)).limit(PAGE_SIZE).types(kinds);
    if undelivered_only {
        request = request.delivery_success(false);
    }
    match after {
        Some(id) => request.starting_after(id),
        None => request,
    }
}

fn metadata<const N: usize>(entries: [(&str, &String); N]) -> HashMap<String, String> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

/// An unknown code is passed on for Stripe to refuse.
fn currency(code: &str) -> Currency {
    let Ok(currency) = Currency::from_str(&code.to_ascii_lowercase());
    currency
}

/// Languages that Stripe has by region.
const REGIONAL: [&str; 6] = ["en-GB", "es-419", "fr-CA", "pt-BR", "zh-HK", "zh-TW"];

/// The language or, where Stripe has the region, that of the region.
fn locale(tag: &str) -> Option<CheckoutSessionLocale> {
    let language = tag.split('-').next().unwrap_or(tag);
    let Ok(locale) = CheckoutSessionLocale::from_str(if REGIONAL.contains(&tag) { tag } else { language });
    (!matches!(locale, CheckoutSessionLocale::Unknown(_))).then_some(locale)
}
