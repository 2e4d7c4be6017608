//! What a paid order gives at once: memberships, rights, and the mails that say so. Goods wait for their parcel, by a date that
//! is promised now.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::service::recipient_of;
use super::settling::Due;
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
use crate::jobs;
use crate::loyalty::walks::service as walks;
use crate::membership::memberships;
use crate::membership::memberships::giving::welcome;
use crate::membership::memberships::service::{Activated, Activation};
use crate::membership::upgrades::service::{self as upgrades, PaidUpgrade};
use crate::messages::mails::{self, Mail, ReceiptLine, Recipient};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::shop::products::model::{self as products, Article};
use crate::shop::{board, rights};
use crate::types::id::{AccountId, LineId, VariantId};

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

/// Marks orders paid and fulfils each line; mails the receipts and, once members have their numbers, the welcomes.
///
/// # Errors
/// The database's.
pub async fn deliver(conn: &mut Conn, terms: DeliveryTerms, now: DateTime<Utc>, set: &[Due]) -> Result<()> {
    let articles = articles_of(conn, set.iter().flat_map(|due| &due.lines)).await?;
    let states: Vec<_> = set.iter().map(|due| (due.order.id, state_of(due, &articles))).collect();
    orders::set_paid(conn, &states, now).await?;
    follow(conn, now, set).await?;
    let mut delivery = Delivery::default();
    for due in set {
        delivery.queued.push((
            recipient_of(&due.order),
            format!("receipt:{}", due.order.id),
            receipt(&due.order, &due.lines, now),
        ));
    }
    for due in set {
        for line in &due.lines {
            delivery.add(conn, terms, now, &due.order, line, &articles).await?;
        }
    }
    orders::set_fulfilled(conn, &delivery.fulfilled, now).await?;
    rights::service::grant(conn, &delivery.rights, now).await?;
    promise(conn, terms, now, set, &articles).await?;
    let activated = memberships::service::activate(conn, &delivery.activations).await?;
    for ((to, line), activated) in delivery.members.into_iter().zip(&activated) {
        let mail = if line.renewal_id.is_some() { renewed(activated) } else { welcome(activated) };
        delivery.queued.push((to, format!("welcome:{}", line.id), mail));
    }
    mails::queue_all(conn, now, &delivery.queued).await
}

/// What is delivered with a set.
#[derive(Default)]
struct Delivery<'a> {
    queued: Vec<(Recipient, String, Mail)>,
    fulfilled: Vec<LineId>,
    rights: Vec<(AccountId, LineId, &'a Article)>,
    activations: Vec<Activation>,
    /// Of each activation.
    members: Vec<(Recipient, &'a LineRow)>,
}

impl<'a> Delivery<'a> {
    async fn add(
        &mut self,
        conn: &mut Conn,
        terms: DeliveryTerms,
        now: DateTime<Utc>,
        order: &OrderRow,
        line: &'a LineRow,
        articles: &'a HashMap<VariantId, Article>,
    ) -> Result<()> {
        match (line.plan_id, line.variant_id.and_then(|id| articles.get(&id))) {
            (None, None) if line.is_gift_card() => gift_cards::service::activate(conn, line.id, now).await?,
            (Some(_), _) if line.is_gift() => {
                gifts::service::activate(conn, line.id, terms.gift_valid, now).await?;
            }
            (Some(_), _) if line.upgrade_quote_id.is_some() => {
                let upgraded = upgrade(conn, line, terms, now).await?;
                self.queued.push((recipient_of(order), format!("upgraded:{}", line.id), upgraded));
            }
            (Some(plan), _) => {
                self.members.push((recipient_of(order), line));
                self.activations.push(Activation {
                    account: order.account_id,
                    plan,
                    line: line.id,
                    value_minor: line.money_minor(),
                    now,
                    zone: terms.zone,
                });
            }
            (None, Some(article)) => {
                self.rights.push((order.account_id, line.id, article));
                if article.is_shipped() {
                    // It is fulfilled by its parcel.
                    return Ok(());
                }
            }
            (None, None) => return Err(AppError::internal("a line that sells nothing")),
        }
        self.fulfilled.push(line.id);
        Ok(())
    }
}

/// What becomes of an order by its payment: goods wait for their parcel.
fn state_of(due: &Due, articles: &HashMap<VariantId, Article>) -> OrderState {
    let mut sold = due.lines.iter().filter_map(|line| articles.get(&line.variant_id?));
    if sold.any(Article::is_shipped) { OrderState::Paid } else { OrderState::Fulfilled }
}

/// What others make of paid orders: invoices, those who invited, points, levels, occasions.
async fn follow(conn: &mut Conn, now: DateTime<Utc>, set: &[Due]) -> Result<()> {
    let invoiced = set.iter().filter(|due| due.order.total_minor > 0).map(|due| due.order.id);
    invoices::owe(conn, &invoiced.collect::<Vec<_>>(), invoices::Cause::Paid, now).await?;
    let mut queued =
        invited::service::paid(conn, &set.iter().map(|due| &due.order).collect::<Vec<_>>()).await?;
    queued.extend(set.iter().filter_map(|due| earned::service::paid(due.order.id, &due.lines)));
    let queued: Vec<_> = queued.into_iter().map(|job| (job, now)).collect();
    jobs::enqueue_all(conn, &queued, now).await?;
    let buyers: Vec<_> = set.iter().map(|due| due.order.account_id).collect();
    walks::touched(conn, &buyers, false, now).await?;
    occasions::happened_to(conn, OccasionEvent::NthOrder, &buyers, now).await
}

/// By when is sent what of the orders isn't fulfilled yet.
async fn promise(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    set: &[Due],
    articles: &HashMap<VariantId, Article>,
) -> Result<()> {
    let open: Vec<_> = set.iter().filter(|due| state_of(due, articles) == OrderState::Paid).collect();
    let drops: Vec<_> = open.iter().flat_map(|due| due.drops()).collect();
    let funded = pledges::service::ready_at(conn, &drops).await?;
    let promised = open.iter().map(|due| {
        let funded_at = due.drops().filter_map(|drop| funded.get(&drop).copied());
        let ready_at = due.lines.iter().filter_map(|line| line.ships_from).chain(funded_at).max();
        (due.order.id, ship_by(now, ready_at, terms.ship_within))
    });
    promises::make(conn, &promised.collect::<Vec<_>>()).await
}

/// Adds what was delivered to the sums of its drops. The pools are locked before these: the last of all locks.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut Conn, set: &[Due], now: DateTime<Utc>) -> Result<()> {
    let in_drops = |line: &LineRow| line.drop_id.map(|drop| (drop, line.quantity, line.total_minor));
    let sold = set.iter().map(|due| (due.order.id, due.lines.iter().filter_map(in_drops).collect()));
    board::service::count_sales(conn, &sold.collect::<Vec<_>>(), now).await
}

/// What the lines sell of the shop.
///
/// # Errors
/// The database's.
pub async fn articles_of(
    conn: &Conn,
    lines: impl IntoIterator<Item = &LineRow>,
) -> Result<HashMap<VariantId, Article>> {
    let ids: Vec<_> = lines.into_iter().filter_map(|line| line.variant_id).collect();
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
