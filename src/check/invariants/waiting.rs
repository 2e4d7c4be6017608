//! Waiting lists: in order, once a person, and every offer with its code.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "waiting_lines",
        says: "a line counts those who wait in it, and has given no place beyond its last one",
        prefix: "drop",
        sql: "SELECT l.drop_id, format('says %s wait and %s places, there are %s and %s', l.waiting, l.last_place,
                                      coalesce(e.waiting, 0), coalesce(e.places, 0))
              FROM waiting_lines l
              LEFT JOIN (SELECT drop_id, variant_id, count(*) FILTER (WHERE state = 'waiting') AS waiting,
                                max(place) AS places
                         FROM waiting_entries GROUP BY drop_id, variant_id) e
                  ON e.drop_id = l.drop_id AND e.variant_id = l.variant_id
              WHERE l.waiting <> coalesce(e.waiting, 0) OR l.last_place < coalesce(e.places, 0)
              UNION ALL
              SELECT e.drop_id, 'somebody waits in no line'
              FROM waiting_entries e
              LEFT JOIN waiting_lines l ON l.drop_id = e.drop_id AND l.variant_id = e.variant_id
              WHERE l.drop_id IS NULL",
    },
    Invariant {
        name: "waiting_in_order",
        says: "nobody was offered a unit while somebody before him still waits",
        prefix: "wait",
        sql: "SELECT e.id, format('place %s waits, place %s was offered one', e.place, o.place)
              FROM waiting_entries e
              JOIN (SELECT drop_id, variant_id, max(place) AS place FROM waiting_entries
                    WHERE f_code_id IS NOT NULL GROUP BY drop_id, variant_id) o
                  ON o.drop_id = e.drop_id AND o.variant_id = e.variant_id AND o.place > e.place
              WHERE e.state = 'waiting'",
    },
    Invariant {
        name: "waiting_once",
        says: "a person waits for an article, or has an offer of it, once",
        prefix: "wait",
        sql: "SELECT e.id, 'another one of the same person'
              FROM waiting_entries e
              JOIN (SELECT drop_id, variant_id, person_key FROM waiting_entries WHERE state IN ('waiting', 'offered')
                    GROUP BY drop_id, variant_id, person_key HAVING count(*) > 1) d
                  ON d.drop_id = e.drop_id AND d.variant_id = e.variant_id AND d.person_key = e.person_key
              WHERE e.state IN ('waiting', 'offered')",
    },
    Invariant {
        name: "waiting_offers",
        says: "an offer has a code of its own, for its article and its account, as long as it stands and while it is \
               bought; who waits has none",
        prefix: "wait",
        sql: "SELECT e.id, format('%s, its code %s', e.state, coalesce(f.code, 'isn''t there'))
              FROM waiting_entries e LEFT JOIN f_codes f ON f.id = e.f_code_id
              WHERE (e.state IN ('offered', 'taken', 'lapsed')) <> (e.f_code_id IS NOT NULL)
                 OR (e.f_code_id IS NOT NULL AND NOT (f.is_offer AND f.account_id = e.account_id
                     AND f.drop_id = e.drop_id AND f.variant_id = e.variant_id))
                 OR (e.state = 'offered' AND f.ended_at IS NOT NULL)
                 OR (e.state = 'lapsed' AND f.ended_at IS NULL)
              UNION ALL
              SELECT f.id, format('the offer %s is nobody''s', f.code)
              FROM f_codes f LEFT JOIN waiting_entries e ON e.f_code_id = f.id
              WHERE f.is_offer AND e.id IS NULL",
    },
    Invariant {
        name: "waiting_mails",
        says: "who is offered a unit is told so",
        prefix: "wait",
        sql: "SELECT e.id, 'no mail'
              FROM waiting_entries e
              LEFT JOIN mails m ON m.cause = 'waiting_list_offer:wait_' || replace(e.id::text, '-', '')
              WHERE e.f_code_id IS NOT NULL AND m.id IS NULL",
    },
];
