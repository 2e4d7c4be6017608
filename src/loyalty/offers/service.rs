//! What somebody is offered, and quotes by it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::dto::{UpgradeOfferView, UpgradeQuoteRequest, UpgradeQuoteView};
use super::model::{self, UpgradeOffer};
use super::rules::{self, Judged, Left};
use super::uses;
use crate::app::App;
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::loyalty::levels::model as levels;
use crate::loyalty::metrics::model::count;
use crate::loyalty::metrics::rules::Figures;
use crate::membership::memberships::model as memberships;
use crate::membership::plans::model as plans;
use crate::membership::upgrades::model as quotes;
use crate::membership::upgrades::rules::Upgradable;
use crate::membership::upgrades::service as upgrades;
use crate::people::accounts::model as accounts;
use crate::shop::products::model::ranks;
use crate::types::id::{AccountId, UpgradeOfferId};

/// What changing to a plan would cost now, by an offer where one is named, and what is offered for it. Nothing
/// is held.
///
/// # Errors
/// Those of [`upgrades::upgradable`]; `already_for_life`; of the offer `unknown_upgrade_offer`, `not_open`,
/// `closed`, `not_entitled`, `one_per_person`, `sold_out`.
pub async fn quote(app: &App, account: AccountId, asked: &UpgradeQuoteRequest) -> Result<UpgradeQuoteView> {
    let (now, zone) = (app.clock.now(), app.settings.timezone);
    let mut conn = db::connect(&app.pool).await?;
    let of = upgrades::upgradable(&mut conn, account, asked.plan, asked.mode, now).await?;
    let named = match asked.offer.as_deref() {
        Some(name) => Some(named(&mut conn, name, &of, now).await?),
        None => None,
    };
    let open = model::open(&mut conn, Some(of.plan.id), now).await?;
    let judged = judge(&mut conn, account, open, now, zone).await?;
    let quote = match named {
        None => of.quote(None, now, zone)?,
        Some(id) => {
            let offer = judged.iter().find(|one| one.offer.id == id).ok_or(Code::Closed)?;
            let quote = of.quote(Some(offer.may_use(&of.open)?), now, zone)?;
            offer.left.has_room(quote.discount_minor)?;
            quote
        }
    };
    quotes::insert(&mut conn, &quote).await?;
    let usable = judged.iter().filter_map(|one| {
        let by = of.quote(Some(one.may_use(&of.open).ok()?), now, zone).ok()?;
        let is_left = by.offer_id.is_some() && one.left.has_room(by.discount_minor).is_ok();
        is_left.then_some((&one.offer, by.due_minor))
    });
    Ok(UpgradeQuoteView::new(quote, usable, &app.settings.currency))
}

/// The offer of that id or code, for this upgrade's plan.
async fn named(conn: &mut Conn, name: &str, of: &Upgradable, now: DateTime<Utc>) -> Result<UpgradeOfferId> {
    let unknown = |why: &str| Code::UnknownUpgradeOffer.at("offer", why);
    let offer = model::named(conn, name).await?.ok_or_else(|| unknown("unknown"))?;
    if offer.plan != of.plan.id {
        return Err(unknown("it is for another plan"));
    }
    rules::check_open(&offer, now)?;
    Ok(offer.id)
}

/// Offers as they stand for an account.
///
/// # Errors
/// `unauthenticated` where it is gone.
async fn judge(
    conn: &mut Conn,
    account: AccountId,
    offers: Vec<UpgradeOffer>,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Vec<Judged>> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let person = accounts::load_buyer(conn, account).await?.person_key;
    let ids: Vec<_> = offers.iter().map(|offer| offer.id).collect();
    let people: Vec<_> = person.iter().cloned().collect();
    let used = uses::standing(conn, &ids, &[account], &people).await?;
    let left = left_of(conn, &offers).await?;
    let levels = levels::ranks(conn).await?;
    let figures =
        figures_of(conn, &[account], &offers, now, zone).await?.remove(&account).unwrap_or_default();
    let judged = |offer: UpgradeOffer| {
        let is_used =
            used.iter().any(|one| one.offer_id == offer.id && one.is_of(account, person.as_deref()));
        let left = left.get(&offer.id).copied().unwrap_or_default();
        Judged::new(offer, &figures, &levels, is_used, left)
    };
    Ok(offers.into_iter().map(judged).collect())
}

/// What is left of offers, as it stands: without a lock, so by the time of an order it may stand otherwise.
///
/// # Errors
/// The database's.
pub async fn left_of(conn: &mut Conn, offers: &[UpgradeOffer]) -> Result<HashMap<UpgradeOfferId, Left>> {
    let ids: Vec<_> = offers.iter().flat_map(|offer| [offer.pool, offer.budget_pool]).collect();
    let pools = claims::read(conn, &ids).await?;
    let left = |id| pools.iter().find(|pool| pool.id == id).map_or(0, claims::Pool::left);
    let of = |offer: &UpgradeOffer| Left { uses: left(offer.pool), budget_minor: left(offer.budget_pool) };
    Ok(offers.iter().map(|offer| (offer.id, of(offer))).collect())
}

/// What these offers ask of accounts, counted now for all of them at once.
///
/// # Errors
/// The database's.
pub async fn figures_of(
    conn: &mut Conn,
    accounts: &[AccountId],
    offers: &[UpgradeOffer],
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<HashMap<AccountId, Figures>> {
    let mut measures = Vec::new();
    offers.iter().for_each(|offer| offer.criteria.measures(&mut measures));
    let subjects: Vec<_> = accounts.iter().map(|account| (*account, now)).collect();
    let mut figures = count(conn, &subjects, &measures, zone).await?;
    for (account, rank) in levels::held_ranks(conn, accounts, now).await? {
        figures.entry(account).or_default().level_rank = Some(rank);
    }
    Ok(figures)
}

/// Offers for the account's membership: those that it is entitled to, and how far it is from the others. What
/// it has used is left out.
///
/// # Errors
/// The database's.
pub async fn own(app: &App, account: AccountId) -> Result<Vec<UpgradeOfferView>> {
    let (now, zone) = (app.clock.now(), app.settings.timezone);
    let mut conn = db::connect(&app.pool).await?;
    let Some(open) = memberships::open_of(&conn, &[account]).await?.pop() else { return Ok(Vec::new()) };
    let rank = ranks(&conn).await?.of(open.tier_id).unwrap_or(0);
    let mut offers = model::open(&mut conn, None, now).await?;
    let ids: Vec<_> = offers.iter().map(|offer| offer.plan).collect();
    let plans = plans::load(&conn, &ids).await?;
    let plan_of = |offer: &UpgradeOffer| plans.iter().find(|plan| plan.id == offer.plan);
    offers.retain(|offer| plan_of(offer).is_some_and(|plan| rules::is_for(offer, plan, &open, rank, now)));
    let judged = judge(&mut conn, account, offers, now, zone).await?;
    let seen = judged.into_iter().filter(|one| !one.is_used);
    Ok(seen.map(|one| UpgradeOfferView::new(one, &app.settings.currency)).collect())
}
