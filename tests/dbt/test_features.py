"""`ftr_leads` and `fct_service_health` against plain Python, and that later events change no earlier feature."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.histories import AS_OF, History, history, told
from tests.dbt.warehouse import build
from tests.oracles import features, services
from tests.oracles.common import Holders, by_lead

_ONLY = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test", "--select", "+ftr_leads")


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Rows by column."""
    cursor = connection.execute(query)
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_features_are_what_had_happened_by_then(built, made: History) -> None:
    holders = Holders(row for row in made.reference["lead_points"] if row.valid_from <= AS_OF)
    consents = [row for row in made.known("contact_events", AS_OF) if row["kind"] in ("opted_in", "opted_out", "blocked")]
    kinds = [made.known(table, AS_OF) for table in ("messages", "ai_turns", "lead_events")] + [consents, made.known("appointments", AS_OF)]
    told_of = [by_lead(rows, holders) for rows in kinds]
    found = rows_of(built, "from marts.ftr_leads")
    assert len(found) > 3_000
    scores: dict[tuple[str, str], list[tuple[datetime, int, int, str]]] = {}
    for tenant, lead, *score in built.execute(
        "select tenant_id, lead_id, scored_at, score, signal_points, tier from marts.fct_lead_scores order by scored_at"
    ).fetchall():
        scores.setdefault((tenant, lead), []).append(tuple(score))
    for row in found:
        key = (row["tenant_id"], row["lead_id"])
        expected = features.features(row["featured_at"], *(each.get(key, []) for each in told_of), "INR")
        assert {name: row[name] for name in expected} == expected, (key, row["featured_at"])
        *_, last = [(None, None, None, None), *(each for each in scores.get(key, []) if each[0] <= row["featured_at"])]
        assert (row["score"], row["signal_points"], row["tier"]) == last[1:]
    for name in ("is_assigned", "is_opted_out", "has_objection"):
        assert {row[name] for row in found} == {True, False}
    for name in ("booking_count", "no_show_count", "last_reply_seconds", "budget_minor", "human_outbound_count"):
        assert any(row[name] for row in found), name


def test_no_later_event_changes_an_earlier_feature(tmp_path: Path) -> None:
    cut = AS_OF - timedelta(days=25)
    made = history(11, 15)
    query = "from marts.ftr_leads where featured_at <= $cut order by all"
    with build(tmp_path, told(made, 1), AS_OF, *_ONLY) as connection:
        whole = connection.execute(query, {"cut": cut}).fetchall()
    made.lake = {table: made.known(table, cut) for table in made.lake}
    with build(tmp_path, told(made, 1), AS_OF, *_ONLY) as connection:
        early = connection.execute(query, {"cut": cut}).fetchall()
    assert early == whole
    assert len(early) > 50


def test_service_health(built, made: History) -> None:
    expected = services.health(made.known("service_events", AS_OF), AS_OF)
    found = {(row["tenant_id"], row["service"], row["health_date"]): row for row in rows_of(built, "from marts.fct_service_health")}
    assert found.keys() == expected.keys()
    for key, day in expected.items():
        for name, value in day.items():
            near = None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)
            assert found[key][name] == near, (key, name)
    assert {service for _, service, _ in found} == {"chat", "billing", "search"}
    assert any(row["budget_left_ratio"] is not None and row["budget_left_ratio"] < 0 for row in found.values())
    assert any(row["uptime_ratio"] == 0 for row in found.values())
