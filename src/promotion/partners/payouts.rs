//! What is payable, paid out; and a partner's entries as a file.

use chrono::SecondsFormat;
use serde_json::json;

use super::dto::{CommissionView, PayoutView};
use super::entries::{self, Payout};
use super::model;
use super::service::record;
use crate::app::App;
use crate::audit::Actor;
use crate::db;
use crate::db::idempotency::{self, Claim, Request};
use crate::error::{AppError, Code, Result};
use crate::http::csv::push_row;
use crate::types::id::{PartnerId, PartnerPayoutId};
use crate::types::money::plain;

/// Pays out all of a partner's that is payable and wasn't yet, once a request. Locks the partner: of two at once the second
/// finds nothing left. The money itself is sent by the shop's bank.
///
/// # Errors
/// `not_found`, `nothing_payable`, `idempotency_key_reused`, `request_in_progress`.
pub async fn pay_out(app: &App, actor: Actor, partner: PartnerId, request: &Request) -> Result<PayoutView> {
    let now = app.clock.now();
    let id = PartnerPayoutId::new();
    let currency = &app.settings.currency;
    db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            let paid = entries::find_payout(conn, PartnerPayoutId(earlier)).await?.ok_or(Code::NotFound)?;
            return Ok(PayoutView::new(paid, currency));
        }
        model::lock(conn, partner).await?.ok_or(Code::NotFound)?;
        let unpaid = entries::unpaid(conn, partner).await?;
        let amount_minor: i64 = unpaid.iter().map(|(_, minor)| minor).sum();
        if amount_minor <= 0 {
            return Err(Code::NothingPayable.error());
        }
        let count = i32::try_from(unpaid.len()).map_err(AppError::internal)?;
        let payout = Payout { id, partner_id: partner, amount_minor, entries: count, created_at: now };
        let paid: Vec<_> = unpaid.into_iter().map(|(entry, _)| entry).collect();
        entries::insert_payout(conn, &payout, &paid).await?;
        let detail = json!({ "payout": id, "amount_minor": amount_minor, "entries": count });
        record(conn, actor, "partner.pay_out", partner, detail, now).await?;
        Ok(PayoutView::new(payout, currency))
    })
    .await
}

/// Entries as CSV: what came and what went back in columns of their own, so that no amount begins like a formula.
pub fn file(of: &[CommissionView], currency: &str) -> String {
    let mut out = String::new();
    let head = [
        "id",
        "created_at",
        "order",
        "code",
        "kind",
        "reason",
        "basis",
        "rate_percent",
        "earned",
        "reversed",
        "currency",
        "state",
        "payout",
    ];
    push_row(&mut out, &head);
    for entry in of {
        let amount = entry.amount.amount;
        let payout = entry.payout.map(|id| id.to_string()).unwrap_or_default();
        push_row(
            &mut out,
            &[
                &entry.id.to_string(),
                &entry.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                &entry.order.to_string(),
                &entry.code,
                entry.kind.as_str(),
                entry.reason.as_deref().unwrap_or_default(),
                &plain(entry.basis.amount, currency),
                &entry.rate_percent,
                &plain(amount.max(0), currency),
                &plain((-amount).max(0), currency),
                currency,
                entry.state,
                &payout,
            ],
        );
    }
    out
}
