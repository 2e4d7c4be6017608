//! Amounts as people write them.

/// An amount of minor units as people write it: `200.00`, or `200` where the currency has no minor unit.
pub fn amount_text(minor: i64, currency: &str) -> String {
    const WHOLE: [&str; 15] = [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof",
        "xpf",
    ];
    const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
    if WHOLE.contains(&currency) {
        minor.to_string()
    } else if THOUSANDTHS.contains(&currency) {
        format!("{}.{:03}", minor / 1_000, minor % 1_000)
    } else {
        format!("{}.{:02}", minor / 100, minor % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_the_minor_units_of_their_currency() {
        assert_eq!(amount_text(20_005, "cny"), "200.05");
        assert_eq!(amount_text(200, "jpy"), "200");
        assert_eq!(amount_text(1_005, "kwd"), "1.005");
    }
}
