//! Who does what when, and what he remembers of it.
//!
//! Time goes by periods of 28 days. People buy at the beginning and in the middle of one, check in on its sixth and seventh day, and
//! somebody looks in when what was bought has ripened. So whatever a year later expires or is reviewed lies days apart from what people
//! do then, and it doesn't matter at what hour of a day anything was done.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::clockwork::course::Lived;
use super::super::clockwork::till::{Paid, Till, minor, order_of};
use super::super::clockwork::world::World;
use super::super::person::Person;
use super::super::scenario::email;
use super::super::visit::{Answer, Call, Trouble, trouble};
use super::shop::{Course, Shop};

/// Days.
pub const PERIOD: i64 = 28;
const PERIODS: i64 = 26;
/// Days of a period on which people buy, …
const FIRST: i64 = 0;
const MIDDLE: i64 = 14;
/// … check in, …
const CHECK_INS: [i64; 2] = [5, 6];
/// … and on which what was bought sixteen days before has ripened.
const RIPE: [i64; 2] = [2, 16];
/// Points are spent in steps of so many.
const STEP: i64 = 100;
/// The field of an order that says how many are to pay.
const POINTS: &str = "points";

/// A life that is led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Comes by now and then, and buys nothing.
    Passer,
    /// Buys once; is on the lowest level for a year.
    Once,
    /// Buys more and more, with points too, and less in the second year.
    Reader,
    /// Sends back at once what brought him to a level, and later what he paid by points.
    Returns,
    /// Gets the money back for what earned the points that he has spent.
    Late,
    /// Brings the next one.
    Inviter,
    Friend,
    /// Becomes a member, buys much, and wants what is offered to such members.
    Loyal,
    /// Spends the same points in two tabs.
    TwoTabs,
    /// Checks in as often as one can, and spends what that gives.
    Checker,
}

/// One round of lives; the crowd is many of them.
const ROUND: [Role; 20] = [
    Role::Passer,
    Role::Once,
    Role::Reader,
    Role::Passer,
    Role::Returns,
    Role::Passer,
    Role::Late,
    Role::Passer,
    Role::Inviter,
    Role::Friend,
    Role::Passer,
    Role::Loyal,
    Role::Passer,
    Role::TwoTabs,
    Role::Passer,
    Role::Checker,
    Role::Passer,
    Role::Once,
    Role::Passer,
    Role::Passer,
];

impl Role {
    /// The life of the person of that number.
    pub fn of(index: u32) -> Self {
        let at = usize::try_from(index).unwrap_or_default() % ROUND.len();
        ROUND.get(at).copied().unwrap_or(Self::Passer)
    }
}

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    LookIn,
    CheckIn,
    Join,
    Buy(Course),
    /// With as many points as there are.
    BuyWithPoints(Course),
    /// By the code of who comes before him.
    BuyInvited(Course),
    /// The same points in two orders at once: one of them.
    BuyTwice(Course),
    /// The last order is paid back.
    SendBack,
    /// The first one is.
    SendBackFirst,
    TakeOffer,
}

/// What somebody has done, as he remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    pub orders: i64,
    pub refunds: i64,
    pub check_ins: i64,
    pub points_spent: i64,
    pub points_back: i64,
    pub offers_taken: i64,
    pub offers_missed: i64,
    pub referred: i64,
}

impl Deeds {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            orders: self.orders + other.orders,
            refunds: self.refunds + other.refunds,
            check_ins: self.check_ins + other.check_ins,
            points_spent: self.points_spent + other.points_spent,
            points_back: self.points_back + other.points_back,
            offers_taken: self.offers_taken + other.offers_taken,
            offers_missed: self.offers_missed + other.offers_missed,
            referred: self.referred + other.referred,
        }
    }
}

/// An order he has paid.
#[derive(Clone, Debug)]
struct Bought {
    order: String,
    due_minor: i64,
    points: i64,
}

pub struct Fan {
    index: u32,
    pub role: Role,
    pub email: String,
    pub paid_minor: i64,
    pub back_minor: i64,
    pub deeds: Deeds,
    bought: Vec<Bought>,
    /// The next one last.
    agenda: Vec<(DateTime<Utc>, Act)>,
    shop: Arc<Shop>,
}

impl Fan {
    pub fn new(index: u32, world: &World, shop: &Arc<Shop>) -> Self {
        let role = Role::of(index);
        let mut agenda: Vec<_> =
            days_of(role, index).into_iter().map(|(day, act)| (world.day(day), act)).collect();
        agenda.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self {
            index,
            role,
            email: email(index),
            paid_minor: 0,
            back_minor: 0,
            deeds: Deeds::default(),
            bought: Vec::new(),
            agenda,
            shop: Arc::clone(shop),
        }
    }

    async fn try_to(&mut self, act: Act, world: &World) -> Result<(), Trouble> {
        match act {
            Act::LookIn => self.enter(world).await?.get("/v1/me/level").await.map(drop),
            Act::CheckIn => self.check_in(world).await,
            Act::Join => {
                let line = json!({ "plan": world.catalogue.regular.id });
                self.buy(world, order_of(line), world.catalogue.regular.price_minor).await
            }
            Act::Buy(course) => self.buy(world, self.wants(course), course.price_minor()).await,
            Act::BuyInvited(course) => {
                let body = with(self.wants(course), "invite_code", json!(self.code(world).await?));
                self.deeds.referred += 1;
                self.buy(world, body, course.price_minor()).await
            }
            Act::BuyWithPoints(course) => {
                let body = with(self.wants(course), POINTS, json!(self.points(world).await?));
                self.buy(world, body, course.price_minor()).await
            }
            Act::BuyTwice(course) => self.buy_twice(world, course).await,
            Act::SendBack => self.send_back(world, self.bought.last().cloned()).await,
            Act::SendBackFirst => self.send_back(world, self.bought.first().cloned()).await,
            Act::TakeOffer => self.take_offer(world).await,
        }
    }

    async fn enter<'w>(&self, world: &'w World) -> Result<Till<'w>, Trouble> {
        Till::enter(world, self.index, self.email.clone()).await
    }

    fn wants(&self, course: Course) -> Value {
        order_of(json!({ "variant": self.shop.variant(course) }))
    }

    async fn check_in(&mut self, world: &World) -> Result<(), Trouble> {
        let key = format!("check-in-{}", self.deeds.check_ins);
        self.enter(world).await?.post("/v1/me/check-ins", &key, &json!({}), 201).await?;
        self.deeds.check_ins += 1;
        Ok(())
    }

    /// The code of who comes before him.
    async fn code(&self, world: &World) -> Result<String, Trouble> {
        let inviter = self.index.saturating_sub(1);
        let mut till = Till::enter(world, inviter, email(inviter)).await?;
        Ok(till.get("/v1/me/invite-code").await?.text("/code").to_owned())
    }

    /// Points that he can spend, in whole steps.
    async fn points(&self, world: &World) -> Result<i64, Trouble> {
        let seen = self.enter(world).await?.get("/v1/me/points").await?;
        let active = seen.body.pointer("/active").and_then(Value::as_i64);
        let active = active.ok_or_else(|| trouble("nobody says how many points there are"))?;
        Ok(active / STEP * STEP)
    }

    async fn buy(&mut self, world: &World, body: Value, price_minor: i64) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let key = format!("order-{}", self.bought.len());
        let placed = till.post("/v1/orders", &key, &body, 201).await?;
        let paid = till.pay_for(&key, &placed, "card").await?;
        self.has_paid(&placed, &body, paid, price_minor)
    }

    /// What was paid is the price, less what points pay; and these are as many as were said.
    fn has_paid(
        &mut self,
        placed: &Answer,
        asked: &Value,
        paid: Paid,
        price_minor: i64,
    ) -> Result<(), Trouble> {
        let points = asked.get(POINTS).and_then(Value::as_i64).unwrap_or_default();
        self.paid_minor += paid.due_minor;
        self.deeds.orders += 1;
        self.deeds.points_spent += points;
        let (order, due_minor) = (paid.order, paid.due_minor);
        self.bought.push(Bought { order, due_minor, points });
        let told = placed.body.pointer("/totals/points_spent").and_then(Value::as_i64).unwrap_or_default();
        // A step of 100 points pays 100 minor units.
        if due_minor == price_minor - points && told == points {
            return Ok(());
        }
        Err(trouble(format!(
            "{due_minor} is due with {told} points, where {price_minor} is the price and {points} are spent"
        )))
    }

    /// Asks for all points in two orders at once. What one of them has, the other hasn't.
    async fn buy_twice(&mut self, world: &World, course: Course) -> Result<(), Trouble> {
        let body = with(self.wants(course), POINTS, json!(self.points(world).await?));
        let mut till = self.enter(world).await?;
        let mut other = Person::new(self.email.clone());
        let call = Call::post("/v1/orders", &body);
        let (first, second) = tokio::join!(
            till.person.ask(&till.visit, call.clone().key("tab-one")),
            other.ask(&till.visit, call.clone().key("tab-two")),
        );
        let (first, second) = (first?, second?);
        let (key, placed, refused) =
            if first.status == 201 { ("tab-one", first, second) } else { ("tab-two", second, first) };
        if placed.status != 201 || refused.code() != "points_insufficient" {
            let said = [&placed, &refused].map(|answer| format!("{} {}", answer.status, answer.code()));
            return Err(trouble(format!("two tabs were told {said:?}")));
        }
        let paid = till.pay_for(key, &placed, "card").await?;
        self.has_paid(&placed, &body, paid, course.price_minor())
    }

    async fn send_back(&mut self, world: &World, what: Option<Bought>) -> Result<(), Trouble> {
        let bought = what.ok_or_else(|| trouble("there is nothing to send back"))?;
        world.refund(&bought.order).await?;
        self.back_minor += bought.due_minor;
        self.deeds.points_back += bought.points;
        self.deeds.refunds += 1;
        Ok(())
    }

    /// Upgrades by the offer, if there is one left.
    async fn take_offer(&mut self, world: &World) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        till.mail(&["upgrade_offer"]).await?;
        let body = json!({ "plan": world.catalogue.diehard.id, "mode": "restart", "offer": self.shop.offer });
        let call = Call::post("/v1/upgrade-quotes", &body).key("quote");
        let quote = till.person.ask(&till.visit, call).await?;
        let placed = match quote.status {
            201 => {
                let body = order_of(json!({ "upgrade_quote": quote.text("/id") }));
                till.person.ask(&till.visit, Call::post("/v1/orders", &body).key("upgrade")).await?
            }
            _ => quote,
        };
        match (placed.status, placed.code()) {
            (201, _) => {
                let paid = till.pay_for("upgrade", &placed, "card").await?;
                self.deeds.offers_taken += 1;
                let due_minor = minor(&placed, "/totals/due")?;
                self.has_paid(&placed, &Value::Null, paid, due_minor)
            }
            (409, "sold_out") => {
                self.deeds.offers_missed += 1;
                Ok(())
            }
            (status, code) => Err(trouble(format!("the offer: {status} {code}"))),
        }
    }
}

impl Lived for Fan {
    fn next_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.last().map(|(at, _)| *at)
    }

    async fn act(&mut self, world: &World) {
        let now = world.clock.now();
        while let Some((_, act)) = self.agenda.pop_if(|(at, _)| *at <= now) {
            if let Err(Trouble(what)) = self.try_to(act, world).await {
                world.seen.complain(&format!("{} ({:?}): {act:?}: {what}", self.email, self.role));
            }
        }
    }
}

/// An order with one field more.
fn with(mut order: Value, field: &str, value: Value) -> Value {
    if let Some(fields) = order.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
    order
}

/// What is done on which day, from the first.
fn days_of(role: Role, index: u32) -> Vec<(i64, Act)> {
    let index = i64::from(index);
    // Every second round of lives begins a period later; but all want the offer at once.
    let begins = if role == Role::Loyal { 0 } else { index / 20 % 2 };
    let day = |period: i64, day: i64| (begins + period) * PERIOD + day;
    let check_ins = |periods: &mut dyn Iterator<Item = i64>| -> Vec<(i64, Act)> {
        periods.flat_map(|period| CHECK_INS.map(|on| (period * PERIOD + on, Act::CheckIn))).collect()
    };
    let mut days = match role {
        Role::Passer => check_ins(&mut (0..PERIODS).filter(|period| (index + period) % 13 == 0)),
        Role::Once => vec![(day(index / 20 % 25, MIDDLE), Act::Buy(Course::Small))],
        Role::Reader => vec![
            (day(0, FIRST), Act::Buy(Course::Middle)),
            (day(2, FIRST), Act::BuyWithPoints(Course::Small)),
            (day(3, FIRST), Act::Buy(Course::Large)),
            (day(15, FIRST), Act::Buy(Course::Small)),
        ],
        Role::Returns => {
            let mut days = check_ins(&mut (1..=6));
            days.extend([
                (day(0, FIRST), Act::Buy(Course::Large)),
                (day(0, MIDDLE), Act::SendBack),
                (day(7, FIRST), Act::BuyWithPoints(Course::Small)),
                (day(7, MIDDLE), Act::SendBack),
            ]);
            days
        }
        Role::Late => vec![
            (day(0, FIRST), Act::Buy(Course::Large)),
            (day(1, FIRST), Act::BuyWithPoints(Course::Small)),
            (day(1, MIDDLE), Act::SendBackFirst),
        ],
        Role::Inviter => vec![
            (day(0, FIRST), Act::Buy(Course::Small)),
            (day(10, FIRST), Act::BuyWithPoints(Course::Small)),
            (day(21, FIRST), Act::Buy(Course::Small)),
            (day(22, FIRST), Act::Buy(Course::Small)),
        ],
        Role::Friend => vec![(day(1, FIRST), Act::BuyInvited(Course::Middle))],
        Role::Loyal => vec![
            (day(0, FIRST), Act::Join),
            (day(7, FIRST), Act::Buy(Course::Large)),
            (day(12, FIRST), Act::Buy(Course::Large)),
            (day(14, FIRST), Act::TakeOffer),
            (day(20, FIRST), Act::Buy(Course::Large)),
        ],
        Role::TwoTabs => {
            vec![(day(2, FIRST), Act::Buy(Course::Large)), (day(4, FIRST), Act::BuyTwice(Course::Small))]
        }
        Role::Checker => {
            let mut days = check_ins(&mut (0..PERIODS).filter(|period| period % 2 == 0));
            days.extend([8, 16].map(|period| (day(period, MIDDLE), Act::BuyWithPoints(Course::Small))));
            days
        }
    };
    if index == 0 {
        days.extend((0..PERIODS).flat_map(|period| RIPE.map(|on| (period * PERIOD + on, Act::LookIn))));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friends_come_after_who_brings_them_and_nobody_lives_beyond_the_end() {
        for index in 0..400 {
            assert_eq!(Role::of(index) == Role::Inviter, Role::of(index + 1) == Role::Friend);
            let days = days_of(Role::of(index), index);
            assert!(!days.is_empty() || Role::of(index) == Role::Passer);
            for (day, act) in days {
                assert!((0..=PERIODS * PERIOD).contains(&day), "{index}: {act:?} on {day}");
                let expected: &[i64] = match act {
                    Act::CheckIn => &CHECK_INS,
                    Act::LookIn => &RIPE,
                    _ => &[FIRST, MIDDLE],
                };
                assert!(expected.contains(&(day % PERIOD)), "{index}: {act:?} on {day}");
            }
        }
    }
}
