//! Associates: seats against rows, and whose head they hang on.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "associate_seats",
        says: "of a membership's seats as many are held as invitations to it are open, and taken as it has associates, and never \
               more than there are",
        prefix: "mem",
        sql: "SELECT s.membership_id, format('held %s, invited %s, taken %s, associates %s, of %s', s.held, coalesce(a.invited, 0),
                                             s.taken, coalesce(a.active, 0), s.capacity)
              FROM associate_seats s
              LEFT JOIN (SELECT membership_id, count(*) FILTER (WHERE state = 'invited') AS invited,
                                count(*) FILTER (WHERE state = 'active') AS active
                         FROM associates GROUP BY membership_id) a ON a.membership_id = s.membership_id
              WHERE s.held <> coalesce(a.invited, 0) OR s.taken <> coalesce(a.active, 0) OR s.held + s.taken > s.capacity",
    },
    Invariant {
        name: "associates_have_heads",
        says: "a seat that is held or taken is of an open membership of its head",
        prefix: "asct",
        sql: "SELECT a.id, CASE WHEN m.account_id <> a.head_id THEN 'of another account'
                                ELSE format('its membership is %s', m.state) END
              FROM associates a JOIN memberships m ON m.id = a.membership_id
              WHERE m.account_id <> a.head_id OR (a.state IN ('invited', 'active') AND m.state NOT IN ('active', 'frozen'))",
    },
    Invariant {
        name: "associates_have_no_associates",
        says: "nobody who has associates is one",
        prefix: "asct",
        sql: "SELECT a.id, 'its head is an associate too'
              FROM associates a JOIN associates h ON h.account_id = a.head_id AND h.state = 'active'
              WHERE a.state IN ('invited', 'active')",
    },
    Invariant {
        name: "associates_have_no_membership",
        says: "an associate has one seat, and no membership of its own that is open",
        prefix: "asct",
        sql: "SELECT a.id, CASE WHEN a.n > 1 THEN 'its account has another seat' ELSE 'its account has a membership' END
              FROM (SELECT id, account_id, count(*) OVER (PARTITION BY account_id) AS n
                    FROM associates WHERE state = 'active') a
              LEFT JOIN memberships m ON m.account_id = a.account_id AND m.state IN ('active', 'frozen')
              WHERE a.n > 1 OR m.id IS NOT NULL",
    },
    Invariant {
        name: "associates_not_expelled",
        says: "nobody has a seat whose expulsion is in force",
        prefix: "asct",
        sql: "SELECT DISTINCT a.id, 'its account was expelled' FROM associates a
              JOIN community_measures c ON c.account_id = a.account_id AND c.kind = 'expulsion' AND c.state = 'in_force'
              WHERE a.state = 'active'",
    },
    Invariant {
        name: "associate_mails",
        says: "who was invited to a seat was mailed once, and once more when he took it",
        prefix: "",
        sql: "SELECT coalesce(a.cause, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'no mail' ELSE 'a mail of nothing that happened' END
              FROM (SELECT format('associate:asct_%s:invited', replace(id::text, '-', '')) AS cause FROM associates
                    UNION ALL
                    SELECT format('associate:asct_%s:joined', replace(id::text, '-', '')) FROM associates
                    WHERE accepted_at IS NOT NULL) a
              FULL JOIN (SELECT cause FROM mails WHERE kind IN ('associate_invitation', 'associate_joined')) m
                  ON m.cause = a.cause
              WHERE a.cause IS NULL OR m.cause IS NULL",
    },
];
