//! For whom new F-codes are: whoever has them, people by address, or the accounts of a segment, who are told.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dto::NewFCodes;
use super::model::{self, Drop, FCode};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::membership::invitations::rules::shown_code;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::segments::model as segments;
use crate::shop::products::model::Article;
use crate::types::email::Email;

/// F-codes of one request.
const F_CODES_MAX: i64 = 10_000;
const EMAILS_MAX: usize = 1_000;
/// Accounts of a segment that are read at a time.
const AT_ONCE: i64 = 1_000;

/// Whom one code is bound to.
#[derive(Clone, Debug)]
pub enum Guest {
    Anybody,
    Email(String),
    /// Somebody with an account, who is told by mail.
    Account(Recipient),
}

/// # Errors
/// `invalid_field` where not exactly one of the three is asked for, or too many or nobody is meant.
pub async fn of(conn: &mut Conn, new: &NewFCodes, now: DateTime<Utc>) -> Result<Vec<Guest>> {
    match (new.quantity, &new.emails, &new.segment) {
        (Some(quantity), None, None) => {
            let quantity = fields::within("quantity", quantity, 1, F_CODES_MAX)?;
            Ok(vec![Guest::Anybody; usize::try_from(quantity).map_err(AppError::internal)?])
        }
        (None, Some(emails), None) => by_email(emails),
        (None, None, Some(code)) => in_segment(conn, code, now).await,
        _ => Err(Code::InvalidField.at("quantity", "expected one of quantity, emails and segment")),
    }
}

fn by_email(emails: &[String]) -> Result<Vec<Guest>> {
    if !(1..=EMAILS_MAX).contains(&emails.len()) {
        return Err(Code::InvalidField.at("emails", format!("expected 1 to {EMAILS_MAX}")));
    }
    let mut keys = Vec::with_capacity(emails.len());
    for (index, typed) in emails.iter().enumerate() {
        let email: Email = typed
            .parse()
            .map_err(|_| Code::InvalidField.at(format!("emails[{index}]"), "expected an e-mail address"))?;
        keys.push(email.key());
    }
    keys.sort();
    keys.dedup();
    Ok(keys.into_iter().map(Guest::Email).collect())
}

/// Everybody who is in it at this moment.
async fn in_segment(conn: &mut Conn, code: &str, now: DateTime<Utc>) -> Result<Vec<Guest>> {
    let segment = segments::by_code(conn, code).await?;
    let segment = segment.ok_or_else(|| Code::InvalidField.at("segment", "there is no such segment"))?;
    let count = segments::count(conn, &segment, now).await?;
    if !(1..=F_CODES_MAX).contains(&count) {
        let why = format!("{count} are in it, expected 1 to {F_CODES_MAX}");
        return Err(Code::InvalidField.at("segment", why));
    }
    let mut guests = Vec::new();
    let mut before = Uuid::max();
    loop {
        let page = segments::page_of(conn, &segment, Page { limit: AT_ONCE, before }, now).await?;
        let is_last = i64::try_from(page.len()).unwrap_or(0) <= AT_ONCE;
        let accounts: Vec<_> =
            page.into_iter().take(usize::try_from(AT_ONCE).unwrap_or(usize::MAX)).collect();
        let Some(last) = accounts.last().copied() else { return Ok(guests) };
        guests.extend(model::reachable(conn, &accounts).await?.into_iter().map(Guest::Account));
        if is_last {
            return Ok(guests);
        }
        before = last.0;
    }
}

impl FCode {
    /// Bound to this guest.
    #[must_use]
    pub fn bound_to(self, guest: &Guest) -> Self {
        match guest {
            Guest::Anybody => self,
            Guest::Email(key) => Self { email_key: Some(key.clone()), ..self },
            Guest::Account(recipient) => Self { account: recipient.account, ..self },
        }
    }
}

/// Mails their codes to those who have an account; codes and guests go pairwise.
///
/// # Errors
/// The database's.
pub async fn tell(
    conn: &mut Conn,
    (drop, article): (&Drop, &Article),
    codes: &[FCode],
    guests: &[Guest],
    now: DateTime<Utc>,
) -> Result<()> {
    let mail = |code: &FCode| Mail::FCode {
        drop_zh: drop.names.zh.clone(),
        drop_en: drop.names.en.clone(),
        article_zh: article.product.names.zh.clone(),
        article_en: article.product.names.en.clone(),
        f_code: shown_code(&code.code),
        expires_at: code.expires_at,
    };
    let told = codes.iter().zip(guests).filter_map(|(code, guest)| match guest {
        Guest::Account(recipient) => Some((recipient.clone(), format!("f_code:{}", code.id), mail(code))),
        _ => None,
    });
    mails::queue_all(conn, now, &told.collect::<Vec<_>>()).await
}
