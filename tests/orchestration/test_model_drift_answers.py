"""What drift of a version is measured against, frozen when it is trained; and the sensor that has critical drift of a champion answered."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from assets.model_baselines import freeze_baseline
from assets.model_training import Made
from core.drift_ports import DriftVerdict, Served, Severity
from ml.drift.baseline import PREDICTION, Baseline
from orchestration.resources.drift import DriftError, PostgresDrift
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.state import State
from orchestration.sensors import model_drift_answers
from tests.orchestration.model_world import ModelWorld

Calm = tuple[ModelWorld, datetime, Made]
MONDAY = date(2026, 3, 2)


@pytest.fixture
def journal(state: State) -> Iterator[PostgresDrift]:
    """The journal of verdicts; others' verdicts are no champions' of these tests."""
    yield PostgresDrift(state)


def looked(made: Made, journal: PostgresDrift, severity: Severity, *, week: int = 0, look: int = 1, reason: str = "tier drifts") -> None:
    """One look at a week of a version, written down."""
    assert made.version is not None
    served = Served(made.tenant_id, made.version.model, made.version.version)
    day = MONDAY + timedelta(weeks=week)
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    journal.record([DriftVerdict(served, day, look, severity, "judged", [reason], 9, uuid.uuid4().hex, 0.1, 0.01, at)])


def tick(journal: PostgresDrift, registry: MlflowRegistry, tenant: str, cursor: str | None) -> tuple[list[dict[str, str]], str]:
    """What the sensor asks for of that tenant, and the cursor after it."""
    resources = {"drift_journal": journal, "registry": registry}
    with dg.instance_for_test() as instance, dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = model_drift_answers(context)
    assert isinstance(result, dg.SensorResult)
    requests = result.run_requests or []
    assert bool(requests) != bool(result.skip_reason)
    assert all(each.run_key is None for each in requests)  # a key is remembered for ever
    wanted = [next(iter(each.run_config["ops"].values()))["config"] for each in requests]
    return [each for each in wanted if each["tenant_id"] == tenant], result.cursor or ""


def test_critical_drift_of_a_champion_is_asked_for_once_whatever_look_is_late_or_cursor_lost(calm: Calm, journal: PostgresDrift) -> None:
    world, _, made = calm
    asked = lambda cursor: tick(journal, world.registry, world.tenant, cursor)  # noqa: E731 — the same four times
    none, cursor = asked(None)
    assert none == []  # the first tick: nothing was looked at
    looked(made, journal, "warn")
    assert asked(cursor)[0] == []
    looked(made, journal, "critical", look=2)
    first, after = asked(cursor)
    assert [(each["severity"], each["reason"], each["as_of"]) for each in first] == [
        ("critical", "tier drifts", "2026-03-02T12:00:00+00:00")
    ]
    assert asked(after) == ([], after)  # replayed
    assert asked(cursor) == (first, after)  # the tick died before its cursor moved: the same run again, which the journal makes nothing
    looked(made, journal, "critical", look=3, reason="tie")  # a third look at the same week, and a late one at the week before it
    looked(made, journal, "critical", week=-1, reason="late")
    second, later = asked(after)
    assert [each["reason"] for each in second] == ["tie"]  # of a version's newest week the newest look speaks
    looked(made, journal, "ok", week=1)
    assert asked(later)[0] == []


def test_drift_of_a_version_that_is_no_champion_asks_for_nothing(calm: Calm, journal: PostgresDrift) -> None:
    world, _, made = calm
    assert made.version is not None
    import msgspec

    other = made._replace(version=msgspec.structs.replace(made.version, version=made.version.version + 1000))
    looked(other, journal, "critical", week=5)
    assert "1001" not in tick(journal, world.registry, world.tenant, None)[1]
    stranger = made._replace(tenant_id=f"t{uuid.uuid4().hex[:10]}")
    looked(stranger, journal, "critical", week=5)
    assert tick(journal, world.registry, stranger.tenant_id, None)[0] == []


def test_training_freezes_the_tenants_own_later_rows_and_what_was_said_of_them(calm: Calm, journal: PostgresDrift) -> None:
    _, as_of, made = calm
    assert made.version is not None
    assert made.judged is not None
    assert freeze_baseline(journal, made, as_of) == ""
    stored = journal.baseline(Served(made.tenant_id, made.version.model, made.version.version))
    assert stored is not None
    assert stored.frozen_at == as_of
    frozen = Baseline.from_json(stored.baseline)
    own = made.judged.tenant == made.tenant_id
    whole = next(each for each in frozen.parts if each.segment == "")
    assert whole.rows == own.sum()
    by_name = {each.name: each for each in whole.features}
    assert sum(by_name["intent"].counts) + by_name["intent"].missing == own.sum()
    assert by_name[PREDICTION].sketch[50] == pytest.approx(sorted(made.judged.probability[own])[int(own.sum()) // 2], rel=0.05)
    assert freeze_baseline(journal, made, as_of) == ""  # frozen again: the same
    changed = made.judged._replace(probability=made.judged.probability / 2)
    with pytest.raises(DriftError, match="takes a new version"):
        freeze_baseline(journal, made._replace(judged=changed), as_of)


def test_without_later_rows_there_is_no_baseline_and_that_is_said(calm: Calm, journal: PostgresDrift) -> None:
    _, as_of, made = calm
    told = "no later rows: drift of this version is not judged"
    assert freeze_baseline(journal, made._replace(judged=None), as_of) == told
    assert freeze_baseline(journal, made._replace(version=None), as_of) == told
    stranger = f"t{uuid.uuid4().hex[:10]}"
    assert freeze_baseline(journal, made._replace(tenant_id=stranger), as_of).startswith("drift of this version is not judged: ")
    assert made.version is not None
    assert journal.baseline(Served(stranger, made.version.model, made.version.version)) is None
