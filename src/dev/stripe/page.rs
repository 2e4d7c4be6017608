//! The hosted payment page: plain HTML whose buttons post back to the same address, without scripts.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::amount::amount_text;
use super::cards::NewCard;
use super::payments::{Buyer, Ending, PageRefusal};
use super::rows::{Behaviour, Method, Outcome, Session, SessionStatus};
use super::store::Moment;
use super::{Simulator, lock};

const DELAY_DEFAULT_SECONDS: u32 = 60;
const DELAY_MAX_SECONDS: u32 = 30 * 24 * 3_600;

/// What the page's form posts. Nothing here asks for a card's number.
#[derive(Debug, Deserialize)]
struct Form {
    action: Action,
    method: Option<String>,
    /// Seconds until a delayed method delivers, by the clock.
    delay: Option<String>,
    /// Two cards with one fingerprint are the same card.
    fingerprint: Option<String>,
    email: Option<String>,
    /// Of the card, if it is saved: what becomes of charges later.
    card_behaviour: Option<String>,
    last4: Option<String>,
    exp_month: Option<String>,
    exp_year: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Pay,
    Fail,
    PayLate,
    FailLate,
    PayUnseen,
    Cancel,
}

pub(super) async fn show(simulator: web::Data<Simulator>, id: web::Path<String>) -> impl Responder {
    simulator.inner.step(|_, _| ());
    let session = lock(&simulator.inner.store).sessions.get(id.as_str()).cloned();
    match session {
        None => notice(StatusCode::NOT_FOUND, "There is no such payment page."),
        Some(session) if session.status == SessionStatus::Open => open_page(StatusCode::OK, &session, None),
        Some(session) => over(StatusCode::OK, session.status),
    }
}

pub(super) async fn submit(
    simulator: web::Data<Simulator>,
    id: web::Path<String>,
    body: Bytes,
) -> impl Responder {
    let form: Form = match read_form(&body) {
        Some(form) => form,
        None => {
            let message = "The form needs an action: pay, fail, pay_late, fail_late, pay_unseen or cancel.";
            return notice(StatusCode::BAD_REQUEST, message);
        }
    };
    let found = lock(&simulator.inner.store).sessions.get(id.as_str()).cloned();
    let Some(session) = found else {
        return notice(StatusCode::NOT_FOUND, "There is no such payment page.");
    };
    let method = match form.method.as_deref().filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => match Method::parse(name) {
            Some(method) => Some(method),
            None => return notice(StatusCode::BAD_REQUEST, "This payment method isn't on offer."),
        },
    };
    if form.action == Action::Cancel {
        return cancel(&simulator, &session);
    }
    let Some(after) = delay(form.delay.as_deref()) else {
        return notice(StatusCode::BAD_REQUEST, "The delay is a number of seconds.");
    };
    let action = form.action;
    let ending = match action {
        Action::Fail => Ending::Declined,
        Action::PayLate => Ending::Late { after, succeeds: true },
        Action::FailLate => Ending::Late { after, succeeds: false },
        Action::Pay | Action::PayUnseen | Action::Cancel => Ending::Paid,
    };
    let buyer = match read_buyer(form, method) {
        Ok(buyer) => buyer,
        Err(message) => return notice(StatusCode::BAD_REQUEST, message),
    };
    let result = simulator.inner.step(|store, now| {
        let moment = Moment { unseen: action == Action::PayUnseen, ..Moment::at(now) };
        store.attempt(&id, &buyer, ending, &moment)
    });
    match result {
        Ok(()) if ending == Ending::Declined => open_page(
            StatusCode::OK,
            &session,
            Some("Your card was declined. Please try another way to pay."),
        ),
        Ok(()) => see_other(&session.success_url.replace("{CHECKOUT_SESSION_ID}", &session.id)),
        Err(PageRefusal::Over(status)) => over(StatusCode::CONFLICT, status),
        Err(PageRefusal::Method) => {
            let message = Some("This payment method isn't on offer.");
            open_page(StatusCode::BAD_REQUEST, &session, message)
        }
        Err(PageRefusal::NoSession) => notice(StatusCode::NOT_FOUND, "There is no such payment page."),
    }
}

fn read_buyer(form: Form, method: Option<Method>) -> Result<Buyer, &'static str> {
    let outcome = match given(form.card_behaviour) {
        None => Outcome::Ok,
        Some(name) => Outcome::parse(&name).ok_or("There is no such behaviour of a card.")?,
    };
    let card = NewCard {
        last4: given(form.last4),
        exp_month: given(form.exp_month),
        exp_year: given(form.exp_year),
    };
    Ok(Buyer {
        method,
        fingerprint: given(form.fingerprint),
        email: given(form.email),
        card: card.read()?,
        behaviour: Behaviour { outcome, times: None },
    })
}

/// A field that was left empty means the default.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A field that was left empty means the default.
fn delay(seconds: Option<&str>) -> Option<TimeDelta> {
    let seconds = match seconds.map(str::trim) {
        None | Some("") => DELAY_DEFAULT_SECONDS,
        Some(text) => text.parse::<u32>().ok()?.min(DELAY_MAX_SECONDS),
    };
    Some(TimeDelta::seconds(seconds.into()))
}

/// Back to the shop; the session stays open.
fn cancel(simulator: &Simulator, session: &Session) -> HttpResponse {
    let status =
        simulator.inner.step(|store, _| store.sessions.get(&session.id).map(|session| session.status));
    match (status, &session.cancel_url) {
        (Some(SessionStatus::Open), Some(url)) => see_other(url),
        (Some(SessionStatus::Open), None) => {
            open_page(StatusCode::OK, session, Some("The shop has no page to go back to."))
        }
        (status, _) => over(StatusCode::CONFLICT, status.unwrap_or(SessionStatus::Expired)),
    }
}

pub(super) fn read_form<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    web::Query::<T>::from_query(std::str::from_utf8(body).ok()?).ok().map(web::Query::into_inner)
}

pub(super) fn see_other(url: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, url)).finish()
}

fn over(status: StatusCode, session: SessionStatus) -> HttpResponse {
    let text = match session {
        SessionStatus::Complete => "This payment is complete. You can close this page.",
        _ => "This payment page has expired. Go back to the shop and order again.",
    };
    notice(status, text)
}

pub(super) fn notice(status: StatusCode, text: &str) -> HttpResponse {
    page(status, &format!("<p class=\"notice\">{}</p>", escape(text)))
}

fn open_page(status: StatusCode, session: &Session, message: Option<&str>) -> HttpResponse {
    let amount = amount_text(session.amount, &session.currency);
    let mut body =
        format!("<h1>{} <small>{}</small></h1><ul>", amount, escape(&session.currency.to_uppercase()));
    for line in &session.lines {
        let price = amount_text(line.unit_amount.saturating_mul(line.quantity), &session.currency);
        body += &format!("<li>{} × {}<span>{price}</span></li>", escape(&line.name), line.quantity);
    }
    body += "</ul>";
    if let Some(message) = message {
        body += &format!("<p class=\"notice\">{}</p>", escape(message));
    }
    body += "<form method=\"post\"><fieldset><legend>Pay with</legend>";
    for (at, method) in session.methods.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        let (name, label) = (method.name(), method.label());
        body += &format!(
            "<label><input type=\"radio\" name=\"method\" value=\"{name}\"{checked}> {label}</label>"
        );
    }
    body += "</fieldset><button class=\"main\" name=\"action\" value=\"pay\">Pay ";
    body += &format!(
        "{amount}</button><details><summary>Other endings</summary>{OTHER_ENDINGS}</details></form>"
    );
    page(status, &body)
}

const OTHER_ENDINGS: &str = r#"
<button name="action" value="fail">Decline the card</button>
<button name="action" value="pay_late">Pay late (delayed method)</button>
<button name="action" value="fail_late">Fail late (delayed method)</button>
<label>after <input name="delay" value="60" size="5" inputmode="numeric"> seconds of the shop's clock</label>
<button name="action" value="pay_unseen">Pay, but lose the webhook</button>
<button name="action" value="cancel">Cancel and go back</button>
<label>if saved, the card later <select name="card_behaviour"><option>ok<option>decline<option>insufficient_funds
<option>expired_card<option>authentication_required<option>processing_error</select></label>"#;

pub(super) fn page(status: StatusCode, body: &str) -> HttpResponse {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Payment (simulated)</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><p class=\"banner\">Simulated Stripe: no money moves</p>{body}</main></body></html>"
    );
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header(("Cache-Control", "no-store"))
        .body(html)
}

const STYLE: &str = "\
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;background:#f4f4f7;color:#1c1c28}\
main{max-width:26rem;margin:4vh auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 2px 16px #0002}\
.banner{margin:-2rem -2rem 1.5rem;padding:.5rem 2rem;background:#635bff;color:#fff;border-radius:12px 12px 0 0;\
font-size:.85rem}h1{margin:0 0 1rem}small{font-size:1rem;color:#667}ul{list-style:none;padding:0}\
li{display:flex;justify-content:space-between;padding:.4rem 0;border-bottom:1px solid #eee}\
fieldset{border:1px solid #ddd;border-radius:8px;margin:1rem 0}label{display:block;padding:.3rem 0}\
button{display:block;width:100%;padding:.6rem;margin:.4rem 0;font:inherit;border:1px solid #bbb;border-radius:8px;\
background:#fff;cursor:pointer}.main{background:#635bff;border-color:#635bff;color:#fff;font-weight:600}\
.notice{padding:.8rem;background:#fff4e0;border-radius:8px}summary{cursor:pointer;color:#667;padding:.5rem 0}";

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_the_shop_named() {
        assert_eq!(escape("<b> & \"x\""), "&lt;b&gt; &amp; &quot;x&quot;");
    }

    #[test]
    fn reads_the_form_and_refuses_unknown_actions() {
        let form = read_form::<Form>(b"action=pay_late&delay=5&method=wechat_pay").unwrap();
        assert_eq!(
            (form.action, delay(form.delay.as_deref())),
            (Action::PayLate, Some(TimeDelta::seconds(5)))
        );
        assert_eq!(delay(Some("")), delay(None));
        assert_eq!(delay(Some("soon")), None);
        assert!(read_form::<Form>(b"action=steal").is_none());
        assert!(read_form::<Form>(b"").is_none());
    }
}
