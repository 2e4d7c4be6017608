//! A file that is handed in over HTTP.

use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};

use super::dto::ImportView;
use super::service::{self, NewImport};
use super::{ImportKind, cells};
use crate::app::App;
use crate::audit::Actor;
use crate::error::{Code, Result};
use crate::http::body::read_within;
use crate::jobs::Lane;

/// A file of the largest size over a slow line.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How a file comes in.
#[derive(Clone, Copy, Debug)]
pub struct Upload {
    pub kind: ImportKind,
    pub is_dry_run: bool,
    pub actor: Actor,
    /// Where the import is looked at, without its id.
    pub path: &'static str,
}

/// Takes the body in as a file and answers 202 with the import.
///
/// # Errors
/// `unsupported_media_type`, `body_too_large`, `csv_encoding`, `csv_columns`, `csv_empty`, `csv_too_long`.
pub async fn take(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    upload: Upload,
) -> Result<HttpResponse> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/csv") {
        return Err(Code::UnsupportedMediaType.because("Send the file as text/csv."));
    }
    let Upload { kind, is_dry_run, actor, path } = upload;
    let charset = cells::charset_of(media_type).map(str::to_owned);
    let bytes = read_within(payload, cells::BYTES_MAX, TIME_LIMIT).await?;
    let sheet = service::read(kind, bytes, charset).await?;
    let new = NewImport { kind, sheet: &sheet, is_dry_run, actor };
    let (row, job) = service::accept(&app.pool, new, app.clock.now()).await?;
    app.jobs.wake(Lane::Local);
    let location = format!("{path}/{}", row.id);
    let view = ImportView::new(row, Vec::new(), Some(job));
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(view))
}
