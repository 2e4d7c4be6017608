//! What the shop's board of sales says.

use serde_json::{Value, json};

use super::coupons;
use super::scenario::{FCodeHeld, Kind};
use super::visit::Answer;

/// A ware on the board.
pub struct Offer {
    /// As an order asks for it.
    pub line: Value,
    /// The tier that it makes one a member of; none for goods.
    pub tier: Option<String>,
    pub remaining: i64,
}

/// Where the board hangs.
pub fn path(kind: Kind) -> &'static str {
    match kind {
        Kind::Drives => "/v1/drives",
        Kind::Goods { .. } => "/v1/drops",
        Kind::Coupons { .. } => coupons::PAGE,
    }
}

/// The ware of that code, to be bought with what the buyer holds; none where the board doesn't show it.
pub fn offer_of(board: &Answer, kind: Kind, code: &str, f_code: Option<&FCodeHeld>) -> Option<Offer> {
    if let Kind::Coupons { .. } = kind {
        let variant = board.body.pointer("/variants/0/id")?.as_str()?;
        // There is enough of it.
        let line = json!({ "variant": variant, "quantity": 1 });
        return Some(Offer { line, tier: None, remaining: i64::MAX });
    }
    let sales = board.body.pointer("/data")?.as_array()?;
    let found = sales.iter().find(|sale| sale.get("code").and_then(Value::as_str) == Some(code))?;
    let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str);
    if kind == Kind::Drives {
        let line = json!({ "plan": text("/plan/id")?, "drive": text("/id")? });
        let remaining = found.get("remaining")?.as_i64()?;
        return Some(Offer { line, tier: Some(text("/plan/tier")?.to_owned()), remaining });
    }
    let remaining = found.pointer("/items/0/remaining")?.as_i64()?;
    let mut line = json!({ "drop": text("/id")? });
    let fields = line.as_object_mut()?;
    match text("/items/0/bundle") {
        Some(bundle) => fields.insert("bundle".to_owned(), json!(bundle)),
        None => fields.insert("variant".to_owned(), json!(text("/items/0/variant")?)),
    };
    if let Some(held) = f_code {
        fields.insert("f_code".to_owned(), json!(held.code));
    }
    Some(Offer { line, tier: None, remaining })
}
