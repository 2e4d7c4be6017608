//! `three-years`: 10,000 people live three years with the shop. They join by card or wallet, are renewed by their saved card or
//! pay by the link of a reminder, have cards that fail, change their plan, rest, give, bring their families, move and leave; and
//! the clock is moved, mostly a day at a time.
//!
//! Reading order: `clockwork`, then `roles` (which lives there are), `life` (what somebody means to do, and remembers), `acts`
//! (how it is done), `judge`, `tally` and `report`.

mod acts;
mod judge;
mod life;
mod report;
mod roles;
mod tally;

use std::sync::Arc;

use tokio::time::Instant;

use super::clockwork::calendar::{Calendar, Pace};
use super::clockwork::course::{Course, Strikes, opened, prepare};
use super::clockwork::people::People;
use super::place::Place;
use super::{Options, RehearsalError};

pub use report::YearsReport;

use life::Life;

pub const NAME: &str = "three-years";
/// How many live in a rehearsal of full size.
const PEOPLE: u32 = 10_000;
/// The years, and what is left of the last grace after them.
const DAYS: i64 = 3 * 365 + 13;
/// A year of the plans that are sold.
const TERM: &str = "P365D";
/// An instance is killed while people upgrade and while cards are charged at the second ends, the database while they are at the first.
const STRIKES: Strikes = Strikes { busy: Some(150), working: Some(2 * 365), database: Some(365) };

/// Holds the rehearsal.
///
/// # Errors
/// [`RehearsalError`] when it could not be held.
pub async fn hold(options: &Options, place: &Place, begun: Instant) -> Result<YearsReport, RehearsalError> {
    let people = People::at(PEOPLE, options.scale, options.buyers)?;
    let (mut world, fleet) = prepare(options, place, people).await?;
    opened(world.open(TERM).await)?;
    let lives = (0..people.count).map(|index| Life::new(index, options.seed, &world)).collect();
    let mut course = Course {
        end: world.day(DAYS + i64::from(people.joining_days)),
        world: Arc::new(world),
        lives,
        calendar: Calendar::at(Pace::Daily),
        strikes: if options.chaos { STRIKES } else { Strikes::default() },
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
