"""Gmail: pushes that something changed, pages of a mailbox's history, and the mails themselves.

Here belong the bodies that arrive or that we fetch, and which mailbox they are of. A push holds only a place in the history: the mails are
fetched from the *stored* place on (`orchestration`), and written to the inbox as Gmail answered, with `emailAddress` added at the top,
for the answers themselves do not say whose they are. Not here: asking Gmail, what a mail says (`_gmail_mail`).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec import Raw, Struct, field

from core.events import UNTOLD, AccountEvent, Event, Reject, Unmodelled
from core.sources._common import OWN_SIGNATURE, Id, code, decode_json, digest, fragment, hmac_hex_matches, identifier, moment
from core.sources._gmail_mail import mail
from core.sources._google_token import Trust, token_holds


class _Pushed(Struct):
    data: str
    messageId: str | None = None  # noqa: N815 — both spellings occur, sometimes in one body
    message_id: str | None = None
    publishTime: str | None = None  # noqa: N815
    publish_time: str | None = None


class _Push(Struct):
    message: _Pushed


class _Place(Struct, rename="camel"):
    email_address: str
    history_id: Id


class _Mailbox(Struct, rename="camel"):
    email_address: str | None = None


class _Named(Struct):
    id: str


class _Changed(Struct):
    message: _Named


class _History(Struct, rename="camel"):
    id: Id
    messages_added: list[_Changed] = field(default_factory=list)
    messages_deleted: list[_Changed] = field(default_factory=list)


class _Page(Struct, rename="camel"):
    history_id: Id
    history: list[_History] = field(default_factory=list)


_KEYS = msgspec.json.Decoder(dict[str, Raw])
_PUSH = msgspec.json.Decoder(_Push)
_PLACE = msgspec.json.Decoder(_Place)
_MAILBOX = msgspec.json.Decoder(_Mailbox)
_PAGE = msgspec.json.Decoder(_Page)
_LIST = msgspec.json.Decoder(list[Raw])
_TRUST = msgspec.json.Decoder(Trust)

_ANSWERS = {
    "labels": "labels.list",
    "messagesTotal": "users.getProfile",
    "resultSizeEstimate": "messages.list",
    "expiration": "users.watch",
}
"""Answers that tell of nothing that happened, by a key that only they have."""


def accounts(raw: bytes) -> list[str]:
    """The mailbox, in lower case."""
    keys = _KEYS.decode(raw)
    if "message" in keys:
        place = _place(_PUSH.decode(raw))
        return [] if isinstance(place, Reject) else [place.email_address.lower()]
    mailbox = _MAILBOX.decode(raw).email_address
    return [mailbox.lower()] if mailbox else []


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
    """A push: Google's OIDC token in `Authorization`, alive at `received_at`; the body is not signed. A fetched answer: our own signature.

    Args:
        headers: `authorization`, or `x-flexoraa-signature` with the HMAC-SHA256 of the body under the `secret` in `Trust`.
        raw: the body.
        secret: JSON of `Trust`.
        received_at: UTC.
    """
    try:
        trust = _TRUST.decode(secret)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    own = headers.get(OWN_SIGNATURE, "")
    if own:
        return bool(trust.secret) and hmac_hex_matches(trust.secret.encode(), raw, own)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and received_at is not None and token_holds(token.strip(), trust, received_at)


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """A push, a page of history, a thread or a mail, told apart by their keys."""
    keys = decode_json(_KEYS, raw)
    if isinstance(keys, Reject):
        yield keys
        return
    owner = decode_json(_MAILBOX, raw)
    mailbox = (owner.email_address or "").lower() if isinstance(owner, _Mailbox) else ""
    answer = next((name for key, name in _ANSWERS.items() if key in keys), None)
    if "message" in keys:
        yield _pushed(raw)
    elif "payload" in keys or "internalDate" in keys:
        yield from mail(mailbox, raw, "$")
    elif answer:
        yield Reject("not_an_event", "$", f"an answer of {answer} tells of nothing that happened", mailbox)
    elif "messages" in keys:
        yield from _thread(mailbox, keys["messages"])
    elif "historyId" in keys:
        yield from _history(mailbox, raw)
    elif not keys:
        yield Reject("bad_shape", "$", "an empty object", mailbox)
    else:
        kind = code(next(iter(keys)))
        event_id = f"gmail:{mailbox}:{kind}:{digest(raw)}"
        yield Unmodelled(source="gmail", account_id=mailbox, event_id=event_id, occurred_at=UNTOLD, kind=kind, fragment=fragment(raw))


def _thread(mailbox: str, raw: Raw) -> Iterator[Event | Reject]:
    mails = decode_json(_LIST, raw, mailbox)
    if isinstance(mails, Reject) or not mails:
        yield Reject("bad_shape", "$.messages", "no list of mails" if isinstance(mails, Reject) else "a thread without a mail", mailbox)
        return
    for i, each in enumerate(mails):
        yield from mail(mailbox, each, f"$.messages[{i}]")


def _place(push: _Push) -> _Place | Reject:
    data = push.message.data.translate(str.maketrans("-_", "+/"))
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return Reject("bad_shape", "$.message.data", "not base64")
    place = decode_json(_PLACE, raw)
    return Reject(place.reason, f"$.message.data{place.where[1:]}", place.detail) if isinstance(place, Reject) else place


def _pushed(raw: bytes) -> Event | Reject:
    push = decode_json(_PUSH, raw)
    if isinstance(push, Reject):
        return push
    place = _place(push)
    if isinstance(place, Reject):
        return place
    mailbox, told = place.email_address.lower(), push.message
    at = moment(told.publishTime or told.publish_time)
    if at is None:
        return Reject("bad_time", "$.message.publishTime", "no time in ISO 8601 with an offset", mailbox)
    message_id = told.messageId or told.message_id or digest(raw)
    return AccountEvent(
        source="gmail",
        account_id=mailbox,
        event_id=f"gmail:push:{message_id}",
        occurred_at=at,
        kind="history",
        subject=identifier(place.history_id),
        state="changed",
    )


def _history(mailbox: str, raw: bytes) -> Iterator[Event | Reject]:
    """What was added and deleted, by ids alone: Gmail gives no times here. Ids increase but skip, and a real page repeats one."""
    page = decode_json(_PAGE, raw, mailbox)
    if isinstance(page, Reject):
        yield page
        return
    told: dict[str, AccountEvent] = {}
    for each in page.history:
        for kind, changes in (("history.message_added", each.messages_added), ("history.message_deleted", each.messages_deleted)):
            for change in changes:
                event = _place_event(mailbox, kind, change.message.id, "told")
                told.setdefault(event.event_id, event)
    yield from told.values()
    yield _place_event(mailbox, "history", str(page.history_id), "listed")


def _place_event(mailbox: str, kind: str, subject: str, state: str) -> AccountEvent:
    return AccountEvent(
        source="gmail",
        account_id=mailbox,
        event_id=f"gmail:{mailbox}:{kind}:{subject}",
        occurred_at=UNTOLD,
        kind=kind,
        subject=identifier(subject),
        state=state,
    )
