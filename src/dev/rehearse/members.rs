//! Who is a member before a sale for members begins: everybody but the visitors, each eleventh a diehard one.

use chrono::{DateTime, TimeDelta, Utc};

use super::RehearsalError;
use super::scenario::{Crowd, connect, email, sql_time};

/// Writes two tiers and the memberships, granted a month ago for a year, numbered without gaps.
///
/// # Errors
/// The database's.
pub async fn seed(url: &str, crowd: &Crowd, now: DateTime<Utc>) -> Result<(), RehearsalError> {
    let members = (0..crowd.buyers).filter(|index| !crowd.is_visitor(*index));
    let (emails, tiers): (Vec<_>, Vec<_>) = members
        .map(|index| (email(index), if Crowd::is_diehard(index) { "diehard" } else { "regular" }))
        .unzip();
    let client = connect(url).await?;
    let (at, since, until) =
        (sql_time(now), sql_time(now - TimeDelta::days(30)), sql_time(now + TimeDelta::days(335)));
    client
        .batch_execute(&format!(
            "INSERT INTO tiers (id, code, name_zh, name_en, rank, created_at) VALUES
                (gen_random_uuid(), 'regular', '普通会员', 'Regular', 10, {at}),
                (gen_random_uuid(), 'diehard', '铁杆会员', 'Diehard', 20, {at});
            CREATE TEMP TABLE joined (account_id uuid, tier_id uuid, membership_id uuid, sequence bigint);"
        ))
        .await?;
    let joined = "INSERT INTO joined
        SELECT a.id, t.id, gen_random_uuid(), row_number() OVER (ORDER BY a.id)
        FROM unnest($1::text[], $2::text[]) AS m (email, tier)
        JOIN accounts a ON a.email_key = m.email JOIN tiers t ON t.code = m.tier";
    client.execute(joined, &[&emails, &tiers]).await?;
    client
        .batch_execute(&format!(
            "INSERT INTO member_numbers (number, account_id, chapter_id, sequence, given_at)
                SELECT c.prefix || lpad(j.sequence::text, greatest(4, length(j.sequence::text)), '0'), j.account_id, c.id,
                    j.sequence, {since}
                FROM joined j, chapters c WHERE c.is_default;
            UPDATE chapters SET next_sequence = 1 + (SELECT count(*) FROM joined) WHERE is_default;
            INSERT INTO memberships (id, account_id, tier_id, chapter_id, state, starts_at, ends_at)
                SELECT j.membership_id, j.account_id, j.tier_id, c.id, 'active', {since}, {until}
                FROM joined j, chapters c WHERE c.is_default;
            INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, anchor_at, starts_at, ends_at,
                    value_minor, value_from, value_seconds, created_at)
                SELECT gen_random_uuid(), j.membership_id, j.account_id, 'grant', j.tier_id, {since}, {since}, {until}, 0,
                    {since}, extract(epoch FROM {until} - {since}), {since}
                FROM joined j;
            INSERT INTO jobs (id, kind, payload, lane, run_at, created_at)
                SELECT gen_random_uuid(), 'expire_membership',
                    jsonb_build_object('membership', 'mem_' || replace(j.membership_id::text, '-', '')), 'local',
                    {until}, {at}
                FROM joined j;
            INSERT INTO jobs (id, kind, payload, lane, run_at, created_at)
                SELECT gen_random_uuid(), 'renew', jsonb_build_object(
                        'membership', 'mem_' || replace(m.id::text, '-', ''),
                        'ends_at', to_char(m.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')), 'stripe',
                    m.ends_at - interval '30 days', {at}
                FROM memberships m JOIN joined j ON j.membership_id = m.id;"
        ))
        .await?;
    Ok(())
}
