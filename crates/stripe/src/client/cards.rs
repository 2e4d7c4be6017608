//! Saved cards: charges without their owner, and the page on which he looks after them.

use stripe_core::customer::RetrieveCustomer;

use super::{MOST_PAGES, Stripe, known_form};
use crate::error::CallError;
use crate::types::{Card, Intent, NewCharge};
use crate::{answer, request};

/// What Stripe calls an object that isn't there.
const MISSING: &str = "resource_missing";
/// What Stripe calls a payment method that can't be used as it stands.
const METHOD_UNUSABLE: &str = "payment_method_unexpected_state";

impl Stripe {
    /// Takes money from a saved card without its owner being there.
    ///
    /// A card that was refused is an answer: the intent stands at `RequiresPaymentMethod` and has its `failure_code`; so is
    /// one whose owner must authenticate (`authentication_required`). Such an intent takes nothing more by itself; a new
    /// attempt has a new key and makes a new one. The same key gives the same outcome again for a day, also a refusal.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the code `resource_missing` or one that starts with `payment_method_` where the
    /// customer or the card isn't there any more: nothing was tried, and no repeat helps.
    pub async fn charge_saved_card(&self, key: &str, new: &NewCharge) -> Result<Intent, CallError> {
        let request = request::charge_saved_card(new);
        let failure = match self.write_or_tell(key, &request, answer::intent).await {
            Ok(intent) => return Ok(intent),
            Err(failure) => failure,
        };
        match (failure.error, failure.intent) {
            // The error's own intent comes without its charge, so it is looked at.
            (CallError::Refused { status: 402, .. }, Some(id)) => self.intent(&id).await.map_err(looked_up),
            (error, _) => Err(named(error)),
        }
    }

    /// A payment intent as it is now, with its charge.
    pub async fn intent(&self, id: &str) -> Result<Intent, CallError> {
        known_form(id)?;
        self.read(&request::intent(id), answer::intent).await
    }

    /// Newest first, those of a customer created from a moment on (UNIX seconds, inclusive): to find a charge whose
    /// answer was lost, by its `payment_id`. Those of his payment pages are among them.
    pub async fn intents_of(&self, customer: &str, created_from: i64) -> Result<Vec<Intent>, CallError> {
        let mut all: Vec<Intent> = Vec::new();
        for _ in 0..MOST_PAGES {
            let after = all.last().map(|intent| intent.id.as_str());
            let request = request::intents_of(customer, created_from, after);
            let page = self.read(&request, |value| answer::whole_page(value, answer::intent)).await?;
            all.extend(page.data);
            if !page.has_more {
                return Ok(all);
            }
        }
        Err(CallError::unknown(None, "the list of payment intents has no end"))
    }

    /// Ends an intent that nobody will pay any more. Stripe refuses this (400, `payment_intent_unexpected_state`) where the
    /// money has come or the intent was ended before: then look at it.
    pub async fn cancel_intent(&self, key: &str, id: &str) -> Result<Intent, CallError> {
        known_form(id)?;
        self.write(key, &request::cancel_intent(id), answer::intent).await
    }

    /// The cards that a customer has saved, newest first; empty for a customer that was deleted or never was.
    pub async fn cards_of(&self, customer: &str) -> Result<Vec<Card>, CallError> {
        known_form(customer)?;
        let owner = match self.read(&RetrieveCustomer::new(customer), answer::owner).await {
            Ok(owner) if owner.is_deleted => return Ok(Vec::new()),
            Err(CallError::NotFound) => return Ok(Vec::new()),
            owner => owner?,
        };
        let default_method = owner.default_method.as_deref();
        let mut all: Vec<Card> = Vec::new();
        for _ in 0..MOST_PAGES {
            let after = all.last().map(|card| card.id.as_str());
            let request = request::cards_of(customer, after);
            let read = |value: &_| answer::page(value, |item| answer::card(item, default_method));
            let page = match self.read(&request, read).await {
                Ok(page) => page,
                Err(error) if is_gone(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            all.extend(page.data);
            if !page.has_more {
                return Ok(all);
            }
        }
        Err(CallError::unknown(None, "the list of cards has no end"))
    }

    /// Stripe's page on which a customer looks after his cards: its address, which is short-lived and lets whoever has it
    /// in. A key gives the same address for a day, also after it ended: use a new key for each visit.
    pub async fn create_portal(
        &self,
        key: &str,
        customer: &str,
        return_url: &str,
        locale: Option<&str>,
    ) -> Result<String, CallError> {
        self.write(key, &request::create_portal(customer, return_url, locale), answer::portal).await
    }
}

/// Deleted between two calls.
fn is_gone(error: &CallError) -> bool {
    match error {
        CallError::NotFound => true,
        CallError::Refused { code, .. } => code.as_deref() == Some(MISSING),
        _ => false,
    }
}

/// An intent that Stripe has just named can't be missing: the outcome is open until it is seen.
fn looked_up(error: CallError) -> CallError {
    match error {
        CallError::NotFound => CallError::unknown(Some(404), "the refused payment intent can't be found"),
        other => other,
    }
}

/// Refusals over a customer or a card that isn't there any more always carry a code, also where Stripe tells it in words
/// only: a card that was taken off its customer, and one that was never his.
fn named(error: CallError) -> CallError {
    let refused = |status, kind, code: &str, message, param| CallError::Refused {
        status,
        kind,
        code: Some(code.to_owned()),
        message,
        param,
    };
    match error {
        CallError::NotFound => {
            refused(404, "invalid_request_error".to_owned(), MISSING, "no such object".to_owned(), None)
        }
        CallError::Refused { status: status @ 400, kind, code: None, message, param }
            if param.as_deref() == Some("payment_method")
                || message.contains("may not be used again")
                || message.contains("does not belong to the Customer") =>
        {
            refused(status, kind, METHOD_UNUSABLE, message, param)
        }
        other => other,
    }
}
