# Each target does its own set-up in .venv; the only need is Python 3.11 or newer and a way to install packages.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help reproduce test campaign check docs notebooks bench clean

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c "$(NEW_ENOUGH)" >/dev/null 2>&1 && { echo "$$p"; break; }; done)
BIN := .venv/bin
CODE := src tests examples benchmarks docs
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

help:
	@echo "make reproduce   figures and numbers of the papers, with a report, in reproduction/"
	@echo "make test        tests, docstring examples, examples of README and docs"
	@echo "make campaign    random machines by the hundred thousand (COUNT=…): laws, refusals"
	@echo "make check       format, lint, types, documentation"
	@echo "make docs        the documentation, in the browser at http://127.0.0.1:8000"
	@echo "make notebooks   a notebook for each page of the documentation, in notebooks/"
	@echo "make bench       speed, beside other tools"
	@echo "make clean       remove what these have made, .venv included"

reproduce: .venv/.has-figures
	@$(BIN)/coldspot reproduce --out reproduction

test: .venv/.has-test
	@$(BIN)/python -m pytest -n 2 --dist worksteal

COUNT := 100000
campaign: .venv/.has-test
	@$(BIN)/python -m tests.campaign --count $(COUNT)

check: .venv/.has-test .venv/.has-docs .venv/.has-check
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@# Not quiet: a quiet build counts no warnings, and would pass with broken links.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs: .venv/.has-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

notebooks: $(BIN)/python
	@$(BIN)/python docs/notebooks.py notebooks

bench: .venv/.has-bench
	@$(BIN)/python -m benchmarks.run

clean:
	rm -rf .venv site notebooks reproduction build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp says that the extra of that name is installed; a newer pyproject.toml installs again.
.venv/.has-%: pyproject.toml | $(BIN)/python
	@echo "installing coldspot[$*] in .venv" >&2
	@$(PIP) install --editable ".[$*]"
	@touch $@

.PRECIOUS: .venv/.has-%

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "coldspot needs Python 3.11 or newer, but neither python3 nor python3.11 … 3.14 is that." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
