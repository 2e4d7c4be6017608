//! Ids: a UUIDv7 behind a prefix that says what it names, such as `ord_01939f…`. The prefix keeps an order's id from
//! passing for an account's, at the door and in the code.

use uuid::Uuid;

/// Why a text is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{prefix}_`")]
pub struct IdError {
    pub prefix: &'static str,
}

/// Reads `prefix_` and 32 hex digits.
pub fn parse(text: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32 && !hex.bytes().any(|b| b.is_ascii_uppercase()))
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or(IdError { prefix })
}

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, diesel::expression::AsExpression,
            diesel::deserialize::FromSqlRow, utoipa::ToSchema,
        )]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[schema(value_type = String)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id, led by the machine's time, so that rows written together lie together.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.as_simple())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                diesel::deserialize::FromSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::from_sql(bytes).map(Self)
            }
        }
    )*};
}

id_types! {
    /// A person who signed up.
    AccountId = "acc";
    /// A place where an account is signed in.
    SessionId = "ses";
    /// An address in an account's book.
    AddressId = "addr";
    ApiKeyId = "key";
    SegmentId = "seg";
    TierId = "tier";
    PlanId = "plan";
    ChapterId = "chap";
    /// A part of the country or a city, in which chapters lie.
    AreaId = "area";
    /// Numbers by role, beside the chapters'.
    NumberSeriesId = "nser";
    /// A member's going to another chapter.
    ChapterMoveId = "cmov";
    /// An application to organise a chapter, and the office that comes of it.
    OrganiserId = "orgn";
    DriveId = "drv";
    InvitationId = "inv";
    ApplicationId = "app";
    MembershipId = "mem";
    /// A time in which a member lets the membership rest.
    FreezeId = "frz";
    /// An announcement.
    NoticeId = "ntc";
    /// An address that nothing of a list is sent to.
    SuppressionId = "sup";
    /// A warning, a suspension or an expulsion.
    MeasureId = "meas";
    /// Some days of a plan for nothing.
    TrialId = "trl";
    /// What a tier gives its members.
    BenefitId = "ben";
    BenefitUseId = "bus";
    /// A seat of a membership, for somebody else.
    AssociateId = "asct";
    /// A quote for a change to another tier.
    UpgradeQuoteId = "upq";
    /// Another price of a plan, for members of a lower tier.
    UpgradeOfferId = "uof";
    /// One use of such an offer by an order.
    UpgradeOfferUseId = "ouse";
    /// Going on after one end of a membership.
    RenewalId = "ren";
    /// A visit to Stripe's page for saved cards.
    PortalVisitId = "ptv";
    TermId = "term";
    PoolId = "pool";
    ClaimId = "clm";
    /// What somebody means to buy.
    BasketId = "bsk";
    OrderId = "ord";
    LineId = "line";
    PaymentId = "pay";
    RefundId = "ref";
    DisputeId = "dsp";
    ReturnId = "ret";
    /// An invoice, a credit note, or the correction of one.
    InvoiceId = "ivc";
    ProductId = "prod";
    /// What a line sells of a product.
    VariantId = "var";
    /// The one variant of a bundle, as a line names it.
    BundleId = "bun";
    PriceId = "price";
    /// One entry of the history of a variant's own price.
    ListPriceId = "lp";
    /// A wish to be mailed when a product can be bought.
    ReminderId = "rem";
    MoveId = "move";
    DropId = "drop";
    ChannelId = "chn";
    ChannelSaleId = "sale";
    AudienceId = "aud";
    FCodeId = "fc";
    /// A place in a waiting list.
    WaitingId = "wait";
    ShippingMethodId = "shm";
    ShipmentId = "shp";
    PickListId = "pick";
    WithdrawalId = "wdr";
    RightId = "rgt";
    MailId = "mail";
    JobId = "job";
    ImportId = "imp";
    OfferId = "offer";
    /// A coupon campaign.
    CampaignId = "camp";
    /// One code of a coupon campaign.
    CouponId = "cpn";
    /// One use of a campaign by an order.
    CouponUseId = "use";
    /// Coupons for whoever comes first.
    GiveOutId = "give";
    /// Another firm that gives treats.
    MerchantId = "mct";
    /// What a merchant gives.
    TreatId = "treat";
    TreatCodeId = "tc";
    /// An amount for the first who come.
    PacketId = "pkt";
    /// Packets that go from hand to hand.
    ChainId = "chain";
    /// A weighted chance of prizes.
    GameId = "game";
    PrizeId = "prz";
    PlayId = "play";
    /// A rule by which coupons are given on an occasion.
    OccasionId = "occ";
    /// Coupons for a segment.
    MailingId = "mlg";
    /// Codes that are made together.
    CouponIssueId = "iss";
    /// One movement of store credit.
    CreditEntryId = "cre";
    GiftCardId = "gift";
    /// A term of a plan for somebody else.
    GiftId = "gmem";
    /// What somebody earned at once, in points.
    PointsLotId = "lot";
    PointsEntryId = "pte";
    /// What earns more points, or none.
    PointsRuleId = "ptrl";
    /// What is earned beside the tier that is bought.
    LevelId = "lvl";
    LevelChangeId = "lvc";
    /// How close somebody is to the shop.
    StageId = "stg";
    StageChangeId = "stc";
    /// Who brought whom.
    ReferralId = "rfr";
    /// Who brings buyers for a part of what they buy.
    PartnerId = "ptr";
    PartnerCodeId = "ptc";
    /// One entry of a commission.
    CommissionId = "com";
    PartnerPayoutId = "pout";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_refuses_another_prefix() {
        let id = OrderId::new();
        let text = id.to_string();
        assert!(text.starts_with("ord_"));
        assert_eq!(text.parse::<OrderId>(), Ok(id));
        assert_eq!(text.parse::<AccountId>(), Err(IdError { prefix: "acc" }));
        for bad in ["", "ord_", "ord", "ord_xyz", &text.to_uppercase(), &format!("{text}0")] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }
}
