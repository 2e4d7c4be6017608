//! What makes people come and come back: coupon campaigns, their codes, give-outs of them, invite codes, referrals and
//! partners.

pub mod campaigns;
pub mod command;
pub mod coupons;
pub mod games;
pub mod giveouts;
pub mod invites;
pub mod mailings;
pub mod occasions;
pub mod packets;
pub mod partners;
pub mod perks;
pub mod referrals;
pub mod repeat_cards;
pub mod treats;

use actix_web::web;

/// The routes of the wing.
pub fn configure(config: &mut web::ServiceConfig) {
    campaigns::routes::configure(config);
    coupons::routes::configure(config);
    giveouts::routes::configure(config);
    repeat_cards::routes::configure(config);
    games::routes::configure(config);
    mailings::routes::configure(config);
    occasions::routes::configure(config);
    packets::routes::configure(config);
    invites::routes::configure(config);
    partners::routes::configure(config);
    partners::commission_routes::configure(config);
    perks::routes::configure(config);
    referrals::routes::configure(config);
    referrals::admin_routes::configure(config);
    treats::routes::configure(config);
}
