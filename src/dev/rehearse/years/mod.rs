//! `three-years`: 10,000 people live three years with the shop. They join by card or wallet, are renewed by their saved card or
//! pay by the link of a reminder, have cards that fail, change their plan, rest, give, bring their families, move and leave; and
//! the clock is moved, mostly a day at a time.
//!
//! Reading order: `roles` (which lives there are), `life` (what somebody means to do, and remembers), `acts` and `till` (how it
//! is done, over HTTP), `post` (the mails they read), `world` (what they share), `calendar` (the clock), `judge`, `tally`
//! and `report`.
//!
//! Stripe's limit of calls a second is set aside, here and in the simulator: a day passes in a second.

mod acts;
mod asker;
mod calendar;
mod judge;
mod life;
mod post;
mod report;
mod roles;
mod tally;
mod till;
mod world;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::instances::Fleet;
use super::place::Place;
use super::scenario::email;
use super::visit::Trouble;
use super::{Options, PASSWORD, RehearsalError, impossible};
use crate::config::PasswordSettings;
use crate::db;
use crate::error::AppError;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::people::operators::rules::Role as Office;
use crate::people::passwords::{Hasher, Password};
use crate::ports::clock::Clock;
use crate::types::locale::Locale;

pub use report::YearsReport;

use calendar::Calendar;
use life::Life;
use roles::People;
use world::{Ground, OWNER, World};

pub const NAME: &str = "three-years";
/// Calls of Stripe a second, which the instances share: none waits.
const RATE: u32 = 10_000;
/// The years, and what is left of the last grace after them.
const DAYS: i64 = 3 * 365 + 13;
/// The days from which on something is killed: while people upgrade, and while cards are charged at the first and second ends.
const INSTANCE_DIES: [i64; 2] = [150, 2 * 365];
const DATABASE_DIES: i64 = 365;
/// How long a killed instance stays away, and how long after the work has begun it strikes.
const AWAY: Duration = Duration::from_secs(2);
const STRIKES_AFTER: Duration = Duration::from_millis(60);

/// Holds the rehearsal.
///
/// # Errors
/// [`RehearsalError`] when it could not be held.
pub async fn hold(options: &Options, place: &Place, begun: Instant) -> Result<YearsReport, RehearsalError> {
    let people = People::at(options.scale, options.buyers)?;
    let clock = Clock::real();
    db::migrate(place.url()).await?;
    seed(place.url(), people, clock.now()).await?;
    tracing::info!(database = place.url(), people = people.count, "the rehearsal's database is ready");
    let running = super::start_stripe(&clock, None)?;
    let fleet = Fleet::start(options.instances, place, &running.url, RATE).await?;
    running.simulator.set_webhook_url(Some(format!("{}/v1/stripe/webhooks", fleet.front())));
    running.simulator.set_chaos(super::faults(options));
    let mut world = World::on(Ground {
        clock,
        people,
        url: place.url().to_owned(),
        mails: place.folder().join("mails"),
        simulator: running.simulator.clone(),
        urls: fleet.urls(),
        concurrency: options.concurrency,
    });
    world.open().await.map_err(|Trouble(what)| impossible(what))?;
    let lives = (0..people.count).map(|index| Life::new(index, options.seed, &world)).collect();
    let strikes = if options.chaos { Strikes::all() } else { Strikes::default() };
    let mut course = Course {
        world: Arc::new(world),
        lives,
        calendar: Calendar::default(),
        strikes,
        place,
        fleet: &fleet,
    };
    course.run().await?;
    let report = judge::judge(&course.world, &course.lives, course.calendar, place.url(), begun).await?;
    if !report.passed {
        fleet.tell();
    }
    Ok(report)
}

/// Writes the people and who runs the shop, with one password.
async fn seed(url: &str, people: People, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    let hash = Hasher::new(&PasswordSettings::lowest())?.hash(&Password::new(PASSWORD)).await?;
    let seed = |email: String, roles| {
        Ok(NewSeed {
            email: email.parse().map_err(|_| impossible("an address is wrong"))?,
            password_hash: hash.clone(),
            name: None,
            locale: Locale::ZhCn,
            is_verified: true,
            roles,
        })
    };
    let members = (0..people.count).map(|index| seed(email(index), Vec::new()));
    let all = members.chain([seed(OWNER.to_owned(), vec![Office::Owner])]);
    let all = all.collect::<Result<Vec<_>, RehearsalError>>()?;
    let mut conn = db::establish(url).await.map_err(AppError::internal)?;
    seed_all(&mut conn, &all, now).await?;
    Ok(())
}

/// What is still to be killed.
#[derive(Debug, Default)]
struct Strikes {
    instances: Vec<i64>,
    database: Option<i64>,
}

impl Strikes {
    fn all() -> Self {
        Self { instances: INSTANCE_DIES.to_vec(), database: Some(DATABASE_DIES) }
    }

    fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.database.is_none()
    }
}

/// Three years.
struct Course<'a> {
    world: Arc<World>,
    lives: Vec<Life>,
    calendar: Calendar,
    strikes: Strikes,
    place: &'a Place,
    fleet: &'a Fleet,
}

impl Course<'_> {
    async fn run(&mut self) -> Result<(), RehearsalError> {
        let end = self.world.day(DAYS + i64::from(self.world.people.joining_days));
        loop {
            if !self.day().await? {
                return Ok(());
            }
            let now = self.world.clock.now();
            tracing::debug!(days = (now - self.world.opened_at).num_days(), "a day is over");
            if now >= end {
                break;
            }
            let planned = self.lives.iter().filter_map(Life::next_at).min();
            self.calendar.go_on(&self.world, planned, end).await?;
        }
        if !self.strikes.is_empty() {
            self.world.seen.complain("it was over before all was killed that was to be");
        }
        Ok(())
    }

    /// The shop does what is due, then people do theirs and see what comes of it; false where the shop doesn't come to an end.
    async fn day(&mut self) -> Result<bool, RehearsalError> {
        if !self.work().await? {
            return Ok(false);
        }
        let now = self.world.clock.now();
        self.lives.iter_mut().for_each(|life| life.pass(now));
        if self.lives.iter().any(|life| life.next_at().is_some_and(|at| at <= now)) {
            let dies = self.instance_dies(0);
            let fleet = self.fleet;
            let acts = self.each(|life| life.next_at().is_some_and(|at| at <= now), Turn::Act);
            let (done, killed) = tokio::join!(acts, strike(dies, fleet.crash_front(AWAY)));
            done?;
            if killed? {
                tracing::warn!("killed an instance and started it again while people were in the shop");
            }
            if !self.work().await? {
                return Ok(false);
            }
        }
        self.each(|life| !life.looks.is_empty(), Turn::Look).await?;
        Ok(true)
    }

    /// The shop's work, with what is killed meanwhile.
    async fn work(&mut self) -> Result<bool, RehearsalError> {
        let days = (self.world.clock.now() - self.world.opened_at).num_days();
        let database_dies = self.strikes.database.take_if(|day| *day <= days).is_some();
        // Not both at once.
        let instance_dies = !database_dies && self.instance_dies(1);
        let (world, place, fleet) = (&self.world, self.place, self.fleet);
        let (left, database, instance) = tokio::join!(
            calendar::work(world),
            strike(database_dies, async { place.kill_database() }),
            strike(instance_dies, fleet.crash_front(AWAY)),
        );
        if database? {
            tracing::warn!("killed the database");
        }
        if instance? {
            tracing::warn!("killed an instance and started it again");
        }
        let left = left?;
        if let Some(left) = &left {
            world.seen.complain(&format!("after {days} days work was left: {left}"));
        }
        Ok(left.is_none())
    }

    /// Is it time for the instance that dies as the `which`-th?
    fn instance_dies(&mut self, which: usize) -> bool {
        let days = (self.world.clock.now() - self.world.opened_at).num_days();
        let day = INSTANCE_DIES.get(which).copied().filter(|day| *day <= days);
        let known = self.strikes.instances.len();
        self.strikes.instances.retain(|dies| Some(*dies) != day);
        self.strikes.instances.len() < known
    }

    /// All whose turn it is take it at once, as far as there are seats.
    async fn each(&mut self, is_turn: impl Fn(&Life) -> bool, turn: Turn) -> Result<(), RehearsalError> {
        let (theirs, rest): (Vec<_>, Vec<_>) = self.lives.drain(..).partition(is_turn);
        self.lives = rest;
        let mut inside = JoinSet::new();
        for mut life in theirs {
            let world = Arc::clone(&self.world);
            inside.spawn(async move {
                match turn {
                    Turn::Act => life.act(&world).await,
                    Turn::Look => life.look(&world).await,
                }
                life
            });
        }
        while let Some(life) = inside.join_next().await {
            self.lives.push(life.map_err(|error| impossible(format!("a life ended: {error}")))?);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Turn {
    Act,
    Look,
}

/// Kills something soon, where it is wanted.
async fn strike(
    wanted: bool,
    kill: impl Future<Output = Result<(), RehearsalError>>,
) -> Result<bool, RehearsalError> {
    if wanted {
        sleep(STRIKES_AFTER).await;
        kill.await?;
    }
    Ok(wanted)
}
