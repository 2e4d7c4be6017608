//! Arithmetic of store credit. Pure. Every amount is in minor units.

/// How an account stands: one of both is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub balance_minor: i64,
    /// Was taken back after it had been spent.
    pub owed_minor: i64,
}

/// What an entry moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub amount_minor: i64,
    pub owed_minor: i64,
}

impl Balance {
    /// After a change.
    #[must_use]
    pub fn after(self, change: Change) -> Self {
        Self {
            balance_minor: self.balance_minor + change.amount_minor,
            owed_minor: self.owed_minor + change.owed_minor,
        }
    }

    /// An amount comes: all of it, and what of it pays at once what is owed.
    pub fn receive(self, amount_minor: i64) -> (Change, Option<Change>) {
        let pays_minor = self.owed_minor.min(amount_minor);
        let whole = Change { amount_minor, owed_minor: 0 };
        let paid = Change { amount_minor: -pays_minor, owed_minor: -pays_minor };
        (whole, (pays_minor > 0).then_some(paid))
    }

    /// An amount is taken back: as far as the balance reaches; the rest is owed, or let go where it isn't to be.
    /// None where there is nothing to move.
    pub fn give_up(self, amount_minor: i64, owe: bool) -> Option<Change> {
        let taken_minor = self.balance_minor.min(amount_minor);
        let owed_minor = if owe { amount_minor - taken_minor } else { 0 };
        (taken_minor > 0 || owed_minor > 0).then_some(Change { amount_minor: -taken_minor, owed_minor })
    }
}

/// How much of an order store credit pays: what the buyer wants, no more than the order comes to, and no rest that is too
/// little for Stripe to charge.
pub fn pays_minor(wanted_minor: i64, total_minor: i64, least_minor: i64) -> i64 {
    let pays_minor = wanted_minor.min(total_minor);
    let rest_minor = total_minor - pays_minor;
    if rest_minor > 0 && rest_minor < least_minor { (total_minor - least_minor).max(0) } else { pays_minor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_owed_is_paid_by_what_comes_next() {
        let none = Balance::default();
        assert_eq!(none.receive(500), (Change { amount_minor: 500, owed_minor: 0 }, None));
        let has = Balance { balance_minor: 200, owed_minor: 0 };
        assert_eq!(has.give_up(500, true), Some(Change { amount_minor: -200, owed_minor: 300 }));
        assert_eq!(has.give_up(500, false), Some(Change { amount_minor: -200, owed_minor: 0 }));
        assert_eq!(none.give_up(500, false), None);
        let owes = Balance { balance_minor: 0, owed_minor: 300 };
        assert_eq!(owes.receive(200).1, Some(Change { amount_minor: -200, owed_minor: -200 }));
        assert_eq!(owes.receive(500).1, Some(Change { amount_minor: -300, owed_minor: -300 }));
    }

    #[test]
    fn no_rest_is_too_little_to_charge() {
        assert_eq!(pays_minor(500, 10_000, 400), 500);
        assert_eq!(pays_minor(20_000, 10_000, 400), 10_000);
        assert_eq!(pays_minor(9_600, 10_000, 400), 9_600);
        assert_eq!(pays_minor(9_601, 10_000, 400), 9_600);
        assert_eq!(pays_minor(300, 300, 400), 300);
        assert_eq!(pays_minor(200, 300, 400), 0);
    }

    proptest! {
        #[test]
        fn never_both_a_balance_and_a_debt(
            steps in prop::collection::vec((any::<bool>(), 1i64..1_000), 1..40)
        ) {
            let mut is = Balance::default();
            let mut sum = 0;
            for (comes, minor) in steps {
                if comes {
                    let (whole, paid) = is.receive(minor);
                    is = is.after(whole);
                    is = paid.map_or(is, |paid| is.after(paid));
                    sum += minor;
                } else if let Some(change) = is.give_up(minor, true) {
                    is = is.after(change);
                    sum -= minor;
                }
                prop_assert!(is.balance_minor >= 0 && is.owed_minor >= 0);
                prop_assert!(is.balance_minor == 0 || is.owed_minor == 0);
                prop_assert_eq!(is.balance_minor - is.owed_minor, sum);
            }
        }

        #[test]
        fn what_is_left_to_pay_can_be_charged(wanted in 0i64..2_000, total in 0i64..2_000, least in 1i64..500) {
            let pays = pays_minor(wanted, total, least);
            prop_assert!((0..=wanted.min(total)).contains(&pays));
            let rest = total - pays;
            prop_assert!(rest == 0 || rest >= least || pays == 0);
        }
    }
}
