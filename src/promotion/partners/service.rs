//! Partners and their codes made and changed, and orders that come by these codes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{CodeView, NewPartner, NewPartnerCode, PartnerChange, PartnerView};
use super::entries::{self, Entry, EntryKind, PartnerOrder};
use super::model::{self, Figures, Partner, PartnerCode};
use super::rules::{self, Earned, Standing};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::jobs::{self, Job};
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::{person, secrets};
use crate::promotion::campaigns::model::UNLIMITED;
use crate::promotion::coupons::code::{code_from, shared};
use crate::promotion::invites::service::link;
use crate::promotion::referrals::rules::Bought;
use crate::types::email::Email;
use crate::types::id::{AccountId, CommissionId, OrderId, PartnerCodeId, PartnerId, PoolId};
use crate::types::patch::Patch;

/// Caps beyond this are slips of the keyboard.
const ORDERS_MAX: i64 = 1_000_000_000;
const NAME_MAX: usize = 100;

/// # Errors
/// `invalid_field`
pub async fn create(app: &App, actor: Actor, new: &NewPartner) -> Result<PartnerView> {
    let of = Partner {
        id: PartnerId::new(),
        name: fields::line("name", &new.name, NAME_MAX)?,
        email: email(&new.email)?,
        account_id: new.account,
        version: 1,
        created_at: app.clock.now(),
        archived_at: None,
    };
    db::transaction(&app.pool, async |conn| {
        known(conn, of.account_id).await?;
        model::insert(conn, &of).await?;
        record(conn, actor, "partner.create", of.id, json!({}), of.created_at).await?;
        view(conn, of.clone(), &app.settings.currency).await
    })
    .await
}

fn email(typed: &str) -> Result<String> {
    let email: Email =
        typed.parse().map_err(|_| Code::InvalidField.at("email", "expected an e-mail address"))?;
    Ok(email.as_str().to_owned())
}

async fn known(conn: &mut Conn, account: Option<AccountId>) -> Result<()> {
    match account {
        Some(account) if accounts::find(conn, account).await?.is_none() => {
            Err(Code::InvalidField.at("account", "there is no such account"))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: PartnerId,
    seen: IfMatch,
    asked: &PartnerChange,
) -> Result<PartnerView> {
    let now = app.clock.now();
    let name = asked.name.as_deref().map(|name| fields::line("name", name, NAME_MAX)).transpose()?;
    let address = asked.email.as_deref().map(email).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(of.version)?;
        of.name = name.clone().unwrap_or(of.name);
        of.email = address.clone().unwrap_or(of.email);
        match asked.account {
            Patch::Absent => {}
            Patch::Null => of.account_id = None,
            Patch::Value(account) => {
                known(conn, Some(account)).await?;
                of.account_id = Some(account);
            }
        }
        of.version += 1;
        model::store(conn, &of).await?;
        record(conn, actor, "partner.change", id, json!({ "version": of.version }), now).await?;
        view(conn, of, &app.settings.currency).await
    })
    .await
}

/// From now on the codes of a partner count for nothing; what he earned stays, and is paid out. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: PartnerId) -> Result<PartnerView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if of.archived_at.is_none() {
            of.archived_at = Some(now);
            of.version += 1;
            model::store(conn, &of).await?;
            record(conn, actor, "partner.archive", id, json!({}), now).await?;
        }
        view(conn, of, &app.settings.currency).await
    })
    .await
}

/// Partners with what their orders earned them.
///
/// # Errors
/// The database's.
pub async fn views(conn: &mut Conn, of: Vec<Partner>, currency: &str) -> Result<Vec<PartnerView>> {
    let ids: Vec<_> = of.iter().map(|partner| partner.id).collect();
    let figures = model::figures(conn, &ids).await?;
    let view = |partner: Partner| {
        let of_him = figures.get(&partner.id).copied();
        let none = Figures { partner_id: partner.id, orders: 0, held: 0, payable: 0, paid: 0 };
        PartnerView::new(partner, of_him.unwrap_or(none), currency)
    };
    Ok(of.into_iter().map(view).collect())
}

/// # Errors
/// The database's.
pub async fn view(conn: &mut Conn, of: Partner, currency: &str) -> Result<PartnerView> {
    views(conn, vec![of], currency).await?.pop().ok_or_else(|| Code::NotFound.error())
}

/// Makes a code, once a request.
///
/// # Errors
/// `not_found`, `closed` where the partner is archived, `invalid_field`, `code_taken`, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn create_code(
    app: &App,
    actor: Actor,
    partner: PartnerId,
    new: &NewPartnerCode,
    request: &Request,
) -> Result<CodeView> {
    let now = app.clock.now();
    let of = checked(partner, new, now)?;
    let orders = new.max_orders.map(|most| fields::within("max_orders", most, 1, ORDERS_MAX)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, of.id.0, now).await? {
            let found = model::find_code(conn, PartnerCodeId(earlier)).await?.ok_or(Code::NotFound)?;
            return code_view(app, conn, found.0).await;
        }
        let owner = model::lock(conn, partner).await?.ok_or(Code::NotFound)?;
        if owner.archived_at.is_some() {
            return Err(Code::Closed.error());
        }
        model::insert_code(conn, &of, orders.unwrap_or(UNLIMITED)).await?;
        let detail = json!({ "code": of.label, "rate_bp": of.rate_bp, "max_orders": orders });
        record(conn, actor, "partner_code.create", partner, detail, now).await?;
        code_view(app, conn, of.clone()).await
    })
    .await
}

fn checked(partner: PartnerId, new: &NewPartnerCode, now: DateTime<Utc>) -> Result<PartnerCode> {
    let (code, label) = match &new.code {
        Some(typed) => shared(typed)?,
        None => {
            let made = code_from("", &secrets::random_bytes::<10>()?);
            (made.clone(), made)
        }
    };
    let names = fields::names("names", &new.names)?;
    let of = PartnerCode {
        id: PartnerCodeId::new(),
        partner_id: partner,
        code,
        label,
        name_zh: names.zh,
        name_en: names.en,
        rate_bp: rules::rate_bp(new.rate_percent)?,
        starts_at: new.starts_at.map(|at| fields::dated("starts_at", at, now)).transpose()?,
        ends_at: new.ends_at.map(|at| fields::ahead("ends_at", at, now)).transpose()?,
        pool_id: PoolId::new(),
        created_at: now,
        ended_at: None,
    };
    if of.starts_at.zip(of.ends_at).is_some_and(|(start, end)| end <= start) {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    Ok(of)
}

/// Ends a code: orders that are placed from now on don't count. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn end_code(app: &App, actor: Actor, partner: PartnerId, id: PartnerCodeId) -> Result<CodeView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let is_ended = model::end_code(conn, partner, id, now).await?;
        let found = model::find_code(conn, id).await?.filter(|(code, _)| code.partner_id == partner);
        let (code, _) = found.ok_or(Code::NotFound)?;
        if is_ended {
            record(conn, actor, "partner_code.end", partner, json!({ "code": code.label }), now).await?;
        }
        code_view(app, conn, code).await
    })
    .await
}

/// Codes with how far they are used.
///
/// # Errors
/// The database's.
pub async fn code_views(app: &App, conn: &mut Conn, of: Vec<PartnerCode>) -> Result<Vec<CodeView>> {
    let ids: Vec<_> = of.iter().map(|code| code.pool_id).collect();
    let pools = claims::read(conn, &ids).await?;
    let view = |code: PartnerCode| {
        let pool = pools.iter().find(|pool| pool.id == code.pool_id);
        let link = link(&app.settings.storefront_url, &code.label);
        CodeView::new(code, pool, link)
    };
    Ok(of.into_iter().map(view).collect())
}

async fn code_view(app: &App, conn: &mut Conn, of: PartnerCode) -> Result<CodeView> {
    code_views(app, conn, vec![of]).await?.pop().ok_or_else(|| Code::NotFound.error())
}

/// An operator's act on a partner, for the audit log. No names: these are in the partner's row.
///
/// # Errors
/// The database's.
pub async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    of: PartnerId,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = of.to_string();
    let entry = audit::Entry { actor, action, subject_kind: "partner", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// What a code would count for in an order that is placed now, as far as it is a partner's: the least that the order must come
/// to, or why it counts for nothing. Who isn't signed in is told nothing of whose it is.
///
/// # Errors
/// The database's.
pub async fn verdict(
    conn: &mut Conn,
    code: &str,
    buyer: Option<&Buyer>,
    now: DateTime<Utc>,
) -> Result<Option<Result<i64, &'static str>>> {
    let Some((code, partner)) = model::by_code(conn, &normal_code(code)).await? else { return Ok(None) };
    if let Some(why) = rules::closed(&code, &partner, now) {
        return Ok(Some(Err(why)));
    }
    if let Some(buyer) = buyer
        && is_own(conn, &partner, buyer.id, buyer.person_key.as_deref()).await?
    {
        return Ok(Some(Err("own_invite_code")));
    }
    let left = claims::read(conn, &[code.pool_id]).await?.first().map_or(0, claims::Pool::left);
    Ok(Some(if left > 0 { Ok(0) } else { Err("partner_code_used_up") }))
}

/// Is this buyer the partner, under whatever account?
async fn is_own(conn: &mut Conn, partner: &Partner, buyer: AccountId, person: Option<&str>) -> Result<bool> {
    if partner.account_id == Some(buyer) {
        return Ok(true);
    }
    let Some(person) = person else { return Ok(false) };
    if let Ok(email) = partner.email.parse::<Email>()
        && person::key(conn, &email).await? == person
    {
        return Ok(true);
    }
    let Some(account) = partner.account_id else { return Ok(false) };
    let his = accounts::load_buyer(conn, account).await.ok().and_then(|account| account.person_key);
    Ok(his.as_deref() == Some(person))
}

/// A paid order whose row is locked.
#[derive(Clone, Copy, Debug)]
pub struct Sold<'a> {
    pub bought: &'a Bought,
    /// As it came with the order.
    pub code: Option<&'a str>,
}

/// Whose an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It names no partner's code.
    Nobodys,
    /// It came by a partner's code, and is looked at again then, if at all.
    Partners(Option<DateTime<Utc>>),
}

/// Looks at an order that was paid: records what it earns a partner, once, takes back in proportion to what went back, and
/// tells when what is left can be paid out. Locks the pool of the code.
///
/// # Errors
/// The database's.
pub async fn follow(conn: &mut Conn, sold: &Sold<'_>, now: DateTime<Utc>) -> Result<Whose> {
    if let Some(known) = entries::of_order(conn, sold.bought.order).await? {
        let (_, partner) = model::find_code(conn, known.code_id).await?.ok_or(Code::NotFound)?;
        return bring(conn, &known, &partner, sold, known.payable_since.is_some(), now).await;
    }
    let Some(typed) = sold.code else { return Ok(Whose::Nobodys) };
    let found = model::by_code(conn, &normal_code(typed)).await?;
    // One that was made later is another code than the one that was meant.
    let Some((code, partner)) = found.filter(|(code, _)| code.created_at <= sold.bought.placed_at) else {
        return Ok(Whose::Nobodys);
    };
    match attribute(conn, &code, &partner, sold, now).await? {
        Some(made) => bring(conn, &made, &partner, sold, true, now).await,
        None => Ok(Whose::Partners(None)),
    }
}

/// Claims one of the code's orders, and enters what it earns; nothing where the code doesn't count.
async fn attribute(
    conn: &mut Conn,
    code: &PartnerCode,
    partner: &Partner,
    sold: &Sold<'_>,
    now: DateTime<Utc>,
) -> Result<Option<PartnerOrder>> {
    let Bought { order, friend, person, placed_at, basis_minor, .. } = sold.bought;
    let basis_minor = *basis_minor;
    if basis_minor == 0
        || rules::closed(code, partner, *placed_at).is_some()
        || is_own(conn, partner, *friend, person.as_deref()).await?
    {
        return Ok(None);
    }
    let left = claims::lock(conn, &[code.pool_id]).await?.first().map_or(0, claims::Pool::left);
    if left < 1 {
        return Ok(None);
    }
    claims::shift(&mut &*conn, &BTreeMap::from([(code.pool_id, (0, 1))])).await?;
    let made = PartnerOrder { order_id: *order, code_id: code.id, created_at: now, payable_since: None };
    entries::insert_order(conn, &made).await?;
    let earned = Entry {
        id: CommissionId::new(),
        partner_id: partner.id,
        order_id: *order,
        number: 0,
        kind: EntryKind::Earned,
        reason: None,
        basis_minor,
        rate_bp: code.rate_bp,
        amount_minor: rules::earned_minor(basis_minor, code.rate_bp).map_err(AppError::internal)?,
        created_at: now,
    };
    entries::insert(conn, &earned).await?;
    Ok(Some(made))
}

/// Brings the entries of an order to what it is now. `must_watch`: no job looks at it again yet.
async fn bring(
    conn: &mut Conn,
    of: &PartnerOrder,
    partner: &Partner,
    sold: &Sold<'_>,
    must_watch: bool,
    now: DateTime<Utc>,
) -> Result<Whose> {
    let bought = sold.bought;
    let is_own = is_own(conn, partner, bought.friend, bought.person.as_deref()).await?;
    correct(conn, of.order_id, sold, is_own, now).await?;
    match rules::standing(bought.dispute, bought.final_at, now) {
        Standing::Payable => {
            if of.payable_since.is_none() {
                entries::set_payable(conn, of.order_id, Some(now)).await?;
            }
            Ok(Whose::Partners(None))
        }
        Standing::Held(again) => {
            if of.payable_since.is_some() {
                entries::set_payable(conn, of.order_id, None).await?;
            }
            if must_watch {
                jobs::enqueue(conn, &Job::WatchInvite { order: of.order_id }, again, now).await?;
            }
            Ok(Whose::Partners(Some(again)))
        }
    }
}

/// Adds the entry by which what was taken back comes to what it must be now, if that isn't so.
async fn correct(
    conn: &mut Conn,
    order: OrderId,
    sold: &Sold<'_>,
    is_own: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let known = entries::entries_of(conn, order).await?;
    let Some((earned, corrections)) = known.split_first() else {
        return Err(AppError::internal(format!("{order} has a partner and no commission")));
    };
    let of = Earned {
        earned_minor: earned.amount_minor,
        basis_minor: earned.basis_minor,
        kept_minor: sold.bought.kept_minor,
        dispute: sold.bought.dispute,
        is_own,
    };
    let (back_minor, why) = rules::taken_back(&of).map_err(AppError::internal)?;
    let so_far: i64 = corrections.iter().map(|entry| entry.amount_minor).sum();
    let amount_minor = -back_minor - so_far;
    if amount_minor == 0 {
        return Ok(());
    }
    let (kind, reason) =
        if amount_minor < 0 { (EntryKind::Reversed, why) } else { (EntryKind::Restored, "corrected") };
    let entry = Entry {
        id: CommissionId::new(),
        partner_id: earned.partner_id,
        order_id: order,
        number: known.last().map_or(0, |last| last.number) + 1,
        kind,
        reason: Some(reason.to_owned()),
        basis_minor: rules::gone_minor(earned.basis_minor, sold.bought.kept_minor),
        rate_bp: earned.rate_bp,
        amount_minor,
        created_at: now,
    };
    entries::insert(conn, &entry).await
}
