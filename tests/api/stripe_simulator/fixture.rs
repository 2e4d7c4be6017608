//! A simulator, and an endpoint that verifies and keeps what arrives.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::TimeDelta;
use kindred::dev::stripe::{Running, Settings, Simulator};
use kindred::ports::clock::Clock;
use kindred_stripe::webhook::verify;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;

pub const KEY: &str = "sk_test_simulated";
pub const SECRET: &str = "whsec_simulated";

/// What came to the endpoint.
#[derive(Default)]
pub struct Arrivals {
    /// Signature header and event of each delivery that verified.
    pub taken: Vec<(String, Value)>,
    /// Deliveries whose signature didn't hold: answered 400.
    pub forged: usize,
    /// How many of the next deliveries are answered 500.
    pub refuse_next: u32,
}

pub struct Fixture {
    pub sim: Running,
    pub clock: Clock,
    pub http: reqwest::Client,
    pub arrivals: Arc<Mutex<Arrivals>>,
}

#[derive(Clone)]
struct Endpoint {
    arrivals: Arc<Mutex<Arrivals>>,
    clock: Clock,
}

async fn take(request: HttpRequest, body: web::Bytes, endpoint: web::Data<Endpoint>) -> HttpResponse {
    let mut arrivals = endpoint.arrivals.lock().unwrap();
    if arrivals.refuse_next > 0 {
        arrivals.refuse_next -= 1;
        return HttpResponse::InternalServerError().finish();
    }
    let signature = request.headers().get("stripe-signature").unwrap().to_str().unwrap();
    if verify(&body, signature, &[SECRET], endpoint.clock.now().timestamp(), 300).is_err() {
        arrivals.forged += 1;
        return HttpResponse::BadRequest().finish();
    }
    arrivals.taken.push((signature.to_owned(), serde_json::from_slice(&body).unwrap()));
    HttpResponse::Ok().finish()
}

impl Fixture {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Clock::real();
        let arrivals = Arc::new(Mutex::new(Arrivals::default()));
        let endpoint = Endpoint { arrivals: Arc::clone(&arrivals), clock: clock.clone() };
        let state = web::Data::new(endpoint);
        let server =
            HttpServer::new(move || App::new().app_data(state.clone()).route("/hooks", web::post().to(take)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
        let address = server.addrs()[0];
        actix_web::rt::spawn(server.run());

        let mut settings = Settings::new(clock.clone(), KEY);
        settings.webhook_url = Some(format!("http://{address}/hooks"));
        settings.webhook_secrets = vec![SECRET.to_owned()];
        change(&mut settings);
        let sim = Simulator::listen(settings, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        // What is done on a page tells of its intent too; that is left out where the page is what is looked at.
        sim.simulator.set_webhook_events(PAGE_EVENTS.map(str::to_owned).to_vec());
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { sim, clock, http, arrivals }
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)], key: Option<&str>) -> (u16, Value) {
        let answer = self.try_post(path, form, key).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn try_post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let mut request =
            self.http.post(format!("{}{path}", self.sim.url)).bearer_auth(KEY).body(encode(form));
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        request.send().await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.sim.url)).bearer_auth(KEY);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A session of 200.00 yuan over all methods.
    pub async fn session(&self) -> Value {
        let (status, session) = self.post("/v1/checkout/sessions", &SESSION, None).await;
        assert_eq!(status, 200, "{session}");
        session
    }

    /// The session as it is now.
    pub async fn again(&self, session: &Value) -> Value {
        self.get(&format!("/v1/checkout/sessions/{}", text(&session["id"]))).await.1
    }

    /// The buyer acts on the hosted page.
    pub async fn act(&self, session: &Value, form: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.post(session["url"].as_str().unwrap()).body(encode(form));
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }

    /// A session that was paid this way.
    pub async fn paid(&self, method: &str) -> Value {
        let session = self.session().await;
        let answer = self.act(&session, &[("action", "pay"), ("method", method)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        self.again(&session).await
    }

    pub async fn advance(&self, by: TimeDelta) {
        self.clock.raise_offset(self.clock.offset() + by);
        assert!(self.sim.simulator.run_due().await);
    }

    /// The types of the events that arrived, once nothing is on its way any more.
    pub async fn kinds(&self) -> Vec<String> {
        assert!(self.sim.simulator.run_due().await);
        self.arrivals.lock().unwrap().taken.iter().map(|(_, event)| text(&event["type"])).collect()
    }

    pub async fn undelivered(&self) -> Vec<String> {
        let (_, list) = self.get("/v1/events?delivery_success=false&limit=100").await;
        list["data"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect()
    }
}

const PAGE_EVENTS: [&str; 6] = [
    "checkout.session.*",
    "refund.*",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "payment_intent.payment_failed",
];

pub fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub const SESSION: [(&str, &str); 9] = [
    ("mode", "payment"),
    ("success_url", "https://shop.test/done?session={CHECKOUT_SESSION_ID}"),
    ("cancel_url", "https://shop.test/back"),
    ("line_items[0][price_data][currency]", "cny"),
    ("line_items[0][price_data][unit_amount]", "20000"),
    ("line_items[0][price_data][product_data][name]", "普通会员"),
    ("line_items[0][quantity]", "1"),
    ("payment_method_options[wechat_pay][client]", "web"),
    ("payment_intent_data[metadata][order_id]", "ord_1"),
];
