//! The demo's inbox: what was mailed, newest first.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::page;
use crate::app::App;
use crate::error::{Code, Result};
use crate::ports::mail::{Delivered, Inbox};

/// Mails on the page; all are in the JSON.
const SHOWN: usize = 100;

pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/dev/inbox", web::get().to(show)).route("/dev/inbox.json", web::get().to(list));
}

fn inbox(app: &App) -> Result<&Inbox> {
    app.postbox.inbox().ok_or_else(|| Code::NotFound.because("Mails go elsewhere."))
}

async fn list(app: web::Data<App>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(inbox(&app)?.all()))
}

async fn show(app: web::Data<App>) -> Result<HttpResponse> {
    let all = inbox(&app)?.all();
    let zone = app.settings.timezone;
    // The mail lies in a frame that may run nothing; its links open a tab of their own.
    let shown = |mail: &Delivered| {
        json!({
            "subject": mail.subject,
            "to": mail.to,
            "at": mail.sent_at.with_timezone(&zone).format("%F %T").to_string(),
            "text": mail.text,
            "html": mail.html.replacen("<head>", "<head><base target=\"_blank\">", 1),
        })
    };
    let html = page::render(
        include_str!("inbox.html"),
        &json!({
            "mails": all.iter().take(SHOWN).map(shown).collect::<Vec<_>>(),
            "left_out": all.len().saturating_sub(SHOWN),
        }),
    )?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html))
}
