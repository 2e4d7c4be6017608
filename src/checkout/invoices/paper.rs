//! How an invoice is answered: as a page or as a PDF, by what the request accepts.

use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde_json::json;

use super::font::PdfFont;
use super::model::InvoiceRow;
use super::pdf;
use super::sheet::Sheet;
use crate::app::App;
use crate::config::Settings;
use crate::error::{AppError, Code, Result};
use crate::http::page::hash;

const PAGE: &str = include_str!("../../../templates/invoice/invoice.html");
const STYLE: &str = include_str!("../../../templates/invoice/style.css");

/// What it takes to lay out a sheet.
pub struct Paper {
    pages: Environment<'static>,
    font: Option<PdfFont>,
}

/// A way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Html,
    Pdf,
}

impl Paper {
    /// Looks for the font, and says once where there is none.
    ///
    /// # Errors
    /// When the template can't be parsed: a test lays out a sheet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(UndefinedBehavior::Strict);
        pages.add_template("invoice.html", PAGE).map_err(AppError::internal)?;
        let font = PdfFont::find(settings.pdf_font.as_deref());
        if font.is_none() {
            tracing::warn!(
                "invoices are pages alone, not PDF: there is no font with Chinese characters \
                 (install fonts-wqy-microhei, or set KINDRED_PDF_FONT)"
            );
        }
        Ok(Self { pages, font })
    }

    /// The page, whole in itself.
    ///
    /// # Errors
    /// When template and sheet don't fit.
    pub fn html(&self, sheet: &Sheet) -> Result<String> {
        let template = self.pages.get_template("invoice.html").map_err(AppError::internal)?;
        let context = json!({ "sheet": sheet, "style": STYLE });
        template.render(Value::from(Serde(&context))).map_err(AppError::internal)
    }
}

/// The first of what is accepted that can be given: a page where there is no wish.
///
/// # Errors
/// `pdf_font_missing` where nothing but a PDF is accepted and there is no font; `not_acceptable`.
fn choose(accepted: &str, has_font: bool) -> Result<Format> {
    let mut ranges: Vec<(f32, String)> = accepted
        .split(',')
        .map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse);
            (quality.and_then(Result::<f32, _>::ok).unwrap_or(1.0), name)
        })
        .filter(|(quality, name)| *quality > 0.0 && !name.is_empty())
        .collect();
    if ranges.is_empty() {
        return Ok(Format::Html);
    }
    // Stable: of equal wishes the first.
    ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut wants_pdf = false;
    for (_, name) in ranges {
        match name.as_str() {
            "application/pdf" | "application/*" if has_font => return Ok(Format::Pdf),
            "application/pdf" | "application/*" => wants_pdf = true,
            "text/html" | "text/*" | "*/*" => return Ok(Format::Html),
            _ => {}
        }
    }
    Err(if wants_pdf { Code::PdfFontMissing.error() } else { Code::NotAcceptable.error() })
}

/// Answers with the document, as the request accepts it.
///
/// # Errors
/// `pdf_font_missing`, `not_acceptable`.
pub async fn answer(app: &App, request: &HttpRequest, row: &InvoiceRow) -> Result<HttpResponse> {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let font = app.paper.font.clone();
    let format = choose(accepted, font.is_some())?;
    let sheet = Sheet::of(row, app.settings.timezone)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "private, no-store")).insert_header((VARY, "Accept"));
    match (format, font) {
        (Format::Pdf, Some(font)) => {
            let bytes = web::block(move || draw(&sheet, &font)).await.map_err(AppError::internal)??;
            let name = format!("inline; filename=\"{}.pdf\"", row.number);
            Ok(response
                .insert_header((CONTENT_TYPE, "application/pdf"))
                .insert_header((CONTENT_DISPOSITION, name))
                .body(bytes))
        }
        _ => {
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
                hash(STYLE)
            );
            Ok(response
                .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
                .insert_header((CONTENT_SECURITY_POLICY, policy))
                .body(app.paper.html(&sheet)?))
        }
    }
}

fn draw(sheet: &Sheet, font: &PdfFont) -> Result<Vec<u8>> {
    // It was there when the shop started.
    let (data, face) = font.read().map_err(|error| Code::PdfFontMissing.error().with_cause(error))?;
    pdf::draw(sheet, &data, face)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_answered_unless_a_pdf_is_wished_and_can_be_made() {
        for accepted in ["", "*/*", "text/html", "text/html, application/pdf;q=0.9", "image/png, */*;q=0.1"] {
            assert_eq!(choose(accepted, true).unwrap(), Format::Html, "{accepted}");
        }
        for accepted in ["application/pdf", "Application/PDF; q=0.8, text/html;q=0.7", "application/*"] {
            assert_eq!(choose(accepted, true).unwrap(), Format::Pdf, "{accepted}");
        }
        // What can't be made isn't on offer.
        assert_eq!(choose("application/pdf, text/html;q=0.1", false).unwrap(), Format::Html);
        assert_eq!(choose("application/pdf", false).unwrap_err().code, Code::PdfFontMissing);
        assert_eq!(choose("application/pdf, text/html;q=0", false).unwrap_err().code, Code::PdfFontMissing);
        assert_eq!(choose("application/json", true).unwrap_err().code, Code::NotAcceptable);
    }
}
