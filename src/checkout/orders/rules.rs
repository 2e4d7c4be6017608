//! What an order may be: decided in memory, under the locks, for one line after another.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use url::Url;

use crate::error::{AppError, Code, Result};
use crate::membership::applications::model::Application;
use crate::membership::applications::rules as applications;
use crate::membership::drives::model::{Admission, Drive};
use crate::membership::drives::rules as drives;
use crate::membership::invitations::model::Invitation;
use crate::membership::invitations::rules::{self as invitations, Guest};
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{self as memberships, GRACE};
use crate::membership::plans::model::Plan;
use crate::people::accounts::model::Buyer;
use crate::types::id::{AccountId, PoolId};

/// How far the pools are, counting what this batch has claimed so far.
#[derive(Debug, Default)]
pub struct Ledger {
    pub left: HashMap<PoolId, i64>,
    /// Accounts with an unpaid membership order.
    pub pending: HashSet<AccountId>,
    /// (series, account) and (series, person) that have a place.
    pub account_places: HashSet<(String, AccountId)>,
    pub person_places: HashSet<(String, String)>,
}

/// What is known of one asked line.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub buyer: &'a Buyer,
    pub plan: &'a Plan,
    pub drive: Option<&'a Drive>,
    /// The invitation whose code was sent, or the one reserved for the buyer's address.
    pub invitation: Option<&'a Invitation>,
    pub application: Option<&'a Application>,
    pub membership: Option<&'a MembershipRow>,
}

/// May this line be ordered now? Reads the ledger and changes nothing.
///
/// # Errors
/// The first rule that refuses.
pub fn admit(facts: &Facts<'_>, ledger: &Ledger, now: DateTime<Utc>) -> Result<()> {
    let buyer = facts.buyer;
    match facts.drive {
        Some(drive) => {
            drives::check_open(drive, now)?;
            let has_place = ledger.account_places.contains(&(drive.series.clone(), buyer.id))
                || buyer.person_key.as_ref().is_some_and(|person| {
                    ledger.person_places.contains(&(drive.series.clone(), person.clone()))
                });
            if has_place {
                return Err(Code::OnePerPerson.error());
            }
        }
        None if facts.plan.archived_at.is_some() => return Err(Code::UnknownPlan.error()),
        None if !facts.plan.open_sale => return Err(Code::DriveRequired.error()),
        None => {}
    }
    memberships::may_buy(facts.membership, facts.plan.tier, now, GRACE)?;
    if ledger.pending.contains(&buyer.id) {
        return Err(Code::MembershipOrderPending.error());
    }
    if let Some(drive) = facts.drive {
        admitted(facts, drive, now)?;
        has_room(facts, drive, ledger, now)?;
    }
    Ok(())
}

fn admitted(facts: &Facts<'_>, drive: &Drive, now: DateTime<Utc>) -> Result<()> {
    match drive.admission {
        Admission::Open => Ok(()),
        Admission::Application => Ok(applications::may_buy(facts.application, now)?),
        Admission::Invitation => {
            let invitation = facts.invitation.ok_or(Code::InvitationRequired)?;
            let guest = Guest {
                email_key: facts.buyer.email_key.as_deref(),
                is_email_verified: facts.buyer.email_verified_at.is_some(),
            };
            Ok(invitations::may_use(invitation, guest, now)?)
        }
    }
}

/// Places: of the quota, of the parts that have been let out by now, and of the invitation.
fn has_room(facts: &Facts<'_>, drive: &Drive, ledger: &Ledger, now: DateTime<Utc>) -> Result<()> {
    if let Some(invitation) = invitation_used(facts)
        && ledger.left.get(&invitation.pool).copied().unwrap_or(0) < 1
    {
        return Err(Code::InvitationUsedUp.error());
    }
    let left = ledger.left.get(&drive.pool).copied().unwrap_or(0);
    if left < 1 {
        return Err(Code::SoldOut.error());
    }
    let to_come = drive.quota - drives::released(&drive.releases, now);
    if left <= to_come { Err(Code::PartSoldOut.error()) } else { Ok(()) }
}

/// An invitation counts only where the drive asks for one.
pub fn invitation_used<'a>(facts: &Facts<'a>) -> Option<&'a Invitation> {
    facts.invitation.filter(|_| facts.drive.is_some_and(|drive| drive.admission == Admission::Invitation))
}

/// Enters an admitted line into the ledger, so that the batch's later orders see it.
pub fn enter(facts: &Facts<'_>, ledger: &mut Ledger) {
    ledger.pending.insert(facts.buyer.id);
    let Some(drive) = facts.drive else { return };
    for pool in pools_claimed(facts) {
        if let Some(left) = ledger.left.get_mut(&pool) {
            *left -= 1;
        }
    }
    ledger.account_places.insert((drive.series.clone(), facts.buyer.id));
    if let Some(person) = facts.buyer.person_key.clone() {
        ledger.person_places.insert((drive.series.clone(), person));
    }
}

/// The pools of which an admitted line claims one each.
pub fn pools_claimed(facts: &Facts<'_>) -> Vec<PoolId> {
    let drive = facts.drive.map(|drive| drive.pool);
    drive.into_iter().chain(invitation_used(facts).map(|invitation| invitation.pool)).collect()
}

const NUMBER_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// An order's number for people: the shop's date and eight letters that aren't mistaken for one another.
pub fn order_number(now: DateTime<Utc>, zone: Tz, random: u64) -> String {
    let letters = (0..8_u32).map(|place| {
        let index = usize::try_from((random >> (place * 5)) & 31).unwrap_or(0);
        NUMBER_ALPHABET.get(index).copied().map_or('0', char::from)
    });
    format!("{}-{}", now.with_timezone(&zone).format("%Y%m%d"), letters.collect::<String>())
}

/// A URL to which buyers may be sent back: on an allowed origin. Stripe's template `{CHECKOUT_SESSION_ID}` may stand in it.
///
/// # Errors
/// `url_not_allowed` with the field's name.
pub fn check_return_url(field: &str, text: &str, allowed_origins: &[String]) -> Result<()> {
    let refuse = |why: &str| -> AppError { Code::UrlNotAllowed.at(field, why) };
    if text.len() > 2_000 || text.chars().any(char::is_control) {
        return Err(refuse("too long, or not a URL"));
    }
    let url = Url::parse(text).map_err(|_| refuse("not an absolute URL"))?;
    let has_login = !url.username().is_empty() || url.password().is_some();
    let origin = url.origin().ascii_serialization();
    if has_login || !matches!(url.scheme(), "http" | "https") || !allowed_origins.contains(&origin) {
        return Err(refuse("not on an allowed origin"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_dated_in_the_shops_zone_and_unmistakable() {
        let late = "2026-11-21T17:30:00Z".parse().unwrap();
        let number = order_number(late, chrono_tz::Asia::Shanghai, u64::MAX);
        assert_eq!(number, "20261122-ZZZZZZZZ");
        assert_eq!(order_number(late, chrono_tz::UTC, 1), "20261121-10000000");
    }

    #[test]
    fn buyers_are_sent_back_to_allowed_origins_alone() {
        let allowed = ["https://shop.example".to_owned()];
        let check = |url: &str| check_return_url("success_url", url, &allowed);
        assert!(check("https://shop.example/thanks?s={CHECKOUT_SESSION_ID}").is_ok());
        for bad in [
            "https://shop.example.evil.net/",
            "https://shop.example@evil.net/",
            "https://user@shop.example/",
            "http://shop.example/",
            "https://shop.example:8443/",
            "javascript:alert(1)",
            "/thanks",
            "",
        ] {
            let refused = check(bad).unwrap_err();
            assert_eq!(
                (refused.code, refused.errors[0].field.as_str()),
                (Code::UrlNotAllowed, "success_url")
            );
        }
    }
}
