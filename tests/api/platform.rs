//! What holds for every request: ids, problems, limits, headers, health.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use kindred::db;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_id() {
    let app = TestApp::spawn().await;
    let answer = app.get("/v1/nothing").header("X-Request-Id", "storefront-7.1").send().await;
    assert_eq!(answer.header("x-request-id"), "storefront-7.1");
    assert_eq!(answer.refused(404, "not_found")["request_id"], "storefront-7.1");
    for unfit in ["a b", "\"}", &"x".repeat(200)] {
        let answer = app.get("/healthz").header("X-Request-Id", unfit).send().await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{unfit}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_cannot_be_read_is_a_problem_with_a_code() {
    let app = TestApp::spawn().await;
    let post =
        async |body: &str| app.post("/v1/sessions").raw("application/json", body.to_owned()).send().await;
    post("{\"email\":").await.refused(400, "malformed_json");
    post("{\"email\": \"a@b.test\", \"password\": \"x\"} {}").await.refused(400, "malformed_json");
    let wrong_type = post("{\"email\": 1, \"password\": \"x\"}").await;
    assert_eq!(wrong_type.refused(422, "invalid_field")["errors"][0]["field"], "email");
    let unknown = post("{\"email\": \"a@b.test\", \"password\": \"x\", \"colour\": \"red\"}").await;
    assert_eq!(unknown.refused(422, "invalid_field")["errors"][0]["field"], "colour");
    post(&format!("{{\"email\": \"{}\"}}", "a".repeat(70_000))).await.refused(413, "body_too_large");
    let form = app.post("/v1/sessions").raw("application/x-www-form-urlencoded", "email=a").send().await;
    form.refused(415, "unsupported_media_type");
    app.get("/v1/drives/nonsense").send().await.refused(404, "not_found");
    app.get("/v1/drives/%FF").send().await.refused(404, "not_found");
    app.get("/v1//drives").send().await.refused(404, "not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_says_which_ones_are_right() {
    let app = TestApp::spawn().await;
    let answer = app.put("/v1/orders").json(&json!({})).send().await;
    answer.refused(405, "method_not_allowed");
    let mut allowed: Vec<_> = answer.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "POST"]);
    app.delete("/v1/sessions").send().await.refused(405, "method_not_allowed");
    app.post("/healthz").send().await.refused(405, "method_not_allowed");
    app.finish().await;
}

fn client_from(address: [u8; 4]) -> reqwest::Client {
    let local = IpAddr::V4(Ipv4Addr::from(address));
    reqwest::Client::builder().local_address(local).build().unwrap()
}

async fn status(client: &reqwest::Client, url: &str) -> u16 {
    client.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_waits_and_nobody_else() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "5")]).await;
    for _ in 0..5 {
        app.get("/healthz").send().await.ok(200);
    }
    let answer = app.get("/healthz").header("Origin", "http://shop.test").send().await;
    answer.refused(429, "too_many_requests");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    // A browser must be able to read the refusal.
    assert_eq!(answer.header("access-control-allow-origin"), "http://shop.test");
    // A claimed address doesn't help; another one is another caller.
    let forged = app.get("/healthz").header("X-Forwarded-For", "203.0.113.9").send().await;
    forged.refused(429, "too_many_requests");
    assert_eq!(status(&client_from([127, 0, 0, 2]), &format!("{}/healthz", app.url)).await, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_providers_leave_lists_as_often_as_their_customers_click() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "2")]).await;
    for _ in 0..10 {
        app.post("/v1/unsubscribe?t=x").send().await.refused(410, "token_invalid");
    }
    app.get("/healthz").send().await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_its_word_counts() {
    let app = TestApp::spawn_with(&[
        ("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "2"),
        ("KINDRED_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let ask = async |header: &str| app.get("/healthz").header("X-Forwarded-For", header).send().await.status;
    assert_eq!(
        [ask("203.0.113.7").await, ask("203.0.113.7").await, ask("203.0.113.7").await],
        [200, 200, 429]
    );
    // What the client wrote itself stands further left.
    assert_eq!(ask("198.51.100.1, 203.0.113.7").await, 429);
    assert_eq!(ask("203.0.113.8").await, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_has_a_stricter_limit() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_CREDENTIALS_PER_MINUTE", "2")]).await;
    let body = json!({ "email": "a@b.test", "password": "wrong" });
    let sign_in = async |path: &str| app.post(path).json(&body).send().await;
    sign_in("/v1/sessions").await.refused(401, "invalid_credentials");
    // One allowance for all of them, and a disguise doesn't help.
    sign_in("/v1/%73essions").await.refused(401, "invalid_credentials");
    sign_in("/v1/sessions").await.refused(429, "too_many_requests");
    app.post("/v1/password-resets").json(&body).send().await.refused(429, "too_many_requests");
    app.post("/v1/f-codes/check").json(&body).send().await.refused(429, "too_many_requests");
    app.get("/healthz").send().await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_of_allowed_origins_may_call() {
    let app = TestApp::spawn_with(&[("KINDRED_ALLOWED_ORIGINS", "https://app.shop.test")]).await;
    let preflight = app
        .client
        .request(reqwest::Method::OPTIONS, format!("{}/v1/orders", app.url))
        .header("Origin", "https://app.shop.test")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    let header = |name: &str| preflight.headers()[name].to_str().unwrap().to_lowercase();
    assert_eq!(header("access-control-allow-origin"), "https://app.shop.test");
    assert!(header("access-control-allow-headers").contains("idempotency-key"));
    assert!(header("access-control-allow-methods").contains("post"));
    let answer = app.get("/v1/nothing").header("Origin", "https://app.shop.test").send().await;
    let exposed = answer.header("access-control-expose-headers").to_lowercase();
    for name in ["etag", "location", "retry-after", "x-request-id"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    let stranger = app.get("/healthz").header("Origin", "https://evil.test").send().await;
    assert!(!stranger.headers.contains_key("access-control-allow-origin"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_safe_headers_and_large_ones_are_compressed() {
    let app = TestApp::spawn().await;
    let small = app.get("/healthz").header("Accept-Encoding", "gzip, br").send().await;
    assert!(!small.headers.contains_key("content-encoding"));
    assert_eq!(small.header("x-content-type-options"), "nosniff");
    assert_eq!(small.header("referrer-policy"), "no-referrer");
    assert_eq!(small.header("cache-control"), "no-store");
    assert!(small.header("content-security-policy").contains("default-src 'none'"));
    assert!(!small.headers.contains_key("strict-transport-security"), "the shop is on http");
    let large = app.get("/openapi.json").header("Accept-Encoding", "gzip").send().await;
    assert_eq!(large.header("content-encoding"), "gzip");
    let plain = app.get("/openapi.json").send().await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert_eq!(plain.ok(200)["openapi"], "3.1.0");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_load_nothing_from_elsewhere() {
    let app = TestApp::spawn().await;
    for path in ["/docs", "/verify-email?token=secret-1", "/reset-password?token=secret-2"] {
        let page = app.get(path).send().await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.text.contains(outside), "{outside} in {path}");
        }
        assert!(!page.text.contains("secret-"), "a token is no part of the page");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_block_nobody_and_are_closed() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_HEAD_SECONDS", "1")]).await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let mut idle: Vec<_> = (0..400).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // Some begin a request and never end it.
    for stream in idle.iter_mut().step_by(2) {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    }
    let started = Instant::now();
    app.get("/healthz").send().await.ok(200);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let ended = tokio::task::spawn_blocking(move || {
        for stream in &mut idle {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut said = Vec::new();
            // Closed with or without a word (408), but closed.
            match stream.read_to_end(&mut said) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
            }
        }
    });
    ended.await.unwrap();
    app.finish().await;
}

async fn database_name(app: &TestApp) -> String {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let sql = "SELECT current_database()::text AS name";
    let row: Row = diesel::sql_query(sql).get_result(&mut app.conn().await).await.unwrap();
    row.name
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_database() {
    let app = TestApp::spawn().await;
    app.get("/healthz").send().await.ok(200);
    let ready = app.get("/readyz").send().await.ok(200);
    assert_eq!(ready, json!({ "status": "ready", "database": true, "migrations": true, "worker": true }));
    // A job that is claimed just as the line breaks would wait for its lease to end.
    app.drain().await;
    let name = database_name(&app).await;
    let url = app.app.settings.database.url.as_ref().unwrap();
    let (server, _) = secrecy::ExposeSecret::expose_secret(url).rsplit_once('/').unwrap();
    let admin_url = format!("{server}/postgres");
    let mut admin = db::establish(&admin_url).await.unwrap();
    admin.batch_execute(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await.unwrap();
    let kill = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    admin.batch_execute(&kill).await.unwrap();
    let away = app.get("/readyz").send().await;
    assert_eq!((away.status, &away.json["database"]), (503, &json!(false)), "{}", away.text);
    assert_eq!(away.header("retry-after"), "1");
    app.get("/healthz").send().await.ok(200);
    admin.batch_execute(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while app.get("/readyz").send().await.status != 200 {
        assert!(Instant::now() < deadline, "never ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_and_name_patterns() {
    let app = TestApp::spawn().await;
    app.get("/v1/drives/drv_secret").send().await.refused(404, "not_found");
    let metrics = app.get("/metrics").send().await;
    assert_eq!(metrics.status, 200);
    for line in [
        "kindred_http_request_seconds_count{method=\"GET\",route=\"/v1/drives/{id}\",status=\"404\"} 1",
        "kindred_problems_total{code=\"not_found\"} 1",
        "kindred_jobs{lane=\"mail\",state=\"dead\"} 0",
        "kindred_database_connections{state=\"most\"} 8",
    ] {
        assert!(metrics.text.contains(line), "{line} in {}", metrics.text);
    }
    assert!(!metrics.text.contains("secret"));
    // A proxy on this machine is not this machine.
    app.get("/metrics").header("X-Forwarded-For", "203.0.113.7").send().await.refused(404, "not_found");
    app.get("/metrics").header("Forwarded", "for=203.0.113.7").send().await.refused(404, "not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_have_a_port_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let app = TestApp::spawn_with(&[("KINDRED_METRICS_LISTEN", &free.to_string())]).await;
    app.get("/metrics").send().await.refused(404, "not_found");
    let client = reqwest::Client::new();
    let answer = client.get(format!("http://{free}/metrics")).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("kindred_jobs"));
    assert_eq!(status(&client, &format!("http://{free}/v1/tiers")).await, 404);
    app.finish().await;
}

/// All that this process logs from now on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_no_secret_and_no_address() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("kindred=trace")
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app = TestApp::spawn().await;
    let person = app.member("logged.person@member.test").await;
    app.get("/verify-email?token=log-token-1").send().await;
    app.get("/v1/me/sessions?limit=7")
        .bearer(&person.token)
        .header("X-Request-Id", "log-me")
        .send()
        .await
        .ok(200);
    let wrong = json!({ "email": "logged.person@member.test", "password": "log-password-2" });
    app.post("/v1/sessions").json(&wrong).send().await.refused(401, "invalid_credentials");
    app.post("/v1/password-resets")
        .json(&json!({ "email": "logged.person@member.test" }))
        .send()
        .await
        .ok(202);
    let basket = app.post("/v1/baskets").send().await.ok(201);
    let (id, basket_secret) = (basket["id"].as_str().unwrap(), basket["secret"].as_str().unwrap());
    let path = format!("/v1/baskets/{id}");
    app.get(&path).header("Basket-Secret", basket_secret).send().await.ok(200);
    app.get(&path).header("Basket-Secret", "log-secret-3").send().await.refused(404, "not_found");
    let order =
        app.get("/v1/orders/ord_00000000000000000000000000000000").header("Order-Token", "log-token-4");
    order.send().await.refused(404, "not_found");
    let wish = json!({ "basket": id, "email": "logged.guest@member.test" });
    let order = app.post("/v1/orders").header("Basket-Secret", basket_secret).key("log-key-5").json(&wish);
    order.send().await.refused(422, "invalid_field");
    app.drain().await;
    app.finish().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("log-me") && line.contains("kindred::access")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(line).unwrap();
    let fields = &entry["fields"];
    assert_eq!((&fields["route"], &fields["method"]), (&json!("/v1/me/sessions"), &json!("GET")));
    assert_eq!((&fields["status"], &fields["account"]), (&json!(200), &json!(person.id.to_string())));
    assert!(fields["ms"].is_u64());
    let signature = person.token.rsplit('.').next().unwrap();
    let of_guests = [basket_secret, "log-secret-3", "log-token-4", "log-key-5", "logged.guest", id];
    let of_person = ["log-token-1", "log-password-2", "logged.person", signature, &person.refresh_token];
    for secret in of_person.into_iter().chain(of_guests).chain(["127.0.0.1"]) {
        let found = text.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "{secret}: {found:?}");
    }
}
