//! One life: what somebody means to do, and what he remembers. His memory is what the shop is held against in the end: each
//! payment he made or agreed to, and until when he is a member.

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::clockwork::course::Lived;
use super::super::clockwork::world::{Offer, World};
use super::super::scenario::email;
use super::super::visit::Trouble;
use super::roles::{Present, Role};

/// A year of the plans that are sold.
pub const YEAR: TimeDelta = TimeDelta::days(365);
/// So long after its end may a term be paid for.
pub const GRACE: TimeDelta = TimeDelta::days(7);
/// Days before an end on which the bank makes up its mind: before any move of the clock comes to the end.
const BANK: i64 = -4;
/// What happens on a day of its own, in days from the first, when all have joined.
const GIVES: i64 = 30;
const DELIVERS: i64 = 40;
const VOIDS: i64 = 43;
const REDEEMS: i64 = 45;
const TAKES_BACK: i64 = 60;
const INVITES: i64 = 30;
const ACCEPTS: i64 = 40;
const RESTS: i64 = 120;
const RESUMES: i64 = 130;
const HAS_RESTED: i64 = 145;
const CHANGES: i64 = 150;

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Join,
    /// Pays the next term by the link of a mail; `mends`: and has a card that works from then on.
    PayByLink {
        mends: bool,
    },
    /// What the bank says to the next charges of the card.
    Card {
        says: &'static str,
        times: Option<u32>,
    },
    /// The card is to end before the term.
    CardEnds,
    SaveCard,
    RemoveCard,
    Upgrade {
        restart: bool,
    },
    Downgrade,
    Cancel,
    Freeze,
    Resume,
    /// Looks how far the end has moved.
    SeeRest,
    Give,
    Redeem,
    /// Finds that a gift was taken back.
    LoseGift,
    TakeBackGift,
    Invite,
    Accept,
    Move,
    AskForMoney,
}

/// How a membership goes on at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Card,
    /// By a link, or not at all.
    Link,
    Ends,
}

/// A membership as its member knows it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub tier: &'static str,
    /// None: for life.
    pub ends_at: Option<DateTime<Utc>>,
    pub way: Way,
    /// Of the next term.
    pub price_minor: i64,
    /// What it is to become at its end.
    pub planned: Option<Offer>,
    /// Ends so far, and the one that comes.
    pub ends: u32,
}

/// What was looked forward to, and is looked at once the shop has done it.
#[derive(Clone, Debug)]
pub enum Look {
    Joined {
        order: String,
    },
    Extended {
        order: Option<String>,
    },
    Upgraded {
        order: String,
        restart: bool,
        at: DateTime<Utc>,
    },
    Given {
        order: String,
    },
    Began,
    /// What was planned has come: another tier begins when it is paid, which may be some days after the end.
    Changed {
        from: DateTime<Utc>,
    },
}

/// What somebody has done, as he remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    pub joined: i64,
    pub renewed_by_card: i64,
    pub renewed_by_link: i64,
    /// Of both: after a charge that had failed.
    pub recovered: i64,
    pub upgraded: i64,
    pub downgrades: i64,
    pub cancelled: i64,
    pub expired: i64,
    pub given: i64,
    pub redeemed: i64,
    pub gifts_refunded: i64,
    pub rested: i64,
    pub associates: i64,
    pub moved: i64,
    pub refunds: i64,
    /// Orders he paid, or whose charge he agreed to.
    pub orders: i64,
}

impl Deeds {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            joined: self.joined + other.joined,
            renewed_by_card: self.renewed_by_card + other.renewed_by_card,
            renewed_by_link: self.renewed_by_link + other.renewed_by_link,
            recovered: self.recovered + other.recovered,
            upgraded: self.upgraded + other.upgraded,
            downgrades: self.downgrades + other.downgrades,
            cancelled: self.cancelled + other.cancelled,
            expired: self.expired + other.expired,
            given: self.given + other.given,
            redeemed: self.redeemed + other.redeemed,
            gifts_refunded: self.gifts_refunded + other.gifts_refunded,
            rested: self.rested + other.rested,
            associates: self.associates + other.associates,
            moved: self.moved + other.moved,
            refunds: self.refunds + other.refunds,
            orders: self.orders + other.orders,
        }
    }
}

pub struct Life {
    pub index: u32,
    pub role: Role,
    pub email: String,
    pub standing: Option<Standing>,
    pub paid_minor: i64,
    pub back_minor: i64,
    pub deeds: Deeds,
    pub join_order: Option<String>,
    pub gift_order: Option<String>,
    pub looks: Vec<Look>,
    agenda: Vec<(DateTime<Utc>, Act)>,
    dice: StdRng,
}

impl Life {
    pub fn new(index: u32, seed: u64, world: &World) -> Self {
        let role = Role::of(index);
        let mut life = Self {
            index,
            role,
            email: email(index),
            standing: None,
            paid_minor: 0,
            back_minor: 0,
            deeds: Deeds::default(),
            join_order: None,
            gift_order: None,
            looks: Vec::new(),
            agenda: Vec::new(),
            dice: StdRng::seed_from_u64(seed ^ (u64::from(index) << 24)),
        };
        if role.joins() {
            life.plan(world.day(world.people.joins_on(index).into()), Act::Join);
        }
        // Who is beside somebody that is missing at the edge of the crowd leads a life without him.
        let has_next = index + 1 < world.people.count;
        for (day, act) in days_of(role).into_iter().filter(|(_, act)| has_next || *act != Act::Invite) {
            life.plan(world.day(day), act);
        }
        life
    }

    fn plan(&mut self, at: DateTime<Utc>, act: Act) {
        self.agenda.push((at, act));
    }

    /// What he does now, the first first.
    pub fn take_due(&mut self, now: DateTime<Utc>) -> Vec<Act> {
        let (mut due, rest): (Vec<_>, Vec<_>) = self.agenda.drain(..).partition(|(at, _)| *at <= now);
        self.agenda = rest;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, act)| act).collect()
    }

    /// How he pays.
    pub fn method(&self) -> &'static str {
        match (self.role.has_wallet(), self.index % 2) {
            (false, _) => "card",
            (true, 0) => "alipay",
            (true, _) => "wechat_pay",
        }
    }

    /// The end at which there is too little money on the card, of who has that once.
    fn short_at(&self) -> u32 {
        self.index / 8 % 2 + 1
    }

    /// The membership has this end now: what he will do before and after it, in place of what he meant to.
    pub fn look_ahead(&mut self) {
        self.agenda.retain(|(_, act)| !matches!(act, Act::PayByLink { .. } | Act::Card { .. }));
        let Some((ends_at, ends)) = self.standing.as_ref().and_then(|s| Some((s.ends_at?, s.ends))) else {
            return;
        };
        let day = |days: i64| ends_at + TimeDelta::days(days);
        let card = |says, times| Act::Card { says, times };
        let by_link = |mends| Act::PayByLink { mends };
        match (self.role, ends) {
            (Role::Flaky, 1 | 2) if self.short_at() == ends => {
                // The second end comes while the shop was away: there is time for one more try.
                let times = self.dice.random_range(1..=3 - ends);
                self.plan(day(BANK), card("insufficient_funds", Some(times)));
            }
            (Role::Declined, 1) => {
                self.plan(day(BANK), card("decline", None));
                self.plan(day(3), by_link(true));
            }
            (Role::Confirms, 1) => {
                let says =
                    if self.index.is_multiple_of(2) { "authentication_required" } else { "expired_card" };
                self.plan(day(BANK), card(says, None));
                self.plan(day(3), by_link(true));
            }
            (Role::Gone, 1) => self.plan(day(BANK), card("decline", None)),
            (Role::Replaces, 1) => {
                self.plan(day(-60), Act::CardEnds);
                self.plan(day(-25), Act::SaveCard);
            }
            (Role::Removes, 1) => {
                self.plan(day(-40), Act::RemoveCard);
                self.plan(day(-20), by_link(false));
            }
            (Role::Removes | Role::Wallet | Role::Friend(Present::Adds), _) | (Role::Leaves, 1) => {
                let days = [-20, -5, 2].get(self.dice.random_range(0..3)).copied().unwrap_or(2);
                self.plan(day(days), by_link(false));
            }
            (Role::Cancels, 2) | (Role::LeavingHead, 1) => self.plan(day(-50), Act::Cancel),
            _ => {}
        }
    }

    fn renew_by_card(&mut self, standing: Standing, ends_at: DateTime<Utc>) {
        let next = standing.planned.as_ref();
        if next.is_some() {
            self.looks.push(Look::Changed { from: ends_at });
        }
        let price_minor = next.map_or(standing.price_minor, |offer| offer.price_minor);
        self.paid_minor += price_minor;
        self.deeds.renewed_by_card += 1;
        self.deeds.orders += 1;
        if self.role == Role::Flaky && standing.ends == self.short_at() {
            self.deeds.recovered += 1;
        }
        self.standing = Some(Standing {
            tier: next.map_or(standing.tier, |offer| offer.tier),
            ends_at: Some(ends_at + YEAR),
            price_minor,
            planned: None,
            ends: standing.ends + 1,
            way: Way::Card,
        });
        self.look_ahead();
    }
}

impl Lived for Life {
    fn next_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.iter().map(|(at, _)| *at).min()
    }

    /// What goes on by itself has gone on, and what doesn't is over.
    fn pass(&mut self, now: DateTime<Utc>) {
        while let Some(standing) = self.standing.clone() {
            let Some(ends_at) = standing.ends_at.filter(|at| *at <= now) else { return };
            match standing.way {
                Way::Card => self.renew_by_card(standing, ends_at),
                Way::Link | Way::Ends if ends_at + GRACE <= now => {
                    self.standing = None;
                    self.deeds.expired += 1;
                }
                Way::Link | Way::Ends => return,
            }
        }
    }

    async fn act(&mut self, world: &World) {
        for act in self.take_due(world.clock.now()) {
            if let Err(Trouble(what)) = self.try_to(&act, world).await {
                world.seen.complain(&format!("{} ({:?}): {act:?}: {what}", self.email, self.role));
            }
        }
    }

    fn has_looks(&self) -> bool {
        !self.looks.is_empty()
    }

    async fn look(&mut self, world: &World) {
        for look in std::mem::take(&mut self.looks) {
            if let Err(Trouble(what)) = self.see(&look, world).await {
                world.seen.complain(&format!("{} ({:?}): {look:?}: {what}", self.email, self.role));
            }
        }
    }
}

/// What is done on days of its own.
fn days_of(role: Role) -> Vec<(i64, Act)> {
    match role {
        Role::Upgrades => vec![(CHANGES, Act::Upgrade { restart: false })],
        Role::Restarts => vec![(CHANGES, Act::Upgrade { restart: true })],
        Role::Downgrades => vec![(CHANGES, Act::Downgrade)],
        Role::Freezes => vec![(RESTS, Act::Freeze), (HAS_RESTED, Act::SeeRest)],
        Role::Resumes => vec![(RESTS, Act::Freeze), (RESUMES, Act::Resume), (HAS_RESTED, Act::SeeRest)],
        Role::Giver(Present::Void) => vec![(GIVES, Act::Give), (VOIDS, Act::TakeBackGift)],
        Role::Giver(Present::TakenBack) => vec![(GIVES, Act::Give), (TAKES_BACK, Act::TakeBackGift)],
        Role::Giver(_) => vec![(GIVES, Act::Give)],
        Role::Friend(Present::TakenBack) => vec![(REDEEMS, Act::Redeem), (TAKES_BACK, Act::LoseGift)],
        Role::Friend(Present::Forgotten) => Vec::new(),
        Role::Friend(_) => vec![(REDEEMS, Act::Redeem)],
        Role::Head | Role::LeavingHead => vec![(INVITES, Act::Invite)],
        Role::Associate => vec![(ACCEPTS, Act::Accept)],
        Role::Moves => vec![(TAKES_BACK, Act::Move)],
        Role::Refunded => vec![(GIVES, Act::AskForMoney)],
        _ => Vec::new(),
    }
}

/// How long after it was bought a gift is delivered.
pub const DELIVERED_AFTER: TimeDelta = TimeDelta::days(DELIVERS - GIVES);
/// For how long a membership is let rest, at most.
pub const REST: TimeDelta = TimeDelta::days(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn life(role: Role, way: Way) -> Life {
        let now = DateTime::UNIX_EPOCH;
        let standing = Standing {
            tier: "diehard",
            ends_at: Some(now + YEAR),
            way,
            price_minor: 120_000,
            planned: None,
            ends: 1,
        };
        Life {
            index: 0,
            role,
            email: String::new(),
            standing: Some(standing),
            paid_minor: 120_000,
            back_minor: 0,
            deeds: Deeds::default(),
            join_order: None,
            gift_order: None,
            looks: Vec::new(),
            agenda: Vec::new(),
            dice: StdRng::seed_from_u64(1),
        }
    }

    fn after(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    #[test]
    fn a_card_goes_on_at_each_end_that_has_come_and_not_before() {
        let mut steady = life(Role::Steady, Way::Card);
        steady.pass(after(365) - TimeDelta::microseconds(1));
        assert_eq!((steady.paid_minor, steady.deeds.renewed_by_card), (120_000, 0));
        steady.pass(after(365));
        assert_eq!((steady.paid_minor, steady.deeds.renewed_by_card), (240_000, 1));
        steady.pass(after(3 * 365 + 1));
        assert_eq!((steady.paid_minor, steady.deeds.renewed_by_card), (480_000, 3));
        assert_eq!(steady.standing.unwrap().ends_at, Some(after(4 * 365)));
    }

    #[test]
    fn what_was_planned_comes_at_the_end_at_its_own_price() {
        let mut life = life(Role::Downgrades, Way::Card);
        let regular = Offer { id: "p".to_owned(), tier: "regular", price_minor: 20_000 };
        life.standing.as_mut().unwrap().planned = Some(regular);
        life.pass(after(2 * 365));
        assert_eq!((life.paid_minor, life.standing.unwrap().tier), (160_000, "regular"));
    }

    #[test]
    fn without_a_payment_it_is_over_when_grace_is() {
        let mut wallet = life(Role::Leaves, Way::Link);
        wallet.pass(after(365 + 7) - TimeDelta::microseconds(1));
        assert!(wallet.standing.is_some());
        wallet.pass(after(365 + 7));
        assert!(wallet.standing.is_none());
        assert_eq!((wallet.paid_minor, wallet.deeds.expired), (120_000, 1));
    }

    #[test]
    fn a_new_end_replaces_what_was_meant_for_the_old_one() {
        let mut wallet = life(Role::Wallet, Way::Link);
        wallet.look_ahead();
        wallet.look_ahead();
        assert_eq!(wallet.agenda.len(), 1);
        let at = wallet.next_at().unwrap();
        assert!(wallet.take_due(at - TimeDelta::microseconds(1)).is_empty());
        assert_eq!(wallet.take_due(at), [Act::PayByLink { mends: false }]);
        assert_eq!(wallet.next_at(), None);
    }
}
