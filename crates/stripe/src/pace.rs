//! How fast we call.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How late a call may be and still count for its own slot: timers wake a millisecond or two late, and without this
/// every such delay would lower the rate. It bounds the burst after a rest too: a hundredth of a second's worth.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Spaces calls evenly: one each 1/rate seconds, first come, first served.
///
/// Stripe counts calls a second over the whole account, and refuses bursts as well as averages; even spacing is
/// what never meets a limit that the setting stays under.
pub(crate) struct Pacer {
    per_second: AtomicU32,
    /// When the next call may go. Held while waiting for it, so that those behind queue in order, a new rate counts
    /// from the next call on, and one who gives up leaves the slot to the next.
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// A rate of 0 counts as 1.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: AtomicU32::new(per_second.max(1)), next: Mutex::new(None) }
    }

    /// Counts from the next call on.
    pub(crate) fn set_rate(&self, per_second: u32) {
        self.per_second.store(per_second.max(1), Ordering::Relaxed);
    }

    /// Waits for one's turn.
    pub(crate) async fn turn(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        let now = Instant::now();
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let slot = next.unwrap_or(now).max(earliest);
        *next = Some(slot + Duration::from_secs(1) / self.per_second.load(Ordering::Relaxed));
    }
}
