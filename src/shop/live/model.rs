//! What all readers of a drop are shown a part of, read for all watched drops at once.

use std::collections::HashMap;

use crate::db::Conn;
use crate::error::Result;
use crate::shop::audience::{Audience, Ranks};
use crate::shop::board::model::{self as boards, Board};
use crate::shop::drops::model::{self as drops, Drop};
use crate::shop::products::model::{self as products, Article};
use crate::types::id::{DropId, VariantId};

/// A drop at one moment, with what decides who sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub drop: Drop,
    pub articles: HashMap<VariantId, Article>,
    pub board: Option<Board>,
    pub ranks: Ranks,
}

impl Shown {
    /// For whom something of it is.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.drop.audiences().chain(self.articles.values().flat_map(Article::audiences))
    }
}

/// The drops of these ids; what is archived isn't among them.
///
/// # Errors
/// The database's.
pub async fn look(conn: &mut Conn, ids: &[DropId]) -> Result<Vec<Shown>> {
    let mut drops = drops::load(conn, ids).await?;
    drops.retain(|drop| drop.archived_at.is_none());
    with_articles(conn, drops).await
}

/// Drops with what decides who sees them, and their boards.
///
/// # Errors
/// The database's.
pub async fn with_articles(conn: &mut Conn, drops: Vec<Drop>) -> Result<Vec<Shown>> {
    let ids: Vec<_> = drops.iter().map(|drop| drop.id).collect();
    let variants: Vec<_> = drops.iter().flat_map(|drop| drop.items.iter().map(|item| item.variant)).collect();
    let articles: HashMap<_, _> =
        products::articles(conn, &variants).await?.into_iter().map(|article| (article.id, article)).collect();
    let mut boards = boards::of(conn, &ids).await?;
    let ranks = products::ranks(conn).await?;
    let shown = |drop: Drop| Shown {
        articles: drop
            .items
            .iter()
            .filter_map(|item| Some((item.variant, articles.get(&item.variant)?.clone())))
            .collect(),
        board: boards.remove(&drop.id),
        ranks: ranks.clone(),
        drop,
    };
    Ok(drops.into_iter().map(shown).collect())
}
