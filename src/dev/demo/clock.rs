//! `POST /dev/clock`: moves the shop's time and the simulator's, which are one, from due time to due time.

use std::str::FromStr;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Months, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::app::App;
use crate::dev::stripe::Simulator;
use crate::error::{Code, Result};
use crate::http::body::Body;
use crate::jobs::schedule::{self, Outside};

/// One at a time: two that move the clock together would move it by both.
static TURN: Mutex<()> = Mutex::const_new(());

pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/dev/clock", web::get().to(show)).route("/dev/clock", web::post().to(advance));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// ISO 8601, such as `P1Y`, `P30D`, `PT15M`.
    advance: String,
}

#[derive(Serialize)]
struct Now {
    now: DateTime<Utc>,
}

async fn show(app: web::Data<App>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(Now { now: app.clock.now() }))
}

/// Answers when all that became due has run.
async fn advance(
    app: web::Data<App>,
    simulator: web::Data<Simulator>,
    body: Body<Advance>,
) -> Result<HttpResponse> {
    let _turn = TURN.lock().await;
    let now = app.clock.now();
    let target =
        body.0.advance.parse::<Duration>().ok().and_then(|duration| duration.after(now)).ok_or_else(
            || {
                Code::InvalidField
                    .at("advance", "expected a duration such as P1Y, P30D or PT15M, up to P100Y")
            },
        )?;
    let outside = Outside {
        next_due: &|| simulator.next_due(),
        run_due: &|| {
            let simulator = simulator.clone();
            Box::pin(async move { simulator.run_due().await })
        },
    };
    let now = schedule::advance_clock_with(&app, target - now, &outside).await?;
    Ok(HttpResponse::Ok().json(Now { now }))
}

/// Years, months, days and time, as ISO 8601 writes them; whole numbers only. A week is `P7D` or `P1W`.
#[derive(Debug, PartialEq, Eq, Default)]
struct Duration {
    months: u32,
    seconds: i64,
}

const MOST_MONTHS: u32 = 1_200;
const MOST_SECONDS: i64 = 3_200_000_000;

impl Duration {
    /// None beyond a hundred years.
    fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.months > MOST_MONTHS || self.seconds > MOST_SECONDS {
            return None;
        }
        now.checked_add_months(Months::new(self.months))?.checked_add_signed(TimeDelta::seconds(self.seconds))
    }
}

impl FromStr for Duration {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (date, time) = match text.strip_prefix('P').ok_or(())?.split_once('T') {
            Some((_, "")) => return Err(()),
            Some((date, time)) => (date, time),
            None => (text.get(1..).unwrap_or_default(), ""),
        };
        if date.is_empty() && time.is_empty() {
            return Err(());
        }
        let mut duration = Self::default();
        for (unit, count) in parts(date, "YMWD")? {
            match unit {
                'Y' => duration.add_months(count, 12)?,
                'M' => duration.add_months(count, 1)?,
                'W' => duration.add_seconds(count, 7 * 86_400)?,
                _ => duration.add_seconds(count, 86_400)?,
            }
        }
        for (unit, count) in parts(time, "HMS")? {
            duration.add_seconds(
                count,
                match unit {
                    'H' => 3_600,
                    'M' => 60,
                    _ => 1,
                },
            )?;
        }
        Ok(duration)
    }
}

impl Duration {
    fn add_months(&mut self, count: u32, months: u32) -> Result<(), ()> {
        let more = count.checked_mul(months).ok_or(())?;
        self.months = self.months.checked_add(more).ok_or(())?;
        Ok(())
    }

    fn add_seconds(&mut self, count: u32, seconds: i64) -> Result<(), ()> {
        self.seconds = self.seconds.checked_add(i64::from(count) * seconds).ok_or(())?;
        Ok(())
    }
}

/// `1Y2M` as (unit, count), each unit once and in the order of `units`.
fn parts(text: &str, units: &str) -> Result<Vec<(char, u32)>, ()> {
    let mut parts = Vec::new();
    let mut left = units;
    let mut digits = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let (_, after) = left.split_once(character).ok_or(())?;
        left = after;
        parts.push((character, digits.parse().map_err(|_| ())?));
        digits.clear();
    }
    if digits.is_empty() { Ok(parts) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<String> {
        let now: DateTime<Utc> = "2024-01-31T00:00:00Z".parse().unwrap();
        text.parse::<Duration>().ok()?.after(now).map(|at| at.to_rfc3339())
    }

    #[test]
    fn durations_follow_the_calendar() {
        assert_eq!(after("P1Y").unwrap(), "2025-01-31T00:00:00+00:00");
        assert_eq!(after("P1M").unwrap(), "2024-02-29T00:00:00+00:00");
        assert_eq!(after("P1Y2M3DT4H5M6S").unwrap(), "2025-04-03T04:05:06+00:00");
        assert_eq!(after("PT15M").unwrap(), "2024-01-31T00:15:00+00:00");
        assert_eq!(after("P2W").unwrap(), "2024-02-14T00:00:00+00:00");
        assert_eq!(after("PT0S").unwrap(), "2024-01-31T00:00:00+00:00");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1Y",
            "P1S",
            "PT1D",
            "P1M1Y",
            "P-1Y",
            "P1.5D",
            "P1Y1Y",
            "P101Y",
            "P9999999999Y",
            "Pé",
        ] {
            assert_eq!(after(text), None, "{text}");
        }
    }
}
