"""What follows from drift and from shadow evidence, and whom it is told."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Change, Severity, Shadow, action_of, answer_drift, champions, earlier_champions, may_promote

AT = datetime(2026, 11, 22, tzinfo=UTC)
BETTER, WORSE, UNSURE = Shadow(2, 500, 50, 0.02, 0.01, 0.03), Shadow(3, 500, 50, -0.02, -0.03, -0.01), Shadow(4, 500, 50, 0.01, -0.01, 0.03)
FEW, ONE_CLASS = Shadow(5, 99, 50, 0.5, 0.4, 0.6), Shadow(6, 500, 19, 0.5, 0.4, 0.6)


@pytest.mark.parametrize(
    ("severity", "shadows", "is_retrained", "kind", "version"),
    [
        ("ok", [BETTER], False, "none", None), ("warn", [BETTER], False, "none", None),
        ("critical", [BETTER], False, "roll_back", 2), ("critical", [WORSE, BETTER], False, "roll_back", 2),
        ("critical", [], False, "retrain", None), ("critical", [WORSE], False, "retrain", None), ("critical", [UNSURE], False, "retrain", None),
        ("critical", [FEW], False, "retrain", None), ("critical", [ONE_CLASS], False, "retrain", None),
        ("critical", [BETTER], True, "promote", 2), ("critical", [WORSE], True, "keep", None), ("critical", [], True, "keep", None),
    ],
)  # fmt: skip
def test_only_critical_drift_moves_a_champion_and_only_to_what_is_shown_to_be_better(
    severity: Severity, shadows: list[Shadow], is_retrained: bool, kind: str, version: int | None
) -> None:
    found = answer_drift(severity, "intent drifts", AT, shadows, is_retrained=is_retrained)
    assert (found.kind, found.version) == (kind, version)
    assert f"drift is {severity} at 2026-11-22T00:00:00+00:00 (intent drifts)" in found.reason


@given(st.integers(0, 400), st.integers(0, 400), st.floats(-1, 1), st.floats(0, 1))
def test_nothing_is_promoted_on_few_rows_or_on_an_interval_that_holds_zero(rows: int, positives: int, gain: float, half: float) -> None:
    positives = min(rows, positives)
    found = may_promote(Shadow(2, rows, positives, gain, gain - half, gain + half))
    assert (found.kind == "promote") == (rows >= 100 and 20 <= positives <= rows - 20 and gain - half > 0)
    assert str(rows) in found.reason


def change(number: int, version: int, cause: str = "better") -> Change:
    return Change("t", "m", number - 1, version, cause, "r", "{}", AT, "p", f"a{number}", number)  # type: ignore[arg-type]


def test_earlier_champions_are_told_apart_from_those_that_were_kept() -> None:
    history = [change(1, 1, "first"), change(2, 2), change(3, 2, "kept"), change(4, 3), change(5, 1, "rollback")]
    assert champions(reversed(history))["t", "m"].version == 1
    assert earlier_champions(history, ("t", "m")) == [3, 2]
    assert earlier_champions(history[:1], ("t", "m")) == []


def test_the_product_team_is_told_once_with_the_evidence() -> None:
    asked = action_of(change(2, 7)._replace(evidence='{"shadows": [1]}'), timedelta(days=30))
    assert (asked.channel, asked.action_id, asked.kind) == ("webhook", "a2", "model_champion_changed")
    assert json.loads(asked.details)["evidence"] == {"shadows": [1]}
    assert asked.expires_at == AT + timedelta(days=30)
    assert action_of(change(3, 7, "kept"), timedelta(days=1)).kind == "model_champion_kept"
