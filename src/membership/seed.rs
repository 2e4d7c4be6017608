//! Demo data: the first drive of Luoji Siwei (罗辑思维) in 2013: 5,000 places at 200 yuan and 500 at 1,200, paid by WeChat
//! Pay alone.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred_stripe::Method;

use super::benefits::model::{self as benefits, Benefit, GivenBy};
use super::benefits::rules::Gives;
use super::catalog;
use super::drives::model::{self as drives, Admission, Drive};
use super::drives::rules::Release;
use super::plans::model::{self as plans, Plan, Renews};
use super::tiers::model::{self as tiers, Tier};
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{chapters, drives as drive_rows, plans as plan_rows, tiers as tier_rows};
use crate::types::id::{BenefitId, DriveId, PlanId, PoolId, TierId};
use crate::types::locale::Names;
use crate::types::period::Term;

const SERIES: &str = "luoji-2013";

struct Kind {
    code: &'static str,
    zh: &'static str,
    en: &'static str,
    rank: i32,
    price_minor: i64,
    quota: i64,
    benefits: &'static [(&'static str, &'static str, &'static str)],
}

const SERVICE: (&str, &str, &str) = ("service_channel", "会员服务查询", "Members' service channel");
const DRAWS: (&str, &str, &str) = ("member_draws", "会员抽奖", "Draws for gifts");
const CHAPTERS: (&str, &str, &str) = ("local_groups", "罗友会", "Member-run local groups");
const MEALS: (&str, &str, &str) = ("free_meals", "霸王餐", "Free meals, first come, first served");

const KINDS: [Kind; 2] = [
    Kind {
        code: "regular",
        zh: "普通会员",
        en: "Regular member",
        rank: 10,
        price_minor: 20_000,
        quota: 5_000,
        benefits: &[SERVICE, DRAWS, CHAPTERS],
    },
    Kind {
        code: "diehard",
        zh: "铁杆会员",
        en: "Diehard member",
        rank: 20,
        price_minor: 120_000,
        quota: 500,
        benefits: &[SERVICE, DRAWS, CHAPTERS, MEALS],
    },
];

/// Writes tiers, plans and two drives that open now and close in 30 days, and gives the default chapter the prefix `LJ`.
/// What exists stays, so that a second run changes nothing. Call it in a transaction.
///
/// # Errors
/// The database's.
pub async fn luoji(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    let unused = chapters::table
        .filter(chapters::is_default)
        .filter(chapters::prefix.eq("KD"))
        .filter(chapters::next_sequence.eq(1));
    diesel::update(unused)
        .set((chapters::prefix.eq("LJ"), chapters::name.eq("罗友会")))
        .execute(conn)
        .await?;
    for kind in &KINDS {
        let tier = tier(conn, kind, now).await?;
        let plan = plan(conn, kind, tier, now).await?;
        drive(conn, kind, plan, now).await?;
    }
    catalog::model::raise_version(conn).await
}

async fn tier(conn: &mut Conn, kind: &Kind, now: DateTime<Utc>) -> Result<TierId> {
    let known = tier_rows::table.filter(tier_rows::code.eq(kind.code)).select(tier_rows::id);
    if let Some(id) = known.first(conn).await.optional()? {
        return Ok(id);
    }
    let tier = Tier {
        id: TierId::new(),
        code: kind.code.to_owned(),
        names: Names::new(kind.zh, kind.en),
        rank: kind.rank,
        associate_tier: None,
        floor_level: None,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    tiers::insert(conn, &tier).await?;
    for (word, zh, en) in kind.benefits {
        let benefit = Benefit {
            id: BenefitId::new(),
            given_by: GivenBy::Tier(tier.id),
            kind: (*word).to_owned(),
            gives: Gives::Service,
            names: Names::new(zh, en),
            every: None,
            allowed: None,
            campaign_id: None,
            variant_id: None,
            value_minor: None,
            in_trial: true,
            created_at: now,
            archived_at: None,
            version: 1,
        };
        benefits::insert(conn, &benefit).await?;
    }
    Ok(tier.id)
}

async fn plan(conn: &mut Conn, kind: &Kind, tier: TierId, now: DateTime<Utc>) -> Result<Plan> {
    let code = format!("{}-2013", kind.code);
    let known = plan_rows::table.filter(plan_rows::code.eq(&code)).select(plan_rows::id);
    if let Some(id) = known.first(conn).await.optional()?
        && let Some(plan) = plans::find(conn, id).await?
    {
        return Ok(plan);
    }
    let plan = Plan {
        id: PlanId::new(),
        code,
        tier,
        tier_code: kind.code.to_owned(),
        tier_zh: kind.zh.to_owned(),
        tier_en: kind.en.to_owned(),
        tier_rank: kind.rank,
        term: Term::Months(12),
        price_minor: kind.price_minor,
        currency: "CNY".to_owned(),
        renews: Renews::Never,
        payment_methods: vec![Method::WechatPay],
        hold_minutes: 15,
        open_sale: false,
        open_upgrade: kind.rank > 10,
        trial_days: 0,
        associate_seats: 0,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    plans::insert(conn, &plan).await?;
    Ok(plan)
}

async fn drive(conn: &mut Conn, kind: &Kind, plan: Plan, now: DateTime<Utc>) -> Result<()> {
    let code = format!("{SERIES}-{}", kind.code);
    let known = drive_rows::table.filter(drive_rows::code.eq(&code));
    if diesel::select(diesel::dsl::exists(known)).get_result(conn).await? {
        return Ok(());
    }
    let drive = Drive {
        id: DriveId::new(),
        code,
        series: SERIES.to_owned(),
        name_zh: format!("2013 首次招募:{}", kind.zh),
        name_en: format!("First drive of 2013: {}", kind.en),
        plan,
        pool: PoolId::new(),
        quota: kind.quota,
        held: 0,
        taken: 0,
        admission: Admission::Open,
        opens_at: now,
        closes_at: now + TimeDelta::days(30),
        buy_within_hours: 72,
        releases: vec![Release { at: now, quantity: kind.quota }],
        is_dated: false,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    drives::insert(conn, &drive).await
}
