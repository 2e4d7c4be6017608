//! Random secrets and what is kept of them: only their SHA-256. A secret of 256 random bits needs no slow hash, and one
//! that is looked up by its hash gives no timing away.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use crate::error::{AppError, Result};

/// Bytes from the operating system's generator.
///
/// # Errors
/// When the system has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(AppError::internal)?;
    Ok(bytes)
}

/// A new secret of 256 random bits, safe in URLs, behind a prefix that lets people and scanners tell what leaked.
///
/// # Errors
/// As [`random_bytes`].
pub fn generate(prefix: &str) -> Result<String> {
    Ok(encode(prefix, &random_bytes::<32>()?))
}

/// How a secret's bytes are written.
pub fn encode(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a secret.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (a, b) = (generate("kr_").unwrap(), generate("kr_").unwrap());
        assert_ne!(a, b);
        assert!(a.starts_with("kr_") && a.len() == 3 + 43);
        assert_ne!(hash(&a), hash(&b));
    }
}
