//! Where the database is, and how it is reached.

use secrecy::SecretString;

use super::{ConfigError, Reader, wrong};
use crate::db::Statements;

/// `DATABASE_URL` and what belongs to it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// None: the private PostgreSQL in the data folder.
    pub url: Option<SecretString>,
    /// Past the pooler.
    pub direct: Option<SecretString>,
    /// A streaming replica, for reads that may be a moment old.
    pub replica: Option<SecretString>,
    /// Of one instance, to the primary and to the replica each.
    pub connections: usize,
    /// On `url` and on `replica`.
    pub statements: Statements,
}

impl DatabaseSettings {
    pub(super) fn read(read: &Reader<'_>) -> Result<Self, ConfigError> {
        const CACHE: &str = "KINDRED_STATEMENT_CACHE";
        let statements = match read.text(CACHE).as_deref() {
            None | Some("on") => Statements::Kept,
            Some("off") => Statements::Passing,
            Some(_) => return Err(wrong(CACHE, "expected on or off")),
        };
        let (url, direct) = (read.secret("DATABASE_URL"), read.secret("DATABASE_URL_DIRECT"));
        if statements == Statements::Passing && url.is_some() && direct.is_none() {
            return Err(wrong(
                "DATABASE_URL_DIRECT",
                "KINDRED_STATEMENT_CACHE=off needs it: migrations and commands go past the pooler",
            ));
        }
        Ok(Self {
            url,
            direct,
            replica: read.secret("DATABASE_URL_REPLICA"),
            connections: read.parse("KINDRED_DATABASE_CONNECTIONS", "a number of connections")?.unwrap_or(16),
            statements,
        })
    }
}
