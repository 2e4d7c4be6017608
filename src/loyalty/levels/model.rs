//! Rows of levels, and of who stands on which.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::rules::{Drops, Held, JudgedBy, Judgement, Level, LevelChangeKind, Levels, MemberRole};
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::loyalty::metrics::rules::{Criteria, LevelRanks};
use crate::membership::memberships::rules::GRACE;
use crate::schema::{account_levels, level_changes, levels, tiers};
use crate::statement;
use crate::types::id::{AccountId, LevelChangeId, LevelId};
use crate::types::locale::Names;
use crate::types::stored::stored_enum;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = levels)]
#[diesel(treat_none_as_null = true)]
struct LevelRow {
    id: LevelId,
    code: String,
    rank: i32,
    name_zh: String,
    name_en: String,
    enter: Option<Value>,
    keep: Option<Value>,
    review: String,
    warn_days: i32,
    grace_days: i32,
    drops: Drops,
    welcome_points: i64,
    role: Option<MemberRole>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<LevelRow> for Level {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: LevelRow) -> Result<Self> {
        let criteria = |value: Option<Value>| -> Result<Option<Criteria>> {
            value.map(serde_json::from_value).transpose().map_err(AppError::internal)
        };
        Ok(Self {
            id: row.id,
            code: row.code,
            rank: row.rank,
            names: Names { zh: row.name_zh, en: row.name_en },
            enter: criteria(row.enter)?,
            keep: criteria(row.keep)?,
            review: row.review.parse().map_err(AppError::internal)?,
            warn_days: row.warn_days,
            grace_days: row.grace_days,
            drops: row.drops,
            welcome_points: row.welcome_points,
            role: row.role,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

impl LevelRow {
    fn of(level: &Level) -> Result<Self> {
        let json = |criteria: &Option<Criteria>| {
            criteria.as_ref().map(serde_json::to_value).transpose().map_err(AppError::internal)
        };
        Ok(Self {
            id: level.id,
            code: level.code.clone(),
            rank: level.rank,
            name_zh: level.names.zh.clone(),
            name_en: level.names.en.clone(),
            enter: json(&level.enter)?,
            keep: json(&level.keep)?,
            review: level.review.to_string(),
            warn_days: level.warn_days,
            grace_days: level.grace_days,
            drops: level.drops,
            welcome_points: level.welcome_points,
            role: level.role,
            created_at: level.created_at,
            archived_at: level.archived_at,
            version: level.version,
        })
    }
}

/// All levels, archived ones too.
///
/// # Errors
/// The database's.
pub async fn all(conn: &mut Conn) -> Result<Levels> {
    let rows: Vec<LevelRow> = levels::table.select(LevelRow::as_select()).load(conn).await?;
    Ok(Levels::new(rows.into_iter().map(Level::try_from).collect::<Result<_>>()?))
}

/// [`all`], which stay as they are until the transaction ends: a set of accounts is judged by one version of them.
///
/// # Errors
/// The database's.
pub async fn all_for_judging(conn: &mut Conn) -> Result<Levels> {
    let rows: Vec<LevelRow> =
        levels::table.order(levels::id).for_share().select(LevelRow::as_select()).load(conn).await?;
    Ok(Levels::new(rows.into_iter().map(Level::try_from).collect::<Result<_>>()?))
}

/// Codes of the levels that can be reached.
///
/// # Errors
/// The database's.
pub async fn open_codes(conn: &mut Conn) -> Result<BTreeSet<String>> {
    let codes: Vec<String> =
        levels::table.filter(levels::archived_at.is_null()).select(levels::code).load(conn).await?;
    Ok(codes.into_iter().collect())
}

/// Ranks of all levels by their codes.
///
/// # Errors
/// The database's.
pub async fn ranks(conn: &mut Conn) -> Result<LevelRanks> {
    let rows: Vec<(String, i32)> = levels::table.select((levels::code, levels::rank)).load(conn).await?;
    Ok(rows.into_iter().collect())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: LevelId) -> Result<Option<Level>> {
    let row: Option<LevelRow> =
        levels::table.find(id).select(LevelRow::as_select()).first(conn).await.optional()?;
    row.map(Level::try_from).transpose()
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: LevelId) -> Result<Option<Level>> {
    let query = levels::table.find(id).for_no_key_update().select(LevelRow::as_select());
    query.first::<LevelRow>(conn).await.optional()?.map(Level::try_from).transpose()
}

/// A page of levels, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Level>> {
    let rows: Vec<LevelRow> = levels::table
        .filter(levels::id.lt(LevelId(page.before)))
        .order(levels::id.desc())
        .limit(page.fetch())
        .select(LevelRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Level::try_from).collect()
}

/// # Errors
/// `code_taken`, `rank_taken`.
pub async fn insert(conn: &mut Conn, level: &Level) -> Result<()> {
    diesel::insert_into(levels::table).values(LevelRow::of(level)?).execute(conn).await?;
    Ok(())
}

/// Writes a level that is locked.
///
/// # Errors
/// `rank_taken`.
pub async fn store(conn: &mut Conn, level: &Level) -> Result<()> {
    diesel::update(levels::table.find(level.id)).set(LevelRow::of(level)?).execute(conn).await?;
    Ok(())
}

/// Is it the floor of a tier?
///
/// # Errors
/// The database's.
pub async fn is_floor(conn: &mut Conn, id: LevelId) -> Result<bool> {
    let of = tiers::table.filter(tiers::floor_level_id.eq(id)).filter(tiers::archived_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(of)).get_result(conn).await?)
}

/// What an operator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manual {
    pub level: LevelId,
    /// Exclusive; none: until it is taken back.
    pub until: Option<DateTime<Utc>>,
}

impl Manual {
    pub fn counts(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What of somebody's level is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub held: Option<Held>,
    pub manual: Option<Manual>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = account_levels)]
struct KeptRow {
    account_id: AccountId,
    level_id: Option<LevelId>,
    since: Option<DateTime<Utc>>,
    judged_at: Option<DateTime<Utc>>,
    judged_by: Option<JudgedBy>,
    due_at: Option<DateTime<Utc>>,
    in_grace: bool,
    warn_at: Option<DateTime<Utc>>,
    manual_level_id: Option<LevelId>,
    manual_until: Option<DateTime<Utc>>,
}

impl KeptRow {
    fn kept(self) -> Kept {
        let held = || {
            Some(Held {
                level: self.level_id?,
                since: self.since?,
                judged_at: self.judged_at?,
                judged_by: self.judged_by?,
                due_at: self.due_at?,
                in_grace: self.in_grace,
                warn_at: self.warn_at,
            })
        };
        Kept {
            held: held(),
            manual: self.manual_level_id.map(|level| Manual { level, until: self.manual_until }),
        }
    }
}

/// What is kept of these accounts; nothing of who never had a level.
///
/// # Errors
/// The database's.
pub async fn kept(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Kept>> {
    let rows: Vec<KeptRow> = account_levels::table
        .filter(account_levels::account_id.eq_any(accounts))
        .select(KeptRow::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.kept())).collect())
}

statement! {
    struct StoreKept = "INSERT INTO account_levels (account_id, level_id, since, judged_at, judged_by, due_at, in_grace, warn_at,
                                                    manual_level_id, manual_until)
        SELECT * FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [levels: Vec<Option<LevelId>> => Array<Nullable<SqlUuid>>] ", "
        [since: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [judged_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [judged_by: Vec<Option<&'static str>> => Array<Nullable<Text>>] ", "
        [due_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [in_grace: Vec<bool> => Array<Bool>] ", "
        [warn_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [manual: Vec<Option<LevelId>> => Array<Nullable<SqlUuid>>] ", "
        [manual_until: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ")
        ON CONFLICT (account_id) DO UPDATE SET level_id = excluded.level_id, since = excluded.since,
            judged_at = excluded.judged_at, judged_by = excluded.judged_by, due_at = excluded.due_at,
            in_grace = excluded.in_grace, warn_at = excluded.warn_at, manual_level_id = excluded.manual_level_id,
            manual_until = excluded.manual_until"
}

/// Writes how these accounts stand; their accounts' rows are locked.
///
/// # Errors
/// The database's.
pub async fn store_kept(conn: &mut Conn, of: &[(AccountId, Kept)]) -> Result<()> {
    if of.is_empty() {
        return Ok(());
    }
    let held = || of.iter().map(|(_, kept)| kept.held);
    let manual = || of.iter().map(|(_, kept)| kept.manual);
    let rows = StoreKept {
        accounts: of.iter().map(|(account, _)| *account).collect(),
        levels: held().map(|held| held.map(|held| held.level)).collect(),
        since: held().map(|held| held.map(|held| held.since)).collect(),
        judged_at: held().map(|held| held.map(|held| held.judged_at)).collect(),
        judged_by: held().map(|held| held.map(|held| held.judged_by.as_str())).collect(),
        due_at: held().map(|held| held.map(|held| held.due_at)).collect(),
        in_grace: held().map(|held| held.is_some_and(|held| held.in_grace)).collect(),
        warn_at: held().map(|held| held.and_then(|held| held.warn_at)).collect(),
        manual: manual().map(|manual| manual.map(|manual| manual.level)).collect(),
        manual_until: manual().map(|manual| manual.and_then(|manual| manual.until)).collect(),
    };
    rows.execute(conn).await?;
    Ok(())
}

batch_insert! {
    /// What a judgement came to.
    pub struct NewChange as ChangeColumns into "level_changes" {
        id: LevelChangeId => SqlUuid,
        account_id: AccountId => SqlUuid,
        kind: &'static str => Text,
        from_level_id: Option<LevelId> => Nullable<SqlUuid>,
        to_level_id: Option<LevelId> => Nullable<SqlUuid>,
        cause: String => Text,
        why: Value => Jsonb,
        reason: Option<String> => Nullable<Text>,
        judged_at: DateTime<Utc> => Timestamptz,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// The judgements that levels of these accounts may rest on, the latest first.
///
/// # Errors
/// The database's.
pub async fn judgements(
    conn: &mut Conn,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Vec<Judgement>>> {
    type Row = (AccountId, LevelChangeKind, Option<LevelId>, (DateTime<Utc>, DateTime<Utc>), Value);
    let kinds = [LevelChangeKind::Raised, LevelChangeKind::Kept, LevelChangeKind::Corrected];
    let rows: Vec<Row> = level_changes::table
        .filter(level_changes::account_id.eq_any(accounts))
        .filter(level_changes::kind.eq_any(kinds))
        .order(level_changes::id.desc())
        .select((
            level_changes::account_id,
            level_changes::kind,
            level_changes::to_level_id,
            (level_changes::judged_at, level_changes::created_at),
            level_changes::why,
        ))
        .load(conn)
        .await?;
    let mut found: HashMap<AccountId, Vec<Judgement>> = HashMap::new();
    for (account, kind, level, (judged_at, created_at), mut why) in rows {
        let mut field = |name: &str| why.get_mut(name).map(Value::take).unwrap_or_default();
        // A correction tells what wasn't met; what is reached all the same is judged then and there.
        let (name, judged_at) = match kind {
            LevelChangeKind::Corrected => ("rests_on", created_at),
            _ => ("criteria", judged_at),
        };
        let criteria = serde_json::from_value(field(name)).map_err(AppError::internal)?;
        let before = serde_json::from_value(field("before")).map_err(AppError::internal)?;
        if let (Some(level), Some(criteria)) = (level, criteria) {
            found.entry(account).or_default().push(Judgement { level, judged_at, criteria, before });
        }
    }
    Ok(found)
}

/// A change as it is shown.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = level_changes)]
pub struct ChangeRow {
    pub id: LevelChangeId,
    pub kind: LevelChangeKind,
    pub from_level_id: Option<LevelId>,
    pub to_level_id: Option<LevelId>,
    pub why: Value,
    pub reason: Option<String>,
    pub judged_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// A page of an account's changes, newest first.
///
/// # Errors
/// The database's.
pub async fn changes(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<ChangeRow>> {
    Ok(level_changes::table
        .filter(level_changes::account_id.eq(account))
        .filter(level_changes::id.lt(LevelChangeId(page.before)))
        .order(level_changes::id.desc())
        .limit(page.fetch())
        .select(ChangeRow::as_select())
        .load(conn)
        .await?)
}

stored_enum! {
    /// Whence somebody has a level.
    LevelSource {
        Earned = "earned",
        /// Given by an operator.
        Manual = "manual",
        /// The tier of his membership sets it at least.
        Tier = "tier",
    }
}

/// A level that somebody has, and whence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Standing {
    #[diesel(sql_type = SqlUuid)]
    account_id: AccountId,
    #[diesel(sql_type = SqlUuid)]
    pub level: LevelId,
    #[diesel(sql_type = Integer)]
    pub rank: i32,
    #[diesel(sql_type = Text)]
    pub source: LevelSource,
}

statement! {
    struct StandingsNow = "SELECT DISTINCT ON (h.account_id) h.account_id, h.level_id AS level, l.rank, h.source FROM (
        SELECT account_id, level_id, 'earned' AS source, 1 AS nth FROM account_levels WHERE account_id = ANY("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ")
        UNION ALL
        SELECT account_id, manual_level_id, 'manual', 2 FROM account_levels
        WHERE account_id = ANY($1) AND (manual_until IS NULL OR manual_until > "
        [now: DateTime<Utc> => Timestamptz] ")
        UNION ALL
        SELECT s.account_id, t.floor_level_id, 'tier', 3 FROM standings s JOIN tiers t ON t.id = s.tier_id
        WHERE s.account_id = ANY($1) AND s.state = 'active' AND (s.ends_at IS NULL OR s.ends_at > "
        [with_grace: DateTime<Utc> => Timestamptz] ")) h
        JOIN levels l ON l.id = h.level_id
        ORDER BY h.account_id, l.rank DESC, h.nth"
}

/// The highest level on which each of these accounts stands now; none of who stands on none.
///
/// # Errors
/// The database's.
pub async fn standings(
    mut conn: &Conn,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, Standing>> {
    let of = StandingsNow { accounts: accounts.to_vec(), now, with_grace: now - GRACE };
    let rows: Vec<Standing> = of.load(&mut conn).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row)).collect())
}

/// The codes of these levels.
///
/// # Errors
/// The database's.
pub async fn codes(mut conn: &Conn, ids: BTreeSet<LevelId>) -> Result<HashMap<LevelId, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let known = levels::table.filter(levels::id.eq_any(ids)).select((levels::id, levels::code));
    Ok(known.load(&mut conn).await?.into_iter().collect())
}

/// What the level on which somebody stands lets him do.
///
/// # Errors
/// The database's.
pub async fn role_of(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<Option<MemberRole>> {
    match standings(conn, &[account], now).await?.remove(&account) {
        Some(of) => Ok(find(conn, of.level).await?.and_then(|level| level.role)),
        None => Ok(None),
    }
}

/// The ranks of [`standings`].
///
/// # Errors
/// The database's.
pub async fn held_ranks(
    conn: &mut Conn,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, i32>> {
    let found = standings(conn, accounts, now).await?;
    Ok(found.into_iter().map(|(account, of)| (account, of.rank)).collect())
}

/// Whose review is due, the longest due first.
///
/// # Errors
/// The database's.
pub async fn due(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<AccountId>> {
    Ok(account_levels::table
        .filter(account_levels::due_at.le(now))
        .order((account_levels::due_at, account_levels::account_id))
        .limit(limit)
        .select(account_levels::account_id)
        .load(conn)
        .await?)
}

/// Who is to be told of a review.
///
/// # Errors
/// The database's.
pub async fn to_warn(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<AccountId>> {
    Ok(account_levels::table
        .filter(account_levels::warn_at.le(now))
        .order((account_levels::warn_at, account_levels::account_id))
        .limit(limit)
        .select(account_levels::account_id)
        .load(conn)
        .await?)
}

/// Those to whom an operator's level was given until now.
///
/// # Errors
/// The database's.
pub async fn manual_over(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<AccountId>> {
    Ok(account_levels::table
        .filter(account_levels::manual_until.le(now))
        .order((account_levels::manual_until, account_levels::account_id))
        .limit(limit)
        .select(account_levels::account_id)
        .load(conn)
        .await?)
}

/// Who is erased stands on none any more; what was, stays in its history, without what operators wrote.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::delete(account_levels::table.find(account)).execute(conn).await?;
    diesel::update(level_changes::table.filter(level_changes::account_id.eq(account)))
        .set(level_changes::reason.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}
