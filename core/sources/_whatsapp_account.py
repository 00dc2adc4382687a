"""WhatsApp's news of our own account: bans, restrictions, quality, templates, names, flows.

Here belongs what a vendor says of us. Not here: what people write.
"""

import re
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from core.events import AccountEvent, Event, Reject
from core.sources._common import Id, Int, code, decode_json, digest, identifier, moment
from core.sources._whatsapp_scope import Entry

ACCOUNT_FIELDS = frozenset(
    {
        "account_update", "account_review_update", "account_alerts", "account_settings_update", "phone_number_quality_update",
        "phone_number_name_update", "message_template_status_update", "message_template_quality_update",
        "message_template_components_update", "template_category_update", "template_correct_category_detection",
        "business_username_update", "business_capability_update", "business_status_update", "security", "flows",
        "payment_configuration_update", "partner_solutions",
    }
)  # fmt: skip


class _Ban(Struct):
    waba_ban_state: str | None = None


class _Restriction(Struct):
    expiration: str | Int | None = None


class _Alert(Struct):
    alert_type: str | None = None


class _Value(Struct):
    event: str | None = None
    decision: str | None = None
    new_status: str | None = None
    new_category: str | None = None
    new_quality_score: str | None = None
    status: str | None = None
    current_limit: str | None = None
    display_phone_number: str | None = None
    phone_number: str | None = None
    message_template_id: str | int | None = None
    message_template_name: str | None = None
    flow_id: Id | None = None
    entity_id: str | int | None = None
    ban_info: _Ban | None = None
    restriction_info: list[_Restriction] | None = None
    alert_info: _Alert | None = None
    alert_type: str | None = None

    def state(self) -> str:
        """The most telling of its words; a flow's new status says more than that it changed."""
        ban = self.ban_info and self.ban_info.waba_ban_state
        alert = (self.alert_info and self.alert_info.alert_type) or self.alert_type
        flow = self.new_status if self.flow_id is not None else None
        words = (ban, flow, self.event, self.decision, self.new_category, self.new_quality_score, self.status, alert)
        return code(next((word for word in words if word), None))

    def subject(self) -> str | None:
        """What it is about: a number of ours in digits, else an id."""
        number = self.phone_number or self.display_phone_number
        if number:
            return "".join(each for each in number if each.isdigit()) or None
        return identifier(self.message_template_id or self.flow_id or self.entity_id)


_VALUE = msgspec.json.Decoder(_Value)


_NAME = re.compile(r"[a-z_][a-z0-9_]{0,511}")
"""Of a template, as Meta allows it; anything else is not kept in the clear."""


def account_event(around: Entry, raw: Raw, place: str) -> Event | Reject:
    """One piece of news: which number, template or flow it is of, its state, and until when."""
    value = decode_json(_VALUE, raw)
    if isinstance(value, Reject):
        return Reject(value.reason, f"{place}.value{value.where[1:]}", value.detail, around.id)
    if around.at is None:
        return Reject("bad_time", f"{place.rsplit('.', 1)[0]}.time", "the entry has no time in seconds since 1970", around.id)
    expirations: list[datetime] = []
    for i, each in enumerate(value.restriction_info or ()):
        if each.expiration is not None:  # without one it lasts until it is lifted, so one that cannot be read must not pass for none
            until = moment(each.expiration)
            if until is None:
                detail = "neither seconds or milliseconds since 1970 nor ISO 8601 with an offset"
                return Reject("bad_time", f"{place}.value.restriction_info[{i}].expiration", detail, around.id)
            expirations.append(until)
    return AccountEvent(
        source="whatsapp",
        account_id=around.id,
        event_id=f"whatsapp:{around.id}:{around.time}:{around.field}:{digest(bytes(raw))}",
        occurred_at=around.at,
        kind=around.field,
        subject=value.subject(),
        state=value.state(),
        expires_at=max(expirations, default=None),
        template_name=name if (name := value.message_template_name) and _NAME.fullmatch(name) else None,
    )
