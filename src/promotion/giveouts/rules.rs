//! Rounds: when they begin, and which one runs.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::GiveOut;
use crate::error::Code;

/// The beginning of the round that runs now.
///
/// # Errors
/// `not_open`, `closed`.
pub fn round(of: &GiveOut, now: DateTime<Utc>) -> Result<DateTime<Utc>, Code> {
    if now < of.starts_at {
        return Err(Code::NotOpen);
    }
    if of.ended_at.is_some() || of.ends_at <= now {
        return Err(Code::Closed);
    }
    let Some(length) = length(of) else { return Ok(of.starts_at) };
    let rounds = (now - of.starts_at).num_seconds() / length.num_seconds().max(1);
    let so_far = i32::try_from(rounds).ok().and_then(|rounds| length.checked_mul(rounds));
    Ok(so_far.map_or(of.starts_at, |so_far| of.starts_at + so_far))
}

/// When the next round begins.
pub fn next_round(of: &GiveOut, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = match round(of, now) {
        Err(Code::NotOpen) => of.starts_at,
        Err(_) => return None,
        Ok(running) => running + length(of)?,
    };
    Some(next).filter(|next| *next < of.ends_at && of.ended_at.is_none())
}

fn length(of: &GiveOut) -> Option<TimeDelta> {
    of.every_minutes.map(|minutes| TimeDelta::minutes(minutes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::audience::Audience;
    use crate::types::id::{CampaignId, GiveOutId};

    #[test]
    fn rounds_begin_on_the_hour_and_end_with_the_whole() {
        let start: DateTime<Utc> = "2014-11-11T00:00:00Z".parse().unwrap();
        let hourly = GiveOut {
            id: GiveOutId::new(),
            code: "hourly".into(),
            campaign_id: Some(CampaignId::new()),
            treat_id: None,
            audience: Audience::SignedIn,
            starts_at: start,
            ends_at: start + TimeDelta::minutes(150),
            every_minutes: Some(60),
            per_round: 10,
            per_person: 1,
            points: None,
            created_at: start,
            ended_at: None,
        };
        let at = |minutes| start + TimeDelta::minutes(minutes);
        let tick = TimeDelta::microseconds(1);
        assert_eq!(round(&hourly, start - tick), Err(Code::NotOpen));
        assert_eq!((round(&hourly, start), round(&hourly, at(60) - tick)), (Ok(start), Ok(start)));
        assert_eq!((round(&hourly, at(60)), round(&hourly, at(149))), (Ok(at(60)), Ok(at(120))));
        assert_eq!(round(&hourly, at(150)), Err(Code::Closed));
        assert_eq!(next_round(&hourly, start - tick), Some(start));
        assert_eq!((next_round(&hourly, at(59)), next_round(&hourly, at(120))), (Some(at(60)), None));
        let once = GiveOut { every_minutes: None, ..hourly.clone() };
        assert_eq!((round(&once, at(149)), next_round(&once, at(1))), (Ok(start), None));
        let ended = GiveOut { ended_at: Some(start), ..hourly };
        assert_eq!(round(&ended, at(1)), Err(Code::Closed));
    }
}
