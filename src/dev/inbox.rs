//! The demo's inbox: what was mailed, newest first.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use crate::app::App;
use crate::error::{Code, Result};
use crate::ports::mail::{Delivered, Inbox};

pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/dev/inbox", web::get().to(page)).route("/dev/inbox.json", web::get().to(json));
}

fn inbox(app: &App) -> Result<&Inbox> {
    app.postbox.inbox().ok_or_else(|| Code::NotFound.because("Mails go elsewhere: KINDRED_SMTP_URL is set."))
}

async fn json(app: web::Data<App>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(inbox(&app)?.all()))
}

async fn page(app: web::Data<App>) -> Result<HttpResponse> {
    let mails = inbox(&app)?.all();
    let list: String = if mails.is_empty() {
        "<p>还没有邮件。 No mail yet.</p>".to_owned()
    } else {
        mails.iter().map(one).collect()
    };
    let html = format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>inbox</title><style>\
         body{{max-width:820px;margin:24px auto;padding:0 16px;font:15px/1.6 system-ui,sans-serif;background:#fbf9f5}}\
         summary{{cursor:pointer;padding:8px 0;border-bottom:1px solid #e3ddd1}}small{{color:#7d7468}}\
         iframe{{width:100%;height:520px;border:1px solid #e3ddd1;border-radius:8px;background:#fff}}\
         </style></head><body><h1>Inbox</h1>{list}</body></html>"
    );
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html))
}

/// The mail itself lies in a frame that may run nothing and opens links in a new tab.
fn one(mail: &Delivered) -> String {
    let framed = mail.html.replace("<head>", "<head><base target=\"_blank\">");
    format!(
        "<details><summary>{} <small>{} · {}</small></summary>\
         <iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" srcdoc=\"{}\"></iframe></details>",
        escape(&mail.subject),
        escape(&mail.to),
        mail.sent_at.format("%F %T UTC"),
        escape(&framed)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
