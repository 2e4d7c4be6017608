//! The hosted page on which a customer looks after his cards: plain HTML whose forms post back to the same address.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Simulator;
use super::cards::NewCard;
use super::page::{escape, given, notice, page, read_form, see_other};
use super::rows::{Behaviour, Outcome, Portal};
use super::store::{Moment, Store};

const OVER: &str = "This page has expired. Go back to the shop and open it again.";

/// What the page's forms post. Nothing here asks for a card's number.
#[derive(Debug, Deserialize)]
struct Form {
    action: Action,
    /// The card to remove or to make the default.
    card: Option<String>,
    /// Of a new card: two with one fingerprint are the same card.
    fingerprint: Option<String>,
    last4: Option<String>,
    exp_month: Option<String>,
    exp_year: Option<String>,
    /// What becomes of its charges.
    card_behaviour: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Remove,
    Add,
    Default,
}

/// Where its page is.
fn address(base: &str, portal: &str) -> String {
    format!("{base}/portal/{portal}")
}

/// A visit as Stripe's object.
pub fn object(row: &Portal, base: &str) -> Value {
    json!({
        "id": row.id, "object": "billing_portal.session", "configuration": "bpc_1simulated",
        "created": row.created.timestamp(), "customer": row.customer, "customer_account": null, "flow": null,
        "livemode": false, "locale": row.locale, "on_behalf_of": null, "return_url": row.return_url,
        "url": address(base, &row.id),
    })
}

pub(super) async fn show(simulator: web::Data<Simulator>, id: web::Path<String>) -> impl Responder {
    simulator.inner.step(|store, now| match store.portal(&id, now) {
        Some(portal) => render(store, &portal),
        None => notice(StatusCode::NOT_FOUND, OVER),
    })
}

pub(super) async fn submit(
    simulator: web::Data<Simulator>,
    id: web::Path<String>,
    body: Bytes,
) -> impl Responder {
    let Some(form) = read_form::<Form>(&body) else {
        return notice(StatusCode::BAD_REQUEST, "The form needs an action: remove, add or default.");
    };
    let done = simulator.inner.step(|store, now| {
        let portal = store.portal(&id, now).ok_or((StatusCode::NOT_FOUND, OVER))?;
        apply(store, &portal.customer, form, &Moment::at(now))
            .map_err(|message| (StatusCode::BAD_REQUEST, message))
    });
    match done {
        Ok(()) => see_other(&address(&simulator.inner.public_base(), &id)),
        Err((status, message)) => notice(status, message),
    }
}

fn apply(store: &mut Store, customer: &str, form: Form, at: &Moment) -> Result<(), &'static str> {
    const NOT_HIS: &str = "There is no such card here.";
    if form.action == Action::Add {
        let outcome = match given(form.card_behaviour) {
            None => Outcome::Ok,
            Some(name) => Outcome::parse(&name).ok_or("There is no such behaviour of a card.")?,
        };
        let card = NewCard {
            last4: given(form.last4),
            exp_month: given(form.exp_month),
            exp_year: given(form.exp_year),
        };
        let behaviour = Behaviour { outcome, times: None };
        store.add_card(customer, given(form.fingerprint), card.read()?, behaviour, at);
        return Ok(());
    }
    let card = given(form.card).ok_or(NOT_HIS)?;
    if !store.cards(customer).iter().any(|his| his.id == card) {
        return Err(NOT_HIS);
    }
    let done = match form.action {
        Action::Remove => store.detach_card(&card, at),
        Action::Default | Action::Add => store.set_default(customer, &card, at),
    };
    done.map_err(|_| NOT_HIS)
}

fn render(store: &Store, portal: &Portal) -> HttpResponse {
    let default = store.customer(&portal.customer).and_then(|customer| customer.default_method.clone());
    let mut body = "<h1>Your cards</h1>".to_owned();
    let cards = store.cards(&portal.customer);
    if cards.is_empty() {
        body += "<p>No card is saved.</p>";
    }
    for card in cards {
        let face = &card.card;
        let is_default = default.as_ref() == Some(&card.id);
        let mark = if is_default { " <small>default</small>" } else { "" };
        body += &format!(
            "<form method=\"post\"><fieldset><legend>{} •••• {}{mark}</legend>ends {:02}/{}\
             <input type=\"hidden\" name=\"card\" value=\"{}\">",
            escape(&face.brand),
            escape(&face.last4),
            face.exp_month,
            face.exp_year,
            escape(&card.id)
        );
        if !is_default {
            body += "<button name=\"action\" value=\"default\">Make it the default</button>";
        }
        body += "<button name=\"action\" value=\"remove\">Remove</button></fieldset></form>";
    }
    body += NEW_CARD;
    if let Some(url) = &portal.return_url {
        body += &format!("<p><a href=\"{}\">Back to the shop</a></p>", escape(url));
    }
    page(StatusCode::OK, &body)
}

const NEW_CARD: &str = r#"<form method="post"><fieldset><legend>A new card</legend>
<label>ends with <input name="last4" value="4242" size="4" inputmode="numeric"></label>
<label>good until <input name="exp_month" value="12" size="2" inputmode="numeric"> /
<input name="exp_year" value="2034" size="4" inputmode="numeric"></label>
<label>fingerprint <input name="fingerprint" size="16"></label>
<label>when charged <select name="card_behaviour"><option>ok<option>decline<option>insufficient_funds
<option>expired_card<option>authentication_required<option>processing_error</select></label>
<button class="main" name="action" value="add">Save this card</button></fieldset></form>"#;
