"""The local receiver: good answers in the providers' shapes, a record of all that came, and bad moods on request."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from orchestration.receiver import Receiver, Request
from orchestration.receiver_answers import wamid_for

MESSAGE = {"messaging_product": "whatsapp", "to": "919876543210", "type": "template", "template": {"name": "recovery_1"}}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path / "record" / "received.ndjson") as each:
        yield each


def test_a_message_is_answered_like_the_graph_api(receiver: Receiver) -> None:
    answers = [httpx.post(f"{receiver.url}/1065/messages", json=MESSAGE, headers={"Authorization": "Bearer t"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    body = answers[0].json()
    assert body["contacts"] == [{"input": "919876543210", "wa_id": "919876543210"}]
    assert body["messages"][0]["id"] == wamid_for("1065", receiver.requests[0].body)
    assert answers[0].json() == answers[1].json()
    assert httpx.post(f"{receiver.url}/v23.0/1065/messages", json=MESSAGE).status_code == 200


def test_an_alert_is_taken_without_an_answer(receiver: Receiver) -> None:
    answer = httpx.post(f"{receiver.url}/hook/north", json={"text": "ü"}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [each.headers["idempotency-key"] for each in receiver.alerts("north")] == ["k1"]
    assert receiver.alerts("north_2") == []
    assert len(receiver.alerts()) == 1
    assert receiver.alerts()[0].json() == {"text": "ü"}


def test_the_record_holds_every_request_in_order_and_no_token(receiver: Receiver, tmp_path: Path) -> None:
    with httpx.Client(headers={"Authorization": "Bearer very-secret"}) as client:
        for number in range(5):
            client.post(f"{receiver.url}/hook/t{number}", content=b"{}")
    raw = (tmp_path / "record" / "received.ndjson").read_bytes()
    noted = [msgspec.json.decode(line, type=Request) for line in raw.splitlines()]
    assert noted == receiver.requests
    assert [each.order for each in noted] == [1, 2, 3, 4, 5]
    assert [each.path for each in noted] == [f"/hook/t{number}" for number in range(5)]
    assert all(each.is_authorized for each in noted)
    assert b"very-secret" not in raw


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"messaging_product": "whatsapp"}', b"\xff"])
def test_a_message_that_is_none_is_refused(receiver: Receiver, body: bytes) -> None:
    answer = httpx.post(f"{receiver.url}/1065/messages", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


def test_other_places_are_not_found(receiver: Receiver) -> None:
    assert httpx.post(f"{receiver.url}/elsewhere", content=b"{}").status_code == 404
    assert httpx.get(f"{receiver.url}/elsewhere").status_code == 404
    assert httpx.get(f"{receiver.url}/health").json() == {"is_up": True}


def test_a_status_and_its_headers_on_request(receiver: Receiver) -> None:
    with receiver.misbehaving(status=429, headers={"Retry-After": "3"}):
        answer = httpx.post(f"{receiver.url}/1065/messages", json=MESSAGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert httpx.post(f"{receiver.url}/1065/messages", json=MESSAGE).status_code == 200
    assert [each.status for each in receiver.requests] == [429, 200]


def test_a_closed_connection_took_the_request(receiver: Receiver) -> None:
    """What makes a send ambiguous: it arrived, and the sender cannot know."""
    with receiver.misbehaving(is_hanging_up=True), pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{receiver.url}/1065/messages", json=MESSAGE)
    assert [each.status for each in receiver.requests] == [0]


def test_a_slow_answer_took_the_request(receiver: Receiver) -> None:
    with receiver.misbehaving(delay_seconds=0.5), pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{receiver.url}/1065/messages", json=MESSAGE, timeout=0.1)
    assert len(receiver.requests) == 1


def test_many_at_once_are_all_noted_once(receiver: Receiver) -> None:
    def send(number: int) -> None:
        for step in range(10):
            httpx.post(f"{receiver.url}/hook/t", headers={"Idempotency-Key": f"{number}-{step}"})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    keys = [each.headers["idempotency-key"] for each in receiver.alerts("t")]
    assert sorted(keys) == sorted(f"{number}-{step}" for number in range(4) for step in range(10))
    assert [each.order for each in receiver.requests] == list(range(1, 41))


def test_it_listens_on_this_machine_alone_and_stops(tmp_path: Path) -> None:
    with Receiver(tmp_path / "received.ndjson") as receiver:
        url = receiver.url
        assert receiver._server.server_address[0] == "127.0.0.1"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
