//! Payment intents without a page: a saved card is charged while its owner is away.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::amount::amount_text;
use super::checkout::{read_allowed, read_url};
use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::lines::{AMOUNT_MAX, smallest};
use super::payments::{DECLINED, Decline};
use super::rows::{Intent, IntentStatus, Method, Outcome, PaymentMethod, Snapshot, Status};
use super::store::{Moment, Store};
use super::view;

/// Parameters of Stripe that would change what is charged or how, and that nothing here acts upon.
const NOT_SIMULATED: [&str; 22] = [
    "amount_details",
    "application_fee_amount",
    "automatic_payment_methods",
    "confirmation_token",
    "customer_account",
    "excluded_payment_method_types",
    "hooks",
    "mandate",
    "mandate_data",
    "on_behalf_of",
    "payment_details",
    "payment_method_configuration",
    "payment_method_data",
    "payment_method_options",
    "radar_options",
    "shipping",
    "source",
    "transfer_data",
    "transfer_group",
    "use_stripe_sdk",
    "invoice",
    "review",
];

/// A request to charge a saved card, read and checked as far as that needs no state.
#[derive(Debug)]
pub struct AskedIntent {
    amount: i64,
    currency: String,
    customer: Option<String>,
    payment_method: String,
    methods: Vec<Method>,
    allowed: Option<Vec<String>>,
    description: Option<String>,
    receipt_email: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl AskedIntent {
    pub fn read(mut params: Params, enabled: &[Method]) -> Result<Self, ApiError> {
        if params.take("payment_method_types").is_some() {
            return Err(ApiError::unknown_parameter("payment_method_types"));
        }
        read_way(&mut params)?;
        let (amount, currency) = read_amount(&mut params)?;
        let (methods, allowed) = read_methods(&mut params, enabled, &currency)?;
        params.short("statement_descriptor", 22)?;
        params.short("statement_descriptor_suffix", 22)?;
        let asked = Self {
            amount,
            currency,
            customer: params.text("customer")?,
            payment_method: params.required("payment_method")?,
            methods,
            allowed,
            description: params.short("description", 1_000)?,
            receipt_email: params.text("receipt_email")?,
            metadata: params.metadata()?,
        };
        params.refuse(&NOT_SIMULATED)?;
        params.finish()?;
        Ok(asked)
    }
}

/// Made and confirmed in one call, without the card's owner, captured at once: nothing else is simulated.
fn read_way(params: &mut Params) -> Result<(), ApiError> {
    if params.boolean("confirm")? != Some(true) {
        return Err(ApiError::not_simulated("confirm"));
    }
    match params.text("off_session")?.as_deref() {
        Some("true") => {}
        Some("false" | "one_off" | "recurring") | None => return Err(ApiError::not_simulated("off_session")),
        Some(other) => {
            return Err(ApiError::invalid(format!("Invalid off_session: {other}")).param("off_session"));
        }
    }
    // Without its owner an action fails the charge anyway.
    params.boolean("error_on_requires_action")?;
    if params.take("setup_future_usage").is_some() {
        let message = "You cannot confirm with `off_session=true` when `setup_future_usage` is also set on the \
                       PaymentIntent. The customer needs to be on-session to perform the steps which may be required \
                       to set up the PaymentMethod for future usage.";
        return Err(ApiError::invalid(message).param("off_session"));
    }
    let capture = params.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    if capture.as_deref() == Some("manual") {
        return Err(ApiError::not_simulated("capture_method"));
    }
    match params.one_of("confirmation_method", &["automatic", "manual"])?.as_deref() {
        Some("manual") => Err(ApiError::not_simulated("confirmation_method")),
        _ => Ok(()),
    }
}

fn read_amount(params: &mut Params) -> Result<(i64, String), ApiError> {
    let amount = params.integer("amount")?.ok_or_else(|| ApiError::required("amount"))?;
    let currency = params.required("currency")?.to_lowercase();
    if currency.len() != 3 || !currency.chars().all(|letter| letter.is_ascii_lowercase()) {
        return Err(ApiError::invalid(format!("Invalid currency: {currency}.")).param("currency"));
    }
    if amount < 1 {
        let code = "parameter_invalid_integer";
        return Err(ApiError::invalid("This value must be greater than or equal to 1.")
            .code(code)
            .param("amount"));
    }
    if amount > AMOUNT_MAX {
        let message = format!("Amount must be no more than {AMOUNT_MAX}");
        return Err(ApiError::invalid(message).code("amount_too_large").param("amount"));
    }
    let least = smallest(&currency);
    if amount < least {
        let message = format!("Amount must be at least {} {currency}", amount_text(least, &currency));
        return Err(ApiError::invalid(message).code("amount_too_small").param("amount"));
    }
    Ok((amount, currency))
}

/// The methods that the intent takes. One that sends its owner to a page of its own needs an address to come back to.
fn read_methods(
    params: &mut Params,
    enabled: &[Method],
    currency: &str,
) -> Result<(Vec<Method>, Option<Vec<String>>), ApiError> {
    let allowed = read_allowed(params)?;
    let return_url = read_url(params, "return_url")?;
    let is_let_in = |method: &Method| {
        allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == method.name()))
    };
    let methods: Vec<Method> =
        enabled.iter().copied().filter(is_let_in).filter(|method| method.takes(currency)).collect();
    if !methods.contains(&Method::Card) {
        let message = "The payment method type \"card\" isn't among those that this PaymentIntent takes.";
        return Err(ApiError::invalid(message).param("allowed_payment_method_types"));
    }
    if return_url.is_none() && methods.iter().any(|method| *method != Method::Card) {
        let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because \
                       some of these payment methods might redirect your customer off of your page, you must provide \
                       a `return_url`.";
        return Err(ApiError::invalid(message).param("return_url"));
    }
    Ok((methods, allowed))
}

/// Why a bank refuses, in Stripe's words; none where it doesn't.
fn decline(outcome: Outcome) -> Option<Decline> {
    Some(match outcome {
        Outcome::Ok => return None,
        Outcome::Decline => DECLINED,
        Outcome::InsufficientFunds => Decline {
            decline_code: Some("insufficient_funds"),
            message: "Your card has insufficient funds.",
            ..DECLINED
        },
        Outcome::ExpiredCard => {
            Decline { code: "expired_card", decline_code: None, message: "Your card has expired." }
        }
        Outcome::AuthenticationRequired => Decline {
            code: "authentication_required",
            decline_code: Some("authentication_required"),
            message: "Your card was declined. This transaction requires authentication.",
        },
        Outcome::ProcessingError => Decline {
            code: "processing_error",
            decline_code: None,
            message: "An error occurred while processing your card. Try again in a little bit.",
        },
    })
}

impl Store {
    /// Charges a saved card; the intent's id, or the card's refusal, which leaves its intent behind.
    pub fn charge_saved_card(&mut self, asked: AskedIntent, at: &Moment) -> Result<String, ApiError> {
        let method = self.usable_card(&asked)?;
        let intent = self.intents.put(Intent {
            id: ids::intent(),
            created: at.now,
            session: None,
            amount: asked.amount,
            currency: asked.currency,
            methods: asked.methods,
            allowed: asked.allowed,
            status: IntentStatus::RequiresPaymentMethod,
            customer: asked.customer,
            description: asked.description,
            receipt_email: asked.receipt_email,
            metadata: asked.metadata,
            setup: None,
            payment_method: Some(method.id.clone()),
            latest_charge: None,
            last_error: None,
            canceled_at: None,
            cancellation_reason: None,
        });
        self.emit("payment_intent.created", Snapshot::Intent(intent.clone()), None, at);
        let Some(decline) = decline(self.next_outcome(&method.id, at.now)) else {
            self.charge(&intent, &method, Status::Succeeded, None, at);
            return Ok(intent.id.clone());
        };
        self.refuse_card(&intent, &method, decline, at);
        let intent = self.intents.get(&intent.id).cloned().unwrap_or(intent);
        Err(ApiError::card(&intent.last_error.clone().unwrap_or_default(), view::intent(&intent)))
    }

    /// The card, if it is still there and the customer's.
    fn usable_card(&self, asked: &AskedIntent) -> Result<PaymentMethod, ApiError> {
        if let Some(customer) = &asked.customer
            && self.customer(customer).is_none()
        {
            return Err(ApiError::missing_for("customer", "customer", customer));
        }
        let id = &asked.payment_method;
        let method = self
            .payment_methods
            .get(id)
            .ok_or_else(|| ApiError::missing_for("payment_method", "PaymentMethod", id))?;
        match (&method.customer, &asked.customer) {
            (None, _) => Err(ApiError::state(
                "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, \
                 shared with a connected account without Customer attachment, or was detached from a Customer. It may \
                 not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            )),
            (Some(owner), None) => Err(ApiError::state(format!(
                "The payment method supplied ({id}) belongs to the Customer {owner}. Please include the Customer in \
                 the `customer` parameter on the PaymentIntent."
            ))),
            (Some(owner), Some(customer)) if owner != customer => Err(ApiError::state(format!(
                "PaymentMethod {id} does not belong to the Customer you supplied {customer}. Please use this payment \
                 method with the Customer that it belongs to instead."
            ))),
            (Some(_), Some(_)) => Ok(method.as_ref().clone()),
        }
    }

    /// Ends an intent that isn't paid. That of a session ends with its session.
    pub fn cancel_intent(&mut self, id: &str, mut params: Params, at: &Moment) -> Result<(), ApiError> {
        let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
        let reason = params.one_of("cancellation_reason", &reasons)?;
        params.finish()?;
        let intent = self.intents.get(id).ok_or_else(|| ApiError::missing("payment_intent", id))?;
        if intent.session.is_some() {
            let message = "You cannot cancel this PaymentIntent because it was created by a Checkout Session. Expire \
                           the Checkout Session instead.";
            return Err(ApiError::state(message));
        }
        if intent.status != IntentStatus::RequiresPaymentMethod {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of \
                 the following statuses may be canceled: requires_payment_method, requires_capture, \
                 requires_confirmation, requires_action, processing.",
                intent.status.name()
            );
            let more = Map::from_iter([("payment_intent".to_owned(), json!(view::intent(intent)))]);
            return Err(ApiError::state(message).code("payment_intent_unexpected_state").with(more));
        }
        let canceled = self.intents.edit(id, |intent| {
            intent.status = IntentStatus::Canceled;
            intent.canceled_at = Some(at.now);
            intent.cancellation_reason = reason;
        });
        if let Some(intent) = canceled {
            self.emit("payment_intent.canceled", Snapshot::Intent(intent), None, at);
        }
        Ok(())
    }
}
