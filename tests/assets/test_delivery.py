"""Deciding and delivering with real adapters against a local receiver: every effect once, or shown as unknown."""

import hashlib
import hmac
import socket
import threading
from datetime import timedelta

import httpx
import pytest

from assets.delivery import decide, deliver
from orchestration.resources.clock import FixedClock
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.tenants import apply_file
from tests.orchestration.effects import NOW, NUMBER, SECRETS, Scene


def reasons(scene: Scene) -> list[str]:
    return [row[0] for row in scene.rows("reason")]


def test_wanted_is_sent_once_whatever_is_repeated(scene: Scene) -> None:
    wanted = [scene.template(1), scene.alert(1), scene.alert(2)]
    first, second = scene.go(*wanted), scene.go(*wanted)
    assert dict(first.outcomes) == {("cold_recovery", "sent"): 1, ("lead_leak", "sent"): 2}
    assert dict(second.outcomes) == {}
    assert len(scene.receiver.requests) == 3
    assert scene.states() == ["sent"] * 3


def test_the_decision_counts_what_is_new_and_moves_its_cursor(scene: Scene) -> None:
    scene.publish([scene.alert(1), scene.alert(2, due_at=NOW + timedelta(minutes=1))])
    clock = FixedClock(NOW)
    assert decide(scene.outbox, "lead_leak", "", clock) == (1, scene.alert(1).due_at.isoformat())
    assert decide(scene.outbox, "lead_leak", "", clock)[0] == 0
    assert decide(scene.outbox, "cold_recovery", "", clock) == (0, "")
    assert decide(scene.outbox, "lead_leak", "", FixedClock(NOW + timedelta(minutes=1)))[0] == 1


def test_a_template_is_what_the_graph_api_takes(scene: Scene) -> None:
    scene.go(scene.template(1))
    [sent] = scene.receiver.messages()
    assert sent.path == f"/{scene.tenant}-{NUMBER}/messages"
    assert sent.is_authorized
    assert sent.json() == {
        "messaging_product": "whatsapp",
        "to": "919876500001",
        "type": "template",
        "template": {"name": "recovery_1", "language": {"code": "en"}},
        "biz_opaque_callback_data": scene.template(1).action_id,
    }


def test_an_alert_is_signed_and_carries_its_idempotency_key(scene: Scene) -> None:
    scene.go(scene.alert(1, details='{"leak": "no_reply", "text": "नमस्ते"}'))
    [alert] = scene.receiver.alerts(scene.tenant)
    signature = hmac.new(SECRETS["HOOK"].encode(), alert.body.encode(), hashlib.sha256).hexdigest()
    assert alert.headers["x-flexoraa-signature"] == signature
    assert alert.headers["idempotency-key"] == scene.alert(1).action_id == alert.json()["action_id"]
    assert alert.json()["details"] == {"leak": "no_reply", "text": "नमस्ते"}
    assert alert.json()["text"] == "lead leak: notify (l1)"


def test_an_alert_without_a_secret_is_not_signed(scene: Scene) -> None:
    path = scene.folder / f"{scene.tenant}.yaml"
    path.write_text(path.read_text().replace("        secret: { env: HOOK }\n", ""))
    assert apply_file(path, scene.state, scene.vault, NOW, SECRETS).applied == (scene.tenant,)
    scene.go(scene.alert(1))
    assert "x-flexoraa-signature" not in scene.receiver.alerts(scene.tenant)[0].headers


@pytest.mark.parametrize(
    ("status", "final"),
    [(200, "unknown"), (400, "rejected"), (404, "rejected"), (429, "requested"), (302, "unknown"), (500, "unknown"), (503, "unknown")],
)
def test_the_answers_status_tells_sent_rejected_and_unknown_apart(scene: Scene, status: int, final: str) -> None:
    with scene.receiver.misbehaving(status=status):  # 200 with an error's body: accepted, but nobody knows as what
        scene.go(scene.template(1))
    assert scene.states() == [final]
    assert scene.rows("outcome, status_code", "delivery_attempts") == [(final, status)]
    assert scene.deliver().outcomes == {}
    assert len(scene.receiver.requests) == 1


def test_an_alert_needs_no_words_in_the_answer(scene: Scene) -> None:
    with scene.receiver.misbehaving(status=200):
        scene.go(scene.alert(1))
    assert scene.states() == ["sent"]


def test_a_connection_closed_after_the_request_is_unknown(scene: Scene) -> None:
    with scene.receiver.misbehaving(is_hanging_up=True):
        scene.go(scene.template(1), scene.alert(1))
    assert scene.states() == ["unknown", "unknown"]
    assert set(reasons(scene)) == {"no answer: RemoteProtocolError"}
    assert len(scene.receiver.requests) == 2


def test_no_answer_in_time_is_unknown(scene: Scene) -> None:
    with httpx.Client(timeout=0.2) as scene.client, scene.receiver.misbehaving(delay_seconds=0.6):
        scene.go(scene.template(1))
    assert (scene.states(), reasons(scene)) == (["unknown"], ["no answer: ReadTimeout"])
    assert len(scene.receiver.requests) == 1


def test_a_refused_connection_is_tried_again_for_nothing_was_reached(scene: Scene) -> None:
    scene.publish([scene.template(1), scene.alert(1)])
    for rule in ("cold_recovery", "lead_leak"):
        decide(scene.outbox, rule, "", FixedClock(NOW))
    scene.receiver.stop()
    scene.deliver()
    assert scene.states() == ["requested", "requested"]
    assert set(reasons(scene)) == {"not reached: ConnectError"}


def test_what_was_told_to_wait_is_tried_again_after_its_minute_and_not_before(scene: Scene) -> None:
    with scene.receiver.misbehaving(status=429):
        scene.go(scene.template(1))
    for moment, tries, state in (
        (NOW, 1, "requested"),
        (NOW + timedelta(seconds=59.999999), 1, "requested"),
        (NOW + timedelta(minutes=1.25), 2, "sent"),  # the minute and up to a quarter more
    ):
        scene.now = moment
        scene.deliver()
        assert (len(scene.receiver.requests), scene.states()) == (tries, [state])


@pytest.mark.parametrize("answer", [b"not json", b"[]", b"{}", b'{"messages": []}', b'{"messages": [{"id": ""}]}', b"\xff\xfe", b""])
def test_an_accepting_answer_that_names_no_message_is_unknown(scene: Scene, answer: bytes) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)) as url:
        assert send_to(scene, url) == ["unknown"]
    assert reasons(scene) == ["accepted, but the answer names no message"]


def test_an_endless_answer_does_not_hold_up_the_others(scene: Scene) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x" * 65536) as url:
        assert send_to(scene, url) == ["unknown"]


def test_an_answer_that_is_not_http_is_unknown(scene: Scene) -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        assert send_to(scene, url) == ["unknown"]


@pytest.mark.parametrize("token", ["schlüssel", "two\nlines"])
def test_a_token_that_no_header_can_hold_is_rejected_and_the_next_action_is_sent(scene: Scene, token: str) -> None:
    secrets = {**SECRETS, "TOKEN": token}
    apply_file(scene.folder / f"{scene.tenant}.yaml", scene.state, scene.vault, NOW, secrets)
    scene.go(scene.template(1, due_at=NOW - timedelta(hours=1)), scene.alert(1))
    assert scene.states() == ["rejected", "sent"]
    assert token not in str(scene.rows("*"))


def test_an_address_that_is_none_is_rejected(scene: Scene) -> None:
    assert send_to(scene, "http://127.0.0.1:port") == ["rejected"]
    assert reasons(scene) == ["no request can be made of this address or token: InvalidURL"]


def test_a_channel_without_a_way_out_is_rejected(scene: Scene) -> None:
    scene.go(scene.alert(1, channel="pigeon"))
    assert (scene.states(), reasons(scene)) == (["rejected"], ["no way out is built for the channel 'pigeon'"])


@pytest.mark.parametrize("missing", ["access_token", "destination"])
def test_what_the_tenants_file_does_not_give_is_said(scene: Scene, missing: str) -> None:
    with scene.state.begin() as connection:
        connection.exec_driver_sql("delete from vault.secrets where tenant_id = %s and purpose = %s", (scene.tenant, missing))
    scene.go(scene.template(1) if missing == "access_token" else scene.alert(1))
    assert scene.states() == ["rejected"]
    assert reasons(scene)[0].startswith("the tenants file gives no ")
    assert scene.receiver.requests == []


@pytest.mark.parametrize("why", ["opted_out", "erased", "moved"])
def test_a_lead_that_may_not_be_written_to_is_not(scene: Scene, why: str) -> None:
    done = scene.go(scene.template(1), scene.alert(1), scene.template(2), **{why: ["l1"]})
    assert done.outcomes == {("cold_recovery", "cancelled"): 1, ("cold_recovery", "sent"): 1, ("lead_leak", "sent"): 1}
    assert [each.json()["to"] for each in scene.receiver.messages()] == ["919876500002"]


def test_a_lead_that_opts_out_between_decision_and_delivery_is_not_written_to(scene: Scene) -> None:
    scene.publish([scene.template(1)])
    decide(scene.outbox, "cold_recovery", "", FixedClock(NOW))
    scene.publish([scene.template(1)], opted_out=["l1"])
    scene.deliver()
    assert (scene.states(), reasons(scene)) == (["cancelled"], ["the lead opted out"])
    assert scene.receiver.requests == []


def test_a_withdrawn_request_is_cancelled(scene: Scene) -> None:
    scene.publish([scene.template(1), scene.alert(1)])
    for rule in ("cold_recovery", "lead_leak"):
        decide(scene.outbox, rule, "", FixedClock(NOW))
    scene.publish([scene.template(2), scene.template(1)._replace(action_id="another")])
    scene.deliver()
    assert scene.states() == ["cancelled", "cancelled"]
    assert scene.receiver.requests == []


def test_a_leak_that_was_closed_since_raises_no_alarm(scene: Scene) -> None:
    scene.publish([scene.alert(1)])
    decide(scene.outbox, "lead_leak", "", FixedClock(NOW))
    scene.publish([scene.alert(1, expires_at=NOW)])
    scene.deliver()
    assert scene.states() == ["expired"]
    assert scene.receiver.requests == []


def test_what_is_over_expires_and_is_not_sent(scene: Scene) -> None:
    scene.go(scene.template(1, expires_at=NOW), scene.template(2, expires_at=NOW + timedelta(microseconds=1)))
    assert scene.states() in (["expired", "sent"], ["sent", "expired"])
    assert [each.json()["to"] for each in scene.receiver.messages()] == ["919876500002"]


def test_an_erased_person_is_not_written_to_even_where_the_marts_do_not_know_yet(scene: Scene) -> None:
    wanted = scene.template(1)
    with scene.state.begin() as connection:
        connection.exec_driver_sql(
            "update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s", (wanted.point_id,)
        )
    scene.go(wanted)
    assert (scene.states(), reasons(scene)) == (["cancelled"], ["nobody is behind this contact point any more"])
    assert scene.receiver.requests == []


class raw_server:  # noqa: N801 — used like a function
    """A server that answers every request with these bytes, perhaps without end, and closes."""

    def __init__(self, answer: bytes, endless: bytes = b"") -> None:
        self._answer, self._endless = answer, endless
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(self._answer)
                while self._endless:
                    connection.sendall(self._endless)
                connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass


def send_to(scene: Scene, url: str) -> list[str]:
    """Deliver one template to this address; returns the states."""
    scene.publish([scene.template(1)])
    decide(scene.outbox, "cold_recovery", "", FixedClock(NOW))
    ways = senders(SenderTools(scene.client, scene.lookup, url))
    deliver(scene.outbox, ways, scene.receipts(), FixedClock(NOW), "w1")
    return scene.states()
