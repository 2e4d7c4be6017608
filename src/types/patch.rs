//! A field of a PATCH body: absent is not null (RFC 7396). Use with `#[serde(default)]`.

use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not in the body: leave it.
    #[default]
    Absent,
    /// Sent as null: clear it.
    Null,
    Value(T),
}

impl<T> Patch<T> {
    /// What a diesel changeset wants: `None` leaves, `Some(None)` clears.
    pub fn into_change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        name: Patch<String>,
    }

    #[test]
    fn absent_is_not_null() {
        let read = |text| serde_json::from_str::<Body>(text).unwrap().name;
        assert_eq!(read("{}"), Patch::Absent);
        assert_eq!(read(r#"{"name": null}"#), Patch::Null);
        assert_eq!(read(r#"{"name": "a"}"#), Patch::Value("a".to_owned()));
    }
}
