//! What somebody has done, in figures, and criteria over them. Levels, upgrade offers and the ladder are ruled by these.

pub mod model;
pub mod rules;
