//! Who sells: what invoices say of the shop. It is frozen into each when it is issued.

use super::{ConfigError, Reader, wrong};
use crate::types::text;

/// The seller, as invoices name him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerSettings {
    pub name: String,
    /// Line by line; none where the shop hasn't said.
    pub address: Vec<String>,
    /// Such as a VAT number or a unified social credit code.
    pub tax_id: Option<String>,
}

impl SellerSettings {
    /// `sender` is whom the shop's mails come from: by default the seller is called so too.
    pub(super) fn read(read: &Reader<'_>, sender: &str) -> Result<Self, ConfigError> {
        let checked = |name: &str, typed: &str| {
            text::line(typed, 200).map_err(|error| wrong(name, format!("`{typed}`: {error}")))
        };
        let line = |name: &str| read.text(name).map(|typed| checked(name, &typed)).transpose();
        let sender = sender.parse::<lettre::message::Mailbox>().ok().and_then(|sender| sender.name);
        let address = read.text("KINDRED_SELLER_ADDRESS").unwrap_or_default();
        let lines = address.split('|').filter(|typed| !typed.trim().is_empty());
        Ok(Self {
            name: line("KINDRED_SELLER_NAME")?.or(sender).unwrap_or_else(|| "kindred".to_owned()),
            address: lines.map(|typed| checked("KINDRED_SELLER_ADDRESS", typed)).collect::<Result<_, _>>()?,
            tax_id: line("KINDRED_SELLER_TAX_ID")?,
        })
    }
}
