//! How many streams are open: one address must not take them all, and all together have a limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Code, Result};

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The streams of this instance.
#[derive(Debug, Default)]
pub struct Streams(Mutex<Counts>);

/// A stream that counts until it is dropped.
#[derive(Debug)]
pub struct Seat {
    streams: Arc<Streams>,
    address: IpAddr,
}

impl Streams {
    /// # Errors
    /// `busy` where there are `most` in all, `too_many_requests` where this address has `most_of_one`.
    pub fn enter(self: &Arc<Self>, address: IpAddr, most: usize, most_of_one: usize) -> Result<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.by_address.get(&address).copied().unwrap_or(0) >= most_of_one {
            return Err(Code::TooManyRequests.error().retry_after(10));
        }
        if counts.all >= most {
            return Err(Code::Busy.because("Too many follow drops just now.").retry_after(10));
        }
        counts.all += 1;
        *counts.by_address.entry(address).or_insert(0) += 1;
        Ok(Seat { streams: Arc::clone(self), address })
    }

    #[cfg(test)]
    fn addresses(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_address.len()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(own) = counts.by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_and_all_together_have_a_limit_and_who_leaves_makes_room() {
        let streams = Arc::new(Streams::default());
        let enter = |last| streams.enter(ip(last), 3, 2).map_err(|error| error.code);
        let (one, _two) = (enter(1).unwrap(), enter(1).unwrap());
        assert_eq!(enter(1).unwrap_err(), Code::TooManyRequests);
        let _three = enter(2).unwrap();
        assert_eq!(enter(3).unwrap_err(), Code::Busy);
        drop(one);
        let _four = enter(3).unwrap();
        assert_eq!(enter(1).unwrap_err(), Code::Busy);
        assert_eq!(streams.addresses(), 3);
        drop(_three);
        assert_eq!(streams.addresses(), 2, "what has left isn't remembered");
    }
}
