//! E-mail addresses: as typed, as a key to sign in with, and as what makes "one a person".

use std::str::FromStr;

/// An address that can be written to: what SMTP allows, trimmed. Its letters stay as typed.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Email(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct EmailError;

/// Domains that deliver `a.b@` and `ab@` to the same person.
const DOMAINS_IGNORING_DOTS: [&str; 2] = ["gmail.com", "googlemail.com"];

impl Email {
    /// The address as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower case: what makes an address unique and what one signs in with.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The person behind it: lower case, no `+tag`, no dots where the domain ignores them. For comparing only; nothing
    /// is ever sent to it, and nothing but a keyed hash of it is stored.
    pub fn person(&self) -> String {
        let key = self.key();
        let Some((local, domain)) = key.rsplit_once('@') else { return key };
        let local = local.split_once('+').map_or(local, |(before, _)| before);
        if DOMAINS_IGNORING_DOTS.contains(&domain) {
            format!("{}@gmail.com", local.replace('.', ""))
        } else {
            format!("{local}@{domain}")
        }
    }
}

impl FromStr for Email {
    type Err = EmailError;

    /// At most 254 characters (RFC 5321 §4.5.3.1.3), one that lettre can put into an envelope.
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.len() > 254 || text.chars().any(char::is_control) {
            return Err(EmailError);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        let has_name = local.split_once('+').map_or(local, |(before, _)| before).chars().any(|c| c != '.');
        lettre::Address::new(local, domain).map_err(|_| EmailError)?;
        if has_name { Ok(Self(text.to_owned())) } else { Err(EmailError) }
    }
}

/// An address is personal data: logs get its shape alone.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

impl<'de> serde::Deserialize<'de> for Email {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        text.parse().unwrap()
    }

    #[test]
    fn one_person_however_the_address_is_written() {
        assert_eq!(email("Zhang.San+KD@GoogleMail.com").person(), "zhangsan@gmail.com");
        assert_eq!(email("a.b+c@example.org").person(), "a.b@example.org");
        assert_eq!(email(" A.B@Example.org ").key(), "a.b@example.org");
        assert_eq!(email(" A.B@Example.org ").as_str(), "A.B@Example.org");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for bad in
            ["", "a", "@", "a@", "@b.org", "a b@c.org", "+x@c.org", "a@b\r\n.org", "a@b.org\nBcc: x@y.z"]
        {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@b.org", "a".repeat(255)).parse::<Email>().is_err());
    }
}
