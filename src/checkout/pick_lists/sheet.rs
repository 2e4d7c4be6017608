//! A pick list as CSV, page by page: a line for each line of an order that is still to be sent. Filled in with carrier and
//! tracking number it is a file of parcels (`shipments/import`).

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::stream::{self, Stream};

use super::model::{self, After};
use crate::app::App;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::shipments::import::COLUMNS;
use crate::checkout::shipments::packing::open_units;
use crate::db;
use crate::error::{AppError, Result};
use crate::imports::cells::line;
use crate::shop::products::model::{self as products, Article, ProductKind};
use crate::shop::shipping::rules::Address;
use crate::types::id::PickListId;

/// Orders that are read at a time.
const ORDERS: i64 = 500;
/// Begins the file: spreadsheets take UTF-8 for what it is.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What of a list is still to be sent, promised soonest first.
pub fn lines(app: actix_web::web::Data<App>, list: PickListId) -> impl Stream<Item = Result<Bytes>> {
    stream::try_unfold(Some((app, list, None::<After>)), async |state| {
        let Some((app, list, after)) = state else { return Ok::<_, AppError>(None) };
        let mut text = if after.is_none() { header()? } else { Vec::new() };
        let mut conn = db::connect(&app.pool).await?;
        let page = model::open_orders(&mut conn, list, after, ORDERS).await?;
        let ids: Vec<_> = page.iter().map(|(_, order)| order.id).collect();
        let of_orders = orders::lines_of(&conn, &ids).await?;
        let variants: Vec<_> = of_orders.iter().filter_map(|line| line.variant_id).collect();
        let articles = products::articles(&conn, &variants).await?;
        drop(conn);
        for (ship_by, order) in &page {
            for row in of_orders.iter().filter(|row| row.order_id == order.id) {
                text.extend(order_line(order, *ship_by, row, &articles)?);
            }
        }
        let next = page.last().map(|(ship_by, order)| (app, list, Some((*ship_by, order.id))));
        if text.is_empty() && next.is_none() { Ok(None) } else { Ok(Some((Bytes::from(text), next))) }
    })
}

fn header() -> Result<Vec<u8>> {
    let mut text = BYTE_ORDER_MARK.as_bytes().to_vec();
    text.extend(line(COLUMNS.iter().map(|column| column.name))?);
    Ok(text)
}

fn order_line(
    order: &OrderRow,
    ship_by: DateTime<Utc>,
    row: &LineRow,
    articles: &[Article],
) -> Result<Vec<u8>> {
    let article = articles.iter().find(|article| Some(article.id) == row.variant_id);
    let Some(article) = article.filter(|article| open_units(row, article) > 0) else { return Ok(Vec::new()) };
    let address: Option<Address> =
        order.ship_to.clone().map(serde_json::from_value).transpose().map_err(AppError::internal)?;
    let to =
        |field: fn(&Address) -> Option<&str>| address.as_ref().and_then(field).unwrap_or_default().to_owned();
    let value = |column: &str| match column {
        "order" => order.number.clone(),
        "line" => row.id.to_string(),
        "quantity" => open_units(row, article).to_string(),
        "sku" => article.sku.clone(),
        "title" => row.title.clone(),
        "contents" => contents(article),
        "ship_by" => ship_by.to_rfc3339_opts(SecondsFormat::Secs, true),
        "name" => to(|address| Some(&address.name)),
        "phone" => to(|address| Some(&address.phone)),
        "country" => to(|address| Some(&address.country)),
        "province" => to(|address| address.province.as_deref()),
        "city" => to(|address| Some(&address.city)),
        "district" => to(|address| address.district.as_deref()),
        "line1" => to(|address| Some(&address.line1)),
        "line2" => to(|address| address.line2.as_deref()),
        "postcode" => to(|address| address.postcode.as_deref()),
        _ => String::new(),
    };
    let values: Vec<String> = COLUMNS.iter().map(|column| value(column.name)).collect();
    line(values.iter().map(String::as_str))
}

/// What goes into one bundle's box: `6 BOOK, 1 TEA`.
fn contents(article: &Article) -> String {
    let goods = article.parts.iter().filter(|part| part.kind == ProductKind::Goods);
    let parts: Vec<_> = goods.map(|part| format!("{} {}", part.quantity, part.sku)).collect();
    parts.join(", ")
}
