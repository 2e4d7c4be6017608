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

    #[cfg(test)]
    pub(crate) async fn is_used(&self) -> bool {
        self.next.lock().await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The moments, in milliseconds, at which `count` callers who came together get their turns, in coming order.
    async fn turns(pacer: &Arc<Pacer>, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut waiting = Vec::new();
        for _ in 0..count {
            let pacer = pacer.clone();
            waiting.push(tokio::spawn(async move {
                pacer.turn().await;
                start.elapsed().as_millis()
            }));
        }
        let mut moments = Vec::new();
        for one in waiting {
            moments.push(one.await.unwrap());
        }
        moments
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_evenly_and_served_in_coming_order() {
        let pacer = Arc::new(Pacer::new(20));
        let expected: Vec<u128> = (0..100).map(|n| n * 50).collect();
        let moments = turns(&pacer, 100).await;
        // A timer may wake a millisecond late; the delay doesn't add up.
        assert!(moments.iter().zip(&expected).all(|(is, due)| is >= due && *is <= due + 2), "{moments:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_calls_than_the_rate_and_its_hundredth() {
        // Slots that aren't whole milliseconds: every timer wakes late, and the rate must be reached all the same.
        let pacer = Arc::new(Pacer::new(700));
        turns(&pacer, 1).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let moments = turns(&pacer, 3500).await;
        let busiest =
            moments.iter().map(|from| moments.iter().filter(|at| (*from..*from + 1000).contains(at)).count());
        let busiest = busiest.max().unwrap();
        assert!((695..=710).contains(&busiest), "{busiest}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_rest_nobody_waits() {
        let pacer = Arc::new(Pacer::new(2));
        pacer.turn().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(turns(&pacer, 1).await[0] <= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_counts_for_those_who_wait_already() {
        let pacer = Arc::new(Pacer::new(1));
        let waiting = tokio::spawn({
            let pacer = pacer.clone();
            async move { turns(&pacer, 50).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        pacer.set_rate(100);
        let moments = waiting.await.unwrap();
        // The second call's slot was given at the old rate, the others come a hundredth apart.
        assert!(moments[49] <= 1000 + 48 * 10 + 2, "{moments:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_leaves_the_turn_to_the_next() {
        let pacer = Arc::new(Pacer::new(1));
        pacer.turn().await;
        let start = Instant::now();
        assert!(tokio::time::timeout(Duration::from_millis(500), pacer.turn()).await.is_err());
        pacer.turn().await;
        assert!(start.elapsed() <= Duration::from_millis(1002));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_is_one_a_second() {
        let pacer = Arc::new(Pacer::new(0));
        assert!(turns(&pacer, 3).await[2] <= 2002);
        pacer.set_rate(0);
        assert!(turns(&pacer, 1).await[0] <= 1001);
    }
}
