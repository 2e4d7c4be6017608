//! People of a test: accounts with a password, signed in over HTTP.

use kindred::people::accounts::service::{self, NewSeed};
use kindred::people::operators::rules::Role;
use kindred::people::passwords::Password;
use kindred::types::id::AccountId;
use kindred::types::locale::Locale;
use serde_json::json;

use super::TestApp;

/// What everybody in the tests has.
pub const PASSWORD: &str = "a phrase of the tests";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: AccountId,
    pub email: String,
    /// The access token.
    pub token: String,
    pub refresh_token: String,
}

impl TestApp {
    /// An account with a verified address, signed in.
    pub async fn member(&self, email: &str) -> Person {
        self.seed(email, true, &[]).await;
        self.sign_in(email).await
    }

    /// An account whose address isn't verified, signed in.
    pub async fn stranger(&self, email: &str) -> Person {
        self.seed(email, false, &[]).await;
        self.sign_in(email).await
    }

    /// An operator with one role, signed in.
    pub async fn operator(&self, role: Role) -> Person {
        let email = format!("{}@shop.test", role.as_str());
        self.seed(&email, true, &[role]).await;
        self.sign_in(&email).await
    }

    pub async fn seed(&self, email: &str, is_verified: bool, roles: &[Role]) -> AccountId {
        let seed = NewSeed {
            email: email.parse().unwrap(),
            password_hash: self.app.passwords.hash(&Password::new(PASSWORD)).await.unwrap(),
            name: None,
            locale: Locale::ZhCn,
            is_verified,
            roles: roles.to_vec(),
        };
        let mut conn = self.conn().await;
        service::seed(&mut conn, seed, self.app.clock.now()).await.unwrap()
    }

    /// Signs in with [`PASSWORD`].
    pub async fn sign_in(&self, email: &str) -> Person {
        let body = json!({ "email": email, "password": PASSWORD });
        let pair = self.post("/v1/sessions").json(&body).send().await.ok(201);
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        let (token, refresh_token) = (text("access_token"), text("refresh_token"));
        let bearer = self.app.tokens.verify(&self.app.pool, &token, self.app.clock.now()).await.unwrap();
        Person { id: bearer.account, email: email.to_owned(), token, refresh_token }
    }
}
