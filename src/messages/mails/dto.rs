//! Mails as operators see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Filter, MailRow};
use super::{Mail, Postbox};
use crate::db::page::PageQuery;
use crate::error::{Code, Result};
use crate::types::id::{AccountId, MailId};
use crate::types::locale::Locale;

/// The query of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MailQuery {
    /// `queued`, `sent` or `dead`.
    pub state: Option<String>,
    /// Such as `welcome`.
    pub kind: Option<String>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl MailQuery {
    /// # Errors
    /// `invalid_field` for a state or kind that doesn't exist.
    pub fn split(self) -> Result<(Filter, PageQuery)> {
        if self.state.as_deref().is_some_and(|state| !["queued", "sent", "dead"].contains(&state)) {
            return Err(Code::InvalidField.at("state", "expected queued, sent or dead"));
        }
        if self.kind.as_deref().is_some_and(|kind| !Mail::KINDS.contains(&kind)) {
            return Err(Code::InvalidField.at("kind", "no such kind of mail"));
        }
        let filter = Filter { state: self.state, kind: self.kind };
        Ok((filter, PageQuery { limit: self.limit, cursor: self.cursor }))
    }
}

/// A mail in a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MailSummary {
    pub id: MailId,
    #[schema(example = "welcome")]
    pub kind: String,
    /// `queued`, `sent` or `dead`.
    #[schema(example = "sent")]
    pub state: String,
    pub account: Option<AccountId>,
    /// Whole for those who serve members, else masked.
    #[schema(example = "z…@example.org")]
    pub to: String,
    pub locale: Locale,
    /// What caused it, once.
    pub cause: String,
    /// Why the last try failed.
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// One mail with its words; a one-time link in it is blanked out.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MailDetail {
    #[serde(flatten)]
    pub summary: MailSummary,
    /// What the template was given, without secrets.
    #[schema(value_type = Object)]
    pub data: Value,
    pub subject: String,
    pub text: String,
}

impl MailSummary {
    pub fn new(row: MailRow, shows_address: bool) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            account: row.account_id,
            to: if shows_address { row.to_address } else { mask(&row.to_address) },
            locale: Locale::from_stored(&row.locale),
            cause: row.cause,
            last_error: row.last_error,
            created_at: row.created_at,
            sent_at: row.sent_at,
        }
    }
}

impl MailDetail {
    /// # Errors
    /// When this program can't read the mail.
    pub fn new(row: MailRow, shows_address: bool, postbox: &Postbox) -> Result<Self> {
        let mail = Mail::from_columns(&row.kind, row.data.clone())?;
        let mail = mail.scrubbed().unwrap_or(mail);
        let (_, data) = mail.to_columns()?;
        let words = postbox.render(&mail, Locale::from_stored(&row.locale))?;
        let summary = MailSummary::new(row, shows_address);
        Ok(Self { summary, data, subject: words.subject, text: words.text })
    }
}

/// `z…@example.org`: enough to tell two people apart, too little to write to one.
fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}…@{domain}")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_address_cannot_be_written_to() {
        assert_eq!(mask("zhang.san@example.org"), "z…@example.org");
        assert_eq!(mask(""), "");
    }
}
