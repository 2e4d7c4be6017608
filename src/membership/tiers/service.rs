//! Operators' work on tiers.

use serde_json::json;

use super::dto::{NewTier, TierChange};
use super::model::{self, Tier};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::levels::model as levels;
use crate::membership::catalog;
use crate::types::id::{LevelId, TierId};

/// # Errors
/// `invalid_field`, `code_taken`
pub async fn create(app: &App, actor: Actor, new: &NewTier) -> Result<Tier> {
    let now = app.clock.now();
    let tier = Tier {
        id: TierId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        rank: new.rank,
        associate_tier: new.associate_tier,
        floor_level: new.floor_level,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    db::transaction(&app.pool, async |conn| {
        known_tier(conn, tier.associate_tier).await?;
        known_level(conn, tier.floor_level).await?;
        model::insert(conn, &tier).await?;
        finish(conn, actor, "tier.create", &tier, app).await
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(tier)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`
pub async fn change(app: &App, actor: Actor, id: TierId, seen: IfMatch, change: TierChange) -> Result<Tier> {
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let rank = fields::kept("rank", change.rank)?;
    let associate_tier = change.associate_tier.into_change();
    let floor_level = change.floor_level.into_change();
    let tier = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        if let Some(associates) = associate_tier.flatten().filter(|associates| *associates != id) {
            known_tier(conn, Some(associates)).await?;
        }
        known_level(conn, floor_level.flatten()).await?;
        let tier = Tier {
            names: names.clone().unwrap_or(before.names),
            rank: rank.unwrap_or(before.rank),
            associate_tier: associate_tier.unwrap_or(before.associate_tier),
            floor_level: floor_level.unwrap_or(before.floor_level),
            version: before.version + 1,
            ..before
        };
        model::store(conn, &tier).await?;
        finish(conn, actor, "tier.change", &tier, app).await?;
        Ok(tier)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(tier)
}

/// Takes a tier that no plan sells off the shelf; members keep it. Twice does no more than once.
///
/// # Errors
/// `not_found`, `in_use`
pub async fn archive(app: &App, actor: Actor, id: TierId) -> Result<Tier> {
    let tier = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        if model::is_sold(conn, id).await? {
            return Err(Code::InUse.because("Archive the plans of this tier first."));
        }
        let tier = Tier { archived_at: Some(app.clock.now()), version: before.version + 1, ..before };
        model::store(conn, &tier).await?;
        finish(conn, actor, "tier.archive", &tier, app).await?;
        Ok(tier)
    })
    .await?;
    catalog::service::after_write(app).await;
    Ok(tier)
}

async fn known_tier(conn: &mut Conn, id: Option<TierId>) -> Result<()> {
    match id {
        Some(id) if model::find(conn, id).await?.is_none_or(|tier| tier.archived_at.is_some()) => {
            Err(Code::InvalidField.at("associate_tier", "there is no such tier, or it is archived"))
        }
        _ => Ok(()),
    }
}

/// It stays while the tier names it: archiving asks for tiers under its lock.
async fn known_level(conn: &mut Conn, id: Option<LevelId>) -> Result<()> {
    match id {
        Some(id) if levels::lock(conn, id).await?.is_none_or(|level| level.archived_at.is_some()) => {
            Err(Code::InvalidField.at("floor_level", "there is no such level, or it is archived"))
        }
        _ => Ok(()),
    }
}

async fn finish(conn: &mut Conn, actor: Actor, action: &str, tier: &Tier, app: &App) -> Result<()> {
    catalog::model::raise_version(conn).await?;
    let entry = Entry {
        actor,
        action,
        subject_kind: "tier",
        subject_id: tier.id.to_string(),
        reason: None,
        detail: json!({ "code": tier.code, "version": tier.version }),
    };
    audit::record(conn, app.clock.now(), entry).await
}
