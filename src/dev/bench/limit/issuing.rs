//! Unique coupons: COPY, in one transaction, of rows that are ready.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{SinkExt as _, StreamExt as _, pin_mut};
use tokio_postgres::{Client, Error};

use crate::error::Result;
use crate::promotion::coupons::issue::new_rows;
use crate::promotion::coupons::model::{Issue, NewCoupon};

/// Rows that are sent at a time.
const CHUNK: usize = 1_000;
const COPY: &str = "COPY coupons (id, campaign_id, code, label, is_shared, account_id, issue_id, expires_at, created_at) \
                    FROM STDIN";

/// All coupons of an issue as COPY reads them.
///
/// # Errors
/// Never: lengths and quantities are small.
pub fn ready(issue: &Issue, now: DateTime<Utc>) -> Result<Vec<Bytes>> {
    let rows = new_rows(issue, issue.quantity, now)?;
    Ok(rows.chunks(CHUNK).map(|rows| Bytes::from(rows.iter().map(line).collect::<String>())).collect())
}

/// Columns with tabs between them; what is none is `\N`.
fn line(row: &NewCoupon) -> String {
    let none = || "\\N".to_owned();
    let mut line = [
        row.id.0.to_string(),
        row.campaign_id.0.to_string(),
        row.code.clone(),
        row.label.clone().unwrap_or_else(none),
        row.is_shared.to_string(),
        row.account_id.map_or_else(none, |id| id.0.to_string()),
        row.issue_id.map_or_else(none, |id| id.0.to_string()),
        row.expires_at.map_or_else(none, |at| at.to_rfc3339()),
        row.created_at.to_rfc3339(),
    ]
    .join("\t");
    line.push('\n');
    line
}

/// Writes them.
///
/// # Errors
/// The database's.
pub async fn copy(client: &Client, rows: Vec<Bytes>) -> std::result::Result<u64, Error> {
    let sink = client.copy_in(COPY).await?;
    pin_mut!(sink);
    sink.send_all(&mut futures::stream::iter(rows).map(Ok)).await?;
    sink.finish().await
}
