//! Operators' work on drives.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::{DriveChange, NewDrive, ReleaseView};
use super::model::{self, Drive};
use super::rules::{self, Release};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::membership::{catalog, plans};
use crate::types::id::{DriveId, PoolId};
use crate::types::patch::Patch;

/// # Errors
/// `invalid_field`, `unknown_plan`, `code_taken`
pub async fn create(app: &App, actor: Actor, new: &NewDrive) -> Result<Drive> {
    let now = app.clock.now();
    let code = fields::slug("code", &new.code)?;
    let series =
        new.series.as_ref().map_or_else(|| Ok(code.clone()), |series| fields::slug("series", series))?;
    let names = fields::names("names", &new.names)?;
    let opens_at = fields::dated("opens_at", new.opens_at, now)?;
    let closes_at = fields::ahead("closes_at", new.closes_at, now)?;
    let drive = db::transaction(&app.pool, async |conn| {
        let plan = plans::model::find_for_use(conn, new.plan).await?;
        let plan = plan.filter(|plan| plan.archived_at.is_none()).ok_or(Code::UnknownPlan)?;
        let drive = Drive {
            id: DriveId::new(),
            code: code.clone(),
            series: series.clone(),
            name_zh: names.zh.clone(),
            name_en: names.en.clone(),
            plan,
            pool: PoolId::new(),
            quota: new.quota,
            held: 0,
            taken: 0,
            admission: new.admission,
            opens_at,
            closes_at,
            buy_within_hours: new.buy_within_hours,
            releases: releases(new.releases.as_deref(), opens_at, new.quota),
            is_dated: new.releases.is_some(),
            created_at: now,
            archived_at: None,
            version: 1,
        };
        rules::check_offer(&drive)?;
        model::insert(conn, &drive).await?;
        finish(conn, actor, "drive.create", &drive, now).await?;
        Ok(drive)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(drive)
}

/// Dated parts, or one part at the opening.
fn releases(dated: Option<&[ReleaseView]>, opens_at: DateTime<Utc>, quota: i64) -> Vec<Release> {
    match dated {
        Some(dated) => dated.iter().map(release).collect(),
        None => vec![Release { at: opens_at, quantity: quota }],
    }
}

fn release(view: &ReleaseView) -> Release {
    Release { at: chrono::SubsecRound::trunc_subsecs(view.at, 6), quantity: view.quantity }
}

/// A PATCH whose fields were checked one by one.
struct Change {
    names: Option<crate::types::locale::Names>,
    quota: Option<i64>,
    releases: Patch<Vec<ReleaseView>>,
    admission: Option<model::Admission>,
    opens_at: Option<DateTime<Utc>>,
    closes_at: Option<DateTime<Utc>>,
    buy_within_hours: Option<i32>,
}

impl Change {
    fn checked(change: DriveChange, now: DateTime<Utc>) -> Result<Self> {
        let names = fields::kept("names", change.names)?;
        let opens_at = fields::kept("opens_at", change.opens_at)?;
        let closes_at = fields::kept("closes_at", change.closes_at)?;
        Ok(Self {
            names: names.map(|names| fields::names("names", &names)).transpose()?,
            quota: fields::kept("quota", change.quota)?,
            releases: change.releases,
            admission: fields::kept("admission", change.admission)?,
            opens_at: opens_at.map(|at| fields::dated("opens_at", at, now)).transpose()?,
            // The end may be set to a moment that is over: that closes the drive.
            closes_at: closes_at.map(|at| fields::dated("closes_at", at, now)).transpose()?,
            buy_within_hours: fields::kept("buy_within_hours", change.buy_within_hours)?,
        })
    }

    /// The drive after it, checked as a whole. Its pool is locked.
    fn apply(&self, before: Drive) -> Result<Drive> {
        let quota = self.quota.unwrap_or(before.quota);
        let opens_at = self.opens_at.unwrap_or(before.opens_at);
        let (is_dated, releases) = match &self.releases {
            Patch::Value(dated) => (true, releases(Some(dated), opens_at, quota)),
            Patch::Absent if before.is_dated => (true, before.releases),
            Patch::Absent | Patch::Null => (false, releases(None, opens_at, quota)),
        };
        let names = self.names.clone();
        let drive = Drive {
            name_zh: names.as_ref().map_or(before.name_zh, |names| names.zh.clone()),
            name_en: names.map_or(before.name_en, |names| names.en),
            quota,
            releases,
            is_dated,
            admission: self.admission.unwrap_or(before.admission),
            opens_at,
            closes_at: self.closes_at.unwrap_or(before.closes_at),
            buy_within_hours: self.buy_within_hours.unwrap_or(before.buy_within_hours),
            version: before.version + 1,
            ..before
        };
        rules::check_offer(&drive)?;
        rules::check_quota(drive.quota, drive.held, drive.taken)?;
        Ok(drive)
    }
}

/// Changes a drive under its pool's lock: no place is claimed between the check of the quota and the write.
///
/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `quota_below_claims`
pub async fn change(
    app: &App,
    actor: Actor,
    id: DriveId,
    seen: IfMatch,
    change: DriveChange,
) -> Result<Drive> {
    let now = app.clock.now();
    let change = Change::checked(change, now)?;
    let drive = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let drive = change.apply(before)?;
        model::store(conn, &drive).await?;
        finish(conn, actor, "drive.change", &drive, now).await?;
        Ok(drive)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(drive)
}

/// Closes a drive and hides it. Orders that hold a place may still be paid. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: DriveId) -> Result<Drive> {
    let now = app.clock.now();
    let drive = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let drive = Drive { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &drive).await?;
        finish(conn, actor, "drive.archive", &drive, now).await?;
        Ok(drive)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(drive)
}

async fn finish(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    drive: &Drive,
    now: DateTime<Utc>,
) -> Result<()> {
    catalog::model::raise_version(conn).await?;
    let entry = Entry {
        actor,
        action,
        subject_kind: "drive",
        subject_id: drive.id.to_string(),
        reason: None,
        detail: json!({
            "code": drive.code,
            "version": drive.version,
            "quota": drive.quota,
            "admission": drive.admission,
            "opens_at": drive.opens_at,
            "closes_at": drive.closes_at,
        }),
    };
    audit::record(conn, now, entry).await
}
