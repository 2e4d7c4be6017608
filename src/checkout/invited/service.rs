//! What a code counts for, and the jobs that follow a referral as its order goes on. Each looks at how the order stands now,
//! under its row: so twice, late and out of order make no difference.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::{self, Touch};
use super::rules::{self, InviteCode, Typed, address_hash, touch_counts};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::orders::service::{Customer, Shop, buyer_of};
use crate::db::{self, Conn};
use crate::error::Result;
use crate::fields;
use crate::jobs::{self, Job, Lane, Outcome};
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::addresses::model as addresses;
use crate::promotion::invites::model as invites;
use crate::promotion::partners::entries as commissions;
use crate::promotion::partners::service::{self as partners, Sold, Whose};
use crate::promotion::referrals::model::{self as referrals, Referral};
use crate::promotion::referrals::payout::Terms;
use crate::promotion::referrals::programme::{self, Programme};
use crate::promotion::referrals::rules::{Bought, LOOK_AGAIN, Signal};
use crate::promotion::referrals::service::{self as referring, Verdict};
use crate::shop::shipping::rules::Address;
use crate::types::id::{AccountId, OrderId, ReferralId};

/// No programme counts the code of a sign-up for longer.
const TOUCH_MAX: TimeDelta = TimeDelta::days(365);

/// What a typed code would count for in an order that is placed now. Nothing is refused for it.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn typed(
    conn: &mut Conn,
    customer: &Customer,
    code: InviteCode,
    now: DateTime<Utc>,
) -> Result<Typed> {
    let InviteCode::Code(code) = code else {
        return Ok(Typed { code: None, verdict: Err("unknown_invite_code") });
    };
    let buyer = buyer_of(conn, customer).await?;
    let is_guest = matches!(customer, Customer::Guest(_));
    let verdict = match partners::verdict(conn, &code, (!is_guest).then_some(&buyer), now).await? {
        Some(of_partner) => of_partner,
        None => verdict(conn, &buyer, is_guest, &code, now).await?,
    };
    Ok(Typed { code: Some(code), verdict })
}

async fn verdict(
    conn: &mut Conn,
    buyer: &Buyer,
    is_guest: bool,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Result<i64, &'static str>> {
    let programme = programme::load(conn).await?;
    if !programme.is_open(now) {
        return Ok(Err("invite_programme_closed"));
    }
    let Some(inviter) = inviter_of(conn, code).await? else { return Ok(Err("unknown_invite_code")) };
    // A guest types whose address he likes: he isn't told who has bought here, or whose a code is.
    if is_guest {
        return Ok(Ok(programme.minimum_minor));
    }
    let person = buyer.person_key.as_deref();
    if inviter.id == buyer.id || (person.is_some() && person == inviter.person_key.as_deref()) {
        return Ok(Err("own_invite_code"));
    }
    let is_new = !model::has_paid_before(conn, buyer.id, person, None).await?
        && !referrals::has_come(conn, buyer.id, person).await?;
    if !is_new {
        return Ok(Err("not_a_new_customer"));
    }
    Ok(Ok(programme.minimum_minor))
}

/// Whose code it is; nobody's where he is gone.
async fn inviter_of(conn: &mut Conn, code: &str) -> Result<Option<Buyer>> {
    match invites::owner(conn, &normal_code(code)).await? {
        Some(account) => Ok(accounts::load_buyer(conn, account).await.ok()),
        None => Ok(None),
    }
}

/// Orders were paid: where somebody invited a buyer, one of these jobs looks at it. To be queued in the transaction that settles
/// them.
///
/// # Errors
/// The database's.
pub async fn paid(conn: &mut Conn, orders: &[&OrderRow]) -> Result<Vec<Job>> {
    let asked = orders.iter().filter(|order| order.total_minor > 0 && order.invite_code.is_none());
    let touches = model::touches_of(conn, &asked.map(|order| order.account_id).collect::<Vec<_>>()).await?;
    let is_invited = |order: &&&OrderRow| {
        let counts =
            |touch: &Touch| touch.code.is_some() && touch_counts(touch.at, order.created_at, TOUCH_MAX);
        order.total_minor > 0
            && (order.invite_code.is_some() || touches.get(&order.account_id).is_some_and(counts))
    };
    Ok(orders.iter().filter(is_invited).map(|order| Job::FollowInvite { order: order.id }).collect())
}

/// Money of an order goes back, or is disputed: a job looks at what it was counted for. Called in the transaction that enters
/// it.
///
/// # Errors
/// The database's.
pub async fn changed(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    if referrals::of_order(conn, order).await?.is_some()
        || commissions::of_order(conn, order).await?.is_some()
    {
        jobs::enqueue(conn, &Job::FollowInvite { order }, now, now).await?;
    }
    Ok(())
}

/// Orders of guests, which are locked, belong to this account from now on, and so do the referrals that they made.
///
/// # Errors
/// The database's.
pub async fn adopted(conn: &mut Conn, orders: &[OrderId], by: AccountId, now: DateTime<Utc>) -> Result<()> {
    let mut followed = referring::adopt(conn, orders, by).await?;
    followed.extend(commissions::among(conn, orders).await?);
    for order in followed {
        jobs::enqueue(conn, &Job::FollowInvite { order }, now, now).await?;
    }
    Ok(())
}

/// The job [`Job::FollowInvite`]: something has happened to the order.
///
/// # Errors
/// The database's.
pub async fn follow(app: &App, order: OrderId) -> Result<Outcome> {
    look(app, order).await?;
    Ok(Outcome::Done)
}

/// The job [`Job::WatchInvite`]: it is time to look again, until all is decided.
///
/// # Errors
/// The database's.
pub async fn watch(app: &App, order: OrderId) -> Result<Outcome> {
    Ok(look(app, order).await?.map_or(Outcome::Done, Outcome::Again))
}

async fn look(app: &App, order: OrderId) -> Result<Option<DateTime<Utc>>> {
    let now = app.clock.now();
    let (shop, window) = (Shop::of(&app.settings), app.settings.goods.return_window);
    let next =
        db::transaction(&app.pool, async |conn| look_on(conn, &shop, window, order, now).await).await?;
    app.jobs.wake(Lane::Mail);
    Ok(next)
}

/// When there is something to look at again.
async fn look_on(
    conn: &mut Conn,
    shop: &Shop,
    window: TimeDelta,
    id: OrderId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let order = orders::lock(conn, id).await?;
    let lines = orders::lines_of(conn, &[id]).await?;
    let Some(bought) = bought(conn, &order, &lines, (window, shop.zone)).await? else { return Ok(None) };
    let sold = Sold { bought: &bought, code: order.invite_code.as_deref() };
    if let Whose::Partners(next) = partners::follow(conn, &sold, now).await? {
        return Ok(next);
    }
    match referrals::of_order(conn, id).await? {
        // It is asked about again when Stripe has sent the money back, or hasn't.
        Some(_) if model::has_refund_underway(conn, id).await? => Ok(Some(now + LOOK_AGAIN)),
        Some(referral) => {
            let signals = signals_of(conn, &referral, &order, &bought).await?;
            let terms = Terms { zone: shop.zone, currency: shop.currency.clone() };
            referring::follow(conn, &terms, referral, &bought, &signals, now).await
        }
        None => first(conn, shop, &order, &bought, now).await,
    }
}

/// The order's facts; none where it wasn't paid.
async fn bought(
    conn: &mut Conn,
    order: &OrderRow,
    lines: &[LineRow],
    (window, zone): (TimeDelta, Tz),
) -> Result<Option<Bought>> {
    let Some(paid_at) = order.paid_at else { return Ok(None) };
    let (basis_minor, kept_minor) = rules::basis_minor(lines, order.due_minor);
    let buyer = accounts::load_buyer(conn, order.account_id).await.ok();
    let person = buyer.and_then(|buyer| buyer.person_key);
    let than = Some((paid_at, order.id));
    let is_first = !model::has_paid_before(conn, order.account_id, person.as_deref(), than).await?;
    let address: Option<Address> =
        order.ship_to.clone().and_then(|stored| serde_json::from_value(stored).ok());
    Ok(Some(Bought {
        order: order.id,
        friend: order.account_id,
        person,
        is_first,
        placed_at: order.created_at,
        basis_minor,
        kept_minor,
        dispute: model::dispute_of(conn, order.id).await?,
        final_at: rules::final_at(&model::underway(conn, order.id, paid_at).await?, window, zone),
        address_hash: address.as_ref().and_then(address_hash),
    }))
}

/// Records the referral that an order makes, if it makes one.
async fn first(
    conn: &mut Conn,
    shop: &Shop,
    order: &OrderRow,
    bought: &Bought,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let programme = programme::load(conn).await?;
    if !programme.is_open(bought.placed_at) || bought.kept_minor < programme.minimum_minor.max(1) {
        return Ok(None);
    }
    let Some((inviter, code)) = invited_by(conn, &programme, order).await? else { return Ok(None) };
    if inviter.id == bought.friend || !bought.is_first {
        return Ok(None);
    }
    let signals = signals(conn, &inviter, order, bought, now).await?;
    let by = (inviter.id, code.as_str());
    referring::record(conn, &programme, by, bought, &signals, (shop.day(now), now)).await?;
    let is_open = referrals::of_order(conn, order.id).await?.is_some_and(|made| made.state.is_open());
    if is_open {
        let at = bought.final_at.unwrap_or(now + LOOK_AGAIN).max(now);
        jobs::enqueue(conn, &Job::WatchInvite { order: order.id }, at, now).await?;
    }
    Ok(None)
}

/// Who invited, and with which code: the one of the order, where it names somebody, before the one that the account signed up
/// with, as long as that counts.
async fn invited_by(
    conn: &mut Conn,
    programme: &Programme,
    order: &OrderRow,
) -> Result<Option<(Buyer, String)>> {
    if let Some(code) = &order.invite_code
        && let Some(inviter) = inviter_of(conn, code).await?
    {
        return Ok(Some((inviter, code.clone())));
    }
    let Some(touch) = model::touch_of(conn, order.account_id).await? else { return Ok(None) };
    let lasts = TimeDelta::days(i64::from(programme.touch_days));
    let counts = touch_counts(touch.at, order.created_at, lasts);
    let Some(code) = touch.code.filter(|_| counts) else { return Ok(None) };
    Ok(inviter_of(conn, &code).await?.map(|inviter| (inviter, code)))
}

async fn signals_of(
    conn: &mut Conn,
    referral: &Referral,
    order: &OrderRow,
    bought: &Bought,
) -> Result<Vec<Signal>> {
    match accounts::load_buyer(conn, referral.inviter_id).await {
        Ok(inviter) => signals(conn, &inviter, order, bought, referral.created_at).await,
        // Who is gone can't be compared, and gets nothing.
        Err(_) => Ok(Vec::new()),
    }
}

/// What speaks against an invitation that was recorded at that time.
async fn signals(
    conn: &mut Conn,
    inviter: &Buyer,
    order: &OrderRow,
    bought: &Bought,
    at: DateTime<Utc>,
) -> Result<Vec<Signal>> {
    let mut found = Vec::new();
    let is_inviter = |account: AccountId, person: Option<&str>| {
        account == inviter.id || (person.is_some() && person == inviter.person_key.as_deref())
    };
    if is_inviter(bought.friend, bought.person.as_deref()) {
        found.push(Signal::SamePerson);
    }
    let holders = model::cardholders(conn, order.id, bought.friend).await?;
    if holders.iter().any(|holder| is_inviter(holder.account, holder.person.as_deref())) {
        found.push(Signal::InvitersCard);
    } else if holders.iter().any(|holder| holder.paid_at < order.paid_at && holder.paid_at.is_some()) {
        found.push(Signal::CardUsedBefore);
    }
    if let Some(hash) = &bought.address_hash {
        let mut places = model::parcels_of(conn, inviter.id).await?;
        places.extend(addresses::list(conn, inviter.id).await?.into_iter().map(|saved| saved.address));
        if places.iter().filter_map(address_hash).any(|place| place == *hash) {
            found.push(Signal::InvitersAddress);
        }
        if referrals::knows_address(conn, hash, order.id, at).await? {
            found.push(Signal::SharedAddress);
        }
    }
    if referrals::is_mutual(conn, inviter.id, bought.friend).await? {
        found.push(Signal::Mutual);
    }
    Ok(found)
}

/// An operator lets a held referral pass, or refuses one that isn't decided. Twice does no more than once.
///
/// # Errors
/// `not_found`, `invalid_field`, `referral_decided`.
pub async fn judge(
    app: &App,
    actor: Actor,
    id: ReferralId,
    verdict: Verdict,
    reason: &str,
) -> Result<Referral> {
    let now = app.clock.now();
    let reason = fields::reason(reason)?;
    let (shop, window) = (Shop::of(&app.settings), app.settings.goods.return_window);
    let order = db::transaction(&app.pool, async |conn| {
        let order = referrals::load(conn, id).await?.order_id;
        orders::lock(conn, order).await?;
        referring::judge(conn, actor, id, verdict, &reason, now).await?;
        Ok(order)
    })
    .await?;
    // Under locks in their order, after the audit log's.
    db::transaction(&app.pool, async |conn| look_on(conn, &shop, window, order, now).await).await?;
    app.jobs.wake(Lane::Mail);
    referrals::load(&mut *db::connect(&app.pool).await?, id).await
}
