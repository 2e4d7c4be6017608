//! Mails in memory, for tests and for the demo's inbox.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Outgoing;

/// Older mails make way for newer ones: an inbox never grows without end.
const CAPACITY: usize = 2_000;

/// A mail as `/dev/inbox.json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub sent_at: DateTime<Utc>,
    pub message_id: String,
    #[serde(default)]
    pub from: String,
    /// Of a mail of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe_url: Option<String>,
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
            from: mail.from.to_string(),
            unsubscribe_url: mail.unsubscribe_url.clone(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Inbox {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    mails: VecDeque<Delivered>,
    /// A JSON line a mail.
    file: Option<File>,
}

impl Kept {
    fn put(&mut self, mail: Delivered) {
        if self.mails.len() >= CAPACITY {
            self.mails.pop_front();
        }
        self.mails.push_back(mail);
    }
}

impl Inbox {
    pub fn put(&self, mail: Delivered) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut kept.file
            && let Err(error) = write_line(file, &mail)
        {
            tracing::error!(%error, "the inbox can't be written; it forgets this mail at the next start");
        }
        kept.put(mail);
    }

    /// Takes over the mails of a file, as older than those that are here, and keeps all of them in it from now on.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn keep_in(&self, path: &Path) -> std::io::Result<()> {
        let old = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Kept::default();
        // A last line that a crash has torn is none.
        old.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|mail| all.put(mail));
        kept.mails.drain(..).for_each(|mail| all.put(mail));
        let fresh = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // One-time links are inside.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        for mail in &all.mails {
            write_line(&mut file, mail)?;
        }
        std::fs::rename(&fresh, path)?;
        *kept = Kept { file: Some(file), ..all };
        Ok(())
    }

    /// Newest first.
    pub fn all(&self) -> Vec<Delivered> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.mails.iter().rev().cloned().collect()
    }

    /// Those to one address, newest first.
    pub fn to(&self, address: &str) -> Vec<Delivered> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }
}

fn write_line(file: &mut File, mail: &Delivered) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(mail)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(number: u32) -> Delivered {
        Delivered {
            to: "a@b.test".to_owned(),
            subject: format!("{number}"),
            text: "line\nline".to_owned(),
            html: String::new(),
            sent_at: DateTime::UNIX_EPOCH,
            message_id: format!("{number}@b.test"),
            from: String::new(),
            unsubscribe_url: None,
        }
    }

    #[test]
    fn a_file_keeps_mails_over_restarts_and_a_torn_line_is_none() {
        let folder = std::env::temp_dir().join(format!("kindred-inbox-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("inbox.jsonl");
        let first = Inbox::default();
        first.put(mail(1));
        first.keep_in(&path).unwrap();
        first.put(mail(2));
        drop(first);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"to\": \"torn").unwrap();
        let second = Inbox::default();
        second.put(mail(3));
        second.keep_in(&path).unwrap();
        second.put(mail(4));
        let third = Inbox::default();
        third.keep_in(&path).unwrap();
        let subjects: Vec<_> = third.all().into_iter().map(|mail| mail.subject).collect();
        assert_eq!(subjects, ["4", "3", "2", "1"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
