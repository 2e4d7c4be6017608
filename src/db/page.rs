//! Pages of a list: newest first by id, `limit` ≤ 100, a cursor that is opaque to the caller.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Code, Result};

/// The query of a list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A page asked for: at most `limit` rows with ids below `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub before: Uuid,
}

/// An answer with many things.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl PageQuery {
    /// # Errors
    /// `invalid_field` for a limit out of range, `invalid_cursor`.
    pub fn page(&self) -> Result<Page> {
        let limit = self.limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            return Err(Code::InvalidField.at("limit", "expected 1 to 100"));
        }
        let before = match &self.cursor {
            None => Uuid::max(),
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Code::InvalidCursor)?;
                Uuid::from_slice(&bytes).map_err(|_| Code::InvalidCursor)?
            }
        };
        Ok(Page { limit, before })
    }
}

impl Page {
    /// How many rows to load: one more than is shown tells whether there is a next page.
    pub fn fetch(self) -> i64 {
        self.limit + 1
    }
}

impl<T> List<T> {
    /// Cuts what was fetched with [`Page::fetch`] to the page.
    pub fn cut(mut rows: Vec<T>, page: Page, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(id(last).as_bytes()));
        Self { data: rows, next_cursor }
    }

    /// Everything there is, on one page.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> List<U> {
        List { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_after_the_last_row_shown() {
        let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).rev().collect();
        let page = PageQuery { limit: Some(3), cursor: None }.page().unwrap();
        let list = List::cut(ids.clone(), page, |id| *id);
        assert_eq!(list.data.len(), 3);
        let next = PageQuery { limit: Some(3), cursor: list.next_cursor }.page().unwrap();
        assert_eq!(next.before, ids[2]);
        assert!(List::cut(vec![ids[3]], next, |id| *id).next_cursor.is_none());
    }

    #[test]
    fn bad_pages_are_refused() {
        let code = |limit, cursor: Option<&str>| {
            PageQuery { limit, cursor: cursor.map(str::to_owned) }.page().unwrap_err().code
        };
        assert_eq!(code(Some(0), None), Code::InvalidField);
        assert_eq!(code(Some(101), None), Code::InvalidField);
        assert_eq!(code(None, Some("x!")), Code::InvalidCursor);
        assert_eq!(code(None, Some("AAAA")), Code::InvalidCursor);
    }
}
