//! The audit log's chain: each row's hash is that of its fields and of the row before, and the head is the last row's. An
//! edited, removed or inserted row breaks it.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Check, NAMED_OFFENDERS};
use crate::audit::AuditRow;
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{audit_head, audit_log};

const NAME: &str = "audit_chain";
const SAYS: &str =
    "each row of the audit log carries the hash of its fields and of the row before, up to the head";
/// Rows in memory at a time.
const PAGE_ROWS: i64 = 5_000;

/// Where the chain is while its rows are read in order.
#[derive(Debug, Default)]
struct Chain {
    seq: i64,
    hash: Vec<u8>,
    broken: i64,
    named: Vec<String>,
}

impl Chain {
    fn follow(&mut self, row: &AuditRow) {
        if row.seq != self.seq + 1 {
            self.name(format!("{} (follows {})", row.seq, self.seq));
        } else if row.prev_hash != self.hash {
            self.name(format!("{} (isn't linked to the row before)", row.seq));
        } else if row.hash != row.computed_hash() {
            self.name(format!("{} (was edited)", row.seq));
        }
        self.seq = row.seq;
        self.hash.clone_from(&row.hash);
    }

    fn end(&mut self, head_seq: i64, head_hash: &[u8]) {
        if head_seq != self.seq || head_hash != self.hash {
            self.name(format!("head {head_seq} (the last row is {})", self.seq));
        }
    }

    fn name(&mut self, offender: String) {
        self.broken += 1;
        if self.named.len() < NAMED_OFFENDERS {
            self.named.push(offender);
        }
    }
}

/// Follows the chain from the first row to the head, page by page.
///
/// # Errors
/// The database's.
pub async fn look(conn: &mut Conn) -> Result<Check> {
    let mut chain = Chain::default();
    let mut after = i64::MIN;
    loop {
        let page: Vec<AuditRow> = audit_log::table
            .filter(audit_log::seq.gt(after))
            .order(audit_log::seq)
            .limit(PAGE_ROWS)
            .select(AuditRow::as_select())
            .load(conn)
            .await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        page.iter().for_each(|row| chain.follow(row));
    }
    let head: Option<(i64, Vec<u8>)> =
        audit_head::table.select((audit_head::seq, audit_head::hash)).first(conn).await.optional()?;
    match head {
        Some((seq, hash)) => chain.end(seq, &hash),
        None => chain.name("head (is missing)".to_owned()),
    }
    Ok(match chain.broken {
        0 => Check::holds(NAME, SAYS),
        broken => Check::broken(NAME, SAYS, broken, &chain.named),
    })
}
