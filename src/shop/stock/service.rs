//! Moves of stock by operators, and the ones that F-codes cause.

use serde_json::json;

use super::model::{self, Move, Reason};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::shop::products::model as products;
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
