"""The operating system's own feed: what its services, its assistant and its people did.

The shapes below are the published schema (`docs/platform-events.schema.json`). Signed with HMAC-SHA256 in hex over the raw body, in
`X-Flexoraa-Signature`. Not here: what vendors say themselves (the sibling modules).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from core.events import (
    UNTOLD,
    AiTurn,
    Event,
    ExperimentEvent,
    LeadEvent,
    Message,
    Point,
    PointKind,
    PrivacyRequest,
    Reject,
    ScheduledMessage,
    ServiceEvent,
    TokenUsage,
    Unmodelled,
)
from core.sources._common import INT_MAX, code, decode_json, digest, fragment, hmac_hex_matches, moment, utc

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=INT_MAX)]
Text = Annotated[str, Meta(min_length=1)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$")]
"""A word of the operating system's own, kept in the clear: it has no room for what people say."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}$")]
"""An id or name of something of ours (an account, a template, an experiment), kept in the clear."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class Contact(Struct, forbid_unknown_fields=False):
    """The person that an event speaks of."""

    kind: PointKind
    value: Text

    def point(self) -> Point:
        """As a canonical contact point."""
        return Point(self.kind, self.value)


class _Body(Struct, kw_only=True, tag_field="type"):
    id: Text
    account_id: Name
    occurred_at: datetime


class MessageSent(_Body, tag="message.sent", kw_only=True):
    """Our side sent a message; `message_id` is the channel's id of it."""

    contact: Contact
    channel: Code
    channel_account_id: Name
    message_id: Text
    author_type: Literal["human", "ai", "automation"]
    person_id: Name | None = None
    message_type: Code = "text"
    text: str | None = None
    template_name: Name | None = None
    reply_to_message_id: str | None = None
    action_id: Name | None = None


class AiTurnCompleted(_Body, tag="ai_turn.completed", kw_only=True):
    """The assistant finished a turn; the slots hold all that is known after it."""

    contact: Contact
    channel: Code
    intent: Literal["none", "support", "exploring", "comparing", "ready_to_buy"] | None = None
    budget_minor: Count | None = None
    budget_currency: Currency | None = None
    timeline_days: Count | None = None
    objection: Code | None = None
    buying_signal: Code | None = None
    risk: Literal["none", "legal", "refund_dispute", "self_harm", "medical", "financial", "abuse", "data_protection"] = "none"
    confidence: Share
    next_action: Code
    verdict: Literal["continue", "qualified", "disqualified", "escalate"] = "continue"
    asked_for_human: bool = False


class TokensUsed(_Body, tag="tokens.used", kw_only=True):
    """Something was used that costs tokens."""

    kind: Literal["llm_input", "llm_output", "message", "booking", "enrichment"]
    quantity: Count
    contact: Contact | None = None
    model: Code | None = None
    channel: Code | None = None
    category: Code | None = None
    action: Code | None = None


class LeadChanged(_Body, tag="lead.changed", kw_only=True):
    """A person or a rule of the operating system did something with a lead."""

    kind: Literal["assigned", "unassigned", "human_action", "next_step_set", "tier_overridden", "escalated", "resolved", "won", "lost"]
    contact: Contact
    channel: Code | None = None
    person_id: Name | None = None
    tier: Literal["HOT", "WARM", "COLD"] | None = None
    value_minor: Count | None = None
    currency: Currency | None = None


class ExperimentExposed(_Body, tag="experiment.exposed", kw_only=True):
    """A contact was shown a variant."""

    contact: Contact
    experiment_id: Name
    variant: Code


class ExperimentObserved(_Body, tag="experiment.observed", kw_only=True):
    """A metric of a contact was measured."""

    contact: Contact
    experiment_id: Name
    metric: Code
    value: float


class ServiceReported(_Body, tag="service.reported", kw_only=True):
    """A service answered, failed or gave a sign of life."""

    kind: Literal["heartbeat", "request", "error"]
    service: Code
    is_ok: bool = True
    latency_seconds: Annotated[float, Meta(ge=0)] | None = None


class PrivacyRequested(_Body, tag="privacy.requested", kw_only=True):
    """A person asked for access, erasure or rectification."""

    kind: Literal["access", "erasure", "rectification"]
    contact: Contact


class MessageScheduled(_Body, tag="message.scheduled", kw_only=True):
    """A message is to be sent later, or no longer."""

    schedule_id: Name
    contact: Contact
    kind: Literal["scheduled", "cancelled"]
    channel: Code
    send_at: datetime
    template_name: Name | None = None
    text: str | None = None


PlatformEvent = (
    MessageSent
    | AiTurnCompleted
    | TokensUsed
    | LeadChanged
    | ExperimentExposed
    | ExperimentObserved
    | ServiceReported
    | PrivacyRequested
    | MessageScheduled
)
"""All that the feed may carry, one JSON object a body, told apart by `type`."""


class _Account(Struct):
    account_id: str | None = None


class _Peek(_Account):
    type: str | None = None
    id: str | None = None
    occurred_at: str | None = None


_BAD_TIME = "the time has no offset (write it as ISO 8601 with one, or Z), or lies outside 2000 to 2100"
_TYPES = frozenset(each.__struct_config__.tag for each in get_args(PlatformEvent))
_DECODER = msgspec.json.Decoder(PlatformEvent)
_ACCOUNT = msgspec.json.Decoder(_Account)
_PEEK = msgspec.json.Decoder(_Peek)


def accounts(raw: bytes) -> list[str]:
    """The accounts that a body speaks of, before it is trusted."""
    account = _ACCOUNT.decode(raw).account_id
    return [account] if account else []


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
    """Whether `X-Flexoraa-Signature` is the HMAC-SHA256 of the raw body, in constant time. Header names in lower case."""
    return hmac_hex_matches(secret, raw, headers.get("x-flexoraa-signature", ""))


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """One body into its one canonical event, or the reason why it is none."""
    peek = decode_json(_PEEK, raw)
    if isinstance(peek, Reject):
        yield peek
        return
    if not peek.type:
        yield Reject("bad_shape", "$.type", "an event of the platform's feed without its type", peek.account_id)
        return
    if peek.type not in _TYPES:
        yield _unmodelled(raw, peek)
        return
    body = decode_json(_DECODER, raw, peek.account_id)
    if isinstance(body, Reject):
        yield body
        return
    occurred_at = utc(body.occurred_at)
    if occurred_at is None:
        yield Reject("bad_time", "$.occurred_at", _BAD_TIME, body.account_id)
        return
    if isinstance(body, MessageScheduled):
        send_at = utc(body.send_at)
        if send_at is None:
            yield Reject("bad_time", "$.send_at", _BAD_TIME, body.account_id)
            return
        body.send_at = send_at
    yield _canonical(body, occurred_at)


def _unmodelled(raw: bytes, peek: _Peek) -> Unmodelled:
    return Unmodelled(
        source="platform",
        account_id=peek.account_id or "",
        event_id=f"platform:{peek.id or digest(raw)}",
        occurred_at=moment(peek.occurred_at) or UNTOLD,
        kind=code(peek.type),
        fragment=fragment(raw),
    )


def _canonical(body: PlatformEvent, occurred_at: datetime) -> Event:
    common: dict[str, Any] = {
        "source": "platform",
        "account_id": body.account_id,
        "event_id": f"platform:{body.id}",
        "occurred_at": occurred_at,
    }
    own: dict[str, Any] = {name: getattr(body, name) for name in body.__struct_fields__ if name not in {"id", "account_id", "occurred_at"}}
    contact = own.pop("contact", None)
    if contact is not None:
        own["contact"] = contact.point()
    match body:
        case MessageSent():
            ids = {
                "message_id": f"{body.channel}:{body.message_id}",
                "reply_to_message_id": body.reply_to_message_id and f"{body.channel}:{body.reply_to_message_id}",
                "event_id": f"{body.channel}:{body.message_id}",
            }
            return Message(**(common | own | ids), direction="outbound")
        case AiTurnCompleted():
            return AiTurn(**common, **own)
        case TokensUsed():
            return TokenUsage(**common, **own)
        case LeadChanged():
            return LeadEvent(**common, **own)
        case ExperimentExposed():
            return ExperimentEvent(**common, **own, kind="exposed")
        case ExperimentObserved():
            return ExperimentEvent(**common, **own, kind="observed")
        case ServiceReported():
            return ServiceEvent(**common, **own)
        case PrivacyRequested():
            return PrivacyRequest(**common, **own)
        case MessageScheduled():
            return ScheduledMessage(**common, **own)
