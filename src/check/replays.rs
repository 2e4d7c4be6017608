//! What comes out of a seed, done again from the seed.

use uuid::Uuid;

use super::{Check, NAMED_OFFENDERS};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::promotion::{games, packets};
use crate::types::id::PlayId;

const GAMES: &str = "games_replayed";
const GAMES_SAY: &str = "played again in the order of their numbers, from the seed, the weights and the stocks, \
                         all plays of a game are the same";

const PACKETS: &str = "packets_split";
const PACKETS_SAY: &str = "split again from its seed, a red packet has the same parts";

/// Plays every game again.
///
/// # Errors
/// The database's.
pub async fn games(conn: &mut Conn) -> Result<Check> {
    let mut wrong = Vec::new();
    let mut page = Page { limit: 99, before: Uuid::max() };
    loop {
        let found = games::model::list(conn, page).await?;
        let Some(last) = found.last() else { break };
        page.before = last.id.0;
        for of in &found {
            wrong.extend(games::service::replay(conn, of).await?);
        }
    }
    let named: Vec<_> = wrong.iter().take(NAMED_OFFENDERS).map(|id| PlayId(*id).to_string()).collect();
    Ok(match i64::try_from(wrong.len()).unwrap_or(i64::MAX) {
        0 => Check::holds(GAMES, GAMES_SAY),
        rows => Check::broken(GAMES, GAMES_SAY, rows, &named),
    })
}

/// Splits every packet again.
///
/// # Errors
/// The database's.
pub async fn packets(conn: &mut Conn) -> Result<Check> {
    let mut wrong = Vec::new();
    let mut page = Page { limit: 499, before: Uuid::max() };
    loop {
        let found = packets::model::list(conn, None, page).await?;
        let Some(last) = found.last() else { break };
        page.before = last.id.0;
        wrong.extend(packets::service::split_wrong(conn, &found).await?);
    }
    let named: Vec<_> = wrong.iter().take(NAMED_OFFENDERS).map(ToString::to_string).collect();
    Ok(match i64::try_from(wrong.len()).unwrap_or(i64::MAX) {
        0 => Check::holds(PACKETS, PACKETS_SAY),
        rows => Check::broken(PACKETS, PACKETS_SAY, rows, &named),
    })
}
