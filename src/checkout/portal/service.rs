//! Asking Stripe for the page, and waiting for it.

use std::time::Duration;

use kindred_stripe::CallError;

use super::model::{self, Visit};
use crate::app::App;
use crate::checkout::payments::jobs::stripe_failure;
use crate::db;
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane, Outcome};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, PortalVisitId};

/// The longest that an asker waits.
const WAIT: Duration = Duration::from_secs(10);
/// Between two looks.
const ROUND: Duration = Duration::from_millis(100);

/// Begins a visit, and waits for its page a while.
///
/// # Errors
/// `no_saved_card` for who is unknown to Stripe.
pub async fn visit(app: &App, account: AccountId, return_url: &str) -> Result<Visit> {
    let now = app.clock.now();
    let id = PortalVisitId::new();
    db::transaction(&app.pool, async |conn| {
        let buyer = accounts::load_buyer(conn, account).await?;
        if buyer.stripe_customer_id.is_none() {
            return Err(Code::NoSavedCard.error());
        }
        let visit = Visit {
            id,
            account_id: account,
            return_url: return_url.to_owned(),
            url: None,
            failure: None,
            created_at: now,
        };
        model::insert(conn, &visit).await?;
        jobs::enqueue(conn, &Job::OpenPortal { visit: id }, now, now).await?;
        Ok(())
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    let until = tokio::time::Instant::now() + WAIT;
    loop {
        let visit = find(app, account, id).await?;
        let is_over = visit.url.is_some() || visit.failure.is_some();
        if is_over || tokio::time::Instant::now() >= until {
            return Ok(visit);
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// An own visit.
///
/// # Errors
/// `not_found`
pub async fn find(app: &App, account: AccountId, id: PortalVisitId) -> Result<Visit> {
    let visit = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    visit.filter(|visit| visit.account_id == account).ok_or_else(|| Code::NotFound.error())
}

/// Asks Stripe for the page: the job `open_portal`.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn open(app: &App, id: PortalVisitId) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let Some(visit) = model::find(&mut conn, id).await?.filter(|visit| visit.url.is_none()) else {
        return Ok(Outcome::Done);
    };
    let buyer = accounts::load_buyer(&mut conn, visit.account_id).await?;
    drop(conn);
    let Some(customer) = buyer.stripe_customer_id else { return Ok(Outcome::Done) };
    let locale = Some(buyer.locale.as_str());
    // A key a try: a second page does no harm, and under one key Stripe would repeat a failure.
    let key = format!("portal:{id}:{}", app.clock.now().timestamp_millis());
    let made = app.stripe()?.create_portal(&key, &customer, &visit.return_url, locale).await;
    let mut conn = db::connect(&app.pool).await?;
    match made {
        Ok(url) => model::set_url(&mut conn, id, &url).await?,
        Err(error @ (CallError::Refused { .. } | CallError::NotFound)) if !error.is_credentials() => {
            tracing::error!(visit = %id, %error, "Stripe refuses to make a page for saved cards");
            model::fail(&mut conn, id, "unavailable").await?;
        }
        Err(error) => return Err(stripe_failure(error)),
    }
    Ok(Outcome::Done)
}
