"""What Dagster is told: it loads without any database, it is what the snapshot says, and no sensor opens the warehouse."""

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.pages.menu import TOPICS
from assets.project import MANIFEST
from orchestration.automation import FRESHNESS
from orchestration.definitions import build_defs
from orchestration.resources.lake import FolderLake
from orchestration.resources.lazy import PORTS, run_lock
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.warehouse import Warehouse
from tests.orchestration.lakes import by_polars, live, on_disk, small_files

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "tests" / "snapshots" / "dagster.json"


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def described(defs: dg.Definitions) -> dict[str, Any]:
    """Everything by name."""
    graph = defs.resolve_asset_graph()
    return {
        "assets": {node.key.to_user_string(): node.group_name for node in map(graph.get, sorted(graph.get_all_asset_keys()))},
        "checks": sorted(f"{each.asset_key.to_user_string()}: {each.name}" for each in graph.asset_check_keys),
        "jobs": sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")),
        "schedules": {each.name: each.cron_schedule for each in defs.schedules or []},
        "sensors": {
            each.name: [each.job_name if each.targets else None, each.minimum_interval_seconds, each.default_status.value]
            for each in defs.sensors or []
        },
    }


def test_definitions_are_those_of_the_snapshot(defs: dg.Definitions) -> None:
    found = json.dumps(described(defs), indent=1, ensure_ascii=False) + "\n"
    if "UPDATE_SNAPSHOTS" in os.environ:
        SNAPSHOT.write_text(found)
    assert json.loads(SNAPSHOT.read_text()) == json.loads(found), (
        "if that is meant: UPDATE_SNAPSHOTS=1 pytest tests/orchestration/test_definitions.py"
    )


def test_they_load_in_a_fresh_interpreter_without_a_database_an_engine_or_a_home(tmp_path: Path) -> None:
    program = (
        "import sys, orchestration.definitions as d; d.defs.resolve_all_job_defs(); "
        "print(sorted({'duckdb', 'psycopg', 'psycopg2', 'sqlalchemy', 'alembic', 'pyarrow', 'httpx', 'pandas', 'dbt.cli'} & set(sys.modules)))"
    )
    env = {**os.environ, "FLEXORAA_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_asset_has_a_group_an_owner_and_a_description(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.is_materializable, f"{key} is made by nobody"
        assert node.group_name not in {None, "default"}, key
        assert node.owners, key
        assert (node.description or "").strip(), key


def test_every_job_schedule_and_sensor_says_what_it_does_and_who_is_asked(defs: dg.Definitions) -> None:
    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    for each in (*jobs, *(defs.schedules or []), *(defs.sensors or [])):
        assert len(each.description or "") > 20, each.name
        assert each.tags.get("owner"), each.name
    filled = {job.name for job in jobs if job.run_config}
    assert filled >= {"drift_on_demand", "back_fill", "model_rollback", "execute_privacy_requests"}
    for job in jobs:  # whatever wants a config opens filled in the Launchpad
        assert job.run_config_schema.config_type.fields["ops"].is_required is False or job.run_config, job.name


def test_every_table_shows_its_columns_and_pages_and_assets_lead_to_each_other(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if key.path[0] in {"lake", "reference", "marts"}:
            columns = node.metadata["dagster/column_schema"].columns
            assert "tenant_id" in {column.name for column in columns} or key.path[-1] in {"run", "seeds"}, key
        assert node.tags["layer"] == key.path[0]
        assert node.kinds, key
    for topic in TOPICS:
        for asset in topic.assets:
            node = graph.get(dg.AssetKey(asset.split("/")))
            assert str(node.metadata["report page"].value).startswith("http://127.0.0.1:3001/"), asset


def test_every_test_of_the_dbt_project_is_a_check_of_its_asset(defs: dg.Definitions) -> None:
    manifest = json.loads(MANIFEST.read_bytes())
    names = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    graph = defs.resolve_asset_graph()
    checks = {each.name for each in graph.asset_check_keys}
    for key in graph.asset_check_keys:
        assert len(graph.get(key).description or "") > 12, f"{key} does not say what it demands"
    assert len(names) > 50
    assert names - checks == set()
    assert checks - names == {
        "circuit_breaker",
        "conservation",
        "contract",
        "every_question_is_answered",
        "expectations",
        "no_experiment_is_killed",
        "no_model_drifts",
        "no_model_is_refused",
        "no_privacy_request_is_overdue",
    }


def test_everything_is_reached_by_the_hourly_sweep_and_described(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("everything")
    by_hand = {dg.AssetKey(["warehouse", "days"]), dg.AssetKey(["reports", "dbt_docs"])}
    weekly = {dg.AssetKey(["reports", "drift"]), dg.AssetKey(["marts", "fct_model_drift"]), dg.AssetKey(["marts", "fct_model_performance"])}
    assert set(job.asset_layer.executable_asset_keys) == defs.resolve_asset_graph().materializable_asset_keys - by_hand - weekly
    jobs = {"hourly_sweep": "everything", "daily_retention": "retention", "daily_compaction": "compact_lake"}
    jobs |= {"gmail_watch_renewal": "renew_watches", "daily_data_quality": "data_quality"}
    jobs |= {
        "daily_documentation": "document",
        "weekly_drift": "model_drift_week",
        "weekly_model_training": "model_training",
        "daily_privacy_clock": "privacy_clock",
    }
    assert {each.name: each.job_name for each in defs.schedules or []} == jobs
    for each in (*(defs.sensors or []), *(defs.schedules or [])):
        assert each.description, each.name
        assert each.default_status.value == "RUNNING", each.name


def test_writers_of_the_warehouse_wait_for_each_other(defs: dg.Definitions) -> None:
    needing = {"warehouse", "publisher"}
    nodes = [node.definition for name in ("everything", "compact_lake", "retention") for node in defs.resolve_job_def(name).graph.nodes]
    graph = {each.name: each.required_resource_keys for each in nodes if isinstance(each, dg.OpDefinition)}
    found = {name for name, keys in graph.items() if needing & set(keys)}
    assert found >= {"warehouse", "serving__marts", "merge_small_files"}
    assert [name for name in found if "run_lock" not in graph[name]] == []
    assert all(set(keys) <= {*PORTS, "run_lock", "io_manager"} for keys in graph.values())


def test_the_daily_job_merges_small_files_with_the_same_rows(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.prepare()
    truth = small_files(lake, range(8), days=1)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", lake.folder, tmp_path)
    ports = {"lake": lake, "warehouse": warehouse, "progress": TerminalProgress(quiet=True), "run_lock": None}
    assert build_defs(**ports).resolve_job_def("compact_lake").execute_in_process().success
    assert [file.is_merged for file in lake.files.live("messages") if file.day.year > 1970] == [True]
    assert by_polars(lake.folder) == truth
    assert on_disk(lake.folder) == live(lake.folder)


def test_the_run_lock_is_one_for_all_runs_of_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXORAA_HOME", str(tmp_path / "home"))
    held = threading.Event()

    def run() -> None:
        with dg.build_resources({"run_lock": run_lock}):
            held.set()

    other = threading.Thread(target=run)
    with dg.build_resources({"run_lock": run_lock}):
        other.start()
        assert not held.wait(0.3)
    assert held.wait(5)
    other.join()


def test_every_layer_that_is_read_has_a_freshness_policy_that_bears_a_late_sweep(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    policies = {key: graph.get(key).freshness_policy for key in graph.get_all_asset_keys()}
    assert {key.path[0] for key, policy in policies.items() if policy} == {"lake", "reference", "marts", "serving", "ops", "reports"}
    assert all(policy for key, policy in policies.items() if key.path[0] in FRESHNESS)
    for policy in FRESHNESS.values():
        assert policy.warn_window.to_timedelta() > timedelta(hours=1)
        assert policy.fail_window.to_timedelta() >= 2 * timedelta(hours=1)


def test_overrides_stand_in_for_any_resource() -> None:
    marker = object()
    assert build_defs(clock=marker).resources["clock"] is marker  # type: ignore[index]
    assert set(build_defs().resources or {}) == {*PORTS, "run_lock"}
