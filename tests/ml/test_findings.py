"""Bad declarations and bad statistics are named."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ml.experiments.config import Goal, Guardrail, LevelShares, Variant
from ml.experiments.findings import check_config, check_moments, check_versions
from ml.experiments.results import Finding
from ml.moments import AnyMoments, Counts, CovariateMoments, Moments
from tests.ml.simulated import START, config

_A, _B = Variant("a", 0.5, is_control=True), Variant("b", 0.5)


def _kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"variants": (_A,)}, "bad_variants"),
        ({"variants": (_A, replace(_B, name="a"))}, "bad_variants"),
        ({"variants": (replace(_A, is_control=False), _B)}, "bad_variants"),
        ({"variants": (_A, replace(_B, share=0.4))}, "bad_allocation"),
        ({"variants": (replace(_A, share=1.2), replace(_B, share=-0.2))}, "bad_allocation"),
        ({"variants": (replace(_A, share=0.0), replace(_B, share=1.0))}, "bad_allocation"),
        ({"horizon": timedelta(0)}, "bad_horizon"),
        ({"valid_to": START}, "bad_horizon"),
        ({"alpha": 0.0}, "bad_level"),
        ({"level": LevelShares(primary=0.9)}, "bad_level"),
        ({"guardrails": (Guardrail("converted"),)}, "bad_metrics"),
        ({"guardrails": (Guardrail("x", margin=1.0),)}, "bad_metrics"),
    ],
)
def test_a_bad_declaration_is_named(change: dict[str, object], kind: str) -> None:
    assert check_config(config()) == []
    assert kind in _kinds(check_config(replace(config(), **change)))


def _next(**changes: object) -> list[Finding]:
    """Findings on a version of thirty days and the one after it."""
    turn = START + timedelta(days=10)
    return check_versions([replace(config(), valid_to=turn), replace(config(), valid_from=turn, **changes)])


def test_versions_that_follow_each_other_unchanged_are_fine_in_any_order() -> None:
    turn = START + timedelta(days=10)
    versions = [replace(config(), valid_from=turn), replace(config(), valid_to=turn)]
    assert check_versions(versions) == []


def test_overlapping_versions_are_named_to_the_microsecond() -> None:
    turn = START + timedelta(days=10)
    for late, kinds in ((timedelta(0), []), (timedelta(microseconds=1), ["overlapping"])):
        assert _kinds(check_versions([replace(config(), valid_to=turn + late), replace(config(), valid_from=turn)])) == kinds
    assert _kinds(check_versions([config(), replace(config(), valid_from=turn)])) == ["overlapping"]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"variants": (replace(_A, share=0.3), replace(_B, share=0.7))}, ["allocation_changed"]),
        ({"variants": (_A, Variant("c", 0.5))}, ["shrinking"]),
        ({"horizon": timedelta(days=19)}, ["shrinking"]),
        ({"horizon": timedelta(days=20)}, []),
        ({"primary": Goal("booked")}, ["metric_renamed"]),
    ],
)
def test_changes_half_way_are_named(changes: dict[str, object], kinds: list[str]) -> None:
    found = _next(**changes)
    assert _kinds(found) == kinds
    assert all(finding.about == "2026-01-11T00:00:00+00:00" for finding in found)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (Counts(10, 11), "more than units"),
        (Counts(10.5, 1), "no whole number"),
        (Counts(-1, 0), "no whole number"),
        (Moments(10, 1.0, -1e-9), "a variance is negative"),
        (Moments(10, float("inf"), 1.0), "no finite number"),
        (CovariateMoments(10, 1.0, 1.0, 1.0, -1.0, 0.0), "a variance is negative"),
        (CovariateMoments(10, 1.0, 1.0, 1.0, 1.0, 1.01), "larger than the variances allow"),
        (Moments(np.array([5, 10]), np.array([1.0, 1.0]), np.array([2.0, -1.0])), "a variance is negative"),
    ],
)
def test_moments_that_no_data_can_have_are_named(arm: AnyMoments, words: str) -> None:
    [found] = check_moments({"b": arm}, "spend")
    assert found.kind == "impossible_moments"
    assert found.detail.startswith("spend in b: ")
    assert words in found.detail


def test_moments_of_real_rows_are_fine_also_where_nothing_varies_or_nobody_is() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, 100)
    arms = {
        "line": CovariateMoments.from_rows(3 * x + 1, x),
        "constant": CovariateMoments.from_rows(np.full(9, 0.1), np.full(9, 0.3)),
        "nobody": CovariateMoments.from_rows([], []),
    }
    assert check_moments(arms) == []
    assert check_moments({"a": Moments(0, float("nan"), float("nan"))}) == []


def test_two_kinds_under_one_name_are_named() -> None:
    assert _kinds(check_moments({"a": Counts(10, 1), "b": Moments(10, 0.1, 1.0)}, "converted")) == ["metric_changed_kind"]
