//! What can go wrong, sorted by what a caller may do about it.

use std::fmt;

/// The settings can't make a client. Says which one is wrong and never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The key is empty or holds characters that can't be sent in a header.
    #[error("the Stripe secret key is empty or holds characters other than visible ASCII")]
    SecretKey,
    /// The base URL isn't an absolute http or https address without query and fragment.
    #[error("the Stripe base URL must be an absolute http or https address without query or fragment")]
    BaseUrl,
    /// A live key would travel unencrypted.
    #[error("a live Stripe key is never sent over plain http")]
    LiveKeyInTheClear,
}

/// A call to Stripe didn't bring what was asked for.
///
/// Neither `Display` nor `Debug` shows Stripe's message, because messages can quote what the buyer typed (an e-mail
/// address); it is in the field for who needs it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Stripe said no, and would say no again to the same request: 4xx other than 404, 409, 424 and 429.
    /// A request that could never be sent (a key over 255 characters) is refused here with status 0.
    #[error("Stripe refused ({status} {kind}{}{})", labelled(" code=", .code), labelled(" param=", .param))]
    Refused {
        /// HTTP status, 0 when the request was never sent.
        status: u16,
        /// `invalid_request_error`, `card_error`, `idempotency_error`, …
        kind: String,
        /// Stripe's short code, such as `charge_already_refunded`.
        code: Option<String>,
        /// For people; may quote input.
        message: String,
        /// The parameter that Stripe objects to.
        param: Option<String>,
    },
    /// There is no such object, for this key in this mode.
    #[error("Stripe knows no such object")]
    NotFound,
    /// 429 on every try: nothing happened.
    #[error("Stripe asked to slow down")]
    RateLimited,
    /// Time-out, network error, 409, 424, 5xx or an unreadable answer, on every try: a write may have happened.
    /// Repeat with the same key and body, or look it up.
    #[error("the outcome at Stripe is unknown: {why}")]
    OutcomeUnknown {
        /// The HTTP status where one was seen. Stripe replays a stored 500 for the same key, so after
        /// `Some(500)` on several runs only a look-up and a new key lead on.
        status: Option<u16>,
        /// Without secrets and personal data.
        why: String,
    },
}

impl CallError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited | Self::OutcomeUnknown { .. })
    }

    /// Whether Stripe objects to our key (401, 403) rather than to the request: an operator's matter, after which
    /// the same request may be sent again.
    pub fn is_credentials(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    pub(crate) fn unknown(status: Option<u16>, why: impl Into<String>) -> Self {
        Self::OutcomeUnknown { status, why: why.into() }
    }

    /// A request that can't be sent at all; refused before any contact.
    pub(crate) fn unsendable(kind: &str, message: impl Into<String>) -> Self {
        Self::Refused { status: 0, kind: kind.to_owned(), code: None, message: message.into(), param: None }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

fn labelled(label: &str, value: &Option<String>) -> String {
    value.as_deref().map(|text| format!("{label}{text}")).unwrap_or_default()
}
