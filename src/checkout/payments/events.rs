//! Rows of Stripe's raw events.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::stripe_events;
use crate::statement;
use crate::types::id::PaymentId;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What became of an event.
    EventState {
        Received = "received",
        Applied = "applied",
        /// Somebody else's, or of no interest.
        Ignored = "ignored",
        /// About something that isn't known yet: looked at again later.
        Parked = "parked",
        Unreadable = "unreadable",
    }
}

/// A raw event, as it came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawEvent {
    pub id: String,
    pub kind: String,
    pub payload: Vec<u8>,
}

statement! {
    struct Keep = "INSERT INTO stripe_events (id, kind, payload, state, received_at) SELECT event.*, "
        [state: &'static str => Text] ", "
        [now: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<String> => Array<Text>] ", "
        [kinds: Vec<String> => Array<Text>] ", "
        [payloads: Vec<Vec<u8>> => Array<Binary>] ") AS event ON CONFLICT DO NOTHING RETURNING id"
}

#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Keeps raw events; tells those that weren't there.
///
/// # Errors
/// The database's.
pub async fn keep(
    conn: &mut Conn,
    events: &[RawEvent],
    state: EventState,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let keep = Keep {
        state: state.as_str(),
        now,
        ids: events.iter().map(|event| event.id.clone()).collect(),
        kinds: events.iter().map(|event| event.kind.clone()).collect(),
        payloads: events.iter().map(|event| event.payload.clone()).collect(),
    };
    let kept: Vec<Kept> = keep.load(conn).await?;
    Ok(kept.into_iter().map(|event| event.id).collect())
}

/// An event as it was kept.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = stripe_events)]
pub struct KeptEvent {
    pub id: String,
    pub payload: Vec<u8>,
    pub state: EventState,
    pub received_at: DateTime<Utc>,
}

/// Those of these events that are there, in no order.
///
/// # Errors
/// The database's.
pub async fn load_all(mut conn: &Conn, ids: &[String]) -> Result<Vec<KeptEvent>> {
    let those = stripe_events::table.filter(stripe_events::id.eq_any(ids));
    Ok(those.select(KeptEvent::as_select()).load(&mut conn).await?)
}

/// Of an event that is somebody else's only the id is kept.
///
/// # Errors
/// The database's.
pub async fn set(conn: &mut Conn, id: &str, state: EventState, now: DateTime<Utc>) -> Result<()> {
    let event = stripe_events::table.find(id);
    let changed = (stripe_events::state.eq(state), stripe_events::applied_at.eq(now));
    match state {
        EventState::Ignored => {
            let emptied = (changed, stripe_events::payload.eq(Vec::<u8>::new()));
            diesel::update(event).set(emptied).execute(conn).await?
        }
        _ => diesel::update(event).set(changed).execute(conn).await?,
    };
    Ok(())
}

statement! {
    struct Applied = "WITH event AS (SELECT * FROM UNNEST("
        [ids: Vec<String> => Array<Text>] ", "
        [payments: Vec<PaymentId> => Array<SqlUuid>] ") AS event (id, payment)), \
         theirs AS MATERIALIZED (SELECT e.id, e.payment, o.email = '' AS is_erased FROM event e \
             JOIN payments p ON p.id = e.payment JOIN orders o ON o.id = p.order_id ORDER BY o.id FOR SHARE OF o) \
         UPDATE stripe_events SET state = 'applied', payment_id = theirs.payment, \
             payload = CASE WHEN theirs.is_erased THEN '' ELSE payload END, applied_at = "
        [now: DateTime<Utc> => Timestamptz] " FROM theirs WHERE stripe_events.id = theirs.id"
}

/// Events are done with, each was about its payment. Where the buyer was erased meanwhile it is emptied: his order has no
/// address any more, and the lock on it makes an erasure that runs just now come before or after.
///
/// # Errors
/// The database's.
pub async fn applied(conn: &mut Conn, events: &[(String, PaymentId)], now: DateTime<Utc>) -> Result<()> {
    let (ids, payments) = events.iter().cloned().unzip();
    Applied { ids, payments, now }.execute(conn).await?;
    Ok(())
}
