//! Sends and redeems the tokens that verify an address.

use chrono::{DateTime, TimeDelta, Utc};

use crate::app::App;
use crate::checkout::adoptions::service as adoptions;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::Lane;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self, AccountRow};
use crate::people::attempts;
use crate::people::one_time::{self, Purpose, TokenRow};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

/// How many verification mails an account may ask for, in [`RESEND_WINDOW`].
const RESEND_LIMIT: i32 = 3;
const RESEND_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Queues the mail that verifies an account's address, in the caller's transaction.
///
/// # Errors
/// The database's.
pub async fn send_verification(
    conn: &mut Conn,
    account: AccountId,
    email: &str,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<()> {
    let issued = one_time::issue(conn, account, Purpose::VerifyEmail, email, now).await?;
    let to = Recipient { account: Some(account), address: email.to_owned(), locale };
    mails::queue(conn, now, &to, &issued.cause, &Mail::VerifyEmail { token: issued.token }).await
}

/// Notes a wanted address and mails it, in the caller's transaction. An earlier wish is forgotten.
///
/// # Errors
/// `email_taken`.
pub async fn ask_change(
    conn: &mut Conn,
    account: &AccountRow,
    email: &Email,
    now: DateTime<Utc>,
) -> Result<()> {
    if model::find_by_email(conn, email).await?.is_some() {
        return Err(Code::EmailTaken.error());
    }
    one_time::withdraw(conn, account.id, Purpose::ChangeEmail).await?;
    let issued = one_time::issue(conn, account.id, Purpose::ChangeEmail, email.as_str(), now).await?;
    let to = Recipient {
        account: Some(account.id),
        address: email.as_str().to_owned(),
        locale: Locale::from_stored(&account.locale),
    };
    mails::queue(conn, now, &to, &issued.cause, &Mail::ChangeEmail { token: issued.token }).await
}

/// Sends the verification mail once more; does nothing for an address that is verified.
///
/// # Errors
/// `too_many_attempts`.
pub async fn resend(app: &App, account: AccountId) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, account).await?;
    let Some(email) = row.email.filter(|_| row.email_verified_at.is_none()) else { return Ok(()) };
    let key = attempts::key("verify_email", &account.to_string());
    attempts::count(&mut conn, &key, RESEND_WINDOW, RESEND_LIMIT).await?;
    let (locale, now) = (Locale::from_stored(&row.locale), app.clock.now());
    db::transaction_on(&mut conn, async |conn| send_verification(conn, account, &email, locale, now).await)
        .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// Redeems a token: verifies the account's address, or puts the new address in its place. `caller` is who is signed in while
/// he follows the link: only where that is the account itself is what guests bought under the address the account's from then
/// on. The link alone proves the mailbox, and not that the account behind it is of the same person.
///
/// # Errors
/// `token_invalid`; `email_taken` when somebody else signed up with the new address meanwhile.
pub async fn redeem(app: &App, token: &str, caller: Option<AccountId>) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let token = one_time::look(conn, token, &[Purpose::VerifyEmail, Purpose::ChangeEmail], now).await?;
        let email: Email = token.email.parse().map_err(|_| Code::TokenInvalid)?;
        // Orders are locked before accounts.
        let bought = match caller == Some(token.account_id) {
            true => adoptions::lock_bought(conn, token.account_id, &email).await?,
            false => Vec::new(),
        };
        let account = model::lock(conn, token.account_id).await.map_err(|_| Code::TokenInvalid)?;
        one_time::consume(conn, &token, now).await?;
        apply(conn, &account, &token, &email, now).await?;
        adoptions::adopt_locked(conn, account.id, &bought, now).await
    })
    .await
}

async fn apply(
    conn: &mut Conn,
    account: &AccountRow,
    token: &TokenRow,
    email: &Email,
    now: DateTime<Utc>,
) -> Result<()> {
    if token.purpose == Purpose::ChangeEmail.as_str() {
        // Links of earlier mails are in a mailbox that may be somebody else's by now.
        one_time::withdraw(conn, account.id, Purpose::Renewal).await?;
        return model::set_email(conn, account.id, email, now).await;
    }
    // The address may have changed since the mail went out.
    if account.email_key.as_deref() != Some(email.key().as_str()) {
        return Err(Code::TokenInvalid.error());
    }
    if model::set_verified(conn, account.id, now).await? {
        occasions::happened(conn, OccasionEvent::SignUp, account.id, now).await?;
    }
    Ok(())
}
