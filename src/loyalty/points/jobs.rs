//! What time does to points: it ends them, and tells of it before.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{self, Why, Writes};
use super::programme;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::types::id::AccountId;

/// Lots that are looked at in one transaction.
const BATCH: i64 = 500;

/// The job [`crate::jobs::Job::ExpirePoints`]: writes off what has expired, part by part. Nobody could spend it any more.
///
/// # Errors
/// The database's.
pub async fn expire(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    while db::transaction(&app.pool, async |conn| expire_some(conn, now).await).await? {}
    Ok(Outcome::Done)
}

async fn expire_some(conn: &mut Conn, now: DateTime<Utc>) -> Result<bool> {
    let owners = model::owners_of_expired(conn, now, BATCH).await?;
    let mut writes = Writes::default();
    for (account, mut purse) in model::lock(conn, &owners).await? {
        let ids: Vec<_> = purse.lots.iter().map(|lot| lot.id).collect();
        for id in ids {
            purse.expire(id, now);
        }
        let why = Why { cause: format!("expired:{}", now.timestamp_micros()), ..Why::default() };
        writes.take(account, &mut purse, &why, now);
    }
    writes.write(conn).await?;
    Ok(!owners.is_empty())
}

/// The job [`crate::jobs::Job::WarnOfPoints`]: mails who has points that expire within the days that the programme says, once a
/// lot. What expires at different times within them is one mail.
///
/// # Errors
/// The database's.
pub async fn warn(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    while db::transaction(&app.pool, async |conn| warn_some(conn, currency, now).await).await? {}
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

async fn warn_some(conn: &mut Conn, currency: &str, now: DateTime<Utc>) -> Result<bool> {
    let programme = programme::load(conn).await?;
    let until = now + TimeDelta::days(programme.warn_days.into());
    let lots = model::unwarned(conn, (now, until), BATCH).await?;
    // The first lot of each names the mail.
    let mut firsts = BTreeMap::new();
    for (lot, account) in &lots {
        firsts.entry(*account).or_insert(*lot);
    }
    let owners: Vec<AccountId> = firsts.keys().copied().collect();
    let people = accounts::lock_buyers(conn, &owners).await?;
    let purses = model::lock(conn, &owners).await?;
    let mut queued = Vec::new();
    for (account, purse) in &purses {
        let expiring: Vec<_> =
            purse.lots.iter().filter(|lot| lot.expires_at.is_some_and(|at| at <= until)).collect();
        let points: i64 = expiring.iter().map(|lot| lot.spendable(now)).sum();
        let first =
            expiring.iter().filter(|lot| lot.spendable(now) > 0).filter_map(|lot| lot.expires_at).min();
        let person = people.iter().find(|person| person.id == *account);
        let (Some(expires_at), Some(person), Some(lot)) = (first, person, firsts.get(account)) else {
            continue;
        };
        let Some(address) = person.email.clone() else { continue };
        let to = Recipient { account: Some(*account), address, locale: person.locale };
        let mail = Mail::PointsExpiring {
            points,
            expires_at,
            worth_minor: programme
                .exchange
                .and_then(|by| (points / by.step_points).checked_mul(by.step_minor)),
            currency: currency.to_owned(),
        };
        queued.push((to, format!("points_expiring:{lot}"), mail));
    }
    model::set_warned(conn, &owners, (now, until)).await?;
    mails::queue_all(conn, now, &queued).await?;
    Ok(!lots.is_empty())
}
