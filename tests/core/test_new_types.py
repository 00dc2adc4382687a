"""Messages of types that nobody models: they are messages, for a window opens and somebody waits, and what they say is kept beside them."""

import json
from typing import Any

import pytest

from core.events import ContactEvent, Event, Message, Point, Reject, Unmodelled
from core.sources import _meta_shapes, _whatsapp_messages, sources, whatsapp
from tests.core.test_meta_messaging import LEAD as VISITOR
from tests.core.test_meta_messaging import entry, item
from tests.core.test_whatsapp import AT, LEAD, OURS, body, change, decode, inbound

SAID = "a secret wish"


def kept(found: Unmodelled) -> bytes:
    return json.loads(found.fragment)["body"].encode()


NEW: dict[str, dict[str, Any]] = {
    "hologram": {"type": "hologram", "hologram": {"wish": SAID}},
    "interactive.call_permission_reply": {
        "type": "interactive",
        "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": SAID}},
    },
    "interactive.unknown": {"type": "interactive", "interactive": {"type": "Asha 98765", "x": SAID}},
    "unknown": {"type": "Asha 98765", "x": SAID},
}


@pytest.mark.parametrize("kind", NEW)
def test_a_whatsapp_message_of_a_new_type_is_a_message_and_what_it_says_is_kept_beside_it(kind: str) -> None:
    contacts = [{"wa_id": "15550100", "profile": {"name": "Somebody Else"}}, {"wa_id": LEAD.value[1:], "profile": {"name": "Asha"}}]
    others = [inbound(id="b", **{"from": "15550100"}, type="text", text={"body": "beside"})]
    found = decode(body(change(messages=[inbound(**NEW[kind]), *others], contacts=contacts)))
    message, named, new, text, _ = found
    assert isinstance(message, Message)
    assert (message.contact, message.direction, message.text, message.message_type) == (LEAD, "inbound", None, kind.partition(".")[0])
    assert isinstance(named, ContactEvent)
    assert isinstance(text, Message)
    assert isinstance(new, Unmodelled)
    assert (new.kind, new.contact, new.occurred_at, new.account_id) == (f"messages.{kind}", LEAD, AT, message.account_id)
    assert SAID in new.fragment
    assert not any(each in new.fragment for each in ("beside", "Somebody", "15550100"))
    assert decode(kept(new)) == [message, named, new]
    assert found == list(whatsapp.decode_by_item(body(change(messages=[inbound(**NEW[kind]), *others], contacts=contacts))))


def test_an_item_without_a_type_is_new_where_it_holds_something_new() -> None:
    assert [type(each) for each in decode(body(change(messages=[inbound(poll={"question": SAID})])))] == [Message, Unmodelled]
    for nothing in ({}, {"context": {"id": "wamid.0"}}, {"text": {"body": "hi"}}, {"errors": [{"code": 131051}]}):
        assert [type(each) for each in decode(body(change(messages=[inbound(**nothing)])))] == [Message]


def test_an_echo_of_a_new_type_is_ours_and_kept_under_the_contact() -> None:
    echoed = {"id": "wamid.2", "from": OURS, "to": LEAD.value[1:], "timestamp": "1760000000", **NEW["hologram"]}
    message, new = decode(body(change("smb_message_echoes", message_echoes=[echoed])))
    assert isinstance(message, Message)
    assert isinstance(new, Unmodelled)
    assert (message.direction, new.kind, new.contact) == ("outbound", "smb_message_echoes.hologram", LEAD)
    assert decode(kept(new)) == [message, new]


@pytest.mark.parametrize("kind", ["unsupported", "unknown", "request_welcome", "audio"])
def test_what_whatsapp_itself_does_not_pass_on_says_nothing_more(kind: str) -> None:
    error = {"code": 131051, "title": "Message type unknown", "error_data": {"details": "Message type is currently not supported."}}
    assert [type(each) for each in decode(body(change(messages=[inbound(type=kind, errors=[error])])))] == [Message]


def test_a_new_message_that_is_nobodys_or_of_no_time_is_refused_and_kept_in_quarantine_alone() -> None:
    for broken in ({"timestamp": "TIMESTAMP"}, {"from": None}):
        (found,) = decode(body(change(messages=[inbound(**NEW["hologram"]) | broken])))
        assert isinstance(found, Reject)


def test_once_the_type_is_known_the_fragment_is_the_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    message, new = decode(body(change(messages=[inbound(type="hologram", text={"body": SAID})])))
    assert isinstance(new, Unmodelled)
    for module in (whatsapp, _whatsapp_messages):
        monkeypatch.setattr(module, "PLAIN_TYPES", _whatsapp_messages.PLAIN_TYPES | {"hologram"})
    assert decode(kept(new)) == [message]


def meta(source: str, **said: Any) -> list[Event | Reject]:
    return list(sources()[source].decode(entry("messaging", item(**said)), {}))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"mid": "m1", "attachments": [{"type": "hologram", "payload": {"wish": SAID}}]}, "message.hologram"),
        ({"mid": "m1", "text": "look", "attachments": [{"type": "image"}, {"type": "Asha 98765", "x": SAID}]}, "message.unknown"),
        ({"mid": "m1", "poll": {"question": SAID}}, "message.unknown"),
    ],
)
def test_a_messenger_message_with_something_new_is_a_message_and_kept_beside_it(said: dict[str, Any], kind: str) -> None:
    message, new = meta("messenger", message=said)
    assert isinstance(message, Message)
    assert isinstance(new, Unmodelled)
    assert (new.kind, new.contact, new.occurred_at) == (kind, VISITOR, message.occurred_at)
    assert SAID in new.fragment
    assert list(sources()["messenger"].decode(kept(new), {})) == [message, new]


def test_an_echo_with_something_new_is_kept_under_the_contact_and_not_under_whoever_is_named_first() -> None:
    parties = {"sender": "7001", "recipient": "7002"}  # neither is the account, as recorded echoes have it
    message, new = meta("messenger", **parties, message={"mid": "m1", "is_echo": True, "app_id": 5, "poll": {"question": SAID}})
    assert isinstance(message, Message)
    assert isinstance(new, Unmodelled)
    assert new.contact == message.contact == Point("psid", "7002")


@pytest.mark.parametrize("known", sorted(_meta_shapes._ATTACHMENTS))
def test_known_attachments_and_empty_messages_say_nothing_more(known: str) -> None:
    assert [type(each) for each in meta("messenger", message={"mid": "m1", "attachments": [{"type": known, "payload": {}}]})] == [Message]
    assert [type(each) for each in meta("messenger", message={"mid": "m1", "is_echo": True, "app_id": 5})] == [Message]
