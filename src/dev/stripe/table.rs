//! A table of rows in the order of their making, copied on write, and written to the journal with each change.

use std::collections::HashMap;
use std::sync::Arc;

use super::journal::Log;
use super::rows::Row;

pub struct Table<T> {
    rows: Vec<Arc<T>>,
    position: HashMap<String, usize>,
    log: Option<Log>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), position: HashMap::new(), log: None }
    }
}

impl<T: Row> Table<T> {
    pub fn get(&self, id: &str) -> Option<&Arc<T>> {
        self.rows.get(*self.position.get(id)?)
    }

    /// Inserts a row, or replaces the one of the same id in its place.
    pub fn put(&mut self, row: T) -> Arc<T> {
        let row = Arc::new(row);
        self.note(&row);
        match self.position.get(row.id()).and_then(|at| self.rows.get_mut(*at)) {
            Some(place) => *place = Arc::clone(&row),
            None => {
                self.position.insert(row.id().to_owned(), self.rows.len());
                self.rows.push(Arc::clone(&row));
            }
        }
        row
    }

    /// Changes a row; snapshots taken before keep what they saw.
    pub fn edit(&mut self, id: &str, change: impl FnOnce(&mut T)) -> Option<Arc<T>> {
        let place = self.rows.get_mut(*self.position.get(id)?)?;
        change(Arc::make_mut(place));
        let row = Arc::clone(place);
        self.note(&row);
        Some(row)
    }

    pub fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.rows.iter()
    }

    /// The rows made before the one of this id.
    pub fn before(&self, id: &str) -> Option<&[Arc<T>]> {
        self.rows.get(..*self.position.get(id)?)
    }

    /// The rows made after the one of this id.
    pub fn after(&self, id: &str) -> Option<&[Arc<T>]> {
        self.rows.get(self.position.get(id)? + 1..)
    }

    pub fn all(&self) -> &[Arc<T>] {
        &self.rows
    }

    /// Keeps only the rows that `stays` wants. The journal isn't told: it is rewritten at the next start.
    pub fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.rows.retain(|row| stays(row));
        self.position = self.rows.iter().enumerate().map(|(at, row)| (row.id().to_owned(), at)).collect();
    }

    pub fn attach(&mut self, log: &Log) {
        self.log = Some(log.clone());
        self.rows.iter().for_each(|row| log.put(row.as_ref()));
    }

    fn note(&self, row: &T) {
        if let Some(log) = &self.log {
            log.put(row);
        }
    }
}
