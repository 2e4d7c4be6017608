//! One buyer's stay in the shop: a connection from an own address, and the patience to ask again.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep};

use super::RehearsalError;
use super::sale::Seen;

/// The shop may keep a request for 20 seconds, where it is asked to wait.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// A shop that doesn't answer for that long has lost its buyer.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a buyer gave up what he was doing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

pub fn trouble(what: impl Into<String>) -> Trouble {
    Trouble(what.into())
}

/// A buyer with a seat. The seat and the connection go with it.
pub struct Visit<'s> {
    http: reqwest::Client,
    urls: &'s [String],
    /// Which instance is asked; another one after each failure, as a balancer in front would do.
    at: AtomicUsize,
    seen: &'s Seen,
    _seat: SemaphorePermit<'s>,
}

/// A request, to be sent as often as it takes.
#[derive(Clone)]
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub key: Option<&'a str>,
    pub body: Body<'a>,
    /// What the answer should be, where the shop has several.
    pub accept: Option<&'static str>,
}

/// What is sent along.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    Nothing,
    Json(&'a Value),
    Csv(&'a str),
}

impl<'a> Call<'a> {
    pub fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, token: None, key: None, body: Body::Nothing, accept: None }
    }

    pub fn get_csv(path: &'a str) -> Self {
        Self { accept: Some("text/csv"), ..Self::get(path) }
    }

    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::POST, body: Body::Json(body), ..Self::get(path) }
    }

    pub fn post_csv(path: &'a str, file: &'a str) -> Self {
        Self { method: Method::POST, body: Body::Csv(file), ..Self::get(path) }
    }

    pub fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// An answer that stands.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// One string where it isn't JSON.
    pub body: Value,
}

impl Answer {
    /// The problem's code, where it is one.
    pub fn code(&self) -> &str {
        self.text("/code")
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Asking again may help: nothing was decided.
    fn is_open(&self) -> bool {
        self.status >= 500 || self.status == 429 || self.code() == "request_in_progress"
    }
}

/// What the payment page said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAnswer {
    /// It sends the buyer back to the shop.
    Accepted,
    Declined,
    /// It can't be paid any more, or was paid already.
    Over,
}

impl<'s> Visit<'s> {
    /// # Errors
    /// When no client can be made.
    pub fn begin(
        urls: &'s [String],
        arrival: usize,
        address: IpAddr,
        seen: &'s Seen,
        seat: SemaphorePermit<'s>,
    ) -> Result<Self, RehearsalError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .local_address(address)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_MAX)
            .build()?;
        Ok(Self { http, urls, at: AtomicUsize::new(arrival), seen, _seat: seat })
    }

    /// Asks until there is an answer that stands: after a lost connection, a time-out or a 5xx again, with the same key.
    ///
    /// # Errors
    /// When patience ends.
    pub async fn call(&self, call: &Call<'_>) -> Result<Answer, Trouble> {
        let begun = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let outcome = self.once(call).await;
            let last = match outcome {
                Ok(answer) if !answer.is_open() => return Ok(answer),
                Ok(answer) => format!("{} {}", answer.status, answer.code()),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() > PATIENCE {
                return Err(trouble(format!("{} {}: no answer that stands: {last}", call.method, call.path)));
            }
            self.seen.retried();
            self.at.fetch_add(1, Ordering::Relaxed);
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer, reqwest::Error> {
        let at = self.at.load(Ordering::Relaxed) % self.urls.len().max(1);
        let base = self.urls.get(at).map_or("", String::as_str);
        let mut request = self.http.request(call.method.clone(), format!("{base}{}", call.path));
        if let Some(token) = call.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        request = match call.body {
            Body::Nothing => request,
            Body::Json(body) => request.json(body),
            Body::Csv(file) => request.header(CONTENT_TYPE, "text/csv; charset=utf-8").body(file.to_owned()),
        };
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        let text = |_| Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_else(text) })
    }

    /// Posts the form of a payment page.
    ///
    /// # Errors
    /// When the page doesn't answer, or not as a payment page does.
    pub async fn pay(&self, url: &str, form: &str) -> Result<PageAnswer, Trouble> {
        let begun = Instant::now();
        loop {
            let request = self.http.post(url).body(form.to_owned());
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            match request.header(CONTENT_TYPE, form_type).send().await {
                Ok(answer) => {
                    return match answer.status().as_u16() {
                        303 => Ok(PageAnswer::Accepted),
                        200 => Ok(PageAnswer::Declined),
                        409 => Ok(PageAnswer::Over),
                        status => Err(trouble(format!("the payment page answered {status}"))),
                    };
                }
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(trouble(format!("the payment page doesn't answer: {error}")));
                }
                Err(_) => sleep(PAUSE_FIRST).await,
            }
        }
    }
}
