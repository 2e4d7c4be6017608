//! The two languages that the shop speaks.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Locale {
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    #[serde(rename = "en")]
    En,
}

impl Locale {
    pub const ALL: [Self; 2] = [Self::ZhCn, Self::En];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// What is stored, read back; what is unknown falls to the shop's first language.
    pub fn from_stored(text: &str) -> Self {
        if text == "en" { Self::En } else { Self::ZhCn }
    }

    /// The first of an `Accept-Language` header (RFC 9110 §12.5.4) that the shop speaks.
    pub fn from_accept_language(header: &str) -> Self {
        header
            .split(',')
            .filter_map(|part| part.split(';').next())
            .find_map(|tag| match tag.trim().to_lowercase() {
                tag if tag.starts_with("zh") => Some(Self::ZhCn),
                tag if tag.starts_with("en") => Some(Self::En),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// Chooses the text of this language.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::ZhCn => zh,
            Self::En => en,
        }
    }
}

/// What something is called, in each language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    #[serde(rename = "zh-CN")]
    pub zh: String,
    pub en: String,
}

impl Names {
    pub fn new(zh: &str, en: &str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }

    pub fn pick(&self, locale: Locale) -> &str {
        locale.pick(&self.zh, &self.en)
    }
}
