//! Terms that are given: they are worth nothing where an upgrade asks, and change nothing of how a membership was bought. As
//! in `service`, the caller has locked the account's row.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::joining::{Addition, add_term, number_for};
use super::model::{self, Source};
use super::service::Activated;
use crate::db::Conn;
use crate::error::Result;
use crate::membership::plans::model::Plan;
use crate::messages::mails::Mail;
use crate::types::id::AccountId;
use crate::types::period::Term;

/// A term for an account that pays nothing for it.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub account: AccountId,
    pub source: Source,
    /// As it was promised.
    pub term: Term,
    pub now: DateTime<Utc>,
    /// The shop's.
    pub zone: Tz,
}

/// Gives a term of the plan: from the end of the membership that is open, or as a new one. A first one gives a number.
///
/// # Errors
/// As [`super::rules::joining`].
pub async fn give(conn: &mut Conn, plan: &Plan, given: &Given) -> Result<Activated> {
    let held = model::lock_all_of(conn, &[given.account]).await?;
    let addition = Addition {
        account: given.account,
        tier: plan.tier,
        plan: Some(plan.id),
        term: given.term,
        source: given.source,
        line: None,
        value_minor: 0,
        now: given.now,
        zone: given.zone,
    };
    let added = add_term(conn, &held, addition).await?;
    let number = number_for(conn, given.account, added.membership.chapter_id, given.now).await?;
    Ok(Activated::of(&added, number, plan))
}

/// The mail that tells a member of a term.
pub fn welcome(activated: &Activated) -> Mail {
    Mail::Welcome {
        number: activated.number.clone(),
        tier_zh: activated.tier_zh.clone(),
        tier_en: activated.tier_en.clone(),
        starts_at: activated.starts_at,
        ends_at: activated.ends_at,
    }
}
