//! The pages that explain the settings are complete and name nothing that doesn't exist.

use std::collections::BTreeSet;

use kindred::config::KNOWN_NAMES;

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn readme_and_env_example_name_every_setting() {
    let known = BTreeSet::from(KNOWN_NAMES);
    let example = read(".env.example");
    let named: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('=').map(|(name, _)| name))
        .filter(|name| !name.contains([' ', '`']) && *name != "POSTGRES_PASSWORD")
        .collect();
    assert_eq!(named, known, ".env.example");

    let readme = read("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: BTreeSet<_> = rows
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert_eq!(named, known, "README.md");
}
