//! Rights come with a paid line and end with its refund or by their date.

use chrono::{DateTime, Utc};

use super::model::{NewRight, end_of};
use crate::db::Conn;
use crate::error::Result;
use crate::shop::products::model::{Article, ProductKind};
use crate::types::id::{AccountId, LineId, RightId};

/// Gives what a line holds of digital goods: its own, or those in a bundle.
///
/// # Errors
/// The database's.
pub async fn grant(
    conn: &mut Conn,
    account: AccountId,
    line: LineId,
    article: &Article,
    now: DateTime<Utc>,
) -> Result<()> {
    let own = (article.product.kind == ProductKind::Digital)
        .then_some((article.product.id, article.product.right_days));
    let of_parts = article
        .parts
        .iter()
        .filter(|part| part.kind == ProductKind::Digital)
        .map(|part| (part.product, part.right_days));
    let mut products: Vec<_> = own.into_iter().chain(of_parts).collect();
    // Two variants of one product in a bundle give one right, the longer one.
    products.sort_by_key(|(product, days)| (*product, std::cmp::Reverse(days.unwrap_or(i32::MAX))));
    products.dedup_by_key(|(product, _)| *product);
    let rights = products.into_iter().map(|(product, days)| NewRight {
        id: RightId::new(),
        account_id: account,
        product_id: product,
        line_id: line,
        starts_at: now,
        ends_at: end_of(now, days),
    });
    NewRight::insert(&mut &*conn, rights.collect()).await?;
    Ok(())
}
