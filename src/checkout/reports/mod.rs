//! Reports: what was sold, who is a member and who stayed, what drives, coupons and points came to. All are
//! read from the rows that the things themselves are in, set by set, when they are asked for: there is no
//! figure that could be wrong.

pub mod coupons;
pub mod csv;
pub mod drives;
pub mod dto;
pub mod members;
pub mod model;
pub mod points;
pub mod retention;
pub mod routes;
pub mod rules;

use crate::membership::memberships::rules::GRACE;

/// [`GRACE`], for SQL.
const GRACE_SECONDS: i64 = GRACE.num_seconds();

/// `lives`: memberships from when until when they made a member, with a grace of `$2` seconds. A frozen one has
/// no end: its time stands still. A revoked one was closed before its end; any other is over when its grace is,
/// if it wasn't closed earlier, however late the job that closes it comes.
macro_rules! lives {
    () => {
        "WITH lives AS (
             SELECT id, account_id, starts_at AS came_at,
                    CASE state WHEN 'frozen' THEN 'infinity' WHEN 'revoked' THEN closed_at
                        ELSE coalesce(least(closed_at, ends_at + $2 * interval '1 second'), 'infinity')
                    END AS gone_at
             FROM memberships)"
    };
}
use lives;
