//! What an API key looks like.

/// What a key begins with: it tells a key from an access token, and lets scanners find one that leaked.
pub const PREFIX: &str = "kd_";
