#!/bin/sh
# Format, lints with warnings as errors, unit tests: the part of `make test` that needs no database.
set -eu
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo test --locked --workspace --lib
