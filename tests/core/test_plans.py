"""What sensors decide: the first tick, ties, late rows, crashes and replays."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.actions import Action
from core.plans import plan_ingest, plan_polls, plan_requests, poll_due_at, polls_due
from core.pulling import Mailbox

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def request(number: int, minutes: int = 0) -> Action:
    due = NOON + timedelta(minutes=minutes)
    return Action(
        f"a{number}", "t", "lead_leak", "notify", "webhook", "l", None, None, None, "l", f"e{number}", "{}", due, due + timedelta(days=1)
    )


def ids(actions: tuple[Action, ...]) -> list[str]:
    return [each.action_id for each in actions]


def test_the_first_tick_asks_for_all_that_is_due_oldest_first() -> None:
    plan = plan_requests("", [request(1, -1), request(2, -5), request(3, 1)], set(), NOON)
    assert ids(plan.actions) == ["a2", "a1"]
    assert plan.cursor == (NOON - timedelta(minutes=1)).isoformat()


def test_due_at_this_very_moment_is_due() -> None:
    assert ids(plan_requests("", [request(1, 0)], set(), NOON).actions) == ["a1"]
    assert ids(plan_requests("", [request(1, 0)], set(), NOON - timedelta(microseconds=1)).actions) == []


def test_a_tie_at_the_cursor_is_asked_for_in_the_order_of_ids() -> None:
    first = plan_requests("", [request(2)], set(), NOON)
    second = plan_requests(first.cursor, [request(2), request(3), request(1)], {"a2"}, NOON)
    assert ids(second.actions) == ["a1", "a3"]
    assert second.cursor == first.cursor


def test_a_late_row_is_asked_for_although_the_cursor_has_passed_it() -> None:
    first = plan_requests("", [request(1)], set(), NOON)
    second = plan_requests(first.cursor, [request(1), request(2, -600)], {"a1"}, NOON)
    assert ids(second.actions) == ["a2"]
    assert second.cursor == first.cursor


def test_a_crash_before_the_cursor_moves_asks_for_nothing_twice_and_loses_nothing() -> None:
    seen = [request(1), request(2)]
    first = plan_requests("", seen, set(), NOON)
    in_outbox = {first.actions[0].action_id}  # the rest was not written when the process died
    again = plan_requests("", seen, in_outbox, NOON)
    assert in_outbox | set(ids(again.actions)) == {"a1", "a2"}
    assert not in_outbox & set(ids(again.actions))


def test_nothing_published_leaves_the_cursor() -> None:
    assert plan_requests("2026-11-22T11:00:00+00:00", [], set(), NOON) == ((), "2026-11-22T11:00:00+00:00")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(-9, 9)), max_size=12), st.lists(st.sets(st.integers(0, 20)), max_size=5))
def test_replayed_in_any_order_each_due_request_is_asked_for_once(rows: list[tuple[int, int]], ticks: list[set[int]]) -> None:
    requests = {number: request(number, minutes) for number, minutes in rows}
    asked: list[str] = []
    cursor = ""
    for tick in [*ticks, set(requests)]:
        plan = plan_requests(cursor, [each for number, each in requests.items() if number in tick], set(asked), NOON)
        asked += ids(plan.actions)
        assert plan.cursor >= cursor
        cursor = plan.cursor
    assert sorted(asked) == sorted(each.action_id for each in requests.values() if each.due_at <= NOON)


def test_no_segment_asks_for_nothing() -> None:
    assert plan_ingest("", []) == (None, "")


def test_a_set_of_segments_asks_once_and_a_new_file_again() -> None:
    asked, cursor = plan_ingest("", ["a.ndjson"])
    assert asked
    assert plan_ingest(cursor, ["a.ndjson"]) == (None, cursor)
    more, later = plan_ingest(cursor, ["a.ndjson", "0.ndjson"])
    assert more
    assert later != cursor


def test_the_same_name_asks_again_after_it_was_taken_in() -> None:
    _, cursor = plan_ingest("", ["latest.ndjson"])
    _, cursor = plan_ingest(cursor, [])
    assert plan_ingest(cursor, ["latest.ndjson"])[0]


def test_another_set_of_the_same_size_and_last_name_asks_again() -> None:
    _, cursor = plan_ingest("", ["a.ndjson", "z.ndjson"])
    assert plan_ingest(cursor, ["b.ndjson", "z.ndjson"])[0]


@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_neither_key_nor_cursor_tells_a_name_or_the_order(names: list[str]) -> None:
    asked, cursor = plan_ingest("", names)
    assert asked == cursor == plan_ingest("", names[::-1])[1]
    assert cursor.startswith(f"{len(names)}:")
    assert len(cursor) == len(f"{len(names)}:") + 12


EVERY = timedelta(minutes=5)
MICRO = timedelta(microseconds=1)


def box(tried: timedelta | None = None, told: timedelta | None = None) -> Mailbox:
    """A mailbox that was tried and told of so long before noon."""
    return Mailbox("t", "mail", "a@b.co", None if tried is None else NOON - tried, None if told is None else NOON - told)


def test_the_first_tick_asks_for_a_mailbox_that_was_never_tried_and_nobody_connected_asks_for_nothing() -> None:
    assert plan_polls("", [box()], NOON, EVERY) == (True, NOON.isoformat())
    assert plan_polls("", [], NOON, EVERY) == (False, "")


def test_a_mailbox_is_due_at_the_microsecond_at_which_it_was_tried_long_enough_ago() -> None:
    assert polls_due([box(tried=EVERY)], NOON, EVERY) == [box(tried=EVERY)]
    assert polls_due([box(tried=EVERY - MICRO)], NOON, EVERY) == []
    assert plan_polls("", [box(tried=EVERY)], NOON, EVERY)[0]
    assert not plan_polls("", [box(tried=EVERY - MICRO)], NOON, EVERY)[0]


def test_what_google_told_of_after_the_last_try_is_due_at_once_and_what_it_told_before_is_not() -> None:
    assert polls_due([box(tried=2 * MICRO, told=MICRO)], NOON, EVERY)
    assert not polls_due([box(tried=MICRO, told=MICRO)], NOON, EVERY)
    assert not polls_due([box(tried=MICRO, told=2 * MICRO)], NOON, EVERY)


def test_a_tie_at_the_cursor_was_asked_for_already_and_a_later_mailbox_was_not() -> None:
    first = plan_polls("", [box(tried=EVERY)], NOON, EVERY)
    assert first == (True, NOON.isoformat())
    assert plan_polls(first[1], [box(tried=EVERY)], NOON + MICRO, EVERY) == (False, first[1])
    other = box(tried=EVERY - MICRO)
    assert plan_polls(first[1], [box(tried=EVERY), other], NOON + MICRO, EVERY) == (True, (NOON + MICRO).isoformat())


def test_a_late_mailbox_that_came_due_before_the_cursor_waits_one_round_at_most() -> None:
    cursor = (NOON - EVERY + MICRO).isoformat()
    assert not plan_polls(cursor, [box()], NOON, EVERY)[0]
    assert plan_polls(cursor, [box()], NOON + MICRO, EVERY)[0]


def test_a_poll_run_that_was_lost_is_asked_for_again_and_a_lost_cursor_costs_nothing() -> None:
    asked, cursor = plan_polls("", [box(tried=EVERY)], NOON, EVERY)
    assert asked
    assert plan_polls(cursor, [box(tried=EVERY)], NOON + EVERY, EVERY)[0]
    assert plan_polls("", [box(tried=EVERY)], NOON, EVERY) == (asked, cursor)  # a crash before the cursor moved, and a replay
    assert not plan_polls("", [box(tried=timedelta())], NOON, EVERY)[0]  # the run has been since


@given(st.lists(st.tuples(st.integers(0, 900), st.none() | st.integers(0, 900)), max_size=4), st.integers(0, 900))
def test_whoever_ticks_on_asks_for_every_mailbox_within_a_round_of_its_coming_due(ages: list[tuple[int, int | None]], asked: int) -> None:
    boxes = [box(timedelta(seconds=tried), None if told is None else timedelta(seconds=told)) for tried, told in ages]
    cursor = (NOON - timedelta(seconds=asked)).isoformat()
    last_due = max((poll_due_at(each, EVERY) for each in boxes), default=None)
    ticks = [NOON + timedelta(seconds=30 * step) for step in range(40)]
    wanted = next((at for at in ticks if plan_polls(cursor, boxes, at, EVERY)[0]), None)
    if last_due is None:
        assert wanted is None
    else:
        assert wanted is not None
        assert wanted <= max(NOON, min(poll_due_at(each, EVERY) for each in boxes)) + EVERY + timedelta(seconds=30)
