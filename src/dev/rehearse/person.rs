//! Somebody with an account: signs up, signs in, and asks as who is signed in.

use serde_json::json;

use super::PASSWORD;
use super::visit::{Answer, Call, Trouble, Visit, trouble};

/// A person at a keyboard. The token is whatever the last signing-in gave.
#[derive(Clone, Debug)]
pub struct Person {
    email: String,
    token: String,
}

impl Person {
    pub fn new(email: String) -> Self {
        Self { email, token: String::new() }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// # Errors
    /// When the shop doesn't want him.
    pub async fn sign_up(&self, visit: &Visit<'_>) -> Result<(), Trouble> {
        let body = json!({ "email": self.email, "password": PASSWORD });
        let answer = visit.call(&Call::post("/v1/accounts", &body)).await?;
        // Where the answer to the first try was lost, the address is taken: by us.
        match (answer.status, answer.code()) {
            (201, _) | (409, "email_taken") => Ok(()),
            (status, code) => Err(trouble(format!("signing up: {status} {code}"))),
        }
    }

    /// # Errors
    /// When the shop doesn't know him.
    pub async fn sign_in(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        let body = json!({ "email": self.email, "password": PASSWORD });
        let answer = visit.call(&Call::post("/v1/sessions", &body)).await?;
        if answer.status != 201 {
            return Err(trouble(format!("signing in: {} {}", answer.status, answer.code())));
        }
        answer.text("/access_token").clone_into(&mut self.token);
        Ok(())
    }

    /// A call as who is signed in; signs in where he isn't, or when the token is over.
    ///
    /// # Errors
    /// As [`Visit::call`].
    pub async fn ask(&mut self, visit: &Visit<'_>, call: Call<'_>) -> Result<Answer, Trouble> {
        if self.token.is_empty() {
            self.sign_in(visit).await?;
        }
        let answer = visit.call(&Call { token: Some(&self.token), ..call.clone() }).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.sign_in(visit).await?;
        visit.call(&Call { token: Some(&self.token), ..call }).await
    }

    /// [`Self::ask`], where only this answer will do.
    ///
    /// # Errors
    /// When it is another one.
    pub async fn demand(
        &mut self,
        visit: &Visit<'_>,
        call: Call<'_>,
        status: u16,
    ) -> Result<Answer, Trouble> {
        let what = format!("{} {}", call.method, call.path);
        let answer = self.ask(visit, call).await?;
        if answer.status == status {
            return Ok(answer);
        }
        Err(trouble(format!("{what}: {} {}", answer.status, answer.code())))
    }
}
