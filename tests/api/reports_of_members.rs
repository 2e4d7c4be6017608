//! Operators' reports: who is a member, who came and left, and who stayed.

use chrono::{Datelike, Days, TimeDelta};
use serde_json::json;

use crate::reports::{CUSTOMERS, MONTH, csv, figure, named, report, rows, shops_day, sql};
use crate::support::Person;
use crate::support::desk::{self, id};
use crate::support::mall::Mall;

const MEMBERS: [&str; 2] = ["members", "frozen"];
const COHORT: [&str; 3] = ["size", "offset", "kept"];

/// What an operator does to somebody's membership.
async fn act(mall: &Mall, person: &Person, verb: &str) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let person = mall.shop.app.sign_in(&person.email).await;
    let held = desk::get(mall, &person, "/v1/me/membership").await.ok(200);
    let path = format!("/v1/admin/memberships/{}/{verb}", id(&held));
    desk::post(mall, &owner, &path, verb, json!({ "reason": "Asked." })).await.ok(200);
}

/// Somebody takes a seat of the running membership of `head`.
async fn seat(mall: &Mall, head: &str, of: &str, since: &str) {
    let running = format!(
        "FROM memberships m JOIN accounts h ON h.id = m.account_id
         AND h.email = '{head}' AND m.state = 'active'"
    );
    let seats = "INSERT INTO associate_seats (membership_id, capacity, taken) SELECT m.id, 1, 1";
    sql(mall, &format!("{seats} {running}")).await;
    let seat = format!(
        "INSERT INTO associates (id, membership_id, head_id, term_id, account_id, state, token_hash, expires_at,
                                 created_at, accepted_at)
         SELECT gen_random_uuid(), m.id, h.id, t.id, a.id, 'active', 'x', '{since}', '{since}', '{since}'
         {running} JOIN membership_terms t ON t.membership_id = m.id JOIN accounts a ON a.email = '{of}'"
    );
    sql(mall, &seat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_now_have_access_by_their_own_membership_or_a_seat() {
    let mall = Mall::open().await;
    mall.member("anna@b.test", &mall.regular).await;
    mall.member("bao@b.test", &mall.regular).await;
    mall.member("chen@b.test", &mall.diehard).await;
    let frozen = mall.member("dora@b.test", &mall.regular).await;
    let revoked = mall.member("eve@b.test", &mall.diehard).await;
    mall.shop.app.member("family@b.test").await;
    act(&mall, &frozen, "freeze").await;
    act(&mall, &revoked, "revoke").await;
    seat(&mall, "chen@b.test", "family@b.test", &mall.shop.app.now().to_string()).await;

    let by_tier = report(&mall, "members").await;
    let expected = named(&[("regular", [2, 1]), ("diehard", [2, 0])]);
    assert_eq!((&by_tier["by"], rows(&by_tier, MEMBERS)), (&json!("tier"), expected));
    assert_eq!(by_tier["totals"], json!({ "key": "total", "members": 4, "frozen": 1, "customers": null }));
    let by_chapter = report(&mall, "members?by=chapter").await;
    assert!(rows(&by_chapter, MEMBERS).contains(&("default".to_owned(), [4, 1])), "{by_chapter}");
    let (lines, name) = csv(&mall, "members?by=tier").await;
    assert_eq!(lines, "tier,members,frozen\r\nregular,2,1\r\ndiehard,2,0\r\n");
    assert!(name.starts_with("attachment; filename=\"members-tier-2") && name.ends_with(".csv\""), "{name}");
    // A code that a spreadsheet would run.
    sql(&mall, "UPDATE chapters SET code = '=1+1' WHERE is_default").await;
    assert!(csv(&mall, "members?by=chapter").await.0.contains("\r\n'=1+1,4,1\r\n"));

    // In the days of grace they are members; after them nobody is, and one is still frozen.
    mall.shop.advance(TimeDelta::days(371)).await;
    assert_eq!(rows(&report(&mall, "members").await, MEMBERS)[0], ("regular".to_owned(), [2, 1]));
    mall.shop.advance(TimeDelta::days(3)).await;
    let left = named(&[("regular", [0, 1]), ("diehard", [0, 0])]);
    assert_eq!(rows(&report(&mall, "members").await, MEMBERS), left);
    // By month he is still one, and the others have left.
    let months = report(&mall, "members?by=month").await;
    let last = rows(&months, MONTH).pop().unwrap().1;
    assert_eq!((last[3], figure(&months["totals"], "members_at_end")), (1, 1), "{months}");
    mall.shop.app.finish().await;
}

/// Levels and stages as a judgement would leave them.
async fn stand(mall: &Mall) {
    let level = |code: &str, rank: i32, archived: &str| {
        format!(
            "INSERT INTO levels (id, code, rank, name_zh, name_en, review, warn_days, grace_days, drops,
                                 welcome_points, created_at, archived_at)
             VALUES (gen_random_uuid(), '{code}', {rank}, 'x', 'x', 'P1Y', 0, 0, 'to_fit', 0, '2014-01-01Z',
                     {archived})"
        )
    };
    for statement in [
        level("silver", 1, "NULL"),
        level("gold", 2, "NULL"),
        level("black", 3, "NULL"),
        level("old", 4, "'2014-02-01Z'"),
        "UPDATE tiers t SET floor_level_id = l.id FROM levels l WHERE l.code = 'silver' AND t.code = 'regular'"
            .into(),
        "DELETE FROM account_levels".into(),
        "DELETE FROM account_stages".into(),
    ] {
        sql(mall, &statement).await;
    }
    let now = mall.shop.app.now();
    let hour = TimeDelta::hours(1);
    let manual = async |email: &str, level: &str, until: String| {
        let statement = format!(
            "INSERT INTO account_levels (account_id, manual_level_id, manual_until)
             SELECT a.id, l.id, {until} FROM accounts a, levels l
             WHERE a.email = '{email}' AND l.code = '{level}'"
        );
        sql(mall, &statement).await;
    };
    manual("chen@b.test", "black", format!("'{now}'")).await;
    manual("dan@b.test", "black", format!("'{}'", now + hour)).await;
    let earned = "INSERT INTO account_levels (account_id, level_id, since, judged_at, judged_by, due_at)
        SELECT a.id, l.id, '2014-01-01Z', '2014-01-01Z', 'enter', '2114-01-01Z' FROM accounts a, levels l
        WHERE a.email = 'bao@b.test' AND l.code = 'gold'";
    sql(mall, earned).await;
    for (email, stage) in [("anna@b.test", "friend"), ("dan@b.test", "customer")] {
        let statement = format!(
            "INSERT INTO account_stages (account_id, stage_id, since)
             SELECT a.id, s.id, '{now}' FROM accounts a, stages s
             WHERE a.email = '{email}' AND s.code = '{stage}'"
        );
        sql(mall, &statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stands_once_on_the_highest_of_earned_given_and_the_tiers_floor() {
    let mall = Mall::open().await;
    let tea = json!([{ "variant": mall.goods("TEA", 90, 100).await }]);
    for email in ["anna@b.test", "bao@b.test"] {
        mall.member(email, &mall.regular).await;
    }
    mall.member("chen@b.test", &mall.diehard).await;
    act(&mall, &mall.member("fay@b.test", &mall.regular).await, "freeze").await;
    for email in ["dan@b.test", "eve@b.test"] {
        let person = mall.shop.app.member(email).await;
        mall.buy(&person, "tea", tea.clone()).await;
    }
    mall.shop.app.member("looks@b.test").await;
    let of_guest = crate::guests::order(&mall, "guest@b.test", tea).await.ok(201);
    mall.shop.pay(&of_guest).await;
    mall.shop.settle().await;
    stand(&mall).await;

    // Anna by the floor; Bao has earned more; what was given to Chen is over, and his tier sets nothing; who
    // rests has no floor.
    let by_level = report(&mall, "members?by=level").await;
    let expected = [("silver", [1, 0, 0]), ("gold", [1, 0, 0]), ("black", [0, 0, 1]), ("none", [1, 1, 1])];
    assert_eq!(rows(&by_level, CUSTOMERS), named(&expected));
    assert_eq!(by_level["totals"], json!({ "key": "total", "members": 3, "frozen": 1, "customers": 2 }));
    let lines =
        "level,members,frozen,customers\r\nsilver,1,0,0\r\ngold,1,0,0\r\nblack,0,0,1\r\nnone,1,1,1\r\n";
    assert_eq!(csv(&mall, "members?by=level").await.0, lines);
    let by_stage = report(&mall, "members?by=stage").await;
    let expected = [
        ("customer", [0, 0, 1]),
        ("user", [0, 0, 0]),
        ("fan", [0, 0, 0]),
        ("friend", [1, 0, 0]),
        ("none", [2, 1, 1]),
    ];
    assert_eq!(rows(&by_stage, CUSTOMERS), named(&expected));

    // An archived level is shown as long as somebody stands on it.
    let old = "UPDATE account_levels h SET manual_until = '2114-01-01Z', manual_level_id = l.id
        FROM levels l, accounts a WHERE l.code = 'old' AND a.email = 'chen@b.test' AND h.account_id = a.id";
    sql(&mall, old).await;
    let by_level = rows(&report(&mall, "members?by=level").await, CUSTOMERS);
    assert_eq!(by_level[3..], named(&[("old", [1, 0, 0]), ("none", [0, 1, 1])]));
    mall.shop.app.finish().await;
}

/// A membership of 2014, with one term.
async fn lay(mall: &Mall, email: &str, source: &str, state: &str, times: [&str; 3]) {
    let [starts, ends, closed] = times.map(|at| {
        if at.is_empty() { "NULL::timestamptz".to_owned() } else { format!("'{at}'::timestamptz") }
    });
    let membership = format!(
        "WITH made AS (
             INSERT INTO memberships (id, account_id, tier_id, chapter_id, state, starts_at, ends_at, closed_at)
             SELECT gen_random_uuid(), a.id, t.id, c.id, '{state}', {starts}, {ends}, {closed}
             FROM accounts a, tiers t, chapters c
             WHERE a.email = '{email}' AND t.code = 'regular' AND c.is_default RETURNING *)
         INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, anchor_at, starts_at,
                                       ends_at, value_minor, value_from, created_at)
         SELECT gen_random_uuid(), id, account_id, '{source}', tier_id, starts_at, starts_at,
                ends_at, 0, starts_at, starts_at FROM made"
    );
    sql(mall, &membership).await;
}

/// Six people of 2014: Anna began in the last second of December, in Shanghai, and Bao in the first of January.
async fn past() -> Mall {
    let mall = Mall::open().await;
    for name in ["anna", "bao", "chen", "dan", "eve", "fay"] {
        mall.shop.app.member(&format!("{name}@b.test")).await;
    }
    for (name, source, state, times) in [
        // For a year.
        (
            "anna",
            "order",
            "expired",
            ["2013-12-31T15:59:59Z", "2014-12-31T15:59:59Z", "2015-01-08T00:00:00Z"],
        ),
        // Left in June, and came back for life.
        ("bao", "order", "expired", ["2013-12-31T16:00:00Z", "2014-06-10T16:00:00Z", "2014-06-17T16:00:01Z"]),
        ("bao", "order", "active", ["2014-09-01T00:00:00Z", "", ""]),
        (
            "chen",
            "order",
            "revoked",
            ["2014-01-10T00:00:00Z", "2015-01-10T00:00:00Z", "2014-03-05T00:00:00Z"],
        ),
        // Took another one in the days of grace; the job that closed that came late.
        ("dan", "order", "expired", ["2014-01-15T00:00:00Z", "2014-05-01T00:00:00Z", "2014-05-03T00:00:00Z"]),
        ("dan", "order", "expired", ["2014-05-03T00:00:00Z", "2014-08-01T00:00:00Z", "2014-09-20T00:00:00Z"]),
        ("eve", "trial", "expired", ["2014-01-15T00:00:00Z", "2014-01-25T00:00:00Z", "2014-02-01T00:00:00Z"]),
    ] {
        lay(&mall, &format!("{name}@b.test"), source, state, times).await;
    }
    seat(&mall, "bao@b.test", "fay@b.test", "2014-09-05T00:00:00Z").await;
    mall
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_shop_has_who_joined_returned_and_ended_and_each_follows_from_the_last() {
    let mall = past().await;
    // Days within months: the months are told whole.
    let months = report(&mall, "members?by=month&from=2013-12-15&until=2014-09-10").await;
    let told = [&months["from"], &months["until"], &months["zone"]];
    assert_eq!(told, ["2013-12-01", "2014-10-01", "Asia/Shanghai"]);
    let expected = [
        ("2013-12", [1, 0, 0, 1]),
        ("2014-01", [4, 0, 0, 5]),
        ("2014-02", [0, 0, 1, 4]),
        ("2014-03", [0, 0, 1, 3]),
        ("2014-04", [0, 0, 0, 3]),
        ("2014-05", [0, 0, 0, 3]),
        ("2014-06", [0, 0, 1, 2]),
        ("2014-07", [0, 0, 0, 2]),
        ("2014-08", [0, 0, 1, 1]),
        ("2014-09", [1, 1, 0, 3]),
    ];
    assert_eq!(rows(&months, MONTH), named(&expected));
    assert_eq!(MONTH.map(|field| figure(&months["totals"], field)), [6, 1, 4, 3]);
    // A later start changes nothing of what it tells.
    let later = report(&mall, "members?by=month&from=2014-08-01&until=2014-10-01").await;
    assert_eq!(rows(&later, MONTH), named(&expected[8..]));
    let (lines, name) = csv(&mall, "members?by=month&from=2014-08-31&until=2014-09-02").await;
    let expected = "month,joined,returned,ended,members_at_end\r\n2014-08,0,0,1,1\r\n2014-09,1,1,0,3\r\n";
    assert_eq!(lines, expected);
    assert_eq!(name, "attachment; filename=\"members-2014-08-01-2014-10-01.csv\"");

    // Months that haven't begun aren't told; this one ends with those who are members now.
    let today = shops_day(&mall);
    let ahead = today + Days::new(400);
    let months = report(&mall, &format!("members?by=month&from={today}&until={ahead}")).await;
    let now = report(&mall, "members").await;
    let this = format!("{}-{:02}", today.year(), today.month());
    assert_eq!(rows(&months, MONTH), [(this, [0, 0, 0, figure(&now["totals"], "members")])]);
    assert_eq!(figure(&now["totals"], "members"), 2);
    mall.shop.app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kept_was_a_member_when_his_anniversary_and_its_grace_were_over() {
    let mall = past().await;
    let span = "from=2013-12-01&until=2014-10-01";
    let months = rows(&report(&mall, &format!("retention?every=P1M&{span}")).await, COHORT);
    let of = |cohort: &str| {
        let theirs = months.iter().filter(|(key, _)| key == cohort);
        theirs.map(|(_, figures)| *figures).collect::<Vec<_>>()
    };
    // Each is told up to two years. Eve only tried, and Fay has a seat: they are in no cohort.
    assert_eq!(months.len(), 50, "{months:?}");
    let kept: Vec<_> = of("2014-01").iter().map(|[_, _, kept]| *kept).collect();
    // Chen leaves in March, Bao in June, Dan in August; Bao is back in September.
    assert_eq!(kept[..10], [3, 3, 2, 2, 2, 2, 1, 0, 1, 1]);
    assert_eq!(of("2014-01")[7], [3, 7, 0]);
    // Anna's year ends on her anniversary: a year later she isn't kept, for all the days of grace.
    assert_eq!((of("2013-12")[11], of("2013-12")[12]), ([1, 11, 1], [1, 12, 0]));
    let years = report(&mall, &format!("retention?{span}")).await;
    assert_eq!(years["every"], "P1Y");
    let years = rows(&years, COHORT);
    assert_eq!(years[..2], named(&[("2013-12", [1, 0, 1]), ("2013-12", [1, 1, 0])]));
    let second = years.iter().filter(|(key, _)| key == "2014-01").take(3).map(|(_, figures)| *figures);
    assert_eq!(second.collect::<Vec<_>>(), [[3, 0, 3], [3, 1, 1], [3, 2, 1]]);
    let (lines, name) = csv(&mall, "retention?from=2013-12-01&until=2014-01-01").await;
    assert!(lines.starts_with("cohort,size,offset,kept\r\n2013-12,1,0,1\r\n2013-12,1,1,0\r\n"), "{lines}");
    assert_eq!(name, "attachment; filename=\"retention-2013-12-01-2014-01-01.csv\"");
    mall.shop.app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anniversary_is_told_once_the_whole_cohort_has_come_to_it() {
    let mall = Mall::open().await;
    mall.member("anna@b.test", &mall.regular).await;
    let bao = mall.member("bao@b.test", &mall.regular).await;
    let begun = rows(&report(&mall, "retention").await, COHORT);
    assert_eq!(begun.iter().map(|(_, figures)| *figures).collect::<Vec<_>>(), [[2, 0, 2]]);
    let path = format!("/v1/admin/accounts/{}/memberships", bao.id);
    let more = json!({ "plan": mall.regular["id"], "reason": "Invited again." });
    desk::post(&mall, &mall.owner, &path, "more", more).await.ok(201);
    // Their year is over, and somebody of the month may have come on its last day.
    mall.shop.advance(TimeDelta::days(367)).await;
    assert_eq!(rows(&report(&mall, "retention").await, COHORT), begun);
    mall.shop.advance(TimeDelta::days(39)).await;
    let years = rows(&report(&mall, "retention").await, COHORT);
    assert_eq!(years.iter().map(|(_, figures)| *figures).collect::<Vec<_>>(), [[2, 0, 2], [2, 1, 1]]);
    mall.finish().await;
}
