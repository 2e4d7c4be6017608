//! Operators' work on benefits, services that are used, and the mail of a gift of welcome.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::dto::{BenefitChange, NewBenefit, ServiceUse};
use super::model::{self, Benefit, GivenBy};
use super::rules::{self, Gives, Ground};
use super::uses::{self, NewUse, UseRow, Used, User};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::levels::model as levels;
use crate::membership::associates::access::{self, Standing};
use crate::membership::catalog;
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::views;
use crate::membership::tiers::model as tiers;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::coupons::service::open_campaign;
use crate::shop::products::model as products;
use crate::types::id::{AccountId, BenefitId, BenefitUseId};
use crate::types::period::Term;

/// Times and words beyond this are slips of the keyboard.
const ALLOWED_MAX: i64 = 1_000_000;
const NOTE_MAX: usize = 200;
/// Of one tier.
const MOST_BENEFITS: usize = 50;

fn checked(new: &NewBenefit, currency: &str, now: DateTime<Utc>) -> Result<Benefit> {
    let is_word = (1..=40).contains(&new.kind.len())
        && new.kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_word {
        let hint = "expected 1 to 40 small letters, digits and underscores";
        return Err(Code::InvalidField.at("kind", hint));
    }
    let gives = new.gives;
    if (gives == Gives::Coupon) != new.campaign.is_some() {
        return Err(Code::InvalidField.at("campaign", "goes with a coupon, which needs it"));
    }
    if (gives == Gives::Article) != new.variant.is_some() {
        return Err(Code::InvalidField.at("variant", "goes with an article, which needs it"));
    }
    if new.value.is_some() && !has_value(gives) {
        return Err(Code::InvalidField.at("value", "goes with a service or free shipping"));
    }
    let every: Option<Term> = new
        .every
        .as_deref()
        .map(|typed| {
            typed.parse().map_err(|_| Code::InvalidField.at("every", "expected a period such as P1M"))
        })
        .transpose()?
        .filter(|every| *every != Term::Lifetime);
    let value = new.value.as_ref().map(|value| fields::price("value", value, currency)).transpose()?;
    let benefit = Benefit {
        id: BenefitId::new(),
        given_by: match (new.tier, new.level) {
            (Some(tier), None) => GivenBy::Tier(tier),
            (None, Some(level)) => GivenBy::Level(level),
            _ => return Err(Code::InvalidField.at("tier", "expected one of tier, level")),
        },
        kind: new.kind.clone(),
        gives,
        names: fields::names("names", &new.names)?,
        every,
        allowed: new.allowed,
        campaign_id: new.campaign,
        variant_id: new.variant,
        value_minor: value,
        in_trial: new.in_trial.unwrap_or(matches!(gives, Gives::Service | Gives::EarlyAccess)),
        created_at: now,
        archived_at: None,
        version: 1,
    };
    is_allowed(&benefit)?;
    Ok(benefit)
}

fn has_value(gives: Gives) -> bool {
    matches!(gives, Gives::Service | Gives::FreeShipping)
}

/// How often, and in which period, go together with what it gives.
fn is_allowed(benefit: &Benefit) -> Result<()> {
    match benefit.allowed {
        Some(allowed) => fields::within("allowed", allowed, 1, ALLOWED_MAX).map(|_| ()),
        None if matches!(benefit.gives, Gives::Coupon | Gives::Article) => {
            Err(Code::InvalidField.at("allowed", "missing field"))
        }
        None if benefit.every.is_some() => Err(Code::InvalidField.at("every", "goes with `allowed`")),
        None => Ok(()),
    }
}

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `unknown_article`, `not_found` or `closed` for the campaign, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewBenefit) -> Result<Benefit> {
    let now = app.clock.now();
    let benefit = checked(new, &app.settings.currency, now)?;
    db::transaction(&app.pool, async |conn| {
        is_known(conn, &benefit).await?;
        model::insert(conn, &benefit).await?;
        finish(conn, actor, "benefit.create", &benefit, now).await
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(benefit)
}

/// What it names is there, and the tier or level has room for it.
async fn is_known(conn: &mut Conn, benefit: &Benefit) -> Result<()> {
    let (field, is_there, others) = match benefit.given_by {
        GivenBy::Tier(tier) => {
            let is_there = tiers::lock(conn, tier).await?.is_some_and(|tier| tier.archived_at.is_none());
            ("tier", is_there, model::of_tier(conn, tier).await?)
        }
        GivenBy::Level(level) => {
            let is_there = levels::lock(conn, level).await?.is_some_and(|level| level.archived_at.is_none());
            ("level", is_there, model::of_levels(conn, &[level]).await?)
        }
    };
    if !is_there {
        return Err(Code::InvalidField.at(field, "unknown or archived"));
    }
    if others.len() >= MOST_BENEFITS {
        return Err(Code::InvalidField.at(field, format!("it has at most {MOST_BENEFITS} benefits")));
    }
    if let Some(variant) = benefit.variant_id {
        let article = products::articles(conn, &[variant]).await?.pop();
        if article.is_none_or(|article| article.archived_at.is_some()) {
            return Err(Code::UnknownArticle.at("variant", "unknown or archived"));
        }
    }
    if let Some(campaign) = benefit.campaign_id {
        open_campaign(conn, campaign).await?;
    }
    Ok(())
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `amount_out_of_range`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: BenefitId,
    seen: IfMatch,
    change: BenefitChange,
) -> Result<Benefit> {
    let now = app.clock.now();
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let in_trial = fields::kept("in_trial", change.in_trial)?;
    let allowed = change.allowed.into_change();
    let value = match change.value.into_change() {
        Some(Some(value)) => Some(Some(fields::price("value", &value, &app.settings.currency)?)),
        other => other.map(|_| None),
    };
    let benefit = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        if value.flatten().is_some() && !has_value(before.gives) {
            return Err(Code::InvalidField.at("value", "goes with a service or free shipping"));
        }
        // It is either so often a period or as often as one likes: that is part of what was promised.
        if allowed.is_some_and(|allowed| allowed.is_some() != before.allowed.is_some()) {
            return Err(Code::InvalidField.at("allowed", "archive it and make another one"));
        }
        let benefit = Benefit {
            names: names.clone().unwrap_or(before.names),
            allowed: allowed.unwrap_or(before.allowed),
            value_minor: value.unwrap_or(before.value_minor),
            in_trial: in_trial.unwrap_or(before.in_trial),
            version: before.version + 1,
            ..before
        };
        is_allowed(&benefit)?;
        model::store(conn, &benefit).await?;
        finish(conn, actor, "benefit.change", &benefit, now).await?;
        Ok(benefit)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(benefit)
}

/// Nobody gets it any more; what was used or claimed stays. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: BenefitId) -> Result<Benefit> {
    let now = app.clock.now();
    let benefit = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let benefit = Benefit { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &benefit).await?;
        finish(conn, actor, "benefit.archive", &benefit, now).await?;
        Ok(benefit)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(benefit)
}

async fn finish(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    benefit: &Benefit,
    now: DateTime<Utc>,
) -> Result<()> {
    catalog::model::raise_version(conn).await?;
    let entry = Entry {
        actor,
        action,
        subject_kind: "benefit",
        subject_id: benefit.id.to_string(),
        reason: None,
        detail: json!({
            "tier": benefit.tier().map(|tier| tier.to_string()),
            "level": benefit.level().map(|level| level.to_string()),
            "kind": benefit.kind,
            "allowed": benefit.allowed,
            "value_minor": benefit.value_minor,
            "version": benefit.version,
        }),
    };
    audit::record(conn, now, entry).await
}

/// Uses a benefit once, in the caller's transaction: the account is locked here. Tells its row, which is still to be written.
///
/// # Errors
/// `unauthenticated`, `not_found`, those of [`rules::may_use`], `benefit_outranked`, `benefit_used_up`.
pub async fn take(
    conn: &mut Conn,
    account: AccountId,
    id: BenefitId,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<(Benefit, Buyer, NewUse)> {
    let buyer = accounts::lock_buyers(conn, &[account]).await?.pop().ok_or(Code::Unauthenticated)?;
    // A change of the benefit is seen from the next use on.
    let benefit = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    let standing = access::standings_of(conn, &[account]).await?.pop();
    let periods_from = standing.as_ref().map_or(now, Standing::periods_from);
    let standing = standing.map(Standing::into_row);
    let trials = uses::trials_among(conn, &standing.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
    let is_trial = standing.as_ref().is_some_and(|row| trials.contains(&row.id));
    let level = levels::standings(conn, &[account], now).await?.remove(&account).map(|of| of.level);
    let membership = standing.as_ref().map(|row| (row, periods_from));
    let ground = Ground { membership, is_trial, level };
    rules::may_use(&benefit, &ground, now)?;
    let rivals = model::with_rivals(conn, &[id]).await?;
    if rules::outranked_by(&benefit, &ground, &rivals, now).is_some() {
        return Err(Code::BenefitOutranked.error());
    }
    let people: Vec<_> = buyer.person_key.iter().cloned().collect();
    let mut used = Used::read(conn, &[id], &[account], &people).await?;
    let user = User { account, person: buyer.person_key.as_deref(), ground, now, zone };
    if used.left(&benefit, &user) < 1 {
        return Err(Code::BenefitUsedUp.error());
    }
    let rows = used.enter(&benefit, &user, 1, benefit.value_minor.unwrap_or(0));
    let row = rows.and_then(|mut rows| rows.pop()).ok_or(Code::Unauthenticated)?;
    Ok((benefit, buyer, row))
}

/// A member used a service: entered by who gave it, once a request.
///
/// # Errors
/// `not_found`, `invalid_field`, `benefit_not_claimable`, those of [`take`], `idempotency_key_reused`, `request_in_progress`.
pub async fn enter_service(
    app: &App,
    actor: Actor,
    id: BenefitId,
    asked: &ServiceUse,
    request: &Request,
) -> Result<UseRow> {
    let now = app.clock.now();
    let note = asked.note.as_deref().map(|note| fields::line("note", note, NOTE_MAX)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let account = match (&asked.number, asked.account) {
            (Some(number), None) => {
                let known = views::by_number(conn, &number.trim().to_ascii_uppercase()).await?;
                known.ok_or_else(|| Code::InvalidField.at("number", "unknown"))?.0
            }
            (None, Some(account)) => account,
            _ => return Err(Code::InvalidField.at("number", "expected one of number, account")),
        };
        let use_id = BenefitUseId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, use_id.0, now).await? {
            return uses::find(conn, BenefitUseId(earlier)).await?.ok_or_else(|| Code::NotFound.error());
        }
        let benefit = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        if benefit.gives != Gives::Service {
            return Err(Code::BenefitNotClaimable.error());
        }
        let (_, _, row) = take(conn, account, id, (now, app.settings.timezone)).await?;
        NewUse::insert(&mut &*conn, vec![NewUse { id: use_id, note: note.clone(), ..row }]).await?;
        let entry = Entry {
            actor,
            action: "benefit.use",
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: None,
            detail: json!({ "benefit": id.to_string(), "use": use_id.to_string() }),
        };
        audit::record(conn, now, entry).await?;
        uses::find(conn, use_id).await?.ok_or_else(|| Code::NotFound.error())
    })
    .await
}

/// A use of a service was a mistake: it no longer counts. Twice does no more than once.
///
/// # Errors
/// `not_found`, `benefit_not_claimable` for what came with an order or a coupon, `invalid_field`.
pub async fn release_service(app: &App, actor: Actor, id: BenefitUseId, reason: &str) -> Result<UseRow> {
    let now = app.clock.now();
    let reason = fields::reason(reason)?;
    db::transaction(&app.pool, async |conn| {
        let found = uses::find(conn, id).await?.ok_or(Code::NotFound)?;
        if found.order_id.is_some() || found.coupon_id.is_some() {
            return Err(Code::BenefitNotClaimable.error());
        }
        accounts::lock_buyers(conn, &[found.account_id]).await?;
        if uses::release_one(conn, id, now).await? {
            let entry = Entry {
                actor,
                action: "benefit.release",
                subject_kind: "account",
                subject_id: found.account_id.to_string(),
                reason: Some(&reason),
                detail: json!({ "benefit": found.benefit_id.to_string(), "use": id.to_string() }),
            };
            audit::record(conn, now, entry).await?;
        }
        uses::find(conn, id).await?.ok_or_else(|| Code::NotFound.error())
    })
    .await
}

/// A gift of welcome waits for who has reached a tier: a mail tells of it, unless he has had it. The accounts are locked.
///
/// # Errors
/// The database's.
pub async fn reached(
    conn: &mut Conn,
    memberships: &[&MembershipRow],
    is_trial: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    if memberships.is_empty() {
        return Ok(());
    }
    let tiers: Vec<_> = memberships.iter().map(|membership| membership.tier_id).collect();
    let mut gifts = model::of_tiers(conn, &tiers).await?;
    gifts.retain(|gift| gift.gives == Gives::Article && gift.is_once() && (gift.in_trial || !is_trial));
    for membership in memberships {
        let by = GivenBy::Tier(membership.tier_id);
        let own: Vec<_> = gifts.iter().filter(|gift| gift.given_by == by).cloned().collect();
        if !own.is_empty() {
            welcome(conn, membership, own, is_trial, now).await?;
        }
    }
    Ok(())
}

async fn welcome(
    conn: &mut Conn,
    membership: &MembershipRow,
    mut gifts: Vec<Benefit>,
    is_trial: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let buyer = accounts::load_buyer(conn, membership.account_id).await?;
    let ids: Vec<_> = gifts.iter().map(|gift| gift.id).collect();
    let people: Vec<_> = buyer.person_key.iter().cloned().collect();
    let used = Used::read(conn, &ids, &[buyer.id], &people).await?;
    // Once a person: the period doesn't matter.
    let (person, zone) = (buyer.person_key.as_deref(), Tz::UTC);
    let ground = Ground { membership: Some((membership, membership.starts_at)), is_trial, level: None };
    let user = User { account: buyer.id, person, ground, now, zone };
    gifts.retain(|gift| used.left(gift, &user) > 0);
    let Some(address) = buyer.email.clone().filter(|_| !gifts.is_empty()) else { return Ok(()) };
    let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
    let listed = |name: fn(&Benefit) -> &str| gifts.iter().map(name).collect::<Vec<_>>();
    let mail = Mail::WelcomeGift {
        gifts_zh: listed(|gift| &gift.names.zh).join("、"),
        gifts_en: listed(|gift| &gift.names.en).join(", "),
    };
    let key = format!("welcome_gift:{}:{}", membership.id, membership.tier_id);
    mails::queue(conn, now, &to, &key, &mail).await
}
