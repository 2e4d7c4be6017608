DROP TABLE audit_head;
DROP TABLE audit_log;
DROP FUNCTION audit_log_is_append_only();
DROP TABLE attempts;
DROP TABLE schedules;
DROP TABLE jobs;
DROP TABLE instances;
DROP TABLE shop_clock;
