//! Rows as Stripe's objects, with every field that Stripe's objects have in this version.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::API_VERSION;
use super::rows::{
    CardFace, Charge, Customer, Delivery, Dispute, Event, Intent, IntentStatus, Line, Method, PaymentMethod,
    Refund, Session, SessionStatus, Snapshot, Status,
};

/// An object of `fields` and, as null, the fields named in `nulls`.
fn object(nulls: &[&str], fields: Value) -> Value {
    let mut whole: Map<String, Value> = nulls.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    if let Value::Object(fields) = fields {
        whole.extend(fields);
    }
    Value::Object(whole)
}

fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp()
}

/// The address of a session's payment page.
pub fn page_url(base: &str, session: &str) -> String {
    format!("{base}/pay/{session}")
}

pub fn session(row: &Session, base: &str) -> Value {
    let open = row.status == SessionStatus::Open;
    let payer = row.payer_email.as_ref().or(row.customer_email.as_ref());
    let shows_payer = payer.is_some() || row.status == SessionStatus::Complete;
    let mut whole = object(
        &SESSION_NULLS,
        json!({
            "id": row.id,
            "object": "checkout.session",
            "adaptive_pricing": { "enabled": false },
            "allowed_payment_method_types": row.allowed,
            "amount_subtotal": row.amount,
            "amount_total": row.amount,
            "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
            "cancel_url": row.cancel_url,
            "client_reference_id": row.client_reference_id,
            "collected_information": null,
            "created": seconds(row.created),
            "currency": row.currency,
            "custom_fields": [],
            "custom_text": {
                "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null
            },
            "customer": row.customer,
            "customer_creation": row.customer_creation.clone()
                .or_else(|| row.customer.is_none().then(|| "if_required".to_owned())),
            "customer_details": shows_payer.then(|| json!({
                "address": address(), "business_name": null, "email": payer, "individual_name": null, "name": null,
                "phone": null, "tax_exempt": "none", "tax_ids": [],
            })),
            "customer_email": row.customer_email,
            "expires_at": seconds(row.expires_at),
            "invoice_creation": {
                "enabled": false,
                "invoice_data": {
                    "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
                    "issuer": null, "metadata": {}, "rendering_options": null,
                },
            },
            "livemode": false,
            "metadata": row.metadata,
            "mode": "payment",
            "payment_intent": row.intent,
            "payment_method_collection": "if_required",
            "payment_method_options": method_options(row),
            "payment_method_types": names(&row.methods),
            "payment_status": if row.paid { "paid" } else { "unpaid" },
            "phone_number_collection": { "enabled": false },
            "shipping_options": [],
            "status": row.status.name(),
            "success_url": row.success_url,
            "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
            "ui_mode": "hosted_page",
            "url": open.then(|| page_url(base, &row.id)),
        }),
    );
    if let Value::Object(whole) = &mut whole {
        whole.extend(row.echoes.clone());
    }
    whole
}

const SESSION_NULLS: [&str; 27] = [
    "after_expiration",
    "allow_promotion_codes",
    "billing_address_collection",
    "client_secret",
    "consent",
    "consent_collection",
    "currency_conversion",
    "customer_account",
    "discounts",
    "integration_identifier",
    "invoice",
    "locale",
    "managed_payments",
    "origin_context",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "saved_payment_method_options",
    "setup_intent",
    "shipping_address_collection",
    "shipping_cost",
    "submit_type",
    "subscription",
    "wallet_options",
    "customer",
    "cancel_url",
];

fn method_options(row: &Session) -> Value {
    let mut options = Map::new();
    for method in &row.methods {
        let one = match method {
            Method::Card => {
                let mut card = json!({ "request_three_d_secure": "automatic" });
                if let (Some(card), Some(setup)) = (card.as_object_mut(), &row.card_setup) {
                    card.insert("setup_future_usage".to_owned(), json!(setup));
                }
                card
            }
            Method::WechatPay => json!({ "app_id": null, "client": "web" }),
            Method::Alipay => json!({}),
        };
        options.insert(method.name().to_owned(), one);
    }
    Value::Object(options)
}

fn names(methods: &[Method]) -> Vec<&'static str> {
    methods.iter().map(|method| method.name()).collect()
}

fn address() -> Value {
    json!({ "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null })
}

pub fn line(row: &Line, currency: &str) -> Value {
    let total = row.unit_amount.saturating_mul(row.quantity);
    json!({
        "id": row.id,
        "object": "item",
        "adjustable_quantity": null,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": row.name,
        "metadata": row.metadata,
        "price": {
            "id": row.price,
            "object": "price",
            "active": false,
            "billing_scheme": "per_unit",
            "created": 0,
            "currency": currency,
            "custom_unit_amount": null,
            "livemode": false,
            "lookup_key": null,
            "metadata": {},
            "nickname": null,
            "product": row.product,
            "recurring": null,
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": "one_time",
            "unit_amount": row.unit_amount,
            "unit_amount_decimal": row.unit_amount.to_string(),
        },
        "quantity": row.quantity,
    })
}

pub fn intent(row: &Intent) -> Value {
    let received = if row.status == IntentStatus::Succeeded { row.amount } else { 0 };
    object(
        &[
            "application",
            "application_fee_amount",
            "automatic_payment_methods",
            "customer_account",
            "excluded_payment_method_types",
            "managed_payments",
            "next_action",
            "on_behalf_of",
            "payment_method_configuration_details",
            "payment_record",
            "processing",
            "review",
            "shipping",
            "source",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_data",
            "transfer_group",
        ],
        json!({
            "id": row.id,
            "object": "payment_intent",
            "allowed_payment_method_types": row.allowed,
            "amount": row.amount,
            "amount_capturable": 0,
            "amount_details": { "tip": {} },
            "amount_received": received,
            "canceled_at": row.canceled_at.map(seconds),
            "cancellation_reason": row.canceled_at
                .map(|_| row.cancellation_reason.as_deref().unwrap_or("expired")),
            "capture_method": "automatic_async",
            "client_secret": format!("{}_secret_simulated", row.id),
            "confirmation_method": "automatic",
            "created": seconds(row.created),
            "currency": row.currency,
            "customer": row.customer,
            "description": row.description,
            "last_payment_error": row.last_error,
            "latest_charge": row.latest_charge,
            "livemode": false,
            "metadata": row.metadata,
            "payment_method": row.payment_method,
            "payment_method_options": {},
            "payment_method_types": names(&row.methods),
            "receipt_email": row.receipt_email,
            "setup_future_usage": row.setup,
            "status": row.status.name(),
        }),
    )
}

pub fn charge(row: &Charge) -> Value {
    let paid = row.status == Status::Succeeded;
    object(
        &[
            "application",
            "application_fee",
            "application_fee_amount",
            "calculated_statement_descriptor",
            "failure_balance_transaction",
            "on_behalf_of",
            "receipt_number",
            "review",
            "shipping",
            "source",
            "source_transfer",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_data",
            "transfer_group",
        ],
        json!({
            "id": row.id,
            "object": "charge",
            "amount": row.amount,
            "amount_captured": if paid { row.amount } else { 0 },
            "amount_refunded": row.refunded,
            "balance_transaction": paid.then(|| format!("txn_{}", row.id)),
            "billing_details": billing(row.email.as_deref()),
            "captured": paid,
            "created": seconds(row.created),
            "currency": row.currency,
            "customer": row.customer,
            "description": row.description,
            "disputed": row.dispute.is_some(),
            "failure_code": row.failure_message.as_ref().map(|_| failure_code(row)),
            "failure_message": row.failure_message,
            "fraud_details": {},
            "livemode": false,
            "metadata": row.metadata,
            "outcome": outcome(row),
            "paid": paid,
            "payment_intent": row.intent,
            "payment_method": row.payment_method,
            "payment_method_details": charge_method(row),
            "receipt_email": row.receipt_email,
            "receipt_url": null,
            "refunded": row.refunded >= row.amount,
            "status": row.status.name(),
        }),
    )
}

/// Rows of older journals have only the message.
fn failure_code(row: &Charge) -> &str {
    row.failure_code.as_deref().unwrap_or("card_declined")
}

fn billing(email: Option<&str>) -> Value {
    json!({ "address": address(), "email": email, "name": null, "phone": null, "tax_id": null })
}

fn outcome(row: &Charge) -> Value {
    let (network, kind, message) = match row.status {
        Status::Succeeded => ("approved_by_network", "authorized", "Payment complete."),
        Status::Pending => ("not_sent_to_network", "authorized", "The payment is pending."),
        Status::Failed => {
            ("declined_by_network", "issuer_declined", "The bank did not return any further details.")
        }
    };
    let reason = row.decline_code.as_deref().unwrap_or_else(|| match failure_code(row) {
        "card_declined" => "generic_decline",
        code => code,
    });
    json!({
        "advice_code": null, "network_advice_code": null, "network_decline_code": null, "network_status": network,
        "reason": row.failure_message.as_ref().map(|_| reason), "risk_level": "normal",
        "seller_message": message, "type": kind,
    })
}

fn charge_method(row: &Charge) -> Value {
    let details = match row.method {
        Method::Card => json!({
            "amount_authorized": row.amount, "authorization_code": null, "brand": row.card.brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US", "electronic_commerce_indicator": null, "exp_month": row.card.exp_month,
            "exp_year": row.card.exp_year,
            "extended_authorization": { "status": "disabled" }, "fingerprint": row.fingerprint, "funding": "credit",
            "incremental_authorization": { "status": "unavailable" }, "installments": null, "last4": row.card.last4,
            "mandate": null, "multicapture": { "status": "unavailable" }, "network": row.card.brand,
            "network_token": { "used": false }, "network_transaction_id": null,
            "overcapture": { "maximum_amount_capturable": row.amount, "status": "unavailable" },
            "regulated_status": "unregulated", "three_d_secure": null, "transaction_link_id": null, "wallet": null,
        }),
        Method::WechatPay | Method::Alipay => {
            json!({ "fingerprint": row.fingerprint, "transaction_id": transaction(&row.id) })
        }
    };
    json!({ row.method.name(): details, "type": row.method.name() })
}

/// The wallet's own number of the transaction.
fn transaction(charge: &str) -> String {
    super::ids::stable(charge)
}

pub fn payment_method(row: &PaymentMethod) -> Value {
    let CardFace { brand, last4, exp_month, exp_year } = &row.card;
    let details = match row.method {
        Method::Card => json!({
            "brand": brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US", "display_brand": brand, "exp_month": exp_month, "exp_year": exp_year,
            "fingerprint": row.fingerprint, "funding": "credit", "generated_from": null, "last4": last4,
            "networks": { "available": [brand], "preferred": null }, "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true }, "wallet": null,
        }),
        Method::WechatPay | Method::Alipay => json!({}),
    };
    json!({
        "id": row.id, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": billing(row.email.as_deref()), "created": seconds(row.created), "customer": row.customer,
        "customer_account": null, "livemode": false, "metadata": {}, row.method.name(): details,
        "type": row.method.name(),
    })
}

pub fn refund(row: &Refund) -> Value {
    let destination = match row.method {
        Method::Card => json!({
            "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
            "type": "card",
        }),
        method => json!({ method.name(): {}, "type": method.name() }),
    };
    let mut whole = object(
        &["receipt_number", "source_transfer_reversal", "transfer_reversal", "customer_account"],
        json!({
            "id": row.id, "object": "refund", "amount": row.amount,
            "balance_transaction": format!("txn_{}", row.id), "charge": row.charge, "created": seconds(row.created),
            "currency": row.currency, "customer": row.customer, "destination_details": destination,
            "metadata": row.metadata, "payment_intent": row.intent, "payment_method": row.payment_method,
            "reason": row.reason, "status": row.status.name(),
        }),
    );
    if let Some(whole) = whole.as_object_mut() {
        if let Some(reason) = &row.failure_reason {
            whole.insert("failure_reason".to_owned(), json!(reason));
            whole.insert("failure_balance_transaction".to_owned(), json!(format!("txn_{}_failed", row.id)));
        }
        if row.status == Status::Pending {
            whole.insert("pending_reason".to_owned(), json!("processing"));
        }
    }
    whole
}

pub fn dispute(row: &Dispute) -> Value {
    let details = match row.method {
        Method::Card => json!({
            "card": { "brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "10.4" },
            "type": "card",
        }),
        method => json!({ "type": method.name() }),
    };
    json!({
        "id": row.id, "object": "dispute", "amount": row.amount, "balance_transactions": [], "charge": row.charge,
        "created": seconds(row.created), "currency": row.currency, "enhanced_eligibility_types": [],
        "evidence": object(&EVIDENCE, json!({ "enhanced_evidence": {} })),
        "evidence_details": {
            "due_by": seconds(row.created + chrono::TimeDelta::days(9)), "enhanced_eligibility": {},
            "has_evidence": false, "past_due": false, "submission_count": 0, "submission_method": "not_submitted",
        },
        "intended_submission_method": null, "is_charge_refundable": false, "livemode": false, "metadata": {},
        "payment_intent": row.intent, "payment_method_details": details, "reason": row.reason, "status": row.status,
    })
}

const EVIDENCE: [&str; 27] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

pub fn customer(row: &Customer) -> Value {
    if row.deleted {
        return json!({ "id": row.id, "object": "customer", "deleted": true });
    }
    object(
        &["address", "currency", "customer_account", "default_source", "discount", "shipping", "test_clock"],
        json!({
            "id": row.id, "object": "customer", "balance": 0, "created": seconds(row.created), "delinquent": false,
            "description": row.description, "email": row.email,
            "invoice_prefix": super::ids::stable(&row.id).to_uppercase().chars().take(8).collect::<String>(),
            "invoice_settings": {
                "custom_fields": null, "default_payment_method": row.default_method, "footer": null,
                "rendering_options": null,
            },
            "livemode": false, "metadata": row.metadata, "name": row.name, "next_invoice_sequence": 1,
            "phone": row.phone, "preferred_locales": row.locales, "tax_exempt": "none",
        }),
    )
}

pub fn snapshot(row: &Snapshot, base: &str) -> Value {
    match row {
        Snapshot::Session(row) => session(row, base),
        Snapshot::Intent(row) => intent(row),
        Snapshot::Charge(row) => charge(row),
        Snapshot::Refund(row) => refund(row),
        Snapshot::Dispute(row) => dispute(row),
        Snapshot::Customer(row) => customer(row),
        Snapshot::PaymentMethod(row) => payment_method(row),
    }
}

pub fn event(row: &Event, base: &str) -> Value {
    let mut data = json!({ "object": snapshot(&row.object, base) });
    if let (Some(previous), Some(data)) = (&row.previous, data.as_object_mut()) {
        data.insert("previous_attributes".to_owned(), previous.clone());
    }
    let waits = matches!(row.delivery, Delivery::Pending | Delivery::Withheld);
    json!({
        "id": row.id, "object": "event", "api_version": API_VERSION, "created": seconds(row.created), "data": data,
        "livemode": false, "pending_webhooks": i32::from(waits),
        "request": {
            "id": row.cause.as_ref().map(|cause| &cause.request),
            "idempotency_key": row.cause.as_ref().and_then(|cause| cause.key.as_ref()),
        },
        "type": row.kind,
    })
}
