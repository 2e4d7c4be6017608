//! Why a coupon can't be used: stable names for storefronts and operators, and a sentence for the buyer.

use crate::error::Code;
use crate::types::locale::Locale;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $zh:literal $en:literal;)*) => {
        /// Why a coupon is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant),* }

        impl Reason {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What the buyer is told.
            pub fn message(self, locale: Locale) -> &'static str {
                match self { $(Self::$variant => locale.pick($zh, $en)),* }
            }
        }
    };
}

reasons! {
    Unknown "unknown_coupon" "没有这个优惠码，请检查是否输错。" "There is no such code: look for a slip of the keyboard.";
    GoodElsewhere "coupon_good_elsewhere" "这是合作商家的券，请到商家处使用。" "This is a merchant's: it is good in the merchant's own shop.";
    Repeated "coupon_repeated" "同一个优惠码只能填一次。" "A code counts once.";
    NotStarted "coupon_not_started" "这张优惠券还没到使用时间。" "This coupon can't be used yet.";
    Ended "coupon_ended" "这个活动已经结束。" "This campaign is over.";
    Paused "coupon_paused" "这个活动暂停中，请稍后再试。" "This campaign is paused: try again later.";
    Expired "coupon_expired" "这张优惠券已经过期。" "This coupon has expired.";
    Revoked "coupon_revoked" "这张优惠券已被收回。" "This coupon was withdrawn.";
    NotYours "coupon_not_yours" "这张优惠券属于另一位用户。" "This coupon belongs to somebody else.";
    Used "coupon_used" "这张优惠券已经用过了。" "This coupon has been used.";
    Held "coupon_held" "这张优惠券正被一笔未付款的订单占用。" "An order that waits for its payment holds this coupon.";
    UsedUp "coupon_used_up" "优惠名额已经用完。" "All of them have been used.";
    DayUsedUp "coupon_day_used_up" "今天的优惠名额已经用完，明天再来。" "Today's are used up: come back tomorrow.";
    BudgetUsedUp "coupon_budget_used_up" "活动预算已经用完。" "The campaign has no money left for this.";
    PersonLimit "coupon_person_limit" "您已达到每人使用次数上限。" "You have used it as often as one person may.";
    OrderLimit "coupon_order_limit" "一笔订单不能再用更多张。" "One order can't use more of these.";
    SignIn "coupon_sign_in" "请先登录。" "Sign in first.";
    MembersOnly "coupon_members_only" "仅限会员使用。" "For members only.";
    TierRequired "coupon_tier_required" "您的会员等级不够。" "For members of a higher tier.";
    LevelRequired "coupon_level_required" "您的等级不够。" "For a higher level.";
    SegmentRequired "coupon_segment_required" "仅限受邀用户使用。" "For chosen people only.";
    FirstOrderOnly "coupon_first_order_only" "仅限首单使用。" "For a first order only.";
    NewcomersOnly "coupon_newcomers_only" "仅限新用户使用。" "For new accounts only.";
    NotBought "coupon_not_bought" "仅限买过指定商品的用户使用。" "For those who have bought a certain product.";
    NotBirthdayMonth "coupon_not_birthday_month" "仅限生日当月使用。" "For the month of your birthday.";
    NothingInScope "coupon_nothing_in_scope" "购物车里没有适用的商品。" "Nothing in the cart is what it is for.";
    OtherSale "coupon_other_sale" "这张券不适用于这种会员购买（入会、续费、升级或赠送）。" "It is for another way to buy a membership: joining, renewing, upgrading or giving.";
    GiftNotInCart "coupon_gift_not_in_cart" "请先把赠品加入购物车。" "Add the gift to the cart first.";
    MinimumSpend "coupon_minimum_spend" "还没达到最低消费金额。" "The cart doesn't come to the smallest sum for it.";
    MinimumQuantity "coupon_minimum_quantity" "件数还不够。" "The cart doesn't have enough of it.";
    MethodNotOffered "coupon_method_not_offered" "这笔订单不能用优惠指定的支付方式。" "The order can't be paid in the way that it is for.";
    NothingToTakeOff "coupon_nothing_to_take_off" "没有可以减免的金额。" "There is nothing left to take off.";
    NotCombined "coupon_not_combined" "不能与已用的优惠同时使用；已为您选择更划算的组合。" "It can't stand beside the others: the better set was taken.";
    BetterWithout "coupon_better_without" "不用这张券更划算。" "You pay less without it.";
    TooLittleLeft "coupon_too_little_left" "用券后的金额低于最低支付额。" "What is left to pay would be too little to charge.";
}

impl Reason {
    /// From what an audience refuses by.
    pub fn of_audience(code: Code) -> Self {
        match code {
            Code::Unauthenticated => Self::SignIn,
            Code::MembersOnly => Self::MembersOnly,
            Code::TierRequired => Self::TierRequired,
            Code::LevelRequired => Self::LevelRequired,
            _ => Self::SegmentRequired,
        }
    }

    /// The buyer pays no more without it than with it: no reason to refuse his order.
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::NotCombined | Self::BetterWithout | Self::NothingToTakeOff)
    }
}
