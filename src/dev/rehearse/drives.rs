//! The first drive of Luoji Siwei, December 2013: WeChat Pay alone, 1.6 million yuan.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::RehearsalError;
use super::scenario::{HOLD_MINUTES, Scenario, Ware, connect, sql_time};

pub fn luoji_2013() -> Vec<Ware> {
    let tier = |key, code: &str, quota, price_minor, (name_zh, name_en)| Ware {
        code: code.to_owned(),
        key,
        quota,
        f_codes: 0,
        price_minor,
        name_zh,
        name_en,
    };
    vec![
        tier("regular", "luoji-2013-regular", 5_000, 20_000, ("普通会员", "Regular")),
        tier("diehard", "luoji-2013-diehard", 500, 120_000, ("铁杆会员", "Diehard")),
    ]
}

/// Writes tiers, plans and drives, open since an hour.
///
/// # Errors
/// The database's.
pub async fn seed(scenario: &Scenario, url: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    let client = connect(url).await?;
    let (at, opens, closes) =
        (sql_time(now), sql_time(now - TimeDelta::hours(1)), sql_time(now + TimeDelta::days(30)));
    let mut sql = format!(
        "INSERT INTO terms_versions VALUES ('2013', 'http://shop.test/terms', {opens}) ON CONFLICT DO NOTHING;"
    );
    for (rank, ware) in scenario.wares.iter().enumerate() {
        let [tier, plan, pool, id] = std::array::from_fn(|_| Uuid::now_v7());
        let Ware { code, key, quota, price_minor, name_zh, name_en, .. } = ware;
        let (series, currency) = (scenario.name, scenario.currency);
        sql.push_str(&format!(
            "INSERT INTO tiers (id, code, name_zh, name_en, rank, created_at)
                VALUES ('{tier}', '{key}', '{name_zh}', '{name_en}', {rank}, {at});
            INSERT INTO plans (id, code, tier_id, term, price_minor, currency, renews, payment_methods,
                    hold_minutes, created_at)
                VALUES ('{plan}', '{code}', '{tier}', 'P1Y', {price_minor}, '{currency}', 'never',
                    ARRAY['wechat_pay'], {HOLD_MINUTES}, {at});
            INSERT INTO pools (id, kind, capacity) VALUES ('{pool}', 'drive', {quota});
            INSERT INTO drives (id, code, series, name_zh, name_en, plan_id, pool_id, admission, opens_at,
                    closes_at, created_at)
                VALUES ('{id}', '{code}', '{series}', '{name_zh}', '{name_en}', '{plan}', '{pool}', 'open',
                    {opens}, {closes}, {at});
            INSERT INTO drive_releases VALUES ('{id}', {opens}, {quota});"
        ));
    }
    client.batch_execute(&sql).await?;
    Ok(())
}
