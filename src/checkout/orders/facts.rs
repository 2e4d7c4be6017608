//! What orders are judged by: read set by set for a whole batch, then gathered for one cart at a time.

use std::collections::{BTreeSet, HashMap};

use super::model;
use super::rules::{Facts, Ledger};
use super::service::{Cart, Line};
use crate::checkout::claims;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::membership::applications::model::{self as applications, Application};
use crate::membership::drives::model::{self as drives, Admission, Drive};
use crate::membership::invitations::model::{self as invitations, Invitation};
use crate::membership::memberships::model::{self as memberships, MembershipRow};
use crate::membership::plans::model::{self as plans, Plan};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{AccountId, DriveId, PlanId, PoolId};

/// Everything that carts are judged by, read set by set.
#[derive(Default)]
pub struct Catalog {
    plans: HashMap<PlanId, Plan>,
    drives: HashMap<DriveId, Drive>,
    invitations: Vec<Invitation>,
}

/// What is read under the locks.
pub struct Locked {
    buyers: HashMap<AccountId, Buyer>,
    memberships: HashMap<AccountId, MembershipRow>,
    applications: Vec<Application>,
}

/// Who buys, each once, in the order of their locks.
pub fn accounts_of(carts: &[&Cart]) -> Vec<AccountId> {
    let ids: BTreeSet<_> = carts.iter().map(|cart| cart.account).collect();
    ids.into_iter().collect()
}

/// Reads what the carts name.
///
/// # Errors
/// The database's.
pub async fn read_catalog(conn: &mut Conn, carts: &[&Cart]) -> Result<Catalog> {
    let (mut plan_ids, mut drive_ids, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for cart in carts {
        let Line::Plan { plan, drive, invitation } = &cart.line;
        match drive {
            Some(drive) => drive_ids.insert(*drive),
            None => plan_ids.insert(*plan),
        };
        codes.extend(invitation.clone());
    }
    let drive_ids: Vec<_> = drive_ids.into_iter().collect();
    let drives: HashMap<_, _> =
        drives::load(conn, &drive_ids).await?.into_iter().map(|drive| (drive.id, drive)).collect();
    let plans = match plan_ids.is_empty() {
        true => Vec::new(),
        false => plans::load(conn, &plan_ids.into_iter().collect::<Vec<_>>()).await?,
    };
    let invited: Vec<_> = drives
        .values()
        .filter(|drive| drive.admission == Admission::Invitation)
        .map(|drive| drive.id)
        .collect();
    let invitations = if invited.is_empty() {
        Vec::new()
    } else {
        // Whose address is on the list needs no code.
        let addresses = accounts::email_keys(conn, &accounts_of(carts)).await?;
        invitations::find(conn, &invited, &codes.into_iter().collect::<Vec<_>>(), &addresses).await?
    };
    Ok(Catalog { plans: plans.into_iter().map(|plan| (plan.id, plan)).collect(), drives, invitations })
}

/// Pools that the carts may claim of.
pub fn pools_of(catalog: &Catalog) -> Vec<PoolId> {
    let drives = catalog.drives.values().map(|drive| drive.pool);
    drives.chain(catalog.invitations.iter().map(|invitation| invitation.pool)).collect()
}

/// Reads what may change unless the pools and the buyers are locked; for a quote they aren't.
///
/// # Errors
/// The database's.
pub async fn read_locked(
    conn: &mut Conn,
    catalog: &Catalog,
    pools: Vec<claims::Pool>,
    buyers: Vec<Buyer>,
) -> Result<(Locked, Ledger)> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
    let series: BTreeSet<_> = catalog.drives.values().map(|drive| drive.series.clone()).collect();
    let by_application: Vec<_> = catalog
        .drives
        .values()
        .filter(|drive| drive.admission == Admission::Application)
        .map(|drive| drive.id)
        .collect();
    let mut ledger = Ledger {
        left: pools.iter().map(|pool| (pool.id, pool.left())).collect(),
        pending: model::with_pending_membership(conn, &ids).await?,
        ..Ledger::default()
    };
    if !series.is_empty() {
        let series: Vec<_> = series.into_iter().collect();
        for (series, account, person) in model::live_places(conn, &series, &ids, &people).await? {
            ledger.account_places.insert((series.clone(), account));
            ledger.person_places.insert((series, person));
        }
    }
    let applications = if by_application.is_empty() {
        Vec::new()
    } else {
        applications::of(conn, &by_application, &ids).await?
    };
    let memberships = memberships::open_of(conn, &ids).await?;
    let locked = Locked {
        memberships: memberships.into_iter().map(|row| (row.account_id, row)).collect(),
        buyers: buyers.into_iter().map(|buyer| (buyer.id, buyer)).collect(),
        applications,
    };
    Ok((locked, ledger))
}

/// Gathers what is known of a cart's line.
///
/// # Errors
/// `unknown_plan`, `unknown_drive`, `unknown_invitation`, `unauthenticated`.
pub fn facts_of<'a>(cart: &Cart, catalog: &'a Catalog, locked: &'a Locked) -> Result<Facts<'a>> {
    let buyer = locked.buyers.get(&cart.account).ok_or(Code::Unauthenticated)?;
    let Line::Plan { plan, drive, invitation } = &cart.line;
    let drive = match drive {
        Some(id) => {
            Some(catalog.drives.get(id).ok_or_else(|| Code::UnknownDrive.at("lines[0].drive", "unknown"))?)
        }
        None => None,
    };
    let plan = match drive {
        Some(drive) if drive.plan.id == *plan => &drive.plan,
        Some(_) => return Err(Code::UnknownDrive.at("lines[0].drive", "this drive sells another plan")),
        None => catalog.plans.get(plan).ok_or_else(|| Code::UnknownPlan.at("lines[0].plan", "unknown"))?,
    };
    let of_drive = |found: &&Invitation| drive.is_some_and(|drive| drive.id == found.drive);
    let found = match invitation {
        Some(code) => {
            let found = catalog.invitations.iter().find(|found| found.code == *code);
            if found.is_none() && drive.is_some_and(|drive| drive.admission == Admission::Invitation) {
                return Err(Code::UnknownInvitation.at("lines[0].invitation", "unknown"));
            }
            found.filter(of_drive)
        }
        None => catalog
            .invitations
            .iter()
            .filter(of_drive)
            .find(|found| found.email_key.is_some() && found.email_key == buyer.email_key),
    };
    let application = locked
        .applications
        .iter()
        .find(|found| found.account_id == buyer.id && drive.is_some_and(|drive| drive.id == found.drive_id));
    Ok(Facts {
        buyer,
        plan,
        drive,
        invitation: found,
        application,
        membership: locked.memberships.get(&buyer.id),
    })
}
