"""Who asked to be erased is marked, and no count or sum of any mart changes."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core.reference import Erasure
from tests.dbt.growing import Growing, arrivals, growing
from tests.dbt.histories import history
from tests.dbt.history_base import START

MADE = history(11, 6)
UNTIL = START + timedelta(days=12)
ASKED = START + timedelta(days=11)
CHANGE = {"dim_leads", "act_requests", "fct_recovery_candidates", "fct_scheduled_messages"}
"""Marts that say what is still to be done with the lead."""


@pytest.fixture(scope="module")
def home(engine: str) -> Iterator[Growing]:
    if engine != "duckdb":
        pytest.skip("one engine tells it; that all say the same is tested elsewhere")
    rows = {table: [] for table in MADE.lake}
    for arrived, table, row in arrivals(MADE, random.Random("erasures")):
        if arrived <= UNTIL and table != "privacy_requests":
            rows[table].append(row)
    with growing(engine, MADE) as made:
        made.tell(rows)
        made.build(UNTIL)
        yield made


def _marts(home: Growing) -> dict[str, list[dict[str, Any]]]:
    return {mart: home.warehouse.rows(mart) for mart in home.warehouse.columns()}


def _totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    """How many rows, and the sum of every number."""
    found: dict[str, float] = {"": len(rows)}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[name] = found.get(name, 0) + value
    return {name: float(f"{value:.9g}") for name, value in found.items()}  # as engines are compared


def test_who_asked_is_erased_until_it_is_denied_and_no_count_or_sum_changes(home: Growing) -> None:
    before = _marts(home)
    lead = next(row for row in before["dim_leads"] if row["last_inbound_at"] is not None)
    held = [row for row in home.reference["lead_points"] if (row.tenant_id, row.lead_id) == (lead["tenant_id"], lead["lead_id"])]
    asked = [
        Erasure(tenant_id=lead["tenant_id"], request_id="pr_1", point_id=row.point_id, asked_at=ASKED)
        for row in held
        if row.valid_from <= ASKED and (row.valid_to is None or row.valid_to > ASKED)
    ]
    home.reference["erasures"] = asked
    assert home.build(UNTIL).why == ""
    after = _marts(home)
    assert {mart: _totals(rows) for mart, rows in after.items() if mart not in CHANGE} == {
        mart: _totals(rows) for mart, rows in before.items() if mart not in CHANGE
    }
    for mart in ("dim_leads", "fct_scheduled_messages"):
        assert _totals(after[mart]) == _totals(before[mart])
    marked = {row["lead_id"] for row in after["dim_leads"] if row["is_erased"]}
    assert marked == {lead["lead_id"]}
    assert not any(row["lead_id"] == lead["lead_id"] for row in after["fct_recovery_candidates"])
    home.reference["erasures"] = [
        Erasure(tenant_id=row.tenant_id, request_id="pr_1", point_id=row.point_id, asked_at=ASKED, denied_at=UNTIL) for row in asked
    ]
    assert home.build(UNTIL).why == ""
    assert {mart: _totals(rows) for mart, rows in _marts(home).items()} == {mart: _totals(rows) for mart, rows in before.items()}
