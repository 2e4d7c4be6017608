#!/bin/sh
# stop-postgres.sh FOLDER: stops the private PostgreSQL of a data folder, if it runs, and waits for its end.
set -eu
folder=$1
home=$folder/postgres
[ ! -f "$folder/postgres.location" ] || home=$(head -n 1 "$folder/postgres.location")
pid_file=$home/cluster/postmaster.pid
[ -r "$pid_file" ] || exit 0
pid=$(head -n 1 "$pid_file")
# After a reboot the number may be another program's: a server works in its cluster's folder (Linux tells).
if [ -e "/proc/$pid" ] && [ "$(readlink "/proc/$pid/cwd")" != "$(readlink -f "$home/cluster")" ]; then
    exit 0
fi
kill -INT "$pid" 2>/dev/null || exit 0
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || exit 0
    sleep 0.1
done
echo "the PostgreSQL of $folder (process $pid) doesn't stop" >&2
exit 1
