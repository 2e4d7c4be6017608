//! The job that sends one mail of the outbox. It runs at least once: a repeat carries the same Message-ID.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use lettre::message::Mailbox;

use super::Mail;
use super::model::{self, MailRow};
use super::render::{Rendered, Renderer};
use crate::app::App;
use crate::config::Settings;
use crate::db::gather::Read;
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::jobs::Outcome;
use crate::messages::lists::model as lists;
use crate::messages::lists::rules::list_of;
use crate::messages::lists::service::way_out;
use crate::messages::notices::model::worded;
use crate::ports::mail::{Inbox, Mailer, Outgoing, SendError};
use crate::types::id::MailId;
use crate::types::locale::Locale;

/// What it takes to turn a row into a mail and to hand it over.
pub struct Postbox {
    mailer: Mailer,
    renderer: Renderer,
    from: Mailbox,
    notices_from: Mailbox,
    /// What stands behind the @ of a Message-ID: the public URL's host.
    host: String,
}

impl Postbox {
    /// # Errors
    /// What is wrong with `KINDRED_SMTP_URL` or `KINDRED_MAIL_FROM`.
    pub fn new(settings: &Settings) -> Result<Self> {
        let mailer = Mailer::from_settings(settings)
            .map_err(|why| AppError::internal(format!("KINDRED_SMTP_URL: {why}")))?;
        if let Mailer::Files(folder) = &mailer {
            tracing::info!(folder = %folder.display(), "mails are written to files: no mail server is set");
        }
        let from: Mailbox = settings
            .mail_from
            .parse()
            .map_err(|_| AppError::internal("KINDRED_MAIL_FROM: expected `Name <address>`"))?;
        let notices_from = match &settings.notices.from {
            Some(text) => text
                .parse()
                .map_err(|_| AppError::internal("KINDRED_NOTICE_FROM: expected `Name <address>`"))?,
            None => from.clone(),
        };
        let host = settings.public_url.host_str().unwrap_or("localhost").to_owned();
        let shop_name = from.name.clone().unwrap_or_else(|| host.clone());
        let renderer = Renderer::new(settings, &shop_name)?;
        Ok(Self { mailer, renderer, from, notices_from, host })
    }

    /// The mails of tests and of the demo.
    pub fn inbox(&self) -> Option<&Inbox> {
        self.mailer.inbox()
    }

    /// # Errors
    /// When template and data don't fit.
    pub fn render(&self, mail: &Mail, locale: Locale) -> Result<Rendered> {
        self.renderer.render(mail, locale)
    }

    /// [`Postbox::render`] with the way out of the mail's list.
    ///
    /// # Errors
    /// When template and data don't fit.
    pub fn render_with(&self, mail: &Mail, locale: Locale, way_out: Option<&str>) -> Result<Rendered> {
        self.renderer.render_with(mail, locale, way_out)
    }
}

/// The body of `Job::SendMail`. A refusal for good marks the mail dead at once; anything else fails the job, which comes
/// back until [`model::mark_dead`] is called for its last failure.
///
/// # Errors
/// What kept the mail from going, without its address.
pub async fn run(app: &App, id: MailId) -> Result<Outcome> {
    let Some(row) = app.queued_mails.load(id).await? else { return Ok(Outcome::Done) };
    let mut conn = db::connect(&app.pool).await?;
    let row = worded(&mut conn, row).await?;
    let now = app.clock.now();
    let mail = Mail::from_columns(&row.kind, row.data.clone())?;
    let (refused, way_out) = of_list(app, &mut conn, &row, &mail).await?;
    drop(conn);
    let sent = match unsendable(&mail, &row.to_address, now).or(refused) {
        Some(why) => Err(SendError::Permanent(why.to_owned())),
        None => hand_over(&app.postbox, &row, &mail, way_out, now).await?,
    };
    match sent {
        Ok(()) => {
            let kept = mail.scrubbed().map(|mail| mail.to_columns()).transpose()?;
            app.sent_mails.load((id, kept.map(|(_, data)| data.to_string()))).await?;
            Ok(Outcome::Done)
        }
        Err(SendError::Permanent(why)) => {
            tracing::warn!(mail = %id, kind = row.kind, why, "a mail was refused for good");
            model::mark_dead(&mut *db::connect(&app.pool).await?, id, &why).await?;
            Ok(Outcome::Done)
        }
        Err(SendError::Transient(why)) => {
            model::note_failure(&mut *db::connect(&app.pool).await?, id, &why).await?;
            Err(AppError::internal(why))
        }
    }
}

/// Reads mails that wait, for the jobs that ask at the same time.
pub fn reading<'a>(conn: &'a mut Conn, ids: &'a [MailId]) -> BoxFuture<'a, Result<HashMap<MailId, MailRow>>> {
    async move {
        let queued = model::queued(conn, ids).await?;
        Ok(queued.into_iter().map(|row| (row.id, row)).collect())
    }
    .boxed()
}

/// A mail that is sent, and what is kept of its data (JSON) where secrets had to go.
pub type Sent = (MailId, Option<String>);

/// Writes down mails that are sent, with one statement for all that went meanwhile.
pub fn marking(app: &Arc<App>) -> Read<Sent, ()> {
    let app = Arc::clone(app);
    Box::new(move |conn, sent| {
        let now = app.clock.now();
        async move {
            model::mark_sent(conn, sent, now).await?;
            Ok(sent.iter().map(|one| (one.clone(), ())).collect())
        }
        .boxed()
    })
}

/// Of a mail of a list: why it must not go, by what its reader or its address's server has said since; and the way out.
async fn of_list(
    app: &App,
    conn: &mut Conn,
    row: &MailRow,
    mail: &Mail,
) -> Result<(Option<&'static str>, Option<String>)> {
    let Some(list) = list_of(mail) else { return Ok((None, None)) };
    let refused = lists::refusal(conn, row.account_id, &row.to_address, list).await?;
    let way_out = match row.account_id {
        Some(account) => Some(way_out(conn, app, account, list).await?),
        None => None,
    };
    Ok((refused, way_out))
}

/// Why a mail must not go any more, however well the server is.
fn unsendable(mail: &Mail, address: &str, now: chrono::DateTime<chrono::Utc>) -> Option<&'static str> {
    match mail {
        _ if address.is_empty() => Some("the account was erased before the mail went"),
        mail if mail.is_scrubbed() => Some("its one-time link is gone"),
        Mail::HoldEnding { expires_at, .. } if *expires_at <= now => {
            Some("the hold was over before the mail went")
        }
        _ => None,
    }
}

async fn hand_over(
    postbox: &Postbox,
    row: &MailRow,
    mail: &Mail,
    unsubscribe_url: Option<String>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Result<(), SendError>> {
    let Ok(to) = row.to_address.parse() else {
        return Ok(Err(SendError::Permanent("the address can't be written to".to_owned())));
    };
    let locale = Locale::from_stored(&row.locale);
    let Rendered { subject, text, html } = postbox.render_with(mail, locale, unsubscribe_url.as_deref())?;
    let outgoing = Outgoing {
        message_id: format!("{}@{}", row.id, postbox.host),
        from: match mail {
            Mail::Notice { .. } => postbox.notices_from.clone(),
            _ => postbox.from.clone(),
        },
        to,
        subject,
        text,
        html,
        language: locale.as_str(),
        date: now,
        unsubscribe_url,
    };
    Ok(postbox.mailer.send(&outgoing).await)
}
