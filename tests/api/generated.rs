//! What is generated and kept in the repository is current: the OpenAPI document, the list of problem codes, schema.rs.
//! And each migration's way down undoes its way up. `UPDATE_GENERATED=1` rewrites the files instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use diesel::migration::MigrationSource;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::MigrationHarness;
use kindred::db::{self, Conn, MIGRATIONS};
use kindred::http::openapi;

use crate::support::database::TestDatabase;

#[track_caller]
fn is_current(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(kept == text, "{file} is not current (line {differs:?}): UPDATE_GENERATED=1 make test");
}

#[test]
fn the_openapi_document() {
    is_current("api-spec/openapi.json", openapi::text());
}

#[test]
fn the_problem_codes() {
    is_current("api-spec/problem-codes.md", &openapi::problem_codes());
}

/// A route that isn't in the document can't be found by its readers, and a wrong method on it would be a 404.
#[test]
fn every_route_is_in_the_document() {
    let mut missing = Vec::new();
    let paths = openapi::document()["paths"].as_object().unwrap();
    for (file, source) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if file.contains("/src/dev/") {
            continue;
        }
        for (method, path) in routes_of(&source) {
            if paths.get(&path).and_then(|item| item.get(&method)).is_none() {
                missing.push(format!("{file}: {method} {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// `#[get("/x")]` and `.route("/x", web::get()`.
fn routes_of(source: &str) -> Vec<(String, String)> {
    let mut routes = Vec::new();
    for method in ["get", "post", "put", "patch", "delete"] {
        for part in source.split(&format!("#[{method}(\"")).skip(1) {
            routes.push((method.to_owned(), part.split('"').next().unwrap().to_owned()));
        }
    }
    for part in source.split(".route(\"").skip(1) {
        let (path, rest) = part.split_once('"').unwrap();
        let method = rest.split("web::").nth(1).unwrap().split('(').next().unwrap();
        routes.push((method.to_owned(), path.to_owned()));
    }
    routes
}

#[tokio::test]
async fn the_schema() {
    let database = TestDatabase::create().await;
    let mut conn = db::establish(database.url()).await.unwrap();
    is_current("crates/schema/src/tables.rs", &schema_of(&mut conn).await);
}

#[derive(diesel::QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    required: bool,
    #[diesel(sql_type = Bool)]
    in_key: bool,
}

#[derive(diesel::QueryableByName)]
struct ForeignKey {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    parent: String,
    #[diesel(sql_type = Bool)]
    is_single: bool,
}

const COLUMNS: &str = "SELECT c.relname::text AS table, a.attname::text AS name, t.typname::text AS kind, \
    a.attnotnull AS required, COALESCE(a.attnum = ANY (i.indkey), false) AS in_key \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
    WHERE c.relkind = 'r' AND c.relname NOT IN ('__diesel_schema_migrations', 'migration_lock') \
    ORDER BY c.relname COLLATE \"C\", a.attnum";

const FOREIGN_KEYS: &str = "SELECT c.relname::text AS child, a.attname::text AS column, p.relname::text AS parent, \
    cardinality(k.conkey) = 1 AS is_single \
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
    WHERE k.contype = 'f' ORDER BY c.relname COLLATE \"C\", p.relname COLLATE \"C\"";

async fn schema_of(conn: &mut Conn) -> String {
    let columns: Vec<Column> = diesel::sql_query(COLUMNS).load(conn).await.unwrap();
    let keys: Vec<ForeignKey> = diesel::sql_query(FOREIGN_KEYS).load(conn).await.unwrap();
    let mut text = String::from(
        "// Generated from the migrations; a test compares it with the database. Renew: UPDATE_GENERATED=1 make test\n\n",
    );
    let mut tables: BTreeMap<&str, Vec<&Column>> = BTreeMap::new();
    for column in &columns {
        tables.entry(&column.table).or_default().push(column);
    }
    for (table, columns) in &tables {
        let key: Vec<_> = columns.iter().filter(|c| c.in_key).map(|c| c.name.as_str()).collect();
        writeln!(text, "diesel::table! {{\n    {table} ({}) {{", key.join(", ")).unwrap();
        for column in columns {
            writeln!(text, "        {} -> {},", column.name, rust_type(column)).unwrap();
        }
        text += "    }\n}\n\n";
    }
    for key in keys.iter().filter(|key| is_joinable(key, &keys)) {
        writeln!(text, "diesel::joinable!({} -> {} ({}));", key.child, key.parent, key.column).unwrap();
    }
    text
}

/// Where exactly one foreign key of one column links two tables.
fn is_joinable(key: &ForeignKey, keys: &[ForeignKey]) -> bool {
    let pair = |key: &ForeignKey| BTreeSet::from([key.child.clone(), key.parent.clone()]);
    let links = keys.iter().filter(|other| pair(other) == pair(key)).count();
    key.is_single && links == 1 && key.child != key.parent
}

fn rust_type(column: &Column) -> String {
    let (kind, is_array) = match column.kind.strip_prefix('_') {
        Some(kind) => (kind, true),
        None => (column.kind.as_str(), false),
    };
    let name = match kind {
        "bool" => "Bool",
        "bytea" => "Bytea",
        "date" => "Date",
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "jsonb" => "Jsonb",
        "numeric" => "Numeric",
        "text" => "Text",
        "timestamptz" => "Timestamptz",
        "uuid" => "Uuid",
        other => panic!("{}.{}: teach this test the type {other}", column.table, column.name),
    };
    let name = if is_array { format!("Array<{name}>") } else { name.to_owned() };
    if column.required { name } else { format!("Nullable<{name}>") }
}

/// Everything that a migration can make or change, a line each.
const CATALOG: &str = "SELECT line FROM (\
    SELECT format('%s.%s %s %s default %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                  pg_get_expr(d.adbin, d.adrelid)) AS line \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind IN ('r', 'v', 'm', 'p') \
    UNION ALL SELECT format('%s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) \
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace AND n.nspname = 'public' \
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
    UNION ALL SELECT format('%s with %s', relname, reloptions) FROM pg_class \
    WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL \
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal \
    UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
    WHERE n.nspname = 'public' AND p.prokind = 'f' AND NOT EXISTS \
        (SELECT 1 FROM pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e') \
    UNION ALL SELECT format('sequence %s', sequencename) FROM pg_sequences WHERE schemaname = 'public' \
    UNION ALL SELECT format('extension %s', extname) FROM pg_extension\
    ) everything ORDER BY line COLLATE \"C\"";

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

async fn catalog_of(url: &str) -> Vec<String> {
    let mut conn = db::establish(url).await.unwrap();
    let lines: Vec<Line> = diesel::sql_query(CATALOG).load(&mut conn).await.unwrap();
    lines.into_iter().map(|row| row.line).collect()
}

async fn migrate(url: &str, step: fn(&mut AsyncMigrationHarness<Conn>) -> String) -> String {
    let conn = db::establish(url).await.unwrap();
    tokio::task::spawn_blocking(move || step(&mut AsyncMigrationHarness::new(conn))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_migrations_way_down_undoes_its_way_up() {
    let database = TestDatabase::empty().await;
    let count = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS).unwrap().len();
    // Makes the table of migrations, which stays.
    migrate(database.url(), |harness| harness.pending_migrations(MIGRATIONS).unwrap().len().to_string())
        .await;
    let mut before = Vec::new();
    for _ in 0..count {
        before.push(catalog_of(database.url()).await);
        migrate(database.url(), |harness| harness.run_next_migration(MIGRATIONS).unwrap().to_string()).await;
    }
    for expected in before.into_iter().rev() {
        let down = |harness: &mut AsyncMigrationHarness<Conn>| {
            harness.revert_last_migration(MIGRATIONS).unwrap().to_string()
        };
        let version = migrate(database.url(), down).await;
        let found = catalog_of(database.url()).await;
        assert_eq!(found, expected, "down.sql of {version}");
    }
}
