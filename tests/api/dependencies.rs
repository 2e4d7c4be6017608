//! The dependencies' licences, sources and bans. It asks cargo about what is already here, never the network.

use std::process::Command;

use serde_json::Value;

/// Licences that let anyone run, change and sell a shop; a new one is a decision, not an accident.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    // The list of root certificates (webpki-roots).
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in, on any platform, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "all TLS is rustls"),
    ("openssl-sys", "all TLS is rustls"),
    ("native-tls", "all TLS is rustls"),
    ("aws-lc-rs", "a second crypto provider beside ring makes rustls panic"),
    ("aws-lc-sys", "a second crypto provider beside ring makes rustls panic"),
    ("pq-sys", "libpq isn't needed: diesel-async speaks to PostgreSQL itself"),
    ("libsqlite3-sys", "one database, one dialect"),
    ("mysqlclient-sys", "one database, one dialect"),
    ("stripe-rust", "it stopped at tokio 0.2; async-stripe is its continuation"),
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What is in the lock file: name and source of every package of every platform; the workspace's own have none.
fn locked() -> Vec<(String, Option<String>)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let lock: toml::Table = text.parse().unwrap();
    let text_of = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let packages = lock["package"].as_array().unwrap();
    packages.iter().map(|p| (text_of(p, "name").unwrap(), text_of(p, "source"))).collect()
}

#[test]
fn every_dependency_comes_from_the_registry_and_none_is_banned() {
    let locked = locked();
    assert!(locked.len() > 100, "the lock file was read");
    for (name, source) in locked {
        match source {
            Some(source) => assert_eq!(source, REGISTRY, "{name}"),
            None => assert!(name.starts_with("kindred"), "{name} has no source"),
        }
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("{name} must not come in: {reason} (`cargo tree --invert {name}` tells who wants it)");
        }
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Only this platform's crates are sure to be downloaded.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences to look at:\n{}", refused.join("\n"));
}

/// Whether a licence expression of SPDX can be met with allowed licences. The old `/` means OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (allowed, rest) = any(&words);
    allowed && rest.is_empty()
}

fn any<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = all(words);
    while let ["OR", after @ ..] = rest {
        let (other, after) = all(after);
        (allowed, rest) = (allowed || other, after);
    }
    (allowed, rest)
}

fn all<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = one(words);
    while let ["AND", after @ ..] = rest {
        let (other, after) = one(after);
        (allowed, rest) = (allowed && other, after);
    }
    (allowed, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match any(inner) {
            (allowed, [")", rest @ ..]) => (allowed, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()), rest)
        }
        [licence, rest @ ..] => (ALLOWED.contains(licence), rest),
        [] => (false, words),
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    for good in
        ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_allowed(good), "{good}");
    }
    for bad in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "MIT WITH strings", "MIT ISC", "(MIT"]
    {
        assert!(!is_allowed(bad), "{bad}");
    }
    // AND binds closer than OR.
    assert!(is_allowed("MIT OR ISC AND GPL-3.0"));
    assert!(!is_allowed("GPL-3.0 OR ISC AND GPL-2.0"));
}
