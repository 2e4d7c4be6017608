//! Mails: out by SMTP whatever the server does, never twice for one cause, and in the hands of operators.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred::messages::mails::{self, Mail, Recipient};
use kindred::people::operators::rules::Role;
use kindred::schema;
use kindred::types::id::MailId;
use kindred::types::locale::Locale;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::smtp::{SmtpServer, Step, Tls, root_certificate};

const ADDRESS: &str = "zhang.san@member.test";

async fn spawn(server: &SmtpServer) -> TestApp {
    TestApp::spawn_with(&[("KINDRED_SMTP_URL", &server.url())]).await
}

fn verify(token: &str) -> Mail {
    Mail::VerifyEmail { token: token.to_owned() }
}

fn received() -> Mail {
    Mail::ApplicationReceived { drive_zh: "第一季".to_owned(), drive_en: "Season one".to_owned() }
}

async fn queue(app: &TestApp, cause: &str, address: &str, mail: Mail) -> MailId {
    let to = Recipient { account: None, address: address.to_owned(), locale: Locale::En };
    let mut conn = app.conn().await;
    mails::queue(&mut conn, app.app.clock.now(), &to, cause, &mail).await.unwrap();
    let row = schema::mails::table.filter(schema::mails::cause.eq(cause));
    row.select(schema::mails::id).first(&mut conn).await.unwrap()
}

/// state, last_error, data
async fn row(app: &TestApp, id: MailId) -> (String, Option<String>, Value) {
    use schema::mails::{data, last_error, state};
    let row = schema::mails::table.find(id).select((state, last_error, data));
    row.first(&mut app.conn().await).await.unwrap()
}

async fn state(app: &TestApp, id: MailId) -> String {
    row(app, id).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_out_and_its_secret_goes_with_it() {
    let server = SmtpServer::start(&[]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "verify:1", ADDRESS, verify("the-secret")).await;
    app.drain().await;
    let mail = &server.received()[0];
    assert_eq!(mail.to, ADDRESS);
    assert_eq!(mail.header("Message-ID"), format!("<{id}@shop.test>"));
    assert_eq!(mail.header("Subject"), "Please confirm your e-mail address");
    assert!(mail.text.contains("text/plain") && mail.text.contains("text/html"));
    assert!(mail.text.contains("the-secret"));
    let (state, error, data) = row(&app, id).await;
    assert_eq!((state.as_str(), error), ("sent", None));
    assert_eq!(data, json!({ "token": "scrubbed" }));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cause_mails_once() {
    let server = SmtpServer::start(&[]).await;
    let app = spawn(&server).await;
    let to = |address: &str| Recipient { account: None, address: address.to_owned(), locale: Locale::ZhCn };
    let batch = [
        (to(ADDRESS), "welcome:1".to_owned(), received()),
        (to("li.si@member.test"), "welcome:2".to_owned(), received()),
    ];
    for _ in 0..2 {
        mails::queue_all(&mut *app.conn().await, app.app.clock.now(), &batch).await.unwrap();
    }
    queue(&app, "welcome:1", ADDRESS, received()).await;
    app.drain().await;
    let mut sent: Vec<_> = server.received().into_iter().map(|mail| mail.to).collect();
    sent.sort();
    assert_eq!(sent, ["li.si@member.test", ADDRESS]);
    app.finish().await;
}

/// Whatever happens on the way, the mail arrives with the next try, under the same Message-ID.
async fn arrives_after(step: Step, tries_read_by_the_server: usize) {
    let server = SmtpServer::start(&[step]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "c", ADDRESS, verify("t")).await;
    app.drain().await;
    let (state_now, error, _) = row(&app, id).await;
    assert_eq!(state_now, "queued");
    let error = error.unwrap();
    assert!(!error.contains("zhang") && !error.contains("member.test"), "{error}");
    app.advance(TimeDelta::seconds(5)).await;
    assert_eq!(state(&app, id).await, "sent");
    let ids: Vec<_> = server.received().iter().map(|mail| mail.header("Message-ID").to_owned()).collect();
    assert_eq!(ids, vec![format!("<{id}@shop.test>"); tries_read_by_the_server]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_now_is_tried_again() {
    arrives_after(Step::Refuse("451 4.7.1 <{to}> greylisted"), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_and_tried_again() {
    arrives_after(Step::Hang, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_dies_after_the_mail_leads_to_a_repeat() {
    arrives_after(Step::Drop, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_tried_again() {
    let server = SmtpServer::start(&[]).await;
    let (port, url) = (server.port, server.url());
    drop(server);
    // Nothing listens there: a port of our own that is closed.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = url.replace(&port.to_string(), &closed.to_string());
    let app = TestApp::spawn_with(&[("KINDRED_SMTP_URL", &url)]).await;
    let id = queue(&app, "c", ADDRESS, received()).await;
    app.drain().await;
    let (state, error, _) = row(&app, id).await;
    assert_eq!(state, "queued");
    assert!(error.is_some());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_not_taken_for_the_next_mails() {
    let server =
        SmtpServer::start(&[Step::Accept, Step::AnswerLate, Step::Refuse("550 5.1.1 no such user")]).await;
    let app = spawn(&server).await;
    // The first leaves a connection behind that the second uses.
    let first = queue(&app, "1", "first@member.test", received()).await;
    app.drain().await;
    let second = queue(&app, "2", "second@member.test", received()).await;
    app.drain().await;
    assert_eq!(state(&app, second).await, "queued");
    server.answer_late();
    let third = queue(&app, "3", "third@member.test", received()).await;
    app.drain().await;
    assert_eq!((state(&app, first).await, state(&app, third).await), ("sent".to_owned(), "dead".to_owned()));
    app.advance(TimeDelta::seconds(5)).await;
    assert_eq!(state(&app, second).await, "sent");
    let to: Vec<_> = server.received().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["first@member.test", "second@member.test", "second@member.test"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_good_is_dead_at_once_and_an_operator_sends_it_again() {
    let server = SmtpServer::start(&[Step::Refuse("550 5.1.1 <{to}>: no such user")]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "c", ADDRESS, verify("t")).await;
    app.drain().await;
    let support = app.operator(Role::Support).await;
    let list = app.get("/v1/admin/mails?state=dead").bearer(&support.token).send().await.ok(200);
    assert_eq!(list["data"][0]["id"], id.to_string());
    assert_eq!(list["data"][0]["to"], ADDRESS);
    assert_eq!(list["data"][0]["last_error"], "permanent error (550): 5.1.1 … no such user");
    let one = app.get(&format!("/v1/admin/mails/{id}")).bearer(&support.token).send().await.ok(200);
    assert_eq!(one["subject"], "Please confirm your e-mail address");
    assert!(!one.to_string().contains("token=t"), "{one}");

    let resend = format!("/v1/admin/mails/{id}/resend");
    assert_eq!(app.post(&resend).bearer(&support.token).send().await.ok(200)["state"], "queued");
    app.drain().await;
    assert_eq!(state(&app, id).await, "sent");
    assert!(server.received()[0].text.contains("token=3Dt"), "{}", server.received()[0].text);
    // Now its one-time link is gone.
    app.post(&resend).bearer(&support.token).send().await.refused(409, "secret_gone");
    let audit = app.operator(Role::Owner).await;
    let log = app.get("/v1/admin/audit").bearer(&audit.token).send().await.ok(200);
    assert!(log["data"].as_array().unwrap().iter().any(|entry| entry["action"] == "mail.resend"), "{log}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_never_goes_is_dead_and_its_job_too_until_an_operator_revives_it() {
    let refuse = Step::Refuse("452 4.2.2 <{to}> is full");
    let server = SmtpServer::start(&vec![refuse; 12]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "c", ADDRESS, received()).await;
    app.drain().await;
    app.advance(TimeDelta::hours(6)).await;
    let (state_now, error, _) = row(&app, id).await;
    assert_eq!(
        (state_now.as_str(), error.as_deref()),
        ("dead", Some("transient error (452): 4.2.2 … is full"))
    );
    let manager = app.operator(Role::Manager).await;
    let jobs =
        app.get("/v1/admin/jobs?state=dead&kind=send_mail").bearer(&manager.token).send().await.ok(200);
    let job = &jobs["data"][0];
    assert_eq!((&job["attempts"], &job["payload"]["mail"]), (&json!(12), &json!(id.to_string())));
    let retry = format!("/v1/admin/jobs/{}/retry", job["id"].as_str().unwrap());
    app.post(&retry).bearer(&manager.token).send().await.ok(200);
    app.drain().await;
    assert_eq!(state(&app, id).await, "sent");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_and_resend_mails() {
    let server = SmtpServer::start(&[Step::Hang]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "c", ADDRESS, received()).await;
    let (list, resend) =
        ("/v1/admin/mails?kind=application_received", format!("/v1/admin/mails/{id}/resend"));
    app.get(list).send().await.refused(401, "unauthenticated");
    let member = app.member("member@member.test").await;
    app.get(list).bearer(&member.token).send().await.refused(403, "forbidden");
    let analyst = app.operator(Role::Analyst).await;
    let seen = app.get(list).bearer(&analyst.token).send().await.ok(200);
    assert_eq!(seen["data"][0]["to"], "z…@member.test");
    assert!(!seen.to_string().contains("zhang"));
    app.post(&resend).bearer(&analyst.token).send().await.refused(403, "forbidden");
    let support = app.operator(Role::Support).await;
    app.post(&resend).bearer(&support.token).send().await.refused(409, "mail_queued");
    let nobody = MailId::new();
    let unknown = format!("/v1/admin/mails/{nobody}/resend");
    app.post(&unknown).bearer(&support.token).send().await.refused(404, "not_found");
    for query in ["state=lost", "kind=spam", "limit=0"] {
        let path = format!("/v1/admin/mails?{query}");
        app.get(&path).bearer(&support.token).send().await.refused(422, "invalid_field");
    }
    let path = "/v1/admin/mails?colour=red";
    app.get(path).bearer(&support.token).send().await.refused(400, "malformed_request");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_a_password_where_the_url_says_so() {
    for (tls, scheme) in [(Tls::Upgraded, "smtp"), (Tls::Wrapped, "smtps")] {
        let server = SmtpServer::start_with(tls, Some("shop:pass word"), &[]).await;
        let (port, ca) = (server.port, root_certificate());
        let url = |password: &str| format!("{scheme}://shop:{password}@localhost:{port}?ca={ca}&timeout=2");
        let app = TestApp::spawn_with(&[("KINDRED_SMTP_URL", &url("pass%20word"))]).await;
        let id = queue(&app, "c", ADDRESS, received()).await;
        app.drain().await;
        assert_eq!(state(&app, id).await, "sent", "{:?}", row(&app, id).await.1);
        let mail = &server.received()[0];
        assert_eq!((mail.encrypted, mail.user.as_deref()), (true, Some("shop")));
        app.finish().await;

        // A wrong password is ours to mend: the mail waits.
        let app = TestApp::spawn_with(&[("KINDRED_SMTP_URL", &url("wrong"))]).await;
        let id = queue(&app, "c", ADDRESS, received()).await;
        app.drain().await;
        assert_eq!(state(&app, id).await, "queued");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_stays_here_where_the_server_offers_no_tls_or_shows_a_wrong_certificate() {
    let plain = SmtpServer::start_with(Tls::None, Some("shop:secret"), &[]).await;
    let unknown = SmtpServer::start_with(Tls::Upgraded, Some("shop:secret"), &[]).await;
    for server in [&plain, &unknown] {
        let url = format!("smtp://shop:secret@localhost:{}?timeout=2", server.port);
        let app = TestApp::spawn_with(&[("KINDRED_SMTP_URL", &url)]).await;
        let id = queue(&app, "c", ADDRESS, received()).await;
        app.drain().await;
        assert_eq!(state(&app, id).await, "queued");
        assert!(server.received().is_empty());
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_came_too_late_does_not_go() {
    let server = SmtpServer::start(&[]).await;
    let app = spawn(&server).await;
    let now = app.app.clock.now();
    let mail = Mail::HoldEnding {
        order_number: "KD1".to_owned(),
        url: "https://pay.test/1".to_owned(),
        expires_at: now - TimeDelta::seconds(1),
    };
    let late = queue(&app, "late", ADDRESS, mail).await;
    let erased = queue(&app, "erased", "", received()).await;
    app.drain().await;
    assert_eq!((state(&app, late).await, state(&app, erased).await), ("dead".to_owned(), "dead".to_owned()));
    assert!(server.received().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_list_of_dead_mails_forgets_old_secrets() {
    let server = SmtpServer::start(&[Step::Refuse("550 no")]).await;
    let app = spawn(&server).await;
    let id = queue(&app, "c", ADDRESS, verify("old-secret")).await;
    app.drain().await;
    assert!(row(&app, id).await.2.to_string().contains("old-secret"));
    app.advance(TimeDelta::days(3)).await;
    assert_eq!(row(&app, id).await.2, json!({ "token": "scrubbed" }));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_tests_and_demo_keep_mails_in_memory() {
    let app = TestApp::spawn().await;
    queue(&app, "1", ADDRESS, received()).await;
    app.drain().await;
    queue(&app, "2", "li.si@member.test", verify("t<1>")).await;
    app.drain().await;
    let inbox = app.app.postbox.inbox().unwrap().all();
    let to: Vec<_> = inbox.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["li.si@member.test", ADDRESS], "newest first");
    assert!(inbox[0].text.contains("http://shop.test/verify-email?token=t%3C1%3E"), "{}", inbox[0].text);
    assert_eq!(app.app.postbox.inbox().unwrap().to(ADDRESS).len(), 1);
    app.finish().await;
}
