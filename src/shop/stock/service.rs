//! Moves of stock by operators, and the ones that F-codes and returns cause.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, Move, Reason};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::shop::products::model::{self as products, Article, ProductKind};
use crate::shop::waiting_list;
use crate::types::id::{MoveId, PoolId, VariantId};

/// A move that an operator makes.
#[derive(Clone, Debug)]
pub struct NewMove {
    pub variant: VariantId,
    /// Negative: it goes out.
    pub quantity: i64,
    pub reason: Reason,
    pub note: Option<String>,
}

/// Enters a move, once a request.
///
/// # Errors
/// `unknown_article` for what has no stock, `stock_not_free` where more would go than is free, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn enter(app: &App, actor: Actor, new: &NewMove, request: &Request) -> Result<Move> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let id = MoveId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            let earlier = model::by_cause(conn, &cause_of(MoveId(earlier))).await?;
            return earlier.ok_or_else(|| AppError::internal("a move that was entered is gone"));
        }
        let article = products::articles(conn, &[new.variant]).await?.pop();
        let pool = article
            .filter(|article| !article.is_bundle())
            .and_then(|article| article.pool)
            .ok_or_else(|| Code::UnknownArticle.at("variant", "there is no stock of it"))?;
        let entry = Move {
            id,
            variant_id: new.variant,
            quantity: new.quantity,
            reason: new.reason,
            note: new.note.clone(),
            cause: cause_of(id),
            moved_by: actor.kind().to_owned(),
            moved_at: now,
        };
        enter_if_free(conn, pool, &entry).await?;
        if entry.quantity > 0 {
            waiting_list::service::wake(conn, now).await?;
        }
        let detail =
            json!({ "move": id.to_string(), "quantity": new.quantity, "reason": new.reason.as_str() });
        let entry_of_log = Entry {
            actor,
            action: "stock.move",
            subject_kind: "variant",
            subject_id: new.variant.to_string(),
            reason: new.note.as_deref(),
            detail,
        };
        audit::record(conn, now, entry_of_log).await?;
        Ok(entry)
    })
    .await
}

fn cause_of(id: MoveId) -> String {
    format!("move:{id}")
}

/// Locks the pool and enters a move, if so much is free.
///
/// # Errors
/// `stock_not_free`.
pub async fn enter_if_free(conn: &mut Conn, pool: PoolId, entry: &Move) -> Result<()> {
    let locked = claims::lock(conn, &[pool]).await?;
    let left = locked.first().map_or(0, claims::Pool::left);
    if left + entry.quantity < 0 {
        return Err(Code::StockNotFree.because(format!("{left} are free.")));
    }
    if model::enter(conn, pool, entry).await? {
        Ok(())
    } else {
        Err(AppError::internal("a new move has an old cause"))
    }
}

/// What takes units of an article in when it comes back: its stock or its parts', with the variant for the ledger and how
/// many of one unit; and a bundle's own limit. What a part is a right to doesn't come back.
fn shelves_of(article: &Article) -> Vec<(Option<VariantId>, PoolId, i64)> {
    let own = match article.product.kind {
        ProductKind::Goods => article.pool.map(|pool| (Some(article.id), pool, 1)),
        ProductKind::Bundle => article.pool.map(|pool| (None, pool, 1)),
        ProductKind::Digital => None,
    };
    let goods = article.parts.iter().filter(|part| part.kind == ProductKind::Goods);
    own.into_iter()
        .chain(goods.filter_map(|part| Some((Some(part.variant), part.pool?, i64::from(part.quantity)))))
        .collect()
}

/// The pools that [`take_in`] changes, to be locked before.
pub fn pools_of(article: &Article) -> Vec<PoolId> {
    shelves_of(article).into_iter().map(|(_, pool, _)| pool).collect()
}

/// Units of an article go back on sale one by one, while the claims by which they were sold stay taken: the ledger's moves
/// raise the capacity. `cause` is new. The pools of [`pools_of`] are locked.
///
/// # Errors
/// `amount_out_of_range`.
pub async fn take_in(
    conn: &mut Conn,
    actor: Actor,
    article: &Article,
    units: i64,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    if units == 0 {
        return Ok(());
    }
    for (variant, pool, of_one) in shelves_of(article) {
        let quantity = of_one.checked_mul(units).ok_or(Code::AmountOutOfRange)?;
        let Some(variant_id) = variant else {
            model::resize(conn, pool, quantity).await?;
            continue;
        };
        let entry = Move {
            id: MoveId::new(),
            variant_id,
            quantity,
            reason: Reason::Returned,
            note: None,
            cause: format!("{cause}:{variant_id}"),
            moved_by: actor.kind().to_owned(),
            moved_at: now,
        };
        if !model::enter(conn, pool, &entry).await? {
            return Err(AppError::internal("units came back twice of one cause"));
        }
    }
    waiting_list::service::wake(conn, now).await
}
