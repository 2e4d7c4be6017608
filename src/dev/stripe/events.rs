//! The list of events, which remembers for 30 days what a webhook may have lost.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::ApiError;
use super::form::Params;
use super::list::Page;
use super::rows::{Delivery, Event};
use super::store::Store;

const REMEMBERED: TimeDelta = TimeDelta::days(30);
const TYPES_MAX: usize = 20;

/// Whether a type of event fits a name or a group such as `charge.dispute.*`.
pub fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => pattern == kind,
    }
}

#[derive(Debug)]
pub struct AskedEvents {
    page: Page,
    types: Vec<String>,
    delivered: Option<bool>,
}

impl AskedEvents {
    pub fn read(mut params: Params) -> Result<Self, ApiError> {
        let page = Page::read(&mut params)?;
        let one = params.text("type")?;
        let mut types = params.texts("types")?;
        if one.is_some() && !types.is_empty() {
            return Err(ApiError::invalid("You may only specify one of these parameters: type, types."));
        }
        if types.len() > TYPES_MAX {
            return Err(ApiError::invalid("You may pass up to 20 event types.").param("types"));
        }
        types.extend(one);
        let delivered = params.boolean("delivery_success")?;
        params.finish()?;
        Ok(Self { page, types, delivered })
    }
}

impl Store {
    pub fn list_events(
        &self,
        asked: &AskedEvents,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Arc<Event>>, bool), ApiError> {
        asked.page.of(&self.events, |event| {
            let delivered = matches!(event.delivery, Delivery::NotWanted | Delivery::Delivered);
            event.created + REMEMBERED > now
                && asked.page.created.has(event.created)
                && asked.delivered.is_none_or(|wanted| wanted == delivered)
                && (asked.types.is_empty() || asked.types.iter().any(|one| matches(one, &event.kind)))
        })
    }

    /// An event, while Stripe would still remember it.
    pub fn event(&self, id: &str, now: DateTime<Utc>) -> Option<&Arc<Event>> {
        self.events.get(id).filter(|event| event.created + REMEMBERED > now)
    }
}
