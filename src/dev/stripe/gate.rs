//! The way of a call: recorded, authenticated, paced, checked against its idempotency key, executed, answered; and
//! the places on that way where faults strike.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, rt};
use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::faults::CallPlan;
use super::form::Params;
use super::ids;
use super::operation::{Operation, Site};
use super::rows::{Cause, Key};
use super::store::{Moment, Store};
use super::{API_RELEASE, API_VERSION, Inner, Simulator, lock};

const KEY_CHARACTERS_MAX: usize = 255;

/// A call as it came, for judges: never with its secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    /// Method.
    pub m: String,
    /// Path, from `/v1` on.
    pub p: String,
    /// Query string.
    pub q: String,
    /// Form body.
    pub b: String,
    /// Headers by lower-case name.
    pub h: BTreeMap<String, String>,
}

impl Recorded {
    fn read(request: &HttpRequest, path: &str, body: &Bytes) -> Self {
        let secret = |name: &str| matches!(name, "authorization" | "cookie" | "proxy-authorization");
        let headers = request
            .headers()
            .iter()
            .filter(|(name, _)| !secret(name.as_str()))
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Self {
            m: request.method().to_string(),
            p: path.to_owned(),
            q: request.query_string().to_owned(),
            b: String::from_utf8_lossy(body).into_owned(),
            h: headers,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.h.get(name).map(String::as_str)
    }
}

/// No more than so many calls in any second of real time.
#[derive(Default)]
pub struct Pace {
    per_second: Option<usize>,
    recent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub fn new(per_second: Option<u32>) -> Self {
        Self { per_second: per_second.and_then(|rate| usize::try_from(rate).ok()), recent: Mutex::default() }
    }

    fn admits(&self) -> bool {
        let Some(per_second) = self.per_second else { return true };
        let now = Instant::now();
        let mut recent = lock(&self.recent);
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        if recent.len() >= per_second {
            return false;
        }
        recent.push_back(now);
        true
    }
}

/// An answer on its way out.
struct Reply {
    status: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    fn new(status: u16, body: &Value, request: &str) -> Self {
        Self::raw(status, body.to_string(), request)
    }

    fn raw(status: u16, body: String, request: &str) -> Self {
        Self { status, body, headers: vec![("Request-Id", request.to_owned())] }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn refused(error: &ApiError, request: &str) -> Self {
        let mut reply = Self::new(error.status, &error.body(), request);
        if let Some(should_retry) = error.should_retry {
            reply = reply.with("Stripe-Should-Retry", if should_retry { "true" } else { "false" });
        }
        if error.status == 429 {
            reply = reply.with("Stripe-Rate-Limited-Reason", "global-rate");
        }
        reply
    }

    fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.content_type("application/json");
        response.insert_header(("Stripe-Version", API_VERSION));
        for (name, value) in self.headers {
            response.insert_header((name, value));
        }
        response.body(self.body)
    }
}

/// Closes the connection without an answer: the body fails before its first byte, so nothing is sent.
fn cut_off() -> HttpResponse {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("an injected fault")) });
    HttpResponse::Ok().streaming(broken)
}

/// Every call of `/v1`.
pub(super) async fn api(
    simulator: web::Data<Simulator>,
    request: HttpRequest,
    tail: web::Path<String>,
    body: Bytes,
) -> HttpResponse {
    let path = format!("/v1/{tail}");
    let call = Recorded::read(&request, &path, &body);
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let admitted = simulator.inner.admit(&call, authorization);
    simulator.inner.record(call.clone());
    let id = ids::request();
    match admitted {
        Err(error) => Reply::refused(&error, &id).into_response(),
        Ok((operation, params)) => {
            let inner = Arc::clone(&simulator.inner);
            run(inner, Admitted { call, operation, params, id }).await
        }
    }
}

/// A call that may be executed.
struct Admitted {
    call: Recorded,
    operation: Operation,
    params: Params,
    /// The id of this request, `req_…`.
    id: String,
}

async fn run(inner: Arc<Inner>, admitted: Admitted) -> HttpResponse {
    let plan = lock(&inner.store).faults.plan_call(admitted.operation.name());
    match plan {
        CallPlan::Normal => inner.answer(&admitted, None).into_response(),
        CallPlan::Refuse(status) => {
            let error = ApiError::injected(status);
            if error.executed {
                inner.answer(&admitted, Some(error)).into_response()
            } else {
                Reply::refused(&error, &admitted.id).into_response()
            }
        }
        CallPlan::BadGateway => HttpResponse::BadGateway()
            .content_type("text/html")
            .body("<html><body><h1>502 Bad Gateway</h1></body></html>"),
        CallPlan::LoseAnswer => {
            inner.answer(&admitted, None);
            cut_off()
        }
        CallPlan::Delay(delay) => {
            let reply = inner.answer(&admitted, None);
            rt::time::sleep(delay).await;
            reply.into_response()
        }
        CallPlan::Hang(delay) => {
            // In a task of its own: it goes on when the caller gives up, as it would at Stripe.
            let task = rt::spawn(async move {
                let begun = inner.begin_hanging(&admitted);
                rt::time::sleep(delay).await;
                inner.end_hanging(&admitted, begun)
            });
            task.await.map_or_else(|_| cut_off(), Reply::into_response)
        }
    }
}

/// What the idempotency key of a call says.
enum Begun {
    /// No key, or a new one, which is now marked as running.
    Fresh,
    Replay(Arc<Key>),
    Refused(ApiError),
}

impl Inner {
    /// Whether the call may come in at all.
    fn admit(&self, call: &Recorded, authorization: Option<&str>) -> Result<(Operation, Params), ApiError> {
        self.authenticate(authorization)?;
        if let Some(version) = call.header("stripe-version")
            && !version.ends_with(API_RELEASE)
        {
            let message = format!("The simulator answers as {API_VERSION}; it can't answer as {version}.");
            return Err(ApiError::invalid(message));
        }
        let operation =
            Operation::find(&call.m, &call.p).ok_or_else(|| ApiError::unrecognized_url(&call.m, &call.p))?;
        let pace = if operation.writes() { &self.writes } else { &self.reads };
        if !pace.admits() {
            return Err(ApiError::rate_limited());
        }
        if call.header("idempotency-key").is_some_and(|key| key.chars().count() > KEY_CHARACTERS_MAX) {
            return Err(ApiError::invalid("Idempotency keys can have up to 255 characters."));
        }
        let is_form = call
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !call.b.is_empty() && !is_form {
            return Err(ApiError::invalid(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded).",
            ));
        }
        let params = Params::parse(if operation.writes() { call.b.as_bytes() } else { call.q.as_bytes() })?;
        Ok((operation, params))
    }

    /// Bearer, or basic with the key as the user's name.
    fn authenticate(&self, authorization: Option<&str>) -> Result<(), ApiError> {
        let given = authorization.and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => Some(rest.trim().to_owned()),
                "basic" => {
                    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
                    let text = String::from_utf8(decoded).ok()?;
                    Some(text.split(':').next().unwrap_or_default().to_owned())
                }
                _ => None,
            }
        });
        let Some(given) = given else {
            return Err(ApiError::unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                 Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            ));
        };
        if super::is_live(&given) {
            return Err(ApiError::unauthorized("This is the simulator: never send a live key to it."));
        }
        if given != self.secret_key {
            let shown: String = given.chars().take(8).collect();
            return Err(ApiError::unauthorized(format!("Invalid API Key provided: {shown}****")));
        }
        Ok(())
    }

    /// Executes the call (or fails it, where a fault says so), or replays what its key remembers.
    fn answer(&self, admitted: &Admitted, fault: Option<ApiError>) -> Reply {
        let methods = &self.methods;
        let base = self.public_base();
        self.step(|store, now| {
            let begun = store.begin(admitted, now);
            let site = Site { base: &base, methods };
            store.conclude(admitted, begun, fault, &site, Moment::at(now))
        })
    }

    fn begin_hanging(&self, admitted: &Admitted) -> Begun {
        self.step(|store, now| store.begin(admitted, now))
    }

    fn end_hanging(&self, admitted: &Admitted, begun: Begun) -> Reply {
        let base = self.public_base();
        let site = Site { base: &base, methods: &self.methods };
        self.step(|store, now| store.conclude(admitted, begun, None, &site, Moment::at(now)))
    }
}

impl Admitted {
    fn key(&self) -> Option<&str> {
        if self.operation.writes() { self.call.header("idempotency-key") } else { None }
    }

    fn parameters(&self) -> String {
        ids::stable(&self.params.canonical())
    }
}

impl Store {
    fn begin(&mut self, admitted: &Admitted, now: DateTime<Utc>) -> Begun {
        let Some(key) = admitted.key() else { return Begun::Fresh };
        if let Some(kept) = self.kept(key, now) {
            if kept.endpoint != admitted.call.p {
                let error = ApiError::key_reused_elsewhere(key, &admitted.call.p, &kept.endpoint);
                return Begun::Refused(error);
            }
            if kept.parameters != admitted.parameters() {
                return Begun::Refused(ApiError::key_reused(key));
            }
            return Begun::Replay(Arc::clone(kept));
        }
        if !self.running.insert(key.to_owned()) {
            return Begun::Refused(ApiError::key_in_use(key));
        }
        Begun::Fresh
    }

    fn conclude(
        &mut self,
        admitted: &Admitted,
        begun: Begun,
        fault: Option<ApiError>,
        site: &Site<'_>,
        moment: Moment,
    ) -> Reply {
        let id = &admitted.id;
        match begun {
            Begun::Refused(error) => return Reply::refused(&error, id),
            Begun::Replay(kept) => {
                return Reply::raw(kept.status, kept.body.clone(), id)
                    .with("Idempotency-Key", &kept.id)
                    .with("Original-Request", &kept.request)
                    .with("Idempotent-Replayed", "true");
            }
            Begun::Fresh => {}
        }
        let cause = admitted
            .operation
            .writes()
            .then(|| Cause { request: id.clone(), key: admitted.key().map(str::to_owned) });
        let moment = Moment { cause, ..moment };
        let result = match fault {
            Some(fault) => Err(fault),
            None => admitted.operation.execute(self, admitted.params.clone(), site, &moment),
        };
        let (reply, kept) = match &result {
            Ok(answer) => (Reply::new(200, answer, id), true),
            Err(error) => (Reply::refused(error, id), error.executed),
        };
        let Some(key) = admitted.key() else { return reply };
        self.running.remove(key);
        if kept {
            self.keys.put(Key {
                id: key.to_owned(),
                created: moment.now,
                endpoint: admitted.call.p.clone(),
                parameters: admitted.parameters(),
                status: reply.status,
                body: reply.body.clone(),
                request: id.clone(),
            });
        }
        reply.with("Idempotency-Key", key).with("Original-Request", id)
    }
}
