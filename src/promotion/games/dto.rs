//! Games over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Game, Play, Prize};
use super::rules::{self, PrizeKind, WhenOut};
use crate::checkout::claims::Pool;
use crate::promotion::campaigns::rules::Benefit;
use crate::shop::audience::Audience;
use crate::types::id::{CampaignId, GameId, PlayId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGame {
    /// Small letters, digits, hyphens: the address that people come to.
    #[schema(example = "wheel")]
    pub code: String,
    pub names: Names,
    /// For whom: who is signed in by default.
    pub audience: Option<Audience>,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Plays of one person a day of the shop; 1 by default.
    pub plays_a_day: Option<i32>,
    /// Plays of one person in all; 1 by default.
    pub plays_in_all: Option<i32>,
    /// What is won where the prize that was drawn is out of stock.
    pub when_out: WhenOut,
    /// 1 to 50, in the order in which `next` goes through them.
    pub prizes: Vec<NewPrize>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrize {
    pub names: Names,
    pub kind: PrizeKind,
    /// Of a coupon: a campaign that needs codes.
    pub campaign: Option<CampaignId>,
    /// Of store credit.
    pub amount: Option<Money>,
    /// Its share of the sum of all weights: 1 to 1,000,000,000.
    pub weight: i64,
    /// So many there are; needed, but for nothing, of which there is no end.
    pub stock: Option<i64>,
}

/// A game as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicGame {
    /// `game`
    #[schema(example = "game")]
    pub kind: &'static str,
    pub id: GameId,
    pub code: String,
    pub name: String,
    /// `scheduled`, `open` or `closed`.
    #[schema(example = "open")]
    pub state: &'static str,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub plays_a_day: i32,
    pub plays_in_all: i32,
    pub when_out: WhenOut,
    pub prizes: Vec<PublicPrize>,
    /// The sum of the weights.
    pub weights: i64,
    /// Plays so far.
    pub plays: i64,
    /// SHA-256 of the seed, in hexadecimal: published before the first play.
    pub seed_hash: String,
    /// The seed, in hexadecimal, when the game is over: each play can be recomputed from it.
    pub seed: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicPrize {
    /// From 0.
    pub position: i32,
    pub name: String,
    pub kind: PrizeKind,
    /// Of a coupon.
    pub benefit: Option<Benefit>,
    /// Of store credit.
    pub amount: Option<Money>,
    pub weight: i64,
    /// `weight` over the sum of the weights.
    #[schema(example = "1/200")]
    pub odds: String,
    /// None where there is no end of it.
    pub stock: Option<i64>,
    pub left: Option<i64>,
}

impl PublicPrize {
    pub fn new(
        of: &Prize,
        sum: i64,
        pool: Option<&Pool>,
        benefit: Option<Benefit>,
        (locale, currency): (Locale, &str),
    ) -> Self {
        Self {
            position: of.position,
            name: locale.pick(&of.name_zh, &of.name_en).clone(),
            kind: of.kind,
            benefit,
            amount: of.amount_minor.map(|minor| Money::new(minor, currency)),
            weight: of.weight,
            odds: format!("{}/{sum}", of.weight),
            stock: pool.map(|pool| pool.capacity),
            left: pool.map(Pool::left),
        }
    }
}

/// A play as everybody may see it: with the seed, all that it takes to recompute it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PlayView {
    pub id: PlayId,
    /// Plays of a game are numbered from 1, in the order in which they took from the stock.
    pub number: i64,
    /// What the seed's HMAC is over.
    #[schema(example = "game_01939f…:1")]
    pub message: String,
    /// The position of the prize that was drawn.
    pub drawn: i32,
    /// The position of what was given; another one, or null, where that was out of stock.
    pub given: Option<i32>,
    pub created_at: DateTime<Utc>,
}

impl PlayView {
    pub fn new(play: &Play, prizes: &[Prize]) -> Self {
        let position = |id| prizes.iter().find(|prize| prize.id == id).map(|prize| prize.position);
        Self {
            id: play.id,
            number: play.number,
            message: rules::message(play.game_id, play.number),
            drawn: position(play.drawn_id).unwrap_or_default(),
            given: play.prize_id.and_then(position),
            created_at: play.created_at,
        }
    }
}

/// A game for operators. Its seed is told to nobody before it is over.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminGame)]
pub struct GameView {
    #[serde(flatten)]
    pub seen: PublicGame,
    pub names: Names,
    pub audience: Audience,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl GameView {
    pub fn new(of: Game, seen: PublicGame) -> Self {
        Self {
            seen,
            names: of.names,
            audience: of.audience,
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}
