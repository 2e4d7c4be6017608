//! Codes: made, given, looked at, revoked.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::code::{self, LENGTH, LENGTH_MAX, LENGTH_MIN, code_from};
use super::dto::{CouponAnswer, NewGrants, NewIssue, NewRevocation, NewShared, WalletCoupon, WalletItem};
use super::model::{self, Coupon, Issue, NewCoupon, Which};
use super::uses;
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::page::{List, Page};
use crate::db::{self, Conn, Pool};
use crate::error::{Code, Result};
use crate::fields;
use crate::jobs::{self, Job};
use crate::membership::invitations::rules::normal_code;
use crate::messages::mails::Mail;
use crate::people::accounts::model as accounts;
use crate::people::secrets;
use crate::promotion::campaigns::model::{self as campaigns, Campaign, day_pool};
use crate::promotion::campaigns::reason::Reason;
use crate::promotion::campaigns::rules::{self, Person};
use crate::promotion::campaigns::service::log;
use crate::promotion::treats::{model as treat_model, service as treats};
use crate::shop::visitors;
use crate::types::id::{AccountId, CampaignId, CouponId, CouponIssueId, JobId, PoolId};
use crate::types::locale::Locale;

/// Codes of one issue.
const QUANTITY_MAX: i64 = 10_000_000;
/// Accounts that coupons are given to with one request.
const GRANTS_MAX: usize = 1_000;

/// A campaign that codes can be made of.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field` for one that needs no code.
pub async fn open_campaign(conn: &mut Conn, id: CampaignId) -> Result<Campaign> {
    let campaign = campaigns::find(conn, id).await?.ok_or(Code::NotFound)?;
    if campaign.automatic {
        return Err(Code::InvalidField.at("campaign", "it needs no code"));
    }
    if campaign.archived_at.is_some() {
        return Err(Code::Closed.error());
    }
    Ok(campaign)
}

/// Begins to make codes, once a request: the issue, and the job that makes them where it begins now. After the commit wake
/// the local lane.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn issue(
    pool: &Pool,
    actor: Actor,
    campaign: CampaignId,
    new: &NewIssue,
    request: Option<&Request>,
    now: DateTime<Utc>,
) -> Result<(Issue, Option<JobId>)> {
    let ends = new.expires_at.map(|at| fields::ahead("expires_at", at, now)).transpose()?;
    let issue = Issue {
        id: CouponIssueId::new(),
        campaign_id: campaign,
        quantity: fields::within("quantity", new.quantity, 1, QUANTITY_MAX)?,
        made: 0,
        prefix: code::prefix(new.prefix.as_deref().unwrap_or_default())?,
        length: fields::within("length", new.length.unwrap_or(LENGTH), LENGTH_MIN, LENGTH_MAX)?,
        expires_at: ends,
        created_by: actor.kind().to_owned(),
        created_at: now,
        ended_at: None,
        revoked_at: None,
    };
    db::transaction(pool, async |conn| {
        if let Some(request) = request
            && let Claim::Repeat(earlier) = idempotency::claim(conn, request, 202, issue.id.0, now).await?
        {
            let earlier = model::find_issue(conn, CouponIssueId(earlier)).await?.ok_or(Code::NotFound)?;
            return Ok((earlier, None));
        }
        open_campaign(conn, campaign).await?;
        model::insert_issue(conn, &issue).await?;
        let job = jobs::enqueue(conn, &Job::IssueCoupons { issue: issue.id }, now, now).await?;
        let detail = json!({ "issue": issue.id.to_string(), "quantity": issue.quantity });
        log(conn, actor, "coupons.issue", campaign, detail, now).await?;
        Ok((issue.clone(), Some(job)))
    })
    .await
}

/// Makes a code that people share, once a request.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field`, `code_taken`, `idempotency_key_reused`, `request_in_progress`.
pub async fn share(
    app: &App,
    actor: Actor,
    campaign: CampaignId,
    new: &NewShared,
    request: &Request,
) -> Result<Coupon> {
    let now = app.clock.now();
    let (code, label) = code::shared(&new.code)?;
    let ends = new.expires_at.map(|at| fields::ahead("expires_at", at, now)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let id = CouponId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return model::by_id(conn, CouponId(earlier)).await?.ok_or_else(|| Code::NotFound.error());
        }
        open_campaign(conn, campaign).await?;
        let row = NewCoupon {
            id,
            campaign_id: campaign,
            code: code.clone(),
            label: Some(label.clone()),
            is_shared: true,
            account_id: None,
            issue_id: None,
            expires_at: ends,
            created_at: now,
        };
        NewCoupon::insert(&mut &*conn, vec![row]).await?;
        log(conn, actor, "coupons.share", campaign, json!({ "code": label }), now).await?;
        model::by_id(conn, id).await?.ok_or_else(|| Code::NotFound.error())
    })
    .await
}

/// A coupon that was put into a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub id: CouponId,
    pub code: String,
    /// Exclusive; none where it ends by itself neither with its campaign.
    pub expires_at: Option<DateTime<Utc>>,
}

/// May coupons of a campaign be given to people now? One that begins later may be given out before.
///
/// # Errors
/// `closed`
pub fn may_be_given(campaign: &Campaign, now: DateTime<Utc>) -> Result<(), Code> {
    match rules::runs(campaign, now) {
        Ok(()) | Err(Reason::NotStarted) => Ok(()),
        Err(_) => Err(Code::Closed),
    }
}

/// Puts a coupon each into the wallets of these accounts, under these ids, in the caller's transaction: what was given, in the
/// same order.
///
/// # Errors
/// The database's.
pub async fn give(
    conn: &mut Conn,
    campaign: &Campaign,
    accounts: &[(CouponId, AccountId)],
    now: DateTime<Utc>,
) -> Result<Vec<Given>> {
    let ends = rules::code_ends_at(campaign, now);
    let mut rows = Vec::with_capacity(accounts.len());
    let mut given = Vec::with_capacity(accounts.len());
    for (id, account) in accounts {
        let code = code_from("", &secrets::random_bytes::<12>()?);
        let expires_at = ends.into_iter().chain(campaign.ends_at).min();
        given.push(Given { id: *id, code: code.clone(), expires_at });
        rows.push(NewCoupon {
            id: *id,
            campaign_id: campaign.id,
            code,
            label: None,
            is_shared: false,
            account_id: Some(*account),
            issue_id: None,
            expires_at: ends,
            created_at: now,
        });
    }
    NewCoupon::insert(&mut &*conn, rows).await?;
    Ok(given)
}

/// The mail that tells of a coupon. `why` is `sign_up`, `birthday`, `nth_order` or `chosen`.
pub fn mail_of(campaign: &Campaign, given: &Given, why: &str) -> Mail {
    Mail::CouponGiven {
        campaign_zh: campaign.names.zh.clone(),
        campaign_en: campaign.names.en.clone(),
        coupon: given.code.clone(),
        why: why.to_owned(),
        expires_at: given.expires_at,
    }
}

/// An operator gives a coupon to each of these accounts, once a request: how many.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn grant(
    pool: &Pool,
    actor: Actor,
    campaign: CampaignId,
    new: &NewGrants,
    request: Option<&Request>,
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut chosen = new.accounts.clone();
    chosen.sort_unstable();
    chosen.dedup();
    if !(1..=GRANTS_MAX).contains(&chosen.len()) {
        return Err(Code::InvalidField.at("accounts", format!("expected 1 to {GRANTS_MAX}")));
    }
    let reason = fields::reason(&new.reason)?;
    db::transaction(pool, async |conn| {
        if let Some(request) = request
            && let Claim::Repeat(_) = idempotency::claim(conn, request, 201, campaign.0, now).await?
        {
            return Ok(chosen.len());
        }
        let of = open_campaign(conn, campaign).await?;
        let known = accounts::lock_buyers(conn, &chosen).await?;
        if known.len() != chosen.len() || known.iter().any(|buyer| buyer.is_guest) {
            return Err(Code::InvalidField.at("accounts", "one of them isn't there"));
        }
        let each: Vec<_> = chosen.iter().map(|account| (CouponId::new(), *account)).collect();
        give(conn, &of, &each, now).await?;
        let detail = json!({ "accounts": chosen.len(), "reason": reason });
        log(conn, actor, "coupons.grant", campaign, detail, now).await?;
        Ok(chosen.len())
    })
    .await
}

/// Codes that are revoked in one transaction: orders that hold one wait for no more than these.
const REVOKED_AT_ONCE: i64 = 5_000;

/// Revokes one code, those of an issue, or all of a campaign, part by part: how many. Twice does no more than once, and goes
/// on where the first was cut off. What isn't made yet isn't made any more.
///
/// # Errors
/// `not_found`, `invalid_field`.
pub async fn revoke(
    pool: &Pool,
    actor: Actor,
    campaign: CampaignId,
    new: &NewRevocation,
    now: DateTime<Utc>,
) -> Result<usize> {
    let which = match (new.coupon, new.issue, new.all) {
        (Some(coupon), None, None) => Which::One(coupon),
        (None, Some(issue), None) => Which::Issue(issue),
        (None, None, Some(true)) => Which::All,
        _ => return Err(Code::InvalidField.at("coupon", "expected one of coupon, issue, all: true")),
    };
    let reason = fields::reason(&new.reason)?;
    db::transaction(pool, async |conn| begin_to_revoke(conn, actor, campaign, which, &reason, now).await)
        .await?;
    let mut revoked = 0;
    loop {
        let part = db::transaction(pool, async |conn| {
            model::revoke(conn, campaign, which, REVOKED_AT_ONCE, now).await
        });
        match part.await? {
            0 => return Ok(revoked),
            some => revoked += some,
        }
    }
}

/// Stops what still makes such codes, and records who revokes them, and why.
async fn begin_to_revoke(
    conn: &mut Conn,
    actor: Actor,
    campaign: CampaignId,
    which: Which,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    campaigns::find(conn, campaign).await?.ok_or(Code::NotFound)?;
    let (issues, detail) = match which {
        Which::One(coupon) => {
            let found = model::by_id(conn, coupon).await?;
            found.filter(|found| found.campaign_id == campaign).ok_or(Code::NotFound)?;
            (Vec::new(), json!({ "coupon": coupon.to_string(), "reason": reason }))
        }
        Which::Issue(issue) => {
            let found = model::lock_issues(conn, campaign, Some(issue)).await?;
            if found.is_empty() {
                return Err(Code::NotFound.error());
            }
            (found, json!({ "issue": issue.to_string(), "reason": reason }))
        }
        Which::All => {
            (model::lock_issues(conn, campaign, None).await?, json!({ "all": true, "reason": reason }))
        }
    };
    for issue in issues {
        let ended_at = issue.ended_at.or(Some(now));
        let revoked_at = issue.revoked_at.or(Some(now));
        model::store_issue(conn, &Issue { ended_at, revoked_at, ..issue }).await?;
    }
    log(conn, actor, "coupons.revoke", campaign, detail, now).await
}

/// What a code is, and whether this account, or somebody who isn't signed in, could use it on a cart that it fits.
///
/// # Errors
/// `unknown_coupon`
pub async fn check(
    app: &App,
    conn: &mut Conn,
    account: Option<AccountId>,
    typed: &str,
    locale: Locale,
) -> Result<CouponAnswer> {
    let coupon = model::find(conn, &[normal_code(typed)]).await?.pop();
    let coupon = coupon.ok_or_else(|| Code::UnknownCoupon.at("code", "unknown"))?;
    let campaign = campaigns::find(conn, coupon.campaign_id).await?.ok_or(Code::NotFound)?;
    let refusal = judge(app, conn, account, &coupon, &campaign).await?.err();
    let ends = coupon.expires_at.into_iter().chain(campaign.ends_at).min();
    Ok(CouponAnswer {
        name: campaign.names.pick(locale).to_owned(),
        class: campaign.class,
        benefit: campaign.benefit,
        minimum_spend: campaign.conditions.minimum_spend,
        expires_at: ends,
        may_use: refusal.is_none(),
        refusal: refusal.map(Reason::as_str),
        message: refusal.map(|reason| reason.message(locale)),
    })
}

async fn judge(
    app: &App,
    conn: &mut Conn,
    account: Option<AccountId>,
    coupon: &Coupon,
    campaign: &Campaign,
) -> Result<Result<(), Reason>> {
    let now = app.clock.now();
    let zone = app.settings.timezone;
    let buyer = match account {
        Some(id) => Some(accounts::load_buyer(conn, id).await?),
        None => None,
    };
    let ids: Vec<_> = account.into_iter().collect();
    let people: Vec<_> = buyer.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
    let keys: Vec<_> = buyer.iter().map(|buyer| (buyer.id, buyer.person_key.clone())).collect();
    let bought = campaign.conditions.has_bought.into_iter().collect();
    let histories = uses::histories(conn, &keys, &bought).await?;
    let looker = visitors::load(conn, account, campaign.conditions.audience.iter(), now).await?;
    let (visitor, ranks) = (looker.visitor(), &looker.ranks);
    let history = account.and_then(|id| histories.get(&id)).cloned().unwrap_or_default();
    let taken = uses::taken(conn, &[coupon.id]).await?;
    let counted = uses::counted(conn, &[campaign.id], &ids, &people).await?;
    let of_day = campaign.per_day.map(|_| day_pool(campaign.id, now.with_timezone(&zone).date_naive()));
    let pools: Vec<_> = campaign.pool.into_iter().chain(of_day).collect();
    let left: HashMap<_, _> =
        claims::read(conn, &pools).await?.into_iter().map(|pool| (pool.id, pool.left())).collect();
    let person = Person { visitor, ranks, history: &history };
    Ok(rules::runs(campaign, now)
        .and_then(|()| is_good(coupon, account, taken.get(&coupon.id).copied(), now))
        .and_then(|()| rules::is_meant(&campaign.conditions, person, zone, now))
        .and_then(|()| {
            let limit = campaign.per_person.and_then(|limit| usize::try_from(limit).ok());
            let is_empty = |pool: &PoolId| left.get(pool).is_some_and(|left| *left < 1);
            if limit.is_some_and(|limit| counted.len() >= limit) {
                Err(Reason::PersonLimit)
            } else if campaign.pool.as_ref().is_some_and(is_empty) {
                Err(Reason::UsedUp)
            } else if of_day.as_ref().is_some_and(is_empty) {
                Err(Reason::DayUsedUp)
            } else {
                Ok(())
            }
        }))
}

/// May this code be used now, by this account? `taken` says whether an order holds it (false) or has used it (true).
///
/// # Errors
/// Why not.
pub fn is_good(
    coupon: &Coupon,
    account: Option<AccountId>,
    taken: Option<bool>,
    now: DateTime<Utc>,
) -> Result<(), Reason> {
    if coupon.revoked_at.is_some() {
        return Err(Reason::Revoked);
    }
    if coupon.account_id.is_some_and(|owner| Some(owner) != account) {
        return Err(Reason::NotYours);
    }
    match taken.filter(|_| !coupon.is_shared) {
        Some(true) => return Err(Reason::Used),
        Some(false) => return Err(Reason::Held),
        None => {}
    }
    match coupon.expires_at {
        Some(end) if end <= now => Err(Reason::Expired),
        _ => Ok(()),
    }
}

/// A page of all that an account has, newest first: coupons, and what it holds of merchants.
///
/// # Errors
/// The database's.
pub async fn wallet_page(
    app: &App,
    conn: &mut Conn,
    account: AccountId,
    page: Page,
    locale: Locale,
) -> Result<List<WalletItem>> {
    let now = app.clock.now();
    let coupons = model::of_account(conn, account, page).await?;
    let ids: Vec<_> = coupons.iter().map(|coupon| coupon.id.0).collect();
    let seen = wallet(conn, coupons, locale, now).await?;
    let item = |coupon| WalletItem { kind: "coupon", coupon };
    let mut items: Vec<_> = ids.into_iter().zip(seen.into_iter().map(item)).collect();
    let held = treat_model::of_account(conn, account, page).await?;
    items.extend(treats::wallet(conn, held, &app.settings.currency, locale, now).await?);
    items.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    Ok(List::cut(items, page, |(id, _)| *id).map(|(_, item)| item))
}

/// Coupons of an account, as they stand.
///
/// # Errors
/// The database's.
pub async fn wallet(
    conn: &mut Conn,
    coupons: Vec<Coupon>,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<Vec<WalletCoupon>> {
    let ids: Vec<_> = coupons.iter().map(|coupon| coupon.id).collect();
    let taken = uses::taken(conn, &ids).await?;
    let mut wanted: Vec<_> = coupons.iter().map(|coupon| coupon.campaign_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let campaigns = campaigns::load(conn, &wanted).await?;
    let view = |coupon: Coupon| {
        let campaign = campaigns.iter().find(|campaign| campaign.id == coupon.campaign_id)?;
        let judged = is_good(&coupon, coupon.account_id, taken.get(&coupon.id).copied(), now);
        let state = match judged.and_then(|()| rules::runs(campaign, now)) {
            Ok(()) => "usable",
            Err(Reason::NotStarted) => "not_started",
            Err(Reason::Paused) => "paused",
            Err(Reason::Held) => "held",
            Err(Reason::Used) => "used",
            Err(Reason::Revoked) => "revoked",
            Err(_) => "expired",
        };
        Some(WalletCoupon {
            id: coupon.id.to_string(),
            name: campaign.names.pick(locale).to_owned(),
            class: Some(campaign.class),
            benefit: Some(campaign.benefit.clone()),
            minimum_spend: campaign.conditions.minimum_spend.clone(),
            state,
            expires_at: coupon.expires_at.into_iter().chain(campaign.ends_at).min(),
            created_at: coupon.created_at,
            code: coupon.code,
            merchant: None,
            face_value: None,
            redeemed: None,
        })
    };
    Ok(coupons.into_iter().filter_map(view).collect())
}
