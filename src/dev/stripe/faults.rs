//! Faults on request: what goes wrong next, and how often things go wrong by chance.

use std::time::Duration;

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::store::Signature;

/// Something that goes wrong the next `times` times.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation of the API (`create_checkout`, `retrieve_checkout`, `expire_checkout`, `create_refund`, … see
    /// `operation.rs`), or `*` for each. For faults of webhooks: the type of event (`checkout.session.completed`),
    /// or `*`.
    pub operation: String,
    #[serde(default = "once")]
    pub times: u32,
    #[serde(rename = "kind")]
    pub kind: FaultKind,
    /// The status of `status`.
    #[serde(default)]
    pub status: Option<u16>,
    /// The length of `hang`, `delay` (real time) or `late` (the clock's time), in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answer with `status` and Stripe's error shape, without executing. 402 and 500 are kept under the idempotency
    /// key, as Stripe keeps what began to run.
    Status,
    /// Answer 502 with a page of HTML, as a proxy in front would.
    BadGateway,
    /// Say nothing for `seconds`, then execute. A repeat meanwhile meets its own running key (409).
    Hang,
    /// Execute, wait `seconds`, then answer.
    Delay,
    /// Execute, then close the connection without an answer.
    AnswerLost,
    /// Webhooks: never send the event.
    Drop,
    /// Webhooks: send it twice.
    Duplicate,
    /// Webhooks: send it `seconds` later by the clock.
    Late,
    /// Webhooks: let the next event overtake it.
    Reorder,
    /// Webhooks: sign it with an unknown secret (a retry is signed right).
    WrongSignature,
    /// Webhooks: sign it with a time of ten minutes ago (a retry is signed right).
    OldTimestamp,
    /// Webhooks: two `v1`, the first of an unknown secret.
    TwoV1,
}

impl FaultKind {
    fn is_of_webhooks(self) -> bool {
        !matches!(self, Self::Status | Self::BadGateway | Self::Hang | Self::Delay | Self::AnswerLost)
    }
}

impl Fault {
    pub fn new(operation: &str, kind: FaultKind) -> Self {
        Self { operation: operation.to_owned(), times: 1, kind, status: None, seconds: None }
    }

    /// The next call of this operation is answered with this status.
    pub fn status(operation: &str, status: u16) -> Self {
        Self { status: Some(status), ..Self::new(operation, FaultKind::Status) }
    }

    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    pub fn seconds(self, seconds: f64) -> Self {
        Self { seconds: Some(seconds), ..self }
    }

    fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds.unwrap_or(30.0)).unwrap_or(Duration::from_secs(30))
    }
}

/// How often things go wrong by chance: each a share between 0 and 1, drawn from a seeded generator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    pub seed: u64,
    /// Webhooks sent twice, never, or `late_seconds` later (by the clock), or overtaken by the next.
    pub webhooks_twice: f64,
    pub webhooks_lost: f64,
    pub webhooks_late: f64,
    pub late_seconds: f64,
    pub webhooks_reordered: f64,
    /// Calls answered 500 without executing, 429, executed without an answer, or `delay_seconds` (real time) later.
    pub calls_failed: f64,
    pub calls_limited: f64,
    pub answers_lost: f64,
    pub calls_delayed: f64,
    pub delay_seconds: f64,
}

/// What to do with an event that is about to be sent.
pub struct EventPlan {
    pub lost: bool,
    pub copies: u32,
    pub late: Option<TimeDelta>,
    pub held: bool,
    pub signature: Signature,
}

/// What to do with a call that is about to be executed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CallPlan {
    Normal,
    Refuse(u16),
    BadGateway,
    Hang(Duration),
    Delay(Duration),
    LoseAnswer,
}

#[derive(Default)]
pub struct Faults {
    queue: Vec<Fault>,
    chaos: Option<(Chaos, StdRng)>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.queue.push(fault);
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn set_chaos(&mut self, chaos: Chaos) {
        let dice = StdRng::seed_from_u64(chaos.seed);
        self.chaos = Some((chaos, dice));
    }

    pub fn queued(&self) -> &[Fault] {
        &self.queue
    }

    /// Takes the oldest queued fault for this name, once.
    fn take(&mut self, name: &str, of_webhooks: bool) -> Option<Fault> {
        let fits = |fault: &Fault| {
            fault.kind.is_of_webhooks() == of_webhooks && (fault.operation == "*" || fault.operation == name)
        };
        let at = self.queue.iter().position(fits)?;
        let fault = self.queue.get_mut(at)?;
        fault.times = fault.times.saturating_sub(1);
        let taken = fault.clone();
        if fault.times == 0 {
            self.queue.remove(at);
        }
        Some(taken)
    }

    pub fn plan_call(&mut self, operation: &str) -> CallPlan {
        if let Some(fault) = self.take(operation, false) {
            return match fault.kind {
                FaultKind::BadGateway => CallPlan::BadGateway,
                FaultKind::Hang => CallPlan::Hang(fault.duration()),
                FaultKind::Delay => CallPlan::Delay(fault.duration()),
                FaultKind::AnswerLost => CallPlan::LoseAnswer,
                _ => CallPlan::Refuse(fault.status.unwrap_or(500)),
            };
        }
        let Some((chaos, dice)) = &mut self.chaos else { return CallPlan::Normal };
        let delay = Duration::try_from_secs_f64(chaos.delay_seconds).unwrap_or_default();
        let shares = [
            (chaos.calls_failed, CallPlan::Refuse(500)),
            (chaos.calls_limited, CallPlan::Refuse(429)),
            (chaos.answers_lost, CallPlan::LoseAnswer),
            (chaos.calls_delayed, CallPlan::Delay(delay)),
        ];
        let mut roll: f64 = dice.random();
        for (share, plan) in shares {
            if roll < share {
                return plan;
            }
            roll -= share;
        }
        CallPlan::Normal
    }

    pub fn plan_event(&mut self, kind: &str) -> EventPlan {
        let mut plan =
            EventPlan { lost: false, copies: 1, late: None, held: false, signature: Signature::Right };
        if let Some(fault) = self.take(kind, true) {
            match fault.kind {
                FaultKind::Drop => plan.lost = true,
                FaultKind::Duplicate => plan.copies = 2,
                FaultKind::Late => plan.late = TimeDelta::from_std(fault.duration()).ok(),
                FaultKind::Reorder => plan.held = true,
                FaultKind::WrongSignature => plan.signature = Signature::Wrong,
                FaultKind::OldTimestamp => plan.signature = Signature::Old,
                _ => plan.signature = Signature::BesideAnother,
            }
            return plan;
        }
        let Some((chaos, dice)) = &mut self.chaos else { return plan };
        let roll: f64 = dice.random();
        let mut limit = chaos.webhooks_twice;
        if roll < limit {
            plan.copies = 2;
            return plan;
        }
        limit += chaos.webhooks_lost;
        if roll < limit {
            plan.lost = true;
            return plan;
        }
        limit += chaos.webhooks_late;
        if roll < limit {
            let late = Duration::try_from_secs_f64(chaos.late_seconds).unwrap_or_default();
            plan.late = TimeDelta::from_std(late).ok();
            return plan;
        }
        plan.held = roll < limit + chaos.webhooks_reordered;
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_used_up_after_its_times_and_only_by_its_operation() {
        let mut faults = Faults::default();
        faults.add(Fault::status("create_refund", 503).times(2));
        assert_eq!(faults.plan_call("create_checkout"), CallPlan::Normal);
        assert_eq!(faults.plan_call("create_refund"), CallPlan::Refuse(503));
        assert_eq!(faults.plan_call("create_refund"), CallPlan::Refuse(503));
        assert_eq!(faults.plan_call("create_refund"), CallPlan::Normal);
    }

    #[test]
    fn faults_of_webhooks_leave_calls_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::new("*", FaultKind::Duplicate));
        assert_eq!(faults.plan_call("create_refund"), CallPlan::Normal);
        assert_eq!(faults.plan_event("refund.created").copies, 2);
        assert_eq!(faults.plan_event("refund.created").copies, 1);
    }

    #[test]
    fn chance_keeps_its_shares_and_repeats_with_its_seed() {
        let roll = || {
            let mut faults = Faults::default();
            faults.set_chaos(Chaos { seed: 7, webhooks_lost: 0.1, webhooks_twice: 0.2, ..Chaos::default() });
            (0..2_000)
                .map(|_| {
                    let plan = faults.plan_event("x");
                    (plan.lost, plan.copies)
                })
                .collect::<Vec<_>>()
        };
        let first = roll();
        assert_eq!(first, roll());
        let lost = first.iter().filter(|(lost, _)| *lost).count();
        let twice = first.iter().filter(|(_, copies)| *copies == 2).count();
        assert!((150..250).contains(&lost), "{lost}");
        assert!((320..480).contains(&twice), "{twice}");
    }
}
