//! The clock port: the only place that asks the machine for the time.
//!
//! Every rule takes `now` as an argument; only the edges (handlers, jobs) ask a [`Clock`]. The shop's time is the
//! machine's time plus an offset that only the demo and tests move, always forward. The offset lives in the database
//! (`shop_clock`), so that all instances share it and it survives a restart; a `Clock` caches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A handle to the shop's time; clones share one offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// A clock without an offset: the machine's time.
    pub fn real() -> Self {
        Self::default()
    }

    /// The shop's time in UTC, to the microsecond (what PostgreSQL keeps).
    pub fn now(&self) -> DateTime<Utc> {
        machine_now() + TimeDelta::microseconds(self.offset_micros.load(Ordering::Acquire))
    }

    /// How far the shop's time is ahead of the machine's.
    pub fn offset(&self) -> TimeDelta {
        TimeDelta::microseconds(self.offset_micros.load(Ordering::Acquire))
    }

    /// Takes over an offset read from the database. Time never goes back: a smaller offset is ignored.
    pub fn raise_offset(&self, offset: TimeDelta) {
        let micros = offset.num_microseconds().unwrap_or(i64::MAX);
        self.offset_micros.fetch_max(micros, Ordering::AcqRel);
    }
}

/// The machine's time, for what must not follow the test clock: leases, pacing, rate limits, time-outs.
#[expect(clippy::disallowed_methods, reason = "this is the clock port")]
pub fn machine_now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_moves_time_forward_and_never_back() {
        let clock = Clock::real();
        clock.raise_offset(TimeDelta::days(365));
        assert!(clock.now() - machine_now() > TimeDelta::days(364));
        clock.raise_offset(TimeDelta::days(1));
        assert_eq!(clock.offset(), TimeDelta::days(365));
    }
}
