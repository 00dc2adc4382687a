"""The collector over real HTTP: what it takes is on disk as it came, what it refuses leaves no trace, and it always says why."""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from assets.ingest import take_in_all
from core.intake import MAX_BODY_BYTES
from tests.orchestration.collecting import Home, Process, Sender, collecting, opened_home


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with opened_home() as opened:
        yield opened


@pytest.fixture(scope="module")
def collector(home: Home) -> Iterator[Process]:
    """One for all tests that only ask it things."""
    with collecting(home) as process:
        yield process


@pytest.fixture
def sender(home: Home) -> Sender:
    return home.senders[0]


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def metric(collector: Process, name: str) -> float:
    text = httpx.get(f"{collector.url}/metrics").text
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_a_webhook_is_kept_byte_for_byte_with_the_headers_that_verify_it_and_no_others(home: Home, sender: Sender) -> None:
    home.clear()
    bodies = [sender.report(f"e{n}", text) for n, text in enumerate(["a", "नमस्ते 🙂", 'q"\\\n\t/', "\u2028"])]
    with collecting(home) as collector:
        for body in bodies:
            answer = collector.post(sender, body, Cookie="c=1", Authorization="Bearer x", **{"X-Forwarded-For": "203.0.113.9"})
            assert (answer.status_code, answer.content) == (200, b"")
        assert home.lines() == []  # still open: nobody may take it in
        assert len(home.open_segments()) == 1
        assert collector.stop() == 0
        assert not any(word in collector.log() for word in ("नमस्ते", "203.0.113.9", "Bearer"))
    assert home.open_segments() == []
    lines = home.lines()
    assert [line["body"].encode() for line in lines] == bodies
    for line, body in zip(lines, bodies, strict=True):
        assert set(line) == {"source", "received_at", "headers", "body"}
        assert line["headers"] == {"x-flexoraa-signature": sender.signed(body)["X-Flexoraa-Signature"]}


def test_what_was_acknowledged_is_taken_in_with_exact_conservation(home: Home, sender: Sender) -> None:
    home.clear()
    other = home.senders[1]
    broken = json.dumps({"type": "service.reported", "id": "x", "account_id": sender.account_id}).encode()
    posts = [(each, each.report(f"c{n}")) for each in (sender, other) for n in (1, 2, 2, 3)] + [(sender, broken)]
    with collecting(home) as collector:
        assert [collector.post(*each).status_code for each in posts] == [200] * 9
    platform = home.platform
    platform.lake.prepare()
    taken, _ = take_in_all(platform.inbox, platform.lake, platform.ledger, platform.vault, platform.progress)
    counts = sum((Counter({each.tenant_id: each.accepted, "rejected": each.rejected}) for t in taken for each in t.counts), Counter())
    assert counts == {sender.tenant_id: 4, other.tenant_id: 4, "rejected": 1}


def test_a_wrong_signature_is_refused_and_counted_and_nothing_is_kept(home: Home, collector: Process, sender: Sender) -> None:
    body = sender.report("w1")
    wrong = home.senders[1].signed(body)
    for headers in (wrong, {}, {"X-Flexoraa-Signature": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": "x"}):
        answer = httpx.post(f"{collector.url}/hooks/platform", content=body, headers=headers)
        assert refused(answer) == (401, "wrong_signature")
    changed = httpx.post(f"{collector.url}/hooks/platform", content=body + b" ", headers=sender.signed(body))
    assert refused(changed) == (401, "wrong_signature")
    assert metric(collector, 'flexoraa_collector_requests_total{source="platform",status="401"}') == 5


def test_an_unknown_account_or_source_is_not_found(collector: Process, sender: Sender) -> None:
    body = sender.report("u1").replace(sender.account_id.encode(), b"ws_nobody")
    assert refused(collector.post(sender, body)) == (404, "unknown_account")
    for source in ("telegram", "", "platform/x", "_common"):
        assert refused(httpx.post(f"{collector.url}/hooks/{source}", content=body)) == (404, "unknown_source")
    text = httpx.get(f"{collector.url}/metrics").text
    assert 'source="unknown",status="404"' in text
    assert "telegram" not in text


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b"hello", b'{"account_id": 5}', b'{"account_id"', b"[" * 100_000],
    ids=["empty", "list", "text", "number", "cut off", "deep"],
)
def test_a_body_that_names_no_account_because_it_is_none_is_a_bad_request(collector: Process, sender: Sender, body: bytes) -> None:
    assert refused(collector.post(sender, body)) == (400, "not_json")


def test_a_body_that_names_nobody_is_of_whoever_signs_it(collector: Process, sender: Sender) -> None:
    stranger = Sender("", "", b"not the secret", "", b"")
    assert refused(collector.post(stranger, b"{}")) == (401, "wrong_signature")
    assert collector.post(sender, b"{}").status_code == 200  # ingestion says what is wrong with it, and keeps it


def test_bytes_that_are_not_utf_8_are_a_bad_request_even_if_signed(collector: Process, sender: Sender) -> None:
    body = sender.report("x1").replace(b'"bot"', b'"\xff"')
    assert collector.post(sender, body).status_code == 400
    stranger = Sender(sender.tenant_id, sender.account_id, b"not the secret", sender.number, b"")
    assert collector.post(stranger, sender.report("x1", "é")).status_code == 401


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(collector: Process, sender: Sender) -> None:
    def padded(size: int) -> bytes:
        body = sender.report("l1")
        return body + b" " * (size - len(body))

    assert collector.post(sender, padded(MAX_BODY_BYTES)).status_code == 200
    assert refused(collector.post(sender, padded(MAX_BODY_BYTES + 1))) == (413, "too_large")

    def parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    try:
        answer = httpx.post(f"{collector.url}/hooks/platform", content=parts())
    except httpx.WriteError:
        return  # it hung up while we were writing
    assert refused(answer) == (413, "too_large")


def test_a_body_in_parts_is_one_body(home: Home, collector: Process, sender: Sender) -> None:
    body = sender.report("parts", "क" * 100_000)
    answer = httpx.post(
        f"{collector.url}/hooks/platform", content=(body[n : n + 9_999] for n in range(0, len(body), 9_999)), headers=sender.signed(body)
    )
    assert answer.status_code == 200
    stored = [json.loads(line)["body"].encode() for path in home.open_segments() for line in path.read_bytes().splitlines()]
    assert stored.count(body) == 1


def test_other_methods_are_not_allowed(collector: Process) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert httpx.request(method, f"{collector.url}/hooks/platform").status_code == 405
    assert httpx.get(f"{collector.url}/hooks/platform").status_code == 405
    assert httpx.get(f"{collector.url}/hooks/telegram").status_code == 404
    assert httpx.post(f"{collector.url}/metrics").status_code == 405
    assert httpx.get(f"{collector.url}/").status_code == 404


def test_a_segment_is_closed_by_age_while_nothing_comes(home: Home, sender: Sender) -> None:
    home.clear()
    with collecting(home, "--rotate-seconds", "0.5") as collector:
        assert collector.post(sender, sender.report("a1")).status_code == 200
        until = time.monotonic() + 10
        while not home.lines() and time.monotonic() < until:
            time.sleep(0.05)
        assert [json.loads(line["body"])["id"] for line in home.lines()] == ["a1"]
        assert metric(collector, "flexoraa_collector_segments_closed_total") == 1
        time.sleep(1)
        assert len(list(home.inbox.glob("*.ndjson"))) == 1  # no empty ones


def test_a_segment_is_closed_by_size_and_none_is_lost(home: Home, sender: Sender) -> None:
    home.clear()
    with collecting(home, "--rotate-bytes", "2000") as collector:
        for n in range(20):
            assert collector.post(sender, sender.report(f"s{n}")).status_code == 200
    assert len(list(home.inbox.glob("*.ndjson"))) >= 4
    assert [json.loads(line["body"])["id"] for line in home.lines()] == [f"s{n}" for n in range(20)]  # names in order of time


def test_sigterm_answers_what_it_has_and_closes_the_segment(home: Home, sender: Sender) -> None:
    home.clear()

    async def post_until_it_stops(collector: Process) -> list[bytes]:
        acknowledged = []
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=20)) as client:

            async def work(worker: int) -> None:
                for n in range(10_000):
                    body = sender.report(f"t{worker}-{n}")
                    try:
                        answer = await client.post(f"{collector.url}/hooks/platform", content=body, headers=sender.signed(body))
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200
                    acknowledged.append(body)

            tasks = [asyncio.create_task(work(each)) for each in range(20)]
            await asyncio.sleep(0.5)
            assert await asyncio.to_thread(collector.stop) == 0
            await asyncio.gather(*tasks)
        return acknowledged

    with collecting(home) as collector:
        acknowledged = asyncio.run(post_until_it_stops(collector))
    assert len(acknowledged) > 20
    stored = [line["body"].encode() for line in home.lines()]
    assert home.open_segments() == []
    assert not Counter(acknowledged) - Counter(stored)
    assert len(set(stored)) == len(stored)


def test_two_collectors_of_one_home_do_not_touch_each_others_segments(home: Home, sender: Sender) -> None:
    home.clear()
    with collecting(home) as first:
        assert first.post(sender, sender.report("one")).status_code == 200
        with collecting(home) as second:
            assert second.post(sender, sender.report("two")).status_code == 200
            assert first.post(sender, sender.report("three")).status_code == 200
            assert home.lines() == []
            assert len(home.open_segments()) == 2
    assert sorted(json.loads(line["body"])["id"] for line in home.lines()) == ["one", "three", "two"]


def test_a_sender_that_never_ends_its_body_does_not_hold_the_others(collector: Process, sender: Sender) -> None:
    place = urlsplit(collector.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 0)) as slow:
        slow.sendall(b"POST /hooks/platform HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert collector.post(sender, sender.report("quick")).status_code == 200
        slow.settimeout(30)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_disk_that_takes_no_more_is_told_to_the_sender_and_to_health_and_nothing_is_torn(home: Home, sender: Sender) -> None:
    home.clear()
    with collecting(home) as collector:
        assert collector.post(sender, sender.report("before")).status_code == 200
        (segment,) = home.open_segments()
        for room in (segment.stat().st_size + 100, 0):  # the first write stops within its line, later ones cannot begin
            with collector.limited_to_files_of(room):
                answer = collector.post(sender, sender.report("lost"))
                assert refused(answer) == (503, "not_stored")
                assert answer.headers["retry-after"] == "1"
        with collector.limited_to_files_of(0):
            health = httpx.get(f"{collector.url}/health")
        assert (health.status_code, list(health.json()["reasons"])) == (503, ["disk"])
        assert httpx.get(f"{collector.url}/health").json() == {"is_healthy": True, "reasons": {}}
        assert metric(collector, "flexoraa_collector_failed_groups_total") == 2
        assert collector.post(sender, sender.report("after")).status_code == 200
    assert [json.loads(line["body"])["id"] for line in home.lines()] == ["before", "after"]


def test_metrics_say_what_was_answered_how_fast_and_in_what_groups(home: Home, sender: Sender) -> None:
    with collecting(home) as collector:
        for n in range(3):
            collector.post(sender, sender.report(f"m{n}"))
        answer = httpx.get(f"{collector.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'flexoraa_collector_requests_total{source="platform",status="200"} 3' in lines
    assert "flexoraa_collector_acknowledged_total 3" in lines
    assert 'flexoraa_collector_request_seconds_bucket{le="+Inf"} 3' in lines
    assert "flexoraa_collector_group_size_sum 3.000000" in lines
    assert "flexoraa_collector_queue_places 0" in lines
    assert sender.account_id not in answer.text


def test_signatures_of_every_source_pass_in_whatever_case_the_header_comes(collector: Process, sender: Sender) -> None:
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
        {"field": "messages", "value": {"metadata": {"phone_number_id": sender.number}}}]}]}).encode()  # fmt: skip
    signature = "sha256=" + hmac.new(sender.app_secret, body, hashlib.sha256).hexdigest()
    for name in ("X-Hub-Signature-256", "x-hub-signature-256", "X-HUB-SIGNATURE-256"):
        assert httpx.post(f"{collector.url}/hooks/whatsapp", content=body, headers={name: signature}).status_code == 200
