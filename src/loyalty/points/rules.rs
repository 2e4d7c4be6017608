//! The ledger of points. Pure. A lot is what somebody earned at once; whatever happens to it moves points from one of its
//! states to another, so that earned = pending + active + spent + expired + reversed, in each lot and so in each account.
//!
//! What is taken back after it was spent is owed: it leaves the lot as it is, so that a refund of what it was spent on finds it
//! there, and is paid by the account's other points.

use chrono::{DateTime, Months, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::EntryKind;
use crate::types::day;
use crate::types::id::PointsLotId;

/// The most points that move at once: beyond it are slips of the keyboard, and sums of millions of these fit into 64 bits.
pub const POINTS_MAX: i64 = 1_000_000_000_000;
/// For how long points last that come back after their lot has expired.
const COME_BACK_FOR: TimeDelta = TimeDelta::days(30);

/// How an account stands. `active` may include what has expired and isn't written off yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub pending: i64,
    pub active: i64,
    /// Taken back after it was spent.
    pub owed: i64,
}

/// What somebody earned at once, and what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    pub id: PointsLotId,
    pub points: i64,
    pub level_points: i64,
    pub pending: i64,
    pub active: i64,
    pub spent: i64,
    pub expired: i64,
    pub reversed: i64,
    /// Of what was spent: owed since, or paid by others.
    pub clawed_back: i64,
    pub level_reversed: i64,
    /// None: it is pending.
    pub active_at: Option<DateTime<Utc>>,
    /// None: it lasts.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Lot {
    /// A new one; pending where `active_at` is none.
    pub fn new(points: i64, level_points: i64, active_at: Option<DateTime<Utc>>) -> Self {
        let is_active = active_at.is_some();
        Self {
            id: PointsLotId::new(),
            points,
            level_points,
            pending: if is_active { 0 } else { points },
            active: if is_active { points } else { 0 },
            spent: 0,
            expired: 0,
            reversed: 0,
            clawed_back: 0,
            level_reversed: 0,
            active_at,
            expires_at: None,
        }
    }

    /// What of it still counts as earned.
    pub fn kept(&self) -> i64 {
        self.points - self.reversed - self.clawed_back
    }

    /// Will something of it count later?
    pub fn is_pending(&self) -> bool {
        self.active_at.is_none() && (self.pending > 0 || self.level_points > self.level_reversed)
    }

    /// How much of it can pay now?
    pub fn spendable(&self, now: DateTime<Utc>) -> i64 {
        if self.expires_at.is_some_and(|end| end <= now) { 0 } else { self.active }
    }

    fn apply(&mut self, by: &Movement) {
        self.pending += by.pending;
        self.active += by.active;
        self.spent += by.spent;
        self.expired += by.expired;
        self.reversed += by.reversed;
    }
}

/// What an entry of the ledger moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// None: it moves only what is owed.
    pub lot: Option<PointsLotId>,
    pub kind: EntryKind,
    pub pending: i64,
    pub active: i64,
    pub spent: i64,
    pub expired: i64,
    pub reversed: i64,
    pub owed: i64,
    pub level: i64,
}

impl Movement {
    fn of(lot: Option<PointsLotId>, kind: EntryKind) -> Self {
        Self { lot, kind, pending: 0, active: 0, spent: 0, expired: 0, reversed: 0, owed: 0, level: 0 }
    }
}

/// What becomes of points that are taken back after they were spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdrawn {
    /// The next ones pay for them.
    Owe,
    /// Nothing more can be spent until an operator has decided.
    Block,
}

/// An account's points, as far as an act needs them, and what the act moves.
#[derive(Clone, Debug, Default)]
pub struct Purse {
    pub balance: Balance,
    /// Those that can be spent, the first to expire first, and those that the act is about.
    pub lots: Vec<Lot>,
    pub moved: Vec<Movement>,
}

impl Purse {
    fn book(&mut self, by: Movement) {
        self.balance.pending += by.pending;
        self.balance.active += by.active;
        self.balance.owed += by.owed;
        if let Some(lot) = self.lots.iter_mut().find(|lot| Some(lot.id) == by.lot) {
            lot.apply(&by);
        }
        self.moved.push(by);
    }

    fn lot(&self, id: PointsLotId) -> Option<Lot> {
        self.lots.iter().find(|lot| lot.id == id).copied()
    }

    fn change(&mut self, id: PointsLotId, change: impl FnOnce(&mut Lot)) {
        if let Some(lot) = self.lots.iter_mut().find(|lot| lot.id == id) {
            change(lot);
        }
    }

    /// What can be spent now: nothing while something is owed.
    pub fn spendable(&self, now: DateTime<Utc>) -> i64 {
        match self.balance.owed {
            0 => self.lots.iter().map(|lot| lot.spendable(now)).sum(),
            _ => 0,
        }
    }

    /// Something was earned.
    pub fn earn(&mut self, lot: Lot) {
        let level = if lot.active_at.is_some() { lot.level_points } else { 0 };
        let by = Movement {
            pending: lot.pending,
            active: lot.active,
            level,
            ..Movement::of(Some(lot.id), EntryKind::Earned)
        };
        // Its states are in the row; the movement is what the entry tells.
        self.balance.pending += by.pending;
        self.balance.active += by.active;
        self.moved.push(by);
        self.lots.push(lot);
        self.sort();
    }

    /// A pending lot can be spent from now on.
    pub fn mature(&mut self, id: PointsLotId, now: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) {
        let Some(lot) = self.lot(id).filter(|lot| lot.active_at.is_none()) else { return };
        self.change(id, |lot| {
            lot.active_at = Some(now);
            lot.expires_at = expires_at;
        });
        self.book(Movement {
            pending: -lot.pending,
            active: lot.pending,
            level: lot.level_points - lot.level_reversed,
            ..Movement::of(Some(id), EntryKind::Matured)
        });
        self.sort();
    }

    /// Takes what pays, the first to expire first; false, and nothing moved, where there isn't enough.
    pub fn spend(&mut self, points: i64, now: DateTime<Utc>) -> bool {
        if points > self.spendable(now) {
            return false;
        }
        self.take(points, now, |id, part| Movement {
            active: -part,
            spent: part,
            ..Movement::of(Some(id), EntryKind::Spent)
        });
        true
    }

    fn take(&mut self, points: i64, now: DateTime<Utc>, by: impl Fn(PointsLotId, i64) -> Movement) {
        let mut left = points;
        for index in 0..self.lots.len() {
            let Some(lot) = self.lots.get(index).copied() else { return };
            let part = lot.spendable(now).min(left);
            if part > 0 {
                left -= part;
                self.book(by(lot.id, part));
            }
        }
    }

    /// What was spent of a lot comes back to it; for some time, where it has expired since.
    pub fn give_back(&mut self, id: PointsLotId, points: i64, now: DateTime<Utc>) {
        let back = self.lot(id).map_or(0, |lot| lot.spent.min(points));
        if back == 0 {
            return;
        }
        self.revive(id, now);
        self.book(Movement { active: back, spent: -back, ..Movement::of(Some(id), EntryKind::Returned) });
        self.sort();
    }

    /// Something comes back to a lot: where its time is over, what was left of it is gone, and what comes lasts a while.
    fn revive(&mut self, id: PointsLotId, now: DateTime<Utc>) {
        self.expire(id, now);
        self.change(id, |lot| {
            lot.expires_at = lot.expires_at.map(|end| if end <= now { now + COME_BACK_FOR } else { end });
        });
    }

    /// No more than so many points of a lot, and level points, count as earned: what is beyond is taken back, as far as it can
    /// be from the lot, and owed for what was spent.
    pub fn lower(&mut self, id: PointsLotId, points: i64, level_points: i64) {
        let Some(lot) = self.lot(id) else { return };
        let level = (lot.level_points - lot.level_reversed - level_points.max(0)).max(0);
        let mut left = (lot.kept() - points.max(0)).max(0);
        let mut part = |of: i64| {
            let part = of.min(left);
            left -= part;
            part
        };
        let (pending, active, expired) = (part(lot.pending), part(lot.active), part(lot.expired));
        let owed = part((lot.spent - lot.clawed_back).max(0));
        if pending + active + expired > 0 || level > 0 {
            self.change(id, |lot| lot.level_reversed += level);
            self.book(Movement {
                pending: -pending,
                active: -active,
                expired: -expired,
                reversed: pending + active + expired,
                level: if lot.active_at.is_some() { -level } else { 0 },
                ..Movement::of(Some(id), EntryKind::Reversed)
            });
        }
        if owed > 0 {
            self.change(id, |lot| lot.clawed_back += owed);
            self.book(Movement { owed, ..Movement::of(Some(id), EntryKind::Owed) });
        }
    }

    /// So many points of a lot count as earned after all, and level points. What of them others have paid for meanwhile is
    /// told: it comes as a lot of its own.
    #[must_use]
    pub fn raise(&mut self, id: PointsLotId, points: i64, level_points: i64, now: DateTime<Utc>) -> i64 {
        let Some(lot) = self.lot(id) else { return 0 };
        let level = (level_points - (lot.level_points - lot.level_reversed)).clamp(0, lot.level_reversed);
        let wanted = (points - lot.kept()).max(0);
        let back = wanted.min(lot.reversed);
        let forgiven = (wanted - back).min(lot.clawed_back).min(self.balance.owed);
        let rest = (wanted - back - forgiven).min(lot.clawed_back - forgiven);
        if back + rest > 0 || level > 0 {
            let is_active = lot.active_at.is_some();
            if back > 0 && is_active {
                self.revive(id, now);
            }
            self.change(id, |lot| {
                lot.level_reversed -= level;
                lot.clawed_back -= rest;
            });
            self.book(Movement {
                pending: if is_active { 0 } else { back },
                active: if is_active { back } else { 0 },
                reversed: -back,
                level: if is_active { level } else { 0 },
                ..Movement::of(Some(id), EntryKind::Restored)
            });
            self.sort();
        }
        if forgiven > 0 {
            self.change(id, |lot| lot.clawed_back -= forgiven);
            self.forgive(forgiven, Some(id));
        }
        rest
    }

    /// So much is no longer owed.
    pub fn forgive(&mut self, points: i64, lot: Option<PointsLotId>) {
        let points = points.min(self.balance.owed);
        if points > 0 {
            self.book(Movement { owed: -points, ..Movement::of(lot, EntryKind::Forgiven) });
        }
    }

    /// What is owed is paid, as far as there is something.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        let owed = self.balance.owed;
        if owed > 0 {
            self.take(owed, now, |id, part| Movement {
                active: -part,
                spent: part,
                owed: -part,
                ..Movement::of(Some(id), EntryKind::Settled)
            });
        }
    }

    /// What is left of a lot is given up.
    pub fn write_off(&mut self, id: PointsLotId) {
        let Some(Lot { pending, active, .. }) = self.lot(id) else { return };
        if pending + active > 0 {
            self.book(Movement {
                pending: -pending,
                active: -active,
                reversed: pending + active,
                ..Movement::of(Some(id), EntryKind::Reversed)
            });
        }
    }

    /// The time of a lot is over.
    pub fn expire(&mut self, id: PointsLotId, now: DateTime<Utc>) {
        let Some(lot) = self.lot(id) else { return };
        let is_over = lot.expires_at.is_some_and(|end| end <= now);
        if is_over && lot.active > 0 {
            self.book(Movement {
                active: -lot.active,
                expired: lot.active,
                ..Movement::of(Some(id), EntryKind::Expired)
            });
        }
    }

    /// The first to expire first; what lasts last.
    fn sort(&mut self) {
        self.lots.sort_by_key(|lot| (lot.expires_at.is_none(), lot.expires_at, lot.id));
    }
}

/// What an amount of money earns at a rate in hundredths of a point for each 100 minor units: whole points, the rest is
/// dropped.
pub fn earned(minor: i64, rate_bp: i32) -> i64 {
    let points = i128::from(minor.max(0)) * i128::from(rate_bp.max(0)) / 10_000;
    i64::try_from(points).unwrap_or(POINTS_MAX).min(POINTS_MAX)
}

/// When points expire that can be spent from `now` on: so many months later, at the end of that day of the shop.
pub fn expires_at(now: DateTime<Utc>, months: Option<i32>, zone: Tz) -> Option<DateTime<Utc>> {
    let months = Months::new(u32::try_from(months?).ok()?);
    let last = now.with_timezone(&zone).date_naive().checked_add_months(months)?.succ_opt()?;
    day::begins(last, zone)
}

/// How points pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// So many points …
    pub step_points: i64,
    /// … pay so much, in whole steps.
    pub step_minor: i64,
    pub least_points: i64,
    /// Of what the order comes to, in hundredths of a percent.
    pub most_share_bp: i32,
}

/// What points pay of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaidByPoints {
    pub points: i64,
    pub minor: i64,
    /// Why they are fewer than were wanted: `points_share`, `rest_too_small`, `points_minimum`, `points_step`.
    pub limited: Option<&'static str>,
}

impl Exchange {
    /// How much of an order so many points pay: whole steps, no more than the share, and no rest that is too little to
    /// charge. `payable_minor` is what of the total points may pay at all.
    pub fn pays(&self, wanted: i64, total_minor: i64, payable_minor: i64, least_minor: i64) -> PaidByPoints {
        let share = i128::from(total_minor) * i128::from(self.most_share_bp) / 10_000;
        let most_minor = i64::try_from(share).unwrap_or(i64::MAX).min(payable_minor).max(0);
        let (asked, allowed) = (wanted.max(0) / self.step_points, most_minor / self.step_minor);
        let mut limited = if asked > allowed { Some("points_share") } else { None };
        let mut steps = asked.min(allowed);
        let rest = |steps: i64| total_minor - steps * self.step_minor;
        if (1..least_minor).contains(&rest(steps)) {
            limited = Some("rest_too_small");
            // As many fewer as leave something to charge.
            steps -= (least_minor - rest(steps) + self.step_minor - 1) / self.step_minor;
        }
        let steps = steps.max(0);
        if steps * self.step_points < self.least_points.max(1) {
            let why = limited.unwrap_or(if asked == 0 { "points_step" } else { "points_minimum" });
            return PaidByPoints { limited: Some(why), ..PaidByPoints::default() };
        }
        PaidByPoints { points: steps * self.step_points, minor: steps * self.step_minor, limited }
    }
}

/// Of the points that paid an order so many come back, once so much of what they paid has gone back in all.
pub fn returned(points: i64, points_minor: i64, back_minor: i64) -> i64 {
    if points_minor == 0 {
        return 0;
    }
    let exact = i128::from(points) * i128::from(back_minor.clamp(0, points_minor)) / i128::from(points_minor);
    i64::try_from(exact).unwrap_or(points)
}

#[cfg(test)]
mod tests;
