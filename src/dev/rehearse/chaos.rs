//! What is killed part-way, with -9 and without a word.

use std::time::Duration;

use tokio::sync::watch;

use super::RehearsalError;
use super::desk::Packed;
use super::instances::Fleet;
use super::place::Place;
use super::sale::Seen;
use super::watch::Progress;

/// Shares of all places that are sold when it strikes, in hundredths.
const DATABASE_AT: i64 = 25;
const INSTANCE_AT: i64 = 55;
/// The share of all pick lists that is handed in when it strikes at the desk.
const DESK_AT: u32 = 50;
/// How long a killed instance stays away.
const AWAY: Duration = Duration::from_secs(2);

/// What was killed, in order. Without chaos nothing is.
///
/// # Errors
/// When something can't be killed or doesn't come back.
pub async fn strike_if(
    wanted: bool,
    place: &Place,
    fleet: &Fleet,
    mut progress: watch::Receiver<Progress>,
) -> Result<Vec<&'static str>, RehearsalError> {
    if !wanted {
        return Ok(Vec::new());
    }
    let mut killed = Vec::new();
    if reaches(&mut progress, DATABASE_AT).await {
        place.kill_database()?;
        tracing::warn!("killed the database");
        killed.push("database");
    }
    if reaches(&mut progress, INSTANCE_AT).await {
        fleet.crash_front(AWAY).await?;
        tracing::warn!("killed an instance and started it again");
        killed.push("instance");
    }
    Ok(killed)
}

/// What was killed while the parcels went out; without chaos nothing is.
///
/// # Errors
/// When it can't be killed or doesn't come back.
pub async fn strike_at_the_desk_if(
    wanted: bool,
    fleet: &Fleet,
    mut packed: watch::Receiver<Packed>,
    lists: u32,
) -> Result<Option<&'static str>, RehearsalError> {
    if !wanted {
        return Ok(None);
    }
    let there = |now: &Packed| now.handed_in * 100 >= lists * DESK_AT;
    let seen = packed.wait_for(|now| now.ended || there(now)).await;
    if !seen.is_ok_and(|now| !now.ended) {
        return Ok(None);
    }
    fleet.crash_front(AWAY).await?;
    tracing::warn!("killed an instance while parcels went out and started it again");
    Ok(Some("instance at the desk"))
}

/// Waits until that share is sold; false when the sale ends before.
async fn reaches(progress: &mut watch::Receiver<Progress>, hundredths: i64) -> bool {
    let there = |now: &Progress| now.taken * 100 >= now.places * hundredths;
    let seen = progress.wait_for(|now| now.ended || there(now)).await;
    seen.is_ok_and(|now| !now.ended)
}

/// A rehearsal with chaos in which not everything was killed proves little.
pub fn account_for(wanted: bool, killed: &[&'static str], strikes: usize, seen: &Seen) {
    if wanted && killed.len() < strikes {
        seen.complain("it was over before all was killed that was to be");
    }
}
