"""What the tests of the warehouse share: one build over random histories of all tenants, told twice over and in no order."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tests.dbt import engines
from tests.dbt.histories import AS_OF, History, history, told
from tests.dbt.warehouse import build
from tests.oracles.common import Holders


@pytest.fixture(scope="session", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where this session builds, by `--engine`."""
    name = request.config.getoption("--engine")
    with engines.choose(name):
        yield name


SEED = 20261122
LEADS = 75


@pytest.fixture(scope="session")
def made() -> History:
    """What happened."""
    return history(SEED, LEADS)


@pytest.fixture(scope="session")
def built(made: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse at `AS_OF`."""
    with build(tmp_path_factory.mktemp("warehouse"), told(made, SEED), AS_OF) as connection:
        yield connection


@pytest.fixture(scope="session")
def known(made: History) -> dict[str, list[dict[str, Any]]]:
    """All events up to `AS_OF`, with every column that an oracle may ask for."""
    blank = dict.fromkeys(("error_code", "model", "channel", "category", "action_id", "template_name"))
    return {table: [blank | row for row in made.known(table, AS_OF)] for table in made.lake}


@pytest.fixture(scope="session")
def holders(made: History) -> Holders:
    """Who held which point."""
    return Holders(row for row in made.reference["lead_points"] if row.valid_from <= AS_OF)
