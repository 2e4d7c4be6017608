//! Refusals in Stripe's error shape (`docs.stripe.com/api/errors`).

use serde_json::{Map, Value, json};

/// Why a call was refused, as Stripe would tell it.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    /// Further fields of the error, such as the payment intent that it is about.
    more: Option<Box<Map<String, Value>>>,
    /// Whether the operation began to run, so that its result is kept under the idempotency key. Stripe keeps neither
    /// validation errors nor running conflicts.
    pub executed: bool,
    /// Stripe's hint to its SDKs (`Stripe-Should-Retry`), where it gives one.
    pub should_retry: Option<bool>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            message: message.into(),
            param: None,
            more: None,
            executed: false,
            should_retry: None,
        }
    }

    /// A request that can't be right whatever the state: 400, not kept under the idempotency key.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// A request that the state of things forbids now: 400, kept under the idempotency key.
    pub fn state(message: impl Into<String>) -> Self {
        Self { executed: true, ..Self::invalid(message) }
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// The object that the path names isn't there.
    pub fn missing(object: &str, id: &str) -> Self {
        Self::new(404, "invalid_request_error", format!("No such {object}: '{id}'"))
            .code("resource_missing")
            .param("id")
    }

    /// The object that a parameter names isn't there.
    pub fn missing_for(param: &str, object: &str, id: &str) -> Self {
        Self::state(format!("No such {object}: '{id}'")).code("resource_missing").param(param)
    }

    /// A card was refused: 402, kept under the idempotency key. `failure` is the intent's `last_payment_error`.
    pub fn card(failure: &Value, intent: Value) -> Self {
        let text = |key: &str| failure.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut more = failure.as_object().cloned().unwrap_or_default();
        more.insert("payment_intent".to_owned(), intent);
        let refused = Self { executed: true, ..Self::new(402, "card_error", text("message")) };
        refused.with(more)
    }

    /// Further fields of the error's body.
    pub fn with(mut self, more: Map<String, Value>) -> Self {
        self.more = Some(Box::new(more));
        self
    }

    pub fn unrecognized_url(method: &str, path: &str) -> Self {
        Self::new(
            404,
            "invalid_request_error",
            format!("Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs."),
        )
    }

    pub fn required(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}.")).code("parameter_missing").param(param)
    }

    pub fn unknown_parameter(param: &str) -> Self {
        Self::invalid(format!("Received unknown parameter: {param}")).code("parameter_unknown").param(param)
    }

    /// A parameter that Stripe knows and the simulator does nothing with: accepting it would be a lie.
    pub fn not_simulated(param: &str) -> Self {
        Self::invalid(format!("The simulator doesn't do what '{param}' asks for.")).param(param)
    }

    pub fn rate_limited() -> Self {
        Self::new(429, "invalid_request_error", "Request rate limit exceeded.").code("rate_limit")
    }

    pub fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, "idempotency_error", message)
    }

    pub fn key_reused_elsewhere(key: &str, endpoint: &str, first: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for \
             ('{endpoint}' vs '{first}'). Try using a key other than '{key}' if you meant to execute a different \
             request."
        );
        Self::new(400, "idempotency_error", message)
    }

    pub fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you \
             submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        Self {
            should_retry: Some(true),
            ..Self::new(409, "idempotency_error", message).code("idempotency_key_in_use")
        }
    }

    /// The answer to an injected fault of this status. 402 and 500 happen after the operation began to run, so they
    /// are kept under the key and replayed; the others come from in front of it.
    pub fn injected(status: u16) -> Self {
        let message = "An injected fault of the simulator.";
        match status {
            401 => Self::unauthorized(message),
            402 => Self {
                executed: true,
                ..Self::new(402, "card_error", "Your card was declined.").code("card_declined")
            },
            409 => Self {
                should_retry: Some(true),
                ..Self::new(409, "invalid_request_error", "This object cannot be accessed right now.")
                    .code("lock_timeout")
            },
            429 => Self::rate_limited(),
            500 => Self { executed: true, ..Self::new(500, "api_error", message) },
            status if status > 500 => Self::new(status, "api_error", message),
            status => Self { status, ..Self::invalid(message) },
        }
    }

    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The body, as Stripe writes it.
    pub fn body(&self) -> Value {
        let mut error = Map::new();
        if let Some(code) = self.code {
            error.insert("code".into(), json!(code));
            let page = code.replace('_', "-");
            error.insert("doc_url".into(), json!(format!("https://stripe.com/docs/error-codes/{page}")));
        }
        error.insert("message".into(), json!(self.message));
        if let Some(param) = &self.param {
            error.insert("param".into(), json!(param));
        }
        error.insert("type".into(), json!(self.kind));
        for (name, value) in self.more.iter().flat_map(|more| more.iter()) {
            error.insert(name.clone(), value.clone());
        }
        json!({ "error": error })
    }
}
