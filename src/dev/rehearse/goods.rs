//! Sales of goods: the book box of June 2014 (8,000 sets in 90 minutes), for members alone, diehard ones first; and the Mi
//! Fan Festival of 2015 (2.12 million phones, 2.08 billion yuan), by five hundred, with a tenth of the phones behind F-codes.
//! How the phones are split over two prices is ours.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::scenario::{Crowd, HOLD_MINUTES, Scenario, Ware, connect, sql_time};
use super::{RehearsalError, desk, impossible};
use crate::db;
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::people::operators::rules::Role;
use crate::shop::audience::Audience;
use crate::shop::drops::model as drops;
use crate::shop::products::model::ProductKind;
use crate::shop::seed::{Thing, book_box, drop, express, put};
use crate::shop::shipping::model::{self as shipping, ShippingMethod};
use crate::types::id::{ShippingMethodId, VariantId};
use crate::types::locale::{Locale, Names};

const BOX: &str = "BOX-2014";
const CAP: i32 = 1;
/// How long diehard members have the box to themselves.
const HEAD_START: TimeDelta = TimeDelta::seconds(10);

pub fn book_box_2014() -> Vec<Ware> {
    vec![Ware {
        code: "book-box-2014".to_owned(),
        key: BOX,
        quota: 8_000,
        f_codes: 0,
        price_minor: 49_900,
        name_zh: "2014 年六月书盒",
        name_en: "The book box of June 2014",
    }]
}

pub fn mi_fan_festival() -> Vec<Ware> {
    let phone = |key, code: &str, quota, price_minor, (name_zh, name_en)| Ware {
        code: code.to_owned(),
        key,
        quota,
        f_codes: quota / 10,
        price_minor,
        name_zh,
        name_en,
    };
    vec![
        phone("PHONE", "phone-2015", 2_624, 60_000, ("手机", "A phone")),
        phone("PHONE-PRO", "phone-pro-2015", 1_616, 160_000, ("旗舰手机", "A flagship phone")),
    ]
}

/// Writes products, stock, drops, codes and operators, open since an hour.
///
/// # Errors
/// The database's.
pub async fn seed(
    scenario: &Scenario,
    method: ShippingMethodId,
    crowd: &Crowd,
    (url, hash): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), RehearsalError> {
    let mut conn = db::establish(url).await.map_err(AppError::internal)?;
    put_operators(&mut conn, hash, now).await?;
    let free =
        ShippingMethod { id: method, fee_minor: 0, fee_per_kg_minor: 0, free_for: None, ..express(now) };
    shipping::insert(&mut conn, &free).await?;
    let mut sql = format!("UPDATE products SET hold_minutes = {HOLD_MINUTES};");
    for ware in &scenario.wares {
        let variant = put_ware(&mut conn, ware, now).await?;
        sql.push_str(&codes(ware, variant, crowd, now));
    }
    let client = connect(url).await?;
    let terms = sql_time(now - TimeDelta::hours(1));
    client
        .batch_execute(&format!(
            "INSERT INTO terms_versions VALUES ('2014', 'http://shop.test/terms', {terms}) ON CONFLICT DO NOTHING;{sql}"
        ))
        .await?;
    Ok(())
}

/// Who sends what is sold, and pays back what comes back.
///
/// # Errors
/// The database's.
pub async fn put_operators(conn: &mut Conn, hash: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    let mut seeds = Vec::new();
    for operator in 0..desk::OPERATORS {
        let email =
            desk::email(operator).parse().map_err(|_| impossible("an operator's address is wrong"))?;
        seeds.push(NewSeed {
            email,
            password_hash: hash.to_owned(),
            name: None,
            locale: Locale::ZhCn,
            is_verified: true,
            roles: vec![Role::Manager],
        });
    }
    seed_all(conn, &seeds, now).await?;
    Ok(())
}

async fn put_ware(conn: &mut Conn, ware: &Ware, now: DateTime<Utc>) -> Result<VariantId> {
    let opens_at = now - TimeDelta::hours(1);
    let (variant, audiences) = if ware.key == BOX {
        let diehard = Audience::Tier { at_least: "diehard".to_owned() };
        // The members' door is set once everybody stands before it.
        let audiences = vec![(diehard, opens_at), (Audience::Members, now + TimeDelta::days(1))];
        (book_box(conn, ware.quota, now).await?, audiences)
    } else {
        let phone = Thing {
            slug: if ware.key == "PHONE" { "phone" } else { "phone-pro" },
            sku: ware.key,
            kind: ProductKind::Goods,
            names: (ware.name_zh, ware.name_en),
            price_minor: ware.price_minor,
            weight_grams: 400,
            buys: Audience::SignedIn,
            stock: ware.quota,
            open_sale: false,
            parts: Vec::new(),
        };
        (put(conn, &phone, now).await?, Vec::new())
    };
    let names = Names::new(ware.name_zh, ware.name_en);
    let sold = (variant, ware.quota);
    drops::insert(conn, &drop(&ware.code, names, sold, opens_at, Some(CAP), &audiences)).await?;
    Ok(variant)
}

/// A ware's F-codes: their units leave drop and stock, as when an operator issues them.
fn codes(ware: &Ware, variant: VariantId, crowd: &Crowd, now: DateTime<Utc>) -> String {
    let held: Vec<_> = crowd.f_codes().filter(|held| held.ware == ware.code).collect();
    if held.is_empty() {
        return String::new();
    }
    let (variant, units, code) = (variant.0, held.len(), &ware.code);
    let (at, until, cause) = (sql_time(now), sql_time(now + TimeDelta::days(30)), Uuid::now_v7());
    let mut sql = format!(
        "INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at)
            VALUES (gen_random_uuid(), '{variant}', -{units}, 'set_aside', 'f_codes:{cause}', 'system', {at});
        UPDATE pools SET capacity = capacity - {units} WHERE id IN
            (SELECT pool_id FROM variants WHERE id = '{variant}'
             UNION SELECT pool_id FROM drop_items WHERE variant_id = '{variant}');"
    );
    for held in held {
        let (pool, text) = (Uuid::now_v7(), &held.code);
        sql.push_str(&format!(
            "INSERT INTO pools (id, kind, capacity) VALUES ('{pool}', 'f_code', 1);
            INSERT INTO f_codes (id, drop_id, variant_id, code, pool_id, expires_at, created_at)
                SELECT gen_random_uuid(), d.id, '{variant}', '{text}', '{pool}', {until}, {at}
                FROM drops d WHERE d.code = '{code}';"
        ));
    }
    sql
}

/// Lets in the members who aren't diehard, a moment after the sale has begun.
///
/// # Errors
/// The database's.
pub async fn set_doors(url: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    let at = sql_time(now + HEAD_START);
    let sql = format!("UPDATE drop_audiences SET opens_at = {at} WHERE buyers ->> 'who' = 'members'");
    connect(url).await?.batch_execute(&sql).await?;
    Ok(())
}
