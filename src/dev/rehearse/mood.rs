//! What a buyer will do with an order, decided by the seed.

use rand::Rng;

/// What happens on the way from the order to the member's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Pays at once.
    Pays,
    /// Is declined, and pays on the same page.
    PaysAfterDecline,
    /// Is declined, and asks for another page.
    PaysByNewAttempt,
    /// A delayed method that delivers after so many seconds.
    PaysLate(u32),
    /// A delayed method that fails, then another attempt.
    FailsLate,
    /// Pays, and Stripe's event never comes.
    PaysUnseen,
    /// Cancels the order.
    Cancels,
    /// Cancels the order and pays the page that is still open in another tab.
    CancelsAndPays,
    /// Closes the browser; the hold ends by itself.
    GivesUp,
    /// Comes to the page at the very end of the hold, or after it.
    PaysAfterHold,
}

/// Moods other than paying at once, in thousandths of all buyers: 85 % just pay.
const SHARES: [(u32, Mood); 9] = [
    (25, Mood::PaysAfterDecline),
    (10, Mood::PaysByNewAttempt),
    (20, Mood::PaysLate(0)),
    (10, Mood::FailsLate),
    (20, Mood::PaysUnseen),
    (25, Mood::Cancels),
    (5, Mood::CancelsAndPays),
    (25, Mood::GivesUp),
    (10, Mood::PaysAfterHold),
];

impl Mood {
    pub fn draw(dice: &mut impl Rng) -> Self {
        let mut roll = dice.random_range(0..1_000);
        for (share, mood) in SHARES {
            if roll < share {
                return if mood == Self::PaysLate(0) {
                    Self::PaysLate(dice.random_range(1..=5))
                } else {
                    mood
                };
            }
            roll -= share;
        }
        Self::Pays
    }

    /// Of who has an F-code: he came to buy, and does.
    pub fn in_earnest(self) -> Self {
        match self {
            Self::Cancels | Self::CancelsAndPays | Self::GivesUp | Self::PaysAfterHold => Self::Pays,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn most_just_pay_and_every_mood_occurs() {
        let mut dice = StdRng::seed_from_u64(1);
        let moods: Vec<_> = (0..10_000).map(|_| Mood::draw(&mut dice)).collect();
        let pays = moods.iter().filter(|mood| **mood == Mood::Pays).count();
        assert!((8_300..8_700).contains(&pays), "{pays}");
        for (_, mood) in SHARES {
            let occurs = |found: &Mood| std::mem::discriminant(found) == std::mem::discriminant(&mood);
            assert!(moods.iter().any(occurs), "{mood:?}");
        }
    }
}
