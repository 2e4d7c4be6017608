//! How many live with the shop.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::super::{RehearsalError, impossible};

/// So many join on a day, at most.
const JOIN_A_DAY: u32 = 2_500;

/// Who lives.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub count: u32,
    /// On so many days they join.
    pub joining_days: u32,
}

impl People {
    /// So many, or as many of `full` as belong to the scale.
    ///
    /// # Errors
    /// When there is nobody.
    pub fn at(full: u32, scale: Decimal, buyers: Option<u32>) -> Result<Self, RehearsalError> {
        let scaled = Decimal::from(full).checked_mul(scale).and_then(|count| count.round().to_u32());
        let count = buyers.or(scaled).filter(|count| *count > 0);
        let count = count.ok_or_else(|| impossible("a rehearsal needs people"))?;
        Ok(Self { count, joining_days: count.div_ceil(JOIN_A_DAY) })
    }

    /// How far the clock is moved where something is due. Where few live, all that is due fits into fewer moves.
    pub fn stride(self) -> TimeDelta {
        TimeDelta::days(if self.joining_days == 1 { 2 } else { 1 })
    }

    /// On which day somebody joins, counted from the first.
    pub fn joins_on(self, index: u32) -> u32 {
        index % self.joining_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_by_scale_or_by_number_and_join_within_days() {
        let all = People::at(10_000, Decimal::ONE, None).unwrap();
        assert_eq!((all.count, all.joining_days), (10_000, 4));
        let few = People::at(10_000, "0.0056".parse().unwrap(), None).unwrap();
        assert_eq!((few.count, few.joining_days, few.joins_on(55)), (56, 1, 0));
        assert_eq!(People::at(10_000, Decimal::ONE, Some(7)).unwrap().count, 7);
        assert!(People::at(10_000, Decimal::ZERO, None).is_err());
        assert!(People::at(10_000, Decimal::ONE, Some(0)).is_err());
    }
}
