"""`exp_moments` against fractions, and against `ml.moments` on the same units: random experiments, windows to the microsecond."""

from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from core.reference import Experiment, ExperimentMetric, LeadPoint, Tenant
from ml.moments import Counts, CovariateMoments, Moments, RatioMoments
from tests.dbt.histories import AS_OF, History
from tests.dbt.warehouse import at, build, lake_row
from tests.oracles import experiments, tokens
from tests.oracles.common import Holders, Row

_MICRO = timedelta(microseconds=1)
_KEYS = "tenant_id, experiment_id, valid_from, variant, metric, look_date"
Cells = dict[experiments.Cell, dict[str, Any]]


@pytest.fixture(scope="module")
def found(built: duckdb.DuckDBPyConnection) -> Cells:
    """The mart by its grain."""
    query = f"select {_KEYS}, * exclude ({_KEYS}) from marts.exp_moments"
    cursor = built.execute(query)
    names = [each[0] for each in cursor.description or ()]
    return {row[:6]: dict(zip(names[6:], row[6:], strict=True)) for row in cursor.fetchall()}


@pytest.fixture(scope="module")
def expected(made: History, built: duckdb.DuckDBPyConnection) -> Cells:
    """The oracle on the same events; which conversation an event is of, it asks of the conversations' own mart."""
    holders = Holders(row for row in made.reference["lead_points"] if row.valid_from <= AS_OF)
    talks: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for tenant, point, opened_at, talk in built.execute(
        "select tenant_id, contact_point_id, opened_at, conversation_id from marts.fct_conversations"
    ).fetchall():
        talks.setdefault((tenant, point), []).append((opened_at, talk))

    def unit_of(kind: str, row: Row) -> str | None:
        if kind == "lead":
            return holders.lead(row)
        before = [each for each in talks.get((row["tenant_id"], row["contact_point_id"]), []) if each[0] <= row["occurred_at"]]
        return max(before)[1] if before else None

    own = [("@inbound", row, 1) for row in made.known("messages", AS_OF) if row["direction"] == "inbound"]
    own += [("@won", row, 1) for row in made.known("lead_events", AS_OF) if row["kind"] == "won"]
    own += [("@opted_out", row, 1) for row in made.known("contact_events", AS_OF) if row["kind"] in ("opted_out", "blocked")]
    used = [row for row in made.known("token_usage", AS_OF) if row.get("contact_point_id")]
    own += [("@tokens", row, tokens.debit(row, made.reference["debit_rates"])) for row in used]
    zones = {row.tenant_id: row.timezone for row in made.reference["tenants"]}
    return experiments.moments(made.known("experiment_events", AS_OF), own, made.reference, zones, unit_of)


def test_every_look_is_what_fractions_give(found: Cells, expected: Cells) -> None:
    assert found.keys() == expected.keys()
    assert len(found) > 2_000
    for key, cell in expected.items():
        row = found[key]
        assert (row["n"], row["hits"], row["crossover_count"]) == (cell["n"], cell["hits"], cell["crossover_count"]), key
        for name in ("mean", "m2", "other_mean", "other_m2", "comoment"):
            if cell["n"] and row[name] is not None:
                assert row[name] == pytest.approx(float(cell[name]), rel=1e-12, abs=0), (key, name)
        assert (row["mean"] is None) == (cell["n"] == 0)
    assert {row["kind"] for row in found.values()} == {"proportion", "mean", "ratio"}
    assert any(row["crossover_count"] for row in found.values())
    assert any(not row["is_known_variant"] and row["n"] for row in found.values())


def test_channels_merge_into_the_last_look(built: duckdb.DuckDBPyConnection, found: Cells) -> None:
    """Two routes: the parts of each cell, merged as `ml.moments` merges, are the whole."""
    last = {key[:5]: row for key, row in sorted(found.items(), key=lambda item: item[0][5]) if row["n"]}
    parts: dict[tuple[Any, ...], Moments] = {}
    channels = set()
    columns = "tenant_id, experiment_id, valid_from, variant, metric, channel, n, mean, variance"
    for *key, channel, n, mean, variance in built.execute(f"select {columns} from marts.exp_channels").fetchall():
        own = Moments.from_variance(n, mean, variance or 0.0)
        parts[tuple(key)] = parts[tuple(key)] + own if tuple(key) in parts else own
        channels.add(channel)
    assert channels == {"whatsapp"}  # these histories know phones only
    assert parts.keys() == last.keys()
    for key, part in parts.items():
        assert part.n == last[key]["n"]
        assert part.mean == pytest.approx(last[key]["mean"], rel=1e-9, abs=1e-12)
        assert part.m2 == pytest.approx(last[key]["m2"], rel=1e-6, abs=1e-9)


def test_inference_makes_the_same_moments_of_the_same_units(found: Cells, expected: Cells) -> None:
    seen = set()
    for key, cell in expected.items():
        row, x, y = found[key], [float(x) for x, _ in cell["pairs"]], [float(y) for _, y in cell["pairs"]]
        if cell["n"] < 2:
            continue
        if row["kind"] == "proportion":
            assert Counts(row["n"], row["hits"]) == Counts.from_rows(x), key
        else:
            m2 = Moments.from_rows(x).m2
            blur = 2 * np.sqrt(len(x) * m2) * _blur(x)
            assert Moments.from_variance(row["n"], row["mean"], row["variance"]).m2 == pytest.approx(m2, rel=1e-9, abs=blur), key
            kind = RatioMoments if row["kind"] == "ratio" else CovariateMoments
            names = ("n", "mean", "variance", "other_mean", "other_m2", "covariance")
            made = kind.from_covariance(*(row[name] / (row["n"] - 1) if name == "other_m2" else row[name] for name in names))
            whole = kind.from_rows(x, y)
            scale = np.sqrt(whole.m2 * whole.other_m2)
            blur = np.sqrt(len(x) * whole.other_m2) * _blur(x) + np.sqrt(len(x) * whole.m2) * _blur(y)
            assert made.comoment == pytest.approx(whole.comoment, rel=1e-9, abs=1e-9 * scale + blur), key
        seen.add(row["kind"])
    assert seen == {"proportion", "mean", "ratio"}


def _blur(values: list[float]) -> float:
    """What a value may lose as a float: near 1e8, a hundred-millionth and a half."""
    return float(np.spacing(np.abs(values).max()))


def test_what_does_not_count_is_told(built, made: History) -> None:
    found = {(tenant, name): (count, what) for tenant, name, count, what in built.execute(
        "select tenant_id, finding, sum(finding_count), min(counted) from marts.exp_findings group by all").fetchall()}  # fmt: skip
    events = made.known("experiment_events", AS_OF)
    for tenant in {row["tenant_id"] for row in events}:
        undeclared = [
            row for row in events if row["tenant_id"] == tenant and row["kind"] == "exposed" and row["experiment_id"] == "undeclared"
        ]
        assert found[tenant, "exposed_without_version"][0] >= len(undeclared) > 0
    names = ("exposed_without_unit", "value_out_of_range", "unknown_variant", "two_variants")
    assert {name for _, name in found} == {*names, "exposed_without_version"}


def test_a_mean_of_a_hundred_million_keeps_a_deviation_of_one(tmp_path) -> None:
    """5,000 units of 1e8 ± 1: a sum of squares in floating point has no correct digit of their variance."""
    rng = np.random.default_rng(3)
    spent, before = 1e8 + rng.normal(0, 1, 5_000), 1e8 + rng.normal(0, 1, 5_000)
    start = at("2026-03-02 00:00")
    common: dict[str, Any] = {"tenant_id": "t", "experiment_id": "x", "valid_from": start}
    rows: dict[str, list[Any]] = {
        "tenants": [Tenant(tenant_id="t", timezone="UTC", default_region="IN", currency="INR")],
        "experiments": [Experiment(**common, variant="a", is_control=True, allocation_ppm=1_000_000, primary_metric="spend")],
        "experiment_metrics": [
            ExperimentMetric(**common, metric="spend", role="primary", kind="mean", event="spend", window_seconds=9, covariate_seconds=9)
        ],
        "lead_points": [
            LeadPoint(tenant_id="t", valid_from=at("2026-01-01 00:00"), point_id=f"p{n}", lead_id=f"l{n}", kind="phone")
            for n in range(len(spent))
        ],
        "experiment_events": [],
    }
    for n, (value, earlier) in enumerate(zip(spent.tolist(), before.tolist(), strict=True)):
        point = {"contact_point_id": f"p{n}", "experiment_id": "x"}
        rows["experiment_events"] += [
            lake_row("experiment_events", "t", f"e{n}", start + timedelta(seconds=60), kind="exposed", variant="a", **point),
            lake_row(
                "experiment_events", "t", f"o{n}", start + timedelta(seconds=61), kind="observed", metric="spend", value=value, **point
            ),
            lake_row(
                "experiment_events", "t", f"b{n}", start + timedelta(seconds=59), kind="observed", metric="spend", value=earlier, **point
            ),
        ]
    only = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test", "--select", "+exp_moments")
    with build(tmp_path, rows, AS_OF, *only) as connection:
        [(n, mean, m2, covariance)] = connection.execute("select n, mean, m2, covariance from marts.exp_moments").fetchall()
    kept, earlier = np.floor(spent * 1e5 + 0.5) / 1e5, np.floor(before * 1e5 + 0.5) / 1e5
    made = CovariateMoments.from_rows(kept, earlier)
    assert n == 5_000
    assert mean == pytest.approx(made.mean, rel=1e-15)
    assert m2 == pytest.approx(made.m2, rel=1e-9)
    assert m2 / (n - 1) == pytest.approx(1.0, rel=0.1)
    assert covariance == pytest.approx(made.comoment / (n - 1), rel=1e-6)
