//! Memberships against their terms and the lines that paid for them; member numbers without gaps.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "one_open_membership",
        says: "an account has one membership that is active or frozen",
        prefix: "mem",
        sql: "SELECT id, 'another one of its account is open too' FROM (
                  SELECT id, count(*) OVER (PARTITION BY account_id) AS n FROM memberships
                  WHERE state IN ('active', 'frozen')) open
              WHERE n > 1",
    },
    Invariant {
        name: "lines_have_terms",
        says: "a membership line that was paid made one term of its plan for its buyer, another one made none",
        prefix: "line",
        sql: "SELECT l.id, CASE WHEN t.id IS NULL THEN 'paid, no term'
                                WHEN o.paid_at IS NULL THEN format('its order is %s', o.state)
                                ELSE 'a term of another account, plan or source' END
              FROM order_lines l JOIN orders o ON o.id = l.order_id
              LEFT JOIN membership_terms t ON t.line_id = l.id
              WHERE (l.kind IN ('plan', 'renewal', 'upgrade') AND o.paid_at IS NOT NULL) <> (t.id IS NOT NULL)
                 OR t.account_id <> o.account_id OR t.plan_id IS DISTINCT FROM l.plan_id AND t.id IS NOT NULL
                 OR t.source <> 'order'",
    },
    Invariant {
        name: "terms_have_lines",
        says: "a term that was bought has one line, another one has none and no value",
        prefix: "term",
        sql: "SELECT id, format('%s, %s, value %s', source, CASE WHEN line_id IS NULL THEN 'no line' ELSE 'a line' END, value_minor)
              FROM (SELECT id, source, line_id, value_minor, count(line_id) OVER (PARTITION BY line_id) AS n
                    FROM membership_terms) t
              WHERE (source = 'order') <> (line_id IS NOT NULL) OR n > 1 OR (source <> 'order' AND value_minor <> 0)",
    },
    Invariant {
        name: "trials_given",
        says: "a person has one trial at most, which gave one term of its plan to its account, and no other term was given so",
        prefix: "",
        sql: "SELECT CASE WHEN r.id IS NULL THEN 'term_' || replace(t.id::text, '-', '')
                          ELSE 'trl_' || replace(r.id::text, '-', '') END,
                     CASE WHEN r.id IS NULL THEN 'no trial' WHEN t.id IS NULL THEN 'no term' WHEN r.n > 1 THEN 'another one'
                          ELSE 'a term of another kind' END
              FROM (SELECT *, count(*) OVER (PARTITION BY person_key) AS n FROM trials) r
              FULL JOIN (SELECT * FROM membership_terms WHERE source = 'trial') t ON t.id = r.term_id
              WHERE r.id IS NULL OR t.id IS NULL OR r.n > 1 OR t.account_id <> r.account_id
                 OR t.plan_id IS DISTINCT FROM r.plan_id",
    },
    Invariant {
        name: "refunded_terms_end",
        says: "a membership line that was refunded in full has no term that runs on",
        prefix: "line",
        // A term that was over when its money went back stays as it was.
        sql: "SELECT l.id, 'its term runs on'
              FROM order_lines l JOIN membership_terms t ON t.line_id = l.id
              JOIN memberships m ON m.id = t.membership_id
              JOIN (SELECT x.line_id, sum(x.amount_minor) AS amount, max(f.ended_at) AS at
                    FROM refund_lines x JOIN refunds f ON f.id = x.refund_id
                    WHERE f.state = 'succeeded' GROUP BY x.line_id) r ON r.line_id = l.id
              WHERE l.total_minor > 0 AND r.amount = l.total_minor AND t.ended_at IS NULL
                AND m.state IN ('active', 'frozen') AND (t.ends_at IS NULL OR t.ends_at > r.at)",
    },
    Invariant {
        name: "terms_in_membership",
        says: "a term is of its membership's account, of its tier unless it was ended or over before an upgrade, and starts within it",
        prefix: "term",
        sql: "SELECT t.id, CASE WHEN t.account_id <> m.account_id THEN 'another account'
                                WHEN t.starts_at < m.starts_at THEN 'starts before it' ELSE 'another tier' END
              FROM membership_terms t JOIN memberships m ON m.id = t.membership_id
              WHERE t.account_id <> m.account_id OR t.starts_at < m.starts_at
                 OR t.tier_id <> m.tier_id AND t.ended_at IS NULL AND NOT EXISTS (
                        SELECT FROM membership_terms u JOIN order_lines l ON l.id = u.line_id
                        WHERE u.membership_id = t.membership_id AND l.kind = 'upgrade' AND u.created_at >= t.ends_at)",
    },
    Invariant {
        name: "terms_in_order",
        says: "of the terms of a membership that weren't ended, each starts when the one before is over",
        prefix: "term",
        sql: "SELECT id, 'starts before the one before it ends' FROM (
                  SELECT id, starts_at, lag(coalesce(ends_at, 'infinity')) OVER
                      (PARTITION BY membership_id ORDER BY starts_at, id) AS free_from
                  FROM membership_terms WHERE ended_at IS NULL) t
              WHERE starts_at < free_from",
    },
    Invariant {
        name: "membership_ends",
        says: "an open membership ends with the last of its terms, and no term of a closed one runs on",
        prefix: "mem",
        sql: "SELECT m.id, CASE WHEN t.membership_id IS NULL THEN m.state || ', without a term'
                                ELSE format('%s, ends %s, its last term %s', m.state, coalesce(m.ends_at, 'infinity'),
                                            t.ends_at) END
              FROM memberships m LEFT JOIN (
                  SELECT membership_id, max(coalesce(ends_at, 'infinity')) AS ends_at
                  FROM membership_terms WHERE ended_at IS NULL GROUP BY membership_id) t ON t.membership_id = m.id
              WHERE CASE WHEN m.state IN ('active', 'frozen')
                    THEN t.ends_at IS DISTINCT FROM coalesce(m.ends_at, 'infinity')
                    ELSE coalesce(t.ends_at > m.closed_at, false) END",
    },
    Invariant {
        name: "term_values",
        says: "a bought term is worth what money paid for its line, over the seconds to its end",
        prefix: "term",
        // The value is spread over the seconds that were bought. A term is longer than they are only where frozen time
        // was given back: an operator or the member resumed the membership, or a dispute or a suspension ended.
        sql: "SELECT t.id, format('value %s over %s s; its line %s, refunded %s, seconds %s', t.value_minor,
                                  t.value_seconds, l.total_minor, l.refunded_minor,
                                  floor(extract(epoch FROM t.ends_at - t.value_from)))
              FROM membership_terms t LEFT JOIN order_lines l ON l.id = t.line_id
              LEFT JOIN (SELECT DISTINCT subject_id AS membership_id FROM audit_log
                         WHERE action = 'membership.resume') g
                  ON g.membership_id = 'mem_' || replace(t.membership_id::text, '-', '')
              LEFT JOIN (SELECT o.account_id FROM disputes d JOIN orders o ON o.id = d.order_id
                         WHERE d.state IN ('won', 'warning_closed')
                         UNION SELECT g.redeemed_by FROM disputes d JOIN order_lines l ON l.order_id = d.order_id
                         JOIN gifts g ON g.line_id = l.id WHERE d.state <> 'open'
                         UNION SELECT account_id FROM community_measures
                         WHERE kind = 'suspension' AND state <> 'in_force') d ON d.account_id = t.account_id
              LEFT JOIN (SELECT DISTINCT membership_id FROM membership_freezes WHERE ended_at IS NOT NULL) f
                  ON f.membership_id = t.membership_id
              WHERE (t.value_seconds IS NULL) <> (t.ends_at IS NULL)
                 OR t.value_seconds > greatest(1, floor(extract(epoch FROM t.ends_at - t.value_from)))
                 OR (t.value_seconds < greatest(1, floor(extract(epoch FROM t.ends_at - t.value_from)))
                     AND g.membership_id IS NULL AND d.account_id IS NULL AND f.membership_id IS NULL)
                 OR t.value_from < t.starts_at
                 OR t.value_minor - t.credited_minor > l.total_minor - l.points_minor
                 OR t.value_minor - t.credited_minor < l.total_minor - l.points_minor - l.refunded_minor + l.points_back_minor",
    },
    Invariant {
        name: "upgrades_add_up",
        says: "a term that was credited something is an upgrade's, with what was quoted, of terms of its account that ended then \
               and were worth no less, unless they came back when its money did; only an upgrade replaces terms",
        prefix: "term",
        // A term that came back keeps no word of the one that had replaced it, which was ended then.
        sql: "SELECT t.id, format('credited %s, quoted %s, terms worth %s', t.credited_minor, q.credit_minor, r.value_minor)
              FROM membership_terms t LEFT JOIN order_lines l ON l.id = t.line_id
              LEFT JOIN upgrade_quotes q ON q.id = l.upgrade_quote_id
              LEFT JOIN (SELECT replaced_by, sum(value_minor) AS value_minor, bool_and(ended_at IS NOT NULL) AS ended,
                                min(account_id::text) AS account, max(account_id::text) AS another, max(ended_at) AS at
                         FROM membership_terms WHERE replaced_by IS NOT NULL GROUP BY replaced_by) r ON r.replaced_by = t.id
              WHERE t.credited_minor <> coalesce(q.credit_minor, 0)
                 OR q.id IS NULL AND r.replaced_by IS NOT NULL
                 OR q.account_id <> t.account_id OR q.plan_id <> t.plan_id
                 OR r.account <> t.account_id::text OR r.another <> t.account_id::text
                 OR NOT r.ended OR r.at <> t.created_at
                 OR t.ended_at IS NULL AND q.credit_minor > 0 AND r.replaced_by IS NULL
                 OR r.value_minor < t.credited_minor AND t.ended_at IS NULL",
    },
    Invariant {
        name: "freezes_have_causes",
        says: "a membership is frozen by an operator, by its member, for an open dispute of its account or of what was given to it, \
               or while it is suspended",
        prefix: "mem",
        sql: "SELECT f.id, f.cause FROM (SELECT id, account_id, unnest(frozen_causes) AS cause FROM memberships) f
              LEFT JOIN (SELECT 'dispute:dsp_' || replace(d.id::text, '-', '') AS cause, d.account_id
                         FROM (SELECT d.id, d.state, o.account_id FROM disputes d JOIN orders o ON o.id = d.order_id
                               UNION SELECT d.id, d.state, g.redeemed_by FROM disputes d
                               JOIN order_lines l ON l.order_id = d.order_id JOIN gifts g ON g.line_id = l.id) d
                         WHERE d.state = 'open'
                         UNION ALL SELECT 'measure:meas_' || replace(id::text, '-', ''), account_id FROM community_measures
                         WHERE kind = 'suspension' AND state = 'in_force') d
                  ON d.cause = f.cause AND d.account_id = f.account_id
              WHERE f.cause NOT IN ('operator', 'member') AND d.cause IS NULL",
    },
    Invariant {
        name: "own_freezes",
        says: "a membership is frozen by its member as long as a freeze of that account's holds",
        prefix: "mem",
        sql: "SELECT coalesce(m.id, f.membership_id),
                     CASE WHEN f.id IS NULL THEN 'frozen by its member, no freeze holds' ELSE 'a freeze holds, it is not frozen' END
              FROM (SELECT id, account_id FROM memberships WHERE 'member' = ANY (frozen_causes)) m
              FULL JOIN (SELECT id, membership_id, account_id FROM membership_freezes WHERE ended_at IS NULL) f
                  ON f.membership_id = m.id AND f.account_id = m.account_id
              WHERE m.id IS NULL OR f.id IS NULL",
    },
    Invariant {
        name: "member_numbers",
        says: "a member number is one account's alone: the prefix of the chapter that gave it and its sequence, below the next one",
        prefix: "",
        sql: "SELECT number, 'given twice' FROM member_numbers GROUP BY number HAVING count(*) > 1
              UNION ALL
              SELECT min(number), 'its account has another one' FROM member_numbers
              GROUP BY account_id HAVING count(*) > 1
              UNION ALL
              SELECT min(number), 'its sequence was given twice' FROM member_numbers
              GROUP BY chapter_id, sequence HAVING count(*) > 1
              UNION ALL
              SELECT n.number, format('its sequence is %s, the next is %s', n.sequence, c.next_sequence)
              FROM member_numbers n JOIN chapters c ON c.id = n.chapter_id
              WHERE n.sequence >= c.next_sequence
                 OR n.number <> c.prefix || lpad(n.sequence::text, greatest(4, length(n.sequence::text)), '0')",
    },
    Invariant {
        name: "member_number_gaps",
        says: "every sequence of a chapter below the next one was given to somebody",
        prefix: "",
        sql: "SELECT c.prefix || lpad(s::text, greatest(4, length(s::text)), '0'), 'nobody has it'
              FROM chapters c CROSS JOIN LATERAL generate_series(1, c.next_sequence - 1) AS s
              LEFT JOIN member_numbers n ON n.chapter_id = c.id AND n.sequence = s
              WHERE n.number IS NULL",
    },
    Invariant {
        name: "members_have_numbers",
        says: "who ever had a membership, or a seat of one, has a member number, and nobody else",
        prefix: "acc",
        sql: "SELECT coalesce(m.account_id, n.account_id),
                     CASE WHEN n.number IS NULL THEN 'no number' ELSE n.number || ', never a member' END
              FROM (SELECT account_id FROM memberships
                    UNION SELECT account_id FROM associates WHERE account_id IS NOT NULL) m
              FULL JOIN member_numbers n ON n.account_id = m.account_id
              WHERE m.account_id IS NULL OR n.account_id IS NULL",
    },
];
