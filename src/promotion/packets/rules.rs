//! How a packet is split: parts of at least one minor unit that sum to the whole, the same ones from the same seed.

use chrono::{DateTime, Utc};

use super::model::Packet;
use crate::error::Code;
use crate::promotion::games::rules::{scaled, value};
use crate::types::stored::stored_enum;

stored_enum! {
    /// How an amount is split.
    Split {
        /// Equal parts; what can't be split goes to the first ones, a minor unit each.
        Equal = "equal",
        /// By luck: each part is 1 up to twice the mean of what is left.
        Random = "random",
    }
}

/// # Errors
/// `not_open` for the first of a chain that hasn't begun, `closed`.
pub fn is_open(of: &Packet, now: DateTime<Utc>) -> Result<(), Code> {
    if now < of.created_at {
        Err(Code::NotOpen)
    } else if of.ended_at.is_some() || of.ends_at <= now {
        Err(Code::Closed)
    } else {
        Ok(())
    }
}

/// The parts of an amount, from the first that is opened to the last. `amount_minor` is at least `parts`.
pub fn parts(amount_minor: i64, parts: i32, split: Split, seed: &[u8]) -> Vec<i64> {
    let (mut left, count) = (amount_minor, i64::from(parts));
    let mut found = Vec::new();
    for position in 0..count {
        let rest = count - position;
        let part = match split {
            _ if rest == 1 => left,
            Split::Equal => left / rest + i64::from(left % rest > 0),
            Split::Random => {
                // So much that each of those who come after it has one minor unit at least.
                let most = (2 * left / rest).clamp(1, (left - (rest - 1)).max(1));
                let luck = scaled(value(seed, &position.to_string()), most.unsigned_abs());
                1 + i64::try_from(luck).unwrap_or(0)
            }
        };
        left -= part;
        found.push(part);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_parts_differ_by_one_at_most() {
        assert_eq!(parts(10, 3, Split::Equal, &[]), [4, 3, 3]);
        assert_eq!(parts(11, 3, Split::Equal, &[]), [4, 4, 3]);
        assert_eq!(parts(3, 3, Split::Equal, &[]), [1, 1, 1]);
        assert_eq!(parts(7, 1, Split::Random, &[]), [7]);
    }

    proptest! {
        #[test]
        fn parts_are_one_at_least_and_sum_to_the_whole(
            count in 1_i32..200, more in 0_i64..1_000_000, seed in prop::array::uniform32(any::<u8>()), is_random: bool,
        ) {
            let amount = i64::from(count) + more;
            let split = if is_random { Split::Random } else { Split::Equal };
            let found = parts(amount, count, split, &seed);
            prop_assert_eq!(found.len(), usize::try_from(count).unwrap());
            prop_assert_eq!(found.iter().sum::<i64>(), amount);
            prop_assert!(found.iter().all(|part| *part >= 1));
            prop_assert_eq!(&found, &parts(amount, count, split, &seed));
        }
    }
}
