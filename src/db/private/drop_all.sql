-- Drops what the schema public holds, save what belongs to an extension. Dropping one thing can take others along, so
-- each is looked up again before it is dropped.
SET LOCAL client_min_messages = warning;
DO $drop$
DECLARE
    kinds CONSTANT jsonb := '{"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE",
                              "f": "FOREIGN TABLE", "c": "TYPE"}';
    thing record;
BEGIN
    FOR thing IN
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, kinds ->> c.relkind::text AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND kinds ? c.relkind::text AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
    LOOP
        IF EXISTS (SELECT 1 FROM pg_class WHERE oid = thing.oid) THEN
            EXECUTE format('DROP %s %s CASCADE', thing.kind, thing.name);
        END IF;
    END LOOP;
    FOR thing IN
        SELECT t.oid, format('%I.%I', n.nspname, t.typname) AS name
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = 'public' AND t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.classid = 'pg_type'::regclass AND d.deptype = 'e')
    LOOP
        IF EXISTS (SELECT 1 FROM pg_type WHERE oid = thing.oid) THEN
            EXECUTE format('DROP TYPE %s CASCADE', thing.name);
        END IF;
    END LOOP;
    FOR thing IN
        SELECT p.oid, p.oid::regprocedure::text AS name
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND NOT EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
    LOOP
        IF EXISTS (SELECT 1 FROM pg_proc WHERE oid = thing.oid) THEN
            EXECUTE format('DROP ROUTINE %s CASCADE', thing.name);
        END IF;
    END LOOP;
END
$drop$;
