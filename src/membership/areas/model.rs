//! Rows of areas.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{areas, chapters};
use crate::types::id::AreaId;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = areas)]
pub struct Area {
    pub id: AreaId,
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// The area that it lies in; none for a root.
    pub parent_id: Option<AreaId>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// All areas, by code.
///
/// # Errors
/// The database's.
pub async fn all(conn: &mut Conn) -> Result<Vec<Area>> {
    Ok(areas::table.order(areas::code).select(Area::as_select()).load(conn).await?)
}

/// [`all`], locked until the transaction ends, and new ones with them: where one lies depends on where the others lie.
///
/// # Errors
/// The database's.
pub async fn lock_all(conn: &mut Conn) -> Result<Vec<Area>> {
    diesel::sql_query("LOCK TABLE areas IN SHARE ROW EXCLUSIVE MODE").execute(conn).await?;
    Ok(areas::table.order(areas::id).for_update().select(Area::as_select()).load(conn).await?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: AreaId) -> Result<Option<Area>> {
    Ok(areas::table.find(id).select(Area::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, area: &Area) -> Result<()> {
    diesel::insert_into(areas::table).values(area).execute(conn).await?;
    Ok(())
}

/// Writes names and place of a locked area.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, area: &Area) -> Result<()> {
    diesel::update(areas::table.find(area.id))
        .set((
            areas::name_zh.eq(&area.name_zh),
            areas::name_en.eq(&area.name_en),
            areas::parent_id.eq(area.parent_id),
            areas::version.eq(area.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Does a chapter lie in it?
///
/// # Errors
/// The database's.
pub async fn has_chapters(conn: &mut Conn, id: AreaId) -> Result<bool> {
    let inside = chapters::table.filter(chapters::area_id.eq(id));
    Ok(diesel::select(diesel::dsl::exists(inside)).get_result(conn).await?)
}

/// # Errors
/// `in_use`
pub async fn delete(conn: &mut Conn, id: AreaId) -> Result<()> {
    diesel::delete(areas::table.find(id)).execute(conn).await?;
    Ok(())
}
