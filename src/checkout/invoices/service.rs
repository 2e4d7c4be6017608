//! Issuing: what is due becomes paper, set by set, by one job at a time over all instances.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::content::{About, Content, InvoiceKind, Seller};
use super::model::{self, Due, InvoiceRow, NewInvoice};
use super::rules::{self, Credited, Draft, Returned, Sold};
use crate::app::App;
use crate::checkout::orders::access::OrderBuyer;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::refunds::model::{RefundLine, RefundRow};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::shift::Shift;
use crate::jobs::{self, Job, Outcome};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, InvoiceId, LineId, OrderId, RefundId};

/// How many are issued under one lock.
const SET: i64 = 200;

/// What makes something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The order is paid.
    Paid,
    /// The refund went through.
    Refunded(RefundId),
    /// Stripe took the refund back after it had gone through.
    TakenBack(RefundId),
}

/// Writes down that something is to be issued of each of these orders, in the transaction that causes it. Their rows are
/// locked.
///
/// # Errors
/// The database's.
pub async fn owe(conn: &mut Conn, orders: &[OrderId], cause: Cause, now: DateTime<Utc>) -> Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let (kind, refund) = match cause {
        Cause::Paid => (InvoiceKind::Invoice, None),
        Cause::Refunded(refund) => (InvoiceKind::CreditNote, Some(refund)),
        Cause::TakenBack(refund) => (InvoiceKind::Correction, Some(refund)),
    };
    model::insert_due(conn, kind, orders, refund, now).await?;
    jobs::enqueue(conn, &Job::IssueInvoices {}, now, now).await?;
    Ok(())
}

/// The invoice of an order that its buyer asks for.
///
/// # Errors
/// `not_found`; `no_invoice` where nothing was paid, `invoice_not_issued` while it is to come.
pub async fn of_order(conn: &mut Conn, order: OrderId, buyer: OrderBuyer) -> Result<InvoiceRow> {
    let row = orders::load(conn, order).await?;
    if !buyer.owns(&row) {
        return Err(Code::NotFound.error());
    }
    let issued = model::of_orders(conn, &[order]).await?;
    match issued.into_iter().find(|issued| issued.kind == InvoiceKind::Invoice) {
        Some(invoice) => Ok(invoice),
        None if row.paid_at.is_some() && row.total_minor > 0 => {
            Err(Code::InvoiceNotIssued.error().retry_after(2))
        }
        None => Err(Code::NoInvoice.error()),
    }
}

/// Credit notes and corrections of an order that its buyer asks for, the first first.
///
/// # Errors
/// `not_found`.
pub async fn notes_of(conn: &mut Conn, order: OrderId, buyer: OrderBuyer) -> Result<Vec<InvoiceRow>> {
    if !buyer.owns(&orders::load(conn, order).await?) {
        return Err(Code::NotFound.error());
    }
    let issued = model::of_orders(conn, &[order]).await?;
    Ok(issued.into_iter().filter(|issued| issued.kind != InvoiceKind::Invoice).collect())
}

/// The job [`Job::IssueInvoices`]: issues all that is due.
///
/// # Errors
/// The database's.
pub async fn issue_due(app: &App) -> Result<Outcome> {
    let mut shift = Shift::begin();
    loop {
        // Who finds the work done by another instance doesn't wait for the lock.
        if !model::is_any_due(&mut *db::connect(&app.pool).await?).await? {
            return Ok(Outcome::Done);
        }
        match issue_set(app).await? {
            Issued::Some(0) => return Ok(Outcome::Done),
            Issued::Some(_) if shift.is_over() => return Ok(Outcome::Again(app.clock.now())),
            Issued::Some(SET) => {}
            Issued::Some(_) => shift.gather().await,
            Issued::YearEnded => return Ok(Outcome::Again(app.clock.now() + TimeDelta::seconds(1))),
        }
    }
}

/// How a set went.
enum Issued {
    /// So many rows of what was due are dealt with.
    Some(i64),
    /// This instance's clock still says a year of which the numbers are closed.
    YearEnded,
}

/// Issues what became due first. The counters are locked before anything else, by this job alone: so a number is given out
/// only with its invoice, and time doesn't go back from one to the next.
async fn issue_set(app: &App) -> Result<Issued> {
    let settings = &app.settings;
    let seller = Seller {
        name: settings.seller.name.clone(),
        address: settings.seller.address.clone(),
        tax_id: settings.seller.tax_id.clone(),
    };
    db::transaction(&app.pool, async |conn| {
        let counters = model::lock_counters(conn).await?;
        let mut counters: BTreeMap<_, _> =
            counters.into_iter().map(|(kind, year, last)| (kind.as_str(), (year, last))).collect();
        let now = app.clock.now();
        let year = rules::year_of(now, settings.timezone);
        let due = model::first_due(conn, SET).await?;
        let mut desk = Desk::open(conn, &due, &seller).await?;
        let mut rows = Vec::with_capacity(due.len());
        let mut done = Vec::with_capacity(due.len());
        for item in &due {
            let Some((draft, about)) = desk.draft(item)? else {
                done.push(item.seq);
                continue;
            };
            let counter = counters.get_mut(item.kind.as_str());
            let counter = counter.ok_or_else(|| AppError::internal("a kind without a counter"))?;
            let Ok(next) = rules::next(*counter, year) else { return Ok(Issued::YearEnded) };
            *counter = next;
            rows.push(desk.issue(item, draft, about, next, now)?);
            done.push(item.seq);
        }
        for kind in [InvoiceKind::Invoice, InvoiceKind::CreditNote, InvoiceKind::Correction] {
            if let Some((year, last)) =
                counters.get(kind.as_str()).filter(|_| rows.iter().any(|row| row.kind == kind))
            {
                model::store_counter(conn, kind, *year, *last).await?;
            }
        }
        NewInvoice::insert(&mut &*conn, rows).await?;
        model::delete_due(conn, &done).await?;
        Ok(Issued::Some(i64::try_from(done.len()).unwrap_or(SET)))
    })
    .await
}

/// What was issued, as far as what follows it needs to know.
struct Known {
    id: InvoiceId,
    kind: InvoiceKind,
    refund: Option<RefundId>,
    about: About,
    content: Content,
}

/// All facts that a set of documents is written from.
struct Desk<'a> {
    seller: &'a Seller,
    orders: HashMap<OrderId, OrderRow>,
    lines: HashMap<OrderId, Vec<LineRow>>,
    methods: HashMap<OrderId, Option<String>>,
    names: HashMap<AccountId, Option<String>>,
    refunds: HashMap<RefundId, RefundRow>,
    refund_lines: HashMap<RefundId, Vec<RefundLine>>,
    known: HashMap<OrderId, Vec<Known>>,
}

impl<'a> Desk<'a> {
    async fn open(conn: &mut Conn, due: &[Due], seller: &'a Seller) -> Result<Self> {
        let mut ids: Vec<_> = due.iter().map(|item| item.order_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let refund_ids: Vec<_> = due.iter().filter_map(|item| item.refund_id).collect();
        let orders = model::lock_orders(conn, &ids).await?;
        let accounts: Vec<_> = orders.iter().map(|order| order.account_id).collect();
        let mut desk = Self {
            seller,
            lines: HashMap::new(),
            methods: model::methods_of(conn, &ids).await?.into_iter().collect(),
            names: accounts::names_of(conn, &accounts).await?.into_iter().collect(),
            orders: orders.into_iter().map(|order| (order.id, order)).collect(),
            refunds: HashMap::new(),
            refund_lines: HashMap::new(),
            known: HashMap::new(),
        };
        for line in orders::lines_of(conn, &ids).await? {
            desk.lines.entry(line.order_id).or_default().push(line);
        }
        let (refunds, refund_lines) = model::refunds_of(conn, &refund_ids).await?;
        desk.refunds = refunds.into_iter().map(|refund| (refund.id, refund)).collect();
        for line in refund_lines {
            desk.refund_lines.entry(line.refund_id).or_default().push(line);
        }
        for row in model::of_orders(conn, &ids).await? {
            let known = Known {
                id: row.id,
                kind: row.kind,
                refund: row.refund_id,
                about: About { number: row.number.clone(), issued_at: row.issued_at },
                content: row.content()?,
            };
            desk.known.entry(row.order_id).or_default().push(known);
        }
        Ok(desk)
    }

    /// What is to be issued, and about what; none where it was issued before.
    fn draft(&self, item: &Due) -> Result<Option<(Draft, Option<InvoiceId>)>> {
        let known = self.known.get(&item.order_id).map_or(&[][..], Vec::as_slice);
        if known.iter().any(|known| known.kind == item.kind && known.refund == item.refund_id) {
            return Ok(None);
        }
        let missing = |what: &'static str| move || AppError::internal(what);
        if item.kind == InvoiceKind::Invoice {
            return Ok(Some((self.invoice(item.order_id)?, None)));
        }
        if item.kind == InvoiceKind::Correction {
            let note = known
                .iter()
                .find(|known| known.kind == InvoiceKind::CreditNote && known.refund == item.refund_id);
            let note = note.ok_or_else(missing("a correction of no credit note"))?;
            return Ok(Some((rules::correction(&note.content, note.about.clone()), Some(note.id))));
        }
        let invoice = known.iter().find(|known| known.kind == InvoiceKind::Invoice);
        let invoice = invoice.ok_or_else(missing("a refund of an order without an invoice"))?;
        let refund = item.refund_id.and_then(|id| self.refunds.get(&id));
        let refund = refund.ok_or_else(missing("a credit note without a refund"))?;
        let mut credited: HashMap<LineId, Credited> = HashMap::new();
        for known in known {
            rules::count_credited(&mut credited, known.kind, &known.content);
        }
        let returned = Returned {
            lines: self.refund_lines.get(&refund.id).map_or(&[][..], Vec::as_slice),
            shipping_minor: refund.shipping_minor,
        };
        let draft = rules::credit_note(&invoice.content, invoice.about.clone(), &returned, &credited)?;
        Ok(Some((draft, Some(invoice.id))))
    }

    fn invoice(&self, id: OrderId) -> Result<Draft> {
        let order = self.order(id)?;
        let sold = Sold {
            order,
            paid_at: order.paid_at.ok_or_else(|| AppError::internal("an invoice of an unpaid order"))?,
            lines: self.lines.get(&id).map_or(&[][..], Vec::as_slice),
            method: self.methods.get(&id).and_then(|method| method.as_deref()),
        };
        Ok(rules::invoice(&sold, self.seller))
    }

    fn order(&self, id: OrderId) -> Result<&OrderRow> {
        self.orders.get(&id).ok_or_else(|| AppError::internal("an invoice of no order"))
    }

    /// Gives the draft its number, and remembers it for what follows in the same set.
    fn issue(
        &mut self,
        item: &Due,
        draft: Draft,
        about: Option<InvoiceId>,
        (year, sequence): (i32, i64),
        now: DateTime<Utc>,
    ) -> Result<NewInvoice> {
        let order = self.order(item.order_id)?;
        let name = self.names.get(&order.account_id).and_then(|name| name.as_deref());
        let buyer = rules::buyer(order, name);
        let row = NewInvoice {
            id: InvoiceId::new(),
            kind: item.kind,
            number: rules::number(item.kind, year, sequence),
            year,
            sequence,
            order_id: item.order_id,
            refund_id: item.refund_id,
            about_id: about,
            currency: order.currency.clone(),
            locale: order.locale.clone(),
            total_minor: draft.total_minor,
            tax_minor: draft.tax_minor,
            buyer: buyer.map(serde_json::to_value).transpose().map_err(AppError::internal)?,
            content: serde_json::to_value(&draft.content).map_err(AppError::internal)?,
            issued_at: now,
        };
        let known = Known {
            id: row.id,
            kind: row.kind,
            refund: row.refund_id,
            about: About { number: row.number.clone(), issued_at: now },
            content: draft.content,
        };
        self.known.entry(row.order_id).or_default().push(known);
        Ok(row)
    }
}
