//! Checkout: the one path of money. Claims, pricing, baskets, orders, payments, cancellations, refunds, parcels, returns,
//! invoices, renewals, withdrawals, store credit, gift cards, gift memberships, orders of guests that an account adopts, and orders
//! that came by an invitation.
//!
//! It is the one wing that knows the others (it prices and fulfils their lines); they know of it only how to place an
//! order. The way of an order is told in docs/ARCHITECTURE.md.

pub mod adoptions;
pub mod baskets;
pub mod cancellations;
pub mod claims;
pub mod credit;
pub mod earned;
pub mod gift_cards;
pub mod gift_codes;
pub mod gifts;
pub mod invited;
pub mod invoices;
pub mod orders;
pub mod payments;
pub mod pick_lists;
pub mod pledges;
pub mod portal;
pub mod pricing;
pub mod refunds;
pub mod renewals;
pub mod reports;
pub mod returns;
pub mod shipments;
pub mod withdrawals;

/// Mounts the wing's rooms.
pub fn configure(config: &mut actix_web::web::ServiceConfig) {
    config
        .configure(orders::routes::configure)
        .configure(payments::routes::configure)
        .configure(baskets::routes::configure)
        .configure(credit::routes::configure)
        .configure(invited::routes::configure)
        .configure(gift_cards::routes::configure)
        .configure(gift_cards::admin_routes::configure)
        .configure(gifts::routes::configure)
        .configure(gifts::admin_routes::configure)
        .configure(invoices::routes::configure)
        .configure(portal::routes::configure)
        .configure(refunds::routes::configure)
        .configure(renewals::routes::configure)
        .configure(reports::routes::configure)
        .configure(returns::routes::configure)
        .configure(returns::admin_routes::configure)
        .configure(shipments::routes::configure)
        .configure(shipments::import_routes::configure)
        .configure(pick_lists::routes::configure)
        .configure(withdrawals::routes::configure);
}
