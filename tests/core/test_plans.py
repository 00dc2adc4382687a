"""What sensors decide: the first tick, ties, late rows, crashes and replays."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.actions import Action
from core.plans import plan_ingest, plan_requests

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
