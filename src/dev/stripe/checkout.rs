//! Creating a Checkout Session: what Stripe accepts, and what it answers where it doesn't.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::amount::amount_text;
use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::rows::{Line, Method, Session, SessionStatus};
use super::store::{Due, Moment, Store};

/// Stripe's bounds of a session's life, and its default.
const LIFE_MIN: TimeDelta = TimeDelta::minutes(30);
const LIFE_MAX: TimeDelta = TimeDelta::hours(24);
const LINES_MAX: usize = 100;
/// Eight digits, as Stripe limits amounts.
const AMOUNT_MAX: i64 = 99_999_999;

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
const KNOWN_METHODS: [&str; 22] = [
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
            && self.customers.get(customer).is_none()
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

fn read_lines(params: &mut Params) -> Result<(Vec<Line>, String), ApiError> {
    let mut currency = params.text("currency")?.map(|currency| currency.to_lowercase());
    let asked = params.hashes("line_items")?;
    if asked.is_empty() {
        return Err(ApiError::required("line_items"));
    }
    if asked.len() > LINES_MAX {
        return Err(ApiError::invalid("You can pass at most 100 line items.").param("line_items"));
    }
    let mut lines = Vec::new();
    for item in asked {
        let (line, its_currency) = read_line(item)?;
        match &currency {
            Some(currency) if *currency != its_currency => {
                let message = "The currencies of all line items must be the same.";
                return Err(ApiError::invalid(message).param("line_items"));
            }
            _ => currency = Some(its_currency),
        }
        lines.push(line);
    }
    Ok((lines, currency.unwrap_or_default()))
}

fn read_line(mut item: Params) -> Result<(Line, String), ApiError> {
    if let Some(price) = item.text("price")? {
        return Err(ApiError::missing_for(&item.name("price"), "price", &price));
    }
    let quantity = item.integer("quantity")?.ok_or_else(|| ApiError::required(&item.name("quantity")))?;
    if quantity < 1 {
        let name = item.name("quantity");
        return Err(ApiError::invalid("This value must be greater than or equal to 1.").param(name));
    }
    let metadata = item.metadata()?;
    let mut price = item.hash("price_data")?.ok_or_else(|| ApiError::required(&item.name("price_data")))?;
    item.refuse(&["adjustable_quantity", "dynamic_tax_rates", "tax_rates"])?;
    item.finish()?;

    let currency = price.required("currency")?.to_lowercase();
    if currency.len() != 3 || !currency.chars().all(|letter| letter.is_ascii_lowercase()) {
        return Err(ApiError::invalid(format!("Invalid currency: {currency}.")).param(price.name("currency")));
    }
    let unit = price.integer("unit_amount")?.ok_or_else(|| ApiError::required(&price.name("unit_amount")))?;
    if !(0..=AMOUNT_MAX).contains(&unit) {
        return Err(ApiError::invalid("Invalid non-negative integer").param(price.name("unit_amount")));
    }
    price.one_of("tax_behavior", &["exclusive", "inclusive", "unspecified"])?;
    let mut product =
        price.hash("product_data")?.ok_or_else(|| ApiError::required(&price.name("product_data")))?;
    price.refuse(&["product", "recurring", "unit_amount_decimal"])?;
    price.finish()?;

    let name = product.required("name")?;
    product.text("description")?;
    product.texts("images")?;
    product.metadata()?;
    product.text("tax_code")?;
    product.text("unit_label")?;
    product.finish()?;
    let line = Line {
        id: ids::random("li_1", 23),
        price: ids::random("price_1", 23),
        product: ids::random("prod_", 14),
        name,
        unit_amount: unit,
        quantity,
        metadata,
    };
    Ok((line, currency))
}

fn total(lines: &[Line], currency: &str) -> Result<i64, ApiError> {
    let sum = lines
        .iter()
        .try_fold(0_i64, |sum, line| line.unit_amount.checked_mul(line.quantity)?.checked_add(sum));
    let amount = sum.filter(|sum| *sum <= AMOUNT_MAX).ok_or_else(|| {
        ApiError::invalid("The Checkout Session's total amount due must be no more than 99999999.")
            .code("amount_too_large")
    })?;
    let least = smallest(currency);
    if amount < least {
        let message = format!(
            "The Checkout Session's total amount due must add up to at least {} {}",
            amount_text(least, currency),
            currency.to_uppercase()
        );
        return Err(ApiError::invalid(message).code("amount_too_small"));
    }
    Ok(amount)
}

/// The least that Stripe charges, in minor units (`docs.stripe.com/currencies#minimum-and-maximum-charge-amounts`);
/// for currencies that it doesn't list, roughly 50 US cents.
fn smallest(currency: &str) -> i64 {
    match currency {
        "gbp" => 30,
        "jpy" => 50,
        "hkd" | "cny" => 400,
        "mxn" | "thb" | "twd" => 1_000,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "myr" | "pln" | "aed" => 200,
        _ => 50,
    }
}

fn read_url(params: &mut Params, key: &str) -> Result<Option<String>, ApiError> {
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

fn read_allowed(params: &mut Params) -> Result<Option<Vec<String>>, ApiError> {
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
