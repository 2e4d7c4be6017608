//! Each fault that the simulator can be asked for happens as asked, and then no more.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use kindred::dev::stripe::{Fault, FaultKind};
use serde_json::json;

use super::fixture::{Fixture, KEY, SECRET, SESSION, text};

const CREATE: &str = "/v1/checkout/sessions";

fn sessions(fixture: &Fixture) -> usize {
    fixture.sim.simulator.book().sessions.open
}

#[actix_web::test]
async fn a_500_is_kept_under_its_key_and_replayed() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::status("create_checkout", 500));
    assert_eq!(fixture.post(CREATE, &SESSION, Some("key-1")).await.0, 500);
    let again = fixture.try_post(CREATE, &SESSION, Some("key-1")).await.unwrap();
    assert_eq!(
        (again.status().as_u16(), &again.headers()["idempotent-replayed"]),
        (500, &"true".parse().unwrap())
    );
    assert_eq!(sessions(&fixture), 0);
    assert_eq!(fixture.post(CREATE, &SESSION, Some("key-2")).await.0, 200);
}

#[actix_web::test]
async fn refusals_from_in_front_leave_the_key_unused() {
    let fixture = Fixture::start();
    for status in [400, 409, 429, 503] {
        fixture.sim.simulator.inject(Fault::status("create_checkout", status));
        let answer = fixture.post(CREATE, &SESSION, Some("key-1")).await;
        assert_eq!(answer.0, status);
        assert!(answer.1["error"]["type"].is_string(), "{}", answer.1);
    }
    fixture.sim.simulator.inject(Fault::new("create_checkout", FaultKind::BadGateway));
    let page = fixture.try_post(CREATE, &SESSION, Some("key-1")).await.unwrap();
    assert_eq!(page.status(), 502);
    assert!(page.text().await.unwrap().starts_with("<html>"));
    assert_eq!(fixture.post(CREATE, &SESSION, Some("key-1")).await.0, 200);
    assert_eq!(sessions(&fixture), 1);
}

#[actix_web::test]
async fn a_lost_answer_was_executed_and_the_same_key_brings_it() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::AnswerLost));
    let error = fixture.try_post(CREATE, &SESSION, Some("key-1")).await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "no byte of an answer may arrive: {error:?}");
    assert_eq!(sessions(&fixture), 1);
    let again = fixture.try_post(CREATE, &SESSION, Some("key-1")).await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(sessions(&fixture), 1);
}

#[actix_web::test]
async fn a_hanging_call_goes_on_without_its_caller_and_its_key_is_in_use_meanwhile() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("create_checkout", FaultKind::Hang).seconds(0.6));
    let patience = Duration::from_millis(100);
    let begun = Instant::now();
    let call = fixture.try_post(CREATE, &SESSION, Some("key-1"));
    assert!(tokio::time::timeout(patience, call).await.is_err(), "the caller gives up");
    let (status, error) = fixture.post(CREATE, &SESSION, Some("key-1")).await;
    assert_eq!((status, &error["error"]["code"]), (409, &json!("idempotency_key_in_use")));
    let mut last = status;
    while last == 409 && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        last = fixture.post(CREATE, &SESSION, Some("key-1")).await.0;
    }
    assert_eq!((last, sessions(&fixture)), (200, 1));
    assert!(begun.elapsed() >= Duration::from_millis(600));
}

#[actix_web::test]
async fn a_delayed_answer_comes_late() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("create_checkout", FaultKind::Delay).seconds(0.3));
    let begun = Instant::now();
    fixture.session().await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[actix_web::test]
async fn a_key_belongs_to_its_endpoint_and_parameters_for_a_day() {
    let fixture = Fixture::start();
    let mut form = SESSION.to_vec();
    let (_, first) = fixture.post(CREATE, &form, Some("key-1")).await;
    form.reverse();
    let (_, reordered) = fixture.post(CREATE, &form, Some("key-1")).await;
    assert_eq!(first, reordered, "the order of parameters says nothing");
    form.push(("metadata[more]", "1"));
    let (status, error) = fixture.post(CREATE, &form, Some("key-1")).await;
    assert_eq!((status, &error["error"]["type"]), (400, &json!("idempotency_error")));
    let (status, error) = fixture.post("/v1/customers", &[], Some("key-1")).await;
    assert_eq!((status, &error["error"]["type"]), (400, &json!("idempotency_error")));

    fixture.advance(TimeDelta::hours(24)).await;
    let (_, second) = fixture.post(CREATE, &SESSION, Some("key-1")).await;
    assert_ne!(first["id"], second["id"]);
}

#[actix_web::test]
async fn validation_errors_arent_kept() {
    let fixture = Fixture::start();
    let (status, error) = fixture.post(CREATE, &SESSION[1..], Some("key-1")).await;
    assert_eq!((status, &error["error"]["param"]), (400, &json!("mode")));
    assert_eq!(fixture.post(CREATE, &SESSION, Some("key-1")).await.0, 200);
}

#[actix_web::test]
async fn beyond_its_rate_it_answers_429_to_reads_and_writes_apart() {
    let fixture = Fixture::start_with(|settings| settings.rate_per_second = Some(3));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(fixture.post("/v1/customers", &[], None).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(fixture.get("/v1/refunds").await.0, 200);
}

#[actix_web::test]
async fn a_dropped_event_is_only_in_the_list() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("checkout.session.completed", FaultKind::Drop));
    fixture.paid("card").await;
    let unseen = fixture.session().await;
    fixture.act(&unseen, &[("action", "pay_unseen")]).await;
    assert_eq!(fixture.again(&unseen).await["payment_status"], "paid");
    fixture.paid("card").await;
    assert_eq!(fixture.kinds().await, ["checkout.session.completed"]);
    assert_eq!(fixture.undelivered().await, ["checkout.session.completed", "checkout.session.completed"]);
    let (_, event) = fixture.get("/v1/events?delivery_success=false&limit=1").await;
    assert!(fixture.sim.simulator.resend(&text(&event["data"][0]["id"])));
    assert_eq!(fixture.kinds().await.len(), 2);
    assert_eq!(fixture.undelivered().await.len(), 1);
}

#[actix_web::test]
async fn a_duplicate_arrives_twice_with_one_id() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::Duplicate));
    fixture.paid("card").await;
    assert_eq!(fixture.kinds().await.len(), 2);
    let arrivals = fixture.arrivals.lock().unwrap();
    assert_eq!(arrivals.taken[0].1["id"], arrivals.taken[1].1["id"]);
}

#[actix_web::test]
async fn a_late_event_waits_for_the_clock_and_a_reordered_one_is_overtaken() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::Late).seconds(900.0));
    let late = fixture.paid("card").await;
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::Reorder));
    let overtaken = fixture.paid("card").await;
    assert!(fixture.kinds().await.is_empty());
    let overtaking = fixture.paid("card").await;
    assert_eq!(fixture.kinds().await.len(), 2);
    fixture.advance(TimeDelta::seconds(901)).await;
    let arrivals = fixture.arrivals.lock().unwrap();
    let order: Vec<_> = arrivals.taken.iter().map(|(_, event)| &event["data"]["object"]["id"]).collect();
    assert_eq!(order, [&overtaking["id"], &overtaken["id"], &late["id"]]);
}

#[actix_web::test]
async fn wrong_and_old_signatures_are_followed_by_a_right_one() {
    let fixture = Fixture::start();
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::WrongSignature));
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::OldTimestamp));
    fixture.sim.simulator.inject(Fault::new("*", FaultKind::TwoV1));
    for _ in 0..3 {
        fixture.paid("card").await;
    }
    assert_eq!(fixture.kinds().await.len(), 3);
    let arrivals = fixture.arrivals.lock().unwrap();
    assert_eq!(arrivals.forged, 2);
    let signatures: Vec<_> = arrivals.taken.iter().map(|(header, _)| header.matches("v1=").count()).collect();
    assert_eq!(signatures.iter().filter(|count| **count == 2).count(), 1, "{signatures:?}");
}

#[actix_web::test]
async fn an_endpoint_that_fails_is_tried_again_and_a_rotation_signs_with_both() {
    let fixture = Fixture::start();
    fixture.sim.simulator.set_webhook_secrets(vec!["whsec_new".to_owned(), SECRET.to_owned()]);
    fixture.arrivals.lock().unwrap().refuse_next = 2;
    fixture.paid("card").await;
    assert_eq!(fixture.kinds().await.len(), 1);
    assert_eq!(fixture.arrivals.lock().unwrap().taken[0].0.matches(",v1=").count(), 2);
    assert!(fixture.undelivered().await.is_empty());
}

#[actix_web::test]
async fn faults_and_the_bank_are_driven_over_http_too() {
    let fixture = Fixture::start();
    let control = async |path: &str, body: serde_json::Value| {
        let answer =
            fixture.http.post(format!("{}/_sim/{path}", fixture.sim.url)).json(&body).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(
        control("faults", json!({"operation": "create_checkout", "kind": "status", "status": 503})).await,
        200
    );
    assert_eq!(control("faults", json!([{"operation": "*", "kind": "nonsense"}])).await, 400);
    assert_eq!(fixture.post(CREATE, &SESSION, None).await.0, 503);

    let paid = fixture.paid("card").await;
    let intent = text(&paid["payment_intent"]);
    assert_eq!(
        control("disputes", json!({"payment_intent": intent, "reason": "product_not_received"})).await,
        201
    );
    assert_eq!(control("disputes", json!({"payment_intent": intent})).await, 400);
    let (_, disputes) =
        fixture.get(&format!("/v1/disputes?payment_intent={intent}&expand[]=data.charge")).await;
    assert_eq!(disputes["data"][0]["charge"]["disputed"], true);
    let refund = fixture.post("/v1/refunds", &[("payment_intent", &intent)], None).await;
    assert_eq!(refund.1["error"]["code"], "charge_disputed");
    let dispute = text(&disputes["data"][0]["id"]);
    assert_eq!(control(&format!("disputes/{dispute}/close"), json!({"status": "won"})).await, 200);
    assert_eq!(control(&format!("disputes/{dispute}/close"), json!({"status": "lost"})).await, 400);
    assert_eq!(
        fixture.kinds().await,
        ["checkout.session.completed", "charge.dispute.created", "charge.dispute.closed"]
    );

    let book = fixture.http.get(format!("{}/_sim/book", fixture.sim.url)).send().await.unwrap();
    let book: serde_json::Value = book.json().await.unwrap();
    assert_eq!((&book["captured_minor"], &book["disputes"][0]["status"]), (&json!(20_000), &json!("won")));
    let requests = fixture.http.get(format!("{}/_sim/requests", fixture.sim.url)).send().await.unwrap();
    let requests = requests.text().await.unwrap();
    assert!(requests.lines().count() >= 4 && !requests.contains(KEY), "{requests}");
}
