//! An order as it stands once it is written, made of what is written: what the database adds to a new row are its defaults.
//! So the answer to who placed it needs no look at the database.

use super::model::{LineRow, NewLine, NewOrder, OrderRow};
use crate::checkout::payments::model::{NewPayment, PaymentRow};

impl From<&NewOrder> for OrderRow {
    fn from(new: &NewOrder) -> Self {
        Self {
            id: new.id,
            number: new.number.clone(),
            account_id: new.account_id,
            state: new.state,
            currency: new.currency.clone(),
            subtotal_minor: new.subtotal_minor,
            discount_minor: new.discount_minor,
            shipping_minor: new.shipping_minor,
            tax_included_minor: new.tax_included_minor,
            total_minor: new.total_minor,
            points: new.points,
            points_minor: new.points_minor,
            credit_minor: new.credit_minor,
            due_minor: new.due_minor,
            refunded_minor: 0,
            explanation: new.explanation.clone(),
            email: new.email.clone(),
            locale: new.locale.clone(),
            invite_code: new.invite_code.clone(),
            terms_version: new.terms_version.clone(),
            success_url: new.success_url.clone(),
            cancel_url: new.cancel_url.clone(),
            hold_minutes: new.hold_minutes,
            ship_to: new.ship_to.clone(),
            shipping_method_id: new.shipping_method_id,
            created_at: new.created_at,
            paid_at: None,
            closed_at: None,
        }
    }
}

impl From<&NewLine> for LineRow {
    fn from(new: &NewLine) -> Self {
        Self {
            id: new.id,
            order_id: new.order_id,
            position: new.position,
            kind: new.kind.to_owned(),
            plan_id: new.plan_id,
            drive_id: new.drive_id,
            variant_id: new.variant_id,
            drop_id: new.drop_id,
            f_code_id: new.f_code_id,
            title: new.title.clone(),
            quantity: new.quantity,
            unit_price_minor: new.unit_price_minor,
            discount_minor: new.discount_minor,
            total_minor: new.total_minor,
            tax_included_minor: new.tax_included_minor,
            tax_rate_bp: new.tax_rate_bp,
            refunded_minor: 0,
            points_minor: new.points_minor,
            points_back_minor: 0,
            points_rate_bp: new.points_rate_bp,
            level_rate_bp: new.level_rate_bp,
            shipped: 0,
            returned: 0,
            restocked_at: None,
            fulfilled_at: None,
            ships_from: new.ships_from,
            upgrade_quote_id: new.upgrade_quote_id,
            renewal_id: new.renewal_id,
            benefit_id: new.benefit_id,
        }
    }
}

impl From<&NewPayment> for PaymentRow {
    fn from(new: &NewPayment) -> Self {
        Self {
            id: new.id,
            order_id: new.order_id,
            attempt: new.attempt,
            state: new.state,
            amount_minor: new.amount_minor,
            currency: new.currency.clone(),
            methods: new.methods.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            call_attempt: 1,
            session_expires_at: None,
            stripe_session_id: None,
            url: None,
            expires_at: new.expires_at,
            stripe_payment_intent_id: None,
            method_used: None,
            failure_code: None,
            captured_minor: 0,
            sent_back: false,
            saves_card: new.saves_card,
            created_at: new.created_at,
        }
    }
}
