//! What somebody has of his membership and of his level, with what he used of it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::dto::OwnBenefit;
use super::model::{self, Benefit};
use super::rules::{self, Ground};
use super::uses::{self, Used, User};
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::levels::model as levels;
use crate::membership::associates::access::{self, Standing};
use crate::membership::memberships::model::{MembershipRow, TermRow};
use crate::membership::memberships::rules::{GRACE, gives_access, life, standing_at};
use crate::membership::memberships::views::Member;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::shop::rights::rules::Source;
use crate::shop::rights::service as rights;
use crate::types::id::{AccountId, LevelId, TierId};
use crate::types::locale::Locale;

/// Who stands under a membership, and on which level.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    pub buyer: &'a Buyer,
    pub member: &'a Member,
    pub level: Option<LevelId>,
}

/// What each of these has of his membership now, with what he used; nothing while it gives no access.
///
/// # Errors
/// The database's.
pub async fn of_members(
    conn: &mut Conn,
    members: &[Standpoint<'_>],
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<HashMap<AccountId, Vec<OwnBenefit>>> {
    let has_access = |of: &&Standpoint<'_>| gives_access(life(&of.member.row, now, GRACE));
    let members: Vec<_> = members.iter().filter(has_access).copied().collect();
    let ids: Vec<_> = members.iter().map(|of| of.member.row.id).collect();
    let tiers: BTreeSet<_> = members.iter().map(|of| of.member.row.tier_id).collect();
    let levels: BTreeSet<_> = members.iter().filter_map(|of| of.level).collect();
    let accounts: Vec<_> = members.iter().map(|of| of.buyer.id).collect();
    let (trials, given) = tokio::try_join!(
        uses::trials_among(conn, &ids),
        Given::read(conn, tiers, levels, members.iter().map(|of| of.buyer)),
    )?;
    let opened = rights::by_belonging(conn, &accounts, now).await?;
    let own = members.iter().map(|of| {
        let row = &of.member.row;
        let membership = Some((row, of.member.periods_from));
        let ground = Ground { membership, is_trial: trials.contains(&row.id), level: of.level };
        let mut own = given.to(of.buyer, &ground, of.buyer.locale, (now, zone));
        let opened = opened.get(&of.buyer.id).into_iter().flatten();
        let opened = opened.filter(|right| matches!(right.source, Source::Tier { .. }));
        own.extend(opened.map(|right| OwnBenefit::opened(right.clone(), of.buyer.locale)));
        (of.buyer.id, own)
    });
    Ok(own.collect())
}

/// What somebody's level gives him.
///
/// # Errors
/// The database's.
pub async fn of_level(
    conn: &mut Conn,
    account: AccountId,
    locale: Locale,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Vec<OwnBenefit>> {
    let Some(level) = levels::standings(conn, &[account], now).await?.remove(&account) else {
        return Ok(Vec::new());
    };
    let standing = access::standings_of(conn, &[account]).await?.pop();
    let periods_from = standing.as_ref().map_or(now, Standing::periods_from);
    let row = standing.map(Standing::into_row).filter(|row| gives_access(life(row, now, GRACE)));
    let trials = uses::trials_among(conn, &row.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
    let is_trial = row.as_ref().is_some_and(|row| trials.contains(&row.id));
    let membership = row.as_ref().map(|row| (row, periods_from));
    let ground = Ground { membership, is_trial, level: Some(level.level) };
    let buyer = accounts::load_buyer(conn, account).await?;
    let tiers = row.iter().map(|row| row.tier_id).collect();
    let given = Given::read(conn, tiers, BTreeSet::from([level.level]), [&buyer]).await?;
    let mut all = given.to(&buyer, &ground, locale, (now, zone));
    all.retain(|benefit| benefit.given_by == "level");
    Ok(all)
}

/// What some tiers and levels give, and what was used of it.
struct Given {
    benefits: Vec<Benefit>,
    used: Used,
}

impl Given {
    async fn read<'a>(
        conn: &Conn,
        tiers: BTreeSet<TierId>,
        levels: BTreeSet<LevelId>,
        by: impl IntoIterator<Item = &'a Buyer>,
    ) -> Result<Self> {
        let (accounts, people): (Vec<_>, Vec<_>) =
            by.into_iter().map(|buyer| (buyer.id, buyer.person_key.clone())).unzip();
        let people: Vec<_> = people.into_iter().flatten().collect();
        let (tiers, levels): (Vec<_>, Vec<_>) = (tiers.into_iter().collect(), levels.into_iter().collect());
        let (mut benefits, of_levels) =
            tokio::try_join!(model::of_tiers(conn, &tiers), model::of_levels(conn, &levels))?;
        benefits.extend(of_levels);
        let ids: Vec<_> = benefits.iter().map(|benefit| benefit.id).collect();
        let used = Used::read(conn, &ids, &accounts, &people).await?;
        Ok(Self { benefits, used })
    }

    /// What tier and level give who stands on them, with what he used; of two of one kind the better counts.
    fn to(
        &self,
        buyer: &Buyer,
        ground: &Ground<'_>,
        locale: Locale,
        (now, zone): (DateTime<Utc>, Tz),
    ) -> Vec<OwnBenefit> {
        let his: Vec<_> = self.benefits.iter().filter(|benefit| ground.has(benefit)).cloned().collect();
        let user =
            User { account: buyer.id, person: buyer.person_key.as_deref(), ground: *ground, now, zone };
        let own = his.iter().map(|benefit| {
            let (window, used) = self.used.so_far(benefit, &user);
            let by = rules::outranked_by(benefit, ground, &his, now).map(|by| by.id);
            OwnBenefit::new(benefit.clone(), window, used, locale).outranked(by)
        });
        own.collect()
    }
}

/// Since when counts what an account had from this membership: since the terms that aren't over began; `terms` are all that it
/// ever had, none those of an associate.
pub fn counts_since(
    membership: &MembershipRow,
    terms: &[TermRow],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    // An associate has paid nothing, and had what he had.
    let by_seat = terms.is_empty().then_some(membership.starts_at);
    rules::paid_since(terms, standing_at(membership, now)).or(by_seat)
}
