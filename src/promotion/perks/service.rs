//! Claiming the coupons of a benefit, and taking them back where the membership's money went back.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Claim, Request};
use crate::error::{AppError, Code, Result};
use crate::jobs::Outcome;
use crate::membership::benefits::model;
use crate::membership::benefits::rules::Gives;
use crate::membership::benefits::service::take;
use crate::membership::benefits::uses::{self, NewUse};
use crate::people::accounts::model::load_buyer;
use crate::promotion::campaigns::model::{self as campaigns, Campaign};
use crate::promotion::campaigns::reason::Reason;
use crate::promotion::campaigns::rules::runs;
use crate::promotion::coupons::dto::WalletCoupon;
use crate::promotion::coupons::{model as coupons, service as coupon_service};
use crate::types::id::{AccountId, BenefitId, CouponId, LevelId, MembershipId};

/// Claims a coupon of a benefit, once a request.
///
/// # Errors
/// `not_found`, `benefit_not_claimable`, those of [`take`], `closed` where the campaign is over, `not_open` where it is paused or hasn't
/// begun, `idempotency_key_reused`, `request_in_progress`.
pub async fn claim(app: &App, id: BenefitId, request: &Request) -> Result<WalletCoupon> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let coupon = CouponId::new();
        let claimed = match idempotency::claim(conn, request, 201, coupon.0, now).await? {
            Claim::Repeat(earlier) => CouponId(earlier),
            Claim::First => {
                let benefit = model::find(conn, id).await?.ok_or(Code::NotFound)?;
                let campaign = benefit.campaign_id.filter(|_| benefit.gives == Gives::Coupon);
                let campaign = campaign.ok_or(Code::BenefitNotClaimable)?;
                let campaign = campaigns::find(conn, campaign).await?.ok_or(Code::NotFound)?;
                may_be_claimed(&campaign, now)?;
                let (_, _, row) = take(conn, request.account, id, (now, app.settings.timezone)).await?;
                coupon_service::give(conn, &campaign, &[(coupon, request.account)], now).await?;
                let row = NewUse { coupon_id: Some(coupon), worth_minor: 0, ..row };
                NewUse::insert(&mut &*conn, vec![row]).await?;
                coupon
            }
        };
        let locale = load_buyer(conn, request.account).await?.locale;
        let coupon = coupons::by_id(conn, claimed).await?.ok_or(Code::NotFound)?;
        let shown = coupon_service::wallet(conn, vec![coupon], locale, now).await?.pop();
        shown.ok_or_else(|| AppError::internal("a coupon without its campaign"))
    })
    .await
}

/// What isn't good yet can't be claimed: the coupon's own time would run before.
fn may_be_claimed(campaign: &Campaign, now: DateTime<Utc>) -> Result<(), Code> {
    match runs(campaign, now) {
        Ok(()) => Ok(()),
        Err(Reason::NotStarted | Reason::Paused) => Err(Code::NotOpen),
        Err(_) => Err(Code::Closed),
    }
}

/// The job [`crate::jobs::Job::TakeBackLevelPerks`]: what brought somebody to a level went back. Coupons that he claimed of it since
/// then, and that no order holds or has used, are worth nothing any more.
///
/// # Errors
/// The database's.
pub async fn take_back_of_level(
    app: &App,
    account: AccountId,
    level: LevelId,
    since: DateTime<Utc>,
) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let ids = uses::coupons_of_level(conn, (account, level), since).await?;
        coupons::lock(conn, &ids).await?;
        coupons::revoke_these(conn, &ids, now).await?;
        Ok(Outcome::Done)
    })
    .await
}

/// The job [`crate::jobs::Job::TakeBackPerks`]: a membership was revoked, or its last term's money went back. Coupons that were
/// claimed under it `since` then, and that no order holds or has used, are worth nothing any more.
///
/// # Errors
/// The database's.
pub async fn take_back(app: &App, membership: MembershipId, since: DateTime<Utc>) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let ids = uses::coupons_of(conn, membership, since).await?;
        coupons::lock(conn, &ids).await?;
        coupons::revoke_these(conn, &ids, now).await?;
        Ok(Outcome::Done)
    })
    .await
}
