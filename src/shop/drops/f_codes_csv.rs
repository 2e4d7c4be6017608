//! F-codes as CSV: those of one request whole, all of a drop as a stream, a page of rows at a time.

use actix_web::web::{self, Bytes};
use futures::Stream;
use uuid::Uuid;

use super::dto::FCodeView;
use super::model;
use crate::app::App;
use crate::db;
use crate::db::page::Page;
use crate::error::Result;
use crate::http::csv;
use crate::types::id::DropId;

const PAGE: i64 = 1_000;
const HEAD: [&str; 6] = ["code", "variant", "is_bound", "is_used", "expires_at", "ended_at"];

fn push(out: &mut String, code: &FCodeView) {
    let word = |is: bool| if is { "yes" } else { "no" };
    let ended_at = code.ended_at.map(|at| at.to_rfc3339()).unwrap_or_default();
    csv::push_row(
        out,
        &[
            &code.code,
            &code.variant.to_string(),
            word(code.is_bound),
            word(code.is_used),
            &code.expires_at.to_rfc3339(),
            &ended_at,
        ],
    );
}

/// These codes, under a head.
pub fn whole(codes: &[FCodeView]) -> String {
    let mut out = String::new();
    csv::push_row(&mut out, &HEAD);
    codes.iter().for_each(|code| push(&mut out, code));
    out
}

/// All codes of a drop, newest first. No more than a page of them is in memory; a failure on the way breaks the stream off,
/// so that nobody takes a part for the whole.
pub fn stream(app: web::Data<App>, drop: DropId) -> impl Stream<Item = Result<Bytes>> {
    futures::stream::try_unfold(Some(Uuid::max()), move |before| {
        let app = app.clone();
        async move {
            let Some(before) = before else { return Ok(None) };
            let page = Page { limit: PAGE, before };
            let mut rows = model::list_f_codes(&mut *db::connect(&app.pool).await?, drop, page).await?;
            rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
            let is_last = i64::try_from(rows.len()).unwrap_or(0) < PAGE;
            let next = rows.last().filter(|_| !is_last).map(|code| code.id.0);
            let mut out = String::new();
            if before == Uuid::max() {
                csv::push_row(&mut out, &HEAD);
            }
            for code in rows {
                push(&mut out, &FCodeView::from(code));
            }
            Ok(Some((Bytes::from(out), next)))
        }
    })
}
