//! Events over the wire.

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::model::Shown;
use crate::error::{AppError, Result};
use crate::shop::audience::{Ranks, Visitor};
use crate::shop::board::dto::BoardView;
use crate::shop::drops::model::Drop;
use crate::shop::drops::rules::{self, DropState};
use crate::shop::products::rules::is_shown;
use crate::types::id::{DropId, VariantId};

/// `event: state`: how a drop stands, as a whole, so that nothing is lost with an event that was missed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DropEvent)]
pub struct EventView {
    /// The shop's time, to count down by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<DateTime<Utc>>,
    pub id: DropId,
    pub state: DropState,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    /// From when you may buy; null: you may not.
    pub opens_for_you_at: Option<DateTime<Utc>>,
    /// Those that you may see.
    pub items: Vec<EventItem>,
    /// Where it is public.
    pub board: Option<BoardView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DropEventItem)]
pub struct EventItem {
    pub variant: VariantId,
    /// What anybody may buy now.
    pub remaining: i64,
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Of what it says, but for the time.
    pub id: String,
    pub bytes: Bytes,
}

/// The part of a drop that this visitor sees; none: nothing.
pub fn seen_by(shown: &Shown, visitor: Visitor, ranks: &Ranks, now: DateTime<Utc>) -> Option<Drop> {
    let mut drop = shown.drop.clone();
    drop.items.retain(|item| {
        let article = shown.articles.get(&item.variant);
        article.is_some_and(|article| is_shown(&article.product, visitor, ranks, now))
    });
    (!drop.items.is_empty()).then_some(drop)
}

impl Frame {
    /// What this visitor is told; none: he doesn't see the drop.
    ///
    /// # Errors
    /// Never in practice: an event is JSON.
    pub fn new(
        shown: &Shown,
        visitor: Visitor,
        ranks: &Ranks,
        currency: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>> {
        let Some(drop) = seen_by(shown, visitor, ranks, now) else { return Ok(None) };
        let item = |item: &crate::shop::drops::model::Item| EventItem {
            variant: item.variant,
            remaining: item.on_sale(),
        };
        let board = shown
            .board
            .as_ref()
            .map(|board| BoardView { open_seconds: None, ..BoardView::new(board, &drop, currency, now) });
        let mut event = EventView {
            now: None,
            id: drop.id,
            state: rules::state(&drop, now),
            opens_at: drop.opens_at,
            closes_at: drop.closes_at,
            opens_for_you_at: rules::opens_for(&drop, visitor, ranks),
            items: drop.items.iter().map(item).collect(),
            board,
        };
        let hash = Sha256::digest(serde_json::to_vec(&event).map_err(AppError::internal)?);
        let id: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        event.now = Some(now);
        let data = serde_json::to_string(&event).map_err(AppError::internal)?;
        let bytes = Bytes::from(format!("event: state\nid: {id}\ndata: {data}\n\n"));
        Ok(Some(Self { id, bytes }))
    }
}
