"""Seeds are ours, and joined by a moment: a hole in one would make rows vanish, an overlap would double them."""

from pathlib import Path

import duckdb
import pytest

from assets.project import PROJECT
from tests.dbt import worker

DATED = {path.stem for path in (PROJECT / "seeds").glob("*.csv") if "valid_from" in path.read_text(encoding="utf-8").partition("\n")[0]}
COME_AND_GO = {"account_alerts", "account_states", "silent_message_types"}
"""Words of a vendor: that one is not known at a time means nothing."""

CHANGE, BEFORE, AFTER = "2026-03-20 12:00:00+00", "2026-03-20 11:59:59.999999+00", "2026-03-20 12:00:00.000001+00"


@pytest.fixture(scope="module")
def warehouse(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All seeds, in a DuckDB file."""
    if engine != "duckdb":
        pytest.skip("every build asks the seeds' tests on its engine; what they find is told by one")
    path = tmp_path_factory.mktemp("seeds") / "warehouse.duckdb"
    worker.invoke(path, "seed")
    return path


def found(warehouse: Path, begins: str, ends: str | None = None) -> set[str]:
    """In which seeds something is found where each row gives way at `CHANGE` to one like it that begins then."""
    changed = warehouse.parent / "changed" / warehouse.name
    changed.parent.mkdir(exist_ok=True)
    changed.write_bytes(warehouse.read_bytes())
    with duckdb.connect(str(changed)) as connection:
        for seed in DATED:
            table = f"reference_seeds.{seed}"
            connection.execute(f"create temp table later as select * replace (timestamptz '{begins}' as valid_from) from {table}")
            connection.execute(f"update {table} set valid_to = '{CHANGE}'")
            connection.execute(f"insert into {table} by name from later; drop table later")
            if ends:
                connection.execute(f"update {table} set valid_to = '{ends}' where valid_from = '{begins}'")
    failed, ran = worker.tests_failed(changed, "--select", "test_name:covers_all_time")
    assert ran == len(DATED), "every seed with validity is looked at"
    return failed


def test_a_seed_that_changes_at_an_instant_is_whole(warehouse: Path) -> None:
    assert found(warehouse, CHANGE) == set()


def test_a_hole_of_a_microsecond_is_found(warehouse: Path) -> None:
    assert found(warehouse, AFTER) == DATED - COME_AND_GO


def test_an_overlap_of_a_microsecond_is_found(warehouse: Path) -> None:
    assert found(warehouse, BEFORE) == DATED


def test_a_seed_that_ends_is_found(warehouse: Path) -> None:
    assert found(warehouse, CHANGE, "2030-01-01 00:00:00+00") == DATED - COME_AND_GO
