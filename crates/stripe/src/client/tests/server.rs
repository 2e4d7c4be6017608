//! A server that follows a script: one step a connection, everything that came in is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the next connection.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// An answer.
    Answer(u16, String),
    /// The connection ends without an answer, after the request was read.
    Drop,
    /// The connection ends within the answer's body.
    Cut,
    /// Nothing comes until the client gives up.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }
}

pub(super) struct Server {
    pub(super) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts on a free port; after its last step it answers 418, which is refused.
    pub(super) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let steps = Arc::new(Mutex::new(steps.into_iter().collect::<VecDeque<_>>()));
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, steps.clone(), kept.clone()));
            }
        });
        Self { address, seen }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, steps: Arc<Mutex<VecDeque<Step>>>, seen: Arc<Mutex<Vec<Seen>>>) {
    let Some(request) = receive(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    let step = steps.lock().unwrap().pop_front();
    let (status, body, promised) = match step {
        None => (418, refusal("script_over"), 0),
        Some(Step::Answer(status, body)) => (status, body, 0),
        Some(Step::Cut) => (200, "{".to_owned(), 100),
        Some(Step::Drop) => return,
        Some(Step::Hang) => return std::future::pending().await,
    };
    let length = body.len() + promised;
    let head = format!("HTTP/1.1 {status} Any\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let split = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = first.next().unwrap().to_owned();
    let target = first.next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[split + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Seen { method, path, query, headers, body: String::from_utf8(body).unwrap() })
}

/// An error in Stripe's shape.
pub(super) fn refusal(code: &str) -> String {
    format!(
        r#"{{"error": {{"type": "invalid_request_error", "code": "{code}", "param": "amount",
            "message": "Invalid email address: li@example.com", "doc_url": "https://stripe.com/docs"}}}}"#
    )
}
