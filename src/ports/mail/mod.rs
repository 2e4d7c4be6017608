//! The mail port: hands a finished mail to the outside. Over SMTP, as files, or into memory (tests, the demo's inbox).

mod memory;
mod smtp;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use secrecy::ExposeSecret;

pub use memory::{Delivered, Inbox};

use crate::config::Settings;

/// A rendered mail with its envelope.
pub struct Outgoing {
    /// Without angle brackets; the same at each repeat, so that the reader's program may drop a second one.
    pub message_id: String,
    pub from: Mailbox,
    pub to: lettre::Address,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// BCP 47, for `Content-Language`.
    pub language: &'static str,
    /// The shop's time, for `Date`.
    pub date: DateTime<Utc>,
    /// Where one click takes its reader off its list; none for mails of no list.
    pub unsubscribe_url: Option<String>,
}

/// Why a mail didn't go. The text is for operators and logs: addresses in the server's words are blanked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server will never take this mail (a 5xx reply to it).
    #[error("{0}")]
    Permanent(String),
    /// It may go later: no connection, no answer in time, a 4xx reply, refused credentials.
    #[error("{0}")]
    Transient(String),
}

/// Where mails go to.
pub enum Mailer {
    Smtp(smtp::Client),
    /// One `.eml` a mail, named by its id: a repeat replaces it.
    Files(PathBuf),
    Memory(Inbox),
}

impl Mailer {
    /// By `KINDRED_SMTP_URL`. Without it, the demo and tests keep mails in memory; a real shop writes them to the folder
    /// `mails` of its data folder, so that none is lost before the setting is made.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn from_settings(settings: &Settings) -> Result<Self, String> {
        match &settings.smtp_url {
            Some(url) => Self::from_url(url.expose_secret()),
            None if settings.demo => Ok(Self::Memory(Inbox::default())),
            None => Ok(Self::Files(settings.data_dir.join("mails"))),
        }
    }

    /// From `smtp://`, `smtps://` (see [`smtp::Client`]) or `file:///folder`.
    ///
    /// # Errors
    /// What is wrong with the URL; never with its password.
    pub fn from_url(text: &str) -> Result<Self, String> {
        let url: url::Url = text.parse().map_err(|_| "expected a URL".to_owned())?;
        match url.scheme() {
            "file" => {
                let folder = url.to_file_path().map_err(|()| "expected file:///folder".to_owned())?;
                Ok(Self::Files(folder))
            }
            "smtp" | "smtps" => smtp::Client::from_url(&url).map(Self::Smtp),
            _ => Err("expected smtp://, smtps:// or file:///folder".to_owned()),
        }
    }

    /// Hands over one mail; done when the other side has taken the responsibility for it.
    ///
    /// # Errors
    /// [`SendError`]. After a time-out the mail may have gone all the same: mails are sent at least once.
    pub async fn send(&self, mail: &Outgoing) -> Result<(), SendError> {
        match self {
            Self::Memory(inbox) => {
                inbox.put(Delivered::from(mail));
                Ok(())
            }
            Self::Files(folder) => {
                let bytes = mail.message()?.formatted();
                write_file(folder, mail, &bytes)
                    .await
                    .map_err(|error| SendError::Transient(format!("the mail can't be written: {error}")))
            }
            Self::Smtp(client) => {
                let message = mail.message()?;
                client.send(message.envelope(), &message.formatted()).await
            }
        }
    }

    /// The mails kept in memory, where that is where they go.
    pub fn inbox(&self) -> Option<&Inbox> {
        match self {
            Self::Memory(inbox) => Some(inbox),
            Self::Smtp(_) | Self::Files(_) => None,
        }
    }
}

/// Written aside and moved into place, so that a reader never sees half a mail. One-time links are inside: only the
/// owner may read it.
async fn write_file(folder: &Path, mail: &Outgoing, bytes: &[u8]) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;
    tokio::fs::create_dir_all(folder).await?;
    let name = mail.message_id.split('@').next().unwrap_or_default();
    let aside = folder.join(format!(".{name}.part"));
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&aside).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&aside, folder.join(format!("{name}.eml"))).await
}

impl Outgoing {
    /// As MIME: text first, HTML as the better alternative.
    fn message(&self) -> Result<Message, SendError> {
        let mut builder = Message::builder();
        if let Some(url) = &self.unsubscribe_url {
            builder = builder.header(ListUnsubscribe(url.clone())).header(ListUnsubscribePost);
        }
        builder
            .message_id(Some(format!("<{}>", self.message_id)))
            .date(SystemTime::from(self.date))
            .from(self.from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(self.subject.clone())
            .header(AutoSubmitted)
            .header(ContentLanguage(self.language))
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
                    .singlepart(part(ContentType::TEXT_HTML, &self.html)),
            )
            .map_err(|error| SendError::Permanent(format!("the mail can't be built: {error}")))
    }
}

fn part(kind: ContentType, body: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(body.to_owned())
}

/// Says to other machines that no person wrote this (RFC 3834), so that no holiday notice comes back.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Where mail programs post to when their reader presses *unsubscribe* (RFC 8058 §3.1).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("only written".into())
    }

    /// A URL is ASCII and stays on one line: what encodes or folds it would break it.
    fn display(&self) -> HeaderValue {
        let value = format!("<{}>", self.0);
        HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
    }
}

#[derive(Clone)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

#[derive(Clone)]
struct ContentLanguage(&'static str);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("only written".into())
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.to_owned())
    }
}

/// Blanks out what may be an address: mail servers like to repeat it (`550 <a@b.org>: no such user`).
pub fn without_addresses(text: &str) -> String {
    let words: Vec<_> =
        text.split_whitespace().map(|word| if word.contains('@') { "…" } else { word }).collect();
    let text = words.join(" ");
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Outgoing {
        Outgoing {
            message_id: "mail_1@shop.example".to_owned(),
            from: "同好 <no-reply@shop.example>".parse().unwrap(),
            to: "a@b.org".parse().unwrap(),
            subject: "欢迎".to_owned(),
            text: "您好".to_owned(),
            html: "<p>您好</p>".to_owned(),
            language: "zh-CN",
            date: "2013-08-09T06:00:00Z".parse().unwrap(),
            unsubscribe_url: None,
        }
    }

    #[test]
    fn a_mail_of_a_list_says_how_to_leave_it_and_no_other_does() {
        let url = format!("https://shop.example/v1/unsubscribe?t={}", "a-Z_9.".repeat(30));
        let text = |mail: Outgoing| {
            format!("\r\n{}", String::from_utf8(mail.message().unwrap().formatted()).unwrap())
        };
        let of_list = text(Outgoing { unsubscribe_url: Some(url.clone()), ..mail() });
        assert!(of_list.contains(&format!("\r\nList-Unsubscribe: <{url}>\r\n")), "{of_list}");
        assert!(of_list.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{of_list}");
        assert!(!text(mail()).contains("List-Unsubscribe"));
    }

    #[test]
    fn a_message_carries_its_id_and_is_ascii_on_the_wire() {
        let bytes = mail().message().unwrap().formatted();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_ascii(), "{text}");
        for header in [
            "Message-ID: <mail_1@shop.example>",
            "Auto-Submitted: auto-generated",
            "Content-Language: zh-CN",
            "Date: Fri, 09 Aug 2013 06:00:00 +0000",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
    }

    #[tokio::test]
    async fn a_file_is_replaced_by_a_repeat() {
        let folder = std::env::temp_dir().join(format!("kindred-mail-{}", uuid::Uuid::now_v7()));
        let mailer = Mailer::from_url(&format!("file://{}", folder.display())).unwrap();
        for _ in 0..2 {
            mailer.send(&mail()).await.unwrap();
        }
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["mail_1.eml"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn addresses_never_reach_a_log() {
        let said = "permanent error (550): 5.1.1 <zhang.san@b.org>: no such user";
        assert_eq!(without_addresses(said), "permanent error (550): 5.1.1 … no such user");
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_password() {
        for url in
            ["mail", "http://h", "smtp://", "smtp://u:secret@h?tls=maybe", "smtps://h?ca=/no/such/file"]
        {
            let why = Mailer::from_url(url).err().unwrap();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
