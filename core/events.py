"""Canonical events: what every source is decoded into, one Struct a lake table.

Here belong the shapes that all sources share and the marks that say how a field is kept (`Point`, `Personal`, `Sealed`, `Ref`).
Not here: how a vendor writes them (`core.sources`), how they are encrypted and stored (`orchestration.resources`).
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Struct

SCHEMA_VERSION = 1

PointKind = Literal["phone", "wa_user_id", "igsid", "psid", "email", "razorpay_contact"]


class Point(Struct, frozen=True, gc=False):
    """A contact point as the vendor names it; the lake keeps only its surrogate, in a column `<field>_point_id`."""

    kind: PointKind
    value: str


class Mark(Struct, frozen=True):
    """How a field is kept in the lake."""

    kind: Literal["personal", "sealed", "ref"]


Personal = Annotated[str, Mark("personal")]
"""Plain personal text; the lake keeps it encrypted under the key of the event's contact point, in `<field>_enc`."""

Sealed = Annotated[str, Mark("sealed")]
"""Text that may be personal of an event that may name nobody, in `<field>_enc`: under the key of the contact where there is one, else under
the tenant's own. Erasing a person therefore reaches it only where the contact is named: name it wherever the body does."""

Ref = Annotated[str, Mark("ref")]
"""A vendor's id; the lake keeps a keyed hash, for such ids carry phone numbers (a wamid is one in base64)."""


UNTOLD = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of an event whose body tells none; intake puts the moment of receipt in its place. No real event is before 2000."""


class Reject(Struct, frozen=True):
    """What could not be taken in: `reason` is a stable code, `where` a JSON path, `detail` a sentence without personal data."""

    reason: str
    where: str
    detail: str
    account_id: str | None = None


class Event(Struct, kw_only=True, gc=False):
    """What all canonical events carry. `account_id` is the vendor's account; the tenant is found through its connection.

    `event_id` is the deduplication key of `sources.md`; `occurred_at` is UTC with microseconds.
    """

    table: ClassVar[str]
    source: str
    account_id: str
    event_id: Ref
    occurred_at: datetime


class Message(Event, kw_only=True):
    """One message between a contact and the business, in either direction.

    `channel` is where it travelled (a message that the operating system sent is told by the source `platform`), and
    `channel_account_id` our own number or page there. `person_id` is our staff, for human authors; `action_id` the outbox action
    that sent it, if one did.
    """

    table: ClassVar[str] = "messages"
    message_id: Ref
    channel: str
    channel_account_id: str
    contact: Point
    direction: Literal["inbound", "outbound"]
    author_type: Literal["lead", "human", "ai", "automation"]
    person_id: str | None = None
    message_type: str
    text: Personal | None = None
    template_name: str | None = None
    reply_to_message_id: Ref | None = None
    referral_id: str | None = None
    action_id: str | None = None


class MessageStatus(Event, kw_only=True):
    """One delivery status that a vendor reported of an outbound message, or that a message of either side was taken back (`deleted`).

    Messenger names no messages when they are read: then `message_id` is absent and all of ours to `contact` up to `watermark_at` are meant.
    `action_id`: the one that we sent along, brought back.
    """

    table: ClassVar[str] = "message_statuses"
    message_id: Ref | None = None
    contact: Point | None = None
    status: str
    pricing_type: str | None = None
    pricing_category: str | None = None
    error_code: int | None = None
    watermark_at: datetime | None = None
    action_id: str | None = None


class ContactEvent(Event, kw_only=True):
    """What became known of a contact point: a change, a link to another point, a consent, a profile name, a word in public.

    For `number_changed` and `user_id_changed`, `contact` is the old point and `other` the new one. `linked` says that one event named both
    points. `identity_changed`: the same number on another device or with another owner; which, nobody tells. The `thread_*` kinds say which
    app (`app_id`) now answers this contact. `commented` and `mentioned` are words in public (`text`): no message, so no window opens.
    """

    table: ClassVar[str] = "contact_events"
    kind: Literal[
        "number_changed", "user_id_changed", "identity_changed", "linked", "opted_out", "opted_in", "profile_named", "blocked",
        "thread_passed", "thread_taken", "thread_requested", "commented", "mentioned",
    ]  # fmt: skip
    contact: Point
    other: Point | None = None
    name: Personal | None = None
    text: Personal | None = None
    app_id: str | None = None


class AccountEvent(Event, kw_only=True):
    """What a vendor said of our own account: `subject` is what it speaks of (number, template, group, subscription, place in a history).

    A template has its name besides, by which messages ask for it.
    """

    table: ClassVar[str] = "account_events"
    kind: str
    subject: str | None = None
    state: str | None = None
    expires_at: datetime | None = None
    template_name: str | None = None


class Payment(Event, kw_only=True):
    """One thing that the payment provider said; `kind` is its event name. Amounts in the currency's smallest unit.

    `amount_minor` is that of the entity that the event is about (`subject_id`): payment, refund, dispute, settlement, invoice, link,
    transfer, payout.
    """

    table: ClassVar[str] = "payments"
    kind: str
    subject_id: str | None = None
    payment_id: str | None = None
    order_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    contact: Point | None = None
    amount_minor: int
    currency: str
    fee_minor: int | None = None
    tax_minor: int | None = None
    captured_at: datetime | None = None


class Appointment(Event, kw_only=True):
    """One step in the life of a booking.

    `booked` or, where it took the place of another one (`old_appointment_id`), `rescheduled_from`; `cancelled` or, where another one took
    its place (`new_appointment_id`), `rescheduled_to`: such a pair comes in either order. `no_show_marked` and `no_show_cleared` name the
    mark. `form_submitted` is a routing form, before any booking unless it names one. `utm_lead_id` is a lead id of ours found in any utm
    field.
    """

    table: ClassVar[str] = "appointments"
    kind: Literal[
        "booked", "rescheduled_from", "cancelled", "rescheduled_to", "no_show_marked", "no_show_cleared", "form_submitted"
    ]  # fmt: skip
    appointment_id: Ref
    scheduled_event_id: Ref | None = None
    old_appointment_id: Ref | None = None
    new_appointment_id: Ref | None = None
    no_show_id: Ref | None = None
    contact: Point | None = None
    event_type_id: str | None = None
    utm_lead_id: str | None = None
    cancelled_by: Literal["host", "invitee"] | None = None
    timezone: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reason: Sealed | None = None
    answers: Sealed | None = None


class Unmodelled(Event, kw_only=True):
    """One authentic event of a type that no decoder models yet. `kind` is the vendor's name of it.

    `fragment` is JSON of `headers` and `body`: a body of its own that the source's decoder, once it knows the type, turns into this event
    alone.
    """

    table: ClassVar[str] = "unmodelled"
    kind: str
    contact: Point | None = None
    fragment: Sealed


class AiTurn(Event, kw_only=True):
    """One turn of the qualifying assistant, with the slots it holds after that turn. Ratios 0 to 1."""

    table: ClassVar[str] = "ai_turns"
    contact: Point
    channel: str
    intent: Literal["none", "support", "exploring", "comparing", "ready_to_buy"] | None = None
    budget_minor: int | None = None
    budget_currency: str | None = None
    timeline_days: int | None = None
    objection: str | None = None
    buying_signal: str | None = None
    risk: Literal["none", "legal", "refund_dispute", "self_harm", "medical", "financial", "abuse", "data_protection"] = "none"
    confidence: float
    next_action: str
    verdict: Literal["continue", "qualified", "disqualified", "escalate"] = "continue"
    asked_for_human: bool = False


class TokenUsage(Event, kw_only=True):
    """One metered use: `quantity` units of `kind`, priced by the tenant's rate card at `occurred_at`."""

    table: ClassVar[str] = "token_usage"
    contact: Point | None = None
    kind: Literal["llm_input", "llm_output", "message", "booking", "enrichment"]
    quantity: int
    model: str | None = None
    channel: str | None = None
    category: str | None = None
    action: str | None = None


class LeadEvent(Event, kw_only=True):
    """What people did with a lead: assignment, own action, outcome, next step."""

    table: ClassVar[str] = "lead_events"
    kind: Literal["assigned", "unassigned", "human_action", "next_step_set", "tier_overridden", "escalated", "resolved", "won", "lost"]
    contact: Point
    channel: str | None = None
    person_id: str | None = None
    tier: Literal["HOT", "WARM", "COLD"] | None = None
    value_minor: int | None = None
    currency: str | None = None


class ExperimentEvent(Event, kw_only=True):
    """One exposure of a contact to a variant, or one observed metric value."""

    table: ClassVar[str] = "experiment_events"
    kind: Literal["exposed", "observed"]
    contact: Point
    experiment_id: str
    variant: str | None = None
    metric: str | None = None
    value: float | None = None


class ServiceEvent(Event, kw_only=True):
    """One heartbeat, request or error of a service of the operating system."""

    table: ClassVar[str] = "service_events"
    kind: Literal["heartbeat", "request", "error"]
    service: str
    is_ok: bool
    latency_seconds: float | None = None


class PrivacyRequest(Event, kw_only=True):
    """One request of a person about their own data."""

    table: ClassVar[str] = "privacy_requests"
    kind: Literal["access", "erasure", "rectification"]
    contact: Point


class ScheduledMessage(Event, kw_only=True):
    """One message to be sent later, or its cancellation."""

    table: ClassVar[str] = "scheduled_messages"
    schedule_id: str
    contact: Point
    kind: Literal["scheduled", "cancelled"]
    channel: str
    send_at: datetime
    template_name: str | None = None
    text: Personal | None = None


EVENT_TYPES: tuple[type[Event], ...] = tuple(sorted(Event.__subclasses__(), key=lambda each: each.table))
"""Every canonical event, by table name."""
