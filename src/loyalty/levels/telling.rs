//! Mails about levels.

use std::collections::{HashMap, HashSet};

use super::judging::Decided;
use super::rules::{Held, Level, LevelChangeKind, Levels};
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::metrics::rules::{Criteria, Figures, LevelRanks};
use crate::membership::benefits::model as benefits;
use crate::membership::benefits::model::Benefit;
use crate::membership::benefits::rules::Gives;
use crate::messages::mails::{Mail, MissingFigure, Recipient};
use crate::people::accounts::model::Buyer;
use crate::types::id::{AccountId, LevelChangeId};

/// What those who are told of judgements are told by.
pub struct Told<'a> {
    pub levels: &'a Levels,
    pub buyers: HashMap<AccountId, &'a Buyer>,
    /// Points that were given.
    pub welcomed: &'a HashMap<AccountId, i64>,
}

impl Told<'_> {
    /// A mail for each who rose or fell; `changes` are those of `decided`.
    ///
    /// # Errors
    /// The database's.
    pub async fn mails(
        &self,
        conn: &mut Conn,
        decided: &[Decided],
        changes: &[LevelChangeId],
    ) -> Result<Vec<(Recipient, String, Mail)>> {
        let reached: Vec<_> = decided.iter().filter(|one| one.kind == LevelChangeKind::Raised).collect();
        let ids: HashSet<_> = reached.iter().filter_map(|one| Some(one.to?.level)).collect();
        let mut gifts = benefits::of_levels(conn, &ids.into_iter().collect::<Vec<_>>()).await?;
        gifts.retain(|gift| gift.gives == Gives::Article && gift.is_once());
        let mails = decided.iter().zip(changes).filter_map(|(one, change)| {
            let to = recipient(self.buyers.get(&one.account)?)?;
            let mail = match one.kind {
                LevelChangeKind::Raised => self.reached(one, &gifts)?,
                LevelChangeKind::Dropped => self.dropped(one, false)?,
                LevelChangeKind::Corrected => self.dropped(one, true)?,
                _ => return None,
            };
            Some((to, format!("level:{change}"), mail))
        });
        Ok(mails.collect())
    }

    fn level(&self, held: Option<Held>) -> Option<&Level> {
        self.levels.find(held?.level)
    }

    fn reached(&self, one: &Decided, gifts: &[Benefit]) -> Option<Mail> {
        let level = self.level(one.to)?;
        let gifts: Vec<_> = gifts.iter().filter(|gift| gift.level() == Some(level.id)).collect();
        let listed = |name: fn(&Benefit) -> &str| gifts.iter().map(|gift| name(gift)).collect::<Vec<_>>();
        Some(Mail::LevelReached {
            level_zh: level.names.zh.clone(),
            level_en: level.names.en.clone(),
            points: self.welcomed.get(&one.account).copied().unwrap_or(0),
            gifts_zh: listed(|gift| &gift.names.zh).join("、"),
            gifts_en: listed(|gift| &gift.names.en).join(", "),
        })
    }

    fn dropped(&self, one: &Decided, is_correction: bool) -> Option<Mail> {
        let from = self.levels.find(one.from?)?;
        let to = self.level(one.to);
        Some(Mail::LevelDropped {
            from_zh: from.names.zh.clone(),
            from_en: from.names.en.clone(),
            to_zh: to.map(|level| level.names.zh.clone()).unwrap_or_default(),
            to_en: to.map(|level| level.names.en.clone()).unwrap_or_default(),
            is_correction,
        })
    }
}

/// Many are told at once.
pub fn by_id(buyers: &[Buyer]) -> HashMap<AccountId, &Buyer> {
    buyers.iter().map(|buyer| (buyer.id, buyer)).collect()
}

fn recipient(buyer: &Buyer) -> Option<Recipient> {
    Some(Recipient { account: Some(buyer.id), address: buyer.email.clone()?, locale: buyer.locale })
}

/// What is missing to keep a level at its next review.
pub fn missing(
    levels: &Levels,
    buyer: &Buyer,
    held: &Held,
    figures: &Figures,
    currency: &str,
) -> Option<(Recipient, String, Mail)> {
    let level = levels.find(held.level)?;
    let criteria = level.to_keep()?;
    let progress = criteria.progress(figures, &LevelRanks::new());
    let missing = progress.into_iter().filter(|one| !one.met).filter_map(|one| {
        Some(MissingFigure {
            metric: one.metric?.as_str().to_owned(),
            missing: one.missing,
            window: one.window,
        })
    });
    let mail = Mail::LevelReview {
        level_zh: level.names.zh.clone(),
        level_en: level.names.en.clone(),
        review_at: held.due_at,
        missing: missing.collect(),
        is_any: matches!(criteria, Criteria::Any(_)),
        currency: currency.to_owned(),
    };
    let key = format!("level_review:{}:{}", buyer.id, held.due_at.timestamp_micros());
    Some((recipient(buyer)?, key, mail))
}
