//! Rows of related products.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::related_products;
use crate::types::id::ProductId;

/// What is related to these products, in the operators' order.
///
/// # Errors
/// The database's.
pub async fn related_of(
    conn: &mut Conn,
    products: &[ProductId],
) -> Result<HashMap<ProductId, Vec<ProductId>>> {
    let rows: Vec<(ProductId, ProductId)> = related_products::table
        .filter(related_products::product_id.eq_any(products))
        .order((related_products::product_id, related_products::position))
        .select((related_products::product_id, related_products::related_id))
        .load(conn)
        .await?;
    let mut related: HashMap<ProductId, Vec<ProductId>> = HashMap::new();
    for (product, other) in rows {
        related.entry(product).or_default().push(other);
    }
    Ok(related)
}

/// Writes what is related to a product, which is new or locked.
///
/// # Errors
/// The database's.
pub async fn store_related(conn: &mut Conn, product: ProductId, related: &[ProductId]) -> Result<()> {
    diesel::delete(related_products::table.filter(related_products::product_id.eq(product)))
        .execute(conn)
        .await?;
    let row = |(position, other): (i32, &ProductId)| {
        (
            related_products::product_id.eq(product),
            related_products::related_id.eq(*other),
            related_products::position.eq(position),
        )
    };
    let rows: Vec<_> = (0..).zip(related).map(row).collect();
    diesel::insert_into(related_products::table).values(rows).execute(conn).await?;
    Ok(())
}
