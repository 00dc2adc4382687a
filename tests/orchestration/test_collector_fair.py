"""The queue: each tenant has its share, nobody starves, and who floods waits for its own kind only."""

import socket
import time
from collections import Counter
from contextlib import ExitStack
from random import Random
from urllib.parse import urlsplit

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.collector.fair import PLACE_BYTES, FairQueue
from tests.orchestration.collecting import Sender, collecting, opened_home


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def filled(queue: FairQueue[str], tenant: str, count: int) -> int:
    return sum(queue.put(tenant, tenant, 1) for _ in range(count))


def test_alone_a_tenant_has_the_whole_queue_and_whole_groups() -> None:
    queue: FairQueue[str] = FairQueue(100)
    assert filled(queue, "a", 150) == 100
    assert len(queue.take()) == 100
    assert queue.take() == []
    assert queue.places == 0


def test_shares_follow_weights_and_a_tenant_of_the_last_second_keeps_its_own() -> None:
    hand = Hand()
    queue: FairQueue[str] = FairQueue(120, {"heavy": 2.0}, hand)
    for tenant in ("heavy", "b", "c"):
        queue.put(tenant, tenant, 1)
    assert {tenant: 1 + filled(queue, tenant, 200) for tenant in ("heavy", "b", "c")} == {"heavy": 60, "b": 30, "c": 30}
    while queue:
        queue.take()
    assert filled(queue, "b", 200) == 30  # the others were here a moment ago
    while queue:
        queue.take()
    hand.seconds = 2.5
    assert filled(queue, "b", 200) == 120


def test_a_newcomer_is_let_in_although_another_fills_its_share() -> None:
    queue: FairQueue[str] = FairQueue(100)
    assert filled(queue, "flood", 1000) == 100
    assert queue.put("new", "new", 1)
    assert not queue.put("flood", "flood", 1)
    assert "new" in queue.take()


def test_the_whole_is_bounded_whatever_the_number_of_tenants() -> None:
    queue: FairQueue[str] = FairQueue(50)
    assert sum(filled(queue, f"t{n}", 100) for n in range(500)) == 100


def test_a_large_body_takes_many_places_but_the_first_of_a_tenant_is_let_in() -> None:
    queue: FairQueue[str] = FairQueue(4)
    assert queue.put("a", "large", 100 * PLACE_BYTES)
    assert not queue.put("a", "small", 1)
    assert queue.take() == ["large"]
    assert queue.put("a", "small", PLACE_BYTES)
    assert queue.places == 2


def test_who_floods_gets_what_the_others_get_and_equals_are_served_at_once() -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for n in range(10):
        filled(queue, f"t{n}", 3)
    filled(queue, "flood", 60)
    assert Counter(queue.take()) == {f"t{n}": 3 for n in range(10)} | {"flood": 3}
    assert Counter(queue.take(least=5)) == {"flood": 5}
    queue = FairQueue(1000)
    counts = {f"t{n}": n + 1 for n in range(9)}
    for tenant, count in counts.items():
        filled(queue, tenant, count)
    assert Counter(queue.take()) == {tenant: min(count, 5) for tenant, count in counts.items()}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=200), st.integers(1, 40), st.integers(0, 1_000))
def test_everything_let_in_comes_out_once_in_the_order_of_its_tenant(puts: list[tuple[int, int]], places: int, seed: int) -> None:
    rng, hand = Random(seed), Hand()
    queue: FairQueue[tuple[str, int]] = FairQueue(places, {"t0": 0.3, "t1": 5.0}, hand)
    came_in: dict[str, list[int]] = {}
    came_out: dict[str, list[int]] = {}

    def take() -> None:
        group = queue.take(rng.randrange(1, 4))
        assert bool(group) == bool(waiting)
        for tenant, number in group:
            came_out.setdefault(tenant, []).append(number)
            waiting.discard(number)

    waiting: set[int] = set()
    for number, (who, pause) in enumerate(puts):
        hand.seconds += pause / 2
        if queue.put(f"t{who}", (f"t{who}", number), rng.randrange(3 * PLACE_BYTES)):
            came_in.setdefault(f"t{who}", []).append(number)
            waiting.add(number)
        if rng.random() < 0.2:
            take()
    for _ in range(len(puts) + 1):
        take()
    assert came_out == came_in
    assert (queue.places, queue.waiting()) == (0, {})


def raw_request(sender: Sender, name: str) -> bytes:
    body = sender.report(name)
    head = [b"POST /hooks/platform HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body)]
    head += [f"{name}: {value}".encode() for name, value in sender.signed(body).items()]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def test_a_full_share_is_answered_429_with_retry_after_and_the_other_tenant_is_served() -> None:
    with opened_home(2) as home, ExitStack() as stack:
        flooding, other = home.senders
        collector = stack.enter_context(collecting(home, "--queue", "2"))
        place = (urlsplit(collector.url).hostname or "", urlsplit(collector.url).port or 0)
        sockets = [stack.enter_context(socket.create_connection(place)) for _ in range(60)]
        assert collector.post(other, other.report("first")).status_code == 200  # so that there are two shares of one place
        for n, each in enumerate(sockets):  # all at once: a client that waits for answers would not fill anything
            each.sendall(raw_request(flooding, f"f{n}"))
        statuses = [collector.post(other, other.report(f"o{n}")).status_code for n in range(5)]
        answers = [each.recv(10_000) for each in sockets]
        metrics = httpx.get(f"{collector.url}/metrics").text
        assert collector.stop() == 0
        stored = Counter(line["body"].encode() for line in home.lines())
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 429 ")]
    acknowledged = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200 ")]
    assert refused
    assert acknowledged
    assert len(refused) + len(acknowledged) == 60
    assert all(b"retry-after: 1\r\n" in answer for answer in refused)
    assert statuses == [200] * 5
    assert stored.total() == len(stored) == len(acknowledged) + 6
    assert f'requests_total{{source="platform",status="429"}} {len(refused)}' in metrics


def test_a_refusal_is_held_back_so_that_a_loop_without_a_pause_cannot_eat_the_server() -> None:
    with opened_home(1) as home, ExitStack() as stack:
        collector = stack.enter_context(collecting(home, "--queue", "1"))
        place = (urlsplit(collector.url).hostname or "", urlsplit(collector.url).port or 0)
        sockets = [stack.enter_context(socket.create_connection(place)) for _ in range(60)]
        started = time.perf_counter()
        for n, each in enumerate(sockets):
            each.sendall(raw_request(home.senders[0], f"f{n}"))
        waited = {each.recv(10_000).split()[1]: time.perf_counter() - started for each in sockets}
    assert waited[b"429"] >= 1
