"""What drift of a version is measured against, frozen when it is trained; and the sensor that has critical drift of a champion answered."""

import uuid
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import msgspec
import numpy as np
import pytest

from assets.model_baselines import freeze_baseline
from assets.model_rows import MODEL
from assets.model_training import Made
from core.drift_ports import DriftVerdict, Served, Severity
from core.models import Change, ModelVersion, change_id
from ml.drift.baseline import PREDICTION, Baseline
from ml.training import Judged
from orchestration.resources.drift import DriftError, PostgresDrift
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.state import State
from orchestration.sensors import model_drift_answers

MONDAY = date(2026, 3, 2)
AT = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 300


@pytest.fixture
def journal(state: State) -> PostgresDrift:
    """The journal of verdicts, and the baselines."""
    return PostgresDrift(state)


@pytest.fixture
def made(state: State, registry: MlflowRegistry) -> Made:
    """Version 7 of a fresh tenant, champion; no file of it is asked for."""
    tenant = f"t{uuid.uuid4().hex[:10]}"
    version = ModelVersion(
        tenant_id=tenant, model=MODEL, version=7, sha256="0" * 64, features_sha256="0" * 64, place="nowhere", rows=ROWS, positives=90,
        own_positives=90, hot_threshold=0.5, warm_threshold=0.1, horizon_days=30, card="{}", fitted_until=AT, trained_at=AT, trained_by="test",
    )  # fmt: skip
    row = msgspec.structs.asdict(version)
    names = ", ".join(row)
    with state.psycopg() as connection:
        connection.execute(f"insert into ops.model_versions ({names}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
    assert registry.change(Change(tenant, MODEL, 0, 7, "first", "r", "{}", AT, "test", change_id(tenant, MODEL, 0)))
    rng = np.random.default_rng(0)
    columns = {"confidence": rng.normal(size=2 * ROWS), "intent": np.array(["buy", "ask"], dtype=object)[rng.integers(0, 2, 2 * ROWS)]}
    p = rng.random(2 * ROWS)
    own = np.repeat([tenant, "other"], ROWS)
    return Made(tenant, version, "", Judged({}, columns, (rng.random(2 * ROWS) < p).astype(float), p, 0.5, own))


def looked(made: Made, journal: PostgresDrift, severity: Severity, *, week: int = 0, look: int = 1, reason: str = "tier drifts") -> None:
    """One look at a week of a version, written down."""
    assert made.version is not None
    served = Served(made.tenant_id, made.version.model, made.version.version)
    day = MONDAY + timedelta(weeks=week)
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    journal.record([DriftVerdict(served, day, look, severity, "judged", [reason], 9, uuid.uuid4().hex, 0.1, 0.01, at)])


def tick(journal: PostgresDrift, registry: MlflowRegistry, tenant: str, cursor: str | None) -> tuple[list[dict[str, str]], str]:
    """What the sensor asks for of that tenant, and the cursor after it."""
    with dg.build_sensor_context(cursor=cursor, resources={"drift_journal": journal, "registry": registry}) as context:
        result = model_drift_answers(context)
    assert isinstance(result, dg.SensorResult)
    requests = result.run_requests or []
    assert bool(requests) != bool(result.skip_reason)
    assert all(each.run_key is None for each in requests)  # a key is remembered for ever
    wanted = [next(iter(each.run_config["ops"].values()))["config"] for each in requests]
    return [each for each in wanted if each["tenant_id"] == tenant], result.cursor or ""


def test_critical_drift_of_a_champion_is_asked_for_once_whatever_look_is_late_or_cursor_lost(
    made: Made, journal: PostgresDrift, registry: MlflowRegistry
) -> None:
    def asked(cursor: str | None) -> tuple[list[dict[str, str]], str]:
        return tick(journal, registry, made.tenant_id, cursor)

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


def test_drift_of_a_version_that_is_no_champion_asks_for_nothing(made: Made, journal: PostgresDrift, registry: MlflowRegistry) -> None:
    assert made.version is not None
    looked(made._replace(version=msgspec.structs.replace(made.version, version=6)), journal, "critical")
    looked(made._replace(tenant_id=f"{made.tenant_id}x"), journal, "critical")
    assert made.tenant_id not in tick(journal, registry, made.tenant_id, None)[1]


def test_training_freezes_the_tenants_own_later_rows_and_what_was_said_of_them(made: Made, journal: PostgresDrift) -> None:
    assert made.judged is not None
    assert freeze_baseline(journal, made, AT) == ""
    stored = journal.baseline(Served(made.tenant_id, MODEL, 7))
    assert stored is not None
    assert stored.frozen_at == AT
    frozen = Baseline.from_json(stored.baseline)
    whole = next(each for each in frozen.parts if each.segment == "")
    assert whole.rows == ROWS  # those of the other tenant are not among them
    by_name = {each.name: each for each in whole.features}
    assert dict(zip(by_name["intent"].values, by_name["intent"].counts, strict=False)) == {
        value: int((made.judged.columns["intent"][:ROWS] == value).sum()) for value in ("buy", "ask")
    }
    assert by_name[PREDICTION].sketch[::100] == pytest.approx([made.judged.probability[:ROWS].min(), made.judged.probability[:ROWS].max()])
    assert freeze_baseline(journal, made, AT + timedelta(days=1)) == ""  # frozen again: the same, and it stays of its moment
    again = journal.baseline(Served(made.tenant_id, MODEL, 7))
    assert again == stored
    changed = made.judged._replace(probability=made.judged.probability / 2)
    with pytest.raises(DriftError, match="a new baseline takes a new version"):
        freeze_baseline(journal, made._replace(judged=changed), AT)


def test_without_rows_enough_there_is_no_baseline_and_that_is_said(made: Made, journal: PostgresDrift) -> None:
    told = "no later rows: drift of this version is not judged"
    assert freeze_baseline(journal, made._replace(judged=None), AT) == told
    assert freeze_baseline(journal, made._replace(version=None), AT) == told
    stranger = made._replace(tenant_id=f"{made.tenant_id}x")
    assert "0 rows; a baseline takes at least 200" in freeze_baseline(journal, stranger, AT)
    assert journal.baseline(Served(stranger.tenant_id, MODEL, 7)) is None


def test_a_champion_that_mlflow_does_not_know_is_told_and_the_others_are_pointed_at(
    made: Made, registry: MlflowRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    pointed = registry.mirror()
    name = f"{MODEL}--{made.tenant_id}"
    assert name not in pointed
    assert f"MLflow does not know version 7 of {name}" in caplog.text
