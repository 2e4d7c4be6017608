//! What is sold, to how many, and who comes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::prelude::{Decimal, ToPrimitive};
use serde_json::{Value, json};

use super::{RehearsalError, coupons, drives, goods, impossible, members};
use crate::db;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::types::id::ShippingMethodId;
use crate::types::locale::Locale;

/// What was held comes back that soon, so that what was given up is sold again within the rehearsal.
pub const HOLD_MINUTES: i32 = 1;
/// How many come in a rehearsal of full size.
const CROWD: i64 = 20_000;
const CROWD_FOR_COUPONS: i64 = 50_000;
/// How many of them sign up first, in a rehearsal of full size.
const STRANGERS: i64 = 500;
/// A rehearsal smaller than that doesn't wait for holds to end: it moves the shop's clock.
const LAPSE_BELOW: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// A sale to rehearse.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub currency: &'static str,
    pub kind: Kind,
    pub wares: Vec<Ware>,
    /// How many of a hundred want the dearest ware.
    pub wants_dearest: u32,
    pub moves_clock: bool,
    scale: Decimal,
}

/// How it is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Places of tiers, in drives of one series.
    Drives,
    /// Goods, in drops with a cap of one a person, sent by this method.
    Goods {
        shipping: ShippingMethodId,
        /// For members alone, diehard ones first; everybody is one but each so manieth.
        visitor_every: Option<u32>,
    },
    /// An article of which there is enough, for whoever has one of the coupons that are given out.
    Coupons { shipping: ShippingMethodId },
}

/// One thing that is sold, to a quota.
#[derive(Clone, Debug)]
pub struct Ware {
    /// The drive's, the drop's or the give-out's.
    pub code: String,
    /// What is counted by: a tier's code, a SKU, or a campaign's code.
    pub key: &'static str,
    pub quota: i64,
    /// Of the quota: units that F-codes guarantee.
    pub f_codes: i64,
    pub price_minor: i64,
    pub name_zh: &'static str,
    pub name_en: &'static str,
}

/// Who comes.
#[derive(Clone, Debug)]
pub struct Crowd {
    pub buyers: u32,
    /// Each n-th buyer signs up as a stranger.
    pub stranger_every: u32,
    visitor_every: Option<u32>,
    /// Who has an F-code, and for which ware.
    holders: HashMap<u32, FCodeHeld>,
}

/// A code in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FCodeHeld {
    pub ware: String,
    pub code: String,
}

impl Scenario {
    /// A known sale, its quotas and its crowd multiplied by `scale`.
    ///
    /// # Errors
    /// When there is none of that name, or nothing of it is left at that scale.
    pub fn named(name: &str, scale: Decimal) -> Result<Self, RehearsalError> {
        let (name, kind, wares) = match name {
            "luoji-2013" => ("luoji-2013", Kind::Drives, drives::luoji_2013()),
            "book-box-2014" => {
                let shipping = ShippingMethodId::new();
                ("book-box-2014", Kind::Goods { shipping, visitor_every: Some(10) }, goods::book_box_2014())
            }
            "mi-fan-festival" => {
                let shipping = ShippingMethodId::new();
                ("mi-fan-festival", Kind::Goods { shipping, visitor_every: None }, goods::mi_fan_festival())
            }
            "coupon-rush" => {
                let shipping = ShippingMethodId::new();
                ("coupon-rush", Kind::Coupons { shipping }, coupons::coupon_rush())
            }
            _ => {
                let known = "luoji-2013, book-box-2014, mi-fan-festival, coupon-rush, three-years";
                return Err(impossible(format!("there is no rehearsal `{name}`; there are: {known}")));
            }
        };
        let wares = wares.into_iter().map(|ware| {
            let quota = scaled(ware.quota, scale).filter(|quota| *quota > 0);
            let quota = quota.ok_or_else(|| impossible("at that --scale nothing is left"))?;
            let f_codes = scaled(ware.f_codes, scale).unwrap_or(0).min(quota);
            Ok(Ware { quota, f_codes, ..ware })
        });
        let wares = wares.collect::<Result<Vec<_>, RehearsalError>>()?;
        let wants_dearest = if kind == Kind::Drives { 10 } else { 50 };
        Ok(Self {
            name,
            currency: "CNY",
            kind,
            wares,
            wants_dearest,
            moves_clock: scale < LAPSE_BELOW,
            scale,
        })
    }

    /// # Errors
    /// When nobody comes, or more codes are given out than there are people.
    pub fn crowd(&self, buyers: Option<u32>) -> Result<Crowd, RehearsalError> {
        let scaled = |whole| scaled(whole, self.scale).and_then(|count| u32::try_from(count).ok());
        let whole = if matches!(self.kind, Kind::Coupons { .. }) { CROWD_FOR_COUPONS } else { CROWD };
        let buyers = buyers.or_else(|| scaled(whole)).filter(|buyers| *buyers > 0);
        let buyers = buyers.ok_or_else(|| impossible("a rehearsal needs buyers"))?;
        let strangers = scaled(STRANGERS).unwrap_or(1).max(1);
        let visitor_every = match self.kind {
            Kind::Goods { visitor_every, .. } => visitor_every,
            Kind::Drives | Kind::Coupons { .. } => None,
        };
        let stranger_every = (buyers / strangers).max(1);
        let mut crowd = Crowd { buyers, stranger_every, visitor_every, holders: HashMap::new() };
        crowd.holders = self.hand_out(&crowd)?;
        Ok(crowd)
    }

    /// Codes to people spread over the whole crowd who neither sign up themselves nor come for nothing.
    fn hand_out(&self, crowd: &Crowd) -> Result<HashMap<u32, FCodeHeld>, RehearsalError> {
        let people: Vec<u32> = (0..crowd.buyers).filter(|index| !crowd.is_stranger(*index)).collect();
        let wares = self.wares.iter().flat_map(|ware| (0..ware.f_codes).map(move |_| ware));
        let codes = usize::try_from(self.wares.iter().map(|ware| ware.f_codes).sum::<i64>()).unwrap_or(0);
        if codes > people.len() {
            return Err(impossible("there are more F-codes than buyers"));
        }
        let held = wares.enumerate().filter_map(|(at, ware)| {
            let index = people.get(at * people.len() / codes)?;
            Some((*index, FCodeHeld { ware: ware.code.clone(), code: format!("F{at:09}") }))
        });
        Ok(held.collect())
    }

    /// What all units together bring, in minor units.
    pub fn revenue_minor(&self) -> i64 {
        self.wares.iter().map(|ware| ware.quota * ware.price_minor).sum()
    }

    /// What is so many in a rehearsal of full size.
    pub fn scaled(&self, whole: i64) -> i64 {
        scaled(whole, self.scale).unwrap_or(whole)
    }

    pub fn units(&self) -> i64 {
        self.wares.iter().map(|ware| ware.quota).sum()
    }

    /// Writes what is sold, and the people.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed(
        &self,
        url: &str,
        crowd: &Crowd,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), RehearsalError> {
        crowd.seed(url, hash, now).await?;
        match self.kind {
            Kind::Drives => drives::seed(self, url, now).await,
            Kind::Goods { shipping, visitor_every } => {
                if visitor_every.is_some() {
                    members::seed(url, crowd, now).await?;
                }
                goods::seed(self, shipping, crowd, (url, hash), now).await
            }
            Kind::Coupons { shipping } => coupons::seed(shipping, crowd.buyers, (url, hash), now).await,
        }
    }

    /// The last word before the doors open: from when on who isn't diehard may buy.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_doors(&self, url: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
        match self.kind {
            Kind::Goods { visitor_every: Some(_), .. } => goods::set_doors(url, now).await,
            _ => Ok(()),
        }
    }

    /// The body of an order for an offer on the board.
    pub fn body(&self, line: &Value, shop: &str) -> Value {
        let mut body = json!({
            "lines": [line],
            "success_url": format!("{shop}/welcome"),
            "cancel_url": format!("{shop}/"),
            "consents": { "terms": true },
        });
        let shipping = match self.kind {
            Kind::Goods { shipping, .. } | Kind::Coupons { shipping } => Some(shipping),
            Kind::Drives => None,
        };
        if let (Some(shipping), Some(fields)) = (shipping, body.as_object_mut()) {
            let address = json!({
                "name": "罗小姐", "phone": "13800000000", "country": "CN", "city": "北京", "line1": "朝阳门外大街 1 号",
            });
            fields.insert("shipping".to_owned(), json!({ "method": shipping, "address": address }));
        }
        body
    }
}

fn scaled(whole: i64, scale: Decimal) -> Option<i64> {
    Decimal::from(whole).checked_mul(scale)?.round().to_i64()
}

impl Crowd {
    pub fn is_stranger(&self, index: u32) -> bool {
        index.is_multiple_of(self.stranger_every)
    }

    /// Comes without a membership to a sale for members.
    pub fn is_visitor(&self, index: u32) -> bool {
        self.visitor_every.is_some_and(|every| self.is_stranger(index) || index.is_multiple_of(every))
    }

    /// Each eleventh member is a diehard one.
    pub fn is_diehard(index: u32) -> bool {
        index % 11 == 1
    }

    pub fn f_code(&self, index: u32) -> Option<&FCodeHeld> {
        self.holders.get(&index)
    }

    /// All codes that were given out.
    pub fn f_codes(&self) -> impl Iterator<Item = &FCodeHeld> {
        self.holders.values()
    }

    /// Writes the accounts of all who don't sign up themselves, with one password.
    async fn seed(&self, url: &str, hash: &str, now: DateTime<Utc>) -> Result<(), RehearsalError> {
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

    fn at(name: &str, scale: &str) -> Scenario {
        Scenario::named(name, scale.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_sales_bring_what_is_told_of_them() {
        let luoji = at("luoji-2013", "1");
        assert_eq!((luoji.units(), luoji.revenue_minor()), (5_500, 160_000_000));
        assert!(!luoji.moves_clock);
        let book_box = at("book-box-2014", "1");
        assert_eq!((book_box.units(), book_box.revenue_minor()), (8_000, 399_200_000));
        let rush = at("coupon-rush", "1");
        assert_eq!((rush.units(), rush.scaled(50_000)), (4_000, 50_000));
        // 2.12 million phones and 2.08 billion yuan, by five hundred.
        let festival = at("mi-fan-festival", "1");
        assert_eq!((festival.units(), festival.revenue_minor()), (4_240, 416_000_000));
    }

    #[test]
    fn the_crowd_has_strangers_visitors_and_holders_of_codes() {
        let crowd = at("luoji-2013", "1").crowd(None).unwrap();
        let strangers = (0..crowd.buyers).filter(|index| crowd.is_stranger(*index)).count();
        assert_eq!((crowd.buyers, strangers), (20_000, 500));
        assert!(!(0..crowd.buyers).any(|index| crowd.is_visitor(index)));
        let crowd = at("book-box-2014", "1").crowd(None).unwrap();
        let visitors = (0..crowd.buyers).filter(|index| crowd.is_visitor(*index)).count();
        assert_eq!(visitors, 2_000);
        let crowd = at("mi-fan-festival", "1").crowd(None).unwrap();
        let codes: std::collections::BTreeSet<_> = crowd.f_codes().map(|held| &held.code).collect();
        assert_eq!((codes.len(), crowd.holders.len()), (423, 423));
        assert!(!crowd.holders.keys().any(|index| crowd.is_stranger(*index)));
        assert!(at("mi-fan-festival", "1").crowd(Some(100)).is_err());
    }

    #[test]
    fn a_small_one_keeps_the_shape_and_nothing_is_an_error() {
        let small = at("luoji-2013", "0.02");
        assert_eq!((small.units(), small.revenue_minor()), (110, 3_200_000));
        assert!(small.moves_clock);
        assert!(Scenario::named("luoji-2013", Decimal::ZERO).is_err());
        assert!(Scenario::named("luoji-2014", Decimal::ONE).is_err());
        assert!(small.crowd(Some(0)).is_err());
    }
}
