//! Give-outs: made, and taken from by many at once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::{Claimed, NewGiveOut, PublicClaim, PublicGiveOut};
use super::model::{self, ClaimKind, GiveOut, NewClaim};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::loyalty::points::model::Why;
use crate::loyalty::points::rules::POINTS_MAX;
use crate::loyalty::points::service as points;
use crate::people::accounts::model as accounts;
use crate::promotion::campaigns::model as campaigns;
use crate::promotion::coupons::dto::WalletCoupon;
use crate::promotion::coupons::{model as coupons, service as coupon_service};
use crate::promotion::games::service as games;
use crate::promotion::packets::{chains, service as packets};
use crate::promotion::treats::{model as treat_model, service as treats};
use crate::shop::audience::Audience;
use crate::shop::products::service::{groups, known_audience};
use crate::shop::visitors;
use crate::types::id::{AccountId, CouponId, GiveOutId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// Limits beyond this are slips of the keyboard.
const PER_ROUND_MAX: i64 = 10_000_000;
const PER_PERSON_MAX: i32 = 1_000;
const EVERY_MINUTES_MAX: i32 = 7 * 24 * 60;

/// # Errors
/// `invalid_field`, `not_found` for the campaign, `closed`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewGiveOut) -> Result<GiveOut> {
    let now = app.clock.now();
    let of = GiveOut {
        id: GiveOutId::new(),
        code: fields::slug("code", &new.code)?,
        campaign_id: new.campaign,
        treat_id: new.treat,
        audience: new.audience.clone().unwrap_or(Audience::SignedIn),
        starts_at: fields::dated("starts_at", new.starts_at, now)?,
        ends_at: fields::ahead("ends_at", new.ends_at, now)?,
        every_minutes: new
            .every_minutes
            .map(|minutes| fields::within("every_minutes", minutes, 1, EVERY_MINUTES_MAX))
            .transpose()?,
        per_round: fields::within("per_round", new.per_round, 1, PER_ROUND_MAX)?,
        per_person: fields::within("per_person", new.per_person.unwrap_or(1), 1, PER_PERSON_MAX)?,
        points: new.points.map(|points| fields::within("points", points, 1, POINTS_MAX)).transpose()?,
        created_at: now,
        ended_at: None,
    };
    if of.ends_at <= of.starts_at {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    db::transaction(&app.pool, async |conn| {
        match (of.campaign_id, of.treat_id) {
            (Some(campaign), None) => {
                coupon_service::open_campaign(conn, campaign).await?;
            }
            (None, Some(treat)) => {
                treats::open_treat(conn, treat, now).await?;
            }
            _ => return Err(Code::InvalidField.at("campaign", "expected a campaign or a treat")),
        }
        claimers(conn, Some(&of.audience)).await?;
        model::insert(conn, &of).await?;
        record(conn, actor, "give_out.create", &of, now).await?;
        Ok(of.clone())
    })
    .await
}

/// Ends a give-out. Twice does no more than once; what was taken stays.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, actor: Actor, id: GiveOutId) -> Result<GiveOut> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if model::end(conn, id, now).await? {
            let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
            record(conn, actor, "give_out.end", &of, now).await?;
        }
        model::find(conn, id).await?.ok_or_else(|| Code::NotFound.error())
    })
    .await
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, of: &GiveOut, now: DateTime<Utc>) -> Result<()> {
    let (subject_id, detail) = (of.id.to_string(), json!({ "code": of.code }));
    let entry = Entry { actor, action, subject_kind: "give_out", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// What there is to claim under a code.
///
/// # Errors
/// `not_found`
pub async fn look(app: &App, code: &str, locale: Locale) -> Result<PublicClaim> {
    let mut conn = db::connect(&app.pool).await?;
    let kind = model::kind_of(&mut conn, code).await?.ok_or(Code::NotFound)?;
    Ok(match kind {
        ClaimKind::GiveOut => PublicClaim::GiveOut(show(app, &mut conn, code, locale).await?),
        ClaimKind::Game => PublicClaim::Game(games::show(app, &mut conn, code, locale).await?),
        ClaimKind::Packet => PublicClaim::Packet(packets::show(app, &mut conn, code).await?),
        ClaimKind::Chain => PublicClaim::Chain(chains::show(app, &mut conn, code, locale).await?),
    })
}

/// Claims what there is under a code, once a request.
///
/// # Errors
/// As what it is of.
pub async fn claim(app: &App, code: &str, account: AccountId, request: &Request) -> Result<Claimed> {
    let kind = model::kind_of(&mut *db::connect(&app.pool).await?, code).await?.ok_or(Code::NotFound)?;
    match kind {
        ClaimKind::GiveOut => take(app, code, account, request).await,
        ClaimKind::Game => games::play(app, code, account, request).await,
        ClaimKind::Packet => packets::open(app, code, account, request).await,
        ClaimKind::Chain => chains::start(app, code, account, request).await,
    }
}

/// How a give-out stands for everybody.
///
/// # Errors
/// `not_found`
pub async fn show(app: &App, conn: &mut Conn, code: &str, locale: Locale) -> Result<PublicGiveOut> {
    let now = app.clock.now();
    let of = model::find_code(conn, code).await?.ok_or(Code::NotFound)?;
    let campaign = match of.campaign_id {
        Some(campaign) => campaigns::find(conn, campaign).await?,
        None => None,
    };
    let treat = match of.treat_id {
        Some(treat) => treats::described(conn, treat, locale).await?,
        None => None,
    };
    let (state, remaining) = match rules::round(&of, now) {
        Err(Code::NotOpen) => ("scheduled", of.per_round),
        Err(_) => ("closed", 0),
        Ok(round_at) => {
            let pools = claims::read(conn, &[model::round_pool(of.id, round_at)]).await?;
            let left = pools.first().map_or(of.per_round, claims::Pool::left);
            (if left > 0 { "open" } else { "given_out" }, left)
        }
    };
    Ok(PublicGiveOut {
        kind: "give_out",
        next_round_at: rules::next_round(&of, now),
        code: of.code,
        name: match (&campaign, &treat) {
            (Some(campaign), _) => campaign.names.pick(locale).to_owned(),
            (None, Some(treat)) => treat.name.clone(),
            (None, None) => String::new(),
        },
        face_value: treat
            .as_ref()
            .and_then(|treat| treat.face_minor)
            .map(|minor| Money::new(minor, &app.settings.currency)),
        merchant: treat.map(|treat| treat.merchant),
        class: campaign.as_ref().map(|campaign| campaign.class),
        benefit: campaign.map(|campaign| campaign.benefit),
        state,
        remaining,
        per_round: of.per_round,
        points: of.points,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
    })
}

/// Takes a coupon of the round that runs, once a request. Locks the round's pool, then the account, then its points.
///
/// # Errors
/// `not_found`, `not_open`, `closed`, `given_out`, `cap_reached`, `points_insufficient`, the audience's reason, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn take(app: &App, code: &str, account: AccountId, request: &Request) -> Result<Claimed> {
    let now = app.clock.now();
    // Most who come find nothing left: they are told without a lock. A repeat of who took the last one is looked for first.
    let mut conn = db::connect(&app.pool).await?;
    let of = model::find_code(&mut conn, code).await?.ok_or(Code::NotFound)?;
    let locale = accounts::load_buyer(&mut conn, account).await?.locale;
    let round = rules::round(&of, now);
    let pool = round.as_ref().map(|at| vec![model::round_pool(of.id, *at)]).unwrap_or_default();
    // After the pool: who finds it empty sees what his own twin has taken of it.
    let pools = claims::read(&mut conn, &pool).await?;
    if let Some(earlier) = idempotency::earlier(&mut conn, request).await? {
        return told(app, &mut conn, &of, earlier, locale).await;
    }
    let round_at = round?;
    if pools.first().is_some_and(|pool| pool.left() < 1) {
        return Err(Code::GivenOut.error());
    }
    drop(conn);
    db::transaction(&app.pool, async |conn| {
        let taken = take_on(conn, &of, round_at, account, request, now).await?;
        told(app, conn, &of, taken, locale).await
    })
    .await
}

async fn take_on(
    conn: &mut Conn,
    of: &GiveOut,
    round_at: DateTime<Utc>,
    account: AccountId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = Uuid::now_v7();
    if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id, now).await? {
        return Ok(earlier);
    }
    let pool = model::open_round(conn, of, round_at).await?;
    let left = claims::lock(conn, &[pool]).await?.first().map_or(0, claims::Pool::left);
    if left < 1 {
        return Err(Code::GivenOut.error());
    }
    let buyers = accounts::lock_buyers(conn, &[account]).await?;
    let buyer = buyers.into_iter().next().ok_or(Code::Unauthenticated)?;
    let person = buyer.person_key.ok_or(Code::Unauthenticated)?;
    is_meant(conn, &of.audience, account, now).await?;
    let taken = model::taken_by(conn, of.id, account, &person).await?;
    let nth = i32::try_from(taken.len()).unwrap_or(i32::MAX).saturating_add(1);
    if taken.contains(&round_at) || nth > of.per_person {
        return Err(Code::CapReached.error());
    }
    if let Some(points) = of.points {
        let why = Why { cause: format!("give_out:{id}"), order: None, reason: Some(of.code.clone()) };
        if !points::spend(conn, account, points, &why, now).await? {
            return Err(Code::PointsInsufficient.error());
        }
    }
    let (coupon_id, treat_code_id) = match (of.campaign_id, of.treat_id) {
        (Some(campaign), _) => {
            let campaign = campaigns::find(conn, campaign).await?.ok_or(Code::NotFound)?;
            coupon_service::may_be_given(&campaign, now)?;
            let coupon = CouponId::new();
            coupon_service::give(conn, &campaign, &[(coupon, account)], now).await?;
            (Some(coupon), None)
        }
        (None, Some(treat)) => (None, Some(treats::give(conn, treat, (account, &person), now).await?)),
        (None, None) => return Err(AppError::internal("a give-out of nothing")),
    };
    let claim = NewClaim {
        id,
        give_out_id: of.id,
        round_at,
        account_id: account,
        person_key: person,
        nth,
        coupon_id,
        treat_code_id,
        created_at: now,
    };
    model::insert_claim(conn, &claim).await?;
    claims::shift(&mut &*conn, &BTreeMap::from([(pool, (0, 1))])).await?;
    Ok(id)
}

/// What a claim brought.
async fn told(app: &App, conn: &mut Conn, of: &GiveOut, claim: Uuid, locale: Locale) -> Result<Claimed> {
    let now = app.clock.now();
    let (coupon, code) = model::find_claim(conn, claim).await?.ok_or(Code::NotFound)?;
    if let Some(coupon) = coupon {
        return Ok(Claimed::coupon(wallet_coupon(conn, coupon, locale, now).await?));
    }
    let code = code.ok_or_else(|| AppError::internal(format!("give-out {} gave nothing", of.id)))?;
    let code = treat_model::find_code(conn, code).await?.ok_or(Code::NotFound)?;
    let mut seen = treats::wallet(conn, vec![code], &app.settings.currency, locale, now).await?;
    let (_, item) = seen.pop().ok_or(Code::NotFound)?;
    Ok(Claimed { kind: item.kind, coupon: Some(item.coupon), ..Claimed::nothing() })
}

/// Is this account meant by an audience now?
///
/// # Errors
/// The audience's reason.
pub async fn is_meant(
    conn: &mut Conn,
    audience: &Audience,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    let looker = visitors::load(conn, Some(account), [audience], now).await?;
    audience.admit(looker.visitor(), &looker.ranks)?;
    Ok(())
}

/// An audience that something can be claimed by: a wallet is needed, so who is signed in at least.
///
/// # Errors
/// `invalid_field`
pub async fn claimers(conn: &mut Conn, typed: Option<&Audience>) -> Result<Audience> {
    let audience = typed.cloned().unwrap_or(Audience::SignedIn);
    if audience == Audience::Everyone {
        return Err(
            Code::InvalidField.at("audience", "a coupon goes into a wallet: who is signed in at least")
        );
    }
    known_audience("audience", &audience, &groups(conn).await?)?;
    Ok(audience)
}

/// A coupon as its owner sees it.
///
/// # Errors
/// `not_found`
pub async fn wallet_coupon(
    conn: &mut Conn,
    id: CouponId,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<WalletCoupon> {
    let coupon = coupons::by_id(conn, id).await?.ok_or(Code::NotFound)?;
    let mut views = coupon_service::wallet(conn, vec![coupon], locale, now).await?;
    views.pop().ok_or_else(|| Code::NotFound.error())
}
