"""Great-expectations over what entered: good rows pass, bad ones are counted and never shown, too few and too old are noticed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.quality import Suites, lake_quality
from core.events import Event, ServiceEvent
from core.quality import SILENCE, usual_rows
from orchestration.definitions import build_defs
from orchestration.resources.clock import FixedClock
from orchestration.resources.lake import FolderLake
from tests.orchestration.lakes import AT, row, segment_id, values_of

NOW = AT + timedelta(hours=12)
_MICRO = timedelta(microseconds=1)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[FolderLake]:
    """Eight days of 30 heartbeats each; the last one is today's."""
    made = FolderLake(tmp_path / "lake")
    made.prepare()
    for day in range(8):
        at = NOW - timedelta(days=day) - _MICRO
        put(made, f"day {day}", ServiceEvent, [{"received_at": at, "occurred_at": at, "kind": "heartbeat"}] * 30)
    yield made


def put(lake: FolderLake, name: str, event_type: type[Event], rows: list[dict[str, Any]]) -> None:
    with lake.replace(segment_id(name)) as writer:
        made = (row(event_type, segment_id=segment_id(name), event_id=f"{name}{n}", **each) for n, each in enumerate(rows))
        writer.add(event_type, values_of(event_type, made))


def looked_at(lake: FolderLake) -> dict[str, dg.AssetCheckEvaluation]:
    """The check of each table."""
    done = build_defs(lake=lake, clock=FixedClock(NOW)).resolve_job_def("data_quality").execute_in_process()
    return {each.asset_key.path[-1]: each for each in done.get_asset_check_evaluations()}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what great-expectations imports
def test_bad_rows_are_counted_without_being_shown_and_a_thin_day_is_noticed(lake: FolderLake) -> None:
    assert all(each.passed for each in looked_at(lake).values())
    bad = {"received_at": NOW - _MICRO, "occurred_at": NOW + timedelta(days=2), "kind": "hartbeat of Asha", "latency_seconds": -1.0}
    put(lake, "bad", ServiceEvent, [bad] * 3)
    found = looked_at(lake)
    assert [table for table, each in found.items() if not each.passed] == ["service_events"]
    told = found["service_events"]
    assert told.severity == dg.AssetCheckSeverity.WARN
    wrong = told.metadata["wrong"].value
    assert sorted(line.partition(":")[0] for line in wrong) == ["kind", "latency_seconds", "occurred_at"]
    assert all(line.endswith(": 3 values") for line in wrong)
    assert "Asha" not in str(told.metadata)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_half_a_day_of_silence_is_stale_and_a_value_of_another_type_is_counted(lake: FolderLake) -> None:
    later = build_defs(lake=lake, clock=FixedClock(NOW + SILENCE - _MICRO)).resolve_job_def("data_quality")
    assert all(each.passed for each in later.execute_in_process().get_asset_check_evaluations())
    stale = build_defs(lake=lake, clock=FixedClock(NOW + SILENCE)).resolve_job_def("data_quality").execute_in_process()
    (told,) = [each for each in stale.get_asset_check_evaluations() if not each.passed]
    assert told.asset_key.path[-1] == "service_events"
    assert [line.partition(":")[0] for line in told.metadata["wrong"].value] == ["received_at"]
    arrived = {name: list(values) for name, values in lake.arrivals(ServiceEvent, NOW - timedelta(days=1), NOW).items()}
    arrived["service"][0] = 7  # no file can hold it: the library looks at what it is given
    (found,) = Suites().look(ServiceEvent, arrived, [], NOW)
    assert found == "service: column values to be in type list: 1 values"


def test_a_day_is_24_hours_to_the_microsecond(lake: FolderLake) -> None:
    assert list(lake.received_per_day(ServiceEvent, NOW - timedelta(days=29), NOW)) == [30] * 8
    assert list(lake.received_per_day(ServiceEvent, NOW - timedelta(days=29), NOW - _MICRO)) == [30] * 7
    assert len(lake.arrivals(ServiceEvent, NOW - timedelta(days=1), NOW)["event_id"]) == 30
    assert len(lake.arrivals(ServiceEvent, NOW - timedelta(days=1) - _MICRO, NOW)["event_id"]) == 60
    assert usual_rows([30] * 6) is None
    assert usual_rows([30] * 7) == (6, 150)
    assert usual_rows([19] * 7) is None


def test_no_run_of_everything_waits_for_them() -> None:
    defs = build_defs()
    for name in ("everything", "build"):
        assert not lake_quality.check_keys & set(defs.resolve_job_def(name).asset_layer.asset_graph.asset_check_keys)
