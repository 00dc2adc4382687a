"""An independent public library, pywa, reads the same WhatsApp bodies: what it makes of one must be what we make of it.

pywa reads the first item of a body and, since version 4, wants a user id beside every contact; bodies of before get one in memory, for both
readers. It knows no Messenger. Without pywa (`pip install pywa`, in the test extra) these tests are skipped.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from core.events import AccountEvent, ContactEvent, Event, Message, MessageStatus
from core.sources import sources
from tests.outside import PAYLOADS, needs_payloads

pywa = pytest.importorskip("pywa", reason="pywa is not installed: pip install pywa")
pytestmark = needs_payloads

LEAST = 110
"""Of 155 bodies pywa 4.5.0 gives 112 updates that can be compared; the others are of fields that it leaves alone, or placeholders on which it
stumbles."""


def completed(raw: bytes) -> bytes:
    """The body with a user id beside every contact."""
    body = json.loads(raw)
    for entry in body["entry"]:
        for change in entry["changes"]:
            for contact in change["value"].get("contacts", []):
                contact.setdefault("user_id", "XX.1")
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def reader() -> Iterator[Any]:
    """A client of pywa that sends nothing, and what it read last."""
    from pywa import WhatsApp, handlers

    logging.getLogger("pywa").setLevel(logging.CRITICAL)
    client = WhatsApp(phone_id=None, token="none", server=None, filter_updates=False, validate_updates=False, skip_duplicate_updates=False)
    read: list[Any] = []
    for name in dir(handlers):
        kind = getattr(handlers, name)
        if isinstance(kind, type) and name.endswith("Handler") and name not in {"Handler", "RawUpdateHandler", "FlowRequestHandler"}:
            client.add_handlers(kind(lambda _, update: read.append(update)))

    def told(raw: bytes) -> Any:
        read.clear()
        client.webhook_update_handler(raw)
        return read[0] if read else None

    yield told
    logging.getLogger("pywa").setLevel(logging.NOTSET)


def moment(update: Any) -> datetime:
    return update.timestamp.astimezone(UTC) if update.timestamp.tzinfo else update.timestamp.replace(tzinfo=UTC)


def words(update: Any) -> str | None:
    """The text that a person would read, as pywa has it."""
    reaction = getattr(update, "reaction", None)
    found = (
        getattr(update, "text", None), getattr(update, "caption", None), getattr(update, "title", None), getattr(update, "body", None),
        reaction.emoji if reaction else None, update.order.text if getattr(update, "order", None) else None,
    )  # fmt: skip
    return next((each for each in found if each), None)


def agrees(update: Any, ours: Event) -> bool:
    """Whether both say the same; False where pywa's update has nothing that can be compared."""
    name = type(update).__name__
    assert moment(update) == ours.occurred_at
    if isinstance(ours, AccountEvent):
        assert update.id == ours.account_id
        return True
    if isinstance(ours, MessageStatus) and name == "GroupMessageStatuses":
        return False  # a list of participants, which pywa has under another name each
    if isinstance(ours, MessageStatus):
        assert (f"whatsapp:{update.id}", str(update.status.value)) == (ours.message_id, ours.status)
        code = update.error.code if update.error else None
        assert code == ours.error_code
        return True
    if name == "PhoneNumberChange":
        assert isinstance(ours, ContactEvent)
        told = [(ours.other.value if ours.other else "").lstrip("+"), ours.contact.value.lstrip("+"), ours.kind]
        assert told == [update.new_wa_id, update.old_wa_id, "number_changed"]
        return True
    if isinstance(ours, Message):
        assert f"whatsapp:{update.id}" == ours.message_id
        assert str(update.type.value) == ours.message_type
        assert words(update) == ours.text
        assert bool(getattr(update, "reply_to_message", None)) <= bool(ours.reply_to_message_id)
        return True
    return isinstance(ours, ContactEvent)


def test_both_read_the_same(reader: Any) -> None:
    compared: Counter[str] = Counter()
    for path in sorted((PAYLOADS / "whatsapp").iterdir()):
        raw = completed(path.read_bytes())
        update = reader(raw)
        if update is None:
            continue
        ours = next(iter(sources()["whatsapp"].decode(raw, {})))
        assert isinstance(ours, Event), path.name
        try:
            compared[type(update).__name__] += agrees(update, ours)
        except AssertionError as difference:
            difference.add_note(f"{path.name}: {type(update).__name__} and {type(ours).__name__}")
            raise
    assert compared.total() >= LEAST, compared
    assert {"Message", "MessageStatus", "PhoneNumberChange", "CallbackButton", "FlowCompletion", "AccountUpdate"} <= compared.keys()
