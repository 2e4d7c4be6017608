#!/bin/sh
# Makes sure that all is there to build and run kindred: Rust, a C compiler, PostgreSQL's server programs, and a font with
# Chinese characters for invoices as PDF. What Debian has is installed by apt where we may; else this prints what to type
# and fails. With `tests`, PgBouncer too, whose tests are skipped where it can't be had.
set -eu

# The folders that the program looks into: src/db/private/programs.rs.
have_postgres() {
    for folder in $(printf '%s' "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin /opt/homebrew/opt/*/bin \
        /usr/local/opt/*/bin /usr/local/pgsql/bin; do
        postgres=$(readlink -f "$folder/postgres" 2>/dev/null) || continue
        bin=$(dirname "$postgres")
        [ -x "$postgres" ] && [ -x "$bin/initdb" ] && [ -x "$bin/pg_dump" ] && return 0
    done
    return 1
}

# The names that the program looks for: src/checkout/invoices/font.rs.
have_font() {
    found=$(find /usr/share/fonts /usr/local/share/fonts /Library/Fonts \( -name wqy-microhei.ttc \
        -o -name wqy-zenhei.ttc -o -name NotoSansSC-Regular.otf \
        -o -name NotoSansCJKsc-Regular.otf -o -name NotoSansCJK-Regular.ttc \) -print 2>/dev/null) || true
    [ -n "$found" ]
}

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install it from https://rustup.rs/, then run this again." >&2
    exit 1
fi

packages=""
have_postgres || packages="$packages postgresql"
command -v cc >/dev/null || packages="$packages gcc libc6-dev"
# Without a font the shop works, and answers invoices as pages alone: elsewhere than on Debian it isn't asked for.
if command -v apt-get >/dev/null; then
    have_font || packages="$packages fonts-wqy-microhei"
fi
optional=""
if [ "${1:-}" = tests ] && command -v apt-get >/dev/null && [ ! -x /usr/sbin/pgbouncer ]; then
    optional=" pgbouncer"
fi
[ -n "$packages$optional" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Missing:$packages. Install PostgreSQL's server (15 or newer) and a C compiler with your system's package" >&2
    echo "manager (macOS: brew install postgresql@17; Fedora: dnf install postgresql-server gcc), then run this again." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
elif [ -z "$packages" ]; then
    echo "This user may not install$optional: its tests are skipped." >&2
    exit 0
else
    echo "Missing:$packages. This user may not install them; please type" >&2
    if command -v sudo >/dev/null; then
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$packages" >&2
    else
        echo "    su -c 'apt-get update && apt-get install -y --no-install-recommends$packages'" >&2
    fi
    echo "and run this again." >&2
    exit 1
fi

if [ -n "$optional" ]; then
    echo "Installing:$optional"
    # Debian's package starts a service of its own on TCP port 6432, which the tests don't use.
    if $sudo apt-get update -q &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $optional; then
        $sudo systemctl disable --now pgbouncer >/dev/null 2>&1 || true
    else
        echo "There is no$optional to be had: its tests are skipped." >&2
    fi
fi
[ -n "$packages" ] || exit 0

echo "Installing:$packages"
# Debian's package makes and starts a server of its own on TCP port 5432, which kindred doesn't use. This asks it not to,
# for the time of this installation only.
folder=/etc/postgresql-common/createcluster.d
if [ ! -e "$folder/kindred.conf" ]; then
    $sudo mkdir -p "$folder"
    echo "create_main_cluster = off" | $sudo tee "$folder/kindred.conf" >/dev/null
    trap '$sudo rm -f "$folder/kindred.conf"' EXIT
fi
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
