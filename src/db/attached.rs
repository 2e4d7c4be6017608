//! The database of the settings, for a command that does its work and ends: the one that `DATABASE_URL` names, or the
//! private PostgreSQL of the data folder, attached to where it runs and else started for the command's own duration.

use secrecy::ExposeSecret;

use super::private::{self, Cluster, Options, PrivateError};
use super::{Conn, establish};
use crate::config::Settings;
use crate::error::{AppError, Result};

/// A database to work on. Call [`Attached::leave`] when done.
#[derive(Debug)]
pub struct Attached {
    url: String,
    cluster: Option<Cluster>,
}

/// Finds the database, past the pooler where there is one: a command holds one session.
///
/// # Errors
/// When there is no private PostgreSQL and none can be made.
pub async fn attach(settings: &Settings) -> Result<Attached, PrivateError> {
    let named = settings.database.direct.as_ref().or(settings.database.url.as_ref());
    if let Some(url) = named.filter(|_| settings.database.url.is_some()) {
        return Ok(Attached { url: url.expose_secret().to_owned(), cluster: None });
    }
    let cluster = private::open(&settings.data_dir, Options::default()).await?;
    Ok(Attached { url: cluster.url(), cluster: Some(cluster) })
}

impl Attached {
    /// May hold a password: not for logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// # Errors
    /// When the database can't be reached.
    pub async fn connect(&self) -> Result<Conn> {
        establish(&self.url).await.map_err(AppError::internal)
    }

    /// Ends our use of it; a private server that nobody else uses is stopped.
    pub async fn leave(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
