//! Rows of chapters. The sequence is taken in `memberships/model.rs`, where numbers are given.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::chapters;
use crate::types::id::ChapterId;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = chapters)]
pub struct Chapter {
    pub id: ChapterId,
    pub code: String,
    pub name: String,
    /// Leads the numbers of the members who join here.
    pub prefix: String,
    pub next_sequence: i64,
    pub is_default: bool,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: ChapterId) -> Result<Option<Chapter>> {
    Ok(chapters::table.find(id).select(Chapter::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends: no number is given meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: ChapterId) -> Result<Option<Chapter>> {
    Ok(chapters::table
        .find(id)
        .for_no_key_update()
        .select(Chapter::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Chapter>> {
    Ok(chapters::table
        .filter(chapters::id.lt(ChapterId(page.before)))
        .order(chapters::id.desc())
        .limit(page.fetch())
        .select(Chapter::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, chapter: &Chapter) -> Result<()> {
    diesel::insert_into(chapters::table).values(chapter).execute(conn).await?;
    Ok(())
}

/// Writes name and prefix of a locked chapter.
///
/// # Errors
/// `code_taken`
pub async fn store(conn: &mut Conn, chapter: &Chapter) -> Result<()> {
    diesel::update(chapters::table.find(chapter.id))
        .set((
            chapters::name.eq(&chapter.name),
            chapters::prefix.eq(&chapter.prefix),
            chapters::version.eq(chapter.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
