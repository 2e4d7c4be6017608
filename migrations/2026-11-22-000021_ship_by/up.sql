-- Until when the shop has promised to hand an order's goods to a carrier; a row for each paid order of goods.
CREATE TABLE shipping_promises (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    ship_by timestamptz NOT NULL,
    -- nothing is left to send: it was sent, refunded or cancelled
    done_at timestamptz
);
CREATE INDEX shipping_promises_open ON shipping_promises (ship_by, order_id) WHERE done_at IS NULL;

-- Orders from before have the promise of three days. What of them is refunded in full isn't sent any more.
INSERT INTO shipping_promises (order_id, ship_by, done_at)
    SELECT o.id, o.paid_at + interval '72 hours',
           CASE WHEN o.state = 'refunded' OR NOT EXISTS (
                    SELECT FROM order_lines l WHERE l.order_id = o.id AND l.fulfilled_at IS NULL
                      AND NOT (l.total_minor > 0 AND l.refunded_minor = l.total_minor)) THEN o.paid_at END
    FROM orders o WHERE o.paid_at IS NOT NULL AND o.ship_to IS NOT NULL;
