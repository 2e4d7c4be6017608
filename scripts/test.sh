#!/usr/bin/env bash
# All checks, in the order in which they fail soonest. The tests run on a private PostgreSQL under target/, which the
# first test that needs it starts; it is stopped at the end, and its data stays for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
begun=$SECONDS
step=setup

finish() {
    status=$?
    # The tests' server outlives them, however they end.
    find target -maxdepth 4 -name postgres.lock -exec sh -c 'scripts/stop-postgres.sh "$(dirname "$1")"' sh {} \; 2>/dev/null || true
    # What cargo's own closing lines say, added up.
    counts=$(awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
        END { printf "%d passed, %d failed, %d skipped", passed, failed, skipped }' "$log")
    rm -f "$log"
    if [ "$status" = 0 ]; then
        echo "make test: all is well after $((SECONDS - begun)) s"
    else
        echo "make test: FAILED at: $step (after $((SECONDS - begun)) s)"
    fi
    echo "$counts"
    exit "$status"
}
trap finish EXIT

scripts/setup.sh tests
step=format
cargo fmt --all --check
step=lints
cargo clippy --locked --workspace --all-targets -- -D warnings
step=tests
cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$log"
if [ -x tests/stripe/run.sh ]; then
    step="Stripe's own description and SDKs"
    tests/stripe/run.sh
fi
