//! When and for whom an offer is.

use chrono::{DateTime, Utc};

use super::model::Offer;
use crate::error::Code;
use crate::shop::audience::{Ranks, Visitor};

/// May this visitor use it now?
///
/// # Errors
/// `not_open`, `closed`, or the reason that its audience gives.
pub fn may_use(offer: &Offer, visitor: Visitor, ranks: &Ranks, now: DateTime<Utc>) -> Result<(), Code> {
    if offer.archived_at.is_some() || offer.ends_at.is_some_and(|end| end <= now) {
        return Err(Code::Closed);
    }
    if offer.starts_at.is_some_and(|start| now < start) {
        return Err(Code::NotOpen);
    }
    offer.buyers.admit(visitor, ranks)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::shop::audience::Audience;
    use crate::shop::offers::model::OfferKind;
    use crate::types::id::{OfferId, VariantId};
    use crate::types::locale::Names;

    #[test]
    fn it_runs_in_its_window_for_its_audience() {
        let now: DateTime<Utc> = "2014-06-17T02:00:00Z".parse().unwrap();
        let offer = Offer {
            id: OfferId::new(),
            code: "tea".into(),
            kind: OfferKind::Gift,
            names: Names::new("茶", "Tea"),
            buyers: Audience::Members,
            buy: VariantId::new(),
            buy_quantity: 2,
            get: VariantId::new(),
            get_quantity: 1,
            most_per_order: None,
            supplement_minor: None,
            starts_at: Some(now),
            ends_at: Some(now + TimeDelta::hours(1)),
            created_at: now,
            archived_at: None,
            version: 1,
        };
        let tick = TimeDelta::microseconds(1);
        let visitor = |tier_rank| Visitor { is_signed_in: true, tier_rank, ..Visitor::default() };
        let ask = |offer: &Offer, rank, at| may_use(offer, visitor(rank), &Ranks::default(), at);
        assert_eq!(ask(&offer, Some(10), now), Ok(()));
        assert_eq!(ask(&offer, None, now), Err(Code::MembersOnly));
        assert_eq!(ask(&offer, Some(10), now - tick), Err(Code::NotOpen));
        assert_eq!(ask(&offer, Some(10), now + TimeDelta::hours(1) - tick), Ok(()));
        assert_eq!(ask(&offer, Some(10), now + TimeDelta::hours(1)), Err(Code::Closed));
        let archived = Offer { archived_at: Some(now), ..offer };
        assert_eq!(ask(&archived, Some(10), now), Err(Code::Closed));
    }
}
