//! What rehearsals over years have in common: many lives with the shop, on a clock that is moved. A move takes a second, however
//! long it is, so Stripe's limit of calls a second is set aside, here and in the simulator.
//!
//! Reading order: `people` (how many live), `world` (what they share), `till` (what they do, over HTTP), `post` (the mails they read),
//! `calendar` (the clock), `course` (day by day, and what is killed), `asker` (the rehearsal's own questions), `findings` (what
//! speaks against passing).

mod asker;
pub mod calendar;
pub mod course;
pub mod findings;
pub mod people;
pub mod post;
pub mod till;
pub mod world;
