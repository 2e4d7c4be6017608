//! Rows of chapters. The sequence is taken in `memberships/model.rs`, where numbers are given.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::chapters;
use crate::types::id::{AreaId, ChapterId};

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
    /// Where it lies.
    pub area_id: Option<AreaId>,
    /// It takes nobody in any more.
    pub archived_at: Option<DateTime<Utc>>,
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

/// By its code.
///
/// # Errors
/// The database's.
pub async fn by_code(conn: &mut Conn, code: &str) -> Result<Option<Chapter>> {
    let row = chapters::table.filter(chapters::code.eq(code)).select(Chapter::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// [`by_code`], kept from being archived until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn by_code_for_use(conn: &mut Conn, code: &str) -> Result<Option<Chapter>> {
    let row = chapters::table.filter(chapters::code.eq(code)).for_share().select(Chapter::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// Those that take people in, by code.
///
/// # Errors
/// The database's.
pub async fn live(conn: &mut Conn) -> Result<Vec<Chapter>> {
    Ok(chapters::table
        .filter(chapters::archived_at.is_null())
        .order(chapters::code)
        .select(Chapter::as_select())
        .load(conn)
        .await?)
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

/// Writes what can change of a locked chapter; its numbers' prefix goes along.
///
/// # Errors
/// `code_taken`
pub async fn store(conn: &mut Conn, chapter: &Chapter) -> Result<()> {
    diesel::update(chapters::table.find(chapter.id))
        .set((
            chapters::name.eq(&chapter.name),
            chapters::prefix.eq(&chapter.prefix),
            chapters::area_id.eq(chapter.area_id),
            chapters::archived_at.eq(chapter.archived_at),
            chapters::version.eq(chapter.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
