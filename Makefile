# `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests talk to loopback only. These keep every AWS client from looking for real credentials.
export AWS_ACCESS_KEY_ID ?= practice
export AWS_SECRET_ACCESS_KEY ?= practice
export AWS_REGION ?= us-east-1
export AWS_EC2_METADATA_DISABLED ?= true

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=...'; exit 1; }
	@command -v cargo > /dev/null || { echo 'Rust is needed: https://rustup.rs'; exit 1; }
	@echo 'making $(VENV), with the tools of development'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

.PHONY: develop
develop: $(VENV)/.ready ## build the engine (unoptimised, with crash points) and install the package into .venv
	@echo 'building the engine: some minutes the first time'
	@$(BIN)/maturin develop --quiet --features testing > $(VENV)/maturin.log 2>&1 || { cat $(VENV)/maturin.log; exit 1; }

.PHONY: demo
demo: develop ## watch the main job run: pull 10,000 users from a practice org on this machine
	@$(BIN)/circulate demo

.PHONY: test
test: lint lint-iac test-rust test-python ## everything CI checks but licences and a second seed of torture

# What the tests of a user's first steps are in.
SMOKE := tests/project tests/pull/test_cli.py tests/pull/test_pull.py tests/pull/test_api.py tests/read/test_history.py

.PHONY: check
check: lint ## formats, lints, types, unit tests, and a smoke test of the package (less than two minutes once built)
	cargo test --locked --quiet --workspace --lib
	$(BIN)/pytest --quiet --numprocesses 2 --dist loadgroup $(SMOKE)

.PHONY: lint
lint: develop ## formats, lints, types
	cargo fmt --all --check
	cargo clippy --locked --quiet --workspace --all-targets -- --deny warnings
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/mypy tests/conftest.py tests/support tests/golden/make.py tests/pull tests/read tests/local tests/project tests/torture tests/bench
	$(BIN)/mypy tests/practice
	$(BIN)/mypy tests/deploy
	$(BIN)/mypy tests/operate
	$(BIN)/mypy tests/author
	$(BIN)/python -m mypy.stubtest circulate_core._core

# In a place of its own, since it wants exact versions of much that others use too.
CHECKOV := .tools/checkov
$(CHECKOV)/bin/checkov:
	@echo 'installing checkov, which judges Terraform'
	@$(PYTHON) -m venv $(CHECKOV)
	@$(CHECKOV)/bin/pip install --quiet --disable-pip-version-check 'checkov==3.3.30'

.PHONY: lint-iac
lint-iac: $(CHECKOV)/bin/checkov ## what a security review of the Terraform would ask first
	@$(CHECKOV)/bin/checkov --directory lambdas/iac --framework terraform --skip-download --compact --quiet

# An S3 that checks signatures, as a second opinion. 0.14.1 is the newest that the Rust of this project compiles.
S3S_FS := .tools/bin/s3s-fs
$(S3S_FS):
	@echo 'building s3s-fs, an S3 to test with: a minute or two'
	@cargo install --quiet --locked --debug --root .tools --features binary s3s-fs@0.14.1

# Servers of others, by which paginators are judged; apart, since they bring much along.
JUDGES := .tools/judges
$(JUDGES)/.ready: pyproject.toml
	@echo 'installing servers of others, by which paginators are judged'
	@$(PYTHON) -m venv $(JUDGES)
	@$(JUDGES)/bin/pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(JUDGES)/bin/pip install --quiet --disable-pip-version-check --group judges
	@touch $@

# Likewise, by which signing in is judged: an OpenID provider, which runs on Node.js 20 or later.
OIDC := .tools/oidc
$(OIDC)/.ready: tests/judges/package.json
	@command -v npm > /dev/null || { echo 'Node.js 20 or later is needed, with npm: https://nodejs.org'; exit 1; }
	@echo 'installing an OpenID provider of others, by which signing in is judged'
	@mkdir -p $(OIDC)
	@cp $< $(OIDC)
	@npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix $(OIDC)
	@touch $@

.PHONY: test-rust
test-rust: $(VENV)/.ready $(S3S_FS) ## unit and property tests of the engine, and what needs stand-ins for AWS
	@# Of the whole workspace, so that crates are built with the same features as for the package, once.
	$(BIN)/python tests/support/stand_ins.py cargo test --locked --quiet --workspace -- --include-ignored

.PHONY: test-python
test-python: develop $(S3S_FS) $(JUDGES)/.ready $(OIDC)/.ready ## what a user sees, against real servers on loopback
	$(BIN)/pytest --numprocesses 2 --dist loadgroup

.PHONY: deploy-local
deploy-local: develop ## make everything with Terraform, in stand-ins for AWS, and try it (needs terraform; minutes)
	@DEPLOY=1 $(BIN)/pytest --quiet --capture no tests/deploy/test_deployment.py

.PHONY: torture
torture: develop $(S3S_FS) ## kill the worker at least 20 times at every point of the protocol, and more (half an hour)
	@# Properties of what comes from outside, on twenty times as many inputs.
	PROPTEST_CASES=5000 cargo test --locked --quiet --workspace --lib -- page:: http:: redact auth::oauth2 run::ends_tests run::corruption_tests timestamp cursor
	TORTURE=20 $(BIN)/pytest --numprocesses 2 --timeout 3600 tests/torture

.PHONY: torture-seed
torture-seed: develop $(S3S_FS) ## a second seed of torture at some points of the protocol (minutes)
	TORTURE=2 $(BIN)/pytest --quiet --numprocesses 2 --dist loadgroup tests/torture \
		-k "before-checkpoint or after-index or ctrl_c_at_any_time"

.PHONY: release
release: $(VENV)/.ready ## build the engine, optimised, and install the package into .venv
	@echo 'building the engine, optimised: some minutes the first time'
	@$(BIN)/maturin develop --release --quiet > $(VENV)/maturin.log 2>&1 || { cat $(VENV)/maturin.log; exit 1; }

.PHONY: bench
bench: release ## compare us with a floor and a plain script (release build: minutes)
	$(BIN)/pip install --quiet --disable-pip-version-check --group bench
	cargo build --release --quiet --locked --example floor
	$(BIN)/python tests/bench/bench.py --release-check --memory $(BENCH)

.PHONY: bench-aws
bench-aws: release $(S3S_FS) ## compare first calls with boto3, and S3 with a folder (release build: minutes)
	$(BIN)/python tests/support/stand_ins.py $(BIN)/python tests/bench/cold_start.py $(BENCH_COLD)
	$(BIN)/python tests/support/stand_ins.py $(BIN)/python tests/bench/lake.py $(BENCH_LAKE)

.PHONY: bench-promote
bench-promote: release $(S3S_FS) ## time promotions of 100,000 tiny objects (release build: minutes)
	$(BIN)/python tests/support/stand_ins.py $(BIN)/python tests/bench/promote.py $(BENCH_PROMOTE)

.PHONY: bench-tables
bench-tables: release ## compare tables of JSON with pyarrow, polars and duckdb (release build: minutes)
	cargo build --release --quiet --locked --example tables
	$(BIN)/python tests/bench/tables.py $(BENCH_TABLES)
	$(BIN)/python tests/bench/drift.py

.PHONY: bench-current
bench-current: release ## compare the current table of a lake with duckdb over the same files (release build: minutes)
	$(BIN)/python tests/bench/current.py $(BENCH_CURRENT)

.PHONY: bench-lambda
bench-lambda: release ## time Lambda functions under the local runner, cold and warm, beside boto3 (release build: minutes)
	@$(BIN)/python tests/bench/lambdas.py

.PHONY: package
package: develop ## make what goes to AWS: zips of functions and layers (release build: minutes)
	@$(BIN)/pip install --quiet --disable-pip-version-check --group package
	@$(BIN)/circulate package

.PHONY: size
size: $(VENV)/.ready ## say what the bytes of the extension and of the wheel are (links a release build twice: minutes)
	@$(BIN)/python tests/bench/size.py

DENY := .tools/bin/cargo-deny
$(DENY):
	@echo 'building cargo-deny, which judges what crates are used: some minutes'
	@cargo install --quiet --locked --debug --root .tools cargo-deny@^0.20

.PHONY: deny
deny: $(DENY) ## licences, sources and duplicate versions of all crates (builds cargo-deny: minutes)
	$(DENY) --workspace check bans licenses sources

.PHONY: notebooks
notebooks: develop ## run the notebooks of the documentation against a practice org, and write what they show
	@$(BIN)/python tests/support/notebooks.py $(NOTEBOOKS)

.PHONY: schemas
schemas: ## write the JSON Schemas of definitions anew
	UPDATE_SCHEMAS=1 cargo test --locked --quiet schemas

.PHONY: clean
clean: ## remove everything that was built
	rm -rf target $(VENV) .tools python/circulate_core/*.so
