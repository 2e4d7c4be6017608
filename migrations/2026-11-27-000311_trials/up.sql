-- Days that a plan is tried for without payment; 0: it isn't.
ALTER TABLE plans ADD COLUMN trial_days integer NOT NULL DEFAULT 0
    CONSTRAINT plans_trial_days CHECK (trial_days BETWEEN 0 AND 365);

ALTER TABLE membership_terms DROP CONSTRAINT membership_terms_source_check;
ALTER TABLE membership_terms ADD CONSTRAINT membership_terms_source_check
    CHECK (source IN ('order', 'grant', 'extension', 'gift', 'trial'));

-- Trials that were given: once a person, whatever becomes of the account.
CREATE TABLE trials (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT trials_account UNIQUE REFERENCES accounts (id),
    person_key text NOT NULL CONSTRAINT trials_person UNIQUE,
    plan_id uuid NOT NULL REFERENCES plans (id),
    days integer NOT NULL CHECK (days > 0),
    -- what it gave: known at the end of the transaction that gives it
    term_id uuid CONSTRAINT trials_term UNIQUE REFERENCES membership_terms (id),
    created_at timestamptz NOT NULL
);

ALTER TABLE occasions DROP CONSTRAINT occasions_event_check;
ALTER TABLE occasions ADD CONSTRAINT occasions_event_check
    CHECK (event IN ('sign_up', 'birthday', 'nth_order', 'trial_ending'));
