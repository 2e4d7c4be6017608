//! What people show who aren't signed in: secrets in headers, never in a path or a query, which logs and histories keep.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::error::AppError;
use crate::people::secrets;

/// The header of a guest's basket.
pub const BASKET_SECRET: &str = "Basket-Secret";

/// The header of a guest's order.
pub const ORDER_TOKEN: &str = "Order-Token";

/// Lets people and scanners tell what leaked.
const TOKEN_PREFIX: &str = "ko_";

/// Longer than any secret that was given out.
const SECRET_MAX: usize = 100;

/// The secret of a guest's basket, where one was shown. What can't be one is as good as none.
#[derive(Clone, Debug, Default)]
pub struct BasketSecret(pub Option<SecretString>);

impl BasketSecret {
    /// What is stored of it.
    pub fn hash(&self) -> Option<Vec<u8>> {
        self.0.as_ref().map(|secret| secrets::hash(secret.expose_secret()))
    }
}

/// The token of a guest's order, where one was shown.
#[derive(Clone, Debug, Default)]
pub struct OrderToken(pub Option<SecretString>);

impl OrderToken {
    /// That of the order which the basket with this secret becomes. It follows from the secret, so that who repeats the order
    /// with it is told the token again, and from the token alone nobody finds the secret.
    pub fn of(secret: &BasketSecret) -> Option<Self> {
        let secret = secret.0.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
        mac.update(b"order_token");
        let token = secrets::encode(TOKEN_PREFIX, &mac.finalize().into_bytes());
        Some(Self(Some(SecretString::from(token))))
    }

    /// What is stored of it.
    pub fn hash(&self) -> Option<Vec<u8>> {
        self.0.as_ref().map(|token| secrets::hash(token.expose_secret()))
    }

    /// For the one answer that tells it.
    pub fn shown(&self) -> Option<String> {
        self.0.as_ref().map(|token| token.expose_secret().to_owned())
    }
}

fn secret_of(request: &HttpRequest, header: &str) -> Option<SecretString> {
    let shown = request.headers().get(header).and_then(|value| value.to_str().ok());
    shown.filter(|secret| (1..=SECRET_MAX).contains(&secret.len())).map(SecretString::from)
}

impl FromRequest for BasketSecret {
    type Error = AppError;
    type Future = Ready<Result<Self, AppError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(secret_of(request, BASKET_SECRET))))
    }
}

impl FromRequest for OrderToken {
    type Error = AppError;
    type Future = Ready<Result<Self, AppError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(secret_of(request, ORDER_TOKEN))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_secret_is_read_and_never_written() {
        let shown = |value: &str| {
            let request = TestRequest::default().insert_header((BASKET_SECRET, value)).to_http_request();
            BasketSecret(secret_of(&request, BASKET_SECRET))
        };
        let secret = shown("kb_of_a_guest");
        assert_eq!(secret.hash(), Some(secrets::hash("kb_of_a_guest")));
        assert!(!format!("{secret:?}").contains("of_a_guest"));
        assert_eq!(shown("").hash(), None);
        assert_eq!(shown(&"k".repeat(101)).hash(), None);
    }

    #[test]
    fn a_secret_has_one_token_that_tells_nothing_of_it() {
        let token = |secret: &str| {
            let secret = BasketSecret((!secret.is_empty()).then(|| SecretString::from(secret)));
            OrderToken::of(&secret).and_then(|token| token.shown())
        };
        let one = token("kb_one").unwrap();
        assert_eq!(token("kb_one").unwrap(), one);
        assert_ne!(token("kb_two").unwrap(), one);
        assert_eq!(token(""), None);
        assert!(one.starts_with("ko_") && one.len() == 3 + 43 && !one.contains("one"));
        let shown = OrderToken(Some(SecretString::from(one.clone())));
        assert!(!format!("{shown:?}").contains(&one));
    }
}
