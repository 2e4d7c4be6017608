//! Signing in, staying signed in, signing out.

use chrono::{DateTime, TimeDelta, Utc};

use super::dto::{SignIn, TokenPair};
use super::model::{self, EndReason, RefreshRow, SessionRow, Which};
use super::rules::{self, Presented, Verdict};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::people::accounts;
use crate::people::attempts;
use crate::people::passwords;
use crate::people::secrets;
use crate::people::tokens::Bearer;
use crate::types::id::{AccountId, SessionId};

/// Attempts at one account's password are counted in windows of that length.
pub const ATTEMPTS_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// The key under which attempts at the password behind an address are counted, whether it is known or not.
pub fn attempts_key(email_key: &str) -> String {
    attempts::key("password", email_key)
}

/// Signs in. An address that isn't known costs as much time as a wrong password and is answered alike; past the limit of
/// attempts the right password is refused as well.
///
/// # Errors
/// `invalid_credentials`, `too_many_attempts`, `busy`.
pub async fn sign_in(app: &App, body: &SignIn, user_agent: Option<&str>) -> Result<TokenPair> {
    let key = attempts_key(&body.email.key());
    // The connection is given back before the hash is computed: sign-ins that wait for a thread hold nothing else.
    let account = {
        let mut conn = db::connect(&app.pool).await?;
        attempts::count(&mut conn, &key, ATTEMPTS_WINDOW, app.settings.limits.failures_per_account).await?;
        accounts::model::find_by_email(&mut conn, &body.email).await?
    };
    let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
    let verdict = app.passwords.verify(&body.password, stored).await?;
    let (Some(account), Some(stored)) = (&account, stored) else {
        return Err(Code::InvalidCredentials.error());
    };
    let rehashed = match verdict {
        passwords::Verdict::Wrong => return Err(Code::InvalidCredentials.error()),
        passwords::Verdict::Right => None,
        passwords::Verdict::RightAndRehashed(hash) => Some(hash),
    };
    let now = app.clock.now();
    let expires_at = now + app.settings.sign_in.refresh_token;
    let (session, refresh_token) = db::transaction(&app.pool, async |conn| {
        accounts::model::confirm_password(conn, account.id, stored, rehashed.as_deref()).await?;
        attempts::clear(conn, &key).await?;
        open(conn, account.id, user_agent, now, expires_at).await
    })
    .await?;
    pair(app, Bearer { account: account.id, session }, refresh_token, now)
}

async fn open(
    conn: &mut Conn,
    account: AccountId,
    user_agent: Option<&str>,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(SessionId, String)> {
    let session = SessionRow {
        id: SessionId::new(),
        account_id: account,
        user_agent: rules::user_agent(user_agent),
        created_at: now,
        last_seen_at: now,
        expires_at,
    };
    let token = secrets::generate(rules::REFRESH_PREFIX)?;
    model::insert(conn, &session, &refresh_row(&token, session.id, now, expires_at)?).await?;
    Ok((session.id, token))
}

fn refresh_row(
    token: &str,
    session: SessionId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<RefreshRow> {
    let salt = secrets::random_bytes::<32>()?.to_vec();
    let hash = secrets::hash(token);
    Ok(RefreshRow { hash, session_id: session, salt, issued_at: now, expires_at, used_at: None })
}

fn pair(app: &App, bearer: Bearer, refresh_token: String, now: DateTime<Utc>) -> Result<TokenPair> {
    Ok(TokenPair {
        access_token: app.tokens.issue(bearer, now)?,
        refresh_token,
        token_type: "Bearer",
        expires_in: app.tokens.lifetime().num_seconds(),
    })
}

/// How a presented refresh token was dealt with.
enum Refreshed {
    Pair(Bearer, String),
    /// The family has ended: sessions to refuse from now on.
    Ended(Vec<SessionId>),
    Refused,
}

/// Trades a refresh token for its successor and a new access token.
///
/// # Errors
/// `invalid_refresh_token`; when it had been used before, the whole session ends with it.
pub async fn refresh(app: &App, token: &str) -> Result<TokenPair> {
    let now = app.clock.now();
    let expires_at = now + app.settings.sign_in.refresh_token;
    let done = db::transaction(&app.pool, async |conn| rotate(conn, token, now, expires_at).await).await?;
    match done {
        Refreshed::Pair(bearer, successor) => pair(app, bearer, successor, now),
        Refreshed::Ended(sessions) => {
            app.tokens.note_ended(&sessions, now);
            tracing::warn!(?sessions, "an old refresh token came back: its session has ended");
            Err(Code::InvalidRefreshToken.error())
        }
        Refreshed::Refused => Err(Code::InvalidRefreshToken.error()),
    }
}

async fn rotate(
    conn: &mut Conn,
    token: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Refreshed> {
    let Some((row, account, session_ended)) = model::lock_token(conn, &secrets::hash(token)).await? else {
        return Ok(Refreshed::Refused);
    };
    let presented = Presented { used_at: row.used_at, expires_at: row.expires_at, session_ended };
    let bearer = Bearer { account, session: row.session_id };
    let successor = rules::successor(token, &row.salt)?;
    match rules::judge(&presented, now) {
        Verdict::Rotate => {
            model::mark_used(conn, &row, now).await?;
            model::insert_token(conn, &refresh_row(&successor, row.session_id, now, expires_at)?).await?;
            model::touch(conn, row.session_id, now, expires_at).await?;
            Ok(Refreshed::Pair(bearer, successor))
        }
        Verdict::Repeat => Ok(Refreshed::Pair(bearer, successor)),
        Verdict::Reuse => {
            let which = Which::One(row.session_id);
            model::end(conn, account, which, EndReason::Reuse, now).await.map(Refreshed::Ended)
        }
        Verdict::Refuse => Ok(Refreshed::Refused),
    }
}

/// Ends sessions of an account, here at once and elsewhere within a second.
///
/// # Errors
/// The database's.
pub async fn end(app: &App, account: AccountId, which: Which, reason: EndReason) -> Result<()> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let ended = model::end(&mut conn, account, which, reason, now).await?;
    app.tokens.note_ended(&ended, now);
    Ok(())
}

/// Signs out of one session.
///
/// # Errors
/// `not_found` for a session that isn't the account's.
pub async fn sign_out(app: &App, account: AccountId, session: SessionId) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    if !model::belongs(&mut conn, account, session).await? {
        return Err(Code::NotFound.error());
    }
    drop(conn);
    end(app, account, Which::One(session), EndReason::SignedOut).await
}

/// Checks the password of somebody who is signed in, before something that a stolen token must not do. Counts as an
/// attempt at the password, with those at the door.
///
/// # Errors
/// `wrong_password`, `too_many_attempts`, `busy`.
pub async fn ask_password(app: &App, account: AccountId, password: &passwords::Password) -> Result<()> {
    let account = {
        let mut conn = db::connect(&app.pool).await?;
        let account = accounts::model::load(&mut conn, account).await?;
        let key = attempts_key(account.email_key.as_deref().unwrap_or_default());
        attempts::count(&mut conn, &key, ATTEMPTS_WINDOW, app.settings.limits.failures_per_account).await?;
        account
    };
    if app.passwords.verify(password, account.password_hash.as_deref()).await? == passwords::Verdict::Wrong {
        return Err(Code::WrongPassword.error());
    }
    forget_attempts(app, account.email_key.as_deref().unwrap_or_default()).await
}

async fn forget_attempts(app: &App, email_key: &str) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    attempts::clear(&mut conn, &attempts_key(email_key)).await
}
