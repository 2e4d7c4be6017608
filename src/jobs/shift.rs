//! Jobs that do part after part of what there is to do.

use std::time::{Duration, Instant};

/// For how long a job goes on before it makes room for others: well below what a job may take.
const AT_A_TIME: Duration = Duration::from_secs(45);
/// How long what comes in a rush gathers.
const GATHERS: Duration = Duration::from_millis(500);

/// One run of such a job.
pub struct Shift {
    begun: Instant,
    has_gone_on: bool,
}

impl Shift {
    pub fn begin() -> Self {
        Self { begun: Instant::now(), has_gone_on: false }
    }

    /// After [`AT_A_TIME`] the job is to come back.
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() > AT_A_TIME
    }

    /// After a part that found less than it could have done. Where there was something each time it looked, more is coming all
    /// the while: it is left to gather, so that the next part does more with as many statements. What comes alone waits for
    /// nothing.
    pub async fn gather(&mut self) {
        if self.has_gone_on {
            tokio::time::sleep(GATHERS).await;
        }
        self.has_gone_on = true;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn only_what_comes_in_a_rush_gathers() {
        let mut shift = Shift::begin();
        assert!(shift.gather().now_or_never().is_some());
        assert!(shift.gather().now_or_never().is_none());
    }
}
