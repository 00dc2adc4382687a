"""What a Calendly payload says: an invitee's booking in today's shape and in the older one, and a routing form.

Here belong the shapes and the steps, those that the API's lists tell included. Not here: the envelope and its signature (`calendly`).
"""

import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from core.events import Appointment, ContactEvent, Event, Point, Reject
from core.sources._common import decode_json, identifier, moment, within

_LEAD = re.compile(r"lead_[a-z0-9]{26}(?:_[0-9]{1,20})?")
"""A lead id of ours (`core.identity`); anything else in a utm field is the visitor's own and is not kept."""

_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
_SCHEDULED = "https://api.calendly.com/scheduled_events/"
Kind = Literal["booked", "rescheduled_from", "cancelled", "rescheduled_to", "no_show_marked", "no_show_cleared", "form_submitted"]


class _Tracking(Struct):
    utm_campaign: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None

    def lead_id(self) -> str | None:
        """The first lead id in any of the fields: our links put it in one, but pages pass them on in others."""
        for value in (self.utm_content, self.utm_term, self.utm_campaign, self.utm_source, self.utm_medium):
            found = _LEAD.search(value or "")
            if found:
                return found.group()
        return None


class _Answer(Struct):
    question: str | None = None
    answer: str | None = None


class _Cancellation(Struct):
    canceler_type: str | None = None
    reason: str | None = None
    created_at: str | None = None


class _NoShow(Struct):
    uri: str
    created_at: str | None = None


class _Scheduled(Struct):
    uri: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    event_type: str | None = None


class _Invitee(Struct):
    uri: str
    email: str | None = None
    name: str | None = None
    event: str | None = None
    status: str | None = None
    timezone: str | None = None
    text_reminder_number: str | None = None
    rescheduled: bool = False
    old_invitee: str | None = None
    new_invitee: str | None = None
    no_show: _NoShow | None = None
    cancellation: _Cancellation | None = None
    questions_and_answers: list[_Answer] = field(default_factory=list)
    tracking: _Tracking = field(default_factory=_Tracking)
    scheduled_event: _Scheduled = field(default_factory=_Scheduled)
    created_at: str | None = None
    updated_at: str | None = None


class _OldEvent(Struct):
    uuid: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class _OldInvitee(Struct):
    uuid: str
    email: str | None = None
    name: str | None = None
    timezone: str | None = None
    text_reminder_number: str | None = None
    is_reschedule: bool = False
    created_at: str | None = None
    canceled_at: str | None = None
    cancel_reason: str | None = None
    canceler_name: str | None = None


class _OldType(Struct):
    uuid: str | None = None


class _Legacy(Struct):
    event: _OldEvent
    invitee: _OldInvitee
    event_type: _OldType = field(default_factory=_OldType)
    questions_and_answers: list[_Answer] = field(default_factory=list)
    tracking: _Tracking = field(default_factory=_Tracking)
    old_event: _OldEvent | None = None
    old_invitee: _OldInvitee | None = None
    new_event: _OldEvent | None = None
    new_invitee: _OldInvitee | None = None


class _Form(Struct):
    uri: str
    submitter: str | None = None
    submitter_type: str | None = None
    created_at: str | None = None
    questions_and_answers: list[_Answer] = field(default_factory=list)
    tracking: _Tracking = field(default_factory=_Tracking)


_INVITEE = msgspec.json.Decoder(_Invitee)
_SCHEDULED_EVENT = msgspec.json.Decoder(_Scheduled)
_LEGACY = msgspec.json.Decoder(_Legacy)
_FORM = msgspec.json.Decoder(_Form)


def invitee(event: str, raw: Raw, account_id: str, at: datetime | None) -> Iterator[Event | Reject]:
    """One step of a booking in today's shape; bodies of 2020 lack `scheduled_event`."""
    item = decode_json(_INVITEE, raw, account_id)
    if isinstance(item, Reject):
        yield within(item, "$.payload")
        return
    yield from _step(event, item, account_id, at)


def listed(raw: Raw, scheduled: Raw, account_id: str, place: str) -> Iterator[Event | Reject]:
    """The steps that a listed invitee has been through, each with the id that its webhook gives it.

    As booked, it says what that webhook said: nothing of a later cancellation, booking or no-show. A no-show taken back leaves no trace.
    """
    item, event = decode_json(_INVITEE, raw, account_id), decode_json(_SCHEDULED_EVENT, scheduled, account_id)
    if isinstance(event, Reject):
        yield within(event, "$.scheduled_event")
        return
    if isinstance(item, Reject):
        yield within(item, place)
        return
    item.scheduled_event = event
    booked = replace(item, cancellation=None, new_invitee=None, no_show=None)
    steps = [_step("invitee.created", booked, account_id, moment(item.created_at))]
    if item.status == "canceled":
        told = item.cancellation.created_at if item.cancellation else None
        steps.append(_step("invitee.canceled", replace(item, no_show=None), account_id, moment(told or item.updated_at)))
    if item.no_show:
        steps.append(_step("invitee_no_show.created", item, account_id, moment(item.no_show.created_at or item.updated_at)))
    for found in itertools.chain.from_iterable(steps):
        yield Reject(found.reason, place, found.detail, account_id) if isinstance(found, Reject) else found


def _step(event: str, item: _Invitee, account_id: str, at: datetime | None) -> Iterator[Event | Reject]:
    scheduled = item.scheduled_event
    shown = {
        "appointment_id": item.uri,
        "scheduled_event_id": item.event or scheduled.uri,
        "old_appointment_id": item.old_invitee,
        "new_appointment_id": item.new_invitee,
        "no_show_id": item.no_show.uri if item.no_show else None,
        "event_type_id": identifier(scheduled.event_type.rpartition("/")[2]) if scheduled.event_type else None,
        "utm_lead_id": item.tracking.lead_id(),
        "cancelled_by": _canceller(event, item.cancellation),
        "timezone": _zone(item.timezone),
        "starts_at": moment(scheduled.start_time),
        "ends_at": moment(scheduled.end_time),
        "reason": (item.cancellation.reason or None) if item.cancellation else None,
        "answers": _answers(item.questions_and_answers),
    }
    told = at or moment(item.updated_at if event != "invitee.created" else item.created_at)
    kind = _kind(event, is_moved=item.rescheduled or bool(item.new_invitee), is_replacing=bool(item.old_invitee))
    own = f"{event}:{item.uri}" + (f":{item.no_show.uri if item.no_show else told}" if event.startswith("invitee_no_show") else "")
    yield from _told(own, account_id, told, kind, shown, _Guest(item.email, item.name, item.text_reminder_number))


def legacy(event: str, raw: Raw, account_id: str, at: datetime | None) -> Iterator[Event | Reject]:
    """One step of a booking in the shape of the first API: ids without URIs, no time of its own."""
    item = decode_json(_LEGACY, raw, account_id)
    if isinstance(item, Reject):
        yield within(item, "$.payload")
        return
    guest = item.invitee
    shown = {
        "appointment_id": _uri(item.event, guest),
        "scheduled_event_id": f"{_SCHEDULED}{item.event.uuid}" if item.event.uuid else None,
        "old_appointment_id": _uri(item.old_event, item.old_invitee),
        "new_appointment_id": _uri(item.new_event, item.new_invitee),
        "event_type_id": identifier(item.event_type.uuid),
        "utm_lead_id": item.tracking.lead_id(),
        "timezone": _zone(guest.timezone),
        "starts_at": moment(item.event.start_time),
        "ends_at": moment(item.event.end_time),
        "reason": guest.cancel_reason or None,
        "answers": _answers(item.questions_and_answers),
    }
    is_cancelled = event == "invitee.canceled"
    told = at or moment(guest.canceled_at if is_cancelled else guest.created_at)
    kind = _kind(event, is_moved=item.new_invitee is not None, is_replacing=guest.is_reschedule or item.old_invitee is not None)
    named = _Guest(guest.email, guest.name, guest.text_reminder_number)
    yield from _told(f"{event}:{shown['appointment_id']}", account_id, told, kind, shown, named)


def form(raw: Raw, account_id: str, at: datetime | None) -> Iterator[Event | Reject]:
    """One routing form; where it led to a booking it speaks of that one, and nobody is named."""
    item = decode_json(_FORM, raw, account_id)
    if isinstance(item, Reject):
        yield within(item, "$.payload")
        return
    is_booking = item.submitter_type == "Invitee" and item.submitter is not None
    booking = (item.submitter or "").replace("https://calendly.com/", "https://api.calendly.com/")
    shown: dict[str, Any] = {
        "appointment_id": booking if is_booking else item.uri,
        "utm_lead_id": item.tracking.lead_id(),
        "answers": _answers(item.questions_and_answers),
    }
    told = at or moment(item.created_at)
    if told is None:
        yield _untimed(account_id)
        return
    yield Appointment(**_common(f"routing_form_submission.created:{item.uri}", account_id, told), kind="form_submitted", **shown)


class _Guest(NamedTuple):
    email: str | None
    name: str | None
    phone: str | None


def _told(own: str, account_id: str, at: datetime | None, kind: Kind, shown: dict[str, Any], guest: _Guest) -> Iterator[Event | Reject]:
    if at is None:
        yield _untimed(account_id)
        return
    if not guest.email:
        yield Reject("bad_contact", "$.payload.email", "an invitee without an e-mail address", account_id)
        return
    contact = Point("email", guest.email)
    yield Appointment(**_common(own, account_id, at), kind=kind, contact=contact, **shown)
    if guest.name:
        yield ContactEvent(**_common(f"{own}:named", account_id, at), kind="profile_named", contact=contact, name=guest.name)
    if guest.phone:
        # the invitee gave both: strong evidence that they are one person
        yield ContactEvent(**_common(f"{own}:linked", account_id, at), kind="linked", contact=contact, other=Point("phone", guest.phone))


def _common(own: str, account_id: str, at: datetime) -> dict[str, Any]:
    return {"source": "calendly", "account_id": account_id, "event_id": f"calendly:{own}", "occurred_at": at}


def _untimed(account_id: str) -> Reject:
    return Reject("bad_time", "$.created_at", "neither the event nor its booking has a time in ISO 8601 with an offset", account_id)


def _kind(event: str, *, is_moved: bool, is_replacing: bool) -> Kind:
    if event == "invitee.created":
        return "rescheduled_from" if is_replacing else "booked"
    if event == "invitee.canceled":
        return "rescheduled_to" if is_moved else "cancelled"
    return "no_show_marked" if event == "invitee_no_show.created" else "no_show_cleared"


def _canceller(event: str, cancellation: _Cancellation | None) -> Literal["host", "invitee"] | None:
    if event != "invitee.canceled" or cancellation is None:
        return None
    return {"host": "host", "invitee": "invitee"}.get(cancellation.canceler_type or "")  # type: ignore[return-value]


def _zone(name: str | None) -> str | None:
    return name if name and _ZONE.fullmatch(name) else None


def _answers(given: list[_Answer]) -> str | None:
    """Questions and answers as JSON; most forms have none."""
    return msgspec.json.encode(given).decode() if given else None


def _uri(event: _OldEvent | None, guest: _OldInvitee | None) -> str | None:
    """As today's API would name the booking, so that an old and a new telling of it meet."""
    if event is None or guest is None or not event.uuid:
        return guest.uuid if guest else None
    return f"{_SCHEDULED}{event.uuid}/invitees/{guest.uuid}"
