DROP INDEX shipping_promises_pick_list, shipping_promises_to_pick;
ALTER TABLE shipping_promises DROP COLUMN pick_list_id;
DROP TABLE pick_lists;
