//! Statements that diesel keeps prepared: a batch INSERT by UNNEST. `sql_query` is parsed and planned at every call, and a
//! typed insert of many rows is a new statement for each number of rows; these have one text whatever the size, and an
//! array a column (a statement takes 65,535 parameters).

/// Declares a row type and `insert(conn, rows)` for it.
///
/// ```ignore
/// batch_insert! {
///     /// One order's hold on a pool.
///     pub struct NewClaim as Claims into "claims" {
///         id: ClaimId => SqlUuid,
///         state: &'static str => Text,
///         methods: String => Text as "string_to_array(methods, ',')",
///     }
/// }
/// ```
#[macro_export]
macro_rules! batch_insert {
    (
        $(#[$doc:meta])*
        $visibility:vis struct $row:ident as $columns:ident into $table:literal {
            $($column:ident : $rust:ty => $sql:ty $(as $expression:literal)?),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        $visibility struct $row { $(pub $column: $rust),* }

        #[derive(Debug, Default)]
        struct $columns { $($column: Vec<$rust>),* }

        impl $row {
            /// Writes all rows with one prepared statement.
            ///
            /// # Errors
            /// The database's.
            pub async fn insert(
                conn: &mut &$crate::db::Conn,
                rows: Vec<Self>,
            ) -> ::diesel::QueryResult<usize> {
                if rows.is_empty() {
                    return Ok(0);
                }
                let mut columns = $columns::default();
                for row in rows {
                    $(columns.$column.push(row.$column);)*
                }
                ::diesel_async::RunQueryDsl::execute(columns, conn).await
            }
        }

        impl ::diesel::query_builder::QueryId for $columns {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl ::diesel::query_builder::QueryFragment<::diesel::pg::Pg> for $columns {
            fn walk_ast<'b>(
                &'b self,
                mut out: ::diesel::query_builder::AstPass<'_, 'b, ::diesel::pg::Pg>,
            ) -> ::diesel::QueryResult<()> {
                out.push_sql(concat!("INSERT INTO ", $table, " ("));
                let names = [$(stringify!($column)),*];
                out.push_sql(&names.join(", "));
                out.push_sql(") SELECT ");
                let expressions = [$($crate::batch_insert!(@expression $column $($expression)?)),*];
                out.push_sql(&expressions.join(", "));
                out.push_sql(" FROM UNNEST(");
                let mut separator = "";
                $(
                    out.push_sql(separator);
                    out.push_bind_param::<::diesel::sql_types::Array<$sql>, _>(&self.$column)?;
                    separator = ", ";
                )*
                let _ = separator;
                out.push_sql(") AS row (");
                out.push_sql(&names.join(", "));
                out.push_sql(")");
                Ok(())
            }
        }
    };
    (@expression $column:ident) => { stringify!($column) };
    (@expression $column:ident $expression:literal) => { $expression };
}

/// Declares a statement of our own, kept prepared: its text with a field, bound as a parameter, wherever one stands. Rows that
/// it returns are read by their columns' names.
///
/// ```ignore
/// statement! {
///     struct AddHeld = "UPDATE pools SET held = held + q FROM UNNEST("
///         [pools: Vec<PoolId> => Array<SqlUuid>] ", " [quantities: Vec<i64> => Array<BigInt>]
///         ") AS add (id, q) WHERE pools.id = add.id"
/// }
/// ```
#[macro_export]
macro_rules! statement {
    (struct $name:ident = $first:literal $([$field:ident : $rust:ty => $sql:ty] $rest:literal)*) => {
        #[derive(Debug)]
        struct $name { $($field: $rust),* }

        impl ::diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl ::diesel::query_builder::Query for $name {
            type SqlType = ::diesel::sql_types::Untyped;
        }

        impl ::diesel::query_builder::QueryFragment<::diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: ::diesel::query_builder::AstPass<'_, 'b, ::diesel::pg::Pg>,
            ) -> ::diesel::QueryResult<()> {
                out.push_sql($first);
                $(
                    out.push_bind_param::<$sql, _>(&self.$field)?;
                    out.push_sql($rest);
                )*
                Ok(())
            }
        }
    };
}
