"""Service levels against the oracle: thousands of histories in one build, zero tolerance."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.dbt.histories import told
from tests.dbt.history_promises import AS_OF, Promises, promises
from tests.dbt.warehouse import build
from tests.oracles.common import SECOND, Holders
from tests.oracles.sla import Clock, Walk, judged, overlaps, walk

SEED = 20261123
HISTORIES = 20_000
ONLY = ("--select", "+fct_sla_clocks", "+fct_sla_intervals", "--exclude-resource-type", "unit_test", "test")
WINDOW = 45 * 86400
COLUMNS = (
    "tenant_id", "metric", "trigger_event_id", "lead_id", "tier", "policy_id", "policy_valid_from", "started_at", "stopped_at", "stop_reason",
    "stop_event_id", "warn_at", "due_at", "verdict", "elapsed_microseconds", "paused_microseconds", "is_paused", "finding",
)  # fmt: skip


@pytest.fixture(scope="module")
def story() -> Promises:
    """What happened."""
    return promises(SEED, HISTORIES)


@pytest.fixture(scope="module")
def built(story: Promises, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The clocks and their proof, of what was told twice over and in no order."""
    with build(tmp_path_factory.mktemp("promises"), told(story.made, SEED), AS_OF, *ONLY) as connection:
        yield connection


@pytest.fixture(scope="module")
def walked(story: Promises) -> list[Clock]:
    """The same by the oracle."""
    return of_oracle(story)


def of_oracle(story: Promises) -> list[Clock]:
    """Every clock, event by event."""
    made = story.made
    known = {table: made.known(table, AS_OF) for table in made.lake}
    holders = Holders(made.reference["lead_points"])
    tiers: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for row in sorted(known["lead_events"], key=lambda row: (row["occurred_at"], row["event_id"])):
        if row["kind"] == "tier_overridden":
            tiers.setdefault((row["tenant_id"], holders.lead(row) or ""), []).append((row["occurred_at"], row["tier"]))
    walker = Walk(made.reference["sla_policies"], story.calendars, tiers, story.gap)
    return walk(known, [], holders, walker, AS_OF)


def expected_row(clock: Clock, calendars: dict[tuple[str, str], Any], as_of: datetime) -> tuple[Any, ...]:
    """A row of the mart, in the order of `COLUMNS`."""
    verdict = judged(clock, calendars, as_of)
    reason, event = clock.stop or (None, None)
    policy = clock.policy
    return (
        clock.tenant, clock.metric, clock.trigger, clock.lead, clock.tier, policy and policy.policy_id, policy and policy.valid_from,
        clock.since, clock.stopped_at, reason, event, verdict["warn_at"], verdict["due_at"], verdict["verdict"], verdict["elapsed"],
        verdict["paused"], verdict["is_paused"], verdict["finding"],
    )  # fmt: skip


def by_trigger(rows: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows by tenant, metric and trigger."""
    return {row[:3]: dict(zip(COLUMNS, row, strict=True)) for row in rows}


@pytest.mark.large
@pytest.mark.timeout(7_200)
def test_a_million_histories_are_those_of_the_oracle(tmp_path: Path) -> None:
    for seed in range(50):
        many = promises(seed, HISTORIES)
        with build(tmp_path, told(many.made, seed), AS_OF, *ONLY) as connection:
            found = by_trigger(connection.execute(f"select {', '.join(COLUMNS)} from marts.fct_sla_clocks").fetchall())
        assert found == by_trigger([expected_row(clock, many.calendars, AS_OF) for clock in of_oracle(many)]), seed


def test_every_clock_is_that_of_the_oracle(built, story, walked) -> None:
    found = by_trigger(built.execute(f"select {', '.join(COLUMNS)} from marts.fct_sla_clocks").fetchall())
    expected = by_trigger([expected_row(clock, story.calendars, AS_OF) for clock in walked])
    wrong = {key: (found.get(key), expected.get(key)) for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
    assert not wrong, (len(wrong), len(expected), list(wrong.items())[:3])
    seen = Counter((row["metric"], row["verdict"], row["finding"]) for row in found.values())
    for metric in ("first_response", "next_response", "resolution", "hand_over"):
        assert all(seen[metric, verdict, None] > 25 for verdict in ("met", "breached", "pending")), seen
    assert {row["finding"] for row in found.values()} == {None, "no_policy", "two_policies", "no_calendar", "calendar_ends"}
    assert sum(row["stopped_at"] is not None and row["stopped_at"] == row["due_at"] for row in found.values()) > 20


def test_the_proof_of_a_clock_is_its_time_without_a_gap_and_adds_up_to_it(built) -> None:
    broken = """
    with pieces as (
        select *, lead(started_at) over clock as next_at, lag(kind || reason) over clock as previous
        from marts.fct_sla_intervals window clock as (partition by tenant_id, clock_id order by interval_no)
    ), proofs as (
        select tenant_id, clock_id, min(started_at) as started_at, max(ended_at) as ended_at, count(*) - count(ended_at) as open_ends,
            coalesce(sum(length_microseconds) filter (kind = 'counted'), 0) as counted,
            coalesce(sum(length_microseconds) filter (kind = 'paused'), 0) as paused, count(distinct interval_no) = max(interval_no) as is_whole,
            bool_and(coalesce(next_at = ended_at, next_at is null)) and bool_and(ended_at > started_at or ended_at is null) as is_unbroken
        from pieces group by all
    )
    select c.clock_id, c.verdict, p.* from marts.fct_sla_clocks as c left join proofs as p using (tenant_id, clock_id)
    where c.finding is null and not case
        when c.stopped_at = c.started_at then p.clock_id is null and c.elapsed_microseconds = 0
        when c.stopped_at is not null then p.is_whole and p.is_unbroken and p.open_ends = 0 and p.started_at = c.started_at
            and p.ended_at = c.stopped_at and p.counted = c.elapsed_microseconds and p.paused = c.paused_microseconds
        when c.verdict = 'breached' then p.is_whole and p.is_unbroken and p.open_ends = 0 and p.started_at = c.started_at
            and p.ended_at = c.due_at and p.counted = c.target_seconds * 1000000
        else p.is_whole and p.is_unbroken and p.open_ends = 1 and p.started_at = c.started_at end
    """
    assert built.execute(broken).fetchall() == []
    kinds = built.execute("select kind, reason, count(*) from marts.fct_sla_intervals group by all").fetchall()
    assert {row[:2] for row in kinds} == {
        ("counted", "waiting_for_us"), ("counted", "waiting_for_person"), ("paused", "waiting_for_lead"), ("closed", "outside_business_hours"),
    }  # fmt: skip
    assert all(row[2] > 1000 for row in kinds)


def test_every_piece_of_the_proof_is_that_of_the_oracle(built, story, walked) -> None:
    query = "select tenant_id, metric, trigger_event_id, kind, i.event_id, i.started_at, ended_at from marts.fct_sla_intervals as i "
    query += (
        "inner join marts.fct_sla_clocks using (tenant_id, clock_id) where stopped_at is not null and finding is null and kind <> 'closed'"
    )
    expected = set()
    for clock in walked:
        if clock.stopped_at is None or clock.finding or judged(clock, story.calendars, AS_OF)["finding"]:
            continue
        spans = story.calendars[clock.tenant, clock.policy.calendar_id]
        for counts, since, until, event_id in clock.parts(clock.stopped_at):
            pieces = overlaps(spans, since, until) if counts else [(since, until)] if since < until else []
            for begin, end in pieces:
                of_clock = (clock.tenant, clock.metric, clock.trigger, "counted" if counts else "paused", event_id)
                expected.add((*of_clock, begin, end))
    assert set(built.execute(query).fetchall()) == expected


def test_second_by_second_the_clock_comes_to_the_same(built, story, walked) -> None:
    """Those on whole seconds: each second is open or not, paused or not, and the clock counts them one by one."""
    origin, seconds = datetime(2026, 2, 20, tzinfo=UTC), 89 * 86400
    masks: dict[tuple[str, str], Any] = {}
    for key, spans in story.calendars.items():
        masks[key] = np.zeros(seconds, dtype=bool)
        for opened, closed in spans:
            masks[key][(opened - origin) // SECOND : (closed - origin) // SECOND] = True
    rows = built.execute(f"select {', '.join(COLUMNS)} from marts.fct_sla_clocks where finding is null").fetchall()
    found, leads = by_trigger(rows), set()
    for clock in walked:
        key = (clock.tenant, clock.metric, clock.trigger)
        moments = [clock.since, *(since for _, since, _ in clock.stretches), clock.stopped_at or AS_OF]
        if key not in found or any(moment.microsecond for moment in moments):
            continue
        begin = (clock.since - origin) // SECOND
        counts = masks[clock.tenant, clock.policy.calendar_id][begin : begin + WINDOW].copy()
        for is_counting, since, until, _ in clock.parts(origin + seconds * SECOND):
            if not is_counting:
                counts[(since - origin) // SECOND - begin : (until - origin) // SECOND - begin] = False
        so_far = np.cumsum(counts)
        target = clock.policy.target_seconds
        due = int(np.searchsorted(so_far, target)) + 1 if so_far[-1] >= target else None
        stop = None if clock.stopped_at is None else (clock.stopped_at - origin) // SECOND - begin
        ticks = None if stop is None else int(counts[:stop].sum())
        row = found[key]
        if due is None:
            assert row["due_at"] is None or row["due_at"] > clock.since + WINDOW * SECOND, row
        else:
            assert row["due_at"] == clock.since + due * SECOND, row
        assert row["elapsed_microseconds"] == (None if ticks is None else ticks * 1_000_000), row
        leads.add((clock.tenant, clock.lead))
        if len(leads) == 250:
            break
    assert len(leads) == 250


def test_the_answer_as_known_at_a_moment_is_that_of_a_build_that_had_only_what_was_received_by_then(tmp_path: Path) -> None:
    rows = told(promises(7, 1_500).made, 7)
    known_at = AS_OF - timedelta(days=10)
    received = {table: [row for row in kept if not isinstance(row, dict) or row["received_at"] <= known_at] for table, kept in rows.items()}
    everything = "select * from marts.fct_sla_clocks order by all", "select * from marts.fct_sla_intervals order by all"
    answers = []
    for known, moment in ((rows, known_at), (received, None), (rows, None)):
        with build(tmp_path, known, known_at, *ONLY, known_at=moment) as connection:
            answers.append([connection.execute(query).fetchall() for query in everything])
    known_then, had_only, known_now = answers
    assert known_then == had_only
    assert all(known_then)
    verdicts = [{row[1]: row[12] for row in answer[0]} for answer in (known_then, known_now)]
    restated = Counter((verdicts[0][key], verdicts[1][key]) for key in verdicts[0].keys() & verdicts[1].keys())
    assert restated["breached", "met"] > 3, restated  # the reply came in time, and was told too late
