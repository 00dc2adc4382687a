"""One request to a vendor: what is tried again and for how long, what is final and what it says, and how many a second."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestration.resources.pull.http import Api, ApiError, Bucket, Fixed, PullError, Tries
from tests.orchestration.pulling import KEY, Moments
from tests.orchestration.vendors import FAULTS, Vendors, basic, serving


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with serving() as made:
        made.razorpay.keys.add(basic(KEY))
        yield made


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=0.5) as made:
        yield made


def api(vendors: Vendors, client: httpx.Client, time: Moments, key: str = KEY, **tries: float) -> Api:
    bucket = Bucket(1000.0, 100, time.passage())
    whose = "tenant asha, connection pay"
    return Api(client, whose, f"{vendors.url}/v1", "read access", Fixed(basic(key)), bucket, Tries(**tries), time.passage())


PAST = {"from": "1760000000", "to": "1760000100"}


def ask(asked: Api) -> dict[str, Any]:
    return asked.get("/payments", PAST, dict[str, Any])


@pytest.mark.parametrize("fault", [*FAULTS, "403 rate", "slow", "408", "504"])
def test_what_passes_is_tried_again(vendors: Vendors, client: httpx.Client, fault: str) -> None:
    time = Moments()
    vendors.faults = [fault, fault]
    assert ask(api(vendors, client, time))["items"] == []
    assert len(vendors.asked) == 3
    assert len(time.slept) >= 2


def test_the_vendor_says_how_long_to_wait_in_seconds_or_as_a_date(vendors: Vendors, client: httpx.Client) -> None:
    time = Moments()
    vendors.faults = ["429"]
    ask(api(vendors, client, time))
    assert 7 <= sum(time.slept) <= 8
    vendors.faults, time.slept[:] = ["429 date"], []
    ask(api(vendors, client, time))
    assert 29 <= sum(time.slept) <= 31


def test_waits_grow_up_to_the_longest_and_all_of_it_has_an_end(vendors: Vendors, client: httpx.Client) -> None:
    time = Moments()
    vendors.faults = ["500"] * 1000
    with pytest.raises(PullError, match=r"^tenant asha, connection pay: .* gave no answer in \d+ s \(HTTP 500\); nothing is lost"):
        ask(api(vendors, client, time, total_seconds=100.0, first_wait=0.5, longest_wait=10.0))
    assert sum(time.slept) <= 100
    assert max(time.slept) <= 10
    assert len(time.slept) > 10
    assert len(set(time.slept)) > 5  # at random, so that those who failed together do not come back together


def test_a_wait_that_is_longer_than_there_is_time_ends_it_at_once(vendors: Vendors, client: httpx.Client) -> None:
    time = Moments()
    vendors.faults = ["429"]
    with pytest.raises(PullError, match="HTTP 429"):
        ask(api(vendors, client, time, total_seconds=5.0))
    assert time.slept == []


def test_nobody_there_is_tried_again_and_then_told(client: httpx.Client) -> None:
    time = Moments()
    with serving() as gone:
        asked = api(gone, client, time, total_seconds=20.0)
    with pytest.raises(PullError, match="ConnectError"):
        ask(asked)
    assert len(time.slept) > 2


def test_an_answer_that_never_ends_is_given_up(vendors: Vendors, client: httpx.Client) -> None:
    vendors.faults = ["drip"]
    assert ask(api(vendors, client, Moments(), answer_seconds=0.2))["count"] == 0


def test_a_refusal_is_final_and_says_whose_it_is_and_what_to_do(vendors: Vendors, client: httpx.Client) -> None:
    time = Moments()
    with pytest.raises(ApiError) as refused:
        ask(api(vendors, client, time, key="rzp_live_k:hunter2"))
    said = str(refused.value)
    assert said.startswith("tenant asha, connection pay: ")
    assert "HTTP 401 (BAD_REQUEST_ERROR)" in said
    assert "has expired, was revoked or is of somebody else" in said
    assert "`flexoraa tenant apply`" in said
    assert "hunter2" not in said + repr(refused.value.__cause__)
    assert (len(vendors.asked), time.slept) == (1, [])
    with pytest.raises(ApiError, match="HTTP 400"):
        api(vendors, client, time).get("/payments", PAST | {"count": "101"}, dict[str, Any])
    vendors.faults = ["403"]
    with pytest.raises(ApiError, match="lacks a permission, read access is needed"):
        ask(api(vendors, client, time))


def test_another_shape_is_final_and_does_not_quote_what_stands_there(vendors: Vendors, client: httpx.Client) -> None:
    with pytest.raises(PullError, match="in a shape that is not known .*is this the vendor's address") as refused:
        api(vendors, client, Moments()).get("/payments", PAST, list[int])
    assert len(vendors.asked) == 1
    assert "collection" not in str(refused.value)


def test_an_account_has_so_many_requests_a_second_whatever_its_threads_do() -> None:
    time = Moments()
    bucket = Bucket(10.0, 5, time.passage())
    for _ in range(5):
        bucket.take()
    assert time.slept == []
    threads = [threading.Thread(target=bucket.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(time.slept) <= 2.0
    assert bucket._free_at - time.passage().seconds() <= 2.0
    bucket.pause(30)
    before = len(time.slept)
    bucket.take()
    assert time.slept[before] >= 29
