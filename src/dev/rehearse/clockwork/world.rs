//! What all members share: the shop's doors, what is sold, the clock, the mail.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::super::person::Person;
use super::super::sale::{Seen, address_of};
use super::super::visit::{Answer, Call, Trouble, Visit, trouble};
use super::asker::Asker;
use super::people::People;
use crate::dev::stripe::{Running, Simulator};
use crate::ports::clock::Clock;

/// Who makes the plans, and pays back.
pub const OWNER: &str = "owner@shop.test";
/// The chapter beside the default one.
pub const CHAPTER: &str = "zhengzhou";
pub const CURRENCY: &str = "CNY";

/// A plan on sale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    pub id: String,
    pub tier: &'static str,
    pub price_minor: i64,
}

/// What is sold: a term of each tier, and the lower one for life.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub regular: Offer,
    pub diehard: Offer,
    pub for_life: Offer,
}

pub struct World {
    pub clock: Clock,
    pub people: People,
    /// The first day.
    pub opened_at: DateTime<Utc>,
    pub asker: Asker,
    pub mails: PathBuf,
    pub simulator: Simulator,
    pub seen: Seen,
    pub catalogue: Catalogue,
    urls: Vec<String>,
    seats: Semaphore,
    arrivals: AtomicUsize,
    /// It answers as long as this is there.
    _stripe: Running,
    /// Each visit of the owner comes from another address: it isn't the address limit that is rehearsed.
    desk: AtomicU32,
}

/// Where a rehearsal takes place.
pub struct Ground {
    pub clock: Clock,
    pub people: People,
    pub url: String,
    pub mails: PathBuf,
    pub stripe: Running,
    pub urls: Vec<String>,
    pub concurrency: u32,
}

impl World {
    pub fn on(ground: Ground) -> Self {
        let seats = usize::try_from(ground.concurrency).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            opened_at: ground.clock.now(),
            clock: ground.clock,
            people: ground.people,
            asker: Asker::new(&ground.url),
            mails: ground.mails,
            simulator: ground.stripe.simulator.clone(),
            _stripe: ground.stripe,
            seen: Seen::default(),
            catalogue: Catalogue::default(),
            urls: ground.urls,
            seats: Semaphore::new(seats.min(Semaphore::MAX_PERMITS)),
            arrivals: AtomicUsize::new(0),
            desk: AtomicU32::new(0),
        }
    }

    /// The time so many days after the first one.
    pub fn day(&self, days: i64) -> DateTime<Utc> {
        self.opened_at + TimeDelta::days(days)
    }

    /// Waits for a seat and comes in, from an own address.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn enter(&self, address: u32) -> Result<Visit<'_>, Trouble> {
        let seat = self.seats.acquire().await.map_err(|_| trouble("the doors are closed"))?;
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let address: IpAddr = address_of(address);
        Visit::begin(&self.urls, arrival, address, &self.seen, seat)
            .map_err(|error| trouble(error.to_string()))
    }

    /// Something the owner does.
    ///
    /// # Errors
    /// When the answer is another one.
    pub async fn by_owner(&self, path: &str, key: &str, body: &Value) -> Result<Answer, Trouble> {
        let visit = self.enter(self.people.count + self.desk.fetch_add(1, Ordering::Relaxed)).await?;
        let mut owner = Person::new(OWNER.to_owned());
        owner.sign_in(&visit).await?;
        owner.demand(&visit, Call::post(path, body).key(key), 201).await
    }

    /// Makes what is sold, for so long a term.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn open(&mut self, term: &str) -> Result<(), Trouble> {
        let chapter = json!({ "code": CHAPTER, "name": "郑州罗友会", "prefix": "ZY" });
        self.by_owner("/v1/admin/chapters", "chapter", &chapter).await?;
        let mut made = Vec::new();
        for (tier, rank, offers) in [
            (
                "regular",
                10,
                vec![("regular", term, 20_000, "card"), ("for-life", "lifetime", 300_000, "never")],
            ),
            ("diehard", 20, vec![("diehard", term, 120_000, "card")]),
        ] {
            let body = json!({ "code": tier, "names": { "zh-CN": tier, "en": tier }, "rank": rank });
            let row = self.by_owner("/v1/admin/tiers", tier, &body).await?;
            for (code, term, price_minor, renews) in offers {
                let body = json!({
                    "code": code, "tier": row.text("/id"), "term": term, "renews": renews,
                    "price": { "amount": price_minor, "currency": CURRENCY },
                    "payment_methods": ["card", "wechat_pay", "alipay"], "open_sale": true, "open_upgrade": true,
                    "associate_seats": if code == "diehard" { 2 } else { 0 },
                });
                let plan = self.by_owner("/v1/admin/plans", &format!("plan-{code}"), &body).await?;
                made.push((code, Offer { id: plan.text("/id").to_owned(), tier, price_minor }));
            }
        }
        let of = |code| made.iter().find(|(made, _)| *made == code).map(|(_, offer)| offer.clone());
        self.catalogue = Catalogue {
            regular: of("regular").unwrap_or_default(),
            diehard: of("diehard").unwrap_or_default(),
            for_life: of("for-life").unwrap_or_default(),
        };
        Ok(())
    }

    /// Pays an order back in full.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn refund(&self, order: &str) -> Result<(), Trouble> {
        let body = json!({ "reason": "Asked for it." });
        let path = format!("/v1/admin/orders/{order}/refunds");
        self.by_owner(&path, &format!("refund-{order}"), &body).await.map(drop)
    }
}
