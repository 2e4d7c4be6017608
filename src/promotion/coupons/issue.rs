//! Making many codes: a job that writes them part by part, each part with how far it has come, so that a crash costs one
//! part and no code is made twice.

use std::time::Duration;

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;
use rand::Rng as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::code::code_from;
use super::model::{self, Issue, NewCoupon};
use crate::app::App;
use crate::db::{self, Pool};
use crate::error::{AppError, Code, Result};
use crate::http::csv;
use crate::jobs::Outcome;
use crate::types::id::{CampaignId, CouponId, CouponIssueId};

/// Codes of one transaction.
const PART: i64 = 10_000;
/// A run of the job ends then at the next part's end, well before its lease is over, and another one goes on.
const RUN: Duration = Duration::from_secs(45);
/// Codes of one page of an export.
const PAGE: i64 = 5_000;

/// The job's body.
///
/// # Errors
/// The database's.
pub async fn run(app: &App, id: CouponIssueId) -> Result<Outcome> {
    let until = Instant::now() + RUN;
    while step(&app.pool, id, app.clock.now()).await?.ended_at.is_none() {
        if Instant::now() > until {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
    Ok(Outcome::Done)
}

/// Makes the next part, and tells how far the issue has come. Whoever else works on it waits.
///
/// # Errors
/// `not_found`; the database's.
pub async fn step(pool: &Pool, id: CouponIssueId, now: DateTime<Utc>) -> Result<Issue> {
    for _ in 0..3 {
        match part(pool, id, now).await {
            // Two codes were the same: nothing of the part stands, and it is made anew.
            Err(error) if error.code == Code::CodeTaken => {}
            done => return done,
        }
    }
    part(pool, id, now).await
}

async fn part(pool: &Pool, id: CouponIssueId, now: DateTime<Utc>) -> Result<Issue> {
    db::transaction(pool, async |conn| {
        let mut issue = model::lock_issue(conn, id).await?.ok_or(Code::NotFound)?;
        if issue.ended_at.is_some() {
            return Ok(issue);
        }
        let part = (issue.quantity - issue.made).min(PART);
        NewCoupon::insert(&mut &*conn, new_rows(&issue, part, now)?).await?;
        issue.made += part;
        if issue.made == issue.quantity {
            issue.ended_at = Some(now);
        }
        model::store_issue(conn, &issue).await?;
        Ok(issue)
    })
    .await
}

/// Codes from the generator that keys are made with: nobody can tell the next one from those he has seen. Two that are the same
/// break the part off, and it is made anew: of a million codes with ten random letters that happens once in a thousand
/// times.
///
/// # Errors
/// Never: lengths and quantities are small.
pub fn new_rows(issue: &Issue, count: i64, now: DateTime<Utc>) -> Result<Vec<NewCoupon>> {
    let length = usize::try_from(issue.length).map_err(AppError::internal)?;
    let count = usize::try_from(count).map_err(AppError::internal)?;
    let mut random = vec![0; length * count];
    rand::rng().fill(random.as_mut_slice());
    let codes = random.chunks(length.max(1)).map(|bytes| code_from(&issue.prefix, bytes));
    Ok(codes.map(|code| row(issue, code, now)).collect())
}

fn row(issue: &Issue, code: String, now: DateTime<Utc>) -> NewCoupon {
    NewCoupon {
        id: CouponId::new(),
        campaign_id: issue.campaign_id,
        code,
        label: None,
        is_shared: false,
        account_id: None,
        issue_id: Some(issue.id),
        expires_at: issue.expires_at,
        created_at: now,
    }
}

/// Codes of a campaign, or of one issue of it, as CSV. No more than a page of them is in memory; a failure on the way breaks
/// the stream off, so that nobody takes a part for the whole.
pub fn csv(
    pool: Pool,
    campaign: CampaignId,
    issue: Option<CouponIssueId>,
) -> impl Stream<Item = Result<Bytes>> {
    futures::stream::try_unfold(Some(Uuid::nil()), move |after| {
        let pool = pool.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let mut conn = db::connect(&pool).await?;
            let rows = model::to_export(&mut conn, campaign, issue, CouponId(after), PAGE).await?;
            let is_last = i64::try_from(rows.len()).unwrap_or(0) < PAGE;
            let next = rows.last().filter(|_| !is_last).map(|coupon| coupon.id.0);
            let mut out = String::new();
            if after.is_nil() {
                csv::push_row(&mut out, &["code", "expires_at", "revoked_at"]);
            }
            let dated = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
            for coupon in &rows {
                csv::push_row(
                    &mut out,
                    &[coupon.shown(), &dated(coupon.expires_at), &dated(coupon.revoked_at)],
                );
            }
            Ok(Some((Bytes::from(out), next)))
        }
    })
}
