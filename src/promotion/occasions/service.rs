//! Occasions: rules of operators, and coupons that are given by them.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::{NewOccasion, OccasionView};
use super::model::{self, NewGrant, Occasion};
use super::rules::{self, OccasionEvent};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::campaigns::model::{self as campaigns, Campaign, UNLIMITED};
use crate::promotion::coupons::service::{self as coupon_service, Given};
use crate::promotion::mailings::model as mailings;
use crate::types::day;
use crate::types::id::{AccountId, CouponId, OccasionId, PoolId};

/// Limits beyond this are slips of the keyboard.
const TOTAL_MAX: i64 = 100_000_000;
const NTH_MAX: i32 = 1_000;
/// Accounts of one transaction.
const PART: i64 = 500;

/// # Errors
/// `invalid_field`, `not_found` for the campaign, `closed`.
pub async fn create(app: &App, actor: Actor, new: &NewOccasion) -> Result<OccasionView> {
    let now = app.clock.now();
    if (new.event == OccasionEvent::NthOrder) != new.nth.is_some() {
        return Err(Code::InvalidField.at("nth", "goes with nth_order, and nth_order with it"));
    }
    let total = new.total.map(|total| fields::within("total", total, 1, TOTAL_MAX)).transpose()?;
    let of = Occasion {
        id: OccasionId::new(),
        event: new.event,
        nth: new.nth.map(|nth| fields::within("nth", nth, 1, NTH_MAX)).transpose()?,
        campaign_id: new.campaign,
        pool_id: PoolId::new(),
        starts_at: new.starts_at.map_or(Ok(now), |at| fields::dated("starts_at", at, now))?,
        ends_at: new.ends_at.map(|at| fields::ahead("ends_at", at, now)).transpose()?,
        created_at: now,
        ended_at: None,
    };
    if of.ends_at.is_some_and(|end| end <= of.starts_at) {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    db::transaction(&app.pool, async |conn| {
        coupon_service::open_campaign(conn, of.campaign_id).await?;
        campaigns::insert_pool(conn, of.pool_id, "occasion", total.unwrap_or(UNLIMITED)).await?;
        model::insert(conn, &of).await?;
        record(conn, actor, "occasion.create", &of, now).await?;
        view(conn, of.clone()).await
    })
    .await
}

/// Ends a rule. Twice does no more than once; what was given stays.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, actor: Actor, id: OccasionId) -> Result<OccasionView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let was_open = model::end(conn, id, now).await?;
        let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        if was_open {
            record(conn, actor, "occasion.end", &of, now).await?;
        }
        view(conn, of).await
    })
    .await
}

async fn view(conn: &mut Conn, of: Occasion) -> Result<OccasionView> {
    let pools = claims::read(conn, &[of.pool_id]).await?;
    Ok(OccasionView::new(of, &pools))
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    of: &Occasion,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = of.id.to_string();
    let detail = json!({ "event": of.event, "nth": of.nth, "campaign": of.campaign_id });
    let entry = Entry { actor, action, subject_kind: "occasion", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// Something happened to an account, in the caller's transaction: where a rule counts it, a job gives what there is for it.
/// Pools are locked before accounts, and the caller may have locked the account.
///
/// # Errors
/// The database's.
pub async fn happened(
    conn: &mut Conn,
    event: OccasionEvent,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    happened_to(conn, event, &[account], now).await
}

/// [`happened`] to many.
///
/// # Errors
/// The database's.
pub async fn happened_to(
    conn: &mut Conn,
    event: OccasionEvent,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<()> {
    if !model::open_of(conn, event, now).await?.is_empty() {
        let given = accounts.iter().map(|account| (Job::GiveOnOccasion { event, account: *account }, now));
        jobs::enqueue_all(conn, &given.collect::<Vec<_>>(), now).await?;
    }
    Ok(())
}

/// The job [`Job::GiveOnOccasion`].
///
/// # Errors
/// The database's.
pub async fn give_on(app: &App, event: OccasionEvent, account: AccountId) -> Result<Outcome> {
    let now = app.clock.now();
    let open = model::open_of(&mut *db::connect(&app.pool).await?, event, now).await?;
    let mut rests = false;
    for of in open {
        rests |= db::transaction(&app.pool, async |conn| {
            let cause = cause_of(conn, &of, account).await?;
            give(conn, &of, cause.into_iter().collect(), now).await
        })
        .await?;
    }
    app.jobs.wake(Lane::Mail);
    Ok(if rests { Outcome::Again(now + PAUSE) } else { Outcome::Done })
}

/// What a coupon is given for: once a cause, and once a person and period.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    account: AccountId,
    cause: String,
    period: String,
}

async fn cause_of(conn: &mut Conn, of: &Occasion, account: AccountId) -> Result<Option<Cause>> {
    let once = |cause: String| Cause { account, cause, period: "once".to_owned() };
    let Some(nth) = of.nth else { return Ok(Some(once(format!("{}:{account}", of.event.as_str())))) };
    // Of two that were paid at once, the job that runs after both of them sees both.
    let order = model::nth_order(conn, account, nth).await?;
    let counts = order.filter(|(_, paid_at)| paid_at.is_some_and(|at| of.starts_at <= at));
    Ok(counts.map(|(order, _)| once(format!("order:{order}"))))
}

/// The job [`Job::GiveBirthdays`]: birthdays of today, and of the days before where nobody gave anything then.
///
/// # Errors
/// The database's.
pub async fn give_birthdays(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    let open = model::open_of(&mut *db::connect(&app.pool).await?, OccasionEvent::Birthday, now).await?;
    for of in open {
        for day in rules::days(&of, app.settings.timezone, now) {
            // Who tells his birthday on the day, or while it is made up for, has it kept the next time.
            let begins_at = day::begins(day, app.settings.timezone).unwrap_or(now);
            let mut after = AccountId(Uuid::nil());
            loop {
                let last = db::transaction(&app.pool, async |conn| {
                    let born = model::birthdays(conn, of.id, (day, begins_at), after, PART).await?;
                    let year = day.year().to_string();
                    let cause = |account: &AccountId| Cause {
                        account: *account,
                        cause: format!("birthday:{year}:{account}"),
                        period: year.clone(),
                    };
                    give(conn, &of, born.iter().map(cause).collect(), now).await?;
                    Ok(born.last().copied())
                });
                match last.await? {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
    }
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// Between two looks at a campaign that is paused.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Gives a coupon for each cause that hasn't been given for, as far as the pool goes, and mails who gets one and accepts news.
/// True where that has to wait, because the campaign is paused. Locks the pool, then the accounts.
async fn give(conn: &mut Conn, of: &Occasion, causes: Vec<Cause>, now: DateTime<Utc>) -> Result<bool> {
    let campaign = campaigns::find(conn, of.campaign_id).await?.ok_or(Code::NotFound)?;
    if causes.is_empty() || coupon_service::may_be_given(&campaign, now).is_err() {
        return Ok(!causes.is_empty() && campaign.is_resting());
    }
    let pools = claims::lock(conn, &[of.pool_id]).await?;
    let mut left = pools.first().map_or(0, claims::Pool::left);
    let ids: Vec<_> = causes.iter().map(|cause| cause.account).collect();
    let buyers = accounts::lock_buyers(conn, &ids).await?;
    let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
    let mut known: HashSet<(String, String)> = HashSet::new();
    for (account, person, period) in model::given(conn, of.id, &ids, &people).await? {
        known.insert((account.to_string(), period.clone()));
        known.insert((person, period));
    }
    let mut chosen = Vec::with_capacity(causes.len());
    for cause in causes {
        let buyer = buyers.iter().find(|buyer| buyer.id == cause.account && may_have(buyer));
        let Some((buyer, person)) = buyer.and_then(|buyer| Some((buyer, buyer.person_key.clone()?))) else {
            continue;
        };
        // Two accounts of one person may stand in one set.
        let is_new = known.insert((cause.account.to_string(), cause.period.clone()))
            && known.insert((person.clone(), cause.period.clone()));
        if is_new && left > 0 {
            left -= 1;
            chosen.push((CouponId::new(), buyer, person, cause));
        }
    }
    let each: Vec<_> = chosen.iter().map(|(coupon, buyer, ..)| (*coupon, buyer.id)).collect();
    let given = coupon_service::give(conn, &campaign, &each, now).await?;
    let willing = mailings::accept_news(conn, &ids).await?;
    let mut mails = Vec::with_capacity(chosen.len());
    let mut grants = Vec::with_capacity(chosen.len());
    for ((coupon, buyer, person_key, cause), given) in chosen.into_iter().zip(&given) {
        if willing.contains(&buyer.id) {
            mails.extend(mail(of, buyer, &campaign, given));
        }
        grants.push(NewGrant {
            id: Uuid::now_v7(),
            occasion_id: of.id,
            account_id: cause.account,
            person_key,
            cause: cause.cause,
            period: cause.period,
            coupon_id: coupon,
            created_at: now,
        });
    }
    let taken = i64::try_from(grants.len()).unwrap_or(0);
    NewGrant::insert(&mut &*conn, grants).await?;
    claims::shift(&mut &*conn, &BTreeMap::from([(of.pool_id, (0, taken))])).await?;
    mails::queue_all(conn, now, &mails).await?;
    Ok(false)
}

/// Who has verified the address: one who types others' addresses gets nothing for it.
fn may_have(buyer: &Buyer) -> bool {
    !buyer.is_guest && buyer.email_verified_at.is_some()
}

fn mail(
    of: &Occasion,
    buyer: &Buyer,
    campaign: &Campaign,
    given: &Given,
) -> Option<(Recipient, String, Mail)> {
    let to = Recipient { account: Some(buyer.id), address: buyer.email.clone()?, locale: buyer.locale };
    let mail = coupon_service::mail_of(campaign, given, of.event.as_str());
    Some((to, format!("coupon:{}", given.id), mail))
}
