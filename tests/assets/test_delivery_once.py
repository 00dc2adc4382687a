"""Every effect once, or shown as unknown: receipts, workers side by side, workers that die."""

import json
import threading
import uuid

import httpx

from assets.delivery import decide
from core.actions import Delivery
from core.events import Message
from core.intake import Accepted, Envelope, read_line, take
from orchestration.resources.clock import FixedClock
from orchestration.resources.ledger import PostgresLedger
from tests.orchestration.effects import NOW, NUMBER, Scene


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
    assert scene.go(scene.template(1), scene.alert(1)).receipts == 1
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
        assert scene.go(scene.template(1)).receipts == 0
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
