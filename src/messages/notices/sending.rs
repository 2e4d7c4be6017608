//! Sending a notice: a job fixes its recipients and queues their mails, part by part, each part with what it counts in one
//! transaction. So a crash costs a part that is done again, and nobody is written to twice or forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::model::{self, Notice, State};
use super::recipients::{self, Skipped, Taken};
use super::rules;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::types::id::NoticeId;
use crate::types::locale::Locale;

/// Accounts that are looked at in one transaction.
const PART: i64 = 500;
/// A run of the job ends then and another one goes on, behind what waits in its lane: a large notice holds nobody up.
const RUN: Duration = Duration::from_secs(2);

/// Where a notice stands after a step.
enum Step {
    /// There are more accounts to look at.
    Collecting,
    /// Its next part comes after a pause.
    Paced,
    Over,
    /// Its time hasn't come.
    Early(DateTime<Utc>),
}

/// The job [`crate::jobs::Job::SendNotice`].
///
/// # Errors
/// The database's: the job runs again.
pub async fn run(app: &App, id: NoticeId) -> Result<Outcome> {
    let until = Instant::now() + RUN;
    loop {
        match db::transaction(&app.pool, async |conn| step(app, conn, id).await).await? {
            Step::Over => {
                app.jobs.wake(Lane::Notice);
                return Ok(Outcome::Done);
            }
            Step::Early(at) => return Ok(Outcome::Again(at)),
            Step::Paced => {
                app.jobs.wake(Lane::Notice);
                let (_, pause) = rules::pace(app.settings.notices.per_minute);
                return Ok(Outcome::Again(app.clock.now() + pause));
            }
            Step::Collecting if Instant::now() > until => return Ok(Outcome::Again(app.clock.now())),
            Step::Collecting => {}
        }
    }
}

async fn step(app: &App, conn: &mut Conn, id: NoticeId) -> Result<Step> {
    let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
    let now = app.clock.now();
    match of.state {
        State::Draft | State::Sent | State::Cancelled => return Ok(Step::Over),
        State::Scheduled => match of.send_at.filter(|at| *at > now) {
            Some(at) => return Ok(Step::Early(at)),
            None => of.state = State::Sending,
        },
        State::Sending => {}
    }
    let next = if of.collected_at.is_none() {
        collect(conn, &mut of, now).await?;
        Step::Collecting
    } else {
        queue_part(app, conn, &mut of).await?
    };
    model::store(conn, &of).await?;
    Ok(next)
}

/// Fixes the recipients among the next accounts.
async fn collect(conn: &mut Conn, of: &mut Notice, now: DateTime<Utc>) -> Result<()> {
    let found = recipients::audience(conn, of, PART, now).await?;
    match found.last() {
        Some(last) => {
            of.before = last.0;
            of.recipients += count(recipients::fix(conn, of.id, &found).await?)?;
        }
        None => of.collected_at = Some(now),
    }
    Ok(())
}

/// Queues the mails of the next recipients. Who has left, is suppressed or had enough in this month is skipped.
async fn queue_part(app: &App, conn: &mut Conn, of: &mut Notice) -> Result<Step> {
    let (part, _) = rules::pace(app.settings.notices.per_minute);
    let ids = recipients::take(conn, of.id, part).await?;
    if ids.is_empty() {
        // The notice is locked: nobody else has taken one.
        of.state = State::Sent;
        of.ended_at = Some(app.clock.now());
        return Ok(Step::Over);
    }
    accounts::lock_buyers(conn, &ids).await?;
    // Looked at under the locks: who left the list before this moment is seen.
    let now = app.clock.now();
    let month = rules::month(now, app.settings.timezone);
    let taken = recipients::look_at(conn, &ids).await?;
    let wanted: Vec<_> = taken.iter().filter(|one| one.refused.is_none()).map(|one| one.id).collect();
    let within = recipients::claim_month(conn, &wanted, &month, app.settings.notices.cap).await?;
    let why = |one: &Taken| one.refused.or_else(|| (!within.contains(&one.id)).then_some(Skipped::Cap));
    let decided: Vec<_> = taken.iter().map(|one| (one.id, why(one))).collect();
    recipients::decide(conn, of.id, &decided, &month, now).await?;
    let letters: Vec<_> =
        taken.iter().filter(|one| why(one).is_none()).map(|one| letter(of.id, one)).collect();
    mails::queue_in(conn, now, Lane::Notice, &letters).await?;
    of.queued += count(letters.len())?;
    of.skipped += count(decided.len() - letters.len())?;
    Ok(Step::Paced)
}

fn letter(notice: NoticeId, to: &Taken) -> (Recipient, String, Mail) {
    let recipient = Recipient {
        account: Some(to.id),
        address: to.address.clone(),
        locale: Locale::from_stored(&to.locale),
    };
    (recipient, format!("notice:{notice}:{}", to.id), Mail::notice(notice))
}

fn count(length: usize) -> Result<i64> {
    i64::try_from(length).map_err(AppError::internal)
}
