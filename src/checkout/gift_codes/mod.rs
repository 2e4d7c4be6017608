//! What gift cards and gift memberships have in common: codes in mails, whom they are for, and who guesses them.

pub mod dto;
pub mod guesses;
pub mod rules;
