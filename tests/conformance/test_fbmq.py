"""An independent public library, fbmq, reads the same Messenger bodies: what it makes of an item must be what we make of it.

The bodies are those that others wrote, where they are on this machine, and those of the simulator. fbmq (2.5.0) is older than edits, reactions
and unsent messages: what it has no name for is not compared. It reads pages only, so Instagram's bodies are shown to it under a page's name.
Without fbmq (`pip install fbmq`, in the test extra) these tests are skipped.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.events import AccountEvent, ContactEvent, Event, Message, MessageStatus
from core.intake import Envelope, read_line
from core.sources import sources
from orchestration.simulator import simulate
from tests.e2e.mixing import unpacked
from tests.outside import PAYLOADS, needs_payloads

fbmq = pytest.importorskip("fbmq", reason="fbmq is not installed: pip install fbmq")

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KINDS = (
    "optin", "message", "echo", "delivery", "postback", "read", "referral", "pass_thread_control", "take_thread_control",
    "request_thread_control", "app_roles", "policy_enforcement",
)  # fmt: skip


def alone(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each item of a body in a body of its own."""
    for entry in body["entry"]:
        for item in entry.get("messaging", []):
            yield body | {"entry": [entry | {"messaging": [item]}]}


def theirs(body: dict[str, Any]) -> tuple[str, Any] | None:
    """What fbmq calls the one item of the body, and what it holds; None where it has no name for it."""
    read: list[tuple[str, Any]] = []
    handlers = {kind: (lambda event, kind=kind: read.append((kind, event))) for kind in KINDS}
    try:
        fbmq.Page("none").handle_webhook(json.dumps(body | {"object": "page"}), **handlers)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return read[0] if read and read[0][1].name == read[0][0] else None


def at(milliseconds: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))


def agrees(kind: str, event: Any, ours: Event, source: str) -> None:
    """Both say the same."""
    if str(event.timestamp).isdigit() and int(event.timestamp) > 10**11 and kind != "delivery":
        assert ours.occurred_at == at(event.timestamp)
    if kind in {"message", "echo"} and isinstance(ours, Message):
        assert (ours.message_id, ours.text) == (f"{source}:{event.mid}", event.text or None)
        assert ours.direction == ("outbound" if kind == "echo" else "inbound")
        person = event.recipient_id if kind == "echo" else event.sender_id
        assert kind == "echo" or ours.contact.value == str(person)
        assert ours.message_type == "quick_reply" or kind == "echo" or not event.is_quick_reply
    elif kind == "delivery" and isinstance(ours, MessageStatus):
        assert ours.status == "delivered"
        assert ours.message_id == (f"{source}:{event.mids[0]}" if event.mids else None)
        assert ours.occurred_at == at(event.watermark)
    elif kind == "read" and isinstance(ours, MessageStatus):
        assert (ours.status, ours.watermark_at) == ("read", at(event.watermark) if event.watermark else None)
    elif kind == "postback" and isinstance(ours, Message):
        assert (ours.message_type, ours.text) == ("postback", event.title)
    elif kind == "referral" and isinstance(ours, Message):
        assert (ours.message_type, ours.referral_id) == ("referral", event.referral.get("ad_id"))
    elif kind.endswith("_thread_control") and isinstance(ours, ContactEvent):
        app = event.__dict__[kind]
        assert ours.kind == {"pass": "thread_passed", "take": "thread_taken", "request": "thread_requested"}[kind.partition("_")[0]]
        assert ours.app_id in {str(each) for name, each in app.items() if name.endswith("app_id")}
    elif kind == "optin" and isinstance(ours, ContactEvent):
        assert ours.kind in {"opted_in", "opted_out"}
    elif kind == "app_roles" and isinstance(ours, AccountEvent):
        assert ours.subject in event.app_roles
    elif kind == "policy_enforcement" and isinstance(ours, AccountEvent):
        assert ours.state == event.action
    else:
        assert "user_ref" in json.dumps([event.sender, event.recipient]), f"{kind}: {type(ours).__name__}"  # guests are not modelled


def compared(bodies: Iterator[tuple[str, dict[str, Any]]]) -> Counter[str]:
    """How many items of each kind both read the same."""
    found: Counter[str] = Counter()
    for source, body in bodies:
        for single in alone(body):
            read = theirs(single)
            item = single["entry"][0]["messaging"][0]
            if read is None or item.get("message", {}).get("is_deleted") or not {"timestamp", "delivery"} & item.keys():
                continue  # no name for it, or a body that is broken on purpose
            ours = next(iter(sources()[source].decode(json.dumps(single).encode(), {})))
            assert isinstance(ours, Event), single
            try:
                agrees(*read, ours, source)
            except AssertionError as difference:
                difference.add_note(json.dumps(single))
                raise
            found[read[0]] += 1
    return found


@needs_payloads
def test_both_read_the_bodies_of_others_the_same() -> None:
    bodies = (
        (source, json.loads(path.read_bytes())) for source in ("messenger", "instagram") for path in sorted((PAYLOADS / source).iterdir())
    )
    found = compared(bodies)
    assert {"message", "echo", "delivery", "postback", "read", "referral", "pass_thread_control", "app_roles", "optin"} <= found.keys()
    assert found.total() >= 20, found


def test_both_read_the_simulators_bodies_the_same(tmp_path: Path) -> None:
    simulate(tmp_path, tenants=2, leads=1, others=16, days=8, seed=3, end_at=END, receiver_url=None)
    told = [read_line(line) for path in (tmp_path / "inbox").iterdir() for line in unpacked(path).split(b"\n") if line]
    social = [each for each in told if isinstance(each, Envelope) and each.source in {"messenger", "instagram"}]
    found = compared((each.source, json.loads(each.body)) for each in social)
    assert found.total() > 150, found
    assert {"message", "echo", "delivery", "postback", "read", "referral", "pass_thread_control", "optin"} <= found.keys()
