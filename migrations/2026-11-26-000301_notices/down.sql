DROP TABLE notice_months, notice_recipients, notices, mail_suppressions, mail_opt_outs;
UPDATE jobs SET lane = 'mail' WHERE lane = 'notice';
ALTER TABLE jobs DROP CONSTRAINT jobs_lane_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_lane_check CHECK (lane IN ('stripe', 'mail', 'local'));
