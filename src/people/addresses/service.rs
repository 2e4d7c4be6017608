//! Changes of an address book, one at a time: each begins with the lock of the account's row.

use super::dto::{AddressPatch, NewAddress};
use super::model::{self, SavedAddress};
use super::rules;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::people::accounts;
use crate::types::id::{AccountId, AddressId};

/// Keeps an address. The first one is the default.
///
/// # Errors
/// `invalid_field`; `too_many_addresses`; `unauthenticated` when the account is gone.
pub async fn add(app: &App, account: AccountId, new: NewAddress) -> Result<SavedAddress> {
    let (address, is_default) = new.parts();
    let address = address.checked("")?;
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        accounts::model::lock(conn, account).await?;
        let count = model::count(conn, account).await?;
        rules::may_add(count)?;
        // The id is made under the lock, so that of two the newer one has the higher.
        let saved = SavedAddress {
            id: AddressId::new(),
            account,
            address: address.clone(),
            is_default: is_default || count == 0,
            created_at: now,
            version: 1,
        };
        if saved.is_default {
            model::clear_default(conn, account).await?;
        }
        model::insert(conn, &saved).await?;
        Ok(saved)
    })
    .await
}

/// Changes what is in the body and leaves the rest.
///
/// # Errors
/// `not_found`, `invalid_field`; `unauthenticated` when the account is gone.
pub async fn change(
    app: &App,
    account: AccountId,
    id: AddressId,
    patch: &AddressPatch,
) -> Result<SavedAddress> {
    db::transaction(&app.pool, async |conn| change_on(conn, account, id, patch).await).await
}

async fn change_on(
    conn: &mut Conn,
    account: AccountId,
    id: AddressId,
    patch: &AddressPatch,
) -> Result<SavedAddress> {
    accounts::model::lock(conn, account).await?;
    let before = model::find(conn, account, id).await?.ok_or(Code::NotFound)?;
    let is_default = rules::is_default(before.is_default, patch)?;
    let address = rules::changed(before.address.clone(), patch)?;
    let after = SavedAddress { address, is_default, version: before.version + 1, ..before.clone() };
    if is_default && !before.is_default {
        model::clear_default(conn, account).await?;
    }
    model::store(conn, &after).await?;
    Ok(after)
}

/// Deletes an address; after the default the newest that is left takes its place.
///
/// # Errors
/// `not_found`; `unauthenticated` when the account is gone.
pub async fn delete(app: &App, account: AccountId, id: AddressId) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        accounts::model::lock(conn, account).await?;
        let was_default = model::delete(conn, account, id).await?.ok_or(Code::NotFound)?;
        if was_default {
            model::default_to_newest(conn, account).await?;
        }
        Ok(())
    })
    .await
}
