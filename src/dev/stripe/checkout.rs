//! Creating a Checkout Session: what Stripe accepts, and what it answers where it doesn't.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::lines::{read_lines, total};
use super::rows::{Method, Session, SessionStatus};
use super::store::{Due, Moment, Store};

/// Stripe's bounds of a session's life, and its default.
const LIFE_MIN: TimeDelta = TimeDelta::minutes(30);
const LIFE_MAX: TimeDelta = TimeDelta::hours(24);

/// Parameters of Stripe that would change what is charged or how, and that nothing here acts upon.
const NOT_SIMULATED: [&str; 17] = [
    "after_expiration",
    "allow_promotion_codes",
    "branding_settings",
    "consent_collection",
    "custom_fields",
    "customer_account",
    "discounts",
    "invoice_creation",
    "name_collection",
    "optional_items",
    "payment_method_collection",
    "redirect_on_completion",
    "return_url",
    "setup_intent_data",
    "shipping_address_collection",
    "shipping_options",
    "subscription_data",
];

const ALSO_NOT_SIMULATED: [&str; 8] = [
    "automatic_tax",
    "managed_payments",
    "payment_method_configuration",
    "payment_method_data",
    "permissions",
    "saved_payment_method_options",
    "tax_id_collection",
    "wallet_options",
];

/// The methods that Stripe knows: a filter may name each, also one that the account hasn't enabled.
pub const KNOWN_METHODS: [&str; 22] = [
    "affirm",
    "afterpay_clearpay",
    "alipay",
    "amazon_pay",
    "bancontact",
    "blik",
    "boleto",
    "card",
    "cashapp",
    "eps",
    "grabpay",
    "ideal",
    "klarna",
    "konbini",
    "link",
    "p24",
    "paynow",
    "paypal",
    "promptpay",
    "sepa_debit",
    "twint",
    "wechat_pay",
];

/// A request to create a session, read and checked as far as that needs no state.
#[derive(Debug)]
pub struct AskedSession {
    session: Session,
}

#[derive(Default)]
struct IntentData {
    description: Option<String>,
    metadata: BTreeMap<String, String>,
    receipt_email: Option<String>,
    setup: Option<String>,
}

struct Options {
    card_setup: Option<String>,
    wechat_client: bool,
}

impl AskedSession {
    pub fn read(mut params: Params, enabled: &[Method], now: DateTime<Utc>) -> Result<Self, ApiError> {
        read_mode(&mut params)?;
        let (lines, currency) = read_lines(&mut params)?;
        let amount = total(&lines, &currency)?;
        let created = now;
        let expires_at = read_expiry(&mut params, now)?;
        let allowed = read_allowed(&mut params)?;
        let intent = read_intent_data(&mut params)?;
        let options = read_options(&mut params)?;
        let (customer, customer_email) = read_customer(&mut params)?;
        let session = Session {
            id: ids::session(),
            created,
            expires_at,
            status: SessionStatus::Open,
            paid: false,
            amount,
            methods: offered(enabled, allowed.as_deref(), &currency, intent.setup.is_some())?,
            currency,
            allowed,
            lines,
            customer,
            customer_email,
            customer_creation: params.one_of("customer_creation", &["always", "if_required"])?,
            payer_email: None,
            client_reference_id: params.short("client_reference_id", 200)?,
            metadata: params.metadata()?,
            success_url: read_url(&mut params, "success_url")?
                .ok_or_else(|| ApiError::required("success_url"))?,
            cancel_url: read_url(&mut params, "cancel_url")?,
            card_setup: options.card_setup,
            intent_setup: intent.setup,
            intent_description: intent.description,
            intent_metadata: intent.metadata,
            receipt_email: intent.receipt_email,
            echoes: read_echoes(&mut params)?,
            intent: None,
            late: None,
        };
        params.refuse(&NOT_SIMULATED)?;
        params.refuse(&ALSO_NOT_SIMULATED)?;
        params.finish()?;
        if session.customer.is_some() && session.customer_creation.is_some() {
            let message = "You may only specify one of these parameters: customer, customer_creation.";
            return Err(ApiError::invalid(message));
        }
        if session.methods.contains(&Method::WechatPay) && !options.wechat_client {
            return Err(ApiError::required("payment_method_options[wechat_pay][client]"));
        }
        Ok(Self { session })
    }
}

impl Store {
    pub fn create_session(&mut self, asked: AskedSession, at: &Moment) -> Result<String, ApiError> {
        let AskedSession { session } = asked;
        if let Some(customer) = &session.customer
            && self.customer(customer).is_none()
        {
            return Err(ApiError::missing_for("customer", "customer", customer));
        }
        let id = session.id.clone();
        self.due.insert((session.expires_at, Due::Expiry(id.clone())));
        self.sessions.put(Session { created: at.now, ..session });
        Ok(id)
    }
}

fn read_mode(params: &mut Params) -> Result<(), ApiError> {
    if params.take("payment_method_types").is_some() {
        return Err(ApiError::unknown_parameter("payment_method_types"));
    }
    match params.one_of("mode", &["payment", "setup", "subscription"])?.as_deref() {
        Some("payment") => {}
        Some(_) => return Err(ApiError::not_simulated("mode")),
        None => return Err(ApiError::required("mode")),
    }
    let ui_mode = params.one_of("ui_mode", &["elements", "embedded_page", "form", "hosted_page"])?;
    match ui_mode.as_deref() {
        None | Some("hosted_page") => Ok(()),
        Some(_) => Err(ApiError::not_simulated("ui_mode")),
    }
}

fn read_expiry(params: &mut Params, now: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    let Some(seconds) = params.integer("expires_at")? else { return Ok(now + LIFE_MAX) };
    let bad = |message: &str| ApiError::invalid(message).param("expires_at");
    let at = DateTime::from_timestamp(seconds, 0).ok_or_else(|| bad("Invalid timestamp"))?;
    // Stripe counts in whole seconds from the session's creation.
    let life = TimeDelta::seconds(at.timestamp().saturating_sub(now.timestamp()));
    if life < LIFE_MIN {
        return Err(bad(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
        ));
    }
    if life > LIFE_MAX {
        return Err(bad(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
        ));
    }
    Ok(at)
}

pub fn read_url(params: &mut Params, key: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = params.short(key, 5_000)? else { return Ok(None) };
    let usable = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if usable {
        Ok(Some(text))
    } else {
        Err(ApiError::invalid("Not a valid URL").code("url_invalid").param(key))
    }
}

fn read_customer(params: &mut Params) -> Result<(Option<String>, Option<String>), ApiError> {
    let customer = params.text("customer")?;
    let email = params.short("customer_email", 800)?;
    if let Some(mut update) = params.hash("customer_update")? {
        for key in ["address", "name", "shipping"] {
            update.one_of(key, &["auto", "never"])?;
        }
        update.finish()?;
        if customer.is_none() {
            let message = "`customer_update` can only be used with `customer`.";
            return Err(ApiError::invalid(message).param("customer_update"));
        }
    }
    if customer.is_some() && email.is_some() {
        let message = "You may only specify one of these parameters: customer, customer_email.";
        return Err(ApiError::invalid(message));
    }
    if email.as_ref().is_some_and(|email| !email.contains('@')) {
        let message = format!("Invalid email address: {}", email.unwrap_or_default());
        return Err(ApiError::invalid(message).code("email_invalid").param("customer_email"));
    }
    Ok((customer, email))
}

pub fn read_allowed(params: &mut Params) -> Result<Option<Vec<String>>, ApiError> {
    let allowed = params.texts("allowed_payment_method_types")?;
    if let Some((at, name)) =
        allowed.iter().enumerate().find(|(_, name)| !KNOWN_METHODS.contains(&name.as_str()))
    {
        let param = format!("allowed_payment_method_types[{at}]");
        return Err(ApiError::invalid(format!("Invalid {param}: {name}")).param(param));
    }
    params.refuse(&["excluded_payment_method_types"])?;
    Ok((!allowed.is_empty()).then_some(allowed))
}

/// The methods that the page shows: enabled, let through by the filter, and able to take the currency. Methods that
/// fall out do so silently; a session with none left is refused. Wallets can't be saved for later use.
fn offered(
    enabled: &[Method],
    allowed: Option<&[String]>,
    currency: &str,
    saves_method: bool,
) -> Result<Vec<Method>, ApiError> {
    let fits = |method: &Method| {
        allowed.is_none_or(|allowed| allowed.iter().any(|name| name == method.name()))
            && method.takes(currency)
            && (!saves_method || *method == Method::Card)
    };
    let offered: Vec<Method> = enabled.iter().copied().filter(fits).collect();
    if offered.is_empty() {
        let message = "No valid payment method types for this Checkout Session. Please ensure that you have activated \
                       payment methods compatible with your chosen currency in your dashboard.";
        return Err(ApiError::invalid(message).param("allowed_payment_method_types"));
    }
    Ok(offered)
}

fn read_intent_data(params: &mut Params) -> Result<IntentData, ApiError> {
    let Some(mut data) = params.hash("payment_intent_data")? else { return Ok(IntentData::default()) };
    let read = IntentData {
        description: data.short("description", 1_000)?,
        metadata: data.metadata()?,
        receipt_email: data.text("receipt_email")?,
        setup: data.one_of("setup_future_usage", &["off_session", "on_session"])?,
    };
    data.short("statement_descriptor", 22)?;
    data.short("statement_descriptor_suffix", 22)?;
    match data.one_of("capture_method", &["automatic", "automatic_async", "manual"])?.as_deref() {
        Some("manual") => return Err(ApiError::not_simulated(&data.name("capture_method"))),
        _ => data.refuse(&["application_fee_amount", "on_behalf_of", "shipping", "transfer_data"])?,
    }
    data.refuse(&["transfer_group"])?;
    data.finish()?;
    Ok(read)
}

fn read_options(params: &mut Params) -> Result<Options, ApiError> {
    let mut read = Options { card_setup: None, wechat_client: false };
    let Some(mut options) = params.hash("payment_method_options")? else { return Ok(read) };
    if let Some(mut card) = options.hash("card")? {
        read.card_setup = card.one_of("setup_future_usage", &["off_session", "on_session"])?;
        card.one_of("request_three_d_secure", &["any", "automatic", "challenge"])?;
        card.refuse(&["capture_method", "installments", "restrictions"])?;
        card.finish()?;
    }
    if let Some(mut wechat) = options.hash("wechat_pay")? {
        match wechat.one_of("client", &["android", "ios", "web"])?.as_deref() {
            Some("web") => read.wechat_client = true,
            Some(_) => return Err(ApiError::not_simulated(&wechat.name("client"))),
            None => return Err(ApiError::required(&wechat.name("client"))),
        }
        wechat.one_of("setup_future_usage", &["none"])?;
        wechat.finish()?;
    }
    if let Some(mut alipay) = options.hash("alipay")? {
        alipay.one_of("setup_future_usage", &["none"])?;
        alipay.finish()?;
    }
    options.finish()?;
    Ok(read)
}

/// Parameters that only change the page's looks or are notes of the caller.
fn read_echoes(params: &mut Params) -> Result<Map<String, Value>, ApiError> {
    let mut echoes = Map::new();
    let words: [(&str, &[&str]); 3] = [
        ("billing_address_collection", &["auto", "required"]),
        ("submit_type", &["auto", "book", "donate", "pay"]),
        ("origin_context", &["mobile_app", "web"]),
    ];
    for (key, words) in words {
        if let Some(word) = params.one_of(key, words)? {
            echoes.insert(key.to_owned(), json!(word));
        }
    }
    for (key, characters) in [("locale", 10), ("integration_identifier", 200)] {
        if let Some(text) = params.short(key, characters)? {
            echoes.insert(key.to_owned(), json!(text));
        }
    }
    for key in ["adaptive_pricing", "phone_number_collection"] {
        if let Some(mut hash) = params.hash(key)? {
            let enabled = hash.boolean("enabled")?.unwrap_or(false);
            if enabled {
                return Err(ApiError::not_simulated(&hash.name("enabled")));
            }
            hash.finish()?;
            echoes.insert(key.to_owned(), json!({ "enabled": false }));
        }
    }
    if let Some(mut custom) = params.hash("custom_text")? {
        let mut texts = json!({
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null
        });
        for key in ["after_submit", "shipping_address", "submit", "terms_of_service_acceptance"] {
            let Some(mut text) = custom.hash(key)? else { continue };
            let message = text.required("message")?;
            text.finish()?;
            if let Some(texts) = texts.as_object_mut() {
                texts.insert(key.to_owned(), json!({ "message": message }));
            }
        }
        custom.finish()?;
        echoes.insert("custom_text".to_owned(), texts);
    }
    Ok(echoes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_from_half_an_hour_to_a_day() {
        let now = DateTime::from_timestamp(1_800_000_000, 999_999_000).unwrap();
        let read = |seconds: i64| {
            let body = format!("expires_at={}", now.timestamp() + seconds);
            read_expiry(&mut Params::parse(body.as_bytes()).unwrap(), now).is_ok()
        };
        assert!(!read(1_799) && read(1_800) && read(86_400) && !read(86_401));
        assert_eq!(read_expiry(&mut Params::default(), now).unwrap(), now + LIFE_MAX);
    }

    #[test]
    fn methods_fall_out_by_filter_currency_and_saving() {
        let all = Method::ALL;
        let only = ["alipay".to_owned(), "wechat_pay".to_owned()];
        assert_eq!(offered(&all, None, "cny", false).unwrap(), all);
        assert_eq!(offered(&all, Some(&only), "cny", false).unwrap(), [Method::WechatPay, Method::Alipay]);
        assert_eq!(offered(&all, None, "brl", false).unwrap(), [Method::Card]);
        assert_eq!(offered(&all, None, "cny", true).unwrap(), [Method::Card]);
        assert!(offered(&all, Some(&only), "brl", false).is_err());
    }
}
