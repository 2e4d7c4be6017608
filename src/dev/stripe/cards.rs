//! Saved cards: whose they are, how they behave, and the visits to the page on which their owner looks after them.

use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::{Value, json};

use super::checkout::read_url;
use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::list::Page;
use super::operation::listed;
use super::rows::{Behaviour, CardFace, Customer, Method, Outcome, PaymentMethod, Portal, Snapshot};
use super::store::{Moment, Store};
use super::view;

/// How long a visit to the portal lasts.
const PORTAL_LIFE: TimeDelta = TimeDelta::hours(1);

/// The portal's languages.
const LOCALES: [&str; 47] = [
    "auto", "bg", "cs", "da", "de", "el", "en", "en-AU", "en-CA", "en-GB", "en-IE", "en-IN", "en-NZ",
    "en-SG", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA", "hr", "hu", "id", "it", "ja", "ko", "lt",
    "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh",
    "zh-HK", "zh-TW",
];

/// What may be typed of a new card on the hosted pages; nobody asks for its number.
pub struct NewCard {
    pub last4: Option<String>,
    pub exp_month: Option<String>,
    pub exp_year: Option<String>,
}

impl NewCard {
    /// What wasn't typed is that of the default card.
    pub fn read(self) -> Result<CardFace, &'static str> {
        let mut card = CardFace::default();
        if let Some(last4) = self.last4 {
            if last4.len() != 4 || !last4.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err("The last four digits of a card are four digits.");
            }
            card.last4 = last4;
        }
        let number = |text: Option<String>, usual| text.map_or(Some(usual), |text| text.parse().ok());
        let month = number(self.exp_month, card.exp_month);
        let year = number(self.exp_year, card.exp_year);
        match (month, year) {
            (Some(month), Some(year)) if is_expiry(month, year) => {
                (card.exp_month, card.exp_year) = (month, year);
                Ok(card)
            }
            _ => Err("A card ends in a month from 1 to 12 of a year of four digits."),
        }
    }
}

pub fn is_expiry(month: i64, year: i64) -> bool {
    (1..=12).contains(&month) && (1_000..=9_999).contains(&year)
}

impl CardFace {
    /// Whether the card's last month is over.
    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        (self.exp_year, self.exp_month) < (now.year().into(), now.month().into())
    }
}

/// A request for a visit to the portal.
#[derive(Debug)]
pub struct AskedPortal {
    customer: String,
    return_url: Option<String>,
    locale: Option<String>,
}

impl AskedPortal {
    pub fn read(mut params: Params) -> Result<Self, ApiError> {
        params.refuse(&["configuration", "customer_account", "flow_data", "on_behalf_of"])?;
        let asked = Self {
            customer: params.required("customer")?,
            return_url: read_url(&mut params, "return_url")?,
            locale: params.one_of("locale", &LOCALES)?,
        };
        params.finish()?;
        Ok(asked)
    }
}

/// The one change of a customer that is simulated.
pub fn read_default(mut params: Params) -> Result<String, ApiError> {
    const NAME: &str = "invoice_settings[default_payment_method]";
    params.refuse(&[
        "address",
        "description",
        "email",
        "metadata",
        "name",
        "phone",
        "preferred_locales",
        "shipping",
    ])?;
    let mut settings = params.hash("invoice_settings")?.ok_or_else(|| ApiError::required(NAME))?;
    params.finish()?;
    let method = settings.required("default_payment_method")?;
    settings.refuse(&["custom_fields", "footer", "rendering_options"])?;
    settings.finish()?;
    Ok(method)
}

impl Store {
    /// A customer who wasn't deleted.
    pub fn customer(&self, id: &str) -> Option<&Arc<Customer>> {
        self.customers.get(id).filter(|customer| !customer.deleted)
    }

    /// The cards that a customer has saved, newest first.
    pub fn cards(&self, customer: &str) -> Vec<Arc<PaymentMethod>> {
        let is_his = |method: &&Arc<PaymentMethod>| {
            method.method == Method::Card && method.customer.as_deref() == Some(customer)
        };
        self.payment_methods.oldest_first().rev().filter(is_his).cloned().collect()
    }

    pub fn attach_card(&mut self, card: &str, customer: &str, at: &Moment) {
        let changed = self.payment_methods.edit(card, |card| card.customer = Some(customer.to_owned()));
        if let Some(card) = changed {
            self.emit("payment_method.attached", Snapshot::PaymentMethod(card), None, at);
        }
    }

    /// A new card of a customer, typed on the portal.
    pub fn add_card(
        &mut self,
        customer: &str,
        fingerprint: Option<String>,
        card: CardFace,
        behaviour: Behaviour,
        at: &Moment,
    ) {
        let email = self.customer(customer).and_then(|customer| customer.email.clone());
        let card = self.payment_methods.put(PaymentMethod {
            id: ids::random("pm_1", 23),
            created: at.now,
            method: Method::Card,
            fingerprint: fingerprint.unwrap_or_else(|| ids::random("", 16)),
            customer: None,
            email,
            card,
            behaviour,
        });
        self.attach_card(&card.id, customer, at);
    }

    /// Takes a card off its owner, for good.
    pub fn detach_card(&mut self, id: &str, at: &Moment) -> Result<(), ApiError> {
        let method = self.payment_methods.get(id).ok_or_else(|| ApiError::missing("PaymentMethod", id))?;
        let Some(customer) = method.customer.clone() else {
            let message =
                "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(ApiError::state(message));
        };
        let changed = self.payment_methods.edit(id, |method| method.customer = None);
        if let Some(method) = changed {
            let previous = json!({ "customer": customer });
            self.emit("payment_method.detached", Snapshot::PaymentMethod(method), Some(previous), at);
        }
        if self.customers.get(&customer).is_some_and(|row| row.default_method.as_deref() == Some(id)) {
            self.change_default(&customer, None, at);
        }
        Ok(())
    }

    /// Makes one of a customer's cards the default.
    pub fn set_default(&mut self, customer: &str, method: &str, at: &Moment) -> Result<(), ApiError> {
        if self.customer(customer).is_none() {
            return Err(ApiError::missing("customer", customer));
        }
        let known = self.payment_methods.get(method);
        if known.is_none_or(|known| known.customer.as_deref() != Some(customer)) {
            let message = format!(
                "The customer does not have a payment method with the ID {method}. The payment method must be attached \
                 to the customer."
            );
            let param = "invoice_settings[default_payment_method]";
            return Err(ApiError::state(message).code("resource_missing").param(param));
        }
        self.change_default(customer, Some(method), at);
        Ok(())
    }

    fn change_default(&mut self, customer: &str, method: Option<&str>, at: &Moment) {
        let before = self.customers.get(customer).and_then(|row| row.default_method.clone());
        let changed = self.customers.edit(customer, |row| row.default_method = method.map(str::to_owned));
        if let Some(row) = changed {
            let settings = json!({
                "custom_fields": null, "default_payment_method": before, "footer": null, "rendering_options": null,
            });
            let previous = json!({ "invoice_settings": settings });
            self.emit("customer.updated", Snapshot::Customer(row), Some(previous), at);
        }
    }

    /// Deletes a customer, and takes his cards off him.
    pub fn delete_customer(&mut self, id: &str, at: &Moment) -> Result<(), ApiError> {
        if self.customer(id).is_none() {
            return Err(ApiError::missing("customer", id));
        }
        for card in self.cards(id) {
            self.detach_card(&card.id, at)?;
        }
        if let Some(row) = self.customers.get(id).cloned() {
            self.emit("customer.deleted", Snapshot::Customer(row), None, at);
        }
        self.customers.edit(id, |row| row.deleted = true);
        Ok(())
    }

    /// Changes a saved card, or each one of a customer.
    pub fn edit_cards(
        &mut self,
        customer_or_card: &str,
        change: impl Fn(&mut PaymentMethod),
    ) -> Result<(), String> {
        let saved = self.payment_methods.get(customer_or_card).filter(|card| card.customer.is_some());
        let cards = match saved {
            Some(card) => vec![Arc::clone(card)],
            None => self.cards(customer_or_card),
        };
        if cards.is_empty() {
            return Err("no saved card, and no customer with one, of this id".to_owned());
        }
        for card in cards {
            self.payment_methods.edit(&card.id, &change);
        }
        Ok(())
    }

    /// How this charge of a saved card ends; one of the times of its behaviour is used up.
    pub fn next_outcome(&mut self, card: &str, now: DateTime<Utc>) -> Outcome {
        let mut outcome = Outcome::Ok;
        self.payment_methods.edit(card, |method| {
            outcome = method.behaviour.outcome;
            if let Some(times) = method.behaviour.times.map(|times| times.saturating_sub(1)) {
                method.behaviour =
                    if times == 0 { Behaviour::default() } else { Behaviour { outcome, times: Some(times) } };
            }
            if outcome == Outcome::Ok && method.card.has_ended(now) {
                outcome = Outcome::ExpiredCard;
            }
        });
        outcome
    }

    /// `GET /v1/customers/{id}/payment_methods` and `GET /v1/payment_methods?customer={id}`.
    pub fn list_cards(&self, of_path: Option<&str>, mut params: Params) -> Result<Value, ApiError> {
        let page = Page::read(&mut params)?;
        let kind = params.text("type")?;
        params.refuse(&["allow_redisplay", "customer_account"])?;
        let (customer, url) = match of_path {
            Some(customer) if self.customer(customer).is_none() => {
                return Err(ApiError::missing("customer", customer));
            }
            Some(customer) => (customer.to_owned(), format!("/v1/customers/{customer}/payment_methods")),
            None => (params.required("customer")?, "/v1/payment_methods".to_owned()),
        };
        params.finish()?;
        if self.customer(&customer).is_none() {
            return Err(ApiError::missing_for("customer", "customer", &customer));
        }
        let (rows, has_more) = page.of(&self.payment_methods, |row| {
            row.customer.as_ref() == Some(&customer)
                && kind.as_ref().is_none_or(|kind| row.method.name() == kind)
        })?;
        Ok(listed(&url, &rows, has_more, view::payment_method))
    }

    pub fn create_portal(&mut self, asked: AskedPortal, at: &Moment) -> Result<Arc<Portal>, ApiError> {
        if self.customer(&asked.customer).is_none() {
            return Err(ApiError::missing_for("customer", "customer", &asked.customer));
        }
        Ok(self.portals.put(Portal {
            id: ids::random("bps_1", 40),
            created: at.now,
            customer: asked.customer,
            return_url: asked.return_url,
            locale: asked.locale,
        }))
    }

    /// A visit to the portal, while it lasts.
    pub fn portal(&self, id: &str, now: DateTime<Utc>) -> Option<Arc<Portal>> {
        let lasts = |portal: &&Arc<Portal>| portal.created + PORTAL_LIFE > now;
        self.portals.get(id).filter(lasts).filter(|portal| self.customer(&portal.customer).is_some()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_good_to_the_end_of_its_month() {
        let card = CardFace { exp_month: 11, exp_year: 2026, ..CardFace::default() };
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(!card.has_ended(at("2026-11-30T23:59:59Z")));
        assert!(card.has_ended(at("2026-12-01T00:00:00Z")));
        assert!(!card.has_ended(at("2025-12-01T00:00:00Z")));
    }

    #[test]
    fn a_card_is_typed_in_part_or_refused() {
        let read = |last4: Option<&str>, month: Option<&str>, year: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            NewCard { last4: own(last4), exp_month: own(month), exp_year: own(year) }.read()
        };
        assert_eq!(read(None, None, None), Ok(CardFace::default()));
        let card = read(Some("0005"), Some("1"), Some("2027")).unwrap();
        assert_eq!((card.last4.as_str(), card.exp_month, card.exp_year), ("0005", 1, 2027));
        for (last4, month, year) in [
            (Some("42"), None, None),
            (Some("４２４２"), None, None),
            (None, Some("13"), None),
            (None, Some("0"), None),
            (None, Some("soon"), None),
            (None, None, Some("27")),
        ] {
            assert!(read(last4, month, year).is_err());
        }
    }
}
