//! The catalog as CSV, page by page, so that no export is too large.

use bytes::Bytes;
use futures::stream::{self, Stream};
use uuid::Uuid;

use super::{COLUMNS, cells};
use crate::app::App;
use crate::db;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::imports::cells::{join, line};
use crate::shop::products::dto::Whole;
use crate::shop::products::model::{self, Article, Filter};
use crate::shop::products::service;
use crate::types::money;

/// Products that are read at a time.
const PRODUCTS: i64 = 100;

/// Begins the file: spreadsheets take UTF-8 for what it is.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Every product, archived ones too, newest first, each variant a line.
pub fn lines(app: actix_web::web::Data<App>) -> impl Stream<Item = Result<Bytes>> {
    stream::try_unfold(Some((app, Uuid::max(), true)), async |state| {
        let Some((app, before, is_first)) = state else { return Ok::<_, AppError>(None) };
        let mut text = if is_first { header()? } else { Vec::new() };
        let mut conn = db::connect(&app.pool).await?;
        let filter = Filter { with_archived: true, ..Filter::default() };
        let products = model::list(&mut conn, filter, Page { limit: PRODUCTS - 1, before }).await?;
        let next = products.last().map(|product| product.id.0);
        for whole in service::whole(&mut conn, products).await? {
            for article in &whole.articles {
                text.extend(article_line(&whole, article)?);
            }
        }
        drop(conn);
        let next = next.map(|before| (app, before, false));
        if text.is_empty() && next.is_none() { Ok(None) } else { Ok(Some((Bytes::from(text), next))) }
    })
}

fn header() -> Result<Vec<u8>> {
    let mut text = BYTE_ORDER_MARK.as_bytes().to_vec();
    text.extend(line(COLUMNS.iter().map(|column| column.name))?);
    Ok(text)
}

fn article_line(whole: &Whole, article: &Article) -> Result<Vec<u8>> {
    let values: Vec<String> =
        COLUMNS.iter().map(|column| value(column.name, whole, article)).collect::<Result<_>>()?;
    line(values.iter().map(String::as_str))
}

fn value(column: &str, whole: &Whole, article: &Article) -> Result<String> {
    let product = &whole.product;
    let list = |values: &[String]| join(values.iter().map(String::as_str), cells::LIST);
    let json = |audience| serde_json::to_string(audience).map_err(AppError::internal);
    let pool = article.pool.and_then(|id| whole.pools.iter().find(|pool| pool.id == id));
    let capacity = pool.map(|pool| pool.capacity.to_string()).unwrap_or_default();
    let is_goods = product.kind == model::ProductKind::Goods;
    Ok(match column {
        "slug" => product.slug.clone(),
        "kind" => product.kind.as_str().to_owned(),
        "name_zh" => product.names.zh.clone(),
        "name_en" => product.names.en.clone(),
        "about_zh" => product.about.zh.clone(),
        "about_en" => product.about.en.clone(),
        "category" => product.category.clone().unwrap_or_default(),
        "tags" => list(&product.tags),
        "images" => list(&product.images),
        "tax_rate_bp" => product.tax_rate_bp.to_string(),
        "sees" => json(&product.sees)?,
        "buys" => json(&product.buys)?,
        "payment_methods" => join(product.payment_methods.iter().map(|method| method.as_str()), cells::LIST),
        "hold_minutes" => product.hold_minutes.to_string(),
        "right_days" => product.right_days.map(|days| days.to_string()).unwrap_or_default(),
        "opens_for" => product.opens_for.as_ref().map(json).transpose()?.unwrap_or_default(),
        "shown_from" => cells::write_time(product.shown_from),
        "shown_until" => cells::write_time(product.shown_until),
        "available_from" => cells::write_time(product.available_from),
        "hides_price" => product.hides_price.to_string(),
        "sku" => article.sku.clone(),
        "options" => cells::write_options(&article.options),
        "price" => money::plain(article.price_minor, &article.currency),
        "currency" => article.currency.clone(),
        "weight_grams" => article.weight_grams.to_string(),
        "open_sale" => article.open_sale.to_string(),
        "max_per_order" => article.max_per_order.to_string(),
        "low_stock_at" => article.low_stock_at.map(|left| left.to_string()).unwrap_or_default(),
        "ships_from" => cells::write_time(article.ships_from),
        "parts" => cells::write_parts(article.parts.iter().map(|part| (part.sku.as_str(), part.quantity))),
        "limit" if !is_goods => capacity,
        "stock" if is_goods => pool.map(|pool| pool.left().to_string()).unwrap_or_default(),
        "archived" => article.archived_at.is_some().to_string(),
        _ => String::new(),
    })
}
