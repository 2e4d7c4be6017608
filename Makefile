# `make run` to see it, `make test` before every commit. README.md tells the rest.

.PHONY: run build test check bench bench-quick bench-data clean-data

# Installs what is missing, builds, and runs the demo on http://127.0.0.1:8080/ until Ctrl-C.
run: build
	@exec target/release/kindred demo

# Makes target/release/kindred.
build:
	@scripts/setup.sh
	@cargo build --release --locked

# Everything: what CI runs.
test:
	@scripts/test.sh

# The quick part of it: format, lints, unit tests.
check:
	@scripts/check.sh

# How close the program is to what the machine and PostgreSQL allow: a table, and target/bench/report.json.
bench: build
	@target/release/kindred bench

# The same in a few minutes: the figures scatter more.
bench-quick: build
	@target/release/kindred bench --quick

# Makes the shops with many members, into target/bench-data, that `bench` would otherwise make when it first needs them.
bench-data: build
	@target/release/kindred bench-data

# Deletes the data folder and its database. There is no way back.
clean-data:
	@scripts/clean-data.sh
