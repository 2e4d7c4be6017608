//! An account's own code, and where it leads.

use chrono::{DateTime, Utc};
use url::Url;

use super::dto::{InviteCode, PublicProgramme};
use super::model;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::people::accounts::model as accounts;
use crate::people::secrets;
use crate::promotion::coupons::code::code_from;
use crate::promotion::referrals::programme;
use crate::types::id::AccountId;
use crate::types::money::Money;

/// The code of an account, made now where it has none, with its link and what the programme gives.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn own(app: &App, account: AccountId) -> Result<InviteCode> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    accounts::load_buyer(&mut conn, account).await?;
    let code = code(&mut conn, account, now).await?;
    let programme = programme::load(&mut conn).await?;
    Ok(InviteCode {
        link: link(&app.settings.storefront_url, &code),
        programme: PublicProgramme {
            is_open: programme.is_open(now),
            minimum_order: Money::new(programme.minimum_minor, &app.settings.currency),
            inviter_reward: programme.inviter_reward,
            friend_reward: programme.friend_reward,
            ends_at: programme.ends_at,
        },
        code,
    })
}

/// Two requests at once find the same code: one row an account.
async fn code(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<String> {
    // Of 2^50 codes a new one is hardly ever somebody else's already.
    for _ in 0..3 {
        if let Some(code) = model::code_of(conn, account).await? {
            return Ok(code);
        }
        model::insert(conn, account, &code_from("", &secrets::random_bytes::<10>()?), now).await?;
    }
    model::code_of(conn, account).await?.ok_or_else(|| AppError::internal("no free invite code was found"))
}

/// The storefront's address with a code in its query.
pub fn link(storefront: &Url, code: &str) -> String {
    let mut url = storefront.clone();
    url.query_pairs_mut().append_pair("invite", code);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_what_the_storefront_has_in_its_address() {
        let of = |text: &str| link(&text.parse().unwrap(), "7Q4M2X9PABK");
        assert_eq!(of("https://shop.example"), "https://shop.example/?invite=7Q4M2X9PABK");
        assert_eq!(of("https://shop.example/zh?a=1"), "https://shop.example/zh?a=1&invite=7Q4M2X9PABK");
    }
}
