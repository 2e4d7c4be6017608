//! What goes into parcels: seen from facts that are read set by set, for as many orders as are packed together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::checkout::cancellations::model as cancellations;
use crate::checkout::claims;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::pledges;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::shop::products::model::{self as products, Article, ProductKind};
use crate::shop::stock::model as stock_rows;
use crate::shop::stock::service as stock;
use crate::types::id::{DropId, LineId, OrderId, PoolId, ShipmentId, VariantId};

/// A parcel that can be sent.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub id: ShipmentId,
    /// What it is sent by, once.
    pub cause: String,
    /// Units of lines.
    pub contents: Vec<(LineId, i64)>,
    /// Of the whole order.
    pub lines: Vec<LineRow>,
    /// What was still to be sent of each line before it.
    pub open: HashMap<LineId, i64>,
    /// What it takes out of which stock.
    units: BTreeMap<VariantId, (PoolId, i64)>,
}

impl Parcel {
    /// How many units of a line are in it.
    pub fn units_of(&self, line: LineId) -> i64 {
        self.contents.iter().find(|(id, _)| *id == line).map_or(0, |(_, units)| *units)
    }

    /// Nothing is left of a line after it.
    pub fn completes(&self, line: LineId) -> bool {
        self.open.get(&line).copied().unwrap_or(0) == self.units_of(line)
    }
}

/// How many units of a line are still to be sent.
pub fn open_units(line: &LineRow, article: &Article) -> i64 {
    if article.is_shipped() && !line.is_refunded() { line.quantity - line.shipped } else { 0 }
}

/// What is known of orders that are packed together. Their rows are locked, but for a dry run.
pub struct Facts {
    lines: HashMap<OrderId, Vec<LineRow>>,
    cancelled: HashSet<OrderId>,
    articles: HashMap<VariantId, Article>,
    /// Drops whose goal isn't reached.
    unreached: HashSet<DropId>,
    /// Variants of which something was announced that didn't come yet.
    announced: HashSet<VariantId>,
}

impl Facts {
    /// # Errors
    /// The database's.
    pub async fn read(conn: &mut Conn, ids: &[OrderId]) -> Result<Self> {
        let all = orders::lines_of(conn, ids).await?;
        let sold: HashSet<VariantId> = all.iter().filter_map(|line| line.variant_id).collect();
        let sold: Vec<_> = sold.into_iter().collect();
        let articles = products::articles(conn, &sold).await?;
        let parts = articles.iter().flat_map(|article| article.parts.iter().map(|part| part.variant));
        let stocked: Vec<_> = sold.iter().copied().chain(parts).collect();
        let mut announced = stock_rows::announced(conn, &stocked).await?;
        announced.retain(|_, units| *units > 0);
        let unreached = pledges::service::unreached(conn, &all).await?;
        let mut lines: HashMap<OrderId, Vec<LineRow>> = HashMap::new();
        for line in all {
            lines.entry(line.order_id).or_default().push(line);
        }
        Ok(Self {
            lines,
            cancelled: cancellations::among(conn, ids).await?,
            articles: articles.into_iter().map(|article| (article.id, article)).collect(),
            unreached,
            announced: announced.into_keys().collect(),
        })
    }

    /// Sees what goes into a parcel of an order; all that is open where nothing is `asked` for. `before` says how much of a
    /// line is as good as sent; it is nothing but in a dry run. Whether what was announced has come is asked by
    /// [`Self::check_arrived`].
    ///
    /// # Errors
    /// `goal_not_reached`, `nothing_to_ship`, `invalid_field`.
    pub fn pack(
        &self,
        order: &OrderRow,
        asked: Option<&[(LineId, i64)]>,
        before: &(dyn Fn(LineId) -> i64 + Sync),
    ) -> Result<Parcel> {
        if order.paid_at.is_none() {
            return Err(Code::NothingToShip.because("The order isn't paid."));
        }
        if order.state == OrderState::Refunded || self.cancelled.contains(&order.id) {
            return Err(Code::NothingToShip.because("The order was cancelled or refunded."));
        }
        let lines = self.lines.get(&order.id).cloned().unwrap_or_default();
        if lines.iter().any(|line| line.drop_id.is_some_and(|drop| self.unreached.contains(&drop))) {
            return Err(Code::GoalNotReached.error());
        }
        let open_of = |line: &LineRow| {
            let article = line.variant_id.and_then(|id| self.articles.get(&id));
            article.map_or(0, |article| open_units(line, article)) - before(line.id)
        };
        let open: HashMap<LineId, i64> = lines.iter().map(|line| (line.id, open_of(line))).collect();
        let contents = contents(&lines, asked, |line| open.get(&line.id).copied().unwrap_or(0))?;
        let units = self.units_of(&lines, &contents);
        let id = ShipmentId::new();
        Ok(Parcel { id, cause: format!("shipment:{id}"), contents, lines, open, units })
    }

    /// Does it take of what was announced, and may not be there yet? Then [`Self::check_arrived`] has to be asked, once what goes
    /// out before it is written.
    pub fn is_of_announced(&self, parcel: &Parcel) -> bool {
        parcel.units.keys().any(|variant| self.announced.contains(variant))
    }

    /// Locks the pools of what was announced.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock_announced(&self, conn: &mut Conn) -> Result<()> {
        let own = self.articles.values().filter_map(|article| Some((article.id, article.pool?)));
        let parts = self.articles.values().flat_map(|article| &article.parts);
        let of_parts = parts.filter_map(|part| Some((part.variant, part.pool?)));
        let announced = own.chain(of_parts).filter(|(variant, _)| self.announced.contains(variant));
        let pools: BTreeSet<_> = announced.map(|(_, pool)| pool).collect();
        claims::lock(conn, &pools.into_iter().collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// Refuses to send what was announced and didn't come yet.
    ///
    /// # Errors
    /// `not_arrived`.
    pub async fn check_arrived(&self, conn: &mut Conn, parcel: &Parcel) -> Result<()> {
        if self.is_of_announced(parcel) { stock::refuse_announced(conn, &parcel.units).await } else { Ok(()) }
    }

    /// What a parcel takes out of which stock. A unit that an F-code had set aside left its stock when the code was made.
    fn units_of(&self, lines: &[LineRow], parcel: &[(LineId, i64)]) -> BTreeMap<VariantId, (PoolId, i64)> {
        let mut units: BTreeMap<VariantId, (PoolId, i64)> = BTreeMap::new();
        for (id, quantity) in parcel {
            let Some(line) = lines.iter().find(|line| line.id == *id) else { continue };
            let Some(article) = line.variant_id.and_then(|id| self.articles.get(&id)) else { continue };
            let own = article.pool.filter(|_| article.product.kind == ProductKind::Goods);
            let own = own.map(|pool| (article.id, pool, 1));
            let goods = article.parts.iter().filter(|part| part.kind == ProductKind::Goods);
            let of_parts =
                goods.filter_map(|part| Some((part.variant, part.pool?, i64::from(part.quantity))));
            for (variant, pool, of_one) in own.into_iter().chain(of_parts) {
                let taken = if line.f_code_id.is_some() { 0 } else { of_one * quantity };
                units.entry(variant).or_insert((pool, 0)).1 += taken;
            }
        }
        units
    }
}

/// What goes into the parcel: each line once, no more than is open of it.
fn contents(
    lines: &[LineRow],
    asked: Option<&[(LineId, i64)]>,
    open: impl Fn(&LineRow) -> i64,
) -> Result<Vec<(LineId, i64)>> {
    let all: Vec<_> =
        lines.iter().map(|line| (line.id, open(line))).filter(|(_, quantity)| *quantity > 0).collect();
    let Some(asked) = asked else {
        return if all.is_empty() { Err(Code::NothingToShip.error()) } else { Ok(all) };
    };
    let mut parcel: Vec<(LineId, i64)> = Vec::with_capacity(asked.len());
    for (index, (id, quantity)) in asked.iter().enumerate() {
        let wrong = |field: &str, why: &'static str| {
            Err(Code::InvalidField.at(format!("lines[{index}].{field}"), why))
        };
        if !lines.iter().any(|line| line.id == *id) {
            return wrong("line", "not a line of this order");
        }
        if parcel.iter().any(|(known, _)| known == id) {
            return wrong("line", "named twice");
        }
        if *quantity < 1 {
            return wrong("quantity", "expected at least 1");
        }
        let left = all.iter().find(|(open, _)| open == id).map_or(0, |(_, left)| *left);
        if *quantity > left {
            return Err(Code::NothingToShip.because(format!("{left} of this line are still to be sent.")));
        }
        parcel.push((*id, *quantity));
    }
    if parcel.is_empty() { Err(Code::InvalidField.at("lines", "expected at least one")) } else { Ok(parcel) }
}
