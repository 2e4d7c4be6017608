//! Levels and stages against their histories, and looks that are owed.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "levels_by_history",
        says: "the level that somebody has earned is the one that the last judgement left",
        prefix: "acc",
        sql: "SELECT coalesce(a.account_id, c.account_id), format('stands on %s, judged to %s', a.level_id, c.to_level_id)
              FROM (SELECT * FROM account_levels WHERE level_id IS NOT NULL) a
              FULL JOIN (SELECT DISTINCT ON (account_id) account_id, to_level_id FROM level_changes
                         WHERE kind IN ('raised', 'kept', 'grace', 'dropped', 'corrected') ORDER BY account_id, id DESC) c
                  ON c.account_id = a.account_id
              LEFT JOIN accounts o ON o.id = coalesce(a.account_id, c.account_id)
              WHERE a.level_id IS DISTINCT FROM c.to_level_id AND o.erased_at IS NULL",
    },
    Invariant {
        name: "level_changes_in_a_row",
        says: "each judgement of a level begins where the one before ended, and what keeps a level leaves it",
        prefix: "lvc",
        sql: "SELECT id, format('%s from %s to %s, after one to %s', kind, from_level_id, to_level_id, before) FROM (
                  SELECT *, lag(to_level_id) OVER (PARTITION BY account_id ORDER BY id) AS before FROM level_changes
                  WHERE kind IN ('raised', 'kept', 'grace', 'dropped', 'corrected')) c
              WHERE from_level_id IS DISTINCT FROM before
                 OR (kind IN ('kept', 'grace') AND to_level_id IS DISTINCT FROM from_level_id)
                 OR (kind IN ('raised', 'dropped', 'corrected') AND to_level_id IS NOT DISTINCT FROM from_level_id)",
    },
    Invariant {
        name: "level_reviews_in_time",
        says: "a level is reviewed after it was reached, and a fall at a review is dated by it",
        prefix: "acc",
        sql: "SELECT account_id, format('due %s, since %s, judged %s', due_at, since, judged_at) FROM account_levels
              WHERE due_at <= judged_at OR judged_at < since OR warn_at >= due_at",
    },
    Invariant {
        name: "level_welcome_points",
        says: "points of welcome go to who was raised to their level",
        prefix: "lot",
        sql: "SELECT l.id, l.cause FROM points_lots l WHERE l.kind = 'level' AND NOT EXISTS (
                  SELECT FROM level_changes c WHERE c.account_id = l.account_id AND c.kind = 'raised'
                  AND starts_with(l.cause, format('level:lvl_%s:acc_%s', replace(c.to_level_id::text, '-', ''),
                                                  replace(c.account_id::text, '-', ''))))",
    },
    Invariant {
        name: "stages_by_history",
        says: "the stage on which somebody stands is the one to which the last step led, on the day of that step",
        prefix: "acc",
        sql: "SELECT coalesce(a.account_id, c.account_id),
                     format('stands on %s since %s, stepped to %s at %s', a.stage_id, a.since, c.to_stage_id, c.created_at)
              FROM account_stages a FULL JOIN (
                  SELECT DISTINCT ON (account_id) account_id, to_stage_id, created_at FROM stage_changes
                  ORDER BY account_id, id DESC) c ON c.account_id = a.account_id
              LEFT JOIN accounts o ON o.id = coalesce(a.account_id, c.account_id)
              WHERE (a.stage_id, a.since) IS DISTINCT FROM (c.to_stage_id, c.created_at) AND o.erased_at IS NULL",
    },
    Invariant {
        name: "stage_steps_in_a_row",
        says: "each step on the ladder begins where the one before ended",
        prefix: "stc",
        sql: "SELECT id, format('from %s, after one to %s', from_stage_id, before) FROM (
                  SELECT *, lag(to_stage_id) OVER (PARTITION BY account_id ORDER BY id) AS before FROM stage_changes) c
              WHERE from_stage_id IS DISTINCT FROM before",
    },
    Invariant {
        name: "owed_looks",
        says: "whom something happened to that levels or stages count is looked at by a job",
        prefix: "acc",
        sql: "SELECT DISTINCT account_id, 'nobody looks' FROM level_looks
              WHERE NOT EXISTS (SELECT FROM jobs WHERE kind = 'follow_levels' AND state <> 'done')",
    },
];
