//! Chapters: the tree of areas, prefixes, numbers by role, moves, organisers.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "area_tree",
        says: "every area lies under a root, six deep at most",
        prefix: "area",
        // What hangs in a cycle is reached from no root.
        sql: "WITH RECURSIVE reached (id, depth) AS (
                  SELECT id, 1 FROM areas WHERE parent_id IS NULL
                  UNION ALL
                  SELECT a.id, r.depth + 1 FROM areas a JOIN reached r ON a.parent_id = r.id)
              SELECT a.id, CASE WHEN r.id IS NULL THEN 'lies in itself' ELSE format('%s deep', r.depth) END
              FROM areas a LEFT JOIN reached r ON r.id = a.id
              WHERE r.id IS NULL OR r.depth > 6",
    },
    Invariant {
        name: "number_prefixes",
        says: "each chapter and each number series has one prefix, which no other one has",
        prefix: "",
        sql: "SELECT coalesce(o.prefix, p.prefix),
                     CASE WHEN o.id IS NULL THEN 'nobody''s' WHEN p.prefix IS NULL THEN 'not kept for its owner'
                          ELSE 'two have it' END
              FROM (SELECT id, prefix, count(*) OVER (PARTITION BY prefix) AS n FROM (
                        SELECT id, prefix FROM chapters UNION ALL SELECT id, prefix FROM number_series) x) o
              FULL JOIN (SELECT prefix, coalesce(chapter_id, series_id) AS id FROM number_prefixes) p
                  ON p.id = o.id AND p.prefix = o.prefix
              WHERE o.id IS NULL OR p.prefix IS NULL OR o.n > 1",
    },
    Invariant {
        name: "series_numbers",
        says: "a number by role is its series' prefix and sequence, of one account once",
        prefix: "",
        sql: "SELECT n.number, CASE WHEN n.sequence >= s.next_sequence
                                    THEN format('its sequence is %s, the next is %s', n.sequence, s.next_sequence)
                                    ELSE 'its prefix or sequence is another' END
              FROM series_numbers n JOIN number_series s ON s.id = n.series_id
              WHERE n.sequence >= s.next_sequence
                 OR n.number <> s.prefix || lpad(n.sequence::text, greatest(4, length(n.sequence::text)), '0')
              UNION ALL
              SELECT min(number), 'its account has another one of the series' FROM series_numbers
              GROUP BY account_id, series_id HAVING count(*) > 1",
    },
    Invariant {
        name: "series_number_gaps",
        says: "every sequence of a number series below the next one was given to somebody",
        prefix: "",
        sql: "SELECT s.prefix || lpad(q::text, greatest(4, length(q::text)), '0'), 'nobody has it'
              FROM number_series s CROSS JOIN LATERAL generate_series(1, s.next_sequence - 1) AS q
              LEFT JOIN series_numbers n ON n.series_id = s.id AND n.sequence = q
              WHERE n.number IS NULL",
    },
    Invariant {
        name: "chapter_moves",
        says: "a member moves from where he was, thirty days apart, and is where his last move led",
        prefix: "cmov",
        sql: "SELECT m.id, CASE WHEN m.from_id <> m.was_id THEN 'starts where he wasn''t'
                                WHEN m.moved_at < m.last_at + interval '30 days' THEN 'too soon after the one before'
                                ELSE 'he is elsewhere' END
              FROM (SELECT id, account_id, from_id, to_id, moved_at,
                           lag(to_id) OVER w AS was_id, lag(moved_at) OVER w AS last_at,
                           lead(id) OVER w AS next_id
                    FROM chapter_moves WINDOW w AS (PARTITION BY account_id ORDER BY moved_at, id)) m
              LEFT JOIN (SELECT DISTINCT ON (account_id) account_id, chapter_id FROM memberships
                         ORDER BY account_id, id DESC) h ON h.account_id = m.account_id
              WHERE m.from_id <> m.was_id OR m.moved_at < m.last_at + interval '30 days'
                 OR (m.next_id IS NULL AND h.chapter_id IS DISTINCT FROM m.to_id)",
    },
    Invariant {
        name: "chapter_choices",
        says: "who never was a member may have chosen a chapter, a member has none to choose",
        prefix: "acc",
        sql: "SELECT DISTINCT c.account_id, 'is a member'
              FROM chapter_choices c JOIN memberships m ON m.account_id = c.account_id",
    },
    Invariant {
        name: "organisers",
        says: "an organiser is a member whose application an operator approved, once a chapter",
        prefix: "orgn",
        sql: "SELECT o.id, CASE WHEN o.n > 1 THEN 'another one of the account and chapter is open'
                                WHEN a.subject_id IS NULL THEN 'nobody approved it' ELSE 'never a member' END
              FROM (SELECT id, account_id, state, CASE WHEN state IN ('received', 'approved') THEN
                        count(*) FILTER (WHERE state IN ('received', 'approved'))
                            OVER (PARTITION BY chapter_id, account_id) END AS n
                    FROM chapter_organisers) o
              LEFT JOIN (SELECT DISTINCT subject_id FROM audit_log WHERE action = 'organiser.approve') a
                  ON a.subject_id = 'orgn_' || replace(o.id::text, '-', '')
              LEFT JOIN (SELECT account_id FROM memberships UNION SELECT account_id FROM associates) m
                  ON m.account_id = o.account_id
              WHERE o.n > 1 OR (o.state IN ('approved', 'ended') AND a.subject_id IS NULL) OR m.account_id IS NULL",
    },
    Invariant {
        name: "organiser_mails",
        says: "who applied to organise a chapter was told once what was decided",
        prefix: "",
        // Who gave the office up himself, or was erased, isn't told of its end.
        sql: "SELECT coalesce(o.cause, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'no mail' ELSE 'a mail of no decision' END
              FROM (SELECT format('organiser:orgn_%s:%s', replace(id::text, '-', ''),
                                  CASE WHEN state = 'refused' THEN 'refused' ELSE 'approved' END) AS cause
                    FROM chapter_organisers WHERE decided_at IS NOT NULL) o
              FULL JOIN (SELECT cause FROM mails WHERE kind IN ('organiser_approved', 'organiser_refused')) m
                  ON m.cause = o.cause
              WHERE o.cause IS NULL OR m.cause IS NULL",
    },
];
