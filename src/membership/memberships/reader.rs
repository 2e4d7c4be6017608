//! Memberships as their members see them, read set by set for whoever looks at the same time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel_async::SimpleAsyncConnection;
use futures::FutureExt;

use super::dto::MembershipView;
use super::service::valued;
use crate::app::App;
use crate::config::Settings;
use crate::db::gather::Read;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::loyalty::levels::model as levels;
use crate::membership::associates::access;
use crate::membership::benefits::own::{self as benefits, Standpoint};
use crate::membership::benefits::uses;
use crate::membership::freezes::model as freezes;
use crate::membership::memberships::model;
use crate::membership::renewals::service as renewals;
use crate::people::accounts::model as accounts;
use crate::types::id::AccountId;

/// The account's membership as it sees it.
///
/// # Errors
/// `no_membership`.
pub async fn own(app: &App, account: AccountId) -> Result<MembershipView> {
    app.memberships.load(account).await?.ok_or_else(|| Code::NoMembership.error())
}

/// The membership of each of these accounts: the open one, its head's where it is an associate, or else the last one it had.
/// Who never had one is left out.
///
/// # Errors
/// The database's.
pub async fn read(
    conn: &mut Conn,
    asked: &[AccountId],
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, MembershipView>> {
    let (members, buyers, on_levels) = tokio::try_join!(
        access::members(conn, asked),
        accounts::buyers(conn, asked),
        levels::standings(conn, asked, now),
    )?;
    // What the head has paid, why he rests, and what comes at the end is his own affair.
    let own: Vec<_> =
        members.values().filter(|member| member.seat.is_none()).map(|member| &member.row).collect();
    let ids: Vec<_> = own.iter().map(|row| row.id).collect();
    let level_ids: BTreeSet<_> = on_levels.values().map(|of| of.level).collect();
    let (terms, rests, names) = tokio::try_join!(
        model::all_terms_among(conn, &ids),
        freezes::open_among(conn, &ids),
        levels::codes(conn, level_ids),
    )?;
    let (terms, mut coming) =
        tokio::try_join!(valued(conn, terms.clone()), renewals::coming(conn, &own, &terms))?;
    let mut terms_of: HashMap<_, Vec<_>> = HashMap::new();
    for term in terms {
        terms_of.entry(term.membership_id).or_default().push(term);
    }
    let standpoints: Vec<_> = buyers
        .iter()
        .filter_map(|buyer| {
            let level = on_levels.get(&buyer.id).map(|of| of.level);
            Some(Standpoint { buyer, member: members.get(&buyer.id)?, level })
        })
        .collect();
    let terms_for = |of: &Standpoint<'_>| {
        let own = terms_of.get(&of.member.row.id).filter(|_| of.member.seat.is_none());
        own.map(Vec::as_slice).unwrap_or_default()
    };
    let since: Vec<_> = standpoints
        .iter()
        .filter_map(|of| Some((of.buyer.id, benefits::counts_since(&of.member.row, terms_for(of), now)?)))
        .collect();
    let had = uses::had_since(conn, &since).await?;
    let mut given = benefits::of_members(conn, &standpoints, (now, settings.timezone)).await?;
    let mut views = HashMap::with_capacity(standpoints.len());
    for of in &standpoints {
        let (account, row) = (of.buyer.id, &of.member.row);
        let (locale, currency) = (of.buyer.locale, &settings.currency);
        let had = had.get(&account).copied().unwrap_or_default();
        let is_own = of.member.seat.is_none();
        let view = MembershipView::new(of.member.clone(), terms_for(of), had, locale, currency, now)?;
        let view = MembershipView {
            benefits: given.remove(&account).unwrap_or_default(),
            level: of.level.and_then(|level| names.get(&level).cloned()),
            frozen_until: rests.get(&row.id).copied().filter(|_| is_own),
            ..view
        };
        views.insert(account, view.going_on(if is_own { coming.remove(&row.id) } else { None }));
    }
    Ok(views)
}

/// [`read`], for whoever asks at the same time.
pub fn reading(app: &Arc<App>) -> Read<AccountId, MembershipView> {
    let app = Arc::clone(app);
    Box::new(move |conn, accounts| {
        let app = Arc::clone(&app);
        async move {
            let now = app.clock.now();
            db::transaction_on(conn, async |conn| {
                conn.batch_execute(db::SET_BY_SET).await?;
                read(conn, accounts, &app.settings, now).await
            })
            .await
        }
        .boxed()
    })
}
