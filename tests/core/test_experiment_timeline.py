"""Kills cut the configuration to the microsecond, and are planned for whatever does harm or is not known."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.experiments import Configured, ExperimentDecision, Key, Publication, Verdict, standing, switch_action, switch_id
from core.plans import plan_kills
from core.reference import Experiment, ExperimentMetric
from core.timeline import timeline

START = datetime(2026, 6, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
DAY = timedelta(days=1)
PATIENCE = timedelta(hours=36)


def configured(*spans: tuple[datetime, datetime | None], hours: int = 36) -> Configured:
    common = [{"tenant_id": "t", "experiment_id": "x", "valid_from": begin, "valid_to": end} for begin, end in spans]
    variants = [
        Experiment(**each, variant=name, is_control=name == "a", allocation_ppm=500_000, primary_metric="m", stale_after_hours=hours)
        for each in common
        for name in "ab"
    ]
    metric = {"metric": "m", "role": "primary", "kind": "proportion", "event": "m", "window_seconds": 60}
    return Configured(variants, [ExperimentMetric(**each, **metric) for each in common])


def verdict(number: int, at: datetime, what: str = "killed") -> Verdict:
    return Verdict("t", "x", number - 1, what, at, "ab_monitor", "harm", "b is worse", "{}", switch_id("t", "x", number - 1), number)


def spans(rows: Configured) -> list[tuple[datetime, datetime | None, bool, list[int]]]:
    """Begin, end, whether killed, and the allocation in per cent."""
    found: dict[tuple[datetime, datetime | None, bool], list[int]] = {}
    for row in rows.variants:
        found.setdefault((row.valid_from, row.valid_to, row.is_killed), []).append(row.allocation_ppm // 10_000)
    return [(*key, shares) for key, shares in sorted(found.items(), key=lambda item: item[0][0])]


def test_from_the_moment_of_a_kill_control_has_all() -> None:
    end = START + 30 * DAY
    cut = timeline(configured((START, end)), [verdict(1, START + DAY)])
    assert spans(cut) == [(START, START + DAY, False, [50, 50]), (START + DAY, end, True, [100, 0])]
    assert [(row.valid_from, row.valid_to) for row in cut.metrics] == [(START, START + DAY)]


def test_after_its_end_the_experiment_begins_anew() -> None:
    cut = timeline(
        configured((START, None)), [verdict(1, START + DAY), verdict(2, START + 3 * DAY, "resumed"), verdict(3, START + 5 * DAY)]
    )
    assert spans(cut) == [
        (START, START + DAY, False, [50, 50]),
        (START + DAY, START + 3 * DAY, True, [100, 0]),
        (START + 3 * DAY, START + 5 * DAY, False, [50, 50]),
        (START + 5 * DAY, None, True, [100, 0]),
    ]


def test_a_new_version_does_not_end_a_kill() -> None:
    change = START + 10 * DAY
    cut = timeline(configured((START, change), (change, None)), [verdict(1, START + DAY)])
    assert [(begin, killed) for begin, _, killed, _ in spans(cut)] == [(START, False), (START + DAY, True), (change, True)]


def test_a_kill_at_the_very_start_leaves_nothing_to_count() -> None:
    cut = timeline(configured((START, None)), [verdict(1, START)])
    assert spans(cut) == [(START, None, True, [100, 0])]
    assert cut.metrics == []


@given(st.lists(st.integers(0, 20), max_size=6), st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True))
def test_every_moment_has_one_version_and_is_killed_between_kill_and_resume(days: list[int], bounds: list[int]) -> None:
    begins = [0, *sorted(bounds)]
    config = configured(
        *((START + a * DAY, None if b is None else START + b * DAY) for a, b in zip(begins, [*begins[1:], None], strict=True))
    )
    journal = [verdict(n + 1, START + at * DAY, "killed" if n % 2 == 0 else "resumed") for n, at in enumerate(sorted(days))]
    cut = spans(timeline(config, journal))
    for half_days in range(45):
        at = START + half_days * DAY / 2
        [here] = [each for each in cut if each[0] <= at and (each[1] is None or at < each[1])]
        before = [each for each in journal if each.decided_at <= at]
        assert here[2] == (bool(before) and before[-1].verdict == "killed")


def decision(status: str = "running", valid_from: datetime = START) -> ExperimentDecision:
    return ExperimentDecision(
        tenant_id="t", experiment_id="x", status=status, serve="control" if status == "killed" else "experiment", cause="harm",
        reason="b is worse on m", variant="b", metric="m", verdict="", findings="[]", evidence='{"statistic": 3.0}', is_current=True,
        look_count=3, power=None, triggered_at=None, last_look_at=None, valid_from=valid_from, valid_to=None,
    )  # fmt: skip


def kills(publication: Publication, as_of: datetime, killed: Collection[Key] = (), applied: datetime = START) -> list[str]:
    found, _ = plan_kills("", publication, configured((START, None))._replace(applied_at={"t": applied}), killed, as_of)
    return [f"{each.cause}: {each.reason}" for each in found]


def test_what_was_found_harmful_is_killed_once() -> None:
    told = Publication(START + DAY, [decision("killed")])
    assert kills(told, START + DAY) == ["harm: b is worse on m"]
    assert kills(told, START + DAY, {("t", "x")}) == []
    assert kills(Publication(START + DAY, [decision()]), START + DAY) == []


def test_a_decision_on_an_older_version_kills_nothing() -> None:
    assert kills(Publication(START + DAY, [decision("killed", START - DAY)]), START + DAY) == []


def test_statistics_that_are_missing_or_stale_kill_to_the_microsecond() -> None:
    silent, told = Publication(None, []), Publication(START + DAY, [decision()])
    assert kills(silent, START + PATIENCE) == []
    assert kills(silent, START + PATIENCE + MICRO) == ["statistics: no statistics were published at all; at most 36 hours are borne"]
    assert kills(told, START + DAY + PATIENCE) == []
    assert kills(told, START + DAY + PATIENCE + MICRO)[0].startswith("statistics: no statistics were published since 2026-06-02")


def test_an_experiment_of_few_leads_may_be_given_more_time() -> None:
    def found(as_of: datetime) -> list[str]:
        return [each.reason for each in plan_kills("", Publication(START, [decision()]), configured((START, None), hours=96), (), as_of)[0]]

    assert found(START + 4 * DAY) == []
    assert found(START + 4 * DAY + MICRO) == ["no statistics were published since 2026-06-01T00:00:00+00:00; at most 96 hours are borne"]


def test_an_experiment_that_was_only_just_configured_is_waited_for() -> None:
    applied = START + 9 * DAY
    assert kills(Publication(applied, []), applied + PATIENCE, applied=applied) == []
    assert len(kills(Publication(applied, []), applied + PATIENCE + MICRO, applied=applied)) == 1


def test_what_has_not_begun_or_is_over_is_left_alone() -> None:
    assert kills(Publication(None, []), START - MICRO) == []
    found, _ = plan_kills("", Publication(None, []), configured((START, START + DAY)), set(), START + 9 * DAY)
    assert found == ()


def test_a_crash_before_the_cursor_moves_plans_the_same_again() -> None:
    told = Publication(START + DAY, [decision("killed")])
    first = plan_kills("", told, configured((START, None)), set(), START + DAY)
    assert plan_kills("", told, configured((START, None)), set(), START + DAY) == first
    assert plan_kills(first[1], told, configured((START, None)), set(), START + DAY) == first
    assert first[1] == (START + DAY).isoformat()


def test_the_action_of_a_verdict_has_one_id_and_says_what_to_serve() -> None:
    action = switch_action(verdict(1, START), DAY)
    assert (action.kind, action.channel, action.due_at, action.expires_at) == ("kill_experiment", "callback", START, START + DAY)
    assert '"serve": "control"' in action.details
    assert switch_action(verdict(2, START, "resumed"), DAY).action_id != action.action_id
    assert standing([verdict(2, START, "resumed"), verdict(1, START)])["t", "x"].verdict == "resumed"
