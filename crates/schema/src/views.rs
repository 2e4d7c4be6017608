//! Views, by hand: what is generated knows tables alone.

diesel::table! {
    // Under which open membership an account stands. `key` is the membership's id, or the associate's.
    standings (key) {
        key -> Uuid,
        seat_id -> Nullable<Uuid>,
        id -> Uuid,
        account_id -> Uuid,
        tier_id -> Uuid,
        plan_id -> Nullable<Uuid>,
        chapter_id -> Uuid,
        state -> Text,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        frozen_at -> Nullable<Timestamptz>,
        frozen_causes -> Array<Text>,
        closed_at -> Nullable<Timestamptz>,
        version -> Integer,
        rested_seconds -> BigInt,
        periods_from -> Timestamptz,
    }
}
