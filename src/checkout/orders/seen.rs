//! What a buyer saw before he ordered: his basket, and what he was told that he has to pay. Where that isn't so any more,
//! he is asked again.

use std::collections::HashMap;

use crate::checkout::baskets::model::Standing;
use crate::checkout::pricing::rules::Priced;
use crate::error::{Code, FieldError, Result};
use crate::types::id::BasketId;

/// The basket that a cart was made from, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromBasket {
    pub id: BasketId,
    pub version: i32,
}

/// What a buyer was shown before he ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub due_minor: i64,
    /// Of one unit of each line; empty where that isn't known.
    pub units_minor: Vec<i64>,
}

/// A basket is ordered once, and as the buyer's request found it.
///
/// # Errors
/// `not_found`, `basket_ended`, `stale_quote`.
pub fn still_as_read(basket: Option<FromBasket>, baskets: &HashMap<BasketId, Standing>) -> Result<()> {
    let Some(FromBasket { id, version }) = basket else { return Ok(()) };
    match baskets.get(&id) {
        None => Err(Code::NotFound.at("basket", "there is no such basket")),
        Some(Standing::Ended) => Err(Code::BasketEnded.error()),
        Some(Standing::Open(now)) if *now != version => {
            Err(Code::StaleQuote.at("basket", "it was changed meanwhile"))
        }
        Some(Standing::Open(_)) => Ok(()),
    }
}

/// An order costs what its buyer was shown.
///
/// # Errors
/// `stale_quote`, with what is different now, where the order costs something else than was shown.
pub fn as_shown(shown: Option<&Shown>, priced: &Priced) -> Result<()> {
    let Some(shown) = shown.filter(|shown| shown.due_minor != priced.totals.due_minor) else { return Ok(()) };
    let due_minor = priced.totals.due_minor;
    let mut stale = Code::StaleQuote.at("expected_due", format!("due is {due_minor} now, in minor units"));
    for (index, (line, before)) in priced.lines.iter().zip(&shown.units_minor).enumerate() {
        if line.unit_price_minor != *before {
            let detail = format!("one costs {} now, in minor units, and did {before}", line.unit_price_minor);
            stale.errors.push(FieldError { field: format!("lines[{index}]"), detail });
        }
    }
    Err(stale)
}
