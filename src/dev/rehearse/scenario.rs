//! What is sold, to how many, and the rows of it.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::prelude::{Decimal, ToPrimitive};
use uuid::Uuid;

use super::{RehearsalError, impossible};
use crate::db;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::types::locale::Locale;

/// Places return that soon, so that what was given up is sold again within the rehearsal.
const HOLD_MINUTES: i32 = 1;
/// How many come in a rehearsal of full size.
const CROWD: i64 = 20_000;
/// How many of them sign up first, in a rehearsal of full size.
const STRANGERS: i64 = 500;
/// A rehearsal smaller than that doesn't wait for holds to end: it moves the shop's clock.
const LAPSE_BELOW: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// A sale to rehearse.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub currency: &'static str,
    pub drives: Vec<DriveSpec>,
    pub moves_clock: bool,
    scale: Decimal,
}

/// One tier, sold to a quota.
#[derive(Clone, Debug)]
pub struct DriveSpec {
    pub code: String,
    pub tier: &'static str,
    pub quota: i64,
    pub price_minor: i64,
    name_zh: &'static str,
    name_en: &'static str,
    rank: i32,
}

/// Who comes.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub buyers: u32,
    /// Each n-th buyer signs up as a stranger.
    pub stranger_every: u32,
}

impl Scenario {
    /// A known sale, its quotas and its crowd multiplied by `scale`.
    ///
    /// # Errors
    /// When there is none of that name, or nothing of it is left at that scale.
    pub fn named(name: &str, scale: Decimal) -> Result<Self, RehearsalError> {
        match name {
            "luoji-2013" => luoji_2013(scale),
            _ => Err(impossible(format!("there is no rehearsal `{name}`; there is: luoji-2013"))),
        }
    }

    /// # Errors
    /// When nobody comes.
    pub fn crowd(&self, buyers: Option<u32>) -> Result<Crowd, RehearsalError> {
        let scaled = |whole| scaled(whole, self.scale).and_then(|count| u32::try_from(count).ok());
        let buyers = buyers.or_else(|| scaled(CROWD)).filter(|buyers| *buyers > 0);
        let buyers = buyers.ok_or_else(|| impossible("a rehearsal needs buyers"))?;
        let strangers = scaled(STRANGERS).unwrap_or(1).max(1);
        Ok(Crowd { buyers, stranger_every: (buyers / strangers).max(1) })
    }

    /// What all places together bring, in minor units.
    pub fn revenue_minor(&self) -> i64 {
        self.drives.iter().map(|drive| drive.quota * drive.price_minor).sum()
    }

    pub fn places(&self) -> i64 {
        self.drives.iter().map(|drive| drive.quota).sum()
    }

    /// Writes tiers, plans and drives, open since an hour.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed(&self, url: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
        let client = connect(url).await?;
        let (at, opens, closes) =
            (sql_time(now), sql_time(now - TimeDelta::hours(1)), sql_time(now + TimeDelta::days(30)));
        let mut sql = format!(
            "INSERT INTO terms_versions VALUES ('2013', 'http://shop.test/terms', {opens}) ON CONFLICT DO NOTHING;"
        );
        for drive in &self.drives {
            let [tier, plan, pool, id] = std::array::from_fn(|_| Uuid::now_v7());
            let DriveSpec { code, tier: tier_code, quota, price_minor, name_zh, name_en, rank } = drive;
            let (series, currency) = (self.name, self.currency);
            sql.push_str(&format!(
                "INSERT INTO tiers (id, code, name_zh, name_en, rank, created_at)
                    VALUES ('{tier}', '{tier_code}', '{name_zh}', '{name_en}', {rank}, {at});
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
}

/// The first drive of Luoji Siwei, December 2013: WeChat Pay alone, 1.6 million yuan.
fn luoji_2013(scale: Decimal) -> Result<Scenario, RehearsalError> {
    let quota = |whole| {
        let quota = scaled(whole, scale).filter(|quota| *quota > 0);
        quota.ok_or_else(|| impossible("at that --scale no place is left"))
    };
    let regular = DriveSpec {
        code: "luoji-2013-regular".to_owned(),
        tier: "regular",
        quota: quota(5_000)?,
        price_minor: 20_000,
        name_zh: "普通会员",
        name_en: "Regular",
        rank: 10,
    };
    let diehard = DriveSpec {
        code: "luoji-2013-diehard".to_owned(),
        tier: "diehard",
        quota: quota(500)?,
        price_minor: 120_000,
        name_zh: "铁杆会员",
        name_en: "Diehard",
        rank: 20,
    };
    Ok(Scenario {
        name: "luoji-2013",
        currency: "CNY",
        drives: vec![regular, diehard],
        moves_clock: scale < LAPSE_BELOW,
        scale,
    })
}

fn scaled(whole: i64, scale: Decimal) -> Option<i64> {
    Decimal::from(whole).checked_mul(scale)?.round().to_i64()
}

impl Crowd {
    pub fn is_stranger(&self, index: u32) -> bool {
        index.is_multiple_of(self.stranger_every)
    }

    /// Writes the accounts of all who don't sign up themselves, with one password.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed(&self, url: &str, hash: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
        let mut conn = db::establish(url).await.map_err(crate::error::AppError::internal)?;
        let mut seeds = Vec::new();
        for index in (0..self.buyers).filter(|index| !self.is_stranger(*index)) {
            seeds.push(NewSeed {
                email: email(index).parse().map_err(|_| impossible("a buyer's address is wrong"))?,
                password_hash: hash.to_owned(),
                name: None,
                locale: if index.is_multiple_of(10) { Locale::En } else { Locale::ZhCn },
                is_verified: true,
                roles: Vec::new(),
            });
        }
        seed_all(&mut conn, &seeds, now).await?;
        Ok(())
    }
}

/// The address of a buyer.
pub fn email(index: u32) -> String {
    format!("buyer{index:05}@buyers.test")
}

/// A connection for the rehearsal's own questions, beside the code under test.
///
/// # Errors
/// The database's.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(async move {
        // Its end shows in the client's next question.
        let _ = connection.await;
    });
    Ok(client)
}

/// A time as SQL.
pub fn sql_time(at: DateTime<Utc>) -> String {
    format!("'{}'::timestamptz", at.to_rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(scale: &str) -> Scenario {
        Scenario::named("luoji-2013", scale.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_first_drive_brings_1_6_million_yuan() {
        let whole = at("1");
        assert_eq!((whole.places(), whole.revenue_minor()), (5_500, 160_000_000));
        assert!(!whole.moves_clock);
        let crowd = whole.crowd(None).unwrap();
        let strangers = (0..crowd.buyers).filter(|index| crowd.is_stranger(*index)).count();
        assert_eq!((crowd.buyers, strangers), (20_000, 500));
    }

    #[test]
    fn a_small_one_keeps_the_shape_and_nothing_is_an_error() {
        let small = at("0.02");
        assert_eq!((small.places(), small.revenue_minor()), (110, 3_200_000));
        assert!(small.moves_clock);
        assert!(Scenario::named("luoji-2013", Decimal::ZERO).is_err());
        assert!(Scenario::named("luoji-2014", Decimal::ONE).is_err());
        assert!(small.crowd(Some(0)).is_err());
    }
}
