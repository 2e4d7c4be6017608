//! `/_sim`: faults and the bank's side of the story, for tests, the demo and rehearsals. It needs no key: the
//! simulator is for loopback.

use actix_web::web::{self, Json};
use actix_web::{HttpResponse, Responder};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Chaos, Fault};
use super::{Simulator, lock};

pub(super) fn configure(service: &mut web::ServiceConfig) {
    service
        .route("/_sim/faults", web::post().to(add_faults))
        .route("/_sim/faults", web::get().to(show_faults))
        .route("/_sim/faults", web::delete().to(clear_faults))
        .route("/_sim/chaos", web::post().to(set_chaos))
        .route("/_sim/disputes", web::post().to(open_dispute))
        .route("/_sim/disputes/{id}/close", web::post().to(close_dispute))
        .route("/_sim/refunds/{id}", web::post().to(settle_refund))
        .route("/_sim/cards/{id}", web::post().to(change_cards))
        .route("/_sim/events/{id}/resend", web::post().to(resend))
        .route("/_sim/settings", web::post().to(change_settings))
        .route("/_sim/due", web::get().to(show_due))
        .route("/_sim/due", web::post().to(run_due))
        .route("/_sim/book", web::get().to(book))
        .route("/_sim/requests", web::get().to(requests))
        .route("/_sim/requests", web::delete().to(forget_requests));
}

fn refused(message: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({ "error": message }))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<Fault>),
    One(Fault),
}

async fn add_faults(simulator: web::Data<Simulator>, faults: Json<Value>) -> impl Responder {
    match serde_json::from_value(faults.into_inner()) {
        Ok(OneOrMore::More(faults)) => faults.into_iter().for_each(|fault| simulator.inject(fault)),
        Ok(OneOrMore::One(fault)) => simulator.inject(fault),
        Err(_) => return refused("a fault is {operation, kind, times?, status?, seconds?}"),
    }
    HttpResponse::Ok().json(lock(&simulator.inner.store).faults.queued())
}

async fn show_faults(simulator: web::Data<Simulator>) -> impl Responder {
    HttpResponse::Ok().json(lock(&simulator.inner.store).faults.queued())
}

async fn clear_faults(simulator: web::Data<Simulator>) -> impl Responder {
    simulator.clear_faults();
    HttpResponse::NoContent()
}

async fn set_chaos(simulator: web::Data<Simulator>, chaos: Json<Chaos>) -> impl Responder {
    simulator.set_chaos(chaos.into_inner());
    HttpResponse::NoContent()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDispute {
    payment_intent: String,
    #[serde(default)]
    reason: Option<String>,
}

async fn open_dispute(simulator: web::Data<Simulator>, asked: Json<NewDispute>) -> impl Responder {
    let reason = asked.reason.as_deref().unwrap_or("fraudulent");
    match simulator.open_dispute(&asked.payment_intent, reason) {
        Ok(id) => HttpResponse::Created().json(json!({ "id": id })),
        Err(message) => refused(&message),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
}

async fn close_dispute(
    simulator: web::Data<Simulator>,
    id: web::Path<String>,
    asked: Json<NewStatus>,
) -> impl Responder {
    match simulator.close_dispute(&id, &asked.status) {
        Ok(()) => HttpResponse::Ok().json(json!({ "id": *id, "status": asked.status })),
        Err(message) => refused(&message),
    }
}

async fn settle_refund(
    simulator: web::Data<Simulator>,
    id: web::Path<String>,
    asked: Json<NewStatus>,
) -> impl Responder {
    let succeeds = match asked.status.as_str() {
        "succeeded" => true,
        "failed" => false,
        _ => return refused("status must be one of succeeded, failed"),
    };
    match simulator.settle_refund(&id, succeeds) {
        Ok(()) => HttpResponse::Ok().json(json!({ "id": *id, "status": asked.status })),
        Err(message) => refused(&message),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardChange {
    behaviour: Option<String>,
    times: Option<u32>,
    exp_month: Option<i64>,
    exp_year: Option<i64>,
}

async fn change_cards(
    simulator: web::Data<Simulator>,
    id: web::Path<String>,
    asked: Json<CardChange>,
) -> impl Responder {
    let expiry = match (asked.exp_month, asked.exp_year) {
        (None, None) => None,
        (Some(month), Some(year)) => Some((month, year)),
        _ => return refused("exp_month and exp_year go together"),
    };
    let done = match expiry {
        Some((month, year)) => simulator.set_card_expiry(&id, month, year),
        None => Ok(()),
    };
    let done = done.and_then(|()| match &asked.behaviour {
        Some(behaviour) => simulator.set_card(&id, behaviour, asked.times),
        None => Ok(()),
    });
    match done {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(message) => refused(&message),
    }
}

async fn resend(simulator: web::Data<Simulator>, id: web::Path<String>) -> impl Responder {
    if simulator.resend(&id) { HttpResponse::Accepted().finish() } else { refused("no such event") }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    webhook_url: Option<String>,
    webhook_secrets: Option<Vec<String>>,
    webhook_events: Option<Vec<String>>,
    refund_delay_seconds: Option<u32>,
}

async fn change_settings(simulator: web::Data<Simulator>, asked: Json<NewSettings>) -> impl Responder {
    let asked = asked.into_inner();
    if let Some(url) = asked.webhook_url {
        simulator.set_webhook_url(Some(url).filter(|url| !url.is_empty()));
    }
    if let Some(secrets) = asked.webhook_secrets {
        simulator.set_webhook_secrets(secrets);
    }
    if let Some(events) = asked.webhook_events {
        simulator.set_webhook_events(events);
    }
    if let Some(seconds) = asked.refund_delay_seconds {
        simulator.set_refund_delay(TimeDelta::seconds(seconds.into()));
    }
    HttpResponse::NoContent()
}

async fn show_due(simulator: web::Data<Simulator>) -> impl Responder {
    HttpResponse::Ok().json(json!({ "next_due": simulator.next_due() }))
}

async fn run_due(simulator: web::Data<Simulator>) -> impl Responder {
    let delivered = simulator.run_due().await;
    HttpResponse::Ok().json(json!({ "next_due": simulator.next_due(), "delivered": delivered }))
}

async fn book(simulator: web::Data<Simulator>) -> impl Responder {
    HttpResponse::Ok().json(simulator.book())
}

async fn requests(simulator: web::Data<Simulator>) -> impl Responder {
    let lines: Vec<String> =
        simulator.requests().iter().filter_map(|call| serde_json::to_string(call).ok()).collect();
    HttpResponse::Ok().content_type("application/x-ndjson").body(lines.join("\n") + "\n")
}

async fn forget_requests(simulator: web::Data<Simulator>) -> impl Responder {
    simulator.forget_requests();
    HttpResponse::NoContent()
}
