//! What speaks against passing.

use tokio_postgres::Client;

use super::super::RehearsalError;
use super::super::figures::{count, failed_checks};
use super::world::World;

/// What was found.
#[derive(Default)]
pub struct Findings {
    pub lost: i64,
    pub free: i64,
    pub doubled: i64,
    pub against: Vec<String>,
}

impl Findings {
    pub fn lost(&mut self, what: String) {
        self.lost += 1;
        self.against.push(what);
    }

    pub fn free(&mut self, what: String) {
        self.free += 1;
        self.against.push(what);
    }

    pub fn doubled(&mut self, what: String) {
        self.doubled += 1;
        self.against.push(what);
    }

    pub fn expect(&mut self, what: &str, found: i64, expected: i64) {
        if found != expected {
            self.against.push(format!("{what}: {found}, expected {expected}"));
        }
    }

    /// Rows that are there twice: of each kind a question for the sizes of groups that should be of one.
    ///
    /// # Errors
    /// The database's.
    pub async fn expect_no_doubles(
        &mut self,
        client: &Client,
        kinds: &[(&str, &str)],
    ) -> Result<(), RehearsalError> {
        for (what, grouped) in kinds {
            let sql = format!("SELECT coalesce(sum(n - 1), 0)::bigint FROM ({grouped}) AS found (n)");
            let twice = count(client, &sql).await?;
            self.doubled += twice;
            self.expect(&format!("doubled {what}"), twice, 0);
        }
        Ok(())
    }

    /// Adds what people complained of and the checks that fail, which are counted, and says all of it in the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn conclude(&mut self, world: &World, url: &str) -> Result<i64, RehearsalError> {
        let failed = failed_checks(url, &world.clock).await?;
        self.against.extend(failed.iter().map(|name| format!("check failed: {name}")));
        let seen = world.seen.take();
        if seen.complaints_count > 0 {
            let complaints = &seen.complaints;
            self.against
                .push(format!("people complained {} times, as: {complaints:?}", seen.complaints_count));
        }
        for reason in &self.against {
            tracing::error!("{reason}");
        }
        tracing::info!(retries = seen.retries, "what people met");
        Ok(i64::try_from(failed.len()).unwrap_or(i64::MAX))
    }
}
