# `make` alone prints what there is. Nothing needs to be installed but Python 3.11+, make, and a package index that pip can reach.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
OLIST ?= ../shared/data/olist
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: help demo dev test crash check format olist bench lock clean

help: ## This list
	@echo "Sluice: the warehouse as the marketing-automation system"
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: .venv/installed ## The whole loop on this machine, told as it happens (two minutes)
	@$(BIN)/sluice demo

dev: .venv/installed ## The Dagster UI on 127.0.0.1:3000, the sandbox and the collector; Ctrl-C ends all
	@$(BIN)/sluice dev

olist: .venv/installed ## The Olist marketing funnel, from OLIST=folder of its two files
	@rm -rf .sluice/olist && $(BIN)/sluice init .sluice/olist >/dev/null
	@$(BIN)/sluice --project .sluice/olist demo --olist $(OLIST)

test: .venv/installed-dev ## Every test
	@sh tests/browser.sh
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

crash: .venv/installed-dev ## Runs and vendors killed at any moment, ROUNDS=2000 times (an hour); nothing may be lost or come twice
	@PYTHONPATH=.:tests/activation/engine $(BIN)/python tests/activation/engine/many_crash_rounds.py $(ROUNDS) $(SEED)

ROUNDS ?= 2000

check: .venv/installed-dev ## Style, types, SQL
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint dbt_models/models --processes 2

format: .venv/installed-dev ## Put code and SQL into shape
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: .venv/installed-bench ## Measure speed as ratios against the plain tool, and beside drt and dlt
	@$(BIN)/python -m bench

lock: .venv/installed-dev ## Pin the dependencies anew (names, versions and hashes; no addresses)
	@$(BIN)/uv pip compile pyproject.toml --extra build --extra dev $(LOCK) -o requirements-dev.txt
	@$(BIN)/uv pip compile pyproject.toml --extra build $(LOCK) -c requirements-dev.txt -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --extra build --extra bench $(LOCK) -c requirements-dev.txt -o requirements-bench.txt

LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-strip-extras --quiet

clean: ## Take away the environment and all state of this project
	@rm -rf .venv .sluice dbt_models/target dbt_models/logs

# Pinned by hash: what is installed here is what was tested.
.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Sluice needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Set PYTHON=…") if sys.version_info < (3, 11) else None'
	@echo "Installing into .venv (a minute or two, once) …"
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing what the tests need …"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

.venv/installed-bench: .venv/installed-dev requirements-bench.txt
	@echo "Installing what the benchmarks compare with …"
	@$(PIP) --require-hashes -r requirements-bench.txt
	@touch $@
