"""The laws of the warehouse: any order and any rerun give the same marts, and time alone changes nothing that it does not cross."""

import re
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from assets.project import PROJECT
from tests.dbt import engines, worker
from tests.dbt.engines import MODELS_ONLY
from tests.dbt.histories import AS_OF, history, told
from tests.dbt.warehouse import build

CAPTURES = ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid")
MODELS = sorted((PROJECT / "models").rglob("*.sql"))


def marts(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every mart, ordered."""
    names = connection.execute("select table_name from information_schema.tables where table_schema = 'marts'").fetchall()
    return {name: connection.execute(f"from marts.{name} order by all").fetchall() for (name,) in names}


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, list[tuple[object, ...]]]]:
    """A folder with a build of a small history, and its marts."""
    folder = tmp_path_factory.mktemp("laws")
    with build(folder, told(history(7, 12), 1), AS_OF) as connection:
        return folder, marts(connection)


def test_other_order_other_copies_same_marts(first) -> None:
    folder, before = first
    with build(folder, told(history(7, 12), 2), AS_OF, *MODELS_ONLY) as connection:
        assert marts(connection) == before
    assert len(before) == 38
    assert [name for name, rows in before.items() if not rows] == [], "equal because empty"


def test_time_alone_changes_nothing(first) -> None:
    folder, before = first
    with build(folder, told(history(7, 12), 3), AS_OF + timedelta(microseconds=1), *MODELS_ONLY) as connection:
        assert marts(connection) == before


def test_what_comes_after_the_moment_does_not_count(first, tmp_path: Path) -> None:
    folder, before = first
    made = history(7, 12)
    made.lake = {table: made.known(table, AS_OF) for table in made.lake}
    with build(folder, told(made, 1), AS_OF, *MODELS_ONLY) as connection:
        assert marts(connection) == before


def test_a_back_fill_after_the_webhooks_changes_no_row_of_any_mart(first, tmp_path: Path) -> None:
    _, before = first
    made = history(7, 12)
    for row in list(made.lake["payments"]):
        listed = {"refund.processed": "refund.listed.processed"} | dict.fromkeys(CAPTURES, "payment.listed.captured")
        if row.get("payment_id") and row["kind"] in listed:
            begun_at = row["occurred_at"] - timedelta(seconds=30)
            again = {"event_id": f"listed {row['event_id']}", "kind": listed[row["kind"]], "occurred_at": begun_at, "captured_at": None}
            made.lake["payments"].append(row | again | {"received_at": AS_OF})
    marts_of_tokens = ("fct_token_ledger", "fct_token_findings", "fct_token_balances")
    only = ("--exclude-resource-type", "unit_test", "--select", *(f"+{name}" for name in marts_of_tokens))
    with build(tmp_path, told(made, 1), AS_OF, *only) as connection:
        after = marts(connection)
    assert [name for name in marts_of_tokens if after[name] != before[name]] == []


def test_no_events_at_all(first) -> None:
    folder, _ = first
    with build(folder, {}, AS_OF) as connection:
        assert not any(marts(connection).values())


def test_unit_tests(first) -> None:
    folder, _ = first
    other = engines.chosen()
    assert (other.unit_tests_passed() if other else worker.unit_tests_passed(folder / "warehouse.duckdb")) == 19


def test_models_know_neither_clock_nor_engine() -> None:
    forbidden = re.compile(
        r"current_timestamp|current_date|\bnow\(|getdate|target\.|\bqualify\b|epoch_us|make_timestamptz|date_diff|strftime|asof|::",
        re.IGNORECASE,
    )
    found = {model.name: forbidden.findall(model.read_text()) for model in MODELS}
    assert not {name: words for name, words in found.items() if words}


def test_every_model_says_what_a_row_is() -> None:
    assert all(model.read_text().startswith("-- One row per ") for model in MODELS)


def test_marts_name_their_columns() -> None:
    for model in (PROJECT / "models" / "marts").rglob("*.sql"):
        final = re.split(r"\n\)\n", model.read_text())[-1]
        assert "*" not in re.sub(r"\d\) \* \d|count\(\*\)", "", final), model.name
