"""What the whole suite shares: the options for sizes that take minutes, and for the engine of the dbt suite."""

import gc
import os

import pytest

from tests import shared_demo


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what all processes share, in the one that starts them."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shared_demo.begin()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--large`: run the tests marked `large` too."""
    parser.addoption("--large", action="store_true", help="also run the tests that take minutes")
    parser.addoption(
        "--engine", choices=("duckdb", "postgres", "spark"), default="duckdb", help="where tests/dbt builds; spark needs pyspark and Java"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is large unless asked for."""
    if not config.getoption("--large"):
        for item in items:
            if item.get_closest_marker("large"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: run with --large"))
    if config.getoption("--engine") != "spark":
        for item in items:
            if item.get_closest_marker("spark"):
                item.add_marker(pytest.mark.skip(reason="needs pyspark and Java 17: run with --engine spark, as make engines does"))


def pytest_unconfigure() -> None:
    """Remove what was shared, and let go of what hypothesis put into `gc.callbacks`, which outlives the last collection, and with it all that the tests imported.

    DuckDB's binding then reports its own types as leaked, forty lines after a run that passed.
    """
    gc.callbacks.clear()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shared_demo.end()
