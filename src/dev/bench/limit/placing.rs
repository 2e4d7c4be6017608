//! Orders as they are placed: held, and to be paid.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::{self, Conn, Pool};
use crate::dev::bench::shop::Buyer;
use crate::error::Result;
use crate::ports::clock::machine_now;
use crate::statement;
use crate::types::id::PaymentId;

statement! {
    struct Lock = "SELECT id FROM pools WHERE id = ANY (" [pools: Vec<Uuid> => Array<SqlUuid>]
        ") ORDER BY id FOR NO KEY UPDATE"
}

statement! {
    struct Move = "UPDATE pools SET held = held + change.units FROM UNNEST("
        [pools: Vec<Uuid> => Array<SqlUuid>] ", "
        [units: Vec<i64> => Array<BigInt>] ") AS change (id, units) WHERE pools.id = change.id"
}

statement! {
    struct Orders = "INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, discount_minor, \
            shipping_minor, tax_included_minor, total_minor, points, points_minor, credit_minor, due_minor, \
            explanation, email, locale, invite_code, terms_version, consents, success_url, cancel_url, hold_minutes, \
            has_membership, ship_to, shipping_method_id, created_at) \
         SELECT row.id, row.number, row.account, p.state, p.currency, p.subtotal_minor, p.discount_minor, \
            p.shipping_minor, p.tax_included_minor, p.total_minor, p.points, p.points_minor, p.credit_minor, \
            p.due_minor, p.explanation, p.email, p.locale, p.invite_code, p.terms_version, p.consents, p.success_url, \
            p.cancel_url, p.hold_minutes, p.has_membership, p.ship_to, p.shipping_method_id, "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [numbers: Vec<String> => Array<Text>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, number, account), \
         (SELECT * FROM orders WHERE id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Keys = "INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at) \
         SELECT row.account, p.route, row.key, p.body_hash, p.status, row.id, "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [accounts: Vec<Uuid> => Array<SqlUuid>] ", "
        [keys: Vec<String> => Array<Text>] ", "
        [ids: Vec<Uuid> => Array<SqlUuid>] ") AS row (account, key, id), \
         (SELECT k.* FROM idempotency_keys k JOIN orders o ON o.account_id = k.account_id AND o.id = k.resource \
          WHERE o.id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Lines = "INSERT INTO order_lines (id, order_id, position, kind, plan_id, drive_id, invitation_id, variant_id, \
            drop_id, f_code_id, upgrade_quote_id, renewal_id, benefit_id, saved_minor, points_minor, points_rate_bp, \
            level_rate_bp, title, quantity, unit_price_minor, discount_minor, total_minor, tax_included_minor, ships_from, \
            tax_rate_bp) \
         SELECT row.id, row.order_id, p.position, p.kind, p.plan_id, p.drive_id, p.invitation_id, row.variant, p.drop_id, \
            p.f_code_id, p.upgrade_quote_id, p.renewal_id, p.benefit_id, p.saved_minor, p.points_minor, p.points_rate_bp, \
            p.level_rate_bp, p.title, p.quantity, p.unit_price_minor, p.discount_minor, p.total_minor, \
            p.tax_included_minor, p.ships_from, p.tax_rate_bp FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [orders: Vec<Uuid> => Array<SqlUuid>] ", "
        [variants: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, order_id, variant), \
         (SELECT * FROM order_lines WHERE order_id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Payments = "INSERT INTO payments (id, order_id, attempt, state, amount_minor, currency, methods, saves_card, \
            expires_at, created_at) \
         SELECT row.id, row.order_id, p.attempt, p.state, p.amount_minor, p.currency, p.methods, p.saves_card, \
            p.expires_at, " [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [orders: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, order_id), \
         (SELECT attempt, 'preparing' AS state, amount_minor, currency, methods, saves_card, NULL::timestamptz AS expires_at \
          FROM payments WHERE order_id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Claims = "INSERT INTO claims (id, pool_id, order_id, line_id, quantity, state, created_at) \
         SELECT row.id, row.pool, row.order_id, row.line, 1, 'held', "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [pools: Vec<Uuid> => Array<SqlUuid>] ", "
        [orders: Vec<Uuid> => Array<SqlUuid>] ", "
        [lines: Vec<Uuid> => Array<SqlUuid>] ") AS row (id, pool, order_id, line)"
}

statement! {
    struct Purchases = "INSERT INTO drop_purchases (line_id, drop_id, account_id, person_key, quantity) \
         SELECT row.line, p.drop_id, row.account, row.person, p.quantity FROM UNNEST("
        [lines: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<Uuid> => Array<SqlUuid>] ", "
        [persons: Vec<String> => Array<Text>] ") AS row (line, account, person), \
         (SELECT * FROM order_lines WHERE order_id = " [pattern: Uuid => SqlUuid] ") AS p"
}

statement! {
    struct Jobs = "INSERT INTO jobs (id, lane, kind, payload, run_at, created_at) \
         SELECT row.id, 'stripe', 'open_checkout', jsonb_build_object('payment', row.payment), "
        [at: DateTime<Utc> => Timestamptz] ", "
        [again: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [payments: Vec<String> => Array<Text>] ") AS row (id, payment)"
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = SqlUuid)]
    #[expect(dead_code, reason = "a lock's answer is read, as kindred reads it")]
    id: Uuid,
}

/// What is bought, as the limit needs to know it.
#[derive(Clone, Debug)]
pub struct Article {
    pub variant: Uuid,
    /// What one unit of it claims.
    pub pools: Vec<Uuid>,
}

/// Orders to write.
pub struct Placing<'a> {
    /// One that kindred placed: what the others are copies of.
    pub pattern: Uuid,
    pub buyers: &'a [Buyer],
    /// Bought in turn.
    pub articles: &'a [Article],
    /// Each counts for a drop's cap.
    pub is_capped: bool,
    /// What would be due later than the bench lasts: nobody works on these.
    pub due_at: DateTime<Utc>,
}

/// Writes one order a buyer, `batch` a transaction.
///
/// # Errors
/// The database's.
pub async fn place(pool: &Pool, placing: &Placing<'_>, batch: usize) -> Result<()> {
    let mut first = 0;
    for buyers in placing.buyers.chunks(batch) {
        let rows = Batch::of(placing, buyers, first);
        db::transaction(pool, async |conn| rows.write(conn, placing).await).await?;
        first += buyers.len();
    }
    Ok(())
}

/// A batch, made before its transaction begins.
struct Batch {
    at: DateTime<Utc>,
    orders: Vec<Uuid>,
    numbers: Vec<String>,
    keys: Vec<String>,
    accounts: Vec<Uuid>,
    persons: Vec<String>,
    lines: Vec<Uuid>,
    variants: Vec<Uuid>,
    payments: Vec<Uuid>,
    /// Of each claim: its pool, order and line.
    claimed: [Vec<Uuid>; 3],
    held: BTreeMap<Uuid, i64>,
}

impl Batch {
    fn of(placing: &Placing<'_>, buyers: &[Buyer], first: usize) -> Self {
        let ids = || buyers.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>();
        let (orders, lines) = (ids(), ids());
        let articles = || placing.articles.iter().cycle().skip(first % placing.articles.len().max(1));
        let mut claimed: [Vec<Uuid>; 3] = Default::default();
        let mut held = BTreeMap::new();
        let [pools, of_orders, of_lines] = &mut claimed;
        for ((order, line), article) in orders.iter().zip(&lines).zip(articles()) {
            for pool in &article.pools {
                pools.push(*pool);
                of_orders.push(*order);
                of_lines.push(*line);
                *held.entry(*pool).or_insert(0) += 1;
            }
        }
        Self {
            at: machine_now(),
            numbers: orders.iter().map(|id| format!("B{}", id.simple())).collect(),
            keys: orders.iter().map(|_| Uuid::now_v7().to_string()).collect(),
            accounts: buyers.iter().map(|buyer| buyer.account.0).collect(),
            persons: buyers.iter().map(|buyer| buyer.person.to_string()).collect(),
            variants: articles().take(buyers.len()).map(|article| article.variant).collect(),
            payments: ids(),
            orders,
            lines,
            claimed,
            held,
        }
    }

    async fn write(&self, conn: &mut Conn, placing: &Placing<'_>) -> Result<()> {
        let (at, pattern) = (self.at, placing.pattern);
        let pools: Vec<Uuid> = self.held.keys().copied().collect();
        let _: Vec<Locked> = Lock { pools: pools.clone() }.load(conn).await?;
        let (orders, accounts, lines) = (&self.orders, &self.accounts, &self.lines);
        let (mut one, mut two, mut three) = (&*conn, &*conn, &*conn);
        let written = Orders {
            at,
            ids: orders.clone(),
            numbers: self.numbers.clone(),
            accounts: accounts.clone(),
            pattern,
        };
        let keys =
            Keys { at, accounts: accounts.clone(), keys: self.keys.clone(), ids: orders.clone(), pattern };
        let moved = Move { pools, units: self.held.values().copied().collect() };
        tokio::try_join!(written.execute(&mut one), keys.execute(&mut two), moved.execute(&mut three))?;
        let rows =
            Lines { ids: lines.clone(), orders: orders.clone(), variants: self.variants.clone(), pattern };
        let payments = Payments { at, ids: self.payments.clone(), orders: orders.clone(), pattern };
        let payment_ids = self.payments.iter().map(|id| PaymentId(*id).to_string());
        let jobs = Jobs {
            at: placing.due_at,
            again: at,
            ids: orders.iter().map(|_| Uuid::now_v7()).collect(),
            payments: payment_ids.collect(),
        };
        tokio::try_join!(rows.execute(&mut one), payments.execute(&mut two), jobs.execute(&mut three))?;
        let [claim_pools, claim_orders, claim_lines] = self.claimed.clone();
        let claims = Claims {
            at,
            ids: claim_pools.iter().map(|_| Uuid::now_v7()).collect(),
            pools: claim_pools,
            orders: claim_orders,
            lines: claim_lines,
        };
        let purchases = Purchases {
            lines: lines.clone(),
            accounts: accounts.clone(),
            persons: self.persons.clone(),
            pattern,
        };
        let capped = async { if placing.is_capped { purchases.execute(&mut two).await } else { Ok(0) } };
        tokio::try_join!(claims.execute(&mut one), capped)?;
        Ok(())
    }
}
