//! Notices: whom they were for, and who may not be written to.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "notices_counted",
        says: "what a notice counts are its recipients; nobody waits for one that is over, or that hasn't begun",
        prefix: "ntc",
        sql: "SELECT n.id, format('%s counts %s/%s/%s/%s; rows %s/%s/%s/%s', n.state, n.recipients, n.queued, n.skipped,
                                  n.cancelled, coalesce(r.every, 0), coalesce(r.queued, 0), coalesce(r.skipped, 0),
                                  coalesce(r.cancelled, 0))
              FROM notices n LEFT JOIN (
                  SELECT notice_id, count(*) AS every, count(*) FILTER (WHERE state = 'queued') AS queued,
                         count(*) FILTER (WHERE state = 'skipped') AS skipped,
                         count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
                         count(*) FILTER (WHERE state = 'waiting') AS waiting
                  FROM notice_recipients GROUP BY notice_id) r ON r.notice_id = n.id
              WHERE n.recipients <> coalesce(r.every, 0) OR n.queued <> coalesce(r.queued, 0)
                 OR n.skipped <> coalesce(r.skipped, 0) OR n.cancelled <> coalesce(r.cancelled, 0)
                 OR coalesce(r.waiting, 0) > 0 AND n.state <> 'sending'",
    },
    Invariant {
        name: "notices_within_cap",
        says: "a member gets no more notices in a month than he may, and each is counted",
        prefix: "acc",
        sql: "SELECT coalesce(m.account_id, r.account_id),
                     format('%s: counted %s of %s, got %s', coalesce(m.month, r.month), coalesce(m.taken, 0),
                            coalesce(m.cap, 0), coalesce(r.got, 0))
              FROM notice_months m FULL JOIN (
                  SELECT account_id, month, count(*) AS got FROM notice_recipients
                  WHERE state = 'queued' GROUP BY account_id, month) r
                  ON r.account_id = m.account_id AND r.month = m.month
              WHERE m.taken IS DISTINCT FROM r.got OR m.taken > m.cap",
    },
    Invariant {
        name: "notices_once",
        says: "who was queued for a notice has one mail of it, and nobody else has one",
        prefix: "acc",
        // A test goes to an address, not to an account.
        sql: "SELECT coalesce(r.account_id, m.account_id),
                     format('%s: %s mails', coalesce(r.ext, m.ext), coalesce(m.mails, 0))
              FROM (SELECT account_id, 'ntc_' || replace(notice_id::text, '-', '') AS ext FROM notice_recipients
                    WHERE state = 'queued') r
              FULL JOIN (SELECT account_id, data ->> 'notice' AS ext, count(*) AS mails FROM mails
                         WHERE kind = 'notice' AND account_id IS NOT NULL GROUP BY account_id, data ->> 'notice') m
                  ON m.account_id = r.account_id AND m.ext = r.ext
              WHERE r.account_id IS NULL OR m.mails IS DISTINCT FROM 1",
    },
    Invariant {
        name: "notices_wanted",
        says: "nobody is queued for a notice who had left its list before, or whose address was suppressed",
        prefix: "acc",
        // Who came back since has no row of having left.
        sql: "SELECT r.account_id, CASE WHEN o.account_id IS NOT NULL THEN 'had left' ELSE 'was suppressed' END
              FROM notice_recipients r
              LEFT JOIN mail_opt_outs o ON o.account_id = r.account_id AND o.list = 'notices'
                  AND o.opted_out_at < r.decided_at
              LEFT JOIN mails m ON m.cause = 'notice:ntc_' || replace(r.notice_id::text, '-', '')
                  || ':acc_' || replace(r.account_id::text, '-', '')
              LEFT JOIN mail_suppressions s ON s.email_key = lower(m.to_address) AND s.created_at < r.decided_at
              WHERE r.state = 'queued' AND (o.account_id IS NOT NULL OR s.id IS NOT NULL)",
    },
];
