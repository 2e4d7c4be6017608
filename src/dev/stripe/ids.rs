//! Identifiers in Stripe's looks.

use rand::distr::{Alphanumeric, SampleString};
use sha2::{Digest, Sha256};

/// A prefix and `length` random letters and digits.
pub fn random(prefix: &str, length: usize) -> String {
    let mut id = prefix.to_owned();
    Alphanumeric.append_string(&mut rand::rng(), &mut id, length);
    id
}

pub fn session() -> String {
    random("cs_test_a1", 58)
}

pub fn intent() -> String {
    random("pi_3", 23)
}

/// Cards are charged as `ch_`, other methods as `py_`.
pub fn charge(is_card: bool) -> String {
    random(if is_card { "ch_3" } else { "py_3" }, 23)
}

pub fn refund(is_card: bool) -> String {
    random(if is_card { "re_3" } else { "pyr_1" }, 23)
}

pub fn event() -> String {
    random("evt_1", 23)
}

pub fn request() -> String {
    random("req_", 14)
}

/// A short stable text for the same input: who pays with the same card again has the same fingerprint.
pub fn stable(seed: &str) -> String {
    hex(&Sha256::digest(seed.as_bytes())).chars().take(16).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
