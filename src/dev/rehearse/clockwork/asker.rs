//! The rehearsal's own questions to the database, beside the code under test. They outlast a database that is killed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::super::RehearsalError;
use super::super::scenario::connect;

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

pub struct Asker {
    url: String,
    client: Mutex<Option<Client>>,
}

impl Asker {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), client: Mutex::new(None) }
    }

    /// The rows of a question that can be asked again.
    ///
    /// # Errors
    /// When the database doesn't answer for long, or doesn't understand.
    pub async fn rows(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, RehearsalError> {
        let begun = Instant::now();
        loop {
            match self.once(sql, values).await {
                Ok(rows) => return Ok(rows),
                // It understood, and says no.
                Err(error)
                    if error.as_db_error().is_some_and(|said| said.code().code().starts_with("42")) =>
                {
                    return Err(error.into());
                }
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => {
                    *self.client.lock().await = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn once(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        let mut kept = self.client.lock().await;
        let client = match kept.take() {
            Some(client) => client,
            None => connect(&self.url).await?,
        };
        let rows = client.query(sql, values).await?;
        *kept = Some(client);
        Ok(rows)
    }

    /// One number.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn count(&self, sql: &str) -> Result<i64, RehearsalError> {
        let rows = self.rows(sql, &[]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// One time, where there is any.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn time(&self, sql: &str) -> Result<Option<DateTime<Utc>>, RehearsalError> {
        let rows = self.rows(sql, &[]).await?;
        let text: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
        Ok(text.and_then(DateTime::from_timestamp_micros))
    }

    /// One text of a question about somebody, where there is any.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn text(&self, sql: &str, about: &str) -> Result<Option<String>, RehearsalError> {
        let rows = self.rows(sql, &[&about]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.flatten())
    }
}
