//! Asks for and redeems the tokens that set a new password.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::checkout::adoptions::service as adoptions;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model;
use crate::people::one_time::{self, Purpose, TokenRow};
use crate::people::passwords::{self, Password};
use crate::people::sessions::model::{EndReason, Which};
use crate::people::sessions::service::attempts_key;
use crate::people::{attempts, sessions};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::types::email::Email;
use crate::types::id::{AccountId, SessionId};
use crate::types::locale::Locale;

/// How many reset mails an address may get, in [`REQUESTS_WINDOW`].
const REQUESTS_LIMIT: i32 = 5;
const REQUESTS_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Asks for a reset mail. Whether the address is known changes neither the answer nor what is done before it: each
/// request counts, looks once and queues one job, and a job for nobody does nothing.
///
/// # Errors
/// The database's.
pub async fn request(app: &App, email: &Email) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    let key = attempts::key("reset_password", &email.key());
    let is_within = match attempts::count(&mut conn, &key, REQUESTS_WINDOW, REQUESTS_LIMIT).await {
        Ok(()) => true,
        Err(error) if error.code == Code::TooManyAttempts => false,
        Err(error) => return Err(error),
    };
    let account = model::find_by_email(&mut conn, email).await?.map(|row| row.id).filter(|_| is_within);
    let (job, now) = (Job::SendPasswordReset { account, request: Uuid::now_v7() }, app.clock.now());
    jobs::enqueue(&mut conn, &job, now, now).await?;
    app.jobs.wake(Lane::Local);
    Ok(())
}

/// The job [`Job::SendPasswordReset`]. `request` names the wish: run twice, it mails once.
///
/// # Errors
/// The database's.
pub async fn send(app: &App, account: Option<AccountId>, request: Uuid) -> Result<Outcome> {
    let Some(account) = account else { return Ok(Outcome::Done) };
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(row) = model::find(conn, account).await? else { return Ok(()) };
        let Some(email) = row.email else { return Ok(()) };
        let issued = one_time::issue(conn, account, Purpose::ResetPassword, &email, now).await?;
        let to =
            Recipient { account: Some(account), address: email, locale: Locale::from_stored(&row.locale) };
        let cause = format!("reset_password:{request}");
        mails::queue(conn, now, &to, &cause, &Mail::ResetPassword { token: issued.token }).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// Sets a new password by a token of a mail. The mail's arrival proves the address too, and where that wasn't proved before,
/// what guests bought under it is the account's. All sessions end; attempts at the old password no longer count.
///
/// # Errors
/// `token_invalid`, `weak_password`, `busy`.
pub async fn redeem(app: &App, token: &str, password: &Password) -> Result<()> {
    let token = {
        let mut conn = db::connect(&app.pool).await?;
        let token = one_time::look(&mut conn, token, &[Purpose::ResetPassword], app.clock.now()).await?;
        let row = model::find(&mut conn, token.account_id).await?.ok_or(Code::TokenInvalid)?;
        let email: Email = token.email.parse().map_err(|_| Code::TokenInvalid)?;
        passwords::rules::check(password, Some(&email), row.name.as_deref(), "password")?;
        token
    };
    let hash = app.passwords.hash(password).await?;
    let now = app.clock.now();
    let ended = db::transaction(&app.pool, async |conn| apply(conn, &token, &hash, now).await).await?;
    app.tokens.note_ended(&ended, now);
    Ok(())
}

async fn apply(conn: &mut Conn, token: &TokenRow, hash: &str, now: DateTime<Utc>) -> Result<Vec<SessionId>> {
    let email: Email = token.email.parse().map_err(|_| Code::TokenInvalid)?;
    // Orders are locked before accounts.
    let known = model::find(conn, token.account_id).await?.ok_or(Code::TokenInvalid)?;
    let bought = match known.email_verified_at {
        None => adoptions::lock_bought(conn, token.account_id, &email).await?,
        Some(_) => Vec::new(),
    };
    let row = model::lock(conn, token.account_id).await.map_err(|_| Code::TokenInvalid)?;
    one_time::consume(conn, token, now).await?;
    let key = email.key();
    // A mail to an address that is no longer the account's gives nobody the account.
    if row.email_key.as_deref() != Some(key.as_str()) {
        return Err(Code::TokenInvalid.error());
    }
    let change = model::ProfileChange { password_hash: Some(hash.to_owned()), ..Default::default() };
    model::change(conn, row.id, &change).await?;
    if model::set_verified(conn, row.id, now).await? {
        occasions::happened(conn, OccasionEvent::SignUp, row.id, now).await?;
    }
    one_time::withdraw(conn, row.id, Purpose::ResetPassword).await?;
    // Whoever had the account before may have asked for another address: that is over too.
    one_time::withdraw(conn, row.id, Purpose::ChangeEmail).await?;
    attempts::clear(conn, &attempts_key(&key)).await?;
    let ended = sessions::model::end(conn, row.id, Which::All, EndReason::Reset, now).await?;
    if row.email_verified_at.is_none() {
        adoptions::adopt_locked(conn, row.id, &bought, now).await?;
    }
    Ok(ended)
}
