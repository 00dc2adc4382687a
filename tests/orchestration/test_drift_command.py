"""`flexoraa drift`, the weekly schedule and the job on demand, over an installation of their own."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from assets.drift import MODELS, partition_of
from assets.drift_pages import page_name
from assets.model_drift import baseline_of
from core.drift_ports import Served, Week
from orchestration.automation import weekly_drift
from orchestration.cli import app
from orchestration.definitions import build_defs
from orchestration.drift_command import history, look
from orchestration.resources.clock import FixedClock
from orchestration.resources.drift import DriftError, PostgresDrift
from orchestration.resources.pages import FolderPages
from orchestration.resources.scored_rows import WarehouseScoredRows
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.warehouse import Warehouse

MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
WEEK = Week.of(MONDAY.date())
NOW = WEEK.until + timedelta(hours=6)
SERVED = Served("drifting", "lead_conversion", 1)


@pytest.fixture(scope="module")
def world(settings: Settings, state: State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A model whose scores moved by 20 points in the week, in the warehouse of the home."""
    rng = np.random.default_rng(0)
    score = rng.normal(50, 15, 2000)
    p = 1 / (1 + np.exp((50 - score) / 15))
    PostgresDrift(state).freeze(baseline_of(SERVED, {"score": score}, p, rng.random(2000) < p, MONDAY))
    rows = 400
    now = rng.normal(70, 15, rows)
    said = 1 / (1 + np.exp((50 - now) / 15))
    moments = [MONDAY + timedelta(minutes=at) for at in range(rows)]
    ids = {"tenant_id": ["drifting"] * rows, "lead_id": [f"l{at}" for at in range(rows)], "featured_at": moments}
    predictions = pa.table(
        ids | {"model_name": [SERVED.model] * rows, "model_version": [1] * rows, "probability": said, "predicted_at": moments}
        | {"outcome": rng.random(rows) < said, "outcome_at": [each + timedelta(days=1) for each in moments]}
    )  # fmt: skip
    features = pa.table(ids | {"score": now})
    warehouse = Warehouse(settings.warehouse, settings.lake, settings.reference)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema if not exists marts")
        for name, table in (("fct_predictions", predictions), ("ftr_leads", features)):
            connection.register("given", table)
            connection.execute(f"create table marts.{name} as from given")
            connection.unregister("given")
    yield warehouse
    settings.warehouse.unlink()


def test_a_look_names_the_reasons_and_goes_into_the_journal(world: Warehouse, settings: Settings) -> None:
    answer = look(settings, None, NOW, (None, None), with_report=False)
    [found] = answer["models"]
    assert (answer["week"], found["severity"], found["look"]) == (WEEK.since.date(), "critical", 1)
    assert any(each.startswith("score: values moved (PSI ") for each in found["reasons"])
    assert look(settings, "2026-11-12", NOW, ("drifting", None), with_report=False) == answer
    [kept] = history(settings, ("drifting", None))
    assert (kept["severity"], kept["look"], kept["reasons"]) == ("critical", 1, found["reasons"])
    assert history(settings, ("nobody", None)) == []


def test_another_week_or_nobodys_model_is_a_stated_result(world: Warehouse, settings: Settings) -> None:
    assert look(settings, "2026-10-01", NOW, (None, None), with_report=False)["state"] == "no model is in service in the week of 2026-09-28"
    assert look(settings, None, NOW, ("nobody", "x"), with_report=False)["state"].startswith(
        "no model is in service of nobody by the name x"
    )


@pytest.mark.parametrize(("day", "why"), [("soon", "'soon' is no date, such as 2026-11-16"), ("2026-12-01", "has not begun at")])
def test_a_week_that_cannot_be_is_refused(settings: Settings, day: str, why: str) -> None:
    with pytest.raises(DriftError, match=re.escape(why)):
        look(settings, day, NOW, (None, None), with_report=False)


def test_the_command_prints_json_and_ends_with_three_where_a_model_drifts(world: Warehouse, settings: Settings) -> None:
    done = CliRunner().invoke(app, ["drift", "run", "--as-of", NOW.isoformat(), "--json", "--home", str(settings.home)])
    assert done.exit_code == 3, done.output
    assert json.loads(done.stdout)["models"][0]["severity"] == "critical"
    shown = CliRunner().invoke(app, ["drift", "show", "--tenant", "drifting", "--home", str(settings.home)])
    assert (shown.exit_code, shown.stdout.splitlines()[0]) == (0, "2026-11-09  drifting lead_conversion 1: critical")


def test_the_weekly_schedule_asks_for_each_model_of_the_week_that_ended(world: Warehouse, state: State, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        resources = {"baselines": PostgresDrift(state), "clock": FixedClock(NOW)}
        with dg.build_schedule_context(instance=instance, resources=resources) as context:
            asked = weekly_drift(context)
        assert isinstance(asked, list)
        keys = [each.partition_key for each in asked]
        assert dg.MultiPartitionKey({"week": "2026-11-09", "model": partition_of("drifting", "lead_conversion")}) in keys
        assert len(keys) == len(instance.get_dynamic_partitions(str(MODELS.name)))


def ports(world: Warehouse, state: State, folder: Path) -> dict[str, Any]:
    drift = PostgresDrift(state)
    return {
        "warehouse": world, "scored_rows": WarehouseScoredRows(world), "baselines": drift, "drift_journal": drift,
        "clock": FixedClock(NOW), "pages": FolderPages(folder), "run_lock": None,
    }  # fmt: skip


def test_a_partition_is_judged_and_the_check_says_why_and_so_does_a_look_on_demand(world: Warehouse, state: State, tmp_path: Path) -> None:
    defs = build_defs(**ports(world, state, tmp_path))
    key = dg.MultiPartitionKey({"week": "2026-11-09", "model": partition_of("drifting", "lead_conversion")})
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions(str(MODELS.name), [key.keys_by_dimension["model"]])
        job = defs.resolve_job_def("model_drift_week")
        marts = [dg.AssetKey(["marts", "fct_model_performance"]), dg.AssetKey(["marts", "fct_model_drift"])]
        done = job.execute_in_process(partition_key=key, instance=instance, asset_selection=marts)
        assert done.success
        [check] = done.get_asset_check_evaluations()
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert "drifting/lead_conversion/1, week of 2026-11-09: critical: " in (check.description or "")
        asked = {"ops": {"look_at_models": {"config": {"day": "2026-11-10", "tenant_id": "drifting"}}}}
        assert defs.resolve_job_def("drift_on_demand").execute_in_process(run_config=asked, instance=instance).success


@pytest.mark.large
@pytest.mark.filterwarnings("ignore")  # Evidently's own, a dozen at its import
def test_evidentlys_page_stands_alone_below_our_verdict(world: Warehouse, settings: Settings, state: State) -> None:
    look(settings, None, NOW, (None, None), with_report=True)
    page = (settings.reports / page_name(SERVED, WEEK)).read_text()
    assert "Verdict: <b>critical (look 1, " in page
    assert "score: values moved" in page
    assert "no row of it was kept" in page
    assert 'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;' in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?https?://""", re.sub(r"<script.*?</script>", "", page, flags=re.S))
    assert "lead_id" not in page
