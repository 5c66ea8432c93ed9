# Everything a user or CI calls. State lives in HRTECH_HOME (var/ by default).
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
ROOT := $(CURDIR)
VENV := $(ROOT)/.venv
BIN := $(VENV)/bin
export HRTECH_HOME ?= $(ROOT)/var
export DAGSTER_HOME ?= $(HRTECH_HOME)/dagster
export VIRTUAL_ENV := $(VENV)
export PATH := $(BIN):$(PATH)
export DAGSTER_DISABLE_TELEMETRY := 1
export DAGSTER_REDACT_USER_CODE_ERRORS ?= 1
export PYTHONWARNINGS ?= ignore

.PHONY: demo test quick ui check venv workspace bench bench-env dist clean-venv

demo: venv  ## the example world, every study, the published page
	@$(BIN)/python -m hrtech_dagster.demo $(ARGS)

test: venv  ## all tests
	@$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

quick: venv  ## the fast tests
	@$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not browser" $(ARGS)

ui: venv  ## the Dagster UI and the restricted pages, behind the guard
	@$(BIN)/python -m hrtech_dagster.serve $(ARGS)

check: venv  ## lint, types, imports, definitions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/dg check yaml
	@$(BIN)/dg check defs

workspace: venv  ## DIR=../our_studies: a project of your own, with your own studies
	@test -n "$(DIR)" || { echo "Say where: make workspace DIR=../our_studies"; exit 2; }
	@$(BIN)/python -m hrtech_dagster.workspace "$(DIR)"

dist: venv  ## wheel and sdist
	@$(BIN)/python -m build --outdir dist

venv: $(VENV)/.installed .env  ## a virtual environment inside the checkout

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; name one: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# dg reads .env, so that it and make share one home.
.env:
	@printf 'HRTECH_HOME=%s\nDAGSTER_HOME=%s\nDAGSTER_DISABLE_TELEMETRY=1\nDAGSTER_REDACT_USER_CODE_ERRORS=1\n' '$(HRTECH_HOME)' '$(DAGSTER_HOME)' > $@
	@mkdir -p '$(DAGSTER_HOME)'

bench-env: venv  ## an environment of its own for each system that we measure against
	@for list in benchmarks/peers/requirements-*.txt; do \
	  name=$${list##*requirements-}; name=$${name%.txt}; \
	  test -x .bench/$$name/bin/python || $(PYTHON) -m venv .bench/$$name; \
	  .bench/$$name/bin/python -m pip install --quiet --disable-pip-version-check -r $$list; \
	  bare=benchmarks/peers/no-deps-$$name.txt; test ! -f $$bare || \
	    .bench/$$name/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $$bare; \
	done

bench: venv  ## every benchmark at --size small, one JSON line a figure
	@for file in $$(grep -l "__main__" benchmarks/*.py); do $(BIN)/python $$file --size small $(ARGS); done
