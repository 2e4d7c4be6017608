//! Rights come with a paid line and end with its refund or by their date; others are there for as long as somebody belongs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::model::{self, NewRight, end_of};
use super::rules::{self, Belonging, Right};
use crate::db::Conn;
use crate::error::Result;
use crate::membership::memberships::rules::GRACE;
use crate::shop::products::model::{Article, ProductKind};
use crate::shop::visitors;
use crate::types::id::{AccountId, LineId, RightId};

/// Gives what lines hold of digital goods: their own, or those in a bundle. Whose each line is, and what it sells.
///
/// # Errors
/// The database's.
pub async fn grant(
    conn: &mut Conn,
    sold: &[(AccountId, LineId, &Article)],
    now: DateTime<Utc>,
) -> Result<()> {
    let rights = sold.iter().flat_map(|(account, line, article)| of_line(*account, *line, article, now));
    NewRight::insert(&mut &*conn, rights.collect()).await?;
    Ok(())
}

fn of_line(account: AccountId, line: LineId, article: &Article, now: DateTime<Utc>) -> Vec<NewRight> {
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
    rights.collect()
}

/// What an account may open now, bought or by belonging, what lasts longest first; of one product where one is named (by id
/// or slug).
///
/// # Errors
/// The database's.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    product: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Right>> {
    let mut found = model::held(conn, account, product, now).await?;
    found.extend(opened(conn, &[account], product, now).await?.remove(&account).unwrap_or_default());
    rules::longest_first(&mut found);
    Ok(found)
}

/// What each of these accounts may open now by belonging, what lasts longest first.
///
/// # Errors
/// The database's.
pub async fn by_belonging(
    conn: &mut Conn,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, Vec<Right>>> {
    let mut found = opened(conn, accounts, None, now).await?;
    found.values_mut().for_each(|rights| rules::longest_first(rights));
    Ok(found)
}

async fn opened(
    conn: &mut Conn,
    accounts: &[AccountId],
    product: Option<&str>,
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, Vec<Right>>> {
    let products = model::opened_by_belonging(conn, product).await?;
    if products.is_empty() {
        return Ok(HashMap::new());
    }
    let audiences = products.iter().filter_map(|product| product.opens_for.as_ref());
    let crowd = visitors::crowd(conn, accounts, audiences, now).await?;
    let of_account = |account: &AccountId| {
        let member = crowd.membership(*account).and_then(|row| {
            let tier = crowd.ranks.code_of(row.tier_id)?.to_owned();
            Some(Belonging { membership: row.id, tier, starts_at: row.starts_at, ends_at: row.ends_at })
        });
        let visitor = crowd.visitor(*account);
        let opened = products.iter().filter_map(|product| {
            rules::by_belonging(product, visitor, member.as_ref(), &crowd.ranks, now, GRACE)
        });
        (*account, opened.collect())
    };
    Ok(accounts.iter().map(of_account).collect())
}
