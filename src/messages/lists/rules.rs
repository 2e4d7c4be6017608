//! Which mail is on which list, and what a link out of a list is made of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Result;
use crate::messages::mails::Mail;
use crate::people::person::Secret;
use crate::types::id::AccountId;
use crate::types::stored::stored_enum;

stored_enum! {
    /// Mails that one may do without.
    MailList {
        /// Announcements of the shop, and what it offers.
        Notices = "notices",
        /// Coupons that were given.
        Coupons = "coupons",
        /// What there is for a birthday.
        Birthday = "birthday",
        /// That an announced product can be bought, to who asked.
        Reminders = "reminders",
    }
}

/// The list of a mail; none for what an order, an account or a membership needs.
pub fn list_of(mail: &Mail) -> Option<MailList> {
    match mail {
        Mail::Notice { .. } | Mail::UpgradeOffer { .. } => Some(MailList::Notices),
        Mail::CouponGiven { why, .. } if why == "birthday" => Some(MailList::Birthday),
        Mail::CouponGiven { .. } => Some(MailList::Coupons),
        Mail::NowAvailable { .. } => Some(MailList::Reminders),
        _ => None,
    }
}

/// What a token is made of, beside the shop's secret.
fn said(account: AccountId, list: MailList) -> String {
    format!("unsubscribe:{account}:{}", list.as_str())
}

/// The token of a link out of a list: it lasts as long as the mail may be kept, and can do nothing else.
///
/// # Errors
/// Never in practice: HMAC takes a key of any length.
pub fn token(secret: &Secret, account: AccountId, list: MailList) -> Result<String> {
    let mac = secret.mac(&said(account, list))?;
    Ok(format!("{account}.{}.{}", list.as_str(), URL_SAFE_NO_PAD.encode(mac)))
}

/// Whom a token takes out of which list; none for one that isn't ours.
pub fn read_token(secret: &Secret, token: &str) -> Option<(AccountId, MailList)> {
    let mut parts = token.splitn(3, '.');
    let (account, list, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let account: AccountId = account.parse().ok()?;
    let list = serde_json::from_value(serde_json::Value::String(list.to_owned())).ok()?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    secret.is_mac(&said(account, list), &mac).then_some((account, list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_list_of_one_account_and_of_one_shop() {
        let (secret, other) = (Secret::of(vec![1; 32]), Secret::of(vec![2; 32]));
        let account = AccountId::new();
        let made = token(&secret, account, MailList::Notices).unwrap();
        assert_eq!(read_token(&secret, &made), Some((account, MailList::Notices)));
        assert_eq!(read_token(&other, &made), None);
        for wrong in [
            made.replace("notices", "coupons"),
            made.replace(&account.to_string(), &AccountId::new().to_string()),
            made[..made.len() - 1].to_owned(),
            format!("{made}A"),
            made.replace('.', ""),
            String::new(),
        ] {
            assert_eq!(read_token(&secret, &wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_an_order_needs_is_on_no_list() {
        let given = |why: &str| Mail::CouponGiven {
            campaign_zh: String::new(),
            campaign_en: String::new(),
            coupon: String::new(),
            why: why.to_owned(),
            expires_at: None,
        };
        assert_eq!(list_of(&given("birthday")), Some(MailList::Birthday));
        assert_eq!(list_of(&given("chosen")), Some(MailList::Coupons));
        assert_eq!(list_of(&Mail::VerifyEmail { token: String::new() }), None);
        let shipped = Mail::Shipped {
            order_number: String::new(),
            carrier: String::new(),
            tracking_number: None,
            lines: Vec::new(),
        };
        assert_eq!(list_of(&shipped), None);
    }
}
