//! The key of "one a person": a keyed hash of the address behind all ways to write it. It names nobody, and it stays when an
//! account is erased, beside what counts for a limit: so who signs up again isn't new.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::person_secret;
use crate::types::email::Email;

/// What a shop's keys are made with. It was drawn when the database was made, and never changes.
pub struct Secret(Vec<u8>);

impl Secret {
    /// Of a shop whose secret is known.
    pub fn of(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    fn hmac(&self, text: &str) -> Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(AppError::internal)?;
        mac.update(text.as_bytes());
        Ok(mac)
    }

    /// What proves that this shop has said something. `text` begins with what it is for.
    ///
    /// # Errors
    /// Never in practice: HMAC takes a key of any length.
    pub fn mac(&self, text: &str) -> Result<Vec<u8>> {
        Ok(self.hmac(text)?.finalize().into_bytes().to_vec())
    }

    /// Is it [`Secret::mac`] of the text? Compared in constant time.
    pub fn is_mac(&self, text: &str, mac: &[u8]) -> bool {
        self.hmac(text).is_ok_and(|own| own.verify_slice(mac).is_ok())
    }

    /// The key of who has this address: the same one for `a.b+c@gmail.com` and `ab@gmail.com`.
    ///
    /// # Errors
    /// Never in practice: HMAC takes a key of any length.
    pub fn key(&self, email: &Email) -> Result<String> {
        let mac = self.hmac(&email.person())?;
        Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// # Errors
/// The database's.
pub async fn secret(conn: &mut Conn) -> Result<Secret> {
    Ok(Secret(person_secret::table.select(person_secret::secret).first(conn).await?))
}

/// [`Secret::key`] with the shop's secret.
///
/// # Errors
/// The database's.
pub async fn key(conn: &mut Conn, email: &Email) -> Result<String> {
    secret(conn).await?.key(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_hmac_of_the_person() {
        let key = |secret: &[u8], text: &str| Secret(secret.to_vec()).key(&text.parse().unwrap()).unwrap();
        // printf 'zhangsan@gmail.com' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '00%.0s' {1..32})
        let known = "afaec128b12f897d36bb0f5f17bca0080aba6c58a58f753b2bc2c6417d50783c";
        assert_eq!(key(&[0; 32], "Zhang.San+KD@GoogleMail.com"), known);
        assert_eq!(key(&[0; 32], "zhangsan@gmail.com"), known);
        assert_ne!(key(&[1; 32], "zhangsan@gmail.com"), known);
        assert_ne!(key(&[0; 32], "zhangsan@example.org"), known);
    }
}
