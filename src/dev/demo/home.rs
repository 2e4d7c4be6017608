//! The demo's first page: what is here, and the whole path as commands.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::{PASSWORD, page, path};
use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::http::page::Page;
use crate::membership::drives::model::{self as drives, Drive};
use crate::membership::drives::rules::{self, State};
use crate::membership::memberships::rules::member_number;
use crate::schema::chapters;
use crate::types::money;

const PAGE: &str = include_str!("home.html");

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").route(web::get().to(show)).route(web::head().to(show)));
}

async fn show(app: web::Data<App>) -> Result<HttpResponse> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let mut drives = drives::on_show(&mut conn).await?;
    let (prefix, next): (String, i64) = chapters::table
        .filter(chapters::is_default)
        .select((chapters::prefix, chapters::next_sequence))
        .first(&mut conn)
        .await?;
    drop(conn);
    drives.retain(|drive| matches!(rules::state(drive, now), State::Open | State::SoldOut));
    drives.sort_by_key(|drive| drive.plan.price_minor);
    let first = drives.as_slice().first();
    let place = path::Place {
        url: app.settings.public_url.as_str().trim_end_matches('/').to_owned(),
        drive: first.map_or_else(String::new, |drive| drive.id.to_string()),
        plan: first.map_or_else(String::new, |drive| drive.plan.id.to_string()),
    };
    let page = page::render(
        PAGE,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "now": now.with_timezone(&app.settings.timezone).format("%F %T %Z").to_string(),
            "password": PASSWORD,
            "drives": drives.iter().map(|drive| shown(drive, now)).collect::<Vec<_>>(),
            "next_number": member_number(&prefix, next),
            "steps": path::steps(&place),
            "more": path::more(&place),
        }),
    )?;
    Ok(Page::new(&page, include_str!("home.css"), include_str!("home.js")).answer())
}

fn shown(drive: &Drive, now: DateTime<Utc>) -> serde_json::Value {
    let gone = drive.held + drive.taken;
    json!({
        "code": drive.code,
        "name_zh": drive.name_zh,
        "name_en": drive.name_en,
        "state": rules::state(drive, now),
        "remaining": rules::remaining(drive),
        "quota": drive.quota,
        "percent": (gone * 100).checked_div(drive.quota).unwrap_or(100),
        "price": money::display(drive.plan.price_minor, &drive.plan.currency),
        "term": drive.plan.term.to_string(),
    })
}
