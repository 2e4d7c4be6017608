//! Moves of stock by operators, and the ones that F-codes and returns cause.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, Move, Reason};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, LowItem, Mail, Recipient};
use crate::people::accounts::model as accounts;
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
    /// It takes the place of what was announced.
    pub of_announced: bool,
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
        // With the variant locked nobody takes back meanwhile from when on it is sent.
        let article = products::lock_variant(conn, new.variant).await?;
        let article = article.filter(|article| !article.is_bundle());
        let no_stock = || Code::UnknownArticle.at("variant", "there is no stock of it");
        let pool = article.as_ref().and_then(|article| article.pool).ok_or_else(no_stock)?;
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
        let is_told = article.is_some_and(|article| article.ships_from(now).is_some());
        if new.reason == Reason::Announced && new.quantity > 0 && !is_told {
            return Err(
                Code::InvalidField.at("reason", "set ships_from of the variant first: buyers are told")
            );
        }
        enter_if_free(conn, pool, &entry).await?;
        take_announced(conn, pool, new, &entry).await?;
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

/// What arrives takes the place of what was announced, of which there is never less than none. The pool is locked.
async fn take_announced(conn: &mut Conn, pool: PoolId, new: &NewMove, entry: &Move) -> Result<()> {
    if new.of_announced {
        let gone = Move {
            id: MoveId::new(),
            quantity: -entry.quantity,
            reason: Reason::Announced,
            cause: format!("{}:arrived", entry.cause),
            ..entry.clone()
        };
        model::enter(conn, pool, &gone).await?;
    }
    if new.of_announced || new.reason == Reason::Announced {
        let left = model::announced(conn, &[new.variant]).await?.remove(&new.variant).unwrap_or(0);
        if left < 0 {
            let were = left + new.quantity.abs();
            return Err(Code::StockNotFree.because(format!("{were} are announced.")));
        }
    }
    Ok(())
}

/// Refuses to send what was announced and didn't come yet. `wanted` is how many of each variant's stock go out now; of what
/// was set aside, none.
///
/// # Errors
/// `not_arrived`.
pub async fn refuse_announced(conn: &mut Conn, wanted: &BTreeMap<VariantId, (PoolId, i64)>) -> Result<()> {
    let variants: Vec<_> = wanted.keys().copied().collect();
    let mut announced = model::announced(conn, &variants).await?;
    announced.retain(|_, quantity| *quantity > 0);
    let waiting: Vec<_> = announced.into_keys().collect();
    let pools: Vec<_> =
        waiting.iter().filter_map(|variant| wanted.get(variant)).map(|(pool, _)| *pool).collect();
    claims::lock(conn, &pools).await?;
    for (variant, there) in model::on_hand(conn, &waiting).await? {
        let units = wanted.get(&variant).map_or(0, |(_, units)| *units);
        if there < units {
            return Err(Code::NotArrived.because(format!("{} of it have come.", there.max(0))));
        }
    }
    Ok(())
}

/// Variants of one mail.
const LOW_A_MAIL: usize = 100;

/// The job [`crate::jobs::Job::WatchStock`]: tells owners and managers of what has become low, once until there is more
/// again. It looks at all variants at once, away from the placing of orders.
///
/// # Errors
/// The database's.
pub async fn watch(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let low = model::become_low(conn, now).await?;
        let mut batch = Vec::new();
        for operator in accounts::operators(conn).await? {
            let Some(address) = operator.email else { continue };
            let to = Recipient { account: Some(operator.id), address, locale: operator.locale };
            for (number, part) in low.chunks(LOW_A_MAIL).enumerate() {
                let cause = format!("low_stock:{}:{number}:{}", now.timestamp_micros(), operator.id);
                let items = part.iter().map(|low| LowItem {
                    sku: low.sku.clone(),
                    name_zh: low.name_zh.clone(),
                    name_en: low.name_en.clone(),
                    left: low.left,
                });
                batch.push((to.clone(), cause, Mail::LowStock { items: items.collect() }));
            }
        }
        mails::queue_all(conn, now, &batch).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
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
