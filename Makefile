# Commands of the project. On a fresh machine python3 (3.11 or newer) and make are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
# One process more than cores: a third of the suite's time is waiting for servers and processes that tests start.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
LOCKS := requirements/runtime.txt requirements/dev.txt
# Every process here imports much: where bytecode may not be kept, each compiles it anew, 1.5 s of processor time for dbt's alone.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev setup-spark demo test check engines dev bench lock advisories sbom clean

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

.venv/spark.stamp: .venv/dev.stamp requirements/spark.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/spark.txt
	@touch $@

setup-spark: .venv/spark.stamp  ## install what the engine spark needs besides Java 17 (pyspark: 478 MB)

demo: setup  ## the whole platform on simulated tenants, with planted truth against what was found
	$(BIN)/flexoraa demo

test: setup-dev  ## the whole suite
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Java compiles less and starts sooner so: half the processor time for these small builds, and the same results.
engines: export JAVA_TOOL_OPTIONS := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m
engines: setup-spark  ## the dbt suite on Postgres and on Spark, and every mart against DuckDB's; needs Java 17
	@command -v java >/dev/null || test -x "$$JAVA_HOME/bin/java" || { echo "Spark needs Java 17: apt-get install openjdk-17-jre-headless, or set JAVA_HOME"; exit 2; }
	$(BIN)/python -m pytest tests/dbt --engine postgres
	$(BIN)/python -m pytest tests/dbt tests/e2e/test_engines.py tests/e2e/test_spark_cluster.py tests/orchestration/test_scoring.py --engine spark -o timeout=1800

check: setup-dev  ## lint, format, types, layers, SQL style, known vulnerabilities of what is locked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models --processes 2 --disable-progress-bar
	$(BIN)/python requirements/audit.py

dev: setup  ## PostgreSQL, collector, Dagster UI and daemon together
	$(BIN)/flexoraa up

bench: setup-dev  ## benchmarks, one JSON object a claim
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) --json || exit 1; done

lock:  ## resolve requirements/*.in anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/bootstrap.in -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet requirements/spark.in -o requirements/spark.txt

advisories: setup-dev  ## take over OSV's advisories for what is locked; the one target that needs the internet
	$(BIN)/python requirements/audit.py refresh

sbom: setup-dev  ## the software bill of materials of the runtime, as CycloneDX: sbom.cdx.json
	$(BIN)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml --output-reproducible --validate -o sbom.cdx.json

clean:  ## remove what was installed and the demo's home
	rm -rf .venv .flexoraa-demo dbt_project/target dbt_project/logs
