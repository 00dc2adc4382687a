"""Turns of lanes: the token bucket against a simulation, the breaker, and nobody starved."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.actions import Outcome
from core.lanes import FAILURES, Lane, Rate, cool_off, free_at, in_turn, is_answer, is_failure, next_free, spend, tokens

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def lane(name: str = "whatsapp:1", tenant: str = "t", per_second: float = 10.0, burst: int = 3, **state: object) -> Lane:
    return Lane(tenant, name, NOW, Rate(per_second, burst))._replace(**state)  # type: ignore[arg-type]


@given(st.sampled_from([1.0, 4.0, 80.0]), st.integers(1, 20), st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 5)), max_size=40))
def test_no_stretch_of_time_holds_more_than_its_tokens_and_the_burst(rate: float, burst: int, asks: list[tuple[int, int]]) -> None:
    """The law of a token bucket: in any stretch of s seconds at most burst + s * rate."""
    bucket, now, went = lane(per_second=rate, burst=burst), NOW, []
    for after_ms, wanted in asks:
        now += timedelta(milliseconds=after_ms)
        count = min(wanted, tokens(bucket, now))
        assert count <= burst
        if count:
            bucket = bucket._replace(spent_until=spend(bucket, count, now))
            went += [now] * count
    for first in range(len(went)):
        for last in range(first, len(went)):
            seconds = (went[last] - went[first]).total_seconds()
            assert last - first + 1 <= burst + seconds * rate + 1e-3


def test_a_full_bucket_gives_its_burst_and_then_one_a_step() -> None:
    bucket = lane(per_second=10, burst=3)
    assert tokens(bucket, NOW) == 3
    bucket = bucket._replace(spent_until=spend(bucket, 3, NOW))
    assert (tokens(bucket, NOW), free_at(bucket, NOW)) == (0, NOW + timedelta(milliseconds=100))
    assert tokens(bucket, NOW + timedelta(milliseconds=100) - TICK) == 0
    assert tokens(bucket, NOW + timedelta(milliseconds=100)) == 1
    assert tokens(bucket, NOW + timedelta(hours=1)) == 3


def test_who_was_told_to_wait_waits_to_the_microsecond() -> None:
    closed = lane(closed_until=NOW + timedelta(seconds=30))
    assert next_free([closed], NOW) == timedelta(seconds=30)
    assert in_turn([closed], NOW + timedelta(seconds=30) - TICK) == []
    assert in_turn([closed], NOW + timedelta(seconds=30)) == [closed]
    assert next_free([], NOW) is None


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_a_tenant_with_little_is_through_before_a_tenant_with_much_has_had_one_more(amounts: list[int]) -> None:
    """A simulation of rounds: whoever has something left is served once in each."""
    left = {f"t{number}": amount for number, amount in enumerate(amounts)}
    served: dict[str, datetime] = {}
    order: list[str] = []
    while any(left.values()):
        now = NOW + timedelta(seconds=len(order))
        lanes = [lane(tenant=tenant, per_second=1000, burst=1000, served_at=served.get(tenant)) for tenant, count in left.items() if count]
        first = in_turn(lanes, now)[0].tenant_id
        served[first], left[first] = now, left[first] - 1
        order.append(first)
    for number, amount in enumerate(amounts):
        last = max(place for place, tenant in enumerate(order) if tenant == f"t{number}")
        assert last < sum(min(other, amount) for other in amounts)


def test_a_tenant_with_ten_numbers_gets_no_more_than_one_with_one() -> None:
    many = [lane(f"whatsapp:{number}", "many", served_at=NOW - timedelta(seconds=1) if number == 3 else None) for number in range(10)]
    one = lane("whatsapp:x", "one", served_at=NOW - timedelta(seconds=2))
    assert in_turn([*many, one], NOW)[0] == one
    assert in_turn([*many, one._replace(served_at=NOW)], NOW)[0] == many[0]  # of its lanes, one that was never served


def test_the_breaker_opens_at_the_fifth_failure_and_then_lets_one_test_by() -> None:
    waits = [cool_off(number) for number in range(12)]
    assert waits[:FAILURES] == [None] * FAILURES
    assert waits[FAILURES:] == [timedelta(seconds=30 * each) for each in (1, 2, 4, 8, 16, 30, 30)]
    assert tokens(lane(burst=100, failures=FAILURES - 1), NOW) == 100
    assert tokens(lane(burst=100, failures=FAILURES), NOW) == 1
    spread = {cool_off(6, f"k{number}") for number in range(50)}
    assert len(spread) > 45
    assert all(timedelta(minutes=1) <= each <= timedelta(minutes=1.25) for each in spread if each)


def test_only_what_says_something_of_the_other_side_counts() -> None:
    tried = {"request_sha256": "aa"}
    for outcome, failure, answer in (
        (Outcome("requested", "not reached", **tried), True, False),
        (Outcome("unknown", "no answer", **tried), True, False),
        (Outcome("unknown", "HTTP 503", 503, **tried), True, False),
        (Outcome("requested", "HTTP 429", 429, **tried), True, False),
        (Outcome("sent", "accepted", 200, **tried), False, True),
        (Outcome("rejected", "HTTP 400", 400, **tried), False, True),
        (Outcome("held", "quiet hours"), False, False),
        (Outcome("cancelled", "opted out"), False, False),
        (Outcome("rejected", "no token"), False, False),
    ):
        assert (is_failure(outcome), is_answer(outcome)) == (failure, answer)
