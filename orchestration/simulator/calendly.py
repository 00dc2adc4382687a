"""Calendly webhook bodies: an invitee's booking, what becomes of it, and routing forms.

Here belong the vendor's shapes. Not here: signing (`wire`), which bookings there are (`bookings`).
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

_API = "https://api.calendly.com"
LENGTH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Booking:
    """One invitee of one meeting."""

    user: str
    event_id: str
    invitee_id: str
    event_type: str
    email: str
    name: str
    timezone: str
    starts_at: datetime
    created_at: datetime
    phone: str | None = None
    lead_id: str | None = None

    @property
    def uri(self) -> str:
        """The invitee's own id."""
        return f"{_API}/scheduled_events/{self.event_id}/invitees/{self.invitee_id}"

    def moved(self, rng: Random, starts_at: datetime, at: datetime) -> "Booking":
        """The booking that takes this one's place."""
        return replace(self, event_id=uuid(rng), invitee_id=uuid(rng), starts_at=starts_at, created_at=at)

    def body(self, event: str, at: datetime, **changes: Any) -> str:
        """The body of an invitee's event: `changes` are those of its payload."""
        return _body(self.user, event, at, self.payload(at) | changes)

    def payload(self, updated_at: datetime) -> dict[str, Any]:
        """The invitee."""
        event = f"{_API}/scheduled_events/{self.event_id}"
        none = dict.fromkeys(("utm_campaign", "utm_source", "utm_medium", "utm_term", "salesforce_uuid"))
        return {
            "cancel_url": f"https://calendly.com/cancellations/{self.invitee_id}",
            "created_at": _iso(self.created_at),
            "email": self.email,
            "event": event,
            "first_name": None,
            "name": self.name,
            "new_invitee": None,
            "no_show": None,
            "old_invitee": None,
            "questions_and_answers": [{"question": "What is it about?", "answer": "A first look, please.", "position": 0}],
            "reschedule_url": f"https://calendly.com/reschedulings/{self.invitee_id}",
            "rescheduled": False,
            "routing_form_submission": None,
            "scheduled_event": {
                "uri": event,
                "name": "First look",
                "status": "active",
                "start_time": _iso(self.starts_at),
                "end_time": _iso(self.starts_at + LENGTH),
                "event_type": f"{_API}/event_types/{self.event_type}",
                "location": {"type": "zoom", "join_url": "https://zoom.example/j/1", "data": {"id": 1, "password": "hunter2"}},
            },
            "status": "active",
            "text_reminder_number": self.phone,
            "timezone": self.timezone,
            "tracking": none | {"utm_content": self.lead_id},
            "updated_at": _iso(updated_at),
            "uri": self.uri,
        }

    def cancelled(self, at: datetime, by: str) -> str:
        """invitee.canceled for good, with the reason."""
        cancellation = {"canceled_by": self.name if by == "invitee" else "Asha Rao", "canceler_type": by, "reason": "Something came up"}
        return self.body("invitee.canceled", at, status="canceled", cancellation=cancellation)

    def replaced(self, new: "Booking", at: datetime) -> tuple[str, str]:
        """Both halves of a reschedule: the old booking's, the new one's."""
        old = self.body("invitee.canceled", at, status="canceled", rescheduled=True, new_invitee=new.uri)
        return old, new.body("invitee.created", at, old_invitee=self.uri)

    def no_show(self, at: datetime, mark: str, *, is_cleared: bool = False) -> str:
        """Somebody of ours marked that nobody came, or took the mark back."""
        said = {"uri": f"{_API}/invitee_no_shows/{mark}", "created_at": _iso(at)}
        return self.body("invitee_no_show.deleted" if is_cleared else "invitee_no_show.created", at, no_show=said)


def routing_form(user: str, form_id: str, at: datetime, submitter: str | None) -> str:
    """The body of routing_form_submission.created; with a submitter, that booking came of it."""
    payload = {
        "uri": f"{_API}/routing_form_submissions/{form_id}",
        "routing_form": f"{_API}/routing_forms/AAAAAAAAAAAAAAAA",
        "questions_and_answers": [{"question_uuid": "q1", "question": "Company size?", "answer": "10 to 50"}],
        "tracking": dict.fromkeys(("utm_campaign", "utm_source", "utm_medium", "utm_content", "utm_term")),
        "result": {"type": "event_type", "value": f"{_API}/event_types/BBBBBBBBBBBBBBBB"},
        "submitter": submitter,
        "submitter_type": "Invitee" if submitter else None,
        "created_at": _iso(at),
        "updated_at": _iso(at),
    }
    return _body(user, "routing_form_submission.created", at, payload)


def uuid(rng: Random) -> str:
    """An id as Calendly makes it."""
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _body(user: str, event: str, at: datetime, payload: dict[str, Any]) -> str:
    said = {"event": event, "created_at": _iso(at), "created_by": f"{_API}/users/{user}", "payload": payload}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
