//! The catalog as CSV, a variant a line: out by [`export`], in by `imports`. docs/CATALOG-CSV.md says what each column
//! holds. What a line does is decided by [`shelf`] on what is known of its product and SKU, without the database, so that a
//! dry run and the real one can't differ; what came of it is written set by set by [`write`].

pub mod cells;
pub mod export;
pub mod routes;
pub mod shelf;
pub mod write;

use serde_json::json;

use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::Result;
use crate::imports::{Applied, Batch, Column};

pub use shelf::Shelf;

const fn column(name: &'static str) -> Column {
    Column { name, is_required: false }
}

/// Of both ways, in the order of an export. A line of a product says of the product what the line before said; where they
/// differ the later one wins.
pub const COLUMNS: &[Column] = &[
    Column { name: "slug", is_required: true },
    Column { name: "sku", is_required: true },
    column("kind"),
    column("name_zh"),
    column("name_en"),
    column("about_zh"),
    column("about_en"),
    column("category"),
    column("tags"),
    column("images"),
    column("tax_rate_bp"),
    column("sees"),
    column("buys"),
    column("payment_methods"),
    column("hold_minutes"),
    column("right_days"),
    column("opens_for"),
    column("shown_from"),
    column("shown_until"),
    column("available_from"),
    column("hides_price"),
    column("options"),
    column("price"),
    column("currency"),
    column("weight_grams"),
    column("open_sale"),
    column("max_per_order"),
    column("low_stock_at"),
    column("ships_from"),
    column("parts"),
    column("limit"),
    column("archived"),
    column("stock"),
];

/// Does the lines of a part.
///
/// # Errors
/// The database's; then nothing of the part stands.
pub async fn apply(conn: &mut Conn, batch: Batch<'_>) -> Result<Applied> {
    let mut shelf = Shelf::default();
    shelf.load(conn, &batch, shelf::Reading::ToChange).await?;
    let applied = shelf.enter_all(&batch);
    write::all(conn, &shelf, &batch).await?;
    if applied.created + applied.changed > 0 {
        let line = |row: Option<&crate::imports::Row<'_>>| row.map(|row| row.line);
        let entry = Entry {
            actor: batch.actor,
            action: "products.import",
            subject_kind: "products",
            subject_id: "import".to_owned(),
            reason: None,
            detail: json!({
                "lines": [line(batch.rows.first()), line(batch.rows.last())],
                "created": applied.created, "changed": applied.changed,
            }),
        };
        audit::record(conn, batch.now, entry).await?;
    }
    Ok(applied)
}

/// Tells what [`apply`] would do after the parts that `shelf` remembers.
///
/// # Errors
/// The database's.
pub async fn rehearse(conn: &mut Conn, batch: Batch<'_>, shelf: &mut Shelf) -> Result<Applied> {
    shelf.load(conn, &batch, shelf::Reading::ToLook).await?;
    let applied = shelf.enter_all(&batch);
    shelf.settle();
    Ok(applied)
}
