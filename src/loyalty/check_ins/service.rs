//! Checking in: once a day of the shop.

use chrono::{DateTime, Days, NaiveDate, Utc};
use uuid::Uuid;

use super::dto::CheckInsView;
use super::model::{self, CheckIn};
use crate::app::App;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::loyalty::points::model::{self as points, LotKind};
use crate::loyalty::points::programme;
use crate::loyalty::points::service::{Grant, Terms, grant};
use crate::loyalty::walks::service as walks;
use crate::types::id::AccountId;

/// How far back the list goes.
const SHOWN: Days = Days::new(62);

fn day_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

/// The shop's day.
fn day_of(app: &App, now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&app.settings.timezone).date_naive()
}

/// Checks in, once a day of the shop; the points can be spent at once.
///
/// # Errors
/// `not_open` while there is no programme, `already_checked_in`, `idempotency_key_reused`, `request_in_progress`.
pub async fn check_in(app: &App, account: AccountId, request: &Request) -> Result<CheckIn> {
    let now = app.clock.now();
    let day = day_of(app, now);
    db::transaction(&app.pool, async |conn| {
        // A repeat names the day by the points' cause: it may come after midnight.
        let id = Uuid::new_v5(&account.0, day.to_string().as_bytes());
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id, now).await? {
            let rows = model::since(conn, account, shown_from(day)).await?;
            let is_it = |row: &CheckIn| Uuid::new_v5(&account.0, row.day.to_string().as_bytes()) == earlier;
            return rows.into_iter().find(is_it).ok_or_else(|| Code::NotFound.error());
        }
        let terms = Terms::load(conn, app.settings.timezone).await?;
        if !terms.programme.is_on {
            return Err(Code::NotOpen.error());
        }
        // Two that come around midnight see one another.
        points::lock(conn, &[account]).await?;
        let streak = model::find(conn, account, day_before(day)).await?.map_or(1, |row| row.streak + 1);
        let points = terms.programme.check_in(streak);
        let row = CheckIn { account_id: account, day, streak, points, created_at: now };
        if !model::insert(conn, &row).await? {
            return Err(Code::AlreadyCheckedIn.error());
        }
        let given = Grant {
            account,
            kind: LotKind::CheckIn,
            cause: format!("check_in:{account}:{day}"),
            points,
            level_points: points,
            order: None,
            reason: None,
        };
        grant(conn, &terms, &[given], now).await?;
        walks::touched(conn, &[account], false, now).await?;
        Ok(row)
    })
    .await
}

fn shown_from(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(SHOWN).unwrap_or(day)
}

/// Somebody's check-ins of the last two months.
///
/// # Errors
/// The database's.
pub async fn show(app: &App, conn: &mut Conn, account: AccountId) -> Result<CheckInsView> {
    let today = day_of(app, app.clock.now());
    let rows = model::since(conn, account, shown_from(today)).await?;
    let last = rows.first().filter(|row| row.day >= day_before(today));
    let (checked_in, streak) = last.map_or((false, 0), |row| (row.day == today, row.streak));
    let programme = programme::load(conn).await?;
    Ok(CheckInsView {
        today,
        checked_in,
        streak,
        next_points: if programme.is_on { programme.check_in(streak + 1) } else { 0 },
        data: rows.into_iter().map(Into::into).collect(),
    })
}
