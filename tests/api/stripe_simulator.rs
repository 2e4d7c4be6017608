//! The Stripe simulator through HTTP: its own promises, apart from what Stripe's SDKs prove in `tests/stripe`.

mod cards;
mod contract;
mod faults;
mod fixture;
mod memory;

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::Value;

use fixture::{Fixture, text};

#[actix_web::test]
async fn a_paid_session_sends_one_signed_event_and_is_booked() {
    let fixture = Fixture::start();
    let session = fixture.session().await;
    assert_eq!(session["payment_method_types"], serde_json::json!(["card", "wechat_pay", "alipay"]));
    assert_eq!(session["payment_intent"], Value::Null);
    let answer =
        fixture.act(&session, &[("action", "pay"), ("method", "card"), ("fingerprint", "fp_1")]).await;
    let to = format!("https://shop.test/done?session={}", text(&session["id"]));
    assert_eq!(answer.headers()["location"], to.as_str());

    assert_eq!(fixture.kinds().await, ["checkout.session.completed"]);
    let (signature, event) = fixture.arrivals.lock().unwrap().taken[0].clone();
    assert!(signature.starts_with("t=") && signature.matches(",v1=").count() == 1, "{signature}");
    assert_eq!(event["data"]["object"]["payment_status"], "paid");

    let path =
        format!("/v1/checkout/sessions/{}?expand[]=payment_intent.latest_charge", text(&session["id"]));
    let (_, session) = fixture.get(&path).await;
    let charge = &session["payment_intent"]["latest_charge"];
    assert_eq!(charge["payment_method_details"]["card"]["fingerprint"], "fp_1");
    assert_eq!(charge["metadata"]["order_id"], "ord_1");

    let book = fixture.sim.simulator.book();
    assert_eq!((book.captured_minor, book.refunded_minor, book.sessions.complete), (20_000, 0, 1));
    assert_eq!(book.payments[0].order_id.as_deref(), Some("ord_1"));
    assert_eq!(book.events_undelivered, 0);
}

#[actix_web::test]
async fn a_declined_card_leaves_the_session_open_and_a_second_try_pays() {
    let fixture = Fixture::start();
    let session = fixture.session().await;
    let answer = fixture.act(&session, &[("action", "fail"), ("method", "card")]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.text().await.unwrap().contains("declined"));
    let path = format!("/v1/checkout/sessions/{}?expand[]=payment_intent", text(&session["id"]));
    let (_, failed) = fixture.get(&path).await;
    assert_eq!((&failed["status"], &failed["payment_status"]), (&"open".into(), &"unpaid".into()));
    assert_eq!(failed["payment_intent"]["last_payment_error"]["code"], "card_declined");

    assert_eq!(fixture.act(&session, &[("action", "pay")]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(fixture.act(&session, &[("action", "pay")]).await.status(), StatusCode::CONFLICT);
    assert_eq!(fixture.sim.simulator.book().captured_minor, 20_000);
    assert_eq!(fixture.kinds().await, ["payment_intent.payment_failed", "checkout.session.completed"]);
}

#[actix_web::test]
async fn delayed_methods_finish_by_the_clock() {
    let fixture = Fixture::start();
    let (good, bad) = (fixture.session().await, fixture.session().await);
    fixture.act(&good, &[("action", "pay_late"), ("delay", "600"), ("method", "alipay")]).await;
    fixture.act(&bad, &[("action", "fail_late"), ("delay", "1200"), ("method", "alipay")]).await;
    let status = async |session: &Value| {
        let path = format!("/v1/checkout/sessions/{}", text(&session["id"]));
        let (_, session) = fixture.get(&path).await;
        (text(&session["status"]), text(&session["payment_status"]))
    };
    assert_eq!(status(&good).await, ("complete".to_owned(), "unpaid".to_owned()));
    let due = fixture.sim.simulator.next_due().unwrap() - fixture.clock.now();
    assert!(due > TimeDelta::seconds(590) && due <= TimeDelta::seconds(600), "{due}");

    fixture.advance(TimeDelta::seconds(601)).await;
    assert_eq!(status(&good).await.1, "paid");
    assert_eq!(status(&bad).await.1, "unpaid");
    fixture.advance(TimeDelta::seconds(600)).await;
    assert_eq!(status(&bad).await.1, "unpaid");
    let kinds = fixture.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| kind.contains("async_payment_succeeded")).count(), 1);
    assert_eq!(kinds.iter().filter(|kind| kind.contains("async_payment_failed")).count(), 1);
    assert_eq!(fixture.sim.simulator.next_due(), None);
    assert_eq!(fixture.sim.simulator.book().captured_minor, 20_000);
}

#[actix_web::test]
async fn sessions_expire_by_the_clock_and_only_open_ones_on_request() {
    let fixture = Fixture::start();
    let (asked, left, paid) = (fixture.session().await, fixture.session().await, fixture.paid("card").await);
    let expire = async |session: &Value| {
        fixture.post(&format!("/v1/checkout/sessions/{}/expire", text(&session["id"])), &[], None).await
    };
    let (status, expired) = expire(&asked).await;
    assert_eq!((status, &expired["status"], &expired["url"]), (200, &"expired".into(), &Value::Null));
    assert_eq!(expire(&asked).await.0, 400);
    assert_eq!(expire(&paid).await.0, 400);

    fixture.advance(TimeDelta::hours(25)).await;
    assert_eq!(fixture.act(&left, &[("action", "pay")]).await.status(), StatusCode::CONFLICT);
    let book = fixture.sim.simulator.book();
    assert_eq!((book.sessions.open, book.sessions.complete, book.sessions.expired), (0, 1, 2));
    let kinds = fixture.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "checkout.session.expired").count(), 2);
}

#[actix_web::test]
async fn cards_are_refunded_at_once_wallets_later_and_never_too_much() {
    let fixture = Fixture::start();
    let card = text(&fixture.paid("card").await["payment_intent"]);
    let refund = async |intent: &str, amount: &str| {
        fixture.post("/v1/refunds", &[("payment_intent", intent), ("amount", amount)], None).await
    };
    assert_eq!(refund(&card, "5000").await.1["status"], "succeeded");
    let (status, error) = refund(&card, "15001").await;
    assert_eq!((status, &error["error"]["code"]), (400, &"amount_too_large".into()));
    assert_eq!(refund(&card, "15000").await.0, 200);
    assert_eq!(refund(&card, "1").await.1["error"]["code"], "charge_already_refunded");

    let wallet = text(&fixture.paid("wechat_pay").await["payment_intent"]);
    let (_, pending) = refund(&wallet, "20000").await;
    assert_eq!(pending["status"], "pending");
    assert_eq!(refund(&wallet, "1").await.1["error"]["code"], "charge_already_refunded");
    fixture.advance(TimeDelta::seconds(4)).await;
    let (_, done) = fixture.get(&format!("/v1/refunds/{}", text(&pending["id"]))).await;
    assert_eq!(done["status"], "succeeded");
    let kinds = fixture.kinds().await;
    let of = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((of("refund.created"), of("refund.updated"), of("charge.refunded")), (3, 1, 3));

    // The bank sends it back: the amount may be refunded again.
    fixture.sim.simulator.settle_refund(&text(&pending["id"]), false).unwrap();
    assert_eq!(fixture.sim.simulator.book().refunded_minor, 20_000);
    assert_eq!(refund(&wallet, "20000").await.0, 200);
}

#[actix_web::test]
async fn an_unpaid_intent_has_nothing_to_refund() {
    let fixture = Fixture::start();
    let session = fixture.session().await;
    fixture.act(&session, &[("action", "fail")]).await;
    let (_, session) = fixture.get(&format!("/v1/checkout/sessions/{}", text(&session["id"]))).await;
    let intent = text(&session["payment_intent"]);
    let (status, error) = fixture.post("/v1/refunds", &[("payment_intent", &intent)], None).await;
    assert_eq!(status, 400, "{error}");
    let (status, error) = fixture.post("/v1/refunds", &[("payment_intent", "pi_none")], None).await;
    assert_eq!((status, &error["error"]["code"]), (400, &"resource_missing".into()));
}
