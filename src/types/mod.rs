//! Values that are right by construction: ids, money, addresses, codes. No I/O, no database, no HTTP.

pub mod day;
pub mod email;
pub mod id;
pub mod locale;
pub mod money;
pub mod patch;
pub mod period;
pub mod stored;
pub mod text;
