//! The rules of the community: what was accepted, and measures.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "rules_accepted",
        says: "who accepted rules of the community with an order is known to have accepted that version by then",
        prefix: "ord",
        sql: "SELECT o.id, CASE WHEN a.account_id IS NULL THEN 'not recorded' ELSE 'accepted later' END
              FROM orders o LEFT JOIN community_acceptances a
                  ON a.account_id = o.account_id AND a.version = o.consents ->> 'community_rules'
              WHERE o.consents ->> 'community_rules' IS NOT NULL
                AND (a.account_id IS NULL OR a.accepted_at > o.created_at)",
    },
    Invariant {
        name: "suspensions",
        says: "a suspension in force freezes its membership until a job ends it; an expulsion ended one for good",
        prefix: "meas",
        sql: "SELECT x.id, CASE WHEN x.kind = 'expulsion' THEN 'the membership is not revoked'
                                WHEN j.id IS NULL THEN 'no job ends it' ELSE 'the membership is not frozen for it' END
              FROM (SELECT id, kind, membership_id, 'meas_' || replace(id::text, '-', '') AS ext FROM community_measures
                    WHERE state = 'in_force' AND kind <> 'warning' OR kind = 'expulsion') x
              JOIN memberships m ON m.id = x.membership_id
              LEFT JOIN (SELECT payload ->> 'measure' AS id FROM jobs
                         WHERE kind = 'end_suspension' AND state <> 'done') j ON j.id = x.ext
              WHERE CASE WHEN x.kind = 'expulsion' THEN m.state <> 'revoked'
                    ELSE j.id IS NULL
                         OR (m.state IN ('active', 'frozen') AND 'measure:' || x.ext <> ALL (m.frozen_causes)) END",
    },
    Invariant {
        name: "expulsions_refunded",
        says: "what an expulsion gives back is the sum of its lines, and went back or a job does it",
        prefix: "meas",
        // Of a line no more goes back than is left of it by then, and what went back since for another reason is a part of it.
        sql: "SELECT x.id, CASE WHEN x.back_minor <> coalesce(l.amount_minor, 0)
                                THEN format('gives back %s, its lines %s', x.back_minor, coalesce(l.amount_minor, 0))
                                ELSE 'a refund is missing' END
              FROM (SELECT id, back_minor, 'meas_' || replace(id::text, '-', '') AS ext FROM community_measures
                    WHERE kind = 'expulsion') x
              LEFT JOIN (SELECT r.measure_id, sum(r.amount_minor) AS amount_minor,
                                bool_or(l.refunded_minor < l.total_minor AND coalesce(o.own, 0) < r.amount_minor
                                        AND l.refunded_minor - r.refunded_minor + coalesce(o.failed, 0) < r.amount_minor)
                                    AS is_missing
                         FROM measure_refunds r JOIN order_lines l ON l.id = r.line_id
                         LEFT JOIN LATERAL (
                             SELECT sum(x.amount_minor) AS own,
                                    sum(x.amount_minor) FILTER (WHERE f.state = 'failed') AS failed
                             FROM refund_lines x JOIN refunds f ON f.id = x.refund_id
                             LEFT JOIN refunds p ON f.cause = 'credit_of:ref_' || replace(p.id::text, '-', '')
                             WHERE x.line_id = r.line_id AND starts_with(coalesce(p.cause, f.cause),
                                 'measure:meas_' || replace(r.measure_id::text, '-', '') || ':')) o ON true
                         GROUP BY r.measure_id) l ON l.measure_id = x.id
              LEFT JOIN (SELECT payload ->> 'measure' AS id FROM jobs
                         WHERE kind = 'refund_expelled' AND state <> 'done') j ON j.id = x.ext
              WHERE x.back_minor <> coalesce(l.amount_minor, 0) OR (l.is_missing AND j.id IS NULL)",
    },
    Invariant {
        name: "measures_told",
        says: "a measure is in the audit log, and its member was told of it once",
        prefix: "meas",
        sql: "SELECT x.id, CASE WHEN a.subject_id IS NULL THEN 'nobody took it' ELSE 'no mail' END
              FROM (SELECT id, 'meas_' || replace(id::text, '-', '') AS ext FROM community_measures) x
              LEFT JOIN (SELECT DISTINCT subject_id FROM audit_log WHERE action = 'measure.take') a ON a.subject_id = x.ext
              LEFT JOIN (SELECT cause FROM mails WHERE kind = 'measure_taken') t
                  ON t.cause = 'measure:' || x.ext || ':taken'
              WHERE a.subject_id IS NULL OR t.cause IS NULL",
    },
];
