//! Which paid orders their buyers may still cancel.

use crate::error::Code;

/// What a line of a paid order sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sells {
    /// Goods alone: they wait for their parcel.
    Goods,
    /// A membership, or something with a right that was granted at payment.
    DeliveredAtOnce,
}

/// A line, as a cancellation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancellable {
    pub sells: Sells,
    /// Units that were handed to a carrier.
    pub shipped: i64,
    /// All that was paid for it went back before: what it sold is over.
    pub is_refunded: bool,
}

/// May the buyer cancel it? The whole order is cancelled or nothing of it: what was sent is a return's business, what was
/// opened at payment an operator's. Lines that were refunded in full before stand in nobody's way.
///
/// # Errors
/// `already_shipped`, `not_cancellable`.
pub fn may_cancel(lines: &[Cancellable]) -> Result<(), Code> {
    if lines.iter().any(|line| line.shipped > 0) {
        return Err(Code::AlreadyShipped);
    }
    let mut open = lines.iter().filter(|line| !line.is_refunded).peekable();
    if open.peek().is_none() || open.any(|line| line.sells == Sells::DeliveredAtOnce) {
        return Err(Code::NotCancellable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEA: Cancellable = Cancellable { sells: Sells::Goods, shipped: 0, is_refunded: false };
    const COURSE: Cancellable = Cancellable { sells: Sells::DeliveredAtOnce, ..TEA };

    #[test]
    fn goods_until_the_first_unit_is_sent() {
        assert_eq!(may_cancel(&[TEA, TEA]), Ok(()));
        assert_eq!(may_cancel(&[TEA, Cancellable { shipped: 1, ..TEA }]), Err(Code::AlreadyShipped));
        let sent_and_refunded = Cancellable { shipped: 1, is_refunded: true, ..TEA };
        assert_eq!(may_cancel(&[TEA, sent_and_refunded]), Err(Code::AlreadyShipped));
    }

    #[test]
    fn what_is_delivered_at_once_only_once_its_money_went_back() {
        assert_eq!(may_cancel(&[COURSE]), Err(Code::NotCancellable));
        assert_eq!(may_cancel(&[TEA, COURSE]), Err(Code::NotCancellable));
        assert_eq!(may_cancel(&[TEA, Cancellable { is_refunded: true, ..COURSE }]), Ok(()));
        assert_eq!(may_cancel(&[Cancellable { is_refunded: true, ..TEA }]), Err(Code::NotCancellable));
    }
}
