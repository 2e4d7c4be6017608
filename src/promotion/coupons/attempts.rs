//! Guessing codes: each wrong one is counted for the account and for the address that it came from. Who has tried too many
//! gets no answer about any code for a while. Requests of one moment may all pass before the first is counted; how many those
//! can be is bounded by the limit of requests.

use actix_web::HttpRequest;
use chrono::TimeDelta;

use super::model;
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::http::client;
use crate::people::attempts;
use crate::types::id::AccountId;

const WINDOW: TimeDelta = TimeDelta::hours(1);
/// Wrong codes in the window: of one account, and of one address, behind which many may sit.
const OF_ACCOUNT: i32 = 30;
const OF_ADDRESS: i32 = 300;

/// Who tries codes: an account, an address, or both.
pub struct Guesses(Vec<(String, i32)>);

impl Guesses {
    pub fn by(app: &App, account: Option<AccountId>, request: &HttpRequest) -> Self {
        let address = client::address(request.head(), &app.settings.trusted_proxies);
        let of_account = account.map(|account| (attempts::key("coupon", &account.to_string()), OF_ACCOUNT));
        let most = if account.is_some() { OF_ADDRESS } else { OF_ACCOUNT };
        let of_address = address.map(|address| (attempts::key("coupon", &address.to_string()), most));
        Self(of_account.into_iter().chain(of_address).collect())
    }

    /// May he be told anything about a code?
    ///
    /// # Errors
    /// `too_many_attempts`; the database's.
    pub async fn check(&self, conn: &mut Conn) -> Result<()> {
        for (key, limit) in &self.0 {
            attempts::check(conn, key, WINDOW, *limit).await?;
        }
        Ok(())
    }

    /// Counts so many codes that name nothing.
    ///
    /// # Errors
    /// `too_many_attempts`; the database's.
    pub async fn count(&self, conn: &mut Conn, wrong: usize) -> Result<()> {
        for _ in 0..wrong {
            for (key, limit) in &self.0 {
                attempts::count(conn, key, WINDOW, *limit).await?;
            }
        }
        Ok(())
    }
}

/// Counts the coupon codes that name nothing, before anything is told of the others.
///
/// # Errors
/// `too_many_attempts`; the database's.
pub async fn guard(
    app: &App,
    conn: &mut Conn,
    account: Option<AccountId>,
    request: &HttpRequest,
    codes: &[String],
) -> Result<()> {
    if codes.is_empty() {
        return Ok(());
    }
    let guesses = Guesses::by(app, account, request);
    guesses.check(conn).await?;
    let known = model::find(conn, codes).await?;
    let wrong = codes.iter().filter(|code| !known.iter().any(|coupon| coupon.code == **code)).count();
    guesses.count(conn, wrong).await
}
