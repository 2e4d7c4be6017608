//! The calls that the simulator answers, by method and path, and what each does.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cards::{AskedPortal, read_default};
use super::checkout::AskedSession;
use super::error::ApiError;
use super::events::AskedEvents;
use super::expand::expand;
use super::form::Params;
use super::ids;
use super::list::Page;
use super::off_session::AskedIntent;
use super::portal;
use super::refunds::AskedRefund;
use super::rows::{Customer, Method};
use super::store::{Moment, Store};
use super::view;

/// A call, with the id that its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    CreateCheckout,
    ListCheckouts,
    RetrieveCheckout(String),
    ExpireCheckout(String),
    ListLineItems(String),
    CreateRefund,
    ListRefunds,
    RetrieveRefund(String),
    CreatePaymentIntent,
    ListPaymentIntents,
    RetrievePaymentIntent(String),
    CancelPaymentIntent(String),
    RetrieveCharge(String),
    ListDisputes,
    RetrieveDispute(String),
    CreateCustomer,
    RetrieveCustomer(String),
    UpdateCustomer(String),
    DeleteCustomer(String),
    /// Of a customer whom the path names, or a parameter.
    ListPaymentMethods(Option<String>),
    RetrievePaymentMethod(String),
    DetachPaymentMethod(String),
    CreatePortalSession,
    ListEvents,
    RetrieveEvent(String),
}

impl Operation {
    /// Finds the call of a method and a path such as `/v1/refunds`.
    pub fn find(method: &str, path: &str) -> Option<Self> {
        use Operation as O;
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        Some(match (method, parts.as_slice()) {
            ("POST", ["checkout", "sessions"]) => O::CreateCheckout,
            ("GET", ["checkout", "sessions"]) => O::ListCheckouts,
            ("GET", ["checkout", "sessions", id]) => O::RetrieveCheckout((*id).to_owned()),
            ("POST", ["checkout", "sessions", id, "expire"]) => O::ExpireCheckout((*id).to_owned()),
            ("GET", ["checkout", "sessions", id, "line_items"]) => O::ListLineItems((*id).to_owned()),
            ("POST", ["refunds"]) => O::CreateRefund,
            ("GET", ["refunds"]) => O::ListRefunds,
            ("GET", ["refunds", id]) => O::RetrieveRefund((*id).to_owned()),
            ("POST", ["payment_intents"]) => O::CreatePaymentIntent,
            ("GET", ["payment_intents"]) => O::ListPaymentIntents,
            ("POST", ["payment_intents", id, "cancel"]) => O::CancelPaymentIntent((*id).to_owned()),
            ("GET", ["payment_intents", id]) => O::RetrievePaymentIntent((*id).to_owned()),
            ("GET", ["charges", id]) => O::RetrieveCharge((*id).to_owned()),
            ("GET", ["disputes"]) => O::ListDisputes,
            ("GET", ["disputes", id]) => O::RetrieveDispute((*id).to_owned()),
            ("POST", ["customers"]) => O::CreateCustomer,
            ("GET", ["customers", id]) => O::RetrieveCustomer((*id).to_owned()),
            ("POST", ["customers", id]) => O::UpdateCustomer((*id).to_owned()),
            ("DELETE", ["customers", id]) => O::DeleteCustomer((*id).to_owned()),
            ("GET", ["customers", id, "payment_methods"]) => O::ListPaymentMethods(Some((*id).to_owned())),
            ("GET", ["payment_methods"]) => O::ListPaymentMethods(None),
            ("GET", ["payment_methods", id]) => O::RetrievePaymentMethod((*id).to_owned()),
            ("POST", ["payment_methods", id, "detach"]) => O::DetachPaymentMethod((*id).to_owned()),
            ("POST", ["billing_portal", "sessions"]) => O::CreatePortalSession,
            ("GET", ["events"]) => O::ListEvents,
            ("GET", ["events", id]) => O::RetrieveEvent((*id).to_owned()),
            _ => return None,
        })
    }

    /// The name that faults are queued under.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateCheckout => "create_checkout",
            Self::ListCheckouts => "list_checkouts",
            Self::RetrieveCheckout(_) => "retrieve_checkout",
            Self::ExpireCheckout(_) => "expire_checkout",
            Self::ListLineItems(_) => "list_line_items",
            Self::CreateRefund => "create_refund",
            Self::ListRefunds => "list_refunds",
            Self::RetrieveRefund(_) => "retrieve_refund",
            Self::CreatePaymentIntent => "create_payment_intent",
            Self::ListPaymentIntents => "list_payment_intents",
            Self::RetrievePaymentIntent(_) => "retrieve_payment_intent",
            Self::CancelPaymentIntent(_) => "cancel_payment_intent",
            Self::RetrieveCharge(_) => "retrieve_charge",
            Self::ListDisputes => "list_disputes",
            Self::RetrieveDispute(_) => "retrieve_dispute",
            Self::CreateCustomer => "create_customer",
            Self::RetrieveCustomer(_) => "retrieve_customer",
            Self::UpdateCustomer(_) => "update_customer",
            Self::DeleteCustomer(_) => "delete_customer",
            Self::ListPaymentMethods(_) => "list_payment_methods",
            Self::RetrievePaymentMethod(_) => "retrieve_payment_method",
            Self::DetachPaymentMethod(_) => "detach_payment_method",
            Self::CreatePortalSession => "create_portal_session",
            Self::ListEvents => "list_events",
            Self::RetrieveEvent(_) => "retrieve_event",
        }
    }

    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::CreateCheckout
                | Self::ExpireCheckout(_)
                | Self::CreateRefund
                | Self::CreatePaymentIntent
                | Self::CancelPaymentIntent(_)
                | Self::CreateCustomer
                | Self::UpdateCustomer(_)
                | Self::DeleteCustomer(_)
                | Self::DetachPaymentMethod(_)
                | Self::CreatePortalSession
        )
    }

    /// Does the call and renders its answer.
    pub fn execute(
        &self,
        store: &mut Store,
        mut params: Params,
        site: &Site<'_>,
        at: &Moment,
    ) -> Result<Value, ApiError> {
        let paths = params.texts("expand")?;
        let mut answer = match self {
            write if write.writes() => write.write(store, params, site, at)?,
            Self::ListCheckouts
            | Self::ListRefunds
            | Self::ListPaymentIntents
            | Self::ListPaymentMethods(_)
            | Self::ListDisputes
            | Self::ListEvents
            | Self::ListLineItems(_) => self.list(store, params, site, at)?,
            _ => {
                params.finish()?;
                self.retrieve(store, site, at)?
            }
        };
        for path in &paths {
            expand(store, &mut answer, path)?;
        }
        Ok(answer)
    }

    fn write(
        &self,
        store: &mut Store,
        params: Params,
        site: &Site<'_>,
        at: &Moment,
    ) -> Result<Value, ApiError> {
        match self {
            Self::CreateCheckout => {
                let id = store.create_session(AskedSession::read(params, site.methods, at.now)?, at)?;
                Self::RetrieveCheckout(id).retrieve(store, site, at)
            }
            Self::ExpireCheckout(id) => {
                params.finish()?;
                store.expire_on_request(id, at)?;
                Self::RetrieveCheckout(id.clone()).retrieve(store, site, at)
            }
            Self::CreateRefund => {
                let id = store.create_refund(AskedRefund::read(params)?, at)?;
                Self::RetrieveRefund(id).retrieve(store, site, at)
            }
            Self::CreatePaymentIntent => {
                let id = store.charge_saved_card(AskedIntent::read(params, site.methods)?, at)?;
                Self::RetrievePaymentIntent(id).retrieve(store, site, at)
            }
            Self::CancelPaymentIntent(id) => {
                store.cancel_intent(id, params, at)?;
                Self::RetrievePaymentIntent(id.clone()).retrieve(store, site, at)
            }
            Self::UpdateCustomer(id) => {
                store.set_default(id, &read_default(params)?, at)?;
                Self::RetrieveCustomer(id.clone()).retrieve(store, site, at)
            }
            Self::DeleteCustomer(id) => {
                params.finish()?;
                store.delete_customer(id, at)?;
                Self::RetrieveCustomer(id.clone()).retrieve(store, site, at)
            }
            Self::DetachPaymentMethod(id) => {
                params.finish()?;
                store.detach_card(id, at)?;
                Self::RetrievePaymentMethod(id.clone()).retrieve(store, site, at)
            }
            Self::CreatePortalSession => {
                let made = store.create_portal(AskedPortal::read(params)?, at)?;
                Ok(portal::object(&made, site.base))
            }
            _ => {
                let id = store.create_customer(read_customer(params, at)?, at);
                Self::RetrieveCustomer(id).retrieve(store, site, at)
            }
        }
    }

    fn retrieve(&self, store: &Store, site: &Site<'_>, at: &Moment) -> Result<Value, ApiError> {
        let (found, object, id) = match self {
            Self::RetrieveCheckout(id) => {
                (store.sessions.get(id).map(|row| view::session(row, site.base)), "checkout.session", id)
            }
            Self::RetrieveRefund(id) => (store.refunds.get(id).map(|row| view::refund(row)), "refund", id),
            Self::RetrievePaymentIntent(id) => {
                (store.intents.get(id).map(|row| view::intent(row)), "payment_intent", id)
            }
            Self::RetrieveCharge(id) => (store.charges.get(id).map(|row| view::charge(row)), "charge", id),
            Self::RetrieveDispute(id) => {
                (store.disputes.get(id).map(|row| view::dispute(row)), "dispute", id)
            }
            Self::RetrieveCustomer(id) => {
                (store.customers.get(id).map(|row| view::customer(row)), "customer", id)
            }
            Self::RetrievePaymentMethod(id) => {
                let found = store.payment_methods.get(id);
                (found.map(|row| view::payment_method(row)), "PaymentMethod", id)
            }
            Self::RetrieveEvent(id) => {
                (store.event(id, at.now).map(|row| view::event(row, site.base)), "event", id)
            }
            other => return Err(ApiError::unrecognized_url("GET", other.name())),
        };
        found.ok_or_else(|| ApiError::missing(object, id))
    }

    fn list(
        &self,
        store: &Store,
        mut params: Params,
        site: &Site<'_>,
        at: &Moment,
    ) -> Result<Value, ApiError> {
        match self {
            Self::ListEvents => {
                let (rows, has_more) = store.list_events(&AskedEvents::read(params)?, at.now)?;
                Ok(listed("/v1/events", &rows, has_more, |row| view::event(row, site.base)))
            }
            Self::ListLineItems(id) => {
                Page::read(&mut params)?;
                params.finish()?;
                let mut session = Self::RetrieveCheckout(id.clone()).retrieve(store, site, at)?;
                expand(store, &mut session, "line_items")?;
                Ok(session.get_mut("line_items").map(Value::take).unwrap_or_default())
            }
            Self::ListPaymentIntents => {
                let page = Page::read(&mut params)?;
                let customer = params.text("customer")?;
                params.refuse(&["customer_account"])?;
                params.finish()?;
                let (rows, has_more) = page.of(&store.intents, |row| {
                    page.created.has(row.created) && (customer.is_none() || row.customer == customer)
                })?;
                Ok(listed("/v1/payment_intents", &rows, has_more, view::intent))
            }
            Self::ListPaymentMethods(customer) => store.list_cards(customer.as_deref(), params),
            Self::ListCheckouts => {
                let page = Page::read(&mut params)?;
                let intent = params.text("payment_intent")?;
                let customer = params.text("customer")?;
                let status = params.one_of("status", &["complete", "expired", "open"])?;
                params.refuse(&["customer_account", "customer_details", "payment_link", "subscription"])?;
                params.finish()?;
                let (rows, has_more) = page.of(&store.sessions, |row| {
                    page.created.has(row.created)
                        && (intent.is_none() || row.intent == intent)
                        && (customer.is_none() || row.customer == customer)
                        && status.as_ref().is_none_or(|status| row.status.name() == status)
                })?;
                Ok(listed("/v1/checkout/sessions", &rows, has_more, |row| view::session(row, site.base)))
            }
            _ => {
                let page = Page::read(&mut params)?;
                let intent = params.text("payment_intent")?;
                let charge = params.text("charge")?;
                params.finish()?;
                let fits = |its_intent: &str, its_charge: &str| {
                    intent.as_ref().is_none_or(|intent| intent == its_intent)
                        && charge.as_ref().is_none_or(|charge| charge == its_charge)
                };
                if *self == Self::ListRefunds {
                    let (rows, has_more) = page.of(&store.refunds, |row| {
                        page.created.has(row.created) && fits(&row.intent, &row.charge)
                    })?;
                    return Ok(listed("/v1/refunds", &rows, has_more, view::refund));
                }
                let (rows, has_more) = page.of(&store.disputes, |row| {
                    page.created.has(row.created) && fits(&row.intent, &row.charge)
                })?;
                Ok(listed("/v1/disputes", &rows, has_more, view::dispute))
            }
        }
    }
}

/// What the answers depend on beside the state.
pub struct Site<'a> {
    /// Where the payment pages are.
    pub base: &'a str,
    /// The methods that the account has enabled, in the order that the page shows them.
    pub methods: &'a [Method],
}

pub fn listed<T>(url: &str, rows: &[Arc<T>], has_more: bool, render: impl Fn(&T) -> Value) -> Value {
    let data: Vec<Value> = rows.iter().map(|row| render(row)).collect();
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

fn read_customer(mut params: Params, at: &Moment) -> Result<Customer, ApiError> {
    let customer = Customer {
        id: ids::random("cus_", 14),
        created: at.now,
        email: params.short("email", 512)?,
        name: params.short("name", 256)?,
        phone: params.short("phone", 20)?,
        description: params.short("description", 5_000)?,
        locales: params.texts("preferred_locales")?,
        metadata: params.metadata()?,
        default_method: None,
        deleted: false,
    };
    params.refuse(&[
        "address",
        "balance",
        "business_name",
        "cash_balance",
        "individual_name",
        "invoice_prefix",
        "invoice_settings",
        "next_invoice_sequence",
        "payment_method",
        "shipping",
        "source",
        "tax",
        "tax_exempt",
        "tax_id_data",
        "test_clock",
        "validate",
    ])?;
    params.finish()?;
    if customer.email.as_ref().is_some_and(|email| !email.contains('@')) {
        return Err(ApiError::invalid("Invalid email address").code("email_invalid").param("email"));
    }
    Ok(customer)
}
