//! Breakages of areas, numbers by role, moves and organisers.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["area_tree"],
        Id("area", "henan"),
        "UPDATE areas SET parent_id = u('zhengzhou city') WHERE id = u('henan')",
    ),
    breaks(
        &["area_tree"],
        Id("area", "deep 7"),
        "INSERT INTO areas SELECT u('deep ' || n), 'deep-' || n, '', '', CASE WHEN n > 1 THEN u('deep ' || n - 1) END, t(0), 1
             FROM generate_series(1, 7) AS n",
    ),
    breaks(&["number_prefixes"], Word("ZY"), "DELETE FROM number_prefixes WHERE prefix = 'ZY'"),
    breaks(
        &["number_prefixes", "series_numbers"],
        Word("ZY"),
        "DELETE FROM number_prefixes WHERE prefix = 'LS'; UPDATE number_series SET prefix = 'ZY'",
    ),
    breaks(&["series_numbers"], Word("LS0009"), "UPDATE series_numbers SET number = 'LS0009'"),
    breaks(&["series_numbers"], Word("LS0001"), "UPDATE number_series SET next_sequence = 1"),
    breaks(
        &["series_numbers"],
        Word("LS0001"),
        "ALTER TABLE series_numbers DROP CONSTRAINT series_numbers_once;
         INSERT INTO series_numbers VALUES ('LS0002', u('teachers'), u('ada'), 2, t(6));
         UPDATE number_series SET next_sequence = 3",
    ),
    breaks(&["series_number_gaps"], Word("LS0001"), "DELETE FROM series_numbers"),
    breaks(
        &["chapter_moves"],
        Id("cmov", "bob move"),
        "UPDATE memberships SET chapter_id = '00000000-0000-7000-8000-000000000001' WHERE id = u('bob membership')",
    ),
    breaks(
        &["chapter_moves"],
        Id("cmov", "back"),
        "INSERT INTO chapter_moves VALUES (u('back'), u('bob'), u('zhengzhou'), '00000000-0000-7000-8000-000000000001',
                                           t(7) + interval '30 days' - interval '1 second');
         UPDATE memberships SET chapter_id = '00000000-0000-7000-8000-000000000001' WHERE id = u('bob membership')",
    ),
    breaks(
        &["chapter_moves"],
        Id("cmov", "again"),
        "INSERT INTO chapter_moves VALUES (u('again'), u('bob'), '00000000-0000-7000-8000-000000000001', u('zhengzhou'),
                                           t(7) + interval '30 days')",
    ),
    breaks(
        &["chapter_choices"],
        Id("acc", "ada"),
        "INSERT INTO chapter_choices VALUES (u('ada'), u('zhengzhou'), t(8))",
    ),
    breaks(
        &["organisers"],
        Id("orgn", "ada organiser"),
        "UPDATE chapter_organisers SET state = 'approved', decided_at = t(8) WHERE id = u('ada organiser');
         UPDATE mails SET kind = 'organiser_approved', cause = 'organiser:' || ext('orgn', 'ada organiser') || ':approved'
             WHERE kind = 'organiser_refused'",
    ),
    breaks(
        &["organisers"],
        Id("orgn", "eve organiser"),
        "UPDATE chapter_organisers SET account_id = u('eve'), id = u('eve organiser') WHERE id = u('waiting organiser')",
    ),
    breaks(
        &["organisers"],
        Id("orgn", "bob organiser"),
        "DROP INDEX chapter_organisers_once;
         INSERT INTO chapter_organisers SELECT u('twice'), chapter_id, account_id, 'received', '', NULL, NULL, NULL, NULL, NULL, t(8), 1
             FROM chapter_organisers WHERE id = u('bob organiser')",
    ),
    breaks(
        &["organiser_mails"],
        Word("organiser:"),
        "UPDATE mails SET kind = 'organiser_ended' WHERE kind = 'organiser_approved'",
    ),
    breaks(
        &["member_numbers"],
        Word("XX0001"),
        "UPDATE member_numbers SET number = 'XX0001' WHERE number = 'KD0001'",
    ),
];
