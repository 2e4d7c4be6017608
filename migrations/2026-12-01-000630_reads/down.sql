DROP INDEX chapter_organisers_public;
DROP INDEX audit_log_at;
DROP INDEX refund_lines_line;
