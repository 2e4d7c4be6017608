-- Orders that somebody fetches from the shelves together. An order is on one list at a time: two who make one at once get
-- different orders.
CREATE TABLE pick_lists (
    id uuid PRIMARY KEY,
    -- how many orders were put on it
    orders bigint NOT NULL CHECK (orders > 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    -- what wasn't sent went back to be picked by others
    released_at timestamptz
);
ALTER TABLE shipping_promises ADD COLUMN pick_list_id uuid REFERENCES pick_lists (id);
CREATE INDEX shipping_promises_to_pick ON shipping_promises (ship_by, order_id)
    WHERE done_at IS NULL AND pick_list_id IS NULL;
CREATE INDEX shipping_promises_pick_list ON shipping_promises (pick_list_id, ship_by, order_id)
    WHERE pick_list_id IS NOT NULL;
