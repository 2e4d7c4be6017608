//! Lists as Stripe pages them: newest first, `limit` 1 to 100, `starting_after` or `ending_before`, `has_more`.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::form::{Node, Params};
use super::rows::Row;
use super::table::Table;

/// Which page of a list is asked for.
#[derive(Debug)]
pub struct Page {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    pub created: Created,
}

/// A range of creation times, in whole seconds.
#[derive(Debug, Default)]
pub struct Created {
    at_least: Option<i64>,
    at_most: Option<i64>,
}

impl Created {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        let range = match params.take("created") {
            None => return Ok(Self::default()),
            Some(Node::Text(text)) => {
                let at = text.parse().map_err(|_| ApiError::invalid("Invalid timestamp").param("created"))?;
                return Ok(Self { at_least: Some(at), at_most: Some(at) });
            }
            Some(Node::Hash(fields)) => fields,
        };
        let mut created = Self::default();
        for (bound, value) in range {
            let param = format!("created[{bound}]");
            let Node::Text(text) = value else {
                return Err(ApiError::invalid("Invalid timestamp").param(param));
            };
            let at: i64 =
                text.parse().map_err(|_| ApiError::invalid("Invalid timestamp").param(param.clone()))?;
            match bound.as_str() {
                "gte" => created.at_least = Some(at),
                "gt" => created.at_least = Some(at.saturating_add(1)),
                "lte" => created.at_most = Some(at),
                "lt" => created.at_most = Some(at.saturating_sub(1)),
                _ => return Err(ApiError::unknown_parameter(&param)),
            }
        }
        Ok(created)
    }

    pub fn has(&self, at: DateTime<Utc>) -> bool {
        let at = at.timestamp();
        self.at_least.is_none_or(|least| at >= least) && self.at_most.is_none_or(|most| at <= most)
    }
}

impl Page {
    pub fn read(params: &mut Params) -> Result<Self, ApiError> {
        let limit = params.integer("limit")?.unwrap_or(10);
        let limit =
            usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit)).ok_or_else(|| {
                ApiError::invalid("This value must be between 1 and 100.")
                    .code("parameter_invalid_integer")
                    .param("limit")
            })?;
        let page = Self {
            limit,
            starting_after: params.text("starting_after")?,
            ending_before: params.text("ending_before")?,
            created: Created::read(params)?,
        };
        if page.starting_after.is_some() && page.ending_before.is_some() {
            return Err(ApiError::invalid("You cannot parameterize both starting_after and ending_before."));
        }
        Ok(page)
    }

    /// The rows of this page among those that `fits`, and whether there are more beyond it.
    pub fn of<T: Row>(
        &self,
        table: &Table<T>,
        fits: impl Fn(&T) -> bool,
    ) -> Result<(Vec<Arc<T>>, bool), ApiError> {
        let wanted = |row: &&Arc<T>| fits(row);
        let take = self.limit + 1;
        let mut rows: Vec<Arc<T>> = match (&self.starting_after, &self.ending_before) {
            (Some(id), _) => {
                let older =
                    table.before(id).ok_or_else(|| ApiError::missing_for("starting_after", T::KIND, id))?;
                older.iter().rev().filter(wanted).take(take).cloned().collect()
            }
            (None, Some(id)) => {
                let newer =
                    table.after(id).ok_or_else(|| ApiError::missing_for("ending_before", T::KIND, id))?;
                newer.iter().filter(wanted).take(take).cloned().collect()
            }
            (None, None) => table.all().iter().rev().filter(wanted).take(take).cloned().collect(),
        };
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.ending_before.is_some() {
            rows.reverse();
        }
        Ok((rows, has_more))
    }
}
