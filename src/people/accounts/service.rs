//! What people do with their accounts.

use chrono::{DateTime, TimeDelta, Utc};

use super::dto::{Account, ProfilePatch, SignUp};
use super::model::{self, AccountRow, NewAccount, ProfileChange};
use super::rules;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::http::auth::Caller;
use crate::jobs::Lane;
use crate::messages::lists;
use crate::messages::lists::dto::MailPreferencesPatch;
use crate::people::one_time::{self, Purpose};
use crate::people::operators::rules::{Role, roles_to_stored};
use crate::people::passwords::{self, Password};
use crate::people::sessions::model::{EndReason, Which};
use crate::people::verifications::service::send_verification;
use crate::people::{attempts, person, sessions, verifications};
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;
use crate::types::patch::Patch;

/// How often an account may ask to change its address, in [`CHANGES_WINDOW`].
const CHANGES_LIMIT: i32 = 5;
const CHANGES_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Makes an account and queues the mail that verifies its address.
///
/// # Errors
/// `email_taken`, `weak_password`, `invalid_field`, `busy`.
pub async fn sign_up(app: &App, body: &SignUp, accept_language: Option<&str>) -> Result<Account> {
    let name = rules::name(body.name.as_deref())?;
    let invite_code = rules::invite_code(body.invite_code.as_deref())?;
    passwords::rules::check(&body.password, Some(&body.email), name.as_deref(), "password")?;
    refuse_taken(app, &body.email).await?;
    let password_hash = app.passwords.hash(&body.password).await?;
    let locale =
        body.locale.unwrap_or_else(|| Locale::from_accept_language(accept_language.unwrap_or_default()));
    let now = app.clock.now();
    let id = AccountId::new();
    let row = db::transaction(&app.pool, async |conn| {
        let new = NewAccount {
            id,
            email: body.email.as_str(),
            email_key: body.email.key(),
            person_key: person::key(conn, &body.email).await?,
            password_hash: &password_hash,
            name: name.as_deref(),
            locale: locale.as_str(),
            marketing: body.marketing,
            roles: Vec::new(),
            invite_code: invite_code.as_deref(),
            email_verified_at: None,
            created_at: now,
        };
        // Of many at once, the unique index lets one through.
        model::insert_all(conn, &[new]).await?;
        send_verification(conn, id, body.email.as_str(), locale, now).await?;
        model::load(conn, id).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Account::new(row, None, &[]))
}

/// Before the cost of a hash; the unique index decides all the same.
async fn refuse_taken(app: &App, email: &Email) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    match model::find_by_email(&mut conn, email).await? {
        Some(_) => Err(Code::EmailTaken.error()),
        None => Ok(()),
    }
}

/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn show(app: &App, account: AccountId) -> Result<Account> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, account).await?;
    with_pending(&mut conn, row, app.clock.now()).await
}

async fn with_pending(conn: &mut Conn, row: AccountRow, now: DateTime<Utc>) -> Result<Account> {
    let pending = one_time::pending_email(conn, row.id, now).await?;
    let left = lists::model::left_by(conn, row.id).await?;
    Ok(Account::new(row, pending, &left))
}

/// A checked [`ProfilePatch`]: what is asked for, ready to be written.
struct Wanted {
    profile: ProfileChange,
    lists: MailPreferencesPatch,
    email: Option<Email>,
    password: Option<Password>,
}

fn check_patch(patch: &ProfilePatch) -> Result<Wanted> {
    let name = match &patch.name {
        Patch::Absent => None,
        Patch::Null => Some(None),
        Patch::Value(name) => Some(rules::name(Some(name))?),
    };
    let profile = ProfileChange {
        name,
        locale: not_null(&patch.locale, "locale")?.map(Locale::as_str),
        marketing: not_null(&patch.marketing, "marketing")?,
        birthday: patch.birthday.as_deref().map(rules::birthday).transpose()?,
        birthday_set_at: None,
        email: None,
        password_hash: None,
    };
    let wanted = Wanted {
        profile,
        lists: patch.preferences,
        email: not_null(&patch.email, "email")?,
        password: not_null(&patch.new_password, "new_password")?,
    };
    if (wanted.email.is_some() || wanted.password.is_some()) && patch.password.is_none() {
        return Err(Code::InvalidField.at("password", "needed to change the address or the password"));
    }
    Ok(wanted)
}

fn not_null<T: Clone>(field: &Patch<T>, name: &str) -> Result<Option<T>> {
    match field {
        Patch::Absent => Ok(None),
        Patch::Value(value) => Ok(Some(value.clone())),
        Patch::Null => Err(Code::InvalidField.at(name, "may be left out, not null")),
    }
}

/// Changes what is in the body and leaves the rest. A new address is only noted: it takes effect when it is verified.
///
/// # Errors
/// `invalid_field`, `birthday_set`, `email_not_verified`, `weak_password`, `wrong_password`, `email_taken`, `too_many_attempts`.
pub async fn update(app: &App, caller: Caller, patch: &ProfilePatch) -> Result<Account> {
    let mut wanted = check_patch(patch)?;
    if let Some(password) =
        patch.password.as_ref().filter(|_| wanted.email.is_some() || wanted.password.is_some())
    {
        sessions::service::ask_password(app, caller.account, password).await?;
    }
    if wanted.email.is_some() {
        let key = attempts::key("change_email", &caller.account.to_string());
        let mut conn = db::connect(&app.pool).await?;
        attempts::count(&mut conn, &key, CHANGES_WINDOW, CHANGES_LIMIT).await?;
    }
    if let Some(password) = &wanted.password {
        wanted.profile.password_hash = Some(hash_new(app, caller.account, password).await?);
    }
    let now = app.clock.now();
    let (account, ended) =
        db::transaction(&app.pool, async |conn| write_update(app, conn, caller, &wanted, now).await).await?;
    app.tokens.note_ended(&ended, now);
    app.jobs.wake(Lane::Mail);
    Ok(account)
}

async fn hash_new(app: &App, account: AccountId, password: &Password) -> Result<String> {
    let row = model::load(&mut *db::connect(&app.pool).await?, account).await?;
    let email = row.email.as_deref().and_then(|email| email.parse::<Email>().ok());
    passwords::rules::check(password, email.as_ref(), row.name.as_deref(), "new_password")?;
    app.passwords.hash(password).await
}

async fn write_update(
    app: &App,
    conn: &mut Conn,
    caller: Caller,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<(Account, Vec<crate::types::id::SessionId>)> {
    let row = model::lock(conn, caller.account).await?;
    lists::service::prefer(conn, app, row.id, wanted.lists).await?;
    let mut change = wanted.profile.clone();
    if change.birthday.is_some() && row.birthday.is_some() && change.birthday != row.birthday {
        return Err(Code::BirthdaySet.error());
    }
    // Told again, it stays as old as it is.
    change.birthday = change.birthday.filter(|_| row.birthday.is_none());
    change.birthday_set_at = change.birthday.as_ref().map(|_| now);
    if let Some(email) = &wanted.email {
        if row.email_key.as_deref() == Some(email.key().as_str()) {
            // The same address, written in another way: nothing to verify.
            one_time::withdraw(conn, row.id, Purpose::ChangeEmail).await?;
            change.email = Some(email.as_str().to_owned());
        } else if row.email_verified_at.is_none() {
            return Err(Code::EmailNotVerified.error());
        } else {
            verifications::service::ask_change(conn, &row, email, now).await?;
        }
    }
    let row = if change.is_empty() { row } else { model::change(conn, row.id, &change).await? };
    let ended = match &wanted.password {
        None => Vec::new(),
        Some(_) => {
            one_time::withdraw(conn, row.id, Purpose::ResetPassword).await?;
            let others = Which::AllBut(caller.session);
            sessions::model::end(conn, row.id, others, EndReason::Reset, now).await?
        }
    };
    Ok((with_pending(conn, row, now).await?, ended))
}

/// An account that comes from nobody's sign-up: demo data, rehearsals, tests.
#[derive(Clone)]
pub struct NewSeed {
    pub email: Email,
    /// In PHC format; of any cost.
    pub password_hash: String,
    pub name: Option<String>,
    pub locale: Locale,
    pub is_verified: bool,
    pub roles: Vec<Role>,
}

/// Makes one account of a seed, without mail.
///
/// # Errors
/// `email_taken`.
pub async fn seed(conn: &mut Conn, seed: NewSeed, now: DateTime<Utc>) -> Result<AccountId> {
    let ids = seed_all(conn, &[seed], now).await?;
    ids.into_iter().next().ok_or_else(|| AppError::internal("no account was made"))
}

/// Makes many accounts with few statements.
///
/// # Errors
/// `email_taken`.
pub async fn seed_all(conn: &mut Conn, seeds: &[NewSeed], now: DateTime<Utc>) -> Result<Vec<AccountId>> {
    let secret = person::secret(conn).await?;
    let rows = seeds.iter().map(|seed| {
        Ok(NewAccount {
            id: AccountId::new(),
            email: seed.email.as_str(),
            email_key: seed.email.key(),
            person_key: secret.key(&seed.email)?,
            password_hash: &seed.password_hash,
            name: seed.name.as_deref(),
            locale: seed.locale.as_str(),
            marketing: false,
            roles: roles_to_stored(&seed.roles),
            invite_code: None,
            email_verified_at: seed.is_verified.then_some(now),
            created_at: now,
        })
    });
    let rows: Vec<NewAccount<'_>> = rows.collect::<Result<_>>()?;
    model::insert_all(conn, &rows).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
