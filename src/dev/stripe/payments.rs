//! What happens to a session: paid, declined, paid later, expired. Each change emits the events that Stripe would.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::error::ApiError;
use super::ids;
use super::rows::{
    Behaviour, CardFace, Charge, Customer, Intent, IntentStatus, Late, Method, PaymentMethod, Session,
    SessionStatus, Snapshot, Status,
};
use super::store::{Due, Moment, Store};
use super::view;

/// How the buyer's attempt on the hosted page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Paid,
    Declined,
    /// A delayed method: the session is complete at once, the money comes (or not) after this time.
    Late {
        after: TimeDelta,
        succeeds: bool,
    },
}

/// What the buyer typed on the hosted page. There is no field for a card's number.
#[derive(Debug, Clone, Default)]
pub struct Buyer {
    pub method: Option<Method>,
    pub fingerprint: Option<String>,
    pub email: Option<String>,
    pub card: CardFace,
    /// What becomes of charges later, if the card is saved.
    pub behaviour: Behaviour,
}

/// Why an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decline {
    /// Stripe's code, and the bank's where it gives one.
    pub code: &'static str,
    pub decline_code: Option<&'static str>,
    pub message: &'static str,
}

/// What a bank says that says nothing.
pub const DECLINED: Decline = Decline {
    code: "card_declined",
    decline_code: Some("generic_decline"),
    message: "Your card was declined.",
};

/// Why the page can't take an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRefusal {
    NoSession,
    Over(SessionStatus),
    /// The session doesn't offer this method.
    Method,
}

impl Store {
    pub fn attempt(
        &mut self,
        session: &str,
        buyer: &Buyer,
        ending: Ending,
        at: &Moment,
    ) -> Result<(), PageRefusal> {
        let session = self.sessions.get(session).ok_or(PageRefusal::NoSession)?.as_ref().clone();
        if session.status != SessionStatus::Open {
            return Err(PageRefusal::Over(session.status));
        }
        let method = buyer.method.or_else(|| session.methods.first().copied()).ok_or(PageRefusal::Method)?;
        if !session.methods.contains(&method) {
            return Err(PageRefusal::Method);
        }
        let email = buyer.email.clone().or_else(|| self.known_email(&session));
        let method = self.payment_method(&session, method, email, buyer, at);
        let intent = self.intent_of(&session, &method, at);
        match ending {
            Ending::Declined => {
                self.refuse_card(&intent, &method, DECLINED, at);
            }
            Ending::Paid => {
                self.charge(&intent, &method, Status::Succeeded, None, at);
                self.complete(&session, &method, None, at);
            }
            Ending::Late { after, succeeds } => {
                self.charge(&intent, &method, Status::Pending, None, at);
                self.complete(&session, &method, Some(Late { at: at.now + after, succeeds }), at);
            }
        }
        Ok(())
    }

    fn known_email(&self, session: &Session) -> Option<String> {
        let customer = session.customer.as_ref().and_then(|id| self.customers.get(id));
        session.customer_email.clone().or_else(|| customer?.email.clone())
    }

    fn payment_method(
        &mut self,
        session: &Session,
        method: Method,
        email: Option<String>,
        buyer: &Buyer,
        at: &Moment,
    ) -> PaymentMethod {
        let fingerprint =
            buyer.fingerprint.clone().unwrap_or_else(|| match session.customer.as_ref().or(email.as_ref()) {
                Some(person) => ids::stable(person),
                None => ids::random("", 16),
            });
        let row = PaymentMethod {
            id: ids::random("pm_1", 23),
            created: at.now,
            method,
            fingerprint,
            customer: None,
            email,
            card: buyer.card.clone(),
            behaviour: buyer.behaviour.clone(),
        };
        self.payment_methods.put(row).as_ref().clone()
    }

    /// The session's intent, made with its first attempt, carrying the method of this attempt.
    fn intent_of(&mut self, session: &Session, method: &PaymentMethod, at: &Moment) -> Intent {
        let setup = match method.method {
            Method::Card => session.card_setup.clone().or_else(|| session.intent_setup.clone()),
            _ => session.intent_setup.clone(),
        };
        let known = session.intent.as_ref().and_then(|id| {
            self.intents.edit(id, |intent| {
                intent.payment_method = Some(method.id.clone());
                intent.setup.clone_from(&setup);
            })
        });
        if let Some(intent) = known {
            return intent.as_ref().clone();
        }
        let intent = self.intents.put(Intent {
            id: ids::intent(),
            created: at.now,
            session: Some(session.id.clone()),
            amount: session.amount,
            currency: session.currency.clone(),
            methods: session.methods.clone(),
            allowed: None,
            status: IntentStatus::RequiresPaymentMethod,
            customer: session.customer.clone(),
            description: session.intent_description.clone(),
            receipt_email: session.receipt_email.clone(),
            metadata: session.intent_metadata.clone(),
            setup,
            payment_method: Some(method.id.clone()),
            latest_charge: None,
            last_error: None,
            canceled_at: None,
            cancellation_reason: None,
        });
        self.sessions.edit(&session.id, |session| session.intent = Some(intent.id.clone()));
        let made = intent.as_ref().clone();
        self.emit("payment_intent.created", Snapshot::Intent(intent), None, at);
        made
    }

    /// One try to take an intent's money; the charge's id.
    pub fn charge(
        &mut self,
        intent: &Intent,
        method: &PaymentMethod,
        status: Status,
        decline: Option<Decline>,
        at: &Moment,
    ) -> String {
        let charge = self.charges.put(Charge {
            id: ids::charge(method.method == Method::Card),
            created: at.now,
            intent: intent.id.clone(),
            amount: intent.amount,
            currency: intent.currency.clone(),
            status,
            method: method.method,
            payment_method: method.id.clone(),
            fingerprint: method.fingerprint.clone(),
            customer: intent.customer.clone(),
            description: intent.description.clone(),
            receipt_email: intent.receipt_email.clone(),
            email: method.email.clone(),
            metadata: intent.metadata.clone(),
            failure_message: decline.map(|decline| decline.message.to_owned()),
            failure_code: decline.map(|decline| decline.code.to_owned()),
            decline_code: decline.and_then(|decline| decline.decline_code).map(str::to_owned),
            card: method.card.clone(),
            refunded: 0,
            refunds: Vec::new(),
            dispute: None,
        });
        let id = charge.id.clone();
        self.emit(&format!("charge.{}", status.name()), Snapshot::Charge(charge), None, at);
        let intent = self.intents.edit(&intent.id, |intent| {
            intent.latest_charge = Some(id.clone());
            match status {
                Status::Succeeded => intent.succeed(),
                Status::Pending => intent.status = IntentStatus::Processing,
                Status::Failed => {}
            }
        });
        match (intent, status) {
            (Some(intent), Status::Succeeded) => {
                self.emit("payment_intent.succeeded", Snapshot::Intent(intent), None, at);
            }
            (Some(intent), Status::Pending) => {
                self.emit("payment_intent.processing", Snapshot::Intent(intent), None, at);
            }
            _ => {}
        }
        id
    }

    /// A charge that fails at once, and what becomes of its intent.
    pub fn refuse_card(&mut self, intent: &Intent, method: &PaymentMethod, decline: Decline, at: &Moment) {
        let charge = self.charge(intent, method, Status::Failed, Some(decline), at);
        self.fail_intent(&intent.id, &charge, method, decline, at);
    }

    fn fail_intent(
        &mut self,
        intent: &str,
        charge: &str,
        method: &PaymentMethod,
        decline: Decline,
        at: &Moment,
    ) {
        let error = payment_error(charge, method, decline);
        let intent = self.intents.edit(intent, |intent| {
            intent.status = IntentStatus::RequiresPaymentMethod;
            intent.payment_method = None;
            intent.last_error = Some(error);
        });
        if let Some(intent) = intent {
            self.emit("payment_intent.payment_failed", Snapshot::Intent(intent), None, at);
        }
    }

    /// The buyer is done: the session is complete, and paid unless a delayed method has still to deliver.
    fn complete(&mut self, session: &Session, method: &PaymentMethod, late: Option<Late>, at: &Moment) {
        let customer = self.customer_of(session, method, at);
        let paid = late.is_none();
        self.due.remove(&(session.expires_at, Due::Expiry(session.id.clone())));
        if let Some(late) = &late {
            self.due.insert((late.at, Due::LatePayment(session.id.clone())));
        }
        let session = self.sessions.edit(&session.id, |session| {
            session.status = SessionStatus::Complete;
            session.paid = paid;
            session.late = late;
            session.payer_email.clone_from(&method.email);
            session.customer = customer;
        });
        if let Some(session) = session {
            self.emit("checkout.session.completed", Snapshot::Session(session), None, at);
        }
    }

    /// The session's customer, made now if it asked for one; a card that is to be used again is attached to it.
    fn customer_of(&mut self, session: &Session, method: &PaymentMethod, at: &Moment) -> Option<String> {
        let customer = match (&session.customer, session.customer_creation.as_deref()) {
            (Some(customer), _) => customer.clone(),
            (None, Some("always")) => self.create_customer(
                Customer {
                    id: ids::random("cus_", 14),
                    created: at.now,
                    email: method.email.clone(),
                    name: None,
                    phone: None,
                    description: None,
                    locales: Vec::new(),
                    metadata: BTreeMap::new(),
                    default_method: None,
                    deleted: false,
                },
                at,
            ),
            (None, _) => return None,
        };
        let saves_card = session.card_setup.is_some() || session.intent_setup.is_some();
        if saves_card && method.method == Method::Card {
            self.attach_card(&method.id, &customer, at);
        }
        Some(customer)
    }

    pub fn create_customer(&mut self, customer: Customer, at: &Moment) -> String {
        let customer = self.customers.put(customer);
        let id = customer.id.clone();
        self.emit("customer.created", Snapshot::Customer(customer), None, at);
        id
    }

    /// A delayed method delivers, or doesn't.
    pub fn finish_late(&mut self, session: &str, at: &Moment) {
        let Some(session) = self.sessions.get(session).map(|session| session.as_ref().clone()) else {
            return;
        };
        let (Some(late), Some(intent)) = (&session.late, &session.intent) else { return };
        let Some(intent) = self.intents.get(intent).map(|intent| intent.as_ref().clone()) else { return };
        let status = if late.succeeds { Status::Succeeded } else { Status::Failed };
        let charge = intent.latest_charge.clone().unwrap_or_default();
        let changed = self.charges.edit(&charge, |charge| {
            charge.status = status;
            let decline = (!late.succeeds).then_some(DECLINED);
            charge.failure_message = decline.map(|decline| decline.message.to_owned());
            charge.failure_code = decline.map(|decline| decline.code.to_owned());
            charge.decline_code = decline.and_then(|decline| decline.decline_code).map(str::to_owned);
        });
        if let Some(charge) = changed {
            self.emit(&format!("charge.{}", status.name()), Snapshot::Charge(charge), None, at);
        }
        if late.succeeds {
            if let Some(intent) = self.intents.edit(&intent.id, Intent::succeed) {
                self.emit("payment_intent.succeeded", Snapshot::Intent(intent), None, at);
            }
        } else if let Some(method) =
            intent.payment_method.as_ref().and_then(|id| self.payment_methods.get(id)).cloned()
        {
            self.fail_intent(&intent.id, &charge, &method, DECLINED, at);
        }
        let changed = self.sessions.edit(&session.id, |session| {
            session.paid = late.succeeds;
            session.late = None;
        });
        if let Some(session) = changed {
            let kind = if late.succeeds { "async_payment_succeeded" } else { "async_payment_failed" };
            self.emit(&format!("checkout.session.{kind}"), Snapshot::Session(session), None, at);
        }
    }

    /// Expires an open session; its intent, if an attempt made one, is canceled.
    pub fn expire(&mut self, session: &str, at: &Moment) {
        let Some(session) = self.sessions.get(session).map(|session| session.as_ref().clone()) else {
            return;
        };
        if session.status != SessionStatus::Open {
            return;
        }
        self.due.remove(&(session.expires_at, Due::Expiry(session.id.clone())));
        let canceled = session.intent.as_ref().and_then(|id| {
            self.intents.edit(id, |intent| {
                intent.status = IntentStatus::Canceled;
                intent.canceled_at = Some(at.now);
            })
        });
        if let Some(intent) = canceled {
            self.emit("payment_intent.canceled", Snapshot::Intent(intent), None, at);
        }
        if let Some(session) =
            self.sessions.edit(&session.id, |session| session.status = SessionStatus::Expired)
        {
            self.emit("checkout.session.expired", Snapshot::Session(session), None, at);
        }
    }

    /// Expires a session on request: only open ones.
    pub fn expire_on_request(&mut self, id: &str, at: &Moment) -> Result<(), ApiError> {
        let session = self.sessions.get(id).ok_or_else(|| ApiError::missing("checkout.session", id))?;
        if session.status != SessionStatus::Open {
            return Err(ApiError::state(format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a \
                 status of {}.",
                session.status.name()
            )));
        }
        self.expire(id, at);
        Ok(())
    }
}

impl Intent {
    pub fn succeed(&mut self) {
        self.status = IntentStatus::Succeeded;
        self.last_error = None;
    }
}

fn payment_error(charge: &str, method: &PaymentMethod, decline: Decline) -> Value {
    let (kind, code, message) = match method.method {
        Method::Card => ("card_error", decline.code, decline.message),
        _ => (
            "invalid_request_error",
            "payment_method_provider_decline",
            "The payment was declined by the payment method's provider.",
        ),
    };
    let mut error = json!({
        "charge": charge,
        "code": code,
        "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
        "message": message,
        "payment_method": view::payment_method(method),
        "type": kind,
    });
    if method.method == Method::Card
        && let (Some(code), Some(error)) = (decline.decline_code, error.as_object_mut())
    {
        error.insert("decline_code".to_owned(), json!(code));
    }
    error
}
