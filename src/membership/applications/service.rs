//! Applying, and deciding who may buy.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::NewApplication;
use super::model::{self, Application, Decision, State};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::Lane;
use crate::membership::drives::{self, model::Drive};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts;
use crate::types::id::{AccountId, ApplicationId};

/// Applies to a drive, once.
///
/// # Errors
/// `not_found`, `wrong_admission`, `closed`, `application_exists`, `invalid_field`
pub async fn apply(app: &App, account: AccountId, drive: &str, new: &NewApplication) -> Result<Application> {
    let now = app.clock.now();
    let answers = rules::answers(&new.answers)?;
    let application = db::transaction(&app.pool, async |conn| {
        let id = drives::model::find_id(conn, drive).await?.ok_or(Code::NotFound)?;
        let drive = drives::model::find(conn, id).await?;
        let drive = drive.filter(|drive| drive.archived_at.is_none()).ok_or(Code::NotFound)?;
        rules::may_apply(drive.admission, drives::rules::state(&drive, now))?;
        let application = Application {
            id: ApplicationId::new(),
            drive_id: drive.id,
            account_id: account,
            answers: serde_json::to_value(&answers).map_err(AppError::internal)?,
            state: State::Received,
            reason: None,
            decided_by: None,
            decided_at: None,
            buy_until: None,
            created_at: now,
            version: 1,
        };
        model::insert(conn, &application).await?;
        let mail =
            Mail::ApplicationReceived { drive_zh: drive.name_zh.clone(), drive_en: drive.name_en.clone() };
        queue_mail(conn, &application, "received", &mail, now).await?;
        Ok(application)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(application)
}

/// Gives the right to buy until a deadline.
///
/// # Errors
/// `not_found`, `application_decided`, `closed`
pub async fn approve(app: &App, actor: Actor, id: ApplicationId) -> Result<Application> {
    let now = app.clock.now();
    decide(app, actor, id, now, "application.approve", |drive| {
        if drives::rules::state(drive, now) == drives::rules::State::Closed {
            return Err(Code::Closed.error());
        }
        let buy_until = rules::buy_until(drive, now);
        let (drive_zh, drive_en) = (drive.name_zh.clone(), drive.name_en.clone());
        let mail = Mail::ApplicationApproved { drive_zh, drive_en, buy_until };
        Ok((State::Approved, None, Some(buy_until), mail))
    })
    .await
}

/// Refuses, with a reason that the applicant reads.
///
/// # Errors
/// `not_found`, `application_decided`, `invalid_field`
pub async fn refuse(app: &App, actor: Actor, id: ApplicationId, reason: &str) -> Result<Application> {
    let reason = fields::reason(reason)?;
    decide(app, actor, id, app.clock.now(), "application.refuse", |drive| {
        let (drive_zh, drive_en) = (drive.name_zh.clone(), drive.name_en.clone());
        let mail = Mail::ApplicationRefused { drive_zh, drive_en, reason: reason.clone() };
        Ok((State::Refused, Some(reason.clone()), None, mail))
    })
    .await
}

type Outcome = (State, Option<String>, Option<DateTime<Utc>>, Mail);

async fn decide(
    app: &App,
    actor: Actor,
    id: ApplicationId,
    now: DateTime<Utc>,
    action: &str,
    outcome: impl Fn(&Drive) -> Result<Outcome> + Send + Sync,
) -> Result<Application> {
    let application = db::transaction(&app.pool, async |conn| {
        let waiting = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        if waiting.state != State::Received {
            return Err(Code::ApplicationDecided.error());
        }
        let drive = drives::model::find(conn, waiting.drive_id).await?;
        let drive = drive.ok_or_else(|| AppError::internal("an application without its drive"))?;
        let (state, reason, buy_until, mail) = outcome(&drive)?;
        let decision = Decision { state, reason, decided_by: actor.id(), decided_at: now, buy_until };
        // Another operator may have decided since it was read: the guarded write says who was first.
        let decided = model::decide(conn, id, &decision).await?.ok_or(Code::ApplicationDecided)?;
        queue_mail(conn, &decided, "decided", &mail, now).await?;
        let entry = Entry {
            actor,
            action,
            subject_kind: "application",
            subject_id: id.to_string(),
            reason: decided.reason.as_deref(),
            detail: json!({ "drive": drive.code, "buy_until": decided.buy_until }),
        };
        audit::record(conn, now, entry).await?;
        Ok(decided)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(application)
}

async fn queue_mail(
    conn: &mut Conn,
    application: &Application,
    what: &str,
    mail: &Mail,
    now: DateTime<Utc>,
) -> Result<()> {
    // An account that was erased meanwhile has no address any more.
    let Ok(buyer) = accounts::model::load_buyer(conn, application.account_id).await else { return Ok(()) };
    let Some(address) = buyer.email else { return Ok(()) };
    let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
    mails::queue(conn, now, &to, &format!("application:{}:{what}", application.id), mail).await
}
