-- Coupons of a campaign for everybody in a segment: a job goes through its accounts, part by part.
CREATE TABLE coupon_mailings (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    segment_id uuid NOT NULL REFERENCES segments (id),
    -- accounts that were in the segment when it began
    accounts bigint NOT NULL CHECK (accounts >= 0),
    given bigint NOT NULL DEFAULT 0 CHECK (given >= 0),
    mailed bigint NOT NULL DEFAULT 0 CHECK (mailed >= 0 AND mailed <= given),
    -- accounts before this one are still to come; accounts are gone through from the newest to the oldest
    before uuid NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX coupon_mailings_campaign ON coupon_mailings (campaign_id);

CREATE TABLE coupon_mailing_accounts (
    mailing_id uuid NOT NULL REFERENCES coupon_mailings (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    coupon_id uuid NOT NULL CONSTRAINT coupon_mailing_accounts_coupon UNIQUE REFERENCES coupons (id),
    PRIMARY KEY (mailing_id, account_id)
);
CREATE INDEX coupon_mailing_accounts_account ON coupon_mailing_accounts (account_id);
