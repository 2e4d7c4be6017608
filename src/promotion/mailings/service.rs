//! Mailings: begun by an operator, done part by part, each part with how far it has come, so that a crash costs one part and
//! nobody gets two.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::dto::NewMailing;
use super::model::{self, Mailing, NewRecipient};
use crate::app::App;
use crate::audit::Actor;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::page::Page;
use crate::db::{self, Conn, Pool};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::segments::model as segments;
use crate::promotion::campaigns::model::{self as campaigns, Campaign};
use crate::promotion::campaigns::service::log;
use crate::promotion::coupons::service::{self as coupon_service, Given};
use crate::types::id::{CampaignId, CouponId, JobId, MailingId};

/// Accounts of one transaction.
const PART: i64 = 500;
/// A run of the job ends then at the next part's end, well before its lease is over, and another one goes on.
const RUN: Duration = Duration::from_secs(45);

/// Begins to give a coupon to everybody in a segment, once a request: the mailing, and the job that does it where it begins
/// now. After the commit wake the local lane.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn begin(
    pool: &Pool,
    actor: Actor,
    campaign: CampaignId,
    new: &NewMailing,
    request: Option<&Request>,
    now: DateTime<Utc>,
) -> Result<(Mailing, Option<JobId>)> {
    let reason = fields::reason(&new.reason)?;
    let id = MailingId::new();
    db::transaction(pool, async |conn| {
        if let Some(request) = request
            && let Claim::Repeat(earlier) = idempotency::claim(conn, request, 202, id.0, now).await?
        {
            let earlier = model::find(conn, MailingId(earlier)).await?.ok_or(Code::NotFound)?;
            return Ok((earlier, None));
        }
        coupon_service::open_campaign(conn, campaign).await?;
        let segment = segments::by_code(conn, &new.segment).await?;
        let segment = segment.ok_or_else(|| Code::InvalidField.at("segment", "there is no such segment"))?;
        let of = Mailing {
            id,
            campaign_id: campaign,
            segment_id: segment.id,
            accounts: segments::count(conn, &segment, now).await?,
            given: 0,
            mailed: 0,
            before: Uuid::max(),
            created_by: actor.kind().to_owned(),
            created_at: now,
            ended_at: None,
        };
        model::insert(conn, &of).await?;
        let job = jobs::enqueue(conn, &Job::MailCoupons { mailing: id }, now, now).await?;
        let detail = json!({ "segment": segment.code, "accounts": of.accounts, "reason": reason });
        log(conn, actor, "coupons.mail", campaign, detail, now).await?;
        Ok((of, Some(job)))
    })
    .await
}

/// Between two looks at a campaign that is paused.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The job [`Job::MailCoupons`].
///
/// # Errors
/// The database's.
pub async fn run(app: &App, id: MailingId) -> Result<Outcome> {
    let until = Instant::now() + RUN;
    loop {
        let now = app.clock.now();
        let Some(of) = step(&app.pool, id, now).await? else { return Ok(Outcome::Again(now + PAUSE)) };
        app.jobs.wake(Lane::Mail);
        if of.ended_at.is_some() {
            return Ok(Outcome::Done);
        }
        if Instant::now() > until {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
}

/// Gives the next part, and tells how far the mailing has come; none while its campaign is paused. Whoever else works on it
/// waits. It ends with its campaign too.
///
/// # Errors
/// `not_found`; the database's.
pub async fn step(pool: &Pool, id: MailingId, now: DateTime<Utc>) -> Result<Option<Mailing>> {
    db::transaction(pool, async |conn| {
        let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if of.ended_at.is_some() {
            return Ok(Some(of));
        }
        let campaign = campaigns::find(conn, of.campaign_id).await?.ok_or(Code::NotFound)?;
        if campaign.is_resting() {
            return Ok(None);
        }
        let segment = segments::find(conn, of.segment_id).await?.ok_or(Code::NotFound)?;
        let page = Page { limit: PART - 1, before: of.before };
        let inside = segments::page_of(conn, &segment, page, now).await?;
        match inside.last() {
            Some(last) if coupon_service::may_be_given(&campaign, now).is_ok() => {
                of.before = last.0;
                let buyers = accounts::lock_buyers(conn, &inside).await?;
                let (given, mailed) = give(conn, &of, &campaign, &buyers, now).await?;
                of.given += given;
                of.mailed += mailed;
            }
            _ => of.ended_at = Some(now),
        }
        model::store(conn, &of).await?;
        Ok(Some(of))
    })
    .await
}

/// (given, mailed).
async fn give(
    conn: &mut Conn,
    of: &Mailing,
    campaign: &Campaign,
    buyers: &[Buyer],
    now: DateTime<Utc>,
) -> Result<(i64, i64)> {
    let each: Vec<_> = buyers.iter().map(|buyer| (CouponId::new(), buyer.id)).collect();
    let given = coupon_service::give(conn, campaign, &each, now).await?;
    let row = |(coupon_id, account_id): &(CouponId, _)| NewRecipient {
        mailing_id: of.id,
        account_id: *account_id,
        coupon_id: *coupon_id,
    };
    NewRecipient::insert(&mut &*conn, each.iter().map(row).collect()).await?;
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let told = model::accept_news(conn, &ids).await?;
    let mut letters = Vec::with_capacity(told.len());
    for (buyer, given) in buyers.iter().zip(&given).filter(|(buyer, _)| told.contains(&buyer.id)) {
        letters.extend(mail(buyer, campaign, given));
    }
    mails::queue_all(conn, now, &letters).await?;
    let count = |length: usize| i64::try_from(length).map_err(AppError::internal);
    Ok((count(given.len())?, count(letters.len())?))
}

fn mail(buyer: &Buyer, campaign: &Campaign, given: &Given) -> Option<(Recipient, String, Mail)> {
    let to = Recipient { account: Some(buyer.id), address: buyer.email.clone()?, locale: buyer.locale };
    Some((to, format!("coupon:{}", given.id), coupon_service::mail_of(campaign, given, "chosen")))
}
