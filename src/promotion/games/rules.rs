//! What a play draws, and what it wins. A play is `HMAC-SHA256(seed, "<game>:<number>")`; its first eight bytes, big-endian,
//! are a number `v` below 2^64, and `v × (sum of the weights) / 2^64`, rounded down, is a point in the weights laid end to
//! end: the prize there is drawn.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::model::Game;
use crate::error::Code;
use crate::types::id::GameId;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What is won.
    PrizeKind {
        /// A coupon of a campaign, into the wallet.
        Coupon = "coupon",
        /// An amount of store credit.
        Credit = "credit",
        Nothing = "nothing",
    }
}

stored_enum! {
    /// What is won where the prize that was drawn is out of stock.
    WhenOut {
        Nothing = "nothing",
        /// The next prize of the list that has some left; nothing where none after it has.
        Next = "next",
    }
}

/// # Errors
/// `not_open`, `closed`.
pub fn is_open(of: &Game, now: DateTime<Utc>) -> Result<(), Code> {
    if now < of.starts_at {
        Err(Code::NotOpen)
    } else if is_over(of, now) {
        Err(Code::Closed)
    } else {
        Ok(())
    }
}

/// Nobody can play any more, and the seed may be known.
pub fn is_over(of: &Game, now: DateTime<Utc>) -> bool {
    of.ended_at.is_some() || of.ends_at <= now
}

/// What is published of a seed before the first play.
pub fn commitment(seed: &[u8]) -> String {
    hex(&Sha256::digest(seed))
}

/// Bytes as people compare them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands for a play under the seed's HMAC.
pub fn message(game: GameId, number: i64) -> String {
    format!("{game}:{number}")
}

/// A number below 2^64 that nobody knows before the seed.
pub fn value(seed: &[u8], message: &str) -> u64 {
    // A key of any length is fine (RFC 2104 §2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(seed) else { return 0 };
    mac.update(message.as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// `value` as a point below `sum`: of the 2^64 values each point has as many as any other, but for one.
pub fn scaled(value: u64, sum: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(sum)) >> 64).unwrap_or(0)
}

/// The position of the prize that a value draws, by weights that are above 0.
pub fn drawn(weights: &[u64], value: u64) -> usize {
    let mut point = scaled(value, weights.iter().sum());
    for (position, weight) in weights.iter().enumerate() {
        if point < *weight {
            return position;
        }
        point -= weight;
    }
    0
}

/// The position of the prize that is given for the one that was drawn. `left` tells what each has in stock, none where it is
/// never out.
pub fn given(drawn: usize, left: &[Option<i64>], when_out: WhenOut) -> Option<usize> {
    let has_some =
        |position: &usize| left.get(*position).is_some_and(|left| left.is_none_or(|left| left > 0));
    match when_out {
        WhenOut::Nothing => Some(drawn).filter(has_some),
        WhenOut::Next => (drawn..left.len()).find(has_some),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_play_is_what_openssl_says() {
        // printf 'x:1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '00%.0s' {1..32})
        assert_eq!(value(&[0; 32], "x:1"), 0x2418_2bc3_aae2_0e3b);
        assert_eq!(commitment(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn points_lie_in_the_weights_end_to_end() {
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|value| scaled(value, 10)), [0, 4, 9]);
        let weights = [1, 2, 7];
        let at = |point: u64| drawn(&weights, u64::MAX / 10 * point + u64::MAX / 20);
        assert_eq!((0..10).map(at).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!((drawn(&weights, 0), drawn(&weights, u64::MAX)), (0, 2));
    }

    #[test]
    fn what_is_out_gives_nothing_or_what_comes_after_it() {
        let left = [Some(0), Some(0), Some(1), None];
        assert_eq!(given(0, &left, WhenOut::Nothing), None);
        assert_eq!(given(2, &left, WhenOut::Nothing), Some(2));
        assert_eq!((given(0, &left, WhenOut::Next), given(3, &left, WhenOut::Next)), (Some(2), Some(3)));
        assert_eq!(given(1, &[Some(5), Some(0)], WhenOut::Next), None);
    }

    proptest! {
        /// Of values that lie evenly, each prize has its share of them exactly, to one.
        #[test]
        fn the_distribution_is_that_of_the_weights(weights in prop::collection::vec(1_u64..50, 1..6)) {
            let sum: u64 = weights.iter().sum();
            let mut counted = vec![0_u64; weights.len()];
            for point in 0..sum * 16 {
                // The middle of the point-th of so many equal parts of all values.
                let value = u64::try_from(((u128::from(point) << 64) + (1 << 63)) / u128::from(sum * 16)).unwrap();
                counted[drawn(&weights, value)] += 1;
            }
            for (count, weight) in counted.iter().zip(&weights) {
                prop_assert_eq!(*count, weight * 16);
            }
        }

        #[test]
        fn what_is_given_was_in_stock(
            drawn in 0_usize..5, left in prop::collection::vec(prop::option::of(0_i64..2), 5), next: bool,
        ) {
            let when_out = if next { WhenOut::Next } else { WhenOut::Nothing };
            if let Some(position) = given(drawn, &left, when_out) {
                prop_assert!(left[position].is_none_or(|left| left > 0));
                prop_assert!(position == drawn || (next && position > drawn));
            } else {
                prop_assert_eq!(left[drawn], Some(0));
            }
        }
    }
}
