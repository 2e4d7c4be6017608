DELETE FROM jobs WHERE kind = 'renew';
DELETE FROM account_tokens WHERE purpose = 'renewal';
ALTER TABLE account_tokens DROP CONSTRAINT account_tokens_purpose_check;
ALTER TABLE account_tokens ADD CONSTRAINT account_tokens_purpose_check
    CHECK (purpose IN ('verify_email', 'reset_password', 'change_email'));
DROP TABLE portal_visits;
DROP TABLE card_charges;
ALTER TABLE order_lines DROP COLUMN renewal_id;
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'upgrade', 'variant', 'bundle', 'gift_card'));
DROP TABLE renewals;
DROP TABLE renewal_settings;
