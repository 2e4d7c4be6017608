//! The load: so many connections that each ask again as soon as they are answered (closed loop), or requests that come when
//! they come, whether earlier ones were answered or not (open loop). In the open loop a latency is counted from the moment
//! at which the request was due, so that what had to wait for a free connection counts as waiting (no coordinated omission).
//!
//! A load has a thread of its own: it takes a known share of the cores, and none of the bench's.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::wire::Wire;
use crate::dev::rehearse::{RehearsalError, impossible};
use crate::http::connections::raise_file_limit;

/// Writes the n-th request of a load, ready to be sent.
pub type Requests = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// What is asked, of whom, and what is a good answer.
#[derive(Clone)]
pub struct Target {
    pub addresses: Vec<SocketAddr>,
    pub requests: Requests,
    pub expected: u16,
}

/// How long a load lasts.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Over(Duration),
    /// So many requests.
    Asked(u64),
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answered as expected.
    pub good: u64,
    /// How long it took to be answered 503.
    pub refused: Vec<Duration>,
    pub seconds: f64,
    /// Of good answers.
    pub latencies: Vec<Duration>,
    /// The first answer that was neither, where there was one.
    pub wrong: Option<String>,
}

impl Seen {
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { precise(self.good) / self.seconds } else { 0.0 }
    }

    /// # Errors
    /// When anything was answered that nobody expects.
    pub fn sound(self) -> Result<Self, RehearsalError> {
        match self.wrong {
            Some(wrong) => Err(impossible(format!("under load somebody was answered: {wrong}"))),
            None => Ok(self),
        }
    }
}

/// Counts stay far below 2^52.
pub fn precise(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// So many connections; each asks again when it was answered. Request numbers begin at `first`.
///
/// # Errors
/// When the load could not be made.
pub async fn closed(
    target: Target,
    connections: usize,
    first: u64,
    until: Until,
) -> Result<Seen, RehearsalError> {
    on_its_thread(move || async move { closed_here(&target, connections, first, until).await }).await
}

async fn closed_here(target: &Target, connections: usize, first: u64, until: Until) -> Seen {
    let (next, seen) = (Cell::new(first), RefCell::new(Seen::default()));
    let begun = Instant::now();
    let goes_on = || match until {
        Until::Over(time) => begun.elapsed() < time,
        Until::Asked(count) => next.get() - first < count,
    };
    let asking = (0..connections).map(|connection| {
        let (next, seen, goes_on) = (&next, &seen, &goes_on);
        async move {
            let mut line = Line::to(target, connection);
            while goes_on() {
                let number = next.replace(next.get() + 1);
                let asked = Instant::now();
                let answer = line.ask(number).await;
                note(&mut seen.borrow_mut(), answer, asked, target.expected);
            }
        }
    });
    futures::future::join_all(asking).await;
    Seen { seconds: begun.elapsed().as_secs_f64(), ..seen.into_inner() }
}

/// Requests that come at random (a Poisson process), `rate` a second on average, over so many connections at most.
///
/// # Errors
/// When the load could not be made.
pub async fn open(
    target: Target,
    connections: usize,
    first: u64,
    (rate, time): (f64, Duration),
    seed: u64,
) -> Result<Seen, RehearsalError> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut due = Vec::new();
    let mut at = 0.0;
    while at < time.as_secs_f64() {
        due.push(Duration::from_secs_f64(at));
        at -= (1.0 - random.random::<f64>()).ln() / rate;
    }
    on_its_thread(move || async move { open_here(&target, connections, first, &due).await }).await
}

async fn open_here(target: &Target, connections: usize, first: u64, due: &[Duration]) -> Seen {
    let (next, seen) = (Cell::new(0_usize), RefCell::new(Seen::default()));
    let begun = tokio::time::Instant::now();
    let asking = (0..connections).map(|connection| {
        let (next, seen) = (&next, &seen);
        async move {
            let mut line = Line::to(target, connection);
            while let Some(after) = due.get(next.get()) {
                let number = next.replace(next.get() + 1);
                let at = begun + *after;
                tokio::time::sleep_until(at).await;
                let answer = line.ask(first + u64::try_from(number).unwrap_or_default()).await;
                note(&mut seen.borrow_mut(), answer, at.into_std(), target.expected);
            }
        }
    });
    futures::future::join_all(asking).await;
    Seen { seconds: begun.elapsed().as_secs_f64(), ..seen.into_inner() }
}

fn note(seen: &mut Seen, answer: Result<(u16, String), String>, since: Instant, expected: u16) {
    match answer {
        Ok((status, _)) if status == expected => {
            seen.good += 1;
            seen.latencies.push(since.elapsed());
        }
        Ok((503, _)) => seen.refused.push(since.elapsed()),
        Ok((status, body)) => {
            seen.wrong.get_or_insert_with(|| format!("{status} {body}"));
        }
        Err(error) => {
            seen.wrong.get_or_insert(error);
        }
    }
}

/// One connection of a load, made anew when it breaks.
struct Line<'a> {
    target: &'a Target,
    address: Option<SocketAddr>,
    wire: Option<Wire>,
    request: Vec<u8>,
}

impl<'a> Line<'a> {
    fn to(target: &'a Target, connection: usize) -> Self {
        let address = target.addresses.get(connection % target.addresses.len().max(1)).copied();
        Self { target, address, wire: None, request: Vec::new() }
    }

    /// The status, and of an answer that isn't the expected one also the body.
    async fn ask(&mut self, number: u64) -> Result<(u16, String), String> {
        self.request.clear();
        (self.target.requests)(number, &mut self.request);
        let is_used = self.wire.is_some();
        match self.send().await {
            // Ended after its last answer: what has a key is asked again, as clients do (RFC 9110 §9.2.2).
            Err(error) if is_used && is_ended(&error) => self.send().await.map_err(|error| error.to_string()),
            answer => answer.map_err(|error| error.to_string()),
        }
    }

    async fn send(&mut self) -> Result<(u16, String), Error> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            none => none.insert(Wire::connect(self.address.ok_or(ErrorKind::NotFound)?).await?),
        };
        match wire.call(&self.request).await {
            Ok(reply) if reply.status == self.target.expected => Ok((reply.status, String::new())),
            Ok(reply) => Ok((reply.status, String::from_utf8_lossy(reply.body).into_owned())),
            Err(error) => {
                self.wire = None;
                Err(error)
            }
        }
    }
}

fn is_ended(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// More connections may be needed than the system allows a process unasked.
async fn on_its_thread<F, W>(work: F) -> Result<Seen, RehearsalError>
where
    F: FnOnce() -> W + Send + 'static,
    W: Future<Output = Seen>,
{
    raise_file_limit();
    let (done, seen) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Nobody waits any more only when the bench was interrupted.
        let _ = done.send(runtime.map(|runtime| runtime.block_on(work())));
    })?;
    Ok(seen.await.map_err(|_| impossible("the load's thread ended"))??)
}

/// A request as bytes.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// These, one after the other, over and over.
pub fn in_turn(ready: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, out| {
        let turn = usize::try_from(number).unwrap_or_default().checked_rem(ready.len());
        out.extend_from_slice(turn.and_then(|turn| ready.get(turn)).map_or(&[], Vec::as_slice));
    })
}
