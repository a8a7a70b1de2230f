# Each target sets up what it needs: a Python >= 3.12 is found, .venv is made from the lock, then the command runs.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast test-all lint format types layers docs bench records lock clean

VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
STAMP := $(VENV)/.installed
OUT := demo-output
export PYTHON

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv from the lock, with clvmodels editable

$(STAMP): pyproject.toml requirements-dev.lock .ci/find-python
	@$(BIN)/python -Ic "import sys, pip; assert sys.version_info >= (3, 12)" 2>/dev/null || { \
		python=$$(bash .ci/find-python) && \
		echo "setting up $(VENV) with $$python (a few minutes the first time)" && \
		"$$python" -m venv --clear $(VENV); }
	@$(PIP) install --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## the customer equity of CDNOW and the report of a company, on screen and in demo-output/
	$(BIN)/clvmodels value data/cdnow.parquet --assumptions data/cdnow.toml --model auto \
		--customer-id customer_id --time date --value amount --unit week --resolution day --out $(OUT)/cdnow
	$(BIN)/clvmodels report data/company/transactions.csv --value amount --assumptions data/company/assumptions.toml \
		--closings 2022-12-31 2023-12-31 --by segment --returns-ledger data/company/returns.csv \
		--service-ledger data/company/service.csv --campaigns-ledger data/company/campaigns.csv \
		--acquisition-ledger data/company/acquisition.csv --referrals-ledger data/company/referrals.csv \
		--out $(OUT)/company

# Spark's tests come last and alone: one Java, with both cores.
test: $(STAMP)  ## all tests but the slow ones, with coverage
	$(PYTEST) --numprocesses 2 --ignore tests/spark --cov --cov-report= --cov-fail-under 0
	$(PYTEST) -rs tests/spark --cov --cov-append --cov-report term

test-fast: $(STAMP)  ## the tests of the mathematics: models, numerics, and what every model must obey
	$(PYTEST) --numprocesses 2 tests/models tests/numerics tests/contract

test-all: $(STAMP)  ## all tests
	$(PYTEST) --numprocesses 2 --ignore tests/spark --cov --cov-report= --cov-fail-under 0 -m ""
	$(PYTEST) -rs tests/spark --cov --cov-append --cov-report term -m ""

lint: $(STAMP)  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## mypy, strict, on the package
	$(BIN)/mypy

layers: $(STAMP)  ## imports point downwards
	$(BIN)/lint-imports

docs: $(STAMP)  ## the documentation, every page executed, in build/docs (a few minutes)
	$(BIN)/sphinx-build -W --keep-going --fresh-env --jobs 2 --builder html docs build/docs

bench: $(STAMP)  ## measure against the peers; writes benchmarks/README.md (about two hours)
	$(BIN)/python -m benchmarks.run --write
	$(BIN)/python -m benchmarks.scaling --write

records: $(STAMP)  ## forecasts of the bundled data against what came; writes docs/background/records.md (a minute)
	$(BIN)/python -m benchmarks.records --write

lock:  ## resolve pyproject.toml anew and write requirements-dev.lock
	bash .ci/lock

clean:  ## remove what the targets made
	rm -rf $(VENV) $(OUT) build dist .coverage .*_cache .hypothesis
