"""The operating system's own feed into canonical events."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.events import (
    UNTOLD,
    AiTurn,
    Event,
    ExperimentEvent,
    LeadEvent,
    Message,
    Point,
    Reject,
    ScheduledMessage,
    ServiceEvent,
    Unmodelled,
)
from core.sources import sources

CONTACT = {"kind": "phone", "value": "+919812345678"}
AT = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "message.sent": (
        "messages",
        {
            "contact": CONTACT,
            "channel": "whatsapp",
            "channel_account_id": "1001",
            "message_id": "wamid.1",
            "author_type": "ai",
            "text": "Hi",
        },
    ),
    "ai_turn.completed": ("ai_turns", {"contact": CONTACT, "channel": "whatsapp", "confidence": 0.5, "next_action": "ask"}),
    "tokens.used": ("token_usage", {"kind": "llm_input", "quantity": 12, "contact": CONTACT}),
    "lead.changed": ("lead_events", {"contact": CONTACT, "kind": "won", "value_minor": 100, "currency": "INR"}),
    "experiment.exposed": ("experiment_events", {"contact": CONTACT, "experiment_id": "e", "variant": "a"}),
    "experiment.observed": ("experiment_events", {"contact": CONTACT, "experiment_id": "e", "metric": "m", "value": 3}),
    "service.reported": ("service_events", {"kind": "error", "service": "ai", "is_ok": False, "latency_seconds": 0.2}),
    "privacy.requested": ("privacy_requests", {"contact": CONTACT, "kind": "erasure"}),
    "message.scheduled": (
        "scheduled_messages",
        {"contact": CONTACT, "schedule_id": "s", "kind": "scheduled", "channel": "whatsapp", "send_at": "2026-03-02T10:00:00+05:30"},
    ),
}


def body(kind: str, /, **changes: Any) -> dict[str, Any]:
    head = {"type": kind, "id": "id_1", "account_id": "ws_1", "occurred_at": "2026-03-01T13:30:00.123456+05:30"}
    return head | BODIES[kind][1] | changes


def decode(given: dict[str, Any] | bytes) -> Event | Reject:
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    (found,) = sources()["platform"].decode(raw, {})
    return found


@pytest.mark.parametrize("kind", BODIES)
def test_every_type_of_body_fills_its_table(kind: str) -> None:
    found = decode(body(kind))
    assert isinstance(found, Event)
    assert (found.table, found.source, found.account_id, found.occurred_at) == (BODIES[kind][0], "platform", "ws_1", AT)
    assert found.occurred_at.tzinfo is UTC
    if kind != "service.reported":
        assert found.contact == Point("phone", "+919812345678")  # type: ignore[attr-defined]
    if kind != "message.sent":
        assert found.event_id == "platform:id_1"


def test_the_known_types_are_all_tested() -> None:
    from core.sources.platform import _TYPES

    assert set(BODIES) == _TYPES


def test_a_sent_message_has_the_id_of_its_channel_so_that_the_vendors_echo_is_the_same_message() -> None:
    found = decode(body("message.sent", reply_to_message_id="wamid.0", person_id="p", author_type="human"))
    assert isinstance(found, Message)
    assert found.event_id == found.message_id == "whatsapp:wamid.1"
    assert (found.reply_to_message_id, found.direction, found.author_type, found.person_id) == (
        "whatsapp:wamid.0",
        "outbound",
        "human",
        "p",
    )


def test_what_a_body_says_is_kept() -> None:
    turn = decode(body("ai_turn.completed", intent="comparing", budget_minor=5, timeline_days=0, verdict="qualified", risk="legal"))
    assert isinstance(turn, AiTurn)
    assert (turn.intent, turn.budget_minor, turn.timeline_days, turn.verdict, turn.risk) == ("comparing", 5, 0, "qualified", "legal")
    lead = decode(body("lead.changed"))
    assert isinstance(lead, LeadEvent)
    assert (lead.kind, lead.value_minor) == ("won", 100)
    observed, service = decode(body("experiment.observed")), decode(body("service.reported"))
    assert isinstance(observed, ExperimentEvent)
    assert (observed.kind, observed.value, type(observed.value)) == ("observed", 3.0, float)
    assert isinstance(service, ServiceEvent)
    assert (service.is_ok, service.latency_seconds) == (False, 0.2)
    scheduled = decode(body("message.scheduled"))
    assert isinstance(scheduled, ScheduledMessage)
    assert scheduled.send_at == datetime(2026, 3, 2, 4, 30, tzinfo=UTC)


HUGE = int("9" * 30)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"null", ("bad_shape", "$")),
        (b'{"type": "lead.changed', ("not_json", "$")),
        (b'{"x":' + b"[" * 9999 + b"]" * 9999 + b"}", ("bad_shape", "$")),
        ({}, ("bad_shape", "$.type")),
        (body("lead.changed", type=None), ("bad_shape", "$.type")),
        (body("lead.changed", type=""), ("bad_shape", "$.type")),
        (body("lead.changed", id=""), ("bad_shape", "$.id")),
        (body("lead.changed", kind="dreamt"), ("bad_shape", "$.kind")),
        (body("lead.changed", value_minor=-1), ("bad_shape", "$.value_minor")),
        (body("tokens.used", quantity=HUGE), ("bad_shape", "$.quantity")),
        (body("tokens.used", quantity=2**63), ("bad_shape", "$.quantity")),
        (body("ai_turn.completed", confidence=1.7), ("bad_shape", "$.confidence")),
        (body("ai_turn.completed", contact={"kind": "fax", "value": "1"}), ("bad_shape", "$.contact.kind")),
        (body("ai_turn.completed", contact={"kind": "phone", "value": ""}), ("bad_shape", "$.contact.value")),
        (body("lead.changed", occurred_at="2026-03-01T13:30:00"), ("bad_time", "$.occurred_at")),
        (body("lead.changed", occurred_at="0001-01-01T00:00:00+14:00"), ("bad_time", "$.occurred_at")),
        (body("lead.changed", occurred_at="9999-12-31T23:59:59-14:00"), ("bad_time", "$.occurred_at")),
        (body("lead.changed", occurred_at="yesterday"), ("bad_shape", "$.occurred_at")),
        (body("message.scheduled", send_at="2026-03-02T10:00:00"), ("bad_time", "$.send_at")),
        (body("message.scheduled", send_at="0001-01-01T00:00:00+14:00"), ("bad_time", "$.send_at")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(given: Any, expected: tuple[str, str]) -> None:
    found = decode(given)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == expected


def test_an_unknown_type_is_kept_to_be_told_again_and_its_name_only_where_it_is_one() -> None:
    given = body("lead.changed", type="lead.teleported", more={"a": [1]})
    found = decode(given)
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.account_id, found.occurred_at, found.event_id) == ("lead.teleported", "ws_1", AT, "platform:id_1")
    assert json.loads(json.loads(found.fragment)["body"]) == given
    assert decode(json.loads(found.fragment)["body"].encode()) == found
    named = decode(body("lead.changed", type="Asha 98765", occurred_at="soon"))
    assert isinstance(named, Unmodelled)
    assert (named.kind, named.occurred_at) == ("unknown", UNTOLD)


def test_rejects_quote_nothing_that_may_be_personal() -> None:
    secret = "Asha 98765 asha@example.com\n\"'"
    for changes in (
        {"kind": secret},
        {"occurred_at": secret},
        {"contact": secret},
        {"contact": {"kind": secret, "value": "1"}},
    ):
        found = decode(body("lead.changed", **changes))
        assert isinstance(found, Reject)
        assert not any(part in found.detail + found.where for part in ("Asha", "98765", "example"))


def test_only_the_true_signature_of_these_bytes_holds() -> None:
    verify, raw = sources()["platform"].verify, json.dumps(body("lead.changed")).encode()
    digest = hmac.new(b"feed", raw, hashlib.sha256).hexdigest()
    assert verify({"x-flexoraa-signature": digest}, raw, b"feed")
    assert not any(verify({"x-flexoraa-signature": each}, raw, b"feed") for each in ("", digest[:-2], f"sha256={digest}"))
    assert not verify({"x-flexoraa-signature": digest}, raw, b"feed2")
    assert not verify({}, raw, b"feed")
