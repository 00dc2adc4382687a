"""The questions of the pages, asked of the demo: all are answered, on copied marts as in the file; nothing can be changed; nothing built is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from assets.pages.menu import TOPICS
from assets.site import build
from orchestration.resources.readings import InstallationReadings
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.warehouse import EngineWarehouse, Warehouse
from tests.shared_demo import shared_demo

NAMES = [topic.name for topic in TOPICS]


@pytest.fixture(scope="module")
def settings() -> Settings:
    demo = shared_demo()
    assert demo.code == 0, demo.out + demo.err
    return Settings.load(demo.home, {})


@pytest.fixture(scope="module")
def opened(settings: Settings) -> Iterator[State]:
    with open_state(settings) as state:
        yield state


def warehouse_of(settings: Settings, path: Path | None = None) -> Warehouse:
    return Warehouse(path or settings.warehouse, settings.lake, settings.reference)


class Copied(Warehouse):
    """The demo's warehouse, asked as that of another engine is: marts copied into memory first."""

    asking = EngineWarehouse.asking


def answers(settings: Settings, state: State, warehouse: Warehouse) -> dict[str, list[Any]]:
    questions = {f"{topic.name}/{panel.name}": panel.sql for topic in TOPICS for panel in topic.panels if panel.store == "marts"}
    found = InstallationReadings(settings, state, warehouse).marts(questions)
    return {name: sorted(map(repr, answer.rows)) for name, answer in found.items()}


def test_questions_over_copied_marts_are_answered_as_in_the_file(settings: Settings, opened: State) -> None:
    there = answers(settings, opened, warehouse_of(settings))
    copied = answers(settings, opened, Copied(settings.warehouse, settings.lake, settings.reference))
    assert copied == there
    assert sum(map(len, there.values())) > 1_000


def test_every_question_of_the_demo_is_answered_and_every_page_made(settings: Settings, opened: State) -> None:
    made = build(InstallationReadings(settings, opened, warehouse_of(settings)), ["drift/rheinsolar--lead.html"], NAMES)
    assert made.missing == {}
    assert {name for name in made.pages if name.count("/") == 2 and name.endswith(".html")} == {
        f"tenants/{tenant}/{name}.html"
        for tenant in ("dunes_motors", "meridian_homes", "northwind_academy", "rheinsolar")
        for name in NAMES
    }
    assert 'href="drift/rheinsolar--lead.html"' in made.pages["models.html"]
    assert len(made.pages["index.html"].encode()) < 500_000
    drawn = made.plots["marts/fct_lead_scores"]
    assert drawn.rows == 1477
    assert list(drawn.panels) == ["Score against outcome", "Tiers over time"] and all("█" in text for text in drawn.panels.values())
    assert "| persuasion_scarcity |" in made.plots["marts/exp_results"].panels["Effects at the last look"]


def test_sums_of_all_tenants_are_those_of_each_where_they_add_up(settings: Settings, opened: State) -> None:
    """By a second route: the row without a tenant against the sum over the others, for every count of a sum."""
    readings = InstallationReadings(settings, opened, warehouse_of(settings))
    panels = {
        f"{topic.name}/{panel.name}": panel for topic in TOPICS for panel in topic.panels if panel.scope == "sums" and not panel.later
    }
    found = {**readings.marts({name: each.sql for name, each in panels.items() if each.store == "marts"})}
    found |= readings.state({name: each.sql for name, each in panels.items() if each.store == "state"})
    compared = 0
    for name, answer in found.items():
        for column in panels[name].columns:
            if column.kind == "count" and column.name not in {"hour", "step", "score_from", "attempt"}:
                total = sum(row[column.name] or 0 for row in answer.rows if row["tenant_id"] is None)
                assert total == sum(row[column.name] or 0 for row in answer.rows if row["tenant_id"] is not None), (name, column.name)
                compared += 1
    assert compared > 30


def test_a_question_cannot_change_the_state(settings: Settings, opened: State) -> None:
    readings = InstallationReadings(settings, opened, warehouse_of(settings))
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        readings.state({"evil": "delete from ops.outbox returning action_id"})
    answered = readings.state({"gone": "select * from ops.no_such_table", "there": "select count(*) as n from ops.outbox"})
    assert "does not exist" in answered["gone"].missing
    assert answered["there"].rows[0]["n"] > 0


def test_before_the_first_build_every_page_is_there_and_says_what_to_do(settings: Settings, opened: State, tmp_path: Path) -> None:
    readings = InstallationReadings(settings, opened, warehouse_of(settings, tmp_path / "none.duckdb"))
    made = build(readings, [], NAMES)
    page = made.pages["sla.html"]
    assert "there is no warehouse yet: run `flexoraa run` first" in page
    assert "never: nothing was built yet" in page
    assert set(made.missing) >= {"today/counts", "sla/now", "tokens/wallets"}
    assert [name for name in made.pages if name.startswith("tenants/")] == []
