//! Tells members of offers that they have become entitled to.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::model::{self, NewTelling, UpgradeOffer};
use super::{rules, service};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::jobs::{Lane, Outcome};
use crate::loyalty::levels::model as levels;
use crate::membership::memberships::model as memberships;
use crate::membership::plans::model::{self as plans, Plan};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::mailings::model::accept_news;
use crate::shop::products::model::ranks;
use crate::types::id::{AccountId, UpgradeOfferId};

/// Accounts of one transaction.
const PART: i64 = 500;
/// A run of the job ends then at the next part's end, well before its lease is over, and another one goes on.
const RUN: Duration = Duration::from_secs(45);
/// Between two rounds over everybody for one offer.
const ROUNDS: TimeDelta = TimeDelta::minutes(30);

/// The job [`crate::jobs::Job::OfferUpgrades`]: for each open offer that is told by mail a round over the
/// members whom it might be for, part by part. How far it is stands in the offer's row, who was told beside it;
/// both are written with the mails, so that a run that was killed is gone on with.
///
/// # Errors
/// The database's.
pub async fn run(app: &App) -> Result<Outcome> {
    let until = Instant::now() + RUN;
    let mut offers = model::open(&mut *db::connect(&app.pool).await?, None, app.clock.now()).await?;
    offers.retain(|of| of.mails);
    // What was begun is ended first.
    offers.sort_by_key(|of| (of.walked_to.is_none(), of.walked_at));
    for of in offers {
        while step(app, of.id).await? {
            app.jobs.wake(Lane::Notice);
            if Instant::now() > until {
                return Ok(Outcome::Again(app.clock.now()));
            }
        }
    }
    app.jobs.wake(Lane::Notice);
    Ok(Outcome::Done)
}

/// The next part of an offer's round; false where there is nothing more to do now. Locks the offer, so that who
/// else works on it waits, then the accounts.
async fn step(app: &App, id: UpgradeOfferId) -> Result<bool> {
    db::transaction(&app.pool, async |conn| {
        let now = app.clock.now();
        let Some(of) = model::lock(conn, id).await?.filter(|of| is_due(of, now)) else { return Ok(false) };
        let left = service::left_of(conn, std::slice::from_ref(&of)).await?;
        let after = of.walked_to.unwrap_or(Uuid::nil());
        let found = match left.get(&of.id) {
            Some(left) if !left.is_used_up() => model::untold(conn, &of, after, PART, now).await?,
            _ => Vec::new(),
        };
        tell(app, conn, &of, &found, now).await?;
        let is_over = found.len() < usize::try_from(PART).map_err(AppError::internal)?;
        let (to, at) = if is_over { (None, Some(now)) } else { (found.last().copied(), of.walked_at) };
        model::set_walked(conn, of.id, to, at).await?;
        Ok(!is_over)
    })
    .await
}

/// Is a round under way, or the next one due?
fn is_due(of: &UpgradeOffer, now: DateTime<Utc>) -> bool {
    let rests = of.walked_to.is_none() && of.walked_at.is_some_and(|at| now < at + ROUNDS);
    of.mails && rules::check_open(of, now).is_ok() && !rests
}

/// Mails those of these accounts that are entitled and accept news.
async fn tell(
    app: &App,
    conn: &mut Conn,
    of: &UpgradeOffer,
    found: &[AccountId],
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(plan) = plans::find(conn, of.plan).await?.filter(|_| !found.is_empty()) else { return Ok(()) };
    let entitled = entitled(app, conn, of, &plan, found, now).await?;
    let buyers = accounts::lock_buyers(conn, &entitled).await?;
    // Looked at under the locks: who no longer accepts news is seen.
    let willing = accept_news(conn, &entitled).await?;
    let mut letters = Vec::with_capacity(buyers.len());
    let mut tellings = Vec::with_capacity(buyers.len());
    for buyer in buyers.iter().filter(|buyer| willing.contains(&buyer.id)) {
        let Some(to) = recipient(buyer) else { continue };
        letters.push((to, format!("upgrade_offer:{}:{}", of.id, buyer.id), mail(of, &plan)));
        tellings.push(NewTelling { offer_id: of.id, account_id: buyer.id, told_at: now });
    }
    NewTelling::insert(&mut &*conn, tellings).await?;
    mails::queue_in(conn, now, Lane::Notice, &letters).await
}

/// Those of these accounts that have reached what the offer asks for, with memberships that it is for.
async fn entitled(
    app: &App,
    conn: &mut Conn,
    of: &UpgradeOffer,
    plan: &Plan,
    found: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<AccountId>> {
    let tiers = ranks(conn).await?;
    let levels = levels::ranks(conn).await?;
    let zone = app.settings.timezone;
    let figures = service::figures_of(conn, found, std::slice::from_ref(of), now, zone).await?;
    let mut open = memberships::open_of(conn, found).await?;
    open.retain(|row| {
        let rank = tiers.of(row.tier_id).unwrap_or(0);
        let is_met = figures.get(&row.account_id).is_some_and(|by| of.criteria.is_met(by, &levels));
        is_met && rules::is_for(of, plan, row, rank, now)
    });
    Ok(open.iter().map(|row| row.account_id).collect())
}

fn recipient(buyer: &Buyer) -> Option<Recipient> {
    Some(Recipient { account: Some(buyer.id), address: buyer.email.clone()?, locale: buyer.locale })
}

fn mail(of: &UpgradeOffer, plan: &Plan) -> Mail {
    Mail::UpgradeOffer {
        offer_zh: of.names.zh.clone(),
        offer_en: of.names.en.clone(),
        tier_zh: plan.tier_zh.clone(),
        tier_en: plan.tier_en.clone(),
        plan_code: plan.code.clone(),
        price_minor: of.price_minor,
        usual_minor: plan.price_minor,
        currency: plan.currency.clone(),
        ends_at: of.ends_at,
    }
}
