# Commands of the project. On a fresh machine python3 (3.11 or newer) and make are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
LOCKS := requirements/runtime.txt requirements/dev.txt

.PHONY: help setup setup-dev demo test check dev bench lock clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/runtime.stamp: requirements/runtime.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) is $$(command -v $(PYTHON)). Set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

setup: .venv/runtime.stamp  ## install what running needs

setup-dev: .venv/dev.stamp  ## install what checks and tests need besides

demo: setup  ## the whole platform on simulated tenants, with planted truth against what was found
	$(BIN)/flexoraa demo

test: setup-dev  ## the whole suite
	$(BIN)/python -m pytest

check: setup-dev  ## lint, format, types, layers, SQL style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models --processes 2 --disable-progress-bar

dev: setup  ## PostgreSQL, collector, Dagster UI and daemon together
	$(BIN)/flexoraa up

bench: setup-dev  ## benchmarks, one JSON object a claim
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) --json || exit 1; done

lock:  ## resolve requirements/*.in anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/bootstrap.in -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/dev.in -o requirements/dev.txt

clean:  ## remove what was installed and the demo's home
	rm -rf .venv .flexoraa-demo dbt_project/target dbt_project/logs
