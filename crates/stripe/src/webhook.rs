//! Webhooks: whether they are Stripe's, and what they tell.
//!
//! The scheme is Stripe's `v1`: HMAC-SHA-256 over `{timestamp}.{raw body}`, in hexadecimal, in the header
//! `Stripe-Signature: t=…,v1=…[,v1=…]` (<https://docs.stripe.com/webhooks#verify-manually>).

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::answer;
use crate::types::Event;

type Signature = Hmac<Sha256>;

/// Why a payload isn't taken for Stripe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No timestamp, or no `v1` that could be a signature.
    #[error("the signature header can't be read")]
    Malformed,
    /// Signed longer ago than tolerated, or from the future: perhaps a replay.
    #[error("the signature's time is out of tolerance")]
    OutOfTolerance,
    /// No `v1` is right under any secret.
    #[error("no signature fits any secret")]
    NoMatch,
}

/// Whether the payload, byte for byte as it came, was signed under one of the secrets at a time within the tolerance
/// (seconds, both ways).
///
/// Any `v1` may fit under any secret: while a secret is rotated, Stripe signs with both and we may know either. An
/// empty secret never fits. Signatures are compared in constant time.
pub fn verify(
    payload: &[u8],
    signature_header: &str,
    secrets: &[impl AsRef<str>],
    now_unix: i64,
    tolerance_seconds: i64,
) -> Result<(), SignatureError> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in signature_header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) if time.is_none() => time = Some(value),
            Some(("v1", value)) => signatures.extend(from_hex(value)),
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    let signed_at: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let fits = secrets.iter().map(AsRef::as_ref).filter(|secret| !secret.is_empty()).any(|secret| {
        let expected = signature(payload, secret, time);
        signatures.iter().any(|given| expected.clone().verify_slice(given).is_ok())
    });
    if !fits {
        return Err(SignatureError::NoMatch);
    }
    if now_unix.abs_diff(signed_at) > tolerance_seconds.unsigned_abs() {
        return Err(SignatureError::OutOfTolerance);
    }
    Ok(())
}

/// The header for a payload signed under one secret at a time: for a simulator and for tests. Further signatures may
/// be appended as `,v1=…`.
pub fn sign(payload: &[u8], secret: &str, timestamp: i64) -> String {
    let time = timestamp.to_string();
    let bytes = signature(payload, secret, &time).finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// What a payload tells, whatever its kind and API version; `None` where it isn't a JSON object with an id. Verify it
/// first.
pub fn read(payload: &[u8]) -> Option<Event> {
    answer::event(&serde_json::from_slice(payload).ok()?)
}

fn signature(payload: &[u8], secret: &str, time: &str) -> Signature {
    let mut mac = keyed(secret);
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(payload);
    mac
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length; the error is the trait's, for other MACs"
)]
fn keyed(secret: &str) -> Signature {
    Signature::new_from_slice(secret.as_bytes()).expect("HMAC takes any key")
}

/// 32 bytes from 64 hexadecimal digits, and nothing from anything else.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
