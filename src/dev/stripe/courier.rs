//! Brings events to the webhook endpoint: signed anew at each attempt, several at a time, again with growing pauses
//! until the endpoint answers 2xx or patience ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::rows::Delivery;
use super::store::{Outgoing, Signature};
use super::{Inner, ids, lock, view};

/// How many deliveries run at a time.
const LANES: usize = 24;
/// Stripe repeats for days; the simulator for some minutes of real time, which outlasts a restart of the receiver.
const ATTEMPTS_MAX: u32 = 40;
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The way to the deliveries.
pub struct Courier {
    lane: mpsc::UnboundedSender<Outgoing>,
    /// Events that are on their way.
    open: watch::Sender<usize>,
}

impl Courier {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Outgoing>) {
        let (lane, deliveries) = mpsc::unbounded_channel();
        (Self { lane, open: watch::Sender::new(0) }, deliveries)
    }

    pub fn post(&self, outgoing: Outgoing) {
        let events = 1 + outgoing.then.len();
        self.open.send_modify(|open| *open += events);
        // The receiver lives as long as the runtime.
        let _ = self.lane.send(outgoing);
    }

    /// Waits until nothing is on its way, `patience` at most; true if nothing is.
    pub async fn idle(&self, patience: Duration) -> bool {
        let mut open = self.open.subscribe();
        tokio::time::timeout(patience, open.wait_for(|open| *open == 0)).await.is_ok()
    }
}

/// Takes what is posted until the simulator is gone.
pub async fn deliver_all(mut deliveries: mpsc::UnboundedReceiver<Outgoing>, inner: Weak<Inner>) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_TIMEOUT)
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build();
    let Ok(http) = http else {
        tracing::error!("the simulator can't make an HTTP client; no webhook will be sent");
        return;
    };
    let lanes = Arc::new(Semaphore::new(LANES));
    while let Some(outgoing) = deliveries.recv().await {
        let Ok(permit) = Arc::clone(&lanes).acquire_owned().await else { return };
        let delivery =
            Delivering { http: http.clone(), lanes: Arc::clone(&lanes), inner: Weak::clone(&inner) };
        tokio::spawn(async move { delivery.run(outgoing, permit).await });
    }
}

struct Delivering {
    http: reqwest::Client,
    lanes: Arc<Semaphore>,
    inner: Weak<Inner>,
}

impl Delivering {
    async fn run(&self, outgoing: Outgoing, permit: OwnedSemaphorePermit) {
        let more = (1..outgoing.copies).map(|_| self.persist(&outgoing, None));
        let first = self.persist(&outgoing, Some(permit));
        futures::future::join(first, futures::future::join_all(more)).await;
        let Some(inner) = self.inner.upgrade() else { return };
        for overtaken in outgoing.then {
            let _ = inner.courier.lane.send(overtaken);
        }
        inner.courier.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    /// Tries until the endpoint takes it.
    async fn persist(&self, outgoing: &Outgoing, mut permit: Option<OwnedSemaphorePermit>) {
        let mut pause = PAUSE_FIRST;
        for attempt in 0..ATTEMPTS_MAX {
            let signature = if attempt == 0 { outgoing.signature } else { Signature::Right };
            if self.attempt(&outgoing.event, signature).await {
                return;
            }
            // A pause doesn't hold up others.
            permit.take();
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            permit = Arc::clone(&self.lanes).acquire_owned().await.ok();
        }
    }

    /// One attempt; true if there is nothing more to do.
    async fn attempt(&self, event: &str, signature: Signature) -> bool {
        let Some(prepared) = self.prepare(event, signature) else { return true };
        let answer = self
            .http
            .post(prepared.url)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Stripe-Signature", prepared.signature)
            .body(prepared.body)
            .send()
            .await;
        let taken = answer.is_ok_and(|answer| answer.status().is_success());
        if taken && let Some(inner) = self.inner.upgrade() {
            lock(&inner.store).events.edit(event, |event| event.delivery = Delivery::Delivered);
        }
        taken
    }

    fn prepare(&self, event: &str, signature: Signature) -> Option<Prepared> {
        let inner = self.inner.upgrade()?;
        let (row, url, secrets) = {
            let store = lock(&inner.store);
            let endpoint = &store.endpoint;
            (store.events.get(event).cloned()?, endpoint.url.clone()?, endpoint.secrets.clone())
        };
        let rendered = view::event(&row, &inner.public_base());
        // As Stripe sends it: indented, so that a receiver that verifies anything but the raw bytes is found out.
        let body = serde_json::to_vec_pretty(&rendered).ok()?;
        let now = inner.clock.now();
        let signed_at = if signature == Signature::Old { now - TimeDelta::minutes(10) } else { now };
        let unknown = ["whsec_unknown".to_owned()];
        let signers: Vec<&String> = match signature {
            Signature::Wrong => unknown.iter().collect(),
            Signature::BesideAnother => unknown.iter().chain(&secrets).collect(),
            Signature::Right | Signature::Old => secrets.iter().collect(),
        };
        Some(Prepared { url, signature: sign(&body, signed_at.timestamp(), &signers), body })
    }
}

struct Prepared {
    url: String,
    signature: String,
    body: Vec<u8>,
}

/// `t=…,v1=…` with one `v1` a secret: HMAC-SHA256 over `{t}.{body}`
/// (docs.stripe.com/webhooks#verify-manually).
pub fn sign(body: &[u8], seconds: i64, secrets: &[&String]) -> String {
    let mut header = format!("t={seconds}");
    for secret in secrets {
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
            mac.update(seconds.to_string().as_bytes());
            mac.update(b".");
            mac.update(body);
            header.push_str(",v1=");
            header.push_str(&ids::hex(&mac.finalize().into_bytes()));
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_scheme_says_with_one_v1_a_secret() {
        let (first, second) = ("whsec_a".to_owned(), "whsec_b".to_owned());
        let one = sign(b"{}", 1_700_000_000, &[&first]);
        let both = sign(b"{}", 1_700_000_000, &[&first, &second]);
        assert!(both.starts_with(&one) && both.matches("v1=").count() == 2, "{both}");
        assert_ne!(one, sign(b"{ }", 1_700_000_000, &[&first]));
        assert_ne!(one, sign(b"{}", 1_700_000_001, &[&first]));
    }
}
