# `make run` to see it, `make test` before every commit. README.md tells the rest.

.PHONY: run build test check clean-data

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

# Deletes the data folder and its database. There is no way back.
clean-data:
	@scripts/clean-data.sh
