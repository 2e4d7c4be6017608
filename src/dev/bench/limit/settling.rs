//! Membership orders as they are settled: the event kept, the money captured, the claim taken, a member numbered, mails queued.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::db::{self, Conn, Pool};
use crate::error::{AppError, Result};
use crate::jobs::{Job, queue};
use crate::membership::memberships::rules::{GRACE, member_number};
use crate::membership::renewals::rules::ANNOUNCE_BEFORE;
use crate::ports::clock::machine_now;
use crate::statement;
use crate::types::id::{LineId, MailId, MembershipId, OrderId};

statement! {
    struct Events = "INSERT INTO stripe_events (id, kind, payload, state, received_at, applied_at, payment_id) \
         SELECT row.id, 'checkout.session.completed', row.payload, 'applied', "
        [at: DateTime<Utc> => Timestamptz] ", "
        [applied_at: DateTime<Utc> => Timestamptz] ", row.payment FROM UNNEST("
        [ids: Vec<String> => Array<Text>] ", "
        [payloads: Vec<Vec<u8>> => Array<Binary>] ", "
        [payments: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, payload, payment)"
}

statement! {
    struct Capture = "UPDATE payments SET state = 'succeeded', captured_minor = amount_minor, captured_at = "
        [at: DateTime<Utc> => Timestamptz] ", ended_at = "
        [ended_at: DateTime<Utc> => Timestamptz] ", stripe_payment_intent_id = row.intent, \
            stripe_charge_id = row.charge, method_used = 'wechat_pay' FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [intents: Vec<String> => Array<Text>] ", "
        [charges: Vec<String> => Array<Text>] ") AS row (id, intent, charge) WHERE payments.id = row.id"
}

statement! {
    struct Fulfil = "UPDATE orders SET state = 'fulfilled', paid_at = "
        [at: DateTime<Utc> => Timestamptz] " WHERE id = ANY ("
        [ids: Vec<Uuid> => Array<SqlUuid>] ")"
}

statement! {
    struct FulfilLines = "UPDATE order_lines SET fulfilled_at = "
        [at: DateTime<Utc> => Timestamptz] " WHERE id = ANY ("
        [ids: Vec<Uuid> => Array<SqlUuid>] ")"
}

statement! {
    struct Take = "UPDATE claims SET state = 'taken', ended_at = "
        [at: DateTime<Utc> => Timestamptz] " WHERE state = 'held' AND order_id = ANY ("
        [orders: Vec<Uuid> => Array<SqlUuid>] ")"
}

statement! {
    struct Move = "UPDATE pools SET held = held - "
        [held: i64 => BigInt] ", taken = taken + "
        [taken: i64 => BigInt] " WHERE id = " [pool: Uuid => SqlUuid]
        ""
}

statement! {
    struct Owe = "INSERT INTO invoices_due (kind, order_id, due_at) SELECT 'invoice', id, "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [orders: Vec<Uuid> => Array<SqlUuid>] ") AS row (id)"
}

statement! {
    struct Looks = "INSERT INTO level_looks (id, account_id, went_back, at) SELECT row.id, row.account, false, "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, account)"
}

statement! {
    struct Memberships = "INSERT INTO memberships (id, account_id, tier_id, plan_id, chapter_id, state, starts_at, ends_at, \
            frozen_at, frozen_causes, closed_at, version, rested_seconds) \
         SELECT row.id, row.account, p.tier_id, p.plan_id, p.chapter_id, p.state, "
        [at: DateTime<Utc> => Timestamptz] ", "
        [ends_at: DateTime<Utc> => Timestamptz] ", p.frozen_at, p.frozen_causes, p.closed_at, p.version, p.rested_seconds \
         FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, account), \
         (SELECT * FROM memberships WHERE id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Terms = "INSERT INTO membership_terms (id, membership_id, account_id, source, line_id, tier_id, plan_id, anchor_at, \
            starts_at, ends_at, value_minor, value_from, value_seconds, ended_at, created_at, credited_minor, replaced_by) \
         SELECT row.id, row.membership, row.account, p.source, row.line, p.tier_id, p.plan_id, now.at, now.at, "
        [ends_at: DateTime<Utc> => Timestamptz] ", p.value_minor, now.at, p.value_seconds, p.ended_at, now.at, \
            p.credited_minor, p.replaced_by FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [memberships: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ", "
        [lines: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, membership, account, line), (SELECT "
        [at: DateTime<Utc> => Timestamptz] " AS at) AS now, (SELECT * FROM membership_terms WHERE membership_id = "
        [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Renewals = "INSERT INTO renewal_settings (membership_id, account_id, is_on) \
         SELECT row.membership, row.account, false FROM UNNEST("
        [memberships: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ") AS row (membership, account)"
}

statement! {
    struct Count = "UPDATE chapters SET next_sequence = next_sequence + "
        [count: i64 => BigInt] " WHERE id = "
        [chapter: Uuid => SqlUuid] " RETURNING prefix, next_sequence AS next"
}

statement! {
    struct Numbers = "INSERT INTO member_numbers (number, account_id, chapter_id, sequence, given_at) \
         SELECT row.number, row.account, now.chapter, row.sequence, now.at FROM UNNEST("
        [numbers: Vec<String> => Array<Text>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ", "
        [sequences: Vec<i64> => Array<BigInt>] ") AS row (number, account, sequence), (SELECT "
        [chapter: Uuid => SqlUuid] " AS chapter, "
        [at: DateTime<Utc> => Timestamptz] " AS at) AS now"
}

statement! {
    struct Mails = "INSERT INTO mails (id, cause, account_id, to_address, kind, locale, data, state, created_at) \
         SELECT row.id, row.cause, row.account, row.address, p.kind, p.locale, p.data || row.own::jsonb, 'queued', "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [causes: Vec<String> => Array<Text>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ", "
        [addresses: Vec<String> => Array<Text>] ", "
        [own: Vec<String> => Array<Text>] ") AS row (id, cause, account, address, own), (SELECT * FROM mails WHERE cause = "
        [pattern: String => Text] ") AS p"
}

statement! {
    struct Jobs = "INSERT INTO jobs (id, lane, kind, payload, run_at, created_at) \
         SELECT row.id, row.lane, row.kind, row.payload::jsonb, row.run_at, "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [lanes: Vec<String> => Array<Text>] ", "
        [kinds: Vec<String> => Array<Text>] ", "
        [payloads: Vec<String> => Array<Text>] ", "
        [due: Vec<DateTime<Utc>> => Array<Timestamptz>] ") AS row (id, lane, kind, payload, run_at)"
}

statement! {
    struct Done = "INSERT INTO jobs (id, lane, kind, payload, state, run_at, attempts, created_at, finished_at) \
         SELECT row.id, 'stripe', 'apply_event', jsonb_build_object('event', row.event), 'done', now.at, 1, now.at, now.at \
         FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [events: Vec<String> => Array<Text>] ") AS row (id, event), (SELECT "
        [at: DateTime<Utc> => Timestamptz] " AS at) AS now"
}

/// An event that says that a session was paid, as Stripe sent it.
#[derive(Clone, Debug)]
pub struct Paid {
    pub id: String,
    pub payload: Vec<u8>,
    pub order: OrderId,
    pub intent: String,
}

impl Paid {
    /// None where it is no such event.
    pub fn read(event: &Value) -> Option<Self> {
        let text = |path: &str| event.pointer(path)?.as_str();
        Some(Self {
            id: text("/id")?.to_owned(),
            payload: event.to_string().into_bytes(),
            order: text("/data/object/client_reference_id")?.parse().ok()?,
            intent: text("/data/object/payment_intent")?.to_owned(),
        })
    }
}

/// What an event is about.
#[derive(QueryableByName)]
struct Subject {
    #[diesel(sql_type = SqlUuid)]
    order: OrderId,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = SqlUuid)]
    account: Uuid,
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = SqlUuid)]
    line: LineId,
    #[diesel(sql_type = SqlUuid)]
    payment: Uuid,
}

/// What kindred wrote last for a paid order: what the others are copies of.
#[derive(QueryableByName)]
struct Pattern {
    #[diesel(sql_type = SqlUuid)]
    order: OrderId,
    #[diesel(sql_type = SqlUuid)]
    line: LineId,
    #[diesel(sql_type = SqlUuid)]
    pool: Uuid,
    #[diesel(sql_type = SqlUuid)]
    membership: Uuid,
    #[diesel(sql_type = SqlUuid)]
    chapter: Uuid,
    #[diesel(sql_type = Timestamptz)]
    starts_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    ends_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    prefix: String,
    #[diesel(sql_type = BigInt)]
    next: i64,
}

/// Paid orders to settle. What is asked here beforehand isn't what is measured.
pub struct Settling {
    pattern: Pattern,
    paid: Vec<(Paid, Subject)>,
    /// What follows from settling is left to the program from then on.
    due_at: DateTime<Utc>,
}

impl Settling {
    /// # Errors
    /// The database's, also where kindred has settled nothing yet.
    pub async fn of(conn: &mut Conn, events: Vec<Paid>, due_at: DateTime<Utc>) -> Result<Self> {
        let pattern = diesel::sql_query(
            "SELECT l.order_id AS order, l.id AS line, c.pool_id AS pool, m.id AS membership, m.chapter_id AS chapter,
                m.starts_at, m.ends_at
             FROM memberships m JOIN membership_terms t ON t.membership_id = m.id JOIN order_lines l ON l.id = t.line_id
             JOIN claims c ON c.line_id = l.id ORDER BY m.id DESC LIMIT 1",
        );
        let subjects = diesel::sql_query(
            "SELECT o.id AS order, o.number, o.account_id AS account, o.email AS address, l.id AS line, p.id AS payment
             FROM UNNEST($1) WITH ORDINALITY AS event (order_id, place) JOIN orders o ON o.id = event.order_id
             JOIN order_lines l ON l.order_id = o.id JOIN payments p ON p.order_id = o.id ORDER BY event.place",
        );
        let orders: Vec<OrderId> = events.iter().map(|event| event.order).collect();
        let subjects: Vec<Subject> = subjects.bind::<Array<SqlUuid>, _>(orders).load(conn).await?;
        if subjects.len() != events.len() {
            return Err(AppError::internal("events of what isn't one membership paid in one attempt"));
        }
        let paid = events.into_iter().zip(subjects).collect();
        Ok(Self { pattern: pattern.get_result(conn).await?, paid, due_at })
    }

    /// Leaves to the program what follows from settling: invoices, stages and mails.
    ///
    /// # Errors
    /// The database's.
    pub async fn hand_over(&self, conn: &mut Conn) -> Result<()> {
        diesel::sql_query("UPDATE jobs SET run_at = created_at WHERE run_at = $1")
            .bind::<Timestamptz, _>(self.due_at)
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// Settles them, `batch` a transaction.
///
/// # Errors
/// The database's.
pub async fn settle(pool: &Pool, settling: &Settling, batch: usize) -> Result<()> {
    for paid in settling.paid.chunks(batch) {
        let batch = Batch::of(settling, paid);
        db::transaction(pool, async |conn| batch.write(conn).await).await?;
    }
    Ok(())
}

/// A batch, made before its transaction begins.
struct Batch<'a> {
    at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    pattern: &'a Pattern,
    paid: &'a [(Paid, Subject)],
    memberships: Vec<Uuid>,
    receipts: Vec<Uuid>,
    welcomes: Vec<Uuid>,
    jobs: Vec<(Job, DateTime<Utc>)>,
}

impl<'a> Batch<'a> {
    fn of(settling: &'a Settling, paid: &'a [(Paid, Subject)]) -> Self {
        let (at, pattern, due_at) = (machine_now(), &settling.pattern, settling.due_at);
        let ends_at = at + (pattern.ends_at - pattern.starts_at);
        let [memberships, receipts, welcomes] = std::array::from_fn(|_| new_ids(paid.len()));
        // One run of these serves all orders.
        let mut jobs = vec![(Job::IssueInvoices {}, due_at), (Job::FollowLevels {}, due_at)];
        for membership in memberships.iter().map(|id| MembershipId(*id)) {
            jobs.extend([
                (Job::ExpireMembership { membership }, ends_at + GRACE),
                (Job::Renew { membership, ends_at }, ends_at - ANNOUNCE_BEFORE),
            ]);
        }
        let mails = receipts.iter().chain(&welcomes);
        jobs.extend(mails.map(|mail| (Job::SendMail { mail: MailId(*mail) }, due_at)));
        Self { at, ends_at, pattern, paid, memberships, receipts, welcomes, jobs }
    }

    async fn write(&self, conn: &mut Conn) -> Result<()> {
        self.change(conn).await?;
        self.enter(conn).await?;
        self.number(conn).await
    }

    /// Of each subject.
    fn column<T>(&self, of: impl Fn(&Subject) -> T) -> Vec<T> {
        self.paid.iter().map(|(_, subject)| of(subject)).collect()
    }

    fn accounts(&self) -> Vec<Uuid> {
        self.column(|subject| subject.account)
    }

    /// What placing wrote, and what hangs on nothing that is new.
    async fn change(&self, conn: &mut Conn) -> Result<()> {
        let at = self.at;
        let (orders, payments) = (self.column(|s| s.order.0), self.column(|s| s.payment));
        let events = Events {
            at,
            applied_at: at,
            ids: self.paid.iter().map(|(paid, _)| paid.id.clone()).collect(),
            payloads: self.paid.iter().map(|(paid, _)| paid.payload.clone()).collect(),
            payments: payments.clone(),
        };
        let intents: Vec<String> = self.paid.iter().map(|(paid, _)| paid.intent.clone()).collect();
        let charges = intents.iter().map(|intent| intent.replacen("pi_", "py_", 1)).collect();
        let capture = Capture { at, ended_at: at, ids: payments, intents, charges };
        let count = self.count();
        let fulfil = Fulfil { at, ids: orders.clone() };
        let lines = FulfilLines { at, ids: self.column(|s| s.line.0) };
        let take = Take { at, orders: orders.clone() };
        let pool = Move { held: count, taken: count, pool: self.pattern.pool };
        let memberships = Memberships {
            at,
            ends_at: self.ends_at,
            ids: self.memberships.clone(),
            accounts: self.accounts(),
            pattern: self.pattern.membership,
        };
        let looks = Looks { at, ids: new_ids(self.paid.len()), accounts: self.accounts() };
        let owe = Owe { at, orders };
        let [a, b, c, d, e, f, g, h, i] = &mut [&*conn; 9];
        tokio::try_join!(
            events.execute(a),
            capture.execute(b),
            fulfil.execute(c),
            lines.execute(d),
            take.execute(e),
            pool.execute(f),
            memberships.execute(g),
            looks.execute(h),
            owe.execute(i),
        )?;
        Ok(())
    }

    /// What hangs on the memberships, but for their numbers.
    async fn enter(&self, conn: &mut Conn) -> Result<()> {
        let (at, pattern) = (self.at, self.pattern);
        let terms = Terms {
            at,
            ends_at: self.ends_at,
            ids: new_ids(self.paid.len()),
            memberships: self.memberships.clone(),
            accounts: self.accounts(),
            lines: self.column(|s| s.line.0),
            pattern: pattern.membership,
        };
        let renewals = Renewals { memberships: self.memberships.clone(), accounts: self.accounts() };
        let own = |s: &Subject| json!({ "order_number": s.number, "paid_at": at }).to_string();
        let receipts = Mails {
            at,
            ids: self.receipts.clone(),
            causes: self.column(|s| format!("receipt:{}", s.order)),
            accounts: self.accounts(),
            addresses: self.column(|s| s.address.clone()),
            own: self.column(own),
            pattern: format!("receipt:{}", pattern.order),
        };
        let jobs = Jobs::of(&self.jobs, at)?;
        let done = Done {
            at,
            ids: new_ids(self.paid.len()),
            events: self.paid.iter().map(|(paid, _)| paid.id.clone()).collect(),
        };
        let [a, b, c, d, e] = &mut [&*conn; 5];
        tokio::try_join!(
            terms.execute(a),
            renewals.execute(b),
            receipts.execute(c),
            jobs.execute(d),
            done.execute(e),
        )?;
        Ok(())
    }

    /// The chapter's next numbers, and the mails that tell them. Who joins it waits for its row: so it is the last lock, as in
    /// kindred.
    async fn number(&self, conn: &mut Conn) -> Result<()> {
        let (at, ends_at, chapter) = (self.at, self.ends_at, self.pattern.chapter);
        let counted: Counted = Count { count: self.count(), chapter }.get_result(conn).await?;
        let sequences: Vec<i64> = (counted.next - self.count()..counted.next).collect();
        let number = |sequence: &i64| member_number(&counted.prefix, *sequence);
        let given: Vec<String> = sequences.iter().map(number).collect();
        let own = given.iter().map(|number| json!({ "number": number, "starts_at": at, "ends_at": ends_at }));
        let welcomes = Mails {
            at,
            ids: self.welcomes.clone(),
            causes: self.column(|s| format!("welcome:{}", s.line)),
            accounts: self.accounts(),
            addresses: self.column(|s| s.address.clone()),
            own: own.map(|own| own.to_string()).collect(),
            pattern: format!("welcome:{}", self.pattern.line),
        };
        let numbers = Numbers { at, chapter, numbers: given, accounts: self.accounts(), sequences };
        let [a, b] = &mut [&*conn; 2];
        tokio::try_join!(numbers.execute(a), welcomes.execute(b))?;
        Ok(())
    }

    fn count(&self) -> i64 {
        i64::try_from(self.paid.len()).unwrap_or(i64::MAX)
    }
}

impl Jobs {
    fn of(queued: &[(Job, DateTime<Utc>)], at: DateTime<Utc>) -> Result<Self> {
        let mut rows = Self {
            at,
            ids: new_ids(queued.len()),
            lanes: Vec::new(),
            kinds: Vec::new(),
            payloads: Vec::new(),
            due: Vec::new(),
        };
        for (job, due_at) in queued {
            let (kind, payload) = queue::to_columns(job)?;
            rows.lanes.push(job.lane().as_str().to_owned());
            rows.kinds.push(kind);
            rows.payloads.push(payload.to_string());
            rows.due.push(*due_at);
        }
        Ok(rows)
    }
}

fn new_ids(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}
