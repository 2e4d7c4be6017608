//! What is known while lines are entered: products and SKUs as the database has them, and as earlier lines have left them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use kindred_stripe::Method;

use super::cells::{self, Facts};
use super::write;
use crate::checkout::claims;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::fields;
use crate::imports::cells::split;
use crate::imports::{Applied, Batch, LineError, Row, line_error};
use crate::shop::audience::Audience;
use crate::shop::products::model::{self, Article, Product, ProductKind};
use crate::shop::products::service::{Groups, VARIANTS_MAX, groups};
use crate::shop::stock::model as stock;
use crate::types::id::{ProductId, VariantId};
use crate::types::locale::Names;

/// Is what is read to be written again?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Rows are locked until the transaction ends.
    ToChange,
    ToLook,
}

/// A product with its variants, as it is after the lines so far.
#[derive(Clone, Debug)]
pub struct Shelved {
    pub product: Product,
    pub is_new: bool,
    pub is_changed: bool,
    pub variants: Vec<Placed>,
    next_position: i32,
}

/// A variant, as it is after the lines so far.
#[derive(Clone, Debug)]
pub struct Placed {
    pub id: VariantId,
    pub sku: String,
    pub position: i32,
    pub facts: Facts,
    /// Of a digital good or a bundle.
    pub limit: Option<i64>,
    pub parts: Vec<Part>,
    /// Units are announced and didn't come yet.
    pub is_announced: bool,
    /// In the database; none: not yet.
    pub stored: Option<(Facts, i32)>,
}

/// A part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub id: VariantId,
    pub sku: String,
    pub quantity: i32,
}

/// What an SKU names.
#[derive(Clone, Debug)]
pub struct Sku {
    pub id: VariantId,
    pub slug: String,
    pub is_bundle: bool,
    pub is_archived: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Created,
    Changed,
    Same,
}

/// Products by slug, and what SKUs name.
#[derive(Default)]
pub struct Shelf {
    products: BTreeMap<String, Shelved>,
    skus: HashMap<String, Sku>,
    groups: Groups,
}

impl Shelf {
    /// Reads what the lines name and isn't known yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(&mut self, conn: &mut Conn, batch: &Batch<'_>, reading: Reading) -> Result<()> {
        self.groups = groups(conn).await?;
        let named = |column: &'static str| batch.rows.iter().filter_map(move |row| row.cell(column));
        let slugs: BTreeSet<&str> = named("slug").filter(|slug| !self.products.contains_key(*slug)).collect();
        let products = write::by_slug(conn, &slugs.into_iter().collect::<Vec<_>>(), reading).await?;
        let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
        if reading == Reading::ToChange {
            write::lock_variants(conn, &ids).await?;
        }
        let articles = model::articles_of(conn, &ids).await?;
        let pools: Vec<_> = articles.iter().filter_map(|article| article.pool).collect();
        let capacity: HashMap<_, _> =
            claims::read(conn, &pools).await?.into_iter().map(|pool| (pool.id, pool.capacity)).collect();
        let ids: Vec<VariantId> = articles.iter().map(|article| article.id).collect();
        let announced = stock::announced(conn, &ids).await?;
        let mut of_product: HashMap<ProductId, Vec<Placed>> = HashMap::new();
        for article in articles {
            let is_announced = announced.get(&article.id).is_some_and(|quantity| *quantity > 0);
            let limit = article.pool.filter(|_| article.product.kind != ProductKind::Goods);
            let limit = limit.and_then(|pool| capacity.get(&pool).copied());
            of_product.entry(article.product.id).or_default().push(Placed::stored(
                article,
                limit,
                is_announced,
            ));
        }
        for product in products {
            let variants = of_product.remove(&product.id).unwrap_or_default();
            let last = variants.iter().map(|variant| variant.position).max();
            let shelved = Shelved {
                next_position: last.map_or(0, |last| last + 1),
                is_new: false,
                is_changed: false,
                variants,
                product,
            };
            self.products.insert(shelved.product.slug.clone(), shelved);
        }
        let parts = named("parts").flat_map(|cell| split(cell, cells::LIST));
        let parts = parts.map(|part| match part.rsplit_once(cells::TIMES) {
            Some((sku, _)) => sku.trim().to_owned(),
            None => part,
        });
        let skus: BTreeSet<String> = named("sku").map(str::to_owned).chain(parts).collect();
        let unknown: Vec<String> = skus.into_iter().filter(|sku| !self.skus.contains_key(sku)).collect();
        self.skus.extend(write::by_sku(conn, &unknown).await?);
        Ok(())
    }

    /// Enters line after line; one that is wrong leaves its error and nothing else.
    pub fn enter_all(&mut self, batch: &Batch<'_>) -> Applied {
        let mut applied = Applied::default();
        for row in batch.rows {
            match self.enter(row, batch) {
                Ok(Effect::Created) => applied.created += 1,
                Ok(Effect::Changed) => applied.changed += 1,
                Ok(Effect::Same) => {}
                Err(error) => applied.errors.push(error),
            }
        }
        applied
    }

    fn enter(&mut self, row: &Row<'_>, batch: &Batch<'_>) -> Result<Effect, LineError> {
        let slug = row.cell("slug").unwrap_or_default();
        let slug = fields::slug("", slug).map_err(|error| line_error(row, "slug", error))?;
        let sku = row.cell("sku").unwrap_or_default();
        let sku = fields::line("", sku, 64).map_err(|error| line_error(row, "sku", error))?;
        let known = self.skus.get(&sku);
        if let Some(other) = known.filter(|known| known.slug != slug) {
            return Err(row.error("sku", Code::CodeTaken, format!("it is of the product {}", other.slug)));
        }
        let shelved = match self.products.get(&slug) {
            Some(shelved) => shelved.clone(),
            None => Shelved::new(row, slug, batch.now)?,
        };
        let after = shelved.clone().after(row, &sku, self, batch)?;
        let effect = match (known.is_some(), after.is_changed && !shelved.is_changed, &after) {
            (false, ..) => Effect::Created,
            (true, changed, after) if changed || after.differs(&shelved, &sku) => Effect::Changed,
            _ => Effect::Same,
        };
        if let Some(placed) = after.variants.iter().find(|variant| variant.sku == sku) {
            let entry = Sku {
                id: placed.id,
                slug: after.product.slug.clone(),
                is_bundle: after.product.kind == ProductKind::Bundle,
                is_archived: placed.facts.is_archived,
            };
            self.skus.insert(sku, entry);
        }
        self.products.insert(after.product.slug.clone(), after);
        Ok(effect)
    }

    /// Takes what the lines so far would have done for done, for a dry run's next part.
    pub fn settle(&mut self) {
        for shelved in self.products.values_mut() {
            (shelved.is_new, shelved.is_changed) = (false, false);
            for variant in &mut shelved.variants {
                variant.stored = Some((variant.facts.clone(), 1));
            }
        }
    }

    /// What has come of the lines.
    pub fn products(&self) -> impl Iterator<Item = &Shelved> {
        self.products.values()
    }

    fn part(&self, row: &Row<'_>, sku: String, quantity: i32) -> Result<Part, LineError> {
        let known = self.skus.get(&sku).filter(|known| !known.is_bundle && !known.is_archived);
        let known = known.ok_or_else(|| {
            row.error("parts", Code::UnknownArticle, format!("{sku} is unknown, archived, or a bundle"))
        })?;
        Ok(Part { id: known.id, sku, quantity })
    }
}

impl Placed {
    fn stored(article: Article, limit: Option<i64>, is_announced: bool) -> Self {
        let facts = Facts {
            options: article.options,
            price_minor: article.price_minor,
            weight_grams: article.weight_grams,
            open_sale: article.open_sale,
            max_per_order: article.max_per_order,
            low_stock_at: article.low_stock_at,
            ships_from: article.ships_from,
            is_archived: article.archived_at.is_some(),
        };
        let part = |part: model::Part| Part { id: part.variant, sku: part.sku, quantity: part.quantity };
        Self {
            id: article.id,
            sku: article.sku,
            position: article.position,
            limit,
            is_announced,
            parts: article.parts.into_iter().map(part).collect(),
            stored: Some((facts.clone(), article.version)),
            facts,
        }
    }

    /// Is it to be written?
    pub fn is_changed(&self) -> bool {
        self.stored.as_ref().is_some_and(|(facts, _)| *facts != self.facts)
    }
}

impl Shelved {
    /// A product of which nothing is said yet but its kind.
    fn new(row: &Row<'_>, slug: String, now: DateTime<Utc>) -> Result<Self, LineError> {
        let kind =
            cells::kind(cells::needed(row, "kind")?).map_err(|error| line_error(row, "kind", error))?;
        let product = Product {
            id: ProductId::new(),
            slug,
            kind,
            names: Names::new("", ""),
            about: Names::new("", ""),
            images: Vec::new(),
            category: None,
            tags: Vec::new(),
            tax_rate_bp: 0,
            sees: Audience::Everyone,
            buys: Audience::Everyone,
            payment_methods: vec![Method::Card, Method::WechatPay, Method::Alipay],
            hold_minutes: 15,
            right_days: None,
            opens_for: None,
            shown_from: None,
            shown_until: None,
            available_from: None,
            hides_price: false,
            created_at: now,
            archived_at: None,
            version: 1,
        };
        Ok(Self { product, is_new: true, is_changed: false, variants: Vec::new(), next_position: 0 })
    }

    /// The product and its variant as they are after the line.
    fn after(
        mut self,
        row: &Row<'_>,
        sku: &str,
        shelf: &Shelf,
        batch: &Batch<'_>,
    ) -> Result<Self, LineError> {
        let wrong = |column: &str, why: &str| Err(row.error(column, Code::InvalidField, why));
        let kind = row.cell("kind").filter(|cell| !cell.is_empty());
        if kind.is_some_and(|kind| kind != self.product.kind.as_str()) {
            return wrong("kind", "a product's kind never changes");
        }
        let product = cells::product(row, &self.product, &shelf.groups, batch.now)?;
        self.is_changed |= product != self.product;
        self.product = product;
        match self.variants.iter_mut().find(|variant| variant.sku == sku) {
            Some(variant) => {
                let facts = cells::variant(row, &variant.facts, batch.currency, batch.now)?;
                let is_told = facts.ships_from == variant.facts.ships_from
                    || facts.ships_from.is_some_and(|from| batch.now < from);
                if variant.is_announced && !is_told {
                    let why = "units are announced: enter that they came, or take them back";
                    return Err(row.error("ships_from", Code::InUse, why));
                }
                variant.facts = facts;
                let limit = cells::limit(row)?;
                if limit.is_some() && limit != variant.limit {
                    return wrong("limit", "it can't be changed here");
                }
                if let Some(mut parts) = cells::parts(row)? {
                    let part = |part: &Part| (part.sku.clone(), part.quantity);
                    let mut known: Vec<_> = variant.parts.iter().map(part).collect();
                    parts.sort();
                    known.sort();
                    if parts != known {
                        return wrong("parts", "what is in a bundle never changes");
                    }
                }
            }
            None => {
                let placed = self.place(row, sku, shelf, batch)?;
                self.next_position += 1;
                self.variants.push(placed);
            }
        }
        Ok(self)
    }

    fn place(&self, row: &Row<'_>, sku: &str, shelf: &Shelf, batch: &Batch<'_>) -> Result<Placed, LineError> {
        let wrong = |column: &str, why: String| Err(row.error(column, Code::InvalidField, why));
        let is_bundle = self.product.kind == ProductKind::Bundle;
        let most = if is_bundle { 1 } else { VARIANTS_MAX };
        if self.product.archived_at.is_some() {
            return wrong("slug", "the product is archived".to_owned());
        }
        if self.variants.len() >= most {
            return wrong("sku", format!("a product of this kind has at most {most}"));
        }
        cells::needed(row, "price")?;
        let facts = cells::variant(row, &Facts::default(), batch.currency, batch.now)?;
        if facts.is_archived {
            return wrong("archived", "it is new".to_owned());
        }
        let limit = cells::limit(row)?;
        if limit.is_some() && self.product.kind == ProductKind::Goods {
            return wrong("limit", "goods have stock: move some in".to_owned());
        }
        let parts = cells::parts(row)?.unwrap_or_default();
        if is_bundle == parts.is_empty() {
            let why = if is_bundle { "needed for a bundle" } else { "only a bundle has parts" };
            return wrong("parts", why.to_owned());
        }
        let parts: Result<_, _> =
            parts.into_iter().map(|(sku, quantity)| shelf.part(row, sku, quantity)).collect();
        Ok(Placed {
            id: VariantId::new(),
            sku: sku.to_owned(),
            position: self.next_position,
            facts,
            limit,
            parts: parts?,
            is_announced: false,
            stored: None,
        })
    }

    /// Did the line change the variant?
    fn differs(&self, before: &Self, sku: &str) -> bool {
        let facts = |shelved: &Self| {
            let found = shelved.variants.iter().find(|variant| variant.sku == sku);
            found.map(|variant| variant.facts.clone())
        };
        self.product != before.product || facts(self) != facts(before)
    }
}
