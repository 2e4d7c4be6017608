//! Memberships: what is sold (tiers, plans), where (chapters in areas, who organises them) and to how many (drives,
//! invitations, applications), and what an account holds of it (memberships, their terms, the member's number).

pub mod applications;
pub mod areas;
pub mod associates;
pub mod benefits;
pub mod catalog;
pub mod chapters;
pub mod community;
pub mod drives;
pub mod freezes;
pub mod invitations;
pub mod measures;
pub mod memberships;
pub mod moves;
pub mod number_series;
pub mod organisers;
pub mod plans;
pub mod renewals;
pub mod seed;
pub mod tiers;
pub mod trials;
pub mod upgrades;

use actix_web::web;

/// Mounts the rooms of this wing.
pub fn configure(config: &mut web::ServiceConfig) {
    catalog::routes::configure(config);
    memberships::routes::configure(config);
    tiers::routes::configure(config);
    benefits::routes::configure(config);
    benefits::admin_routes::configure(config);
    plans::routes::configure(config);
    areas::routes::configure(config);
    chapters::routes::configure(config);
    community::routes::configure(config);
    measures::routes::configure(config);
    measures::admin_routes::configure(config);
    moves::routes::configure(config);
    number_series::routes::configure(config);
    organisers::routes::configure(config);
    organisers::admin_routes::configure(config);
    invitations::routes::configure(config);
    applications::routes::configure(config);
    renewals::routes::configure(config);
    memberships::admin_routes::configure(config);
    associates::routes::configure(config);
    associates::admin_routes::configure(config);
    freezes::routes::configure(config);
    trials::routes::configure(config);
    drives::routes::configure(config);
}
