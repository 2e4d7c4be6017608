//! `loyal-fans`: 20,000 people live two years with the shop. They come by and check in, buy, send back, bring friends, spend their
//! points (some in two tabs at once), rise and fall by the reviews of levels, and are offered a better tier, of which there are
//! fewer than want it. In the end everybody's points, level and stage are recomputed from what he bought, sent back and did.
//!
//! Reading order: `clockwork`, then `shop` (what is sold, and the rules), `life` (who does what when, and remembers it), `expected.sql`
//! (what everybody should have), `judge` and `report`.

mod judge;
mod life;
mod report;
mod shop;

use std::sync::Arc;

use tokio::time::Instant;

use super::clockwork::calendar::{Calendar, Pace};
use super::clockwork::course::{Course, Strikes, opened, prepare};
use super::clockwork::people::People;
use super::place::Place;
use super::{Options, RehearsalError};

pub use report::FansReport;

use life::{Fan, PERIOD};
use shop::Shop;

pub const NAME: &str = "loyal-fans";
/// How many live in a rehearsal of full size.
const PEOPLE: u32 = 20_000;
/// Two years, and some days more: on the last of them nothing expires, is reviewed or ripens.
const DAYS: i64 = 26 * PERIOD + 12;
/// No membership ends meanwhile.
const TERM: &str = "P1095D";
/// While people spend points, while levels are reviewed, and while points expire.
const STRIKES: Strikes =
    Strikes { busy: Some(4 * PERIOD), working: Some(13 * PERIOD), database: Some(14 * PERIOD) };

/// Holds the rehearsal.
///
/// # Errors
/// [`RehearsalError`] when it could not be held.
pub async fn hold(options: &Options, place: &Place, begun: Instant) -> Result<FansReport, RehearsalError> {
    let people = People::at(PEOPLE, options.scale, options.buyers)?;
    let (mut world, fleet) = prepare(options, place, people).await?;
    opened(world.open(TERM).await)?;
    let end = world.day(DAYS);
    let shop = Arc::new(Shop::open(&world, end).await?);
    let mut course = Course {
        end,
        lives: (0..people.count).map(|index| Fan::new(index, &world, &shop)).collect(),
        world: Arc::new(world),
        calendar: Calendar::at(Pace::Visits),
        strikes: if options.chaos { STRIKES } else { Strikes::default() },
        place,
        fleet: &fleet,
    };
    course.run().await?;
    let report = judge::judge(&course, &shop, begun).await?;
    if !report.passed {
        fleet.tell();
    }
    Ok(report)
}
