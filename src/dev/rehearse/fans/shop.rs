//! What is sold beside memberships, and the rules of points, levels, referrals and the offer.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::RehearsalError;
use super::super::clockwork::course::opened;
use super::super::clockwork::world::{CURRENCY, World};
use super::life::Role;

/// Courses, and their SKUs.
const COURSES: [(Course, &str); 3] =
    [(Course::Small, "small"), (Course::Middle, "middle"), (Course::Large, "large")];
/// Levels: code, rank, minor units that have to be spent in a year, points of welcome. `expected.sql` has the same.
const LEVELS: [(&str, i32, i64, i64); 3] =
    [("silver", 10, 10_000, 0), ("jade", 20, 50_000, 100), ("gold", 30, 100_000, 0)];
/// Points and what they pay, and what bringing somebody gives. `expected.sql` has the same.
const PROGRAMMES: [&str; 3] = [
    "UPDATE points_programme SET is_on = true, rate_bp = 100, level_rate_bp = 100, step_points = 100, step_minor = 100,
         least_points = 100, most_share_bp = 5000, lasts_months = 12, check_in_points = 5,
         streaks = '[{\"days\": 2, \"points\": 20}]'",
    "UPDATE referral_programme SET is_on = true, minimum_minor = 10000,
         inviter_reward = '{\"kind\": \"points\", \"points\": 300}', friend_reward = '{\"kind\": \"points\", \"points\": 200}'",
    "UPDATE accounts SET marketing = true",
];
/// The price of the higher tier for who has been a member for a year and spent so much in it.
const OFFERED_MINOR: i64 = 80_000;
const SPENT_MINOR: i64 = 100_000;

/// The article of that price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    Small,
    Middle,
    Large,
}

pub struct Shop {
    /// With the ids of their variants.
    courses: Vec<(Course, String)>,
    pub offer: String,
    /// How often it can be used: by two of three who want to.
    pub quota: i64,
}

impl Shop {
    /// Makes all of it, until `end`.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn open(world: &World, end: DateTime<Utc>) -> Result<Self, RehearsalError> {
        for sql in PROGRAMMES {
            world.asker.rows(sql, &[]).await?;
        }
        let money = |minor: i64| json!({ "amount": minor, "currency": CURRENCY });
        let mut courses = Vec::new();
        for (course, sku) in COURSES {
            let body = json!({
                "slug": sku, "kind": "digital", "names": { "zh-CN": sku, "en": sku },
                "variants": [{ "sku": sku, "price": money(course.price_minor()) }],
            });
            let made = opened(world.by_owner("/v1/admin/products", sku, &body).await)?;
            courses.push((course, made.text("/variants/0/id").to_owned()));
        }
        for (code, rank, minor, points) in LEVELS {
            let body = json!({
                "code": code, "rank": rank, "names": { "zh-CN": code, "en": code },
                "enter": { "metric": "spend", "amount": minor, "window": "P1Y" },
                "review": "P1Y", "warn_days": 30, "grace_days": 0, "drops": "to_fit", "welcome_points": points,
            });
            opened(world.by_owner("/v1/admin/levels", code, &body).await)?;
        }
        let loyal = (0..world.people.count).filter(|index| Role::of(*index) == Role::Loyal).count();
        let quota = (i64::try_from(loyal).unwrap_or(i64::MAX) * 2 / 3).max(1);
        let body = json!({
            "code": "a-year-with-us", "names": { "zh-CN": "同行一年", "en": "A year with us" },
            "plan": world.catalogue.diehard.id, "price": money(OFFERED_MINOR),
            "criteria": { "all": [{ "metric": "tenure", "amount": 365 },
                                  { "metric": "spend", "amount": SPENT_MINOR, "window": "P1Y" }] },
            "quota": quota, "ends_at": end, "mails": true,
        });
        let offer = opened(world.by_owner("/v1/admin/upgrade-offers", "offer", &body).await)?;
        Ok(Self { courses, offer: offer.text("/id").to_owned(), quota })
    }

    pub fn variant(&self, course: Course) -> &str {
        self.courses.iter().find(|(of, _)| *of == course).map_or("", |(_, variant)| variant)
    }
}

impl Course {
    pub fn price_minor(self) -> i64 {
        match self {
            Self::Small => 10_000,
            Self::Middle => 30_000,
            Self::Large => 60_000,
        }
    }
}
