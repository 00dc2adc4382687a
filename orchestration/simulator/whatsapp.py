"""WhatsApp webhook bodies as the Cloud API writes them: items, and the envelope that may carry several.

Here belong the vendor's shapes, nothing of what a story means. Not here: signing (`wire`), when a body arrives (`post`).
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from orchestration.simulator.business import Business


@dataclass(frozen=True, slots=True)
class Who:
    """A contact as one webhook names it: some name only the phone, some only the business-scoped user id, some both."""

    name: str | None
    wa_id: str | None
    user_id: str | None

    def contact(self) -> dict[str, Any]:
        """An element of `contacts`."""
        ids = {"wa_id": self.wa_id, "user_id": self.user_id}
        profile = {"profile": {"name": self.name}} if self.name else {}
        return profile | {key: value for key, value in ids.items() if value}


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a list in a change's value, the contact beside it, and the lake tables that it fills."""

    occurred_at: datetime
    field: str
    plural: str
    body: dict[str, Any]
    who: Who | None
    tables: tuple[str, ...]
    known: tuple[str, ...] = ()
    """Kinds of its contact events."""


@dataclass(frozen=True, slots=True)
class News:
    """What WhatsApp says of our own account: a field and its value."""

    occurred_at: datetime
    field: str
    value: dict[str, Any]


def wamid(digits: str, rng: Random, *, is_outbound: bool) -> str:
    """A message id as WhatsApp makes it: base64 of a frame around the lead's phone and twenty hex digits."""
    number = digits.encode()
    frame = bytes([0x1C, 0x18, len(number)]) + number + b"\x15\x02\x00" + (b"\x11" if is_outbound else b"\x12")
    return "wamid." + base64.b64encode(frame + b"\x18\x14" + f"{rng.getrandbits(80):020X}".encode() + b"\x00").decode()


def message(at: datetime, message_id: str, who: Who, content: dict[str, Any]) -> Item:
    """An inbound message; `content` holds its `type` and what belongs to it."""
    sender = {"from": who.wa_id, "from_user_id": who.user_id}
    head = {"id": message_id, "timestamp": _seconds(at)}
    body = {key: value for key, value in sender.items() if value} | head | content
    known = ("profile_named",) * (who.name is not None) + ("linked",) * (who.wa_id is not None and who.user_id is not None)
    return Item(at, "messages", "messages", body, who, ("messages", *["contact_events"] * len(known)), known)


def text(words: str) -> dict[str, Any]:
    """Content of a text message."""
    return {"type": "text", "text": {"body": words}}


def media(kind: str, rng: Random) -> dict[str, Any]:
    """Content of an image or a voice message."""
    mime = "image/jpeg" if kind == "image" else "audio/ogg; codecs=opus"
    own: dict[str, Any] = {"mime_type": mime, "sha256": f"{rng.getrandbits(256):064x}", "id": str(rng.randrange(10**14, 10**15))}
    more: dict[str, Any] = {"caption": "📷"} if kind == "image" else {"voice": True}
    return {"type": kind, kind: own | more}


def edit(original_id: str, words: str) -> dict[str, Any]:
    """Content of a message that changes an earlier one."""
    return {"type": "edit", "edit": {"original_message_id": original_id, "message": text(words)}}


def revoke(original_id: str) -> dict[str, Any]:
    """Content of a message that takes an earlier one back."""
    return {"type": "revoke", "revoke": {"original_message_id": original_id}}


def button(title: str, rng: Random) -> dict[str, Any]:
    """Content of a tapped reply button."""
    reply = {"id": f"b{rng.randrange(9)}", "title": title}
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}


def referral(rng: Random) -> dict[str, Any]:
    """What a first message from an ad carries beside its content."""
    return {
        "referral": {
            "source_url": "https://fb.me/3cr4Wqqkv",
            "source_id": str(rng.randrange(10**17, 10**18)),
            "source_type": "ad",
            "body": "Festive offers are here!",
            "headline": "Chat with us",
            "media_type": "image",
            "image_url": "https://scontent.xx.fbcdn.net/v/t45.1-4/ad.jpg",
            "ctwa_clid": f"Aff-{rng.getrandbits(120):030x}",
        }
    }


def changed_number(at: datetime, message_id: str, name: str, old: str, new: str) -> Item:
    """What the system says when a lead moves to a new number; without contacts."""
    system = {"body": f"User {name} changed from {old} to {new}", "wa_id": new, "type": "user_changed_number"}
    body = {"from": old, "id": message_id, "timestamp": _seconds(at), "system": system, "type": "system"}
    return Item(at, "messages", "messages", body, None, ("contact_events",), ("number_changed",))


def opt_out(at: datetime, who: Who) -> Item:
    """The lead stops marketing messages; the time is a number here."""
    body = {
        "wa_id": who.wa_id,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": int(at.timestamp()),
    }
    return Item(at, "user_preferences", "user_preferences", body, who, ("contact_events",), ("opted_out",))


def status(at: datetime, message_id: str, state: str, who: Who, category: str) -> Item:
    """A delivery status of a message of ours."""
    recipient: dict[str, Any] = {"recipient_id": who.wa_id} if who.wa_id else {"recipient_user_id": who.user_id}
    kind = "free_customer_service" if category == "service" else "regular"
    pricing = {"billable": category != "service", "pricing_model": "PMP", "type": kind, "category": category}
    body = {"id": message_id, "status": state, "timestamp": _seconds(at), **recipient, "pricing": pricing}
    return Item(at, "messages", "statuses", body, None, ("message_statuses",))


def call(at: datetime, call_id: str, who: Who, ours: str, ended_after: int | None = None) -> Item:
    """The lead calls us; with seconds given, that the call ended after them."""
    ended = {"event": "terminate", "status": "COMPLETED", "duration": ended_after}
    head = {"id": call_id, "from": who.wa_id, "to": ours, "timestamp": _seconds(at), "direction": "USER_INITIATED"}
    body: dict[str, Any] = head | ({"event": "connect"} if ended_after is None else ended)
    return Item(at, "calls", "calls", body, who, ("messages",) if ended_after is None else ("message_statuses",))


def phone_echo(at: datetime, message_id: str, who: Who, ours: str, words: str) -> Item:
    """A person of ours answered from the phone app."""
    body = {"from": ours, "to": who.wa_id, "id": message_id, "timestamp": _seconds(at), **text(words)}
    return Item(at, "smb_message_echoes", "message_echoes", body, None, ("messages",))


def flow(rng: Random) -> dict[str, Any]:
    """Content of a flow that was filled in: the answers are JSON inside of JSON."""
    answers = json.dumps({"flow_token": f"{rng.getrandbits(64):016x}", "size": "3 rooms", "when": "this month"})
    reply = {"name": "flow", "body": "Sent", "response_json": answers}
    return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def new_user_id(at: datetime, wa_id: str, old: str, new: str) -> Item:
    """A business-scoped user id took the place of another."""
    body = {
        "wa_id": wa_id,
        "detail": "user_id updated",
        "user_id": {"previous": old, "current": new},
        "timestamp": _seconds(at),
    }
    return Item(at, "user_id_update", "user_id_update", body, None, ("contact_events",), ("user_id_changed",))


def refused(at: datetime, message_id: str, who: Who) -> Item:
    """Our free text came too late: the provider refuses it."""
    error = {"code": 131047, "title": "Re-engagement message", "error_data": {"details": "More than 24 hours have passed"}}
    body = {"id": message_id, "status": "failed", "timestamp": _seconds(at), "recipient_id": who.wa_id, "errors": [error]}
    return Item(at, "messages", "statuses", body, None, ("message_statuses",))


def news_envelope(business: Business, news: News) -> dict[str, Any]:
    """One body that carries one piece of news; unlike messages it has the entry's time."""
    change = {"field": news.field, "value": news.value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": business.waba, "time": int(news.occurred_at.timestamp()), "changes": [change]}],
    }


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def envelope(business: Business, items: Sequence[Item]) -> dict[str, Any]:
    """One body that carries all items: those of one list share a change."""
    changes: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        value = changes.setdefault(
            (item.field, item.plural),
            {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": business.display_number, "phone_number_id": business.number_id},
            },
        )
        if item.who is not None:
            contact = item.who.contact()
            if contact not in value.setdefault("contacts", []):
                value["contacts"].append(contact)
        value.setdefault(item.plural, []).append(item.body)
    listed = [{"value": value, "field": field} for (field, _), value in changes.items()]
    return {"object": "whatsapp_business_account", "entry": [{"id": business.waba, "changes": listed}]}
