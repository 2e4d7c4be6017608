//! Games: made by operators, and played by many at once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::{GameView, NewGame, NewPrize, PlayView, PublicGame, PublicPrize};
use super::model::{self, Game, Play, Prize};
use super::rules::{self, PrizeKind};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::checkout::credit::model::EntryKind;
use crate::checkout::credit::service::{self as credit, Grant};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::people::accounts::model as accounts;
use crate::people::secrets;
use crate::promotion::campaigns::model as campaigns;
use crate::promotion::coupons::service as coupon_service;
use crate::promotion::giveouts::dto::Claimed;
use crate::promotion::giveouts::model::{ClaimKind, take_code};
use crate::promotion::giveouts::service::{claimers, is_meant, wallet_coupon};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, CouponId, GameId, PlayId, PoolId, PrizeId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// Limits beyond this are slips of the keyboard.
const PRIZES_MAX: usize = 50;
const WEIGHT_MAX: i64 = 1_000_000_000;
const STOCK_MAX: i64 = 10_000_000;
const PLAYS_MAX: i32 = 1_000;

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `not_found` for a campaign, `closed`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewGame) -> Result<GameView> {
    let now = app.clock.now();
    let of = Game {
        id: GameId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        audience: Audience::SignedIn,
        starts_at: fields::dated("starts_at", new.starts_at, now)?,
        ends_at: fields::ahead("ends_at", new.ends_at, now)?,
        plays_a_day: fields::within("plays_a_day", new.plays_a_day.unwrap_or(1), 1, PLAYS_MAX)?,
        plays_in_all: fields::within("plays_in_all", new.plays_in_all.unwrap_or(1), 1, PLAYS_MAX)?,
        when_out: new.when_out,
        seed: secrets::random_bytes::<32>()?.to_vec(),
        plays: 0,
        created_at: now,
        ended_at: None,
    };
    if of.ends_at <= of.starts_at {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    if !(1..=PRIZES_MAX).contains(&new.prizes.len()) {
        return Err(Code::InvalidField.at("prizes", format!("expected 1 to {PRIZES_MAX}")));
    }
    let mut prizes = Vec::with_capacity(new.prizes.len());
    for (position, prize) in new.prizes.iter().enumerate() {
        prizes.push(checked(of.id, position, prize, &app.settings.currency)?);
    }
    db::transaction(&app.pool, async |conn| {
        let of = Game { audience: claimers(conn, new.audience.as_ref()).await?, ..of.clone() };
        for (prize, stock) in &prizes {
            if let Some(campaign) = prize.campaign_id {
                coupon_service::open_campaign(conn, campaign).await?;
            }
            if let Some((pool, stock)) = prize.pool_id.zip(*stock) {
                campaigns::insert_pool(conn, pool, "prize", stock).await?;
            }
        }
        take_code(conn, &of.code, ClaimKind::Game).await?;
        let rows: Vec<_> = prizes.iter().map(|(prize, _)| prize.clone()).collect();
        model::insert(conn, &of, &rows).await?;
        record(conn, actor, "game.create", &of, now).await?;
        let seen = seen(app, conn, of.clone(), Locale::default()).await?;
        Ok(GameView::new(of, seen))
    })
    .await
}

/// A prize, and its stock.
fn checked(game: GameId, position: usize, new: &NewPrize, currency: &str) -> Result<(Prize, Option<i64>)> {
    let at = |field: &str| format!("prizes[{position}].{field}");
    let wrong = |field: &str, why: &str| Err(Code::InvalidField.at(at(field), why));
    if (new.kind == PrizeKind::Coupon) != new.campaign.is_some() {
        return wrong("campaign", "goes with coupon, and coupon with it");
    }
    if (new.kind == PrizeKind::Credit) != new.amount.is_some() {
        return wrong("amount", "goes with credit, and credit with it");
    }
    if (new.kind == PrizeKind::Nothing) != new.stock.is_none() {
        return wrong("stock", "needed, but for nothing, which has none");
    }
    let amount = match &new.amount {
        Some(money) => {
            Some(fields::within(&at("amount"), fields::price(&at("amount"), money, currency)?, 1, i64::MAX)?)
        }
        None => None,
    };
    let names = fields::names(&at("names"), &new.names)?;
    let stock = new.stock.map(|stock| fields::within(&at("stock"), stock, 1, STOCK_MAX)).transpose()?;
    let prize = Prize {
        id: PrizeId::new(),
        game_id: game,
        position: i32::try_from(position).map_err(AppError::internal)?,
        name_zh: names.zh,
        name_en: names.en,
        kind: new.kind,
        campaign_id: new.campaign,
        amount_minor: amount,
        weight: fields::within(&at("weight"), new.weight, 1, WEIGHT_MAX)?,
        pool_id: stock.map(|_| PoolId::new()),
    };
    Ok((prize, stock))
}

/// Ends a game, and publishes its seed. Twice does no more than once; what was won stays.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, actor: Actor, id: GameId) -> Result<GameView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if of.ended_at.is_none() {
            of.ended_at = Some(now);
            model::store(conn, &of).await?;
            record(conn, actor, "game.end", &of, now).await?;
        }
        let seen = seen(app, conn, of.clone(), Locale::default()).await?;
        Ok(GameView::new(of, seen))
    })
    .await
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, of: &Game, now: DateTime<Utc>) -> Result<()> {
    let detail = json!({ "code": of.code, "seed_hash": rules::commitment(&of.seed) });
    let subject_id = of.id.to_string();
    let entry = Entry { actor, action, subject_kind: "game", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// A game as everybody sees it.
///
/// # Errors
/// `not_found`
pub async fn show(app: &App, conn: &mut Conn, code: &str, locale: Locale) -> Result<PublicGame> {
    let of = model::find_code(conn, code).await?.ok_or(Code::NotFound)?;
    seen(app, conn, of, locale).await
}

/// # Errors
/// The database's.
pub async fn seen(app: &App, conn: &mut Conn, of: Game, locale: Locale) -> Result<PublicGame> {
    let now = app.clock.now();
    let prizes = model::prizes(conn, &[of.id]).await?;
    let pools: Vec<_> = prizes.iter().filter_map(|prize| prize.pool_id).collect();
    let pools = claims::read(conn, &pools).await?;
    let wanted: Vec<_> = prizes.iter().filter_map(|prize| prize.campaign_id).collect();
    let campaigns = campaigns::load(conn, &wanted).await?;
    let sum = prizes.iter().map(|prize| prize.weight).sum();
    let view = |prize: &Prize| {
        let pool = pools.iter().find(|pool| Some(pool.id) == prize.pool_id);
        let campaign = campaigns.iter().find(|campaign| Some(campaign.id) == prize.campaign_id);
        let benefit = campaign.map(|campaign| campaign.benefit.clone());
        PublicPrize::new(prize, sum, pool, benefit, (locale, &app.settings.currency))
    };
    Ok(PublicGame {
        kind: "game",
        id: of.id,
        name: of.names.pick(locale).to_owned(),
        state: match rules::is_open(&of, now) {
            Ok(()) => "open",
            Err(Code::NotOpen) => "scheduled",
            Err(_) => "closed",
        },
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        plays_a_day: of.plays_a_day,
        plays_in_all: of.plays_in_all,
        when_out: of.when_out,
        prizes: prizes.iter().map(view).collect(),
        weights: sum,
        plays: of.plays,
        seed_hash: rules::commitment(&of.seed),
        seed: rules::is_over(&of, now).then(|| rules::hex(&of.seed)),
        code: of.code,
    })
}

/// Plays once a request. Locks the game, then the stocks of its prizes, then the account.
///
/// # Errors
/// `not_found`, `not_open`, `closed`, `cap_reached`, the audience's reason, `idempotency_key_reused`, `request_in_progress`.
pub async fn play(app: &App, code: &str, account: AccountId, request: &Request) -> Result<Claimed> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let of = model::find_code(&mut conn, code).await?.ok_or(Code::NotFound)?;
    let buyer = accounts::load_buyer(&mut conn, account).await?;
    if let Some(earlier) = idempotency::earlier(&mut conn, request).await? {
        return told(app, &mut conn, PlayId(earlier), buyer.locale, now).await;
    }
    rules::is_open(&of, now)?;
    drop(conn);
    db::transaction(&app.pool, async |conn| {
        let play = play_on(app, conn, of.id, account, request, now).await?;
        told(app, conn, play, buyer.locale, now).await
    })
    .await
}

async fn play_on(
    app: &App,
    conn: &mut Conn,
    game: GameId,
    account: AccountId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<PlayId> {
    let id = PlayId::new();
    if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
        return Ok(PlayId(earlier));
    }
    let mut of = model::lock(conn, game).await?.ok_or(Code::NotFound)?;
    // Whoever waited for the lock may have waited beyond the end, when the seed is told.
    rules::is_open(&of, app.clock.now())?;
    let prizes = model::prizes(conn, &[game]).await?;
    can_be_given(conn, &prizes, now).await?;
    let pools: Vec<_> = prizes.iter().filter_map(|prize| prize.pool_id).collect();
    let pools = claims::lock(conn, &pools).await?;
    let buyers = accounts::lock_buyers(conn, &[account]).await?;
    let buyer = buyers.into_iter().next().ok_or(Code::Unauthenticated)?;
    // Prizes may be money: one who types others' addresses gets none.
    buyer.email_verified_at.ok_or(Code::EmailNotVerified)?;
    let person = buyer.person_key.ok_or(Code::Unauthenticated)?;
    is_meant(conn, &of.audience, account, now).await?;
    let day = now.with_timezone(&app.settings.timezone).date_naive();
    let played = model::played(conn, game, account, &person).await?;
    let next = |count: usize| i32::try_from(count).unwrap_or(i32::MAX).saturating_add(1);
    let nth = next(played.len());
    let nth_of_day = next(played.iter().filter(|of_day| **of_day == day).count());
    if nth > of.plays_in_all || nth_of_day > of.plays_a_day {
        return Err(Code::CapReached.error());
    }
    of.plays += 1;
    let weights: Vec<_> = prizes.iter().map(|prize| prize.weight.unsigned_abs()).collect();
    let drawn = rules::drawn(&weights, rules::value(&of.seed, &rules::message(game, of.plays)));
    let left_of = |prize: &Prize| {
        prize.pool_id.map(|id| pools.iter().find(|pool| pool.id == id).map_or(0, claims::Pool::left))
    };
    let left: Vec<_> = prizes.iter().map(left_of).collect();
    let given = rules::given(drawn, &left, of.when_out).and_then(|position| prizes.get(position));
    let play = Play {
        id,
        game_id: game,
        number: of.plays,
        account_id: account,
        person_key: person,
        day,
        nth_of_day,
        nth,
        drawn_id: prizes.get(drawn).map(|prize| prize.id).ok_or_else(|| AppError::internal("no prize"))?,
        prize_id: given.map(|prize| prize.id),
        coupon_id: given.filter(|prize| prize.kind == PrizeKind::Coupon).map(|_| CouponId::new()),
        created_at: now,
    };
    if let Some(prize) = given {
        hand_over(conn, prize, &play, now).await?;
    }
    model::insert_play(conn, &play).await?;
    model::store(conn, &of).await?;
    Ok(id)
}

/// A game whose coupons can't be given rests for everybody, before anything is drawn: else a refusal would tell what comes
/// next.
async fn can_be_given(conn: &mut Conn, prizes: &[Prize], now: DateTime<Utc>) -> Result<()> {
    let named: Vec<_> = prizes.iter().filter_map(|prize| prize.campaign_id).collect();
    for campaign in campaigns::load(conn, &named).await? {
        coupon_service::may_be_given(&campaign, now)?;
    }
    Ok(())
}

async fn hand_over(conn: &mut Conn, prize: &Prize, play: &Play, now: DateTime<Utc>) -> Result<()> {
    if let Some((campaign, coupon)) = prize.campaign_id.zip(play.coupon_id) {
        let campaign = campaigns::find(conn, campaign).await?.ok_or(Code::NotFound)?;
        coupon_service::give(conn, &campaign, &[(coupon, play.account_id)], now).await?;
    }
    if let Some(pool) = prize.pool_id {
        claims::shift(&mut &*conn, &BTreeMap::from([(pool, (0, 1))])).await?;
    }
    if let Some(amount_minor) = prize.amount_minor {
        let grant = Grant {
            account: play.account_id,
            amount_minor,
            kind: EntryKind::Prize,
            cause: format!("play:{}", play.id),
            order: None,
            reason: None,
        };
        credit::grant(conn, &[grant], now).await?;
    }
    Ok(())
}

/// What a play brought.
async fn told(app: &App, conn: &mut Conn, id: PlayId, locale: Locale, now: DateTime<Utc>) -> Result<Claimed> {
    let play = model::find_play(conn, id).await?.ok_or(Code::NotFound)?;
    let prizes = model::prizes(conn, &[play.game_id]).await?;
    let prize = prizes.iter().find(|prize| Some(prize.id) == play.prize_id);
    let claimed = match (play.coupon_id, prize.and_then(|prize| prize.amount_minor)) {
        (Some(coupon), _) => Claimed::coupon(wallet_coupon(conn, coupon, locale, now).await?),
        (None, Some(minor)) => Claimed::credit(Money::new(minor, &app.settings.currency)),
        (None, None) => Claimed::nothing(),
    };
    Ok(Claimed { play: Some(PlayView::new(&play, &prizes)), ..claimed })
}

/// Plays of a game, newest first, with the prizes that they name.
///
/// # Errors
/// `not_found`
pub async fn plays(conn: &mut Conn, code: &str, page: db::page::Page) -> Result<(Vec<Play>, Vec<Prize>)> {
    let of = model::find_code(conn, code).await?.ok_or(Code::NotFound)?;
    Ok((model::page_of(conn, of.id, page).await?, model::prizes(conn, &[of.id]).await?))
}

/// What is wrong with a game's record: the plays whose numbers, draws or prizes aren't those that come out of the seed, the
/// weights and the stocks when all are played again.
///
/// # Errors
/// The database's.
pub async fn replay(conn: &mut Conn, of: &Game) -> Result<Vec<Uuid>> {
    const PART: i64 = 5_000;
    let prizes = model::prizes(conn, &[of.id]).await?;
    let weights: Vec<_> = prizes.iter().map(|prize| prize.weight.unsigned_abs()).collect();
    let pools: Vec<_> = prizes.iter().filter_map(|prize| prize.pool_id).collect();
    let pools = claims::read(conn, &pools).await?;
    let stock = |prize: &Prize| {
        prize.pool_id.map(|id| pools.iter().find(|pool| pool.id == id).map_or(0, |pool| pool.capacity))
    };
    let mut left: Vec<_> = prizes.iter().map(stock).collect();
    let (mut wrong, mut number) = (Vec::new(), 0);
    loop {
        let part = model::numbered(conn, of.id, number, PART).await?;
        for play in &part {
            number += 1;
            let drawn = rules::drawn(&weights, rules::value(&of.seed, &rules::message(of.id, number)));
            let given = rules::given(drawn, &left, of.when_out);
            let id_at = |position: usize| prizes.get(position).map(|prize| prize.id);
            let is_right = play.number == number
                && Some(play.drawn_id) == id_at(drawn)
                && play.prize_id == given.and_then(id_at);
            if !is_right {
                wrong.push(play.id.0);
                number = play.number;
            }
            if let Some(Some(left)) = given.and_then(|position| left.get_mut(position)) {
                *left -= 1;
            }
        }
        if part.is_empty() {
            if number != of.plays {
                wrong.push(of.id.0);
            }
            return Ok(wrong);
        }
    }
}
