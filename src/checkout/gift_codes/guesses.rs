//! Guessing codes of gifts: each wrong one is counted, before anything is told.

use actix_web::HttpRequest;

use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::promotion::coupons::attempts::Guesses;
use crate::types::id::AccountId;

/// Lets `is_known` look for the code, unless too many were wrong before; counts one that it doesn't find.
///
/// # Errors
/// `too_many_attempts`; those of `is_known`.
pub async fn guard(
    app: &App,
    conn: &mut Conn,
    account: Option<AccountId>,
    request: &HttpRequest,
    is_known: impl AsyncFnOnce(&mut Conn) -> Result<bool>,
) -> Result<()> {
    let guesses = Guesses::by(app, account, request);
    guesses.check(conn).await?;
    if is_known(conn).await? { Ok(()) } else { guesses.count(conn, 1).await }
}
