//! What became of gift cards and gift memberships that lines of an order sold, for its buyer.

use chrono::{DateTime, Utc};

use super::dto::LineView;
use super::model::{GIFT, GIFT_CARD};
use crate::checkout::gift_cards::dto::BoughtGiftCard;
use crate::checkout::gift_cards::model as gift_cards;
use crate::checkout::gifts::dto::BoughtGift;
use crate::checkout::gifts::model as gifts;
use crate::db::Conn;
use crate::error::Result;

/// Puts them to their lines.
///
/// # Errors
/// The database's.
pub async fn show(conn: &mut Conn, lines: &mut [LineView], now: DateTime<Utc>) -> Result<()> {
    let of_kind = |kind: &str| -> Vec<_> {
        lines.iter().filter(|line| line.sells.kind == kind).map(|line| line.id).collect()
    };
    let (cards, given) = (of_kind(GIFT_CARD), of_kind(GIFT));
    if !cards.is_empty() {
        let mut cards = gift_cards::of_lines(conn, &cards).await?;
        for line in lines.iter_mut() {
            let its = cards.iter().position(|card| card.line_id == Some(line.id));
            line.gift_card = its.map(|position| BoughtGiftCard::of(cards.swap_remove(position)));
        }
    }
    if !given.is_empty() {
        let mut given = gifts::of_lines(conn, &given).await?;
        for line in lines.iter_mut() {
            let its = given.iter().position(|gift| gift.line_id == line.id);
            line.gift = its.map(|position| BoughtGift::of(given.swap_remove(position), now));
        }
    }
    Ok(())
}
