//! What kinds of lives there are, and how often each is led.

/// A life that is led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Pays by card and stays.
    Steady,
    /// Has too little money on the card at one of the ends, and enough a day or three later.
    Flaky,
    /// The bank refuses the card at the first end; pays by the link of the mail, and has a card that works from then on.
    Declined,
    /// The bank refuses the card at the first end, and nobody minds.
    Gone,
    /// The bank wants its owner at the first end, or another card; pays by the link.
    Confirms,
    /// Takes the card off Stripe's page before the first end, and pays by links from then on.
    Removes,
    /// Has a card that ends before the first term does, is told so, and saves another one.
    Replaces,
    /// Pays by WeChat Pay or Alipay, year after year by the link of a reminder.
    Wallet,
    /// Does so once, and never again.
    Leaves,
    /// Pays the difference to the higher tier; the end stays.
    Upgrades,
    /// Pays for a whole term of the higher tier, from then on.
    Restarts,
    /// Plans the lower tier for the end of the first term.
    Downgrades,
    /// Cancels in the second year.
    Cancels,
    /// Buys the next one a membership.
    Giver(Present),
    /// Is given one.
    Friend(Present),
    /// Lets the membership rest, for as long as was said or until he resumes it.
    Freezes,
    Resumes,
    /// Has the next one as an associate, and stays or leaves.
    Head,
    LeavingHead,
    Associate,
    /// Moves to another chapter.
    Moves,
    /// Buys a membership without an end.
    ForLife,
    /// Gets the money back within the first weeks.
    Refunded,
}

/// What becomes of a membership that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Begins a membership, which ends a year later.
    Begins,
    /// Is added to the one that the friend pays for himself.
    Adds,
    /// Its money goes back before it is redeemed.
    Void,
    /// Nobody redeems it.
    Forgotten,
    /// Its money goes back after it was redeemed.
    TakenBack,
}

/// One round of lives; the crowd is many of them. Who gives, or is a head, has the next one as friend or associate.
const ROUND: [Role; 56] = [
    Role::Steady,
    Role::Wallet,
    Role::Flaky,
    Role::Giver(Present::Begins),
    Role::Friend(Present::Begins),
    Role::Steady,
    Role::Upgrades,
    Role::Declined,
    Role::Steady,
    Role::Head,
    Role::Associate,
    Role::Steady,
    Role::Confirms,
    Role::Wallet,
    Role::Freezes,
    Role::Giver(Present::Adds),
    Role::Friend(Present::Adds),
    Role::Steady,
    Role::Removes,
    Role::Restarts,
    Role::Steady,
    Role::Cancels,
    Role::ForLife,
    Role::Replaces,
    Role::Steady,
    Role::Giver(Present::Void),
    Role::Friend(Present::Void),
    Role::Wallet,
    Role::Steady,
    Role::Resumes,
    Role::Moves,
    Role::Downgrades,
    Role::Steady,
    Role::LeavingHead,
    Role::Associate,
    Role::Gone,
    Role::Giver(Present::TakenBack),
    Role::Friend(Present::TakenBack),
    Role::Leaves,
    Role::Refunded,
    Role::Steady,
    Role::Giver(Present::Forgotten),
    Role::Friend(Present::Forgotten),
    Role::Upgrades,
    Role::Wallet,
    Role::Steady,
    Role::Flaky,
    Role::Declined,
    Role::Steady,
    Role::Confirms,
    Role::Upgrades,
    Role::Steady,
    Role::Removes,
    Role::Wallet,
    Role::Flaky,
    Role::Steady,
];

impl Role {
    /// The life of the person of that number.
    pub fn of(index: u32) -> Self {
        let at = usize::try_from(index).unwrap_or_default() % ROUND.len();
        ROUND.get(at).copied().unwrap_or(Self::Steady)
    }

    /// Does he buy a membership himself?
    pub fn joins(self) -> bool {
        !matches!(self, Self::Associate | Self::Friend(_)) || self == Self::Friend(Present::Adds)
    }

    /// Pays by a wallet, which saves nothing.
    pub fn has_wallet(self) -> bool {
        matches!(self, Self::Wallet | Self::Leaves | Self::ForLife | Self::Friend(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_or_heads_has_somebody_beside_him() {
        for index in 0..200 {
            let next = Role::of(index + 1);
            match Role::of(index) {
                Role::Giver(present) => assert_eq!(next, Role::Friend(present)),
                Role::Head | Role::LeavingHead => assert_eq!(next, Role::Associate),
                _ => assert!(!matches!(next, Role::Friend(_) | Role::Associate)),
            }
        }
    }
}
