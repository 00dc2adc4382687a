"""WhatsApp webhook bodies as the Cloud API writes them: items, and the envelope that may carry several.

Here belong the vendor's shapes, nothing of what a story means. Not here: signing (`wire`), when a body arrives (`post`).
"""

import base64
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


def wamid(digits: str, rng: Random, *, is_outbound: bool) -> str:
    """A message id as WhatsApp makes it: base64 of a frame around the lead's phone and twenty hex digits."""
    number = digits.encode()
    frame = bytes([0x1C, 0x18, len(number)]) + number + b"\x15\x02\x00" + (b"\x11" if is_outbound else b"\x12")
    return "wamid." + base64.b64encode(frame + b"\x18\x14" + f"{rng.getrandbits(80):020X}".encode() + b"\x00").decode()


def message(at: datetime, message_id: str, who: Who, content: dict[str, Any]) -> Item:
    """An inbound message; `content` holds its `type` and what belongs to it."""
    sender = {"from": who.wa_id, "from_user_id": who.user_id}
    head = {"id": message_id, "timestamp": str(int(at.timestamp()))}
    body = {key: value for key, value in sender.items() if value} | head | content
    named = ("contact_events",) * ((who.name is not None) + (who.wa_id is not None and who.user_id is not None))
    return Item(at, "messages", "messages", body, who, ("messages", *named))


def text(words: str) -> dict[str, Any]:
    """Content of a text message."""
    return {"type": "text", "text": {"body": words}}


def media(kind: str, rng: Random) -> dict[str, Any]:
    """Content of an image or a voice message."""
    mime = "image/jpeg" if kind == "image" else "audio/ogg; codecs=opus"
    own: dict[str, Any] = {"mime_type": mime, "sha256": f"{rng.getrandbits(256):064x}", "id": str(rng.randrange(10**14, 10**15))}
    more: dict[str, Any] = {"caption": "📷"} if kind == "image" else {"voice": True}
    return {"type": kind, kind: own | more}


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
    body = {"from": old, "id": message_id, "timestamp": str(int(at.timestamp())), "system": system, "type": "system"}
    return Item(at, "messages", "messages", body, None, ("contact_events",))


def opt_out(at: datetime, who: Who) -> Item:
    """The lead stops marketing messages; the time is a number here."""
    body = {
        "wa_id": who.wa_id,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": int(at.timestamp()),
    }
    return Item(at, "user_preferences", "user_preferences", body, who, ("contact_events",))


def status(at: datetime, message_id: str, state: str, who: Who, category: str) -> Item:
    """A delivery status of a message of ours."""
    recipient: dict[str, Any] = {"recipient_id": who.wa_id} if who.wa_id else {"recipient_user_id": who.user_id}
    kind = "free_customer_service" if category == "service" else "regular"
    pricing = {"billable": category != "service", "pricing_model": "PMP", "type": kind, "category": category}
    body = {"id": message_id, "status": state, "timestamp": str(int(at.timestamp())), **recipient, "pricing": pricing}
    return Item(at, "messages", "statuses", body, None, ("message_statuses",))


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
