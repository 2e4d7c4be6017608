//! Drops over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Drop, FCode};
use super::rules::{self, DropState};
use crate::membership::invitations::rules::shown_code;
use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::shop::board::dto::{BoardBody, BoardView};
use crate::shop::board::model::Board;
use crate::shop::crowdfunding::dto::{FundingView, GoalBody};
use crate::types::id::{BundleId, DropId, FCodeId, VariantId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDrop {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "book-box-2014")]
    pub code: String,
    pub names: Names,
    /// For everybody, where there are no audiences.
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
    /// Units of the drop that one person may have.
    pub cap_per_person: Option<i32>,
    /// What is sold: one to twenty variants or bundles.
    pub items: Vec<ItemBody>,
    /// Who may buy from when; absent: everybody from the opening on.
    #[serde(default)]
    pub audiences: Vec<AudienceBody>,
    /// Makes it crowdfunded: everybody pays at once, and has everything back where the goal is missed. Goods alone, 75 days
    /// at most.
    pub goal: Option<GoalBody>,
    /// What it sells is told to everybody who sees it; absent: it has no board.
    pub board: Option<BoardBody>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropItem)]
pub struct ItemBody {
    /// Of a bundle too.
    pub variant: VariantId,
    /// How many the drop sells in all.
    #[schema(example = 8000)]
    pub quantity: i64,
    /// Lawful in this drop alone; the lowest price that is lawful for a buyer counts.
    pub price: Option<Money>,
    /// For whom of those who buy in the drop; absent: all of them.
    pub price_for: Option<Audience>,
}

/// A change of what a drop sells.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropItemChange)]
pub struct ItemChange {
    /// One that the drop sells.
    pub variant: VariantId,
    /// So many more; negative: so many fewer, of those that are free.
    pub add: Option<i64>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub price: Patch<Money>,
    /// Null: everybody who buys in the drop.
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub price_for: Patch<Audience>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropAudience)]
pub struct AudienceBody {
    pub buyers: Audience,
    pub opens_at: DateTime<Utc>,
    /// How many units they may take together; absent: as many as there are.
    pub allocation: Option<i64>,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DropChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub opens_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub closes_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub cap_per_person: Patch<i32>,
    #[serde(default)]
    pub items: Vec<ItemChange>,
    /// A new one takes the place of the old one; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<BoardBody>)]
    pub board: Patch<BoardBody>,
}

/// A drop as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminDrop)]
pub struct AdminDropView {
    pub id: DropId,
    pub code: String,
    pub names: Names,
    pub state: DropState,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    pub cap_per_person: Option<i32>,
    pub items: Vec<AdminItemView>,
    pub audiences: Vec<AudienceBody>,
    pub crowdfunding: Option<FundingView>,
    /// Where it is public.
    pub board: Option<BoardView>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match. Sales don't change it.
    pub version: i32,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminDropItem)]
pub struct AdminItemView {
    pub variant: VariantId,
    /// What is sold without a code; each F-code took one off.
    pub quantity: i64,
    pub held: i64,
    pub sold: i64,
    pub remaining: i64,
    /// Who is offered what comes back, before anybody else can buy it.
    pub waiting: i64,
    pub price: Option<Money>,
    pub price_for: Option<Audience>,
}

impl AdminDropView {
    pub fn new(drop: Drop, board: Option<&Board>, currency: &str, now: DateTime<Utc>) -> Self {
        let board = board.map(|board| BoardView::new(board, &drop, currency, now));
        let state = rules::state(&drop, now);
        let items = drop.items.iter().map(|item| AdminItemView {
            variant: item.variant,
            quantity: item.capacity,
            held: item.held,
            sold: item.taken,
            remaining: item.free(),
            waiting: item.waiting,
            price: item.price.as_ref().map(|price| Money::new(price.minor, currency)),
            price_for: item.price.as_ref().map(|price| price.buyers.clone()),
        });
        let audiences = drop.audiences.iter().map(|of| AudienceBody {
            buyers: of.buyers.clone(),
            opens_at: of.opens_at,
            allocation: of.allocation,
        });
        Self {
            crowdfunding: FundingView::of(&drop),
            items: items.collect(),
            audiences: audiences.collect(),
            board,
            id: drop.id,
            code: drop.code,
            names: drop.names,
            state,
            opens_at: drop.opens_at,
            closes_at: drop.closes_at,
            cap_per_person: drop.cap_per_person,
            created_at: drop.created_at,
            archived_at: drop.archived_at,
            version: drop.version,
        }
    }
}

/// A drop as its reader sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Drop)]
pub struct DropView {
    pub id: DropId,
    pub code: String,
    pub name: String,
    pub names: Names,
    pub state: DropState,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    /// From when you may buy; null: you may not.
    pub opens_for_you_at: Option<DateTime<Utc>>,
    /// May you buy in it now, were enough left?
    pub may_buy: bool,
    /// The code of the refusal, where you mayn't.
    pub refusal: Option<&'static str>,
    pub cap_per_person: Option<i32>,
    pub items: Vec<DropItemView>,
    pub audiences: Vec<AudienceBody>,
    /// Where everybody pays at once and has everything back if the goal is missed.
    pub crowdfunding: Option<FundingView>,
    /// What was sold so far, where that is public.
    pub board: Option<BoardView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DropItemOnSale)]
pub struct DropItemView {
    pub variant: VariantId,
    /// The same, where it is a bundle: as a line of an order names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleId>,
    pub quantity: i64,
    /// What anybody may buy now; what came back for those in the waiting list isn't among it.
    pub remaining: i64,
    /// Yours in this drop, where it has one for you; you pay the lowest that is lawful.
    pub price: Option<Money>,
}

/// Who reads of drops, in which words, and when.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub visitor: Visitor<'a>,
    pub ranks: &'a Ranks,
    pub locale: Locale,
    pub currency: &'a str,
    pub now: DateTime<Utc>,
}

impl DropView {
    pub fn new(drop: Drop, board: Option<&Board>, reader: Reader<'_>) -> Self {
        let Reader { visitor, ranks, locale, currency, now } = reader;
        let board = board.map(|board| BoardView::new(board, &drop, currency, now));
        let refusal = rules::doors(&drop, visitor, ranks, now).err().map(crate::error::Code::as_str);
        let items = drop.items.iter().map(|item| DropItemView {
            variant: item.variant,
            bundle: item.is_bundle.then_some(BundleId(item.variant.0)),
            quantity: item.capacity,
            remaining: item.on_sale(),
            price: item
                .price
                .as_ref()
                .filter(|price| price.buyers.admits(visitor, ranks))
                .map(|price| Money::new(price.minor, currency)),
        });
        let audiences = drop.audiences.iter().map(|of| AudienceBody {
            buyers: of.buyers.clone(),
            opens_at: of.opens_at,
            allocation: of.allocation,
        });
        Self {
            opens_for_you_at: rules::opens_for(&drop, visitor, ranks),
            may_buy: refusal.is_none(),
            refusal,
            crowdfunding: FundingView::of(&drop),
            state: rules::state(&drop, now),
            name: drop.names.pick(locale).to_owned(),
            items: items.collect(),
            audiences: audiences.collect(),
            board,
            id: drop.id,
            code: drop.code,
            names: drop.names,
            opens_at: drop.opens_at,
            closes_at: drop.closes_at,
            cap_per_person: drop.cap_per_person,
        }
    }
}

/// New F-codes: so many for whoever has them, or one each for these people, or for those in a segment, who are told.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFCodes {
    pub variant: VariantId,
    pub quantity: Option<i64>,
    pub emails: Option<Vec<String>>,
    /// Its code: each account that is in it now gets a code of its own, by mail. At most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Exclusive. 24 hours from now by default.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An F-code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FCodeView {
    pub id: FCodeId,
    pub variant: VariantId,
    #[schema(example = "7Q4M2-X9PAB")]
    pub code: String,
    pub is_bound: bool,
    pub is_used: bool,
    pub expires_at: DateTime<Utc>,
    /// Its unit went back on sale.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<FCode> for FCodeView {
    fn from(code: FCode) -> Self {
        Self {
            id: code.id,
            variant: code.variant,
            code: shown_code(&code.code),
            is_bound: code.email_key.is_some() || code.account.is_some(),
            is_used: code.held + code.taken > 0,
            expires_at: code.expires_at,
            ended_at: code.ended_at,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FCodeQuestion {
    pub code: String,
}

/// What a code is, and whether you can use it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FCodeAnswer {
    pub drop: DropId,
    pub variant: VariantId,
    pub expires_at: DateTime<Utc>,
    pub may_use: bool,
    /// The code of the refusal, where you mayn't.
    pub refusal: Option<&'static str>,
}
