//! What one connection may cost. The framework bounds the time for the first head of a connection, and how long it stands
//! idle before a later one begins. Whoever sends a later head byte by byte, or takes an answer byte by byte, would keep his
//! connection for ever. So each has a moment at which it is closed unless a request has come, whatever trickles in or out.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use chrono::TimeDelta;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::app::App;
use crate::config::Limits;
use crate::ports::clock::machine_now;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What else is open: the database, logs, calls to Stripe and the mail server.
const FILES_BESIDE: u64 = 512;
/// While a request is answered its handler says how long that may take.
const NEVER: i64 = i64::MAX;

/// All connections of an instance.
pub struct Connections {
    open: Mutex<Vec<Weak<Connection>>>,
    /// From the begin of an answer to the whole head of the next request.
    silence: TimeDelta,
}

/// One of them, as long as the server has it.
pub struct Connection {
    /// The same socket by another descriptor: shutting it down ends the server's as well.
    socket: TcpStream,
    /// The machine's time, in microseconds.
    ends_at: AtomicI64,
    silence: TimeDelta,
}

impl Connections {
    pub fn new(limits: &Limits) -> Self {
        let seconds = [limits.answer_seconds, limits.idle_seconds, limits.head_seconds];
        let silence = TimeDelta::seconds(seconds.into_iter().map(i64::from).sum());
        Self { open: Mutex::default(), silence }
    }

    /// The server has taken a connection: from here on its requests know it.
    pub fn opened(&self, stream: &dyn Any, of_requests: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        // Without another descriptor none is left to serve it either.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let (socket, silence) = (TcpStream::from(socket), self.silence);
        let connection = Arc::new(Connection { socket, ends_at: AtomicI64::new(NEVER), silence });
        self.lock().push(Arc::downgrade(&connection));
        of_requests.insert(connection);
    }

    /// Closes those whose moment has come, and forgets those that are closed.
    fn close_late(&self) {
        let now = machine_now().timestamp_micros();
        self.lock().retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            if connection.ends_at.load(Ordering::Relaxed) > now {
                return true;
            }
            // Where it fails, the client was faster.
            let _ = connection.socket.shutdown(Shutdown::Both);
            false
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request has come whole; the connection it came on.
pub fn begin(request: &ServiceRequest) -> Option<Arc<Connection>> {
    let connection = request.request().conn_data::<Arc<Connection>>().cloned()?;
    connection.ends_at.store(NEVER, Ordering::Relaxed);
    Some(connection)
}

impl Connection {
    /// Its answer begins. Streams of events last as they like, and so do files for operators.
    pub fn answer(&self, headers: &HeaderMap) {
        let is_stream =
            headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream && !headers.contains_key(CONTENT_DISPOSITION) {
            let ends_at = machine_now() + self.silence;
            self.ends_at.store(ends_at.timestamp_micros(), Ordering::Relaxed);
        }
    }
}

/// Has the system let this process open as many files as it may at most, and says where that is too few for so many
/// connections: each takes two descriptors.
pub fn make_room(connections: usize) {
    let allowed = raise_file_limit();
    let needed =
        u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(FILES_BESIDE);
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "too few open files for KINDRED_LIMIT_CONNECTIONS: raise `ulimit -n`"
        );
    }
}

/// How many this process may open from now on.
pub fn raise_file_limit() -> u64 {
    let Rlimit { maximum, current } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// Looks after all connections until the app stops.
pub async fn run(app: Arc<App>) {
    let mut shutdown = app.shutdown.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => app.connections.close_late(),
            _ = shutdown.changed() => return,
        }
    }
}
