# `make demo` and `make test` set up what they need; they ask for python3 (3.10 or newer), make and git.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.10 python3; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO := fixtures/programs

.PHONY: demo test format check-format lint types layers pytest clean

# Findings and a diff give status 1; the demo succeeds when both were shown.
demo: .venv/.validate-ready
	@echo '== One line for each finding: mpfix check --output-format concise $(DEMO)'
	@$(BIN)/mpfix check --isolated --exit-zero --output-format concise $(DEMO)
	@echo
	@echo '== In full: mpfix check $(DEMO)/compile_fit.py'
	@$(BIN)/mpfix check --isolated --exit-zero $(DEMO)/compile_fit.py
	@echo
	@echo '== The repair: mpfix apply --diff --unsafe-fixes $(DEMO)/accumulate.py'
	@$(BIN)/mpfix apply --isolated --exit-zero --diff --unsafe-fixes $(DEMO)/accumulate.py 2>&1
	@echo
	@echo '== Before and after, run: mpfix validate --repeat 1 --steps 48 $(DEMO)/compile_fit.py'
	@$(BIN)/mpfix validate --isolated --repeat 1 --steps 48 $(DEMO)/compile_fit.py
	@echo
	@echo 'Demo finished, no file was changed. Without --diff, apply writes what the diff shows.'

test: check-format lint types layers pytest

check-format: .venv/.dev-ready
	$(BIN)/ruff format --check .

lint: .venv/.dev-ready
	$(BIN)/ruff check .

types: .venv/.dev-ready
	$(BIN)/mypy

layers: .venv/.dev-ready
	$(BIN)/lint-imports

pytest: .venv/.dev-ready
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

format: .venv/.dev-ready
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo 'make: no Python 3.10 or newer found; name one with `make PYTHON=/path/to/python3`' >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.runtime-ready: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --editable .
	@touch $@

.venv/.validate-ready: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --editable '.[validate]'
	@touch $@ .venv/.runtime-ready

.venv/.dev-ready: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@ .venv/.runtime-ready .venv/.validate-ready
