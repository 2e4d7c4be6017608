//! What a notice may do next, and how fast it goes.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::{Notice, State};
use crate::error::Code;

/// Between two parts of a notice that isn't very slow.
const PAUSE_SECONDS: i64 = 10;

/// Only a draft can be changed or tested.
///
/// # Errors
/// `notice_not_draft`
pub fn may_change(notice: &Notice) -> Result<(), Code> {
    if notice.state == State::Draft { Ok(()) } else { Err(Code::NoticeNotDraft) }
}

/// A draft is sent once its words, as they are now, have gone to a test address in both languages.
///
/// # Errors
/// `notice_not_draft`, `notice_not_tested`
pub fn may_schedule(notice: &Notice, tests_sent: bool) -> Result<(), Code> {
    may_change(notice)?;
    let is_tested = notice.tested_version == Some(notice.version) && tests_sent;
    if is_tested { Ok(()) } else { Err(Code::NoticeNotTested) }
}

/// What isn't over can be cancelled.
///
/// # Errors
/// `notice_ended`
pub fn may_cancel(notice: &Notice) -> Result<(), Code> {
    match notice.state {
        State::Draft | State::Scheduled | State::Sending => Ok(()),
        State::Sent | State::Cancelled => Err(Code::NoticeEnded),
    }
}

/// How many are queued at a time, and how long until the next ones: never more than `per_minute` in a minute.
pub fn pace(per_minute: i64) -> (i64, TimeDelta) {
    let parts = 60 / PAUSE_SECONDS;
    if per_minute >= parts {
        return (per_minute / parts, TimeDelta::seconds(PAUSE_SECONDS));
    }
    let rate = per_minute.max(1);
    // Rounded up: rather too slow than too fast.
    (1, TimeDelta::seconds((60 + rate - 1) / rate))
}

/// The shop's month in which a notice counts for its reader: `2026-11`.
pub fn month(now: DateTime<Utc>, zone: Tz) -> String {
    now.with_timezone(&zone).format("%Y-%m").to_string()
}

/// Paragraphs are parted by empty lines: what is typed, with the line breaks of one system.
pub fn tidy(body: &str) -> String {
    body.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::notices::model::sample;

    #[test]
    fn a_pace_is_never_faster_than_the_setting() {
        for rate in 1..=2_000 {
            let (part, pause) = pace(rate);
            assert!(part >= 1);
            assert!(part * 60 <= rate * pause.num_seconds(), "{rate}: {part} each {pause}");
        }
        assert_eq!(pace(600), (100, TimeDelta::seconds(10)));
        assert_eq!(pace(6), (1, TimeDelta::seconds(10)));
        assert_eq!(pace(5), (1, TimeDelta::seconds(12)));
        assert_eq!(pace(1), (1, TimeDelta::seconds(60)));
    }

    #[test]
    fn a_month_is_the_shops() {
        let month = |at: &str| month(at.parse().unwrap(), chrono_tz::Asia::Shanghai);
        assert_eq!(month("2026-11-30T15:59:59Z"), "2026-11");
        assert_eq!(month("2026-11-30T16:00:00Z"), "2026-12");
    }

    #[test]
    fn only_the_words_that_were_tested_are_sent() {
        let draft = sample(State::Draft);
        assert_eq!(may_schedule(&draft, true), Err(Code::NoticeNotTested));
        let tested = Notice { tested_version: Some(draft.version), ..draft.clone() };
        assert_eq!(may_schedule(&tested, true), Ok(()));
        assert_eq!(may_schedule(&tested, false), Err(Code::NoticeNotTested));
        let changed = Notice { version: tested.version + 1, ..tested.clone() };
        assert_eq!(may_schedule(&changed, true), Err(Code::NoticeNotTested));
        let scheduled = Notice { state: State::Scheduled, ..tested };
        assert_eq!(may_schedule(&scheduled, true), Err(Code::NoticeNotDraft));
        let verdicts = [State::Draft, State::Scheduled, State::Sending, State::Sent, State::Cancelled]
            .map(|state| (may_change(&sample(state)).is_ok(), may_cancel(&sample(state)).is_ok()));
        assert_eq!(verdicts, [(true, true), (false, true), (false, true), (false, false), (false, false)]);
    }

    #[test]
    fn line_breaks_are_of_one_kind() {
        assert_eq!(tidy(" a\r\nb\r\n\r\nc\rd\n"), "a\nb\n\nc\nd");
    }
}
