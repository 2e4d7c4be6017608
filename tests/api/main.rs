//! The one test binary: a file a feature, against a real PostgreSQL, over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout
)]

mod support;

mod accounts;
mod addresses;
mod admission;
mod adoptions;
mod applications;
mod associates;
mod baskets;
mod belonging;
mod bench;
mod benefits;
mod catalog_admin;
mod channels;
mod chapters;
mod check;
mod checkout;
mod community;
mod connections;
mod coupons;
mod credit;
mod crowdfunding;
mod demo;
mod dependencies;
mod drives;
mod drop_events;
mod event_coupons;
mod freezes;
mod front;
mod fulfilment;
mod games;
mod generated;
mod gift_cards;
mod gifts;
mod giveouts;
mod goods;
mod guest_returns;
mod guests;
mod housekeeping;
mod imports;
mod instances;
mod invitations;
mod invoices;
mod jobs;
mod level_reviews;
mod levels;
mod lives;
mod lives_together;
mod loyal_fans;
mod mails;
mod memberships;
mod million_members;
mod notices;
mod offers;
mod operators;
mod order_desk;
mod overload;
mod packets;
mod partners;
mod payment_faults;
mod pgbouncer;
mod plan_coupons;
mod plans;
mod platform;
mod points;
mod preorders;
mod private_postgres;
mod referral_terms;
mod referrals;
mod rehearse;
mod renewals;
mod repeat_cards;
mod replica;
mod reports;
mod reports_of_members;
mod returning;
mod returns;
mod segments;
mod sessions;
mod settings_page;
mod settling;
mod skeleton;
mod stripe_sdks;
mod stripe_simulator;
mod three_years;
mod trials;
mod upgrade_offers;
mod upgrades;
mod vouchers;
mod waiting_list;
mod withdrawals;
