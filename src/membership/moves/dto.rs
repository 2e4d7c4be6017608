//! An account's chapter over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::membership::chapters::model::Chapter;
use crate::membership::number_series::model::{Series, SeriesNumber};
use crate::types::locale::{Locale, Names};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChapterWish {
    /// The chapter's code.
    #[schema(example = "zhengzhou")]
    pub chapter: String,
}

/// The caller's chapter: where he is a member, or will join.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MyChapter)]
pub struct HomeView {
    /// The chapter's code.
    pub chapter: String,
    pub name: String,
    pub prefix: String,
    /// The member number, of whichever chapter gave it; null before the first activation.
    pub number: Option<String>,
    /// Numbers by role, beside the member number.
    pub series_numbers: Vec<SeriesNumberView>,
    /// From when on one may move again; null: at once.
    pub may_move_at: Option<DateTime<Utc>>,
}

/// A number by role.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SeriesNumber)]
pub struct SeriesNumberView {
    #[schema(example = "LS0001")]
    pub number: String,
    /// The series' code.
    pub series: String,
    pub name: String,
    pub names: Names,
    pub since: DateTime<Utc>,
}

impl HomeView {
    pub fn new(
        chapter: Chapter,
        number: Option<String>,
        numbers: Vec<(SeriesNumber, Series)>,
        may_move_at: Option<DateTime<Utc>>,
        locale: Locale,
    ) -> Self {
        let view = |(number, series): (SeriesNumber, Series)| {
            let names = Names { zh: series.name_zh, en: series.name_en };
            SeriesNumberView {
                number: number.number,
                series: series.code,
                name: names.pick(locale).to_owned(),
                names,
                since: number.given_at,
            }
        };
        Self {
            chapter: chapter.code,
            name: chapter.name,
            prefix: chapter.prefix,
            number,
            series_numbers: numbers.into_iter().map(view).collect(),
            may_move_at,
        }
    }
}
