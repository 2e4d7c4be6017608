//! Operators' work on plans.

use serde_json::json;

use super::dto::{NewPlan, PlanChange};
use super::model::{self, Plan};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::membership::trials::rules::DAYS_MAX;
use crate::membership::{catalog, tiers};
use crate::types::id::PlanId;

/// An unpaid order's Checkout Session lives `hold + 30 min`, and Stripe allows it 24 hours at most.
const LONGEST_HOLD_MINUTES: i32 = 1_380;

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`
pub async fn create(app: &App, actor: Actor, new: &NewPlan) -> Result<Plan> {
    let code = fields::slug("code", &new.code)?;
    let term = rules::term(&new.term)?;
    let price_minor = fields::price("price", &new.price, &app.settings.currency)?;
    let payment_methods = rules::methods(&new.payment_methods)?;
    let hold_minutes = fields::within("hold_minutes", new.hold_minutes, 1, LONGEST_HOLD_MINUTES)?;
    let trial_days = fields::within("trial_days", new.trial_days, 0, DAYS_MAX)?;
    let associate_seats = rules::seats(new.associate_seats)?;
    rules::check_renewal(new.renews, &payment_methods, term)?;
    let plan = db::transaction(&app.pool, async |conn| {
        let tier = tiers::model::find_for_use(conn, new.tier).await?;
        let tier = tier
            .filter(|tier| tier.archived_at.is_none())
            .ok_or_else(|| Code::InvalidField.at("tier", "there is no such tier, or it is archived"))?;
        let plan = Plan {
            id: PlanId::new(),
            code: code.clone(),
            tier: tier.id,
            tier_code: tier.code,
            tier_zh: tier.names.zh,
            tier_en: tier.names.en,
            tier_rank: tier.rank,
            term,
            price_minor,
            currency: app.settings.currency.clone(),
            renews: new.renews,
            payment_methods: payment_methods.clone(),
            hold_minutes,
            open_sale: new.open_sale,
            open_upgrade: new.open_upgrade,
            trial_days,
            associate_seats,
            created_at: app.clock.now(),
            archived_at: None,
            version: 1,
        };
        model::insert(conn, &plan).await?;
        finish(conn, actor, "plan.create", &plan, app).await?;
        Ok(plan)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(plan)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `amount_out_of_range`
pub async fn change(app: &App, actor: Actor, id: PlanId, seen: IfMatch, change: PlanChange) -> Result<Plan> {
    let term = fields::kept("term", change.term)?.map(|term| rules::term(&term)).transpose()?;
    let price = fields::kept("price", change.price)?
        .map(|price| fields::price("price", &price, &app.settings.currency))
        .transpose()?;
    let renews = fields::kept("renews", change.renews)?;
    let methods = fields::kept("payment_methods", change.payment_methods)?;
    let methods = methods.map(|methods| rules::methods(&methods)).transpose()?;
    let hold = fields::kept("hold_minutes", change.hold_minutes)?
        .map(|minutes| fields::within("hold_minutes", minutes, 1, LONGEST_HOLD_MINUTES))
        .transpose()?;
    let open_sale = fields::kept("open_sale", change.open_sale)?;
    let open_upgrade = fields::kept("open_upgrade", change.open_upgrade)?;
    let trial_days = fields::kept("trial_days", change.trial_days)?
        .map(|days| fields::within("trial_days", days, 0, DAYS_MAX))
        .transpose()?;
    let seats = fields::kept("associate_seats", change.associate_seats)?.map(rules::seats).transpose()?;
    let plan = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let plan = Plan {
            term: term.unwrap_or(before.term),
            price_minor: price.unwrap_or(before.price_minor),
            renews: renews.unwrap_or(before.renews),
            payment_methods: methods.clone().unwrap_or(before.payment_methods),
            hold_minutes: hold.unwrap_or(before.hold_minutes),
            open_sale: open_sale.unwrap_or(before.open_sale),
            open_upgrade: open_upgrade.unwrap_or(before.open_upgrade),
            trial_days: trial_days.unwrap_or(before.trial_days),
            associate_seats: seats.unwrap_or(before.associate_seats),
            version: before.version + 1,
            ..before
        };
        rules::check_renewal(plan.renews, &plan.payment_methods, plan.term)?;
        model::store(conn, &plan).await?;
        finish(conn, actor, "plan.change", &plan, app).await?;
        Ok(plan)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(plan)
}

/// Takes a plan that no running drive sells off the shelf. Twice does no more than once.
///
/// # Errors
/// `not_found`, `in_use`
pub async fn archive(app: &App, actor: Actor, id: PlanId) -> Result<Plan> {
    let plan = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let now = app.clock.now();
        if model::is_in_drive(conn, id, now).await? {
            return Err(Code::InUse.because("A drive sells this plan: archive the drive first."));
        }
        let plan = Plan { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &plan).await?;
        finish(conn, actor, "plan.archive", &plan, app).await?;
        Ok(plan)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(plan)
}

async fn finish(conn: &mut Conn, actor: Actor, action: &str, plan: &Plan, app: &App) -> Result<()> {
    catalog::model::raise_version(conn).await?;
    let entry = Entry {
        actor,
        action,
        subject_kind: "plan",
        subject_id: plan.id.to_string(),
        reason: None,
        detail: json!({
            "code": plan.code,
            "version": plan.version,
            "term": plan.term.to_string(),
            "price_minor": plan.price_minor,
        }),
    };
    audit::record(conn, app.clock.now(), entry).await
}
