//! Mails in memory, for tests and for the demo's inbox.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Outgoing;

/// Older mails make way for newer ones: an inbox never grows without end.
const CAPACITY: usize = 2_000;

/// A mail as `/dev/inbox.json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivered {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub sent_at: DateTime<Utc>,
    pub message_id: String,
}

impl From<&Outgoing> for Delivered {
    fn from(mail: &Outgoing) -> Self {
        Self {
            to: mail.to.to_string(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
            sent_at: mail.date,
            message_id: mail.message_id.clone(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Inbox {
    mails: Mutex<VecDeque<Delivered>>,
}

impl Inbox {
    pub fn put(&self, mail: Delivered) {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() >= CAPACITY {
            mails.pop_front();
        }
        mails.push_back(mail);
    }

    /// Newest first.
    pub fn all(&self) -> Vec<Delivered> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().rev().cloned().collect()
    }

    /// Those to one address, newest first.
    pub fn to(&self, address: &str) -> Vec<Delivered> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }
}
