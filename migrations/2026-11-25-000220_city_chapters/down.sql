DROP TABLE chapter_organisers, chapter_moves, chapter_choices, number_prefixes, series_numbers, number_series;
DROP INDEX memberships_chapter;
ALTER TABLE chapters
    DROP CONSTRAINT chapters_id_prefix,
    DROP CONSTRAINT chapters_default_stays,
    DROP COLUMN archived_at,
    DROP COLUMN area_id;
DROP TABLE areas;
