-- A card shows itself only once it has paid: then a coupon may have been used more often by one card than a person may.
ALTER TABLE coupon_campaigns ADD COLUMN on_repeat_card text NOT NULL DEFAULT 'flag'
    CHECK (on_repeat_card IN ('flag', 'refund'));

-- An operator's task each; the order stands meanwhile.
CREATE TABLE coupon_flags (
    use_id uuid PRIMARY KEY REFERENCES coupon_uses (id),
    -- uses of the campaign that the same card had paid for before
    earlier integer NOT NULL CHECK (earlier > 0),
    -- by the campaign's rule then: a job sends the money back
    is_refunded boolean NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- how it ended
    outcome text CHECK (outcome IN ('kept', 'refunded')),
    reason text,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX coupon_flags_open ON coupon_flags (use_id) WHERE ended_at IS NULL;
