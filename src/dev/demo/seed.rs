//! The demo's data: Luoji's first drive and his mall, an operator, and three people of whom two are members.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use crate::app::App;
use crate::audit::Actor;
use crate::db::idempotency::{self, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::loyalty::levels::service as level_service;
use crate::loyalty::offers;
use crate::loyalty::points::dto::PointsProgrammeChange;
use crate::loyalty::points::programme as points;
use crate::membership::benefits;
use crate::membership::memberships::operators::{self, Action, Asked, Target};
use crate::membership::seed::luoji;
use crate::membership::tiers::model as tier_rows;
use crate::people::accounts::model::find_by_email;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::people::operators::rules::Role;
use crate::promotion::coupons::dto::NewShared;
use crate::promotion::{campaigns, coupons, giveouts};
use crate::schema::{drives, f_codes, member_numbers, plans, tiers};
use crate::shop::drops::dto::NewFCodes;
use crate::shop::drops::{self, model as drop_rows};
use crate::shop::seed::mall;
use crate::types::email::Email;
use crate::types::id::{AccountId, CampaignId, PlanId};
use crate::types::locale::Locale;

const OWNER: &str = "owner@demo.test";
/// Who is a member of which tier from the start. They get the first two numbers.
const MEMBERS: [(&str, &str); 2] = [("regular@demo.test", "regular"), ("diehard@demo.test", "diehard")];

/// The real drive was over in five hours; who looks at the demo may take longer, also after moving its clock.
const OPEN_FOR: TimeDelta = TimeDelta::days(3_650);

fn email(text: &str) -> Result<Email> {
    text.parse().map_err(|_| AppError::internal("a demo address is wrong"))
}

/// # Errors
/// The database's.
pub async fn is_written(conn: &mut Conn) -> Result<bool> {
    Ok(find_by_email(conn, &email(OWNER)?).await?.is_some())
}

/// Writes catalog and people, in the caller's transaction.
///
/// # Errors
/// The database's.
pub async fn write(conn: &mut Conn, password_hash: &str, now: DateTime<Utc>) -> Result<()> {
    let people = [
        (OWNER, "Owner", Locale::En, vec![Role::Owner]),
        ("regular@demo.test", "小普", Locale::ZhCn, Vec::new()),
        ("diehard@demo.test", "小铁", Locale::ZhCn, Vec::new()),
        ("visitor@demo.test", "Visitor", Locale::En, Vec::new()),
    ];
    let mut seeds = Vec::new();
    for (address, name, locale, roles) in people {
        seeds.push(NewSeed {
            email: email(address)?,
            password_hash: password_hash.to_owned(),
            name: Some(name.to_owned()),
            locale,
            is_verified: true,
            roles,
        });
    }
    seed_all(conn, &seeds, now).await?;
    luoji(conn, now).await?;
    diesel::update(drives::table).set(drives::closes_at.eq(now + OPEN_FOR)).execute(conn).await?;
    mall(conn, now).await
}

/// Makes members of those who are to be members, as an operator does; who has been one stays as he is.
///
/// # Errors
/// The database's.
pub async fn grant(app: &App) -> Result<()> {
    for (address, tier) in MEMBERS {
        let mut conn = db::connect(&app.pool).await?;
        let owner = account(&mut conn, OWNER).await?;
        let member = account(&mut conn, address).await?;
        let known = member_numbers::table.filter(member_numbers::account_id.eq(member));
        if diesel::select(diesel::dsl::exists(known)).get_result(&mut conn).await? {
            continue;
        }
        let plan = plan_of(&mut conn, tier).await?;
        drop(conn);
        let asked = Asked {
            actor: Actor::Operator(owner),
            target: Target::Account(member),
            action: Action::Grant(plan),
            reason: "demo data".to_owned(),
            request: Request {
                account: owner,
                route: "demo",
                key: address.to_owned(),
                body_hash: idempotency::hash(&json!({ "plan": plan }))?,
            },
            status: 201,
        };
        operators::act(app, &asked).await?;
    }
    Ok(())
}

/// Sets ten boxes of kiwis aside behind F-codes, once.
///
/// # Errors
/// The database's.
pub async fn issue_codes(app: &App) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    let owner = account(&mut conn, OWNER).await?;
    let drop = drop_rows::find_id(&mut conn, "kiwis-2014").await?;
    let Some(drop) = drop_rows::load(&conn, drop.as_slice()).await?.pop() else { return Ok(()) };
    let known = f_codes::table.filter(f_codes::drop_id.eq(drop.id));
    if diesel::select(diesel::dsl::exists(known)).get_result(&mut conn).await? {
        return Ok(());
    }
    std::mem::drop(conn);
    let Some(item) = drop.items.into_iter().next() else { return Ok(()) };
    let expires_at = app.clock.now() + OPEN_FOR;
    let new = NewFCodes {
        variant: item.variant,
        quantity: Some(10),
        emails: None,
        segment: None,
        expires_at: Some(expires_at),
    };
    let request = Request {
        account: owner,
        route: "demo",
        key: "f-codes".to_owned(),
        body_hash: idempotency::hash(&new)?,
    };
    drops::service::issue(app, Actor::Operator(owner), drop.id, &new, &request).await?;
    Ok(())
}

/// A coupon for the mooncakes, by a code that everybody may share, and another one that is given out every hour, once.
///
/// # Errors
/// The database's.
pub async fn give_out_coupons(app: &App) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    if campaigns::model::find_code(&mut conn, "mid-autumn-2014").await?.is_some() {
        return Ok(());
    }
    let owner = account(&mut conn, OWNER).await?;
    drop(conn);
    let (actor, now, currency) = (Actor::Operator(owner), app.clock.now(), &app.settings.currency);
    let yuan = |amount: i64| json!({ "amount": amount * 100, "currency": currency });
    let shared = json!({
        "code": "mid-autumn-2014", "names": { "zh-CN": "中秋九折", "en": "A tenth off for mid-autumn" },
        "class": "order", "benefit": { "kind": "percentage", "percent": "10", "cap": yuan(20) },
        "conditions": { "minimum_spend": yuan(99) },
        "limits": { "total": 1_000, "per_person": 1, "budget": yuan(10_000) },
    });
    let given = json!({
        "code": "five-off", "names": { "zh-CN": "五元券", "en": "Five yuan off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(5) }, "valid_days": 30,
    });
    let request =
        |key: &str| Request { account: owner, route: "demo", key: key.to_owned(), body_hash: Vec::new() };
    let made = campaigns::service::create(&app.pool, actor, &read(shared)?, currency, now).await?;
    let code = NewShared { code: "MOON-2014".to_owned(), expires_at: None };
    coupons::service::share(app, actor, made.id, &code, &request("coupons")).await?;
    let made = campaigns::service::create(&app.pool, actor, &read(given)?, currency, now).await?;
    let hourly = json!({
        "code": "every-hour", "campaign": made.id, "starts_at": now, "ends_at": now + OPEN_FOR,
        "every_minutes": 60, "per_round": 100, "per_person": 3,
    });
    giveouts::service::create(app, actor, &read(hourly)?).await?;
    let swapped = json!({
        "code": "for-points", "campaign": made.id, "starts_at": now, "ends_at": now + OPEN_FOR,
        "per_round": 1_000, "per_person": 1, "points": 300,
    });
    giveouts::service::create(app, actor, &read(swapped)?).await?;
    start_points(app).await?;
    set_levels(app, actor).await?;
    offer_upgrades(app, actor).await?;
    give_benefits(app, actor, made.id).await
}

/// A point for each yuan, of which 100 are worth one, and some for who comes by.
async fn start_points(app: &App) -> Result<()> {
    let currency = &app.settings.currency;
    let change: PointsProgrammeChange = read(json!({
        "is_on": true, "rate": "1", "level_rate": "1", "lasts_months": 12,
        "worth": {
            "points": 100, "pay": { "amount": 100, "currency": currency }, "at_least": 100, "share_percent": "50",
        },
        "check_in_points": 5, "streaks": [{ "days": 7, "points": 30 }],
    }))?;
    let mut conn = db::connect(&app.pool).await?;
    let before = points::load(&conn).await?;
    points::store(&mut conn, &change.apply(before, currency)?).await
}

/// Three levels, by what somebody has spent or earned in a year.
async fn set_levels(app: &App, actor: Actor) -> Result<()> {
    for (code, rank, zh, en, spend, points) in [
        ("silver", 10, "白银", "Silver", 50_000, 500),
        ("jade", 20, "翡翠", "Jade", 150_000, 1_500),
        ("gold", 30, "黄金", "Gold", 500_000, 5_000),
    ] {
        let level = json!({
            "code": code, "rank": rank, "names": { "zh-CN": zh, "en": en }, "welcome_points": points / 10,
            "enter": { "any": [
                { "metric": "spend", "amount": spend, "window": "P1Y" },
                { "metric": "level_points", "amount": points, "window": "P1Y" },
            ] },
            "keep": { "metric": "spend", "amount": spend / 2, "window": "P1Y" }, "grace_days": 14,
        });
        level_service::create(app, actor, &read(level)?).await?;
    }
    Ok(())
}

/// The higher tier for less: for who was a member for a year and spent much, and for nothing at gold.
async fn offer_upgrades(app: &App, actor: Actor) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    let plan = plan_of(&mut conn, "diehard").await?;
    drop(conn);
    let year = json!({ "all": [
        { "metric": "tenure", "amount": 365 }, { "metric": "spend", "amount": 100_000, "window": "P1Y" },
    ] });
    for (code, zh, en, price, criteria) in [
        ("loyal-regulars", "同行一年", "A year with us", 80_000, year),
        ("golden-diehards", "黄金会员免费升级", "Free for gold", 0, json!({ "level": "gold" })),
    ] {
        let offer = json!({
            "code": code, "names": { "zh-CN": zh, "en": en }, "plan": plan, "criteria": criteria, "quota": 100,
            "price": { "amount": price, "currency": app.settings.currency }, "mails": true,
            "ends_at": app.clock.now() + OPEN_FOR,
        });
        offers::operators::create(app, actor, &read(offer)?).await?;
    }
    Ok(())
}

/// The plan of a tier.
async fn plan_of(conn: &mut Conn, tier: &str) -> Result<PlanId> {
    let of_tier = plans::table.inner_join(tiers::table).filter(tiers::code.eq(tier));
    Ok(of_tier.order(plans::id).select(plans::id).first(conn).await?)
}

/// What the two tiers give: a coupon a month of this campaign to both, and parcels to the lower one, as the higher has them free.
async fn give_benefits(app: &App, actor: Actor, campaign: CampaignId) -> Result<()> {
    for (code, allowed) in [("regular", 1), ("diehard", 3)] {
        let mut conn = db::connect(&app.pool).await?;
        let Some(tier) = tier_rows::id_by_code(&mut conn, code).await? else { continue };
        drop(conn);
        let coupons = json!({
            "tier": tier, "kind": "monthly_coupon", "gives": "coupon", "every": "P1M", "allowed": allowed,
            "campaign": campaign, "names": { "zh-CN": "每月会员券", "en": "Coupons of the month" },
        });
        benefits::service::create(app, actor, &read(coupons)?).await?;
        if code == "regular" {
            let parcels = json!({
                "tier": tier, "kind": "free_parcels", "gives": "free_shipping", "every": "P1Y", "allowed": 12,
                "names": { "zh-CN": "每年十二次包邮", "en": "Twelve parcels a year" },
            });
            benefits::service::create(app, actor, &read(parcels)?).await?;
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(body: serde_json::Value) -> Result<T> {
    serde_json::from_value(body).map_err(AppError::internal)
}

async fn account(conn: &mut Conn, address: &str) -> Result<AccountId> {
    let found = find_by_email(conn, &email(address)?).await?;
    found.map(|row| row.id).ok_or_else(|| AppError::internal("the demo data are incomplete"))
}
