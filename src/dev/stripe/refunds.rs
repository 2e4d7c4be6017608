//! Refunds and disputes of charges.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::amount::amount_text;
use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::rows::{Charge, Dispute, Method, Refund, Snapshot, Status};
use super::store::{Due, Moment, Store};

/// A refund as asked for.
#[derive(Debug)]
pub struct AskedRefund {
    intent: Option<String>,
    charge: Option<String>,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl AskedRefund {
    pub fn read(mut params: Params) -> Result<Self, ApiError> {
        let asked = Self {
            intent: params.text("payment_intent")?,
            charge: params.text("charge")?,
            amount: params.integer("amount")?,
            reason: params.one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"])?,
            metadata: params.metadata()?,
        };
        params.refuse(&[
            "currency",
            "customer",
            "instructions_email",
            "origin",
            "refund_application_fee",
            "reverse_transfer",
        ])?;
        params.finish()?;
        if asked.intent.is_none() && asked.charge.is_none() {
            let message =
                "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(ApiError::invalid(message).code("parameter_missing"));
        }
        if asked.amount.is_some_and(|amount| amount <= 0) {
            return Err(ApiError::invalid("Invalid positive integer")
                .code("parameter_invalid_integer")
                .param("amount"));
        }
        Ok(asked)
    }
}

impl Store {
    /// The charge to refund: of the intent, or named itself; both must agree.
    fn charge_to_refund(&self, asked: &AskedRefund) -> Result<Charge, ApiError> {
        let named = match &asked.charge {
            None => None,
            Some(id) => {
                Some(self.charges.get(id).ok_or_else(|| ApiError::missing_for("charge", "charge", id))?)
            }
        };
        let Some(id) = &asked.intent else {
            return named.map(|charge| charge.as_ref().clone()).ok_or_else(|| ApiError::required("charge"));
        };
        let intent = self
            .intents
            .get(id)
            .ok_or_else(|| ApiError::missing_for("payment_intent", "payment_intent", id))?;
        let latest = intent.latest_charge.as_ref().and_then(|charge| self.charges.get(charge));
        let paid = latest.filter(|charge| charge.status == Status::Succeeded);
        match (paid, named) {
            (Some(paid), Some(named)) if paid.id != named.id => {
                Err(ApiError::state("The charge doesn't belong to the payment_intent.").param("charge"))
            }
            (Some(paid), _) => Ok(paid.as_ref().clone()),
            (None, _) => Err(ApiError::state(format!(
                "This PaymentIntent ({id}) does not have a successful charge to refund."
            ))
            .code("payment_intent_unexpected_state")),
        }
    }

    pub fn create_refund(&mut self, asked: AskedRefund, at: &Moment) -> Result<String, ApiError> {
        let charge = self.charge_to_refund(&asked)?;
        if let Some(dispute) = charge.dispute.as_ref().and_then(|id| self.disputes.get(id))
            && !matches!(dispute.status.as_str(), "won" | "warning_closed")
        {
            let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
            return Err(ApiError::state(message).code("charge_disputed"));
        }
        let amount = check_refundable(&charge, asked.amount, at)?;
        let settles_at = (!charge.method.refunds_at_once()).then(|| at.now + self.refund_delay);
        let refund = self.refunds.put(Refund {
            id: ids::refund(charge.method == Method::Card),
            created: at.now,
            charge: charge.id.clone(),
            intent: charge.intent.clone(),
            payment_method: charge.payment_method.clone(),
            customer: charge.customer.clone(),
            method: charge.method,
            amount,
            currency: charge.currency.clone(),
            status: if settles_at.is_some() { Status::Pending } else { Status::Succeeded },
            reason: asked.reason,
            failure_reason: None,
            metadata: asked.metadata,
            settles_at,
        });
        let id = refund.id.clone();
        let charge = self.charges.edit(&charge.id, |charge| {
            charge.refunded += amount;
            charge.refunds.push(id.clone());
        });
        self.emit("refund.created", Snapshot::Refund(refund), None, at);
        match (settles_at, charge) {
            (Some(settles_at), _) => drop(self.due.insert((settles_at, Due::RefundSettles(id.clone())))),
            (None, Some(charge)) => self.emit("charge.refunded", Snapshot::Charge(charge), None, at),
            (None, None) => {}
        }
        Ok(id)
    }

    /// A refund succeeds or fails; true if that changed anything. A refund that had succeeded can still fail, as at a
    /// bank that sends the money back; its amount may then be refunded again.
    pub fn settle_refund(&mut self, id: &str, succeeds: bool, at: &Moment) {
        let Some(refund) = self.refunds.get(id).map(|refund| refund.as_ref().clone()) else { return };
        let status = if succeeds { Status::Succeeded } else { Status::Failed };
        if refund.status == status || refund.status == Status::Failed {
            return;
        }
        if let Some(settles_at) = refund.settles_at {
            self.due.remove(&(settles_at, Due::RefundSettles(refund.id.clone())));
        }
        let changed = self.refunds.edit(id, |refund| {
            refund.status = status;
            refund.settles_at = None;
            refund.failure_reason = (!succeeds).then(|| "expired_or_canceled_card".to_owned());
        });
        let charge = self.charges.edit(&refund.charge, |charge| {
            if !succeeds {
                charge.refunded -= refund.amount;
            }
        });
        if let Some(changed) = changed {
            let previous = json!({ "status": refund.status.name() });
            self.emit("refund.updated", Snapshot::Refund(changed.clone()), Some(previous), at);
            if !succeeds {
                self.emit("refund.failed", Snapshot::Refund(changed), None, at);
            }
        }
        if let (true, Some(charge)) = (succeeds, charge) {
            self.emit("charge.refunded", Snapshot::Charge(charge), None, at);
        }
    }

    /// The bank opens a dispute over the whole charge of an intent.
    pub fn open_dispute(&mut self, intent: &str, reason: &str, at: &Moment) -> Result<String, String> {
        let charge = self
            .intents
            .get(intent)
            .and_then(|intent| self.charges.get(intent.latest_charge.as_ref()?))
            .filter(|charge| charge.status == Status::Succeeded)
            .ok_or("no paid charge of this intent")?;
        if charge.method == Method::WechatPay {
            return Err("WeChat Pay has no disputes".to_owned());
        }
        if charge.dispute.is_some() {
            return Err("the charge has a dispute already".to_owned());
        }
        let dispute = Dispute {
            id: ids::random("du_1", 23),
            created: at.now,
            charge: charge.id.clone(),
            intent: intent.to_owned(),
            method: charge.method,
            amount: charge.amount,
            currency: charge.currency.clone(),
            reason: reason.to_owned(),
            status: "needs_response".to_owned(),
        };
        let dispute = self.disputes.put(dispute);
        let id = dispute.id.clone();
        self.charges.edit(&dispute.charge, |charge| charge.dispute = Some(id.clone()));
        self.emit("charge.dispute.created", Snapshot::Dispute(dispute.clone()), None, at);
        self.emit("charge.dispute.funds_withdrawn", Snapshot::Dispute(dispute), None, at);
        Ok(id)
    }

    /// The bank decides: `won`, `lost` or `warning_closed`.
    pub fn close_dispute(&mut self, id: &str, status: &str, at: &Moment) -> Result<(), String> {
        if !CLOSED_DISPUTES.contains(&status) {
            return Err(format!("status must be one of {}", CLOSED_DISPUTES.join(", ")));
        }
        let dispute = self.disputes.get(id).ok_or("no such dispute")?;
        if CLOSED_DISPUTES.contains(&dispute.status.as_str()) {
            return Err("the dispute is closed".to_owned());
        }
        let Some(dispute) = self.disputes.edit(id, |dispute| status.clone_into(&mut dispute.status)) else {
            return Err("no such dispute".to_owned());
        };
        if status != "lost" {
            self.emit("charge.dispute.funds_reinstated", Snapshot::Dispute(dispute.clone()), None, at);
        }
        self.emit("charge.dispute.closed", Snapshot::Dispute(dispute), None, at);
        Ok(())
    }
}

const CLOSED_DISPUTES: [&str; 3] = ["won", "lost", "warning_closed"];

/// What may be refunded of a charge now: the amount asked for, or all that is left.
fn check_refundable(charge: &Charge, asked: Option<i64>, at: &Moment) -> Result<i64, ApiError> {
    let id = &charge.id;
    if charge.status != Status::Succeeded {
        return Err(ApiError::state(format!("Charge {id} has not been paid, so it can't be refunded.")));
    }
    if let Some(days) = charge.method.refund_window_days()
        && at.now > charge.created + TimeDelta::days(days)
    {
        let message = format!("Charge {id} is older than {days} days; it can no longer be refunded.");
        return Err(ApiError::state(message).code("charge_not_refundable"));
    }
    let left = charge.amount - charge.refunded;
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(ApiError::state(message).code("charge_already_refunded"));
    }
    let amount = asked.unwrap_or(left);
    if amount > left {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            amount_text(amount, &charge.currency),
            amount_text(left, &charge.currency)
        );
        return Err(ApiError::state(message).code("amount_too_large").param("amount"));
    }
    Ok(amount)
}
