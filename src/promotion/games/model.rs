//! Rows of games, their prizes and plays.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::rules::{PrizeKind, WhenOut};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{game_plays, game_prizes, games};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, CampaignId, CouponId, GameId, PlayId, PoolId, PrizeId};
use crate::types::locale::Names;

/// A weighted chance of prizes.
#[derive(Clone, PartialEq)]
pub struct Game {
    pub id: GameId,
    /// By which people name it.
    pub code: String,
    pub names: Names,
    pub audience: Audience,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Of one person.
    pub plays_a_day: i32,
    pub plays_in_all: i32,
    pub when_out: WhenOut,
    /// Secret until the game is over.
    pub seed: Vec<u8>,
    /// The number of the last play.
    pub plays: i64,
    pub created_at: DateTime<Utc>,
    /// An operator ended it.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The seed is nobody's to read in a log.
impl std::fmt::Debug for Game {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Game").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = games)]
struct GameRow {
    id: GameId,
    code: String,
    name_zh: String,
    name_en: String,
    audience: Value,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    plays_a_day: i32,
    plays_in_all: i32,
    when_out: WhenOut,
    seed: Vec<u8>,
    plays: i64,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<GameRow> for Game {
    type Error = AppError;

    fn try_from(row: GameRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            audience: serde_json::from_value(row.audience).map_err(AppError::internal)?,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            plays_a_day: row.plays_a_day,
            plays_in_all: row.plays_in_all,
            when_out: row.when_out,
            seed: row.seed,
            plays: row.plays,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

/// What can be won.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = game_prizes)]
pub struct Prize {
    pub id: PrizeId,
    pub game_id: GameId,
    /// From 0.
    pub position: i32,
    pub name_zh: String,
    pub name_en: String,
    pub kind: PrizeKind,
    pub campaign_id: Option<CampaignId>,
    pub amount_minor: Option<i64>,
    pub weight: i64,
    /// Its stock; none where there is no end of it.
    pub pool_id: Option<PoolId>,
}

/// One play: under the game's seed, its number says what was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = game_plays)]
pub struct Play {
    pub id: PlayId,
    pub game_id: GameId,
    pub number: i64,
    pub account_id: AccountId,
    pub person_key: String,
    pub day: NaiveDate,
    pub nth_of_day: i32,
    pub nth: i32,
    pub drawn_id: PrizeId,
    /// What was given; none for nothing.
    pub prize_id: Option<PrizeId>,
    pub coupon_id: Option<CouponId>,
    pub created_at: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, of: &Game, prizes: &[Prize]) -> Result<()> {
    let row = GameRow {
        id: of.id,
        code: of.code.clone(),
        name_zh: of.names.zh.clone(),
        name_en: of.names.en.clone(),
        audience: serde_json::to_value(&of.audience).map_err(AppError::internal)?,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        plays_a_day: of.plays_a_day,
        plays_in_all: of.plays_in_all,
        when_out: of.when_out,
        seed: of.seed.clone(),
        plays: of.plays,
        created_at: of.created_at,
        ended_at: of.ended_at,
    };
    diesel::insert_into(games::table).values(row).execute(conn).await?;
    diesel::insert_into(game_prizes::table).values(prizes).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, code: &str) -> Result<Option<Game>> {
    let query = games::table.filter(games::code.eq(code)).select(GameRow::as_select());
    query.first(conn).await.optional()?.map(Game::try_from).transpose()
}

/// Locks a game, before the stocks of its prizes: who plays meanwhile waits, and gets the next number.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: GameId) -> Result<Option<Game>> {
    let query = games::table.find(id).for_no_key_update().select(GameRow::as_select());
    query.first(conn).await.optional()?.map(Game::try_from).transpose()
}

/// Writes what can change of a locked game.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Game) -> Result<()> {
    diesel::update(games::table.find(of.id))
        .set((games::plays.eq(of.plays), games::ended_at.eq(of.ended_at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// A page of games, newest first; all there are for `kindred check`, which goes through them page by page.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Game>> {
    let rows: Vec<GameRow> = games::table
        .filter(games::id.lt(GameId(page.before)))
        .order(games::id.desc())
        .limit(page.fetch())
        .select(GameRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Game::try_from).collect()
}

/// The prizes of these games, by game and position.
///
/// # Errors
/// The database's.
pub async fn prizes(conn: &mut Conn, of: &[GameId]) -> Result<Vec<Prize>> {
    Ok(game_prizes::table
        .filter(game_prizes::game_id.eq_any(of))
        .order((game_prizes::game_id, game_prizes::position))
        .select(Prize::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// The database's; `cap_reached` where a limit's row is there.
pub async fn insert_play(conn: &mut Conn, play: &Play) -> Result<()> {
    diesel::insert_into(game_plays::table).values(play).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_play(conn: &mut Conn, id: PlayId) -> Result<Option<Play>> {
    Ok(game_plays::table.find(id).select(Play::as_select()).first(conn).await.optional()?)
}

/// The days on which a person played, over all accounts, once for each play.
///
/// # Errors
/// The database's.
pub async fn played(conn: &mut Conn, of: GameId, account: AccountId, person: &str) -> Result<Vec<NaiveDate>> {
    Ok(game_plays::table
        .filter(game_plays::game_id.eq(of))
        .filter(game_plays::account_id.eq(account).or(game_plays::person_key.eq(person)))
        .select(game_plays::day)
        .load(conn)
        .await?)
}

/// A page of a game's plays, the last one first; its cursor is [`place`].
///
/// # Errors
/// The database's.
pub async fn page_of(conn: &mut Conn, of: GameId, page: Page) -> Result<Vec<Play>> {
    let before = i64::try_from(page.before.as_u128()).unwrap_or(i64::MAX);
    Ok(game_plays::table
        .filter(game_plays::game_id.eq(of))
        .filter(game_plays::number.lt(before))
        .order(game_plays::number.desc())
        .limit(page.fetch())
        .select(Play::as_select())
        .load(conn)
        .await?)
}

/// Where a play stands among those of its game: ids of plays of one moment don't follow their numbers.
pub fn place(play: &Play) -> Uuid {
    Uuid::from_u128(play.number.unsigned_abs().into())
}

/// Plays of a game by number, after one: so many at most.
///
/// # Errors
/// The database's.
pub async fn numbered(conn: &mut Conn, of: GameId, after: i64, most: i64) -> Result<Vec<Play>> {
    Ok(game_plays::table
        .filter(game_plays::game_id.eq(of))
        .filter(game_plays::number.gt(after))
        .order(game_plays::number)
        .limit(most)
        .select(Play::as_select())
        .load(conn)
        .await?)
}
