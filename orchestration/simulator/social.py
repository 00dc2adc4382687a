"""Messenger and Instagram webhook bodies as Meta writes them: items, and the envelope that may carry several.

Here belong the vendor's shapes and what differs between the two. Not here: what a story means (`chat`), signing (`wire`).
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

Channel = Literal["instagram", "messenger"]
OBJECTS: Mapping[str, str] = {"instagram": "instagram", "messenger": "page"}
INBOX_APPS: Mapping[str, int] = {"instagram": 1217981644879628, "messenger": 263902037430900}
"""Meta's own inboxes: what they send, a person of ours wrote."""


@dataclass(frozen=True, slots=True)
class Item:
    """One element of an entry's list, when it happened, and the lake tables that it fills."""

    occurred_at: datetime
    kept_in: Literal["messaging", "standby", "changes"]
    body: dict[str, Any]
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    """The two parties: our page or account, and a person as this app may know them."""

    channel: Channel
    account: str
    person: str

    def item(self, at: datetime, said: Mapping[str, Any], *tables: str, is_ours: bool = False, is_timed: bool = True) -> Item:
        """Something that one of the two said."""
        ours, theirs = {"id": self.account}, {"id": self.person}
        head: dict[str, Any] = {"sender": ours if is_ours else theirs, "recipient": theirs if is_ours else ours}
        return Item(at, "messaging", head | ({"timestamp": milliseconds(at)} if is_timed else {}) | dict(said), tables)


def milliseconds(at: datetime) -> int:
    """Since 1970, as Meta counts."""
    return (at - datetime(1970, 1, 1, tzinfo=at.tzinfo)) // timedelta(milliseconds=1)


def new_mid(channel: Channel, rng: Random) -> str:
    """A message id as Meta makes it."""
    raw = base64.urlsafe_b64encode(rng.randbytes(45)).decode()
    return f"aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE{raw}" if channel == "instagram" else f"m_{raw}"


def message(thread: Thread, at: datetime, mid: str, **content: Any) -> Item:
    """What the person wrote: `text`, `attachments`, `quick_reply`, `reply_to`, `referral`."""
    return thread.item(at, {"message": {"mid": mid} | content}, "messages")


def echo(thread: Thread, at: datetime, mid: str, words: str, app_id: int | None) -> Item:
    """What our side sent, told back: by an app, by a person in Meta's inbox, or (Instagram) by a person in the app itself."""
    app = {"app_id": app_id} if app_id is not None else {}
    return thread.item(at, {"message": {"mid": mid, "text": words, "is_echo": True} | app}, "messages", is_ours=True)


def deleted(thread: Thread, at: datetime, mid: str) -> Item:
    """The person took a message back."""
    return thread.item(at, {"message": {"mid": mid, "is_deleted": True}}, "message_statuses")


def edited(thread: Thread, at: datetime, mid: str, words: str, number: int) -> Item:
    """The person changed a message."""
    return thread.item(at, {"message_edit": {"mid": mid, "text": words, "num_edit": number}}, "messages")


def reaction(thread: Thread, at: datetime, mid: str, emoji: str | None) -> Item:
    """The person put an emoji on a message, or took it off."""
    said = {"mid": mid, "action": "react", "reaction": "love", "emoji": emoji} if emoji else {"mid": mid, "action": "unreact"}
    return thread.item(at, {"reaction": said}, "messages")


def postback(thread: Thread, at: datetime, mid: str | None, title: str) -> Item:
    """The person pressed a button of ours; older bodies have no id."""
    own = {"mid": mid} if mid else {}
    return thread.item(at, {"postback": own | {"title": title, "payload": "GET_STARTED"}}, "messages")


def referral(thread: Thread, at: datetime, ad_id: str) -> Item:
    """The person came in by an ad, into a thread that was there already."""
    said = {"ref": "summer", "ad_id": ad_id, "source": "ADS", "type": "OPEN_THREAD"}
    return thread.item(at, {"referral": said}, "messages")


def read(thread: Thread, at: datetime, mid: str) -> Item:
    """The person read: Instagram names the message, Messenger only the time up to which all was read."""
    said: dict[str, Any] = {"mid": mid} if thread.channel == "instagram" else {"watermark": milliseconds(at)}
    return thread.item(at, {"read": said}, "message_statuses")


def delivery(thread: Thread, at: datetime, mids: Sequence[str]) -> Item:
    """Messenger brought these to the person's device; it has no time of its own."""
    said = {"delivery": {"mids": list(mids), "watermark": milliseconds(at)}}
    return thread.item(at, said, *["message_statuses"] * len(mids), is_timed=False)


def passed(thread: Thread, at: datetime, app_id: int) -> Item:
    """The thread now belongs to another app, such as the inbox of a person of ours."""
    return thread.item(at, {"pass_thread_control": {"new_owner_app_id": app_id, "metadata": "to a person"}}, "contact_events")


def optin(thread: Thread, at: datetime) -> Item:
    """The person wants to hear of news."""
    said = {"type": "notification_messages", "payload": "news", "notification_messages_status": "RESUME_NOTIFICATIONS"}
    return thread.item(at, {"optin": said}, "contact_events")


def comment(thread: Thread, at: datetime, comment_id: str, words: str) -> Item:
    """The person wrote under a post of ours: no message, so no window opens."""
    value = {"id": comment_id, "from": {"id": thread.person, "username": "somebody"}, "text": words, "media": {"id": "17900000000000001"}}
    return Item(at, "changes", {"field": "comments", "value": value}, ("contact_events",))


def envelope(channel: Channel, account: str, items: Sequence[Item], sent_at: datetime) -> dict[str, Any]:
    """One body of one entry; `sent_at` is the time that Meta puts around it."""
    entry: dict[str, Any] = {"id": account, "time": milliseconds(sent_at)}
    for item in items:
        entry.setdefault(item.kept_in, []).append(item.body)
    return {"object": OBJECTS[channel], "entry": [entry]}
