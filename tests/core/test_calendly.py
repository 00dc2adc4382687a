"""Calendly bodies into appointments: every case is written here, from the vendor's reference, not from recorded bodies."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.events import UNTOLD, Appointment, ContactEvent, Event, Point, Reject, Unmodelled
from core.sources import sources
from core.sources.calendly import TOLERANCE

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
EVENT = "https://api.calendly.com/scheduled_events/E1"
URI, OLD, NEW = (f"https://api.calendly.com/scheduled_events/{each}" for each in ("E1/invitees/I1", "E0/invitees/I0", "E2/invitees/I2"))
LEAD_ID = f"lead_{'a' * 26}"


def payload(**changes: Any) -> dict[str, Any]:
    given = {
        "uri": URI, "event": EVENT, "email": "Asha@Example.com", "name": "Asha", "timezone": "Asia/Kolkata", "status": "active",
        "rescheduled": False, "old_invitee": None, "new_invitee": None, "questions_and_answers": [], "tracking": {"utm_source": None},
        "scheduled_event": {
            "uri": EVENT, "start_time": "2026-03-05T10:00:00.000000Z", "end_time": "2026-03-05T10:30:00.000000Z",
            "event_type": "https://api.calendly.com/event_types/T1",
            "location": {"type": "zoom", "join_url": "https://z.us/1", "data": {"id": "1", "password": "hunter2"}},
        },
    }  # fmt: skip
    return given | changes


def body(event: str = "invitee.created", /, payload_: Any = None, **changes: Any) -> bytes:
    head = {"event": event, "created_at": "2026-03-01T08:00:00.000000Z", "created_by": "https://api.calendly.com/users/U1"}
    return json.dumps(head | {"payload": payload() if payload_ is None else payload_} | changes).encode()


def decode(raw: bytes) -> list[Event | Reject]:
    return list(sources()["calendly"].decode(raw, {}))


def booking(event: str = "invitee.created", **changes: Any) -> Appointment:
    found = decode(body(event, payload(**changes)))[0]
    assert isinstance(found, Appointment)
    return found


def test_a_booking_says_when_who_and_how() -> None:
    answers = [{"question": "What for?", "answer": "A kitchen", "position": 0}]
    raw = body(payload_=payload(questions_and_answers=answers, text_reminder_number="+91 98123 45678"))
    booked, named, linked = decode(raw)
    assert isinstance(booked, Appointment)
    assert (booked.kind, booked.appointment_id, booked.scheduled_event_id, booked.account_id) == ("booked", URI, EVENT, "U1")
    assert (booked.starts_at, booked.ends_at) == (datetime(2026, 3, 5, 10, tzinfo=UTC), datetime(2026, 3, 5, 10, 30, tzinfo=UTC))
    assert (booked.contact, booked.timezone, booked.event_type_id, booked.occurred_at) == (
        Point("email", "Asha@Example.com"), "Asia/Kolkata", "T1", AT,
    )  # fmt: skip
    assert json.loads(booked.answers or "") == [{"question": "What for?", "answer": "A kitchen"}]
    assert isinstance(named, ContactEvent)
    assert (named.kind, named.name) == ("profile_named", "Asha")
    assert isinstance(linked, ContactEvent)
    assert (linked.kind, linked.other) == ("linked", Point("phone", "+91 98123 45678"))
    assert "hunter2" not in repr([booked, named, linked])


def test_a_reschedule_is_a_pair_of_which_each_names_the_other() -> None:
    gone = booking(
        "invitee.canceled", uri=OLD, rescheduled=True, new_invitee=NEW, cancellation={"canceler_type": "invitee", "reason": "ill"}
    )
    come = booking(uri=NEW, old_invitee=OLD)
    assert (gone.kind, gone.new_appointment_id, gone.cancelled_by, gone.reason) == ("rescheduled_to", NEW, "invitee", "ill")
    assert (come.kind, come.old_appointment_id, come.appointment_id) == ("rescheduled_from", OLD, gone.new_appointment_id)
    lost = booking("invitee.canceled", cancellation={"canceler_type": "host"})
    assert (lost.kind, lost.cancelled_by, lost.reason) == ("cancelled", "host", None)


def test_no_shows_are_marked_and_cleared_and_marked_again() -> None:
    marks = [
        booking(f"invitee_no_show.{what}", no_show={"uri": f"https://api.calendly.com/invitee_no_shows/{uri}"})
        for what, uri in (("created", "N1"), ("deleted", "N1"), ("created", "N2"))
    ]
    assert [each.kind for each in marks] == ["no_show_marked", "no_show_cleared", "no_show_marked"]
    assert len({each.event_id for each in marks}) == 3
    assert {each.appointment_id for each in marks} == {URI}
    assert booking("invitee_no_show.deleted", no_show=None).kind == "no_show_cleared"


@pytest.mark.parametrize("field", ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"])
def test_a_lead_id_of_ours_is_found_in_any_utm_field_and_nothing_else_is_kept(field: str) -> None:
    assert booking(tracking={field: f"x-{LEAD_ID}"}).utm_lead_id == LEAD_ID
    assert booking(tracking={field: "asha@example.com"}).utm_lead_id is None
    assert booking(tracking={field: f"{LEAD_ID}_2"}).utm_lead_id == f"{LEAD_ID}_2"


def test_a_routing_form_names_nobody_and_maybe_a_booking() -> None:
    form = {
        "uri": "https://api.calendly.com/routing_form_submissions/F1", "submitter_type": "Invitee", "created_at": "2026-03-01T08:00:00Z",
        "submitter": "https://calendly.com/scheduled_events/E1/invitees/I1", "questions_and_answers": [{"question": "Q", "answer": "A"}],
    }  # fmt: skip
    (found,) = decode(body("routing_form_submission.created", form))
    assert isinstance(found, Appointment)
    assert (found.kind, found.appointment_id, found.contact, found.answers) == (
        "form_submitted", URI, None, '[{"question":"Q","answer":"A"}]',
    )  # fmt: skip
    (alone,) = decode(body("routing_form_submission.created", form | {"submitter": None, "submitter_type": None}))
    assert isinstance(alone, Appointment)
    assert alone.appointment_id == form["uri"]


def test_older_shapes_are_read_too() -> None:
    short = payload()
    del short["scheduled_event"]
    (found, _) = decode(body(payload_=short, created_by=None))
    assert isinstance(found, Appointment)
    assert (found.starts_at, found.scheduled_event_id, found.account_id) == (None, EVENT, "")
    guest = {"uuid": "I1", "email": "a@b.co", "name": None, "is_reschedule": False, "created_at": "2026-03-01T08:00:00Z", "timezone": "UTC"}
    older = {"event": {"uuid": "E1", "start_time": "2026-03-05T10:00:00Z"}, "invitee": guest, "event_type": {"uuid": "T1"}, "tracking": {}}
    (first,) = decode(json.dumps({"event": "invitee.created", "payload": older}).encode())
    assert isinstance(first, Appointment)
    assert (first.kind, first.appointment_id, first.occurred_at, first.starts_at) == (
        "booked",
        URI,
        AT,
        datetime(2026, 3, 5, 10, tzinfo=UTC),
    )
    moved = older | {"invitee": guest | {"is_reschedule": True}, "old_event": {"uuid": "E0"}, "old_invitee": {"uuid": "I0"}}
    (second,) = decode(json.dumps({"event": "invitee.created", "payload": moved}).encode())
    assert isinstance(second, Appointment)
    assert (second.kind, second.old_appointment_id) == ("rescheduled_from", OLD)


def test_an_event_that_nobody_models_is_kept_without_the_meetings_password() -> None:
    (found,) = decode(body("invitee.levitated"))
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.account_id, found.occurred_at) == ("invitee.levitated", "U1", AT)
    assert "hunter2" not in found.fragment
    assert json.loads(json.loads(found.fragment)["body"])["payload"]["uri"] == URI
    (untold,) = decode(body("invitee.levitated", created_at=None))
    assert isinstance(untold, Unmodelled)
    assert untold.occurred_at == UNTOLD


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("not_json", "$")),
        (b'{"event":"https://api.calendly.com/scheduled_events/E1"}', ("bad_shape", "$")),
        (body(payload_=5), ("bad_shape", "$.payload")),
        (body(payload_={"email": "a@b.co"}), ("bad_shape", "$.payload")),
        (body(payload_=payload(email=None)), ("bad_contact", "$.payload.email")),
        (body(payload_=payload(questions_and_answers=[{"answer": 5}])), ("bad_shape", "$.payload.questions_and_answers[0].answer")),
        (body(created_at="2026-03-01T08:00:00"), ("bad_time", "$.created_at")),
        (body("routing_form_submission.created", {"uri": "u"}, created_at="soon"), ("bad_time", "$.created_at")),
        (json.dumps({"event": "invitee.created", "payload": {"invitee": {}, "event": {}}}).encode(), ("bad_shape", "$.payload.invitee")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(raw: bytes, expected: tuple[str, str]) -> None:
    (found,) = decode(raw)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == expected


def signature(raw: bytes, key: bytes = b"key", at: datetime = AT) -> str:
    stamp = str(int(at.timestamp()))
    return f"t={stamp},v1={hmac.new(key, stamp.encode() + b'.' + raw, hashlib.sha256).hexdigest()}"


def test_only_a_fresh_signature_of_these_bytes_holds() -> None:
    verify, raw = sources()["calendly"].verify, body()

    def holds(header: str, at: datetime | None = AT, key: bytes = b"key") -> bool:
        return verify({"calendly-webhook-signature": header}, raw, key, at)

    good = signature(raw)
    assert holds(good)
    assert holds(good, AT + TOLERANCE)
    assert holds(good, AT - TOLERANCE)
    assert not holds(good, AT + TOLERANCE + timedelta(microseconds=1))
    assert not holds(good, AT - TOLERANCE - timedelta(microseconds=1))
    assert not holds(good, None)
    assert not holds(good, key=b"other")
    assert not holds(signature(raw + b" "))
    moved = good.replace(f"t={int(AT.timestamp())}", f"t={int(AT.timestamp()) + 1}")
    assert not any(holds(each) for each in ("", "t=,v1=", good.split(",")[0], good.split(",")[1], moved, good + "x", "v1=0,t=1"))
    both = f"{good},v1={'0' * 64}"
    assert holds(both)  # while a key is rotated


def test_accounts_are_the_last_part_of_the_subscriptions_owner() -> None:
    accounts = sources()["calendly"].accounts
    assert accounts(body()) == ["U1"]
    assert accounts(body(created_by="https://api.calendly.com/organizations/O1")) == ["O1"]
    assert accounts(body(created_by=None)) == accounts(body(created_by="https://evil.example/users/U1")) == []


def api_page(*invitees: dict[str, Any], **changes: Any) -> bytes:
    scheduled = payload()["scheduled_event"]
    head = {"created_by": "https://api.calendly.com/users/U1", "scheduled_event": scheduled, "collection": list(invitees)}
    return json.dumps(head | {"pagination": {"count": len(invitees), "next_page_token": None}} | changes).encode()


def listed_invitee(**changes: Any) -> dict[str, Any]:
    """As the API lists it: without its event, with all that became of it."""
    given = payload(created_at="2026-03-01T08:00:00.000000Z", updated_at="2026-03-02T09:00:00.000000Z", **changes)
    return {name: value for name, value in given.items() if name != "scheduled_event"}


def test_a_listed_invitee_tells_the_very_steps_that_its_webhooks_told() -> None:
    gone = {"canceler_type": "invitee", "reason": "ill", "created_at": "2026-03-02T09:00:00.000000Z"}
    mark = {"uri": "https://api.calendly.com/invitee_no_shows/N1", "created_at": "2026-03-05T11:00:00.000000Z"}
    cancelled = {"status": "canceled", "rescheduled": True, "new_invitee": NEW, "cancellation": gone}
    told = [
        *decode(body()),
        *decode(body("invitee.canceled", payload(**cancelled), created_at="2026-03-02T09:00:00.000000Z")),
    ]
    assert decode(api_page(listed_invitee(**cancelled))) == told
    marked = [*decode(body()), *decode(body("invitee_no_show.created", payload(no_show=mark), created_at=mark["created_at"]))]
    assert decode(api_page(listed_invitee(no_show=mark))) == marked
    assert "hunter2" not in repr(decode(api_page(listed_invitee())))


def test_a_page_of_invitees_is_of_its_account_and_a_broken_one_is_refused_beside_its_siblings() -> None:
    good, nobody, broken, late = (listed_invitee(), listed_invitee(email=None), {"uri": 5}, listed_invitee())
    late["created_at"] = "yesterday"
    found = decode(api_page(good, nobody, broken, late))
    assert [type(each).__name__ for each in found] == ["Appointment", "ContactEvent", "Reject", "Reject", "Reject"]
    rejects = [each for each in found if isinstance(each, Reject)]
    assert [(each.reason, each.where, each.account_id) for each in rejects] == [
        ("bad_contact", "$.collection[1]", "U1"), ("bad_shape", "$.collection[2].uri", "U1"), ("bad_time", "$.collection[3]", "U1"),
    ]  # fmt: skip
    (nothing,) = decode(api_page())
    assert isinstance(nothing, Reject)
    assert nothing.reason == "not_an_event"
    (shapeless,) = decode(api_page(good, scheduled_event=[]))
    assert isinstance(shapeless, Reject)
    assert shapeless.where == "$.scheduled_event"


def test_a_page_of_ours_has_our_own_signature_which_has_no_age() -> None:
    raw = api_page(listed_invitee())
    own = hmac.new(b"key", raw, hashlib.sha256).hexdigest()
    verify = sources()["calendly"].verify
    assert verify({"x-flexoraa-signature": own}, raw, b"key", AT)
    assert not verify({"x-flexoraa-signature": own}, raw, b"other", AT)
    assert sources()["calendly"].accounts(raw) == ["U1"]
