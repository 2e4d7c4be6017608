//! What a sale in a channel takes from where.

use crate::error::Code;
use crate::types::id::{PoolId, VariantId};

/// What is known of one line of a sale: the pools that it could take from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    pub variant: VariantId,
    pub stock: PoolId,
    /// The channel's allocation of the variant.
    pub allocation: Option<PoolId>,
}

impl Sources {
    /// A channel with an allocation sells that and no more: what it was promised bounds it too.
    pub fn pool(&self) -> PoolId {
        self.allocation.unwrap_or(self.stock)
    }

    /// Are so many left in that pool?
    ///
    /// # Errors
    /// `allocation_sold_out`, `out_of_stock`.
    pub fn take(&self, quantity: i64, left: i64) -> Result<PoolId, Code> {
        if quantity <= left {
            return Ok(self.pool());
        }
        Err(if self.allocation.is_some() { Code::AllocationSoldOut } else { Code::OutOfStock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_sells_its_allocation_and_no_more() {
        let open = Sources { variant: VariantId::new(), stock: PoolId::new(), allocation: None };
        assert_eq!(open.take(3, 3), Ok(open.stock));
        assert_eq!(open.take(4, 3), Err(Code::OutOfStock));
        let allocation = PoolId::new();
        let bound = Sources { allocation: Some(allocation), ..open };
        assert_eq!(bound.take(3, 3), Ok(allocation));
        assert_eq!(bound.take(4, 3), Err(Code::AllocationSoldOut));
    }
}
