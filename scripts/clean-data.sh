#!/bin/sh
# Deletes the data folder (KINDRED_DATA_DIR, else ./data) with its database, also where that lies elsewhere.
set -eu
cd "$(dirname "$0")/.."
folder=${KINDRED_DATA_DIR:-data}
if [ ! -e "$folder" ]; then
    echo "There is no $folder."
    exit 0
fi
if [ ! -e "$folder/postgres.lock" ] && [ ! -e "$folder/kindred.lock" ]; then
    echo "$folder doesn't look like a data folder of kindred: nothing was deleted." >&2
    exit 1
fi
if command -v flock >/dev/null && [ -e "$folder/kindred.lock" ] && ! flock -n "$folder/kindred.lock" true; then
    echo "kindred runs on $folder: stop it first." >&2
    exit 1
fi
scripts/stop-postgres.sh "$folder"
if [ -f "$folder/postgres.location" ]; then
    home=$(head -n 1 "$folder/postgres.location")
    case $home in
        /var/lib/kindred/?*) rm -rf "$home" ;;
        *) echo "$folder/postgres.location names $home, which isn't ours: left there." >&2 ;;
    esac
fi
rm -rf "$folder"
echo "Deleted $folder."
