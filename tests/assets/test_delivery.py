"""Deciding and delivering with real adapters against a local receiver: every effect once, or shown as unknown."""

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from assets.delivery import Delivered, decide, deliver
from core.actions import Delivery
from core.events import Message
from core.intake import Accepted, Envelope, read_line, take
from orchestration.receiver import Receiver
from orchestration.resources.clock import FixedClock
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.senders import senders
from orchestration.resources.senders._http import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW, NUMBER, SECRETS, Scene

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """A home directly below the temporary folder: pytest's own folders make socket paths long."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        yield Settings.load(Path(folder) / "home", {})


@pytest.fixture(scope="module")
def state(settings: Settings) -> Iterator[State]:
    """Its state."""
    with open_state(settings) as opened:
        yield opened


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, state: State) -> Iterator[Scene]:
    """A fresh tenant over an empty outbox and an empty inbox."""
    with state.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox")
    for path in settings.inbox.iterdir():
        path.unlink()
    vault = Vault(state, settings.master_key())
    with Receiver(tmp_path / "record.ndjson") as receiver, httpx.Client(timeout=5) as client:
        yield Scene(f"t{uuid.uuid4().hex[:10]}", tmp_path, settings.inbox, state, vault, receiver, client)


def go(scene: Scene, *actions, **standing) -> Delivered:  # type: ignore[no-untyped-def]
    """Publish, decide and deliver."""
    scene.publish(actions, **standing)
    for rule in {each.rule for each in actions}:
        decide(scene.outbox, rule, "", FixedClock(scene.now))
    return scene.deliver()


def reasons(scene: Scene) -> list[str]:
    return [row[0] for row in scene.rows("reason")]


def test_wanted_is_sent_once_whatever_is_repeated(scene: Scene) -> None:
    wanted = [scene.template(1), scene.alert(1), scene.alert(2)]
    first, second = go(scene, *wanted), go(scene, *wanted)
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
    go(scene, scene.template(1))
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
    go(scene, scene.alert(1, details='{"leak": "no_reply", "text": "नमस्ते"}'))
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
    go(scene, scene.alert(1))
    assert "x-flexoraa-signature" not in scene.receiver.alerts(scene.tenant)[0].headers


@pytest.mark.parametrize(
    ("status", "final"),
    [(200, "unknown"), (400, "rejected"), (404, "rejected"), (429, "rejected"), (302, "unknown"), (500, "unknown"), (503, "unknown")],
)
def test_the_answers_status_tells_sent_rejected_and_unknown_apart(scene: Scene, status: int, final: str) -> None:
    with scene.receiver.misbehaving(status=status):  # 200 with an error's body: accepted, but nobody knows as what
        go(scene, scene.template(1))
    assert scene.states() == [final]
    assert scene.rows("outcome, status_code", "delivery_attempts") == [(final, status)]
    assert scene.deliver().outcomes == {}
    assert len(scene.receiver.requests) == 1


def test_an_alert_needs_no_words_in_the_answer(scene: Scene) -> None:
    with scene.receiver.misbehaving(status=200):
        go(scene, scene.alert(1))
    assert scene.states() == ["sent"]


def test_a_connection_closed_after_the_request_is_unknown(scene: Scene) -> None:
    with scene.receiver.misbehaving(is_hanging_up=True):
        go(scene, scene.template(1), scene.alert(1))
    assert scene.states() == ["unknown", "unknown"]
    assert set(reasons(scene)) == {"no answer: RemoteProtocolError"}
    assert len(scene.receiver.requests) == 2


def test_no_answer_in_time_is_unknown(scene: Scene) -> None:
    with httpx.Client(timeout=0.2) as scene.client, scene.receiver.misbehaving(delay_seconds=0.6):
        go(scene, scene.template(1))
    assert (scene.states(), reasons(scene)) == (["unknown"], ["no answer: ReadTimeout"])
    assert len(scene.receiver.requests) == 1


def test_a_refused_connection_is_rejected_for_nothing_was_reached(scene: Scene) -> None:
    scene.publish([scene.template(1), scene.alert(1)])
    for rule in ("cold_recovery", "lead_leak"):
        decide(scene.outbox, rule, "", FixedClock(NOW))
    scene.receiver.stop()
    scene.deliver()
    assert scene.states() == ["rejected", "rejected"]
    assert set(reasons(scene)) == {"not reached: ConnectError"}


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
    go(scene, scene.template(1, due_at=NOW - timedelta(hours=1)), scene.alert(1))
    assert scene.states() == ["rejected", "sent"]
    assert token not in str(scene.rows("*"))


def test_an_address_that_is_none_is_rejected(scene: Scene) -> None:
    assert send_to(scene, "http://127.0.0.1:port") == ["rejected"]
    assert reasons(scene) == ["no request can be made of this address or token: InvalidURL"]


def test_a_channel_without_a_way_out_is_rejected(scene: Scene) -> None:
    go(scene, scene.alert(1, channel="pigeon"))
    assert (scene.states(), reasons(scene)) == (["rejected"], ["no way out is built for the channel 'pigeon'"])


@pytest.mark.parametrize("missing", ["access_token", "destination"])
def test_what_the_tenants_file_does_not_give_is_said(scene: Scene, missing: str) -> None:
    with scene.state.begin() as connection:
        connection.exec_driver_sql("delete from vault.secrets where tenant_id = %s and purpose = %s", (scene.tenant, missing))
    go(scene, scene.template(1) if missing == "access_token" else scene.alert(1))
    assert scene.states() == ["rejected"]
    assert reasons(scene)[0].startswith("the tenants file gives no ")
    assert scene.receiver.requests == []


@pytest.mark.parametrize("why", ["opted_out", "erased", "moved"])
def test_a_lead_that_may_not_be_written_to_is_not(scene: Scene, why: str) -> None:
    done = go(scene, scene.template(1), scene.alert(1), scene.template(2), **{why: ["l1"]})
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
    go(scene, scene.template(1, expires_at=NOW), scene.template(2, expires_at=NOW + timedelta(microseconds=1)))
    assert scene.states() in (["expired", "sent"], ["sent", "expired"])
    assert [each.json()["to"] for each in scene.receiver.messages()] == ["919876500002"]


def test_an_erased_person_is_not_written_to_even_where_the_marts_do_not_know_yet(scene: Scene) -> None:
    wanted = scene.template(1)
    with scene.state.begin() as connection:
        connection.exec_driver_sql(
            "update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s", (wanted.point_id,)
        )
    go(scene, wanted)
    assert (scene.states(), reasons(scene)) == (["cancelled"], ["nobody is behind this contact point any more"])
    assert scene.receiver.requests == []


def receipts(scene: Scene) -> list[Accepted]:
    """What the intake makes of the closed segments of the inbox; it fails on anything that it rejects."""
    directory = PostgresLedger(scene.state, scene.vault, FixedClock(NOW)).directory()
    found = []
    for path in sorted(scene.inbox.glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            envelope = read_line(line)
            assert isinstance(envelope, Envelope)
            for what in take(envelope, directory):
                assert isinstance(what, Accepted), what
                found.append(what)
    return found


def test_a_sent_template_comes_back_as_a_signed_event_and_an_alert_does_not(scene: Scene) -> None:
    assert go(scene, scene.template(1), scene.alert(1)).receipts == 1
    [told] = receipts(scene)
    assert told.account.tenant_id == scene.tenant
    event = told.event
    assert isinstance(event, Message)
    assert (event.action_id, event.template_name, event.occurred_at) == (scene.template(1).action_id, "recovery_1", NOW)
    assert (event.direction, event.author_type, event.channel) == ("outbound", "automation", "whatsapp")
    assert event.contact.value == "+919876500001"
    wamid = json.loads(httpx.post(f"{scene.receiver.url}/{scene.tenant}-{NUMBER}/messages", content=scene.receiver.messages()[0].body).text)
    assert wamid["messages"][0]["id"] in event.event_id
    assert not [path for path in scene.inbox.iterdir() if path.name.startswith(".")]


def test_only_what_was_surely_sent_leaves_a_receipt(scene: Scene) -> None:
    with scene.receiver.misbehaving(status=500):
        assert go(scene, scene.template(1)).receipts == 0
    assert receipts(scene) == []


def test_receipts_of_several_workers_who_close_at_once_are_handed_in_once_each(scene: Scene) -> None:
    for _ in range(12):  # a race of a few microseconds
        writers = [scene.receipts() for _ in range(6)]
        for number, each in enumerate(writers):
            each.note(Delivery(scene.template(number), 1, 1), f"wamid.{uuid.uuid4()}", NOW)
            if number % 2 and each._file is not None:
                each._file.close()  # as if its process had died: the lock is gone, the segment is still open by name
        barrier = threading.Barrier(len(writers))

        def close(each=None, barrier=barrier) -> None:  # type: ignore[no-untyped-def]
            barrier.wait()
            each.close()

        threads = [threading.Thread(target=close, args=(each,)) for each in writers]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        scene.receipts().close()
        assert sorted(what.event.action_id or "" for what in receipts(scene) if isinstance(what.event, Message)) == sorted(
            scene.template(number).action_id for number in range(6)
        )
        for path in scene.inbox.iterdir():
            path.unlink()


def test_a_segment_that_is_still_written_is_left_to_its_writer(scene: Scene) -> None:
    writer = scene.receipts()
    writer.note(Delivery(scene.template(1), 1, 1), "wamid.1", NOW)
    assert scene.receipts().close() == 0
    writer.note(Delivery(scene.template(2), 1, 1), "wamid.2", NOW)
    assert writer.close() == 2
    assert len(receipts(scene)) == 2


POINTS = ("before the send", "after the send", "after the receipt", "after the record")


def test_a_worker_killed_anywhere_sends_nothing_twice_and_hides_nothing(scene: Scene, settings: Settings) -> None:
    actions = [scene.template(number, due_at=NOW - timedelta(minutes=10 - number)) for number in range(6)]
    scene.publish(actions)
    decide(scene.outbox, "cold_recovery", "", FixedClock(NOW))
    # the lease is over at once: what a dead worker held is judged by the next, a child for each point of death
    command = [sys.executable, "-m", "tests.assets.dying_worker", str(settings.home), scene.receiver.url, "0", *POINTS]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert died.stdout.splitlines() == [f"{point}: 9" for point in POINTS], died.stderr
    done = scene.deliver("the next run")
    assert scene.states() == ["unknown", "unknown", "unknown", "sent", "sent", "sent"]
    assert done.outcomes == {("cold_recovery", "sent"): 2}
    sent = [each.json()["biz_opaque_callback_data"] for each in scene.receiver.messages()]
    assert sent == [each.action_id for each in actions[1:]]  # each once; the first died before its send
    told = {what.event.action_id for what in receipts(scene) if isinstance(what.event, Message)}
    assert told == {each.action_id for each in actions[2:]}  # on disk before it was recorded: the evidence is handed in
    assert scene.deliver("again").outcomes == {}
    assert len(scene.receiver.messages()) == 5


def test_workers_side_by_side_send_each_action_once(scene: Scene) -> None:
    actions = [scene.template(number) for number in range(20)] + [scene.alert(number) for number in range(20)]
    scene.publish(actions)
    for rule in ("cold_recovery", "lead_leak"):
        decide(scene.outbox, rule, "", FixedClock(NOW))
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        scene.deliver(f"w{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert scene.states() == ["sent"] * 40
    keys = [each.headers.get("idempotency-key") or each.json()["biz_opaque_callback_data"] for each in scene.receiver.requests]
    assert sorted(keys) == sorted(each.action_id for each in actions)
    assert len(receipts(scene)) == 20


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
