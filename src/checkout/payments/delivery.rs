//! What a paid order gives at once: memberships, rights, and the mails that say so. Goods wait for their parcel, by a date that
//! is promised now.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::service::recipient_of;
use crate::checkout::earned;
use crate::checkout::gift_cards;
use crate::checkout::gifts;
use crate::checkout::invited;
use crate::checkout::invoices::service as invoices;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::pledges;
use crate::checkout::shipments::promises;
use crate::checkout::shipments::rules::ship_by;
use crate::config::Settings;
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::loyalty::walks::service as walks;
use crate::membership::memberships;
use crate::membership::memberships::giving::welcome;
use crate::membership::memberships::service::{Activated, Activation};
use crate::membership::upgrades::service::{self as upgrades, PaidUpgrade};
use crate::messages::mails::{self, Mail, ReceiptLine};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::shop::products::model::{self as products, Article};
use crate::shop::{board, rights};
use crate::types::id::VariantId;

/// What of the settings a delivery goes by.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryTerms {
    /// In which terms of memberships are counted.
    pub zone: Tz,
    /// From payment until goods are to be handed to a carrier.
    pub ship_within: TimeDelta,
    /// From its delivery until a gift membership is to be redeemed.
    pub gift_valid: TimeDelta,
}

impl DeliveryTerms {
    pub fn of(settings: &Settings) -> Self {
        Self {
            zone: settings.timezone,
            ship_within: settings.goods.ship_within,
            gift_valid: settings.gift_valid,
        }
    }
}

/// Marks the order paid and fulfils each line; mails the receipt and, once a member has a number, the welcome.
///
/// # Errors
/// The database's.
pub async fn deliver(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    order: &OrderRow,
    lines: &[LineRow],
) -> Result<()> {
    orders::set_state(conn, order.id, OrderState::Paid, now).await?;
    if order.total_minor > 0 {
        invoices::owe(conn, order.id, invoices::Cause::Paid, now).await?;
    }
    invited::service::paid(conn, order, now).await?;
    earned::service::paid(conn, order, lines, now).await?;
    walks::touched(conn, &[order.account_id], false, now).await?;
    let recipient = recipient_of(order);
    let mut queued = vec![(recipient.clone(), format!("receipt:{}", order.id), receipt(order, lines, now))];
    let articles = articles_of(conn, lines).await?;
    let mut is_fulfilled = true;
    for line in lines {
        match (line.plan_id, line.variant_id.and_then(|id| articles.get(&id))) {
            (None, None) if line.is_gift_card() => gift_cards::service::activate(conn, line.id, now).await?,
            (Some(_), _) if line.is_gift() => {
                gifts::service::activate(conn, line.id, terms.gift_valid, now).await?;
            }
            (Some(_), _) if line.upgrade_quote_id.is_some() => {
                let upgraded = upgrade(conn, line, terms, now).await?;
                queued.push((recipient.clone(), format!("upgraded:{}", line.id), upgraded));
            }
            (Some(plan), _) => {
                let activation = Activation {
                    account: order.account_id,
                    plan,
                    line: line.id,
                    value_minor: line.money_minor(),
                    now,
                    zone: terms.zone,
                };
                let activated = memberships::service::activate(conn, &activation).await?;
                let mail = if line.renewal_id.is_some() { renewed(&activated) } else { welcome(&activated) };
                queued.push((recipient.clone(), format!("welcome:{}", line.id), mail));
            }
            (None, Some(article)) => {
                rights::service::grant(conn, order.account_id, line.id, article, now).await?;
                if article.is_shipped() {
                    // It is fulfilled by its parcel.
                    is_fulfilled = false;
                    continue;
                }
            }
            (None, None) => return Err(AppError::internal("a line that sells nothing")),
        }
        orders::set_fulfilled(conn, &[line.id], now).await?;
    }
    if is_fulfilled {
        orders::set_state(conn, order.id, OrderState::Fulfilled, now).await?;
    } else {
        let funded_at = pledges::service::ready_at(conn, lines).await?;
        let ready_at = lines.iter().filter_map(|line| line.ships_from).chain(funded_at).max();
        promises::make(conn, order.id, ship_by(now, ready_at, terms.ship_within)).await?;
    }
    occasions::happened(conn, OccasionEvent::NthOrder, order.account_id, now).await?;
    mails::queue_all(conn, now, &queued).await
}

/// Adds what was delivered to the sums of its drops. The pools are locked before these: the last of all locks.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut Conn, order: &OrderRow, lines: &[LineRow], now: DateTime<Utc>) -> Result<()> {
    let in_drops = lines.iter().filter_map(|line| Some((line.drop_id?, line.quantity, line.total_minor)));
    board::service::count_sale(conn, order.id, &in_drops.collect::<Vec<_>>(), now).await
}

/// What the lines sell of the shop.
///
/// # Errors
/// The database's.
pub async fn articles_of(conn: &mut Conn, lines: &[LineRow]) -> Result<HashMap<VariantId, Article>> {
    let ids: Vec<_> = lines.iter().filter_map(|line| line.variant_id).collect();
    Ok(products::articles(conn, &ids).await?.into_iter().map(|article| (article.id, article)).collect())
}

/// Changes the buyer's membership, and says so.
async fn upgrade(conn: &mut Conn, line: &LineRow, terms: DeliveryTerms, now: DateTime<Utc>) -> Result<Mail> {
    let quote = line.upgrade_quote_id.ok_or_else(|| AppError::internal("an upgrade without its quote"))?;
    let paid = PaidUpgrade { quote, line: line.id, paid_minor: line.money_minor() };
    let done = upgrades::apply(conn, paid, now, terms.zone).await?;
    Ok(Mail::Upgraded {
        number: done.number,
        tier_zh: done.tier_zh,
        tier_en: done.tier_en,
        ends_at: done.ends_at,
    })
}

fn renewed(activated: &Activated) -> Mail {
    Mail::Renewed {
        number: activated.number.clone(),
        tier_zh: activated.tier_zh.clone(),
        tier_en: activated.tier_en.clone(),
        ends_at: activated.ends_at,
    }
}

fn receipt(order: &OrderRow, lines: &[LineRow], paid_at: DateTime<Utc>) -> Mail {
    let lines = lines.iter().map(|line| ReceiptLine {
        title: line.title.clone(),
        quantity: line.quantity,
        total_minor: line.total_minor,
    });
    Mail::Receipt {
        order_number: order.number.clone(),
        lines: lines.collect(),
        shipping_minor: order.shipping_minor,
        total_minor: order.total_minor,
        due_minor: order.due_minor,
        currency: order.currency.clone(),
        paid_at,
    }
}
