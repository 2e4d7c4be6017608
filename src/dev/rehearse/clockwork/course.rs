//! Lives, day by day: the shop does what is due, people do theirs, the clock is moved. With chaos something is killed on the way.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::instances::Fleet;
use super::super::place::Place;
use super::super::scenario::email;
use super::super::visit::Trouble;
use super::super::{Options, PASSWORD, RehearsalError, faults, impossible, start_stripe};
use super::calendar::{self, Calendar};
use super::people::People;
use super::world::{Ground, OWNER, World};
use crate::config::PasswordSettings;
use crate::db;
use crate::error::AppError;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::people::operators::rules::Role as Office;
use crate::people::passwords::{Hasher, Password};
use crate::ports::clock::Clock;
use crate::types::locale::Locale;

/// Calls of Stripe a second, which the instances share: none waits.
const RATE: u32 = 10_000;
/// How long a killed instance stays away, and how long after the work has begun it strikes.
const AWAY: Duration = Duration::from_secs(2);
const STRIKES_AFTER: Duration = Duration::from_millis(60);

/// Somebody who lives with the shop.
pub trait Lived: Send + 'static {
    /// When he next does something.
    fn next_at(&self) -> Option<DateTime<Utc>>;

    /// Time has passed, and the shop has done what was due.
    fn pass(&mut self, _now: DateTime<Utc>) {}

    /// Does what is due.
    fn act(&mut self, world: &World) -> impl Future<Output = ()> + Send;

    /// Is there something to look at once the shop has done it?
    fn has_looks(&self) -> bool {
        false
    }

    fn look(&mut self, _world: &World) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What is to be killed, by days from the first.
#[derive(Clone, Debug, Default)]
pub struct Strikes {
    /// The first instance, while people are in the shop.
    pub busy: Option<i64>,
    /// The first instance, while the shop does its work.
    pub working: Option<i64>,
    pub database: Option<i64>,
}

impl Strikes {
    fn is_empty(&self) -> bool {
        self.busy.is_none() && self.working.is_none() && self.database.is_none()
    }
}

/// A world with its people, at the door.
///
/// # Errors
/// When it can't be made.
pub async fn prepare(
    options: &Options,
    place: &Place,
    people: People,
) -> Result<(World, Fleet), RehearsalError> {
    let clock = Clock::real();
    db::migrate(place.url()).await?;
    seed(place.url(), people, clock.now()).await?;
    // Tests that break a guard on purpose wait for this line.
    tracing::info!(database = place.url(), people = people.count, "the rehearsal's database is ready");
    let running = start_stripe(&clock, None)?;
    let fleet = Fleet::start(options.instances, place, (&running.url, RATE), &[]).await?;
    running.simulator.set_webhook_url(Some(format!("{}/v1/stripe/webhooks", fleet.front())));
    running.simulator.set_chaos(faults(options));
    let world = World::on(Ground {
        clock,
        people,
        url: place.url().to_owned(),
        mails: place.folder().join("mails"),
        stripe: running,
        urls: fleet.urls(),
        concurrency: options.concurrency,
    });
    Ok((world, fleet))
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

/// All lives, from the first day to the last.
pub struct Course<'a, L> {
    pub world: Arc<World>,
    pub lives: Vec<L>,
    pub calendar: Calendar,
    pub strikes: Strikes,
    pub place: &'a Place,
    pub fleet: &'a Fleet,
    pub end: DateTime<Utc>,
}

impl<L: Lived> Course<'_, L> {
    /// # Errors
    /// When it can't go on.
    pub async fn run(&mut self) -> Result<(), RehearsalError> {
        while self.day().await? {
            let now = self.world.clock.now();
            tracing::debug!(days = self.days(), "a day is over");
            if now >= self.end {
                if !self.strikes.is_empty() {
                    self.world.seen.complain("it was over before all was killed that was to be");
                }
                break;
            }
            let planned = self.lives.iter().filter_map(Lived::next_at).min();
            self.calendar.go_on(&self.world, planned, self.end).await?;
        }
        Ok(())
    }

    fn days(&self) -> i64 {
        (self.world.clock.now() - self.world.opened_at).num_days()
    }

    /// The shop does what is due, then people do theirs and see what comes of it; false where the shop doesn't come to an end.
    async fn day(&mut self) -> Result<bool, RehearsalError> {
        if !self.work().await? {
            return Ok(false);
        }
        let now = self.world.clock.now();
        self.lives.iter_mut().for_each(|life| life.pass(now));
        if self.lives.iter().any(|life| life.next_at().is_some_and(|at| at <= now)) {
            let days = self.days();
            let dies = self.strikes.busy.take_if(|day| *day <= days).is_some();
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
        self.each(Lived::has_looks, Turn::Look).await?;
        Ok(true)
    }

    /// The shop's work, with what is killed meanwhile.
    async fn work(&mut self) -> Result<bool, RehearsalError> {
        let days = self.days();
        let database_dies = self.strikes.database.take_if(|day| *day <= days).is_some();
        // Not both at once.
        let instance_dies = !database_dies && self.strikes.working.take_if(|day| *day <= days).is_some();
        let (world, place, fleet) = (&self.world, self.place, self.fleet);
        let (left, database, instance) = tokio::join!(
            calendar::work(world, self.calendar.waits_for_periodic()),
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

    /// All whose turn it is take it at once, as far as there are seats.
    async fn each(&mut self, is_turn: impl Fn(&L) -> bool, turn: Turn) -> Result<(), RehearsalError> {
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

/// What the shop refuses to its owner can't be rehearsed.
///
/// # Errors
/// What was refused.
pub fn opened<T>(made: Result<T, Trouble>) -> Result<T, RehearsalError> {
    made.map_err(|Trouble(what)| impossible(what))
}
