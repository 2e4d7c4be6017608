//! The mail as it arrives: files in a folder, which people read for the links and codes that are nowhere else.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::visit::{Trouble, trouble};
use super::asker::Asker;

/// The newest mail of that kind that somebody got: as who has an account, else by his address.
const NEWEST: &str = "SELECT 'mail_' || replace(id::text, '-', '') FROM mails
    WHERE {whose} AND state = 'sent' AND kind IN {kinds} ORDER BY created_at DESC, id DESC LIMIT 1";
const WHOSE: [&str; 2] = ["account_id = (SELECT id FROM accounts WHERE email = $1)", "to_address = $1"];

/// The words of the newest mail to an address, of one of these kinds.
///
/// # Errors
/// When there is none, or it can't be read.
pub async fn newest(
    asker: &Asker,
    folder: &Path,
    to: &str,
    kinds: &[&'static str],
) -> Result<String, Trouble> {
    let quoted: Vec<_> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    let sql = NEWEST.replace("{kinds}", &format!("({})", quoted.join(", ")));
    let mut id = None;
    for whose in WHOSE {
        let found = asker.text(&sql.replace("{whose}", whose), to).await;
        id = id.or(found.map_err(|error| trouble(error.to_string()))?);
        if id.is_some() {
            break;
        }
    }
    let id = id.ok_or_else(|| trouble(format!("{to} got no mail of {kinds:?}")))?;
    let file = folder.join(format!("{id}.eml"));
    let raw = std::fs::read_to_string(&file).map_err(|error| trouble(format!("{id}: {error}")))?;
    Ok(words(&raw))
}

/// How many mails there are.
///
/// # Errors
/// When the folder can't be read.
pub fn count(folder: &Path) -> std::io::Result<i64> {
    let mut count = 0;
    for file in std::fs::read_dir(folder)? {
        count += i64::from(file?.path().extension().is_some_and(|kind| kind == "eml"));
    }
    Ok(count)
}

/// What the text part of a mail says.
fn words(raw: &str) -> String {
    let part = raw.split_once("Content-Type: text/plain").map_or(raw, |(_, part)| part);
    let (head, body) = part.split_once("\r\n\r\n").unwrap_or(("", part));
    let body = body.split("\r\n--").next().unwrap_or_default();
    let head = head.to_ascii_lowercase();
    if head.contains("base64") {
        let joined: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(joined).unwrap_or_default();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    if head.contains("quoted-printable") {
        return unquoted(body);
    }
    body.to_owned()
}

/// Quoted-printable, undone.
fn unquoted(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        rest = if let Some(next) = after.strip_prefix("\r\n") {
            next
        } else if let (Some(code), Some(next)) = (after.get(..2), after.get(2..)) {
            bytes.extend(u8::from_str_radix(code, 16).ok());
            next
        } else {
            after
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The token of a link to that page.
pub fn token_of(words: &str, page: &str) -> Option<String> {
    let (_, after) = words.split_once(&format!("/{page}?token="))?;
    after.split_whitespace().next().map(str::to_owned)
}

/// The line that is a code: of a gift, or of an invitation.
pub fn code_of(words: &str) -> Option<String> {
    let is_code = |line: &&str| line.starts_with("ka_") || line.len() == 20 && line.split('-').count() == 4;
    words.lines().map(str::trim).find(is_code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_codes_are_found_however_a_mail_is_written() {
        let head = "Subject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let quoted = format!(
            "{head}Content-Transfer-Encoding: quoted-printable\r\n\r\n=E7=BB=AD http://shop.test/renew?token=3Dkt_ab=\r\ncd\r\n--b\r\nrest"
        );
        assert_eq!(token_of(&words(&quoted), "renew").as_deref(), Some("kt_abcd"));
        let encoded = STANDARD.encode("续 http://shop.test/renew?token=kt_x\n\n7Q4M-2X9P-AB3K-W6TY\n");
        let (one, two) = encoded.split_at(20);
        let based = format!("{head}Content-Transfer-Encoding: base64\r\n\r\n{one}\r\n{two}\r\n--b\r\nrest");
        assert_eq!(token_of(&words(&based), "renew").as_deref(), Some("kt_x"));
        assert_eq!(code_of("a\n7Q4M-2X9P-AB3K-W6TYN\nb").as_deref(), Some("7Q4M-2X9P-AB3K-W6TYN"));
        assert_eq!(code_of("a\nka_xyz\nb").as_deref(), Some("ka_xyz"));
        assert_eq!(code_of("none"), None);
    }
}
