"""One mail of a mailbox into canonical events.

Here belongs who wrote to whom and when; the words lie in `core.sources._gmail_text`. The sender's `Date` is not believed: the time is
Gmail's own. Not here: pushes and history pages (`gmail`).
"""

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import getaddresses

import msgspec
from msgspec import Raw, Struct, field

from core.events import UNTOLD, ContactEvent, Event, Message, Point, Reject, Unmodelled
from core.sources._common import decode_json, epoch, fragment, within
from core.sources._gmail_text import BrokenPartError, Part, words

_NO_MAIL = {"DRAFT": "mail.draft", "SPAM": "mail.spam", "CHAT": "mail.chat"}
"""What is in the mailbox and is no mail between us and a lead; kept, for somebody may fetch it out of the spam."""

_LONGEST_HEADER = 10_000

ACTION_HEADER = "x-flexoraa-action"
"""Brings an action's id back with the copy among the sent mails, and so settles whether a mail of ours went out."""

_ACTION_ID = re.compile(r"[0-9a-f]{64}")


class _Mail(Struct, rename="camel"):
    id: str
    label_ids: list[str] = field(default_factory=list)
    internal_date: str | int | None = None
    snippet: str = ""
    payload: Part | None = None


_MAIL = msgspec.json.Decoder(_Mail)


def mail(mailbox: str, raw: Raw | bytes, place: str) -> Iterator[Event | Reject]:
    """One answer of messages.get, or one message of threads.get."""
    item = decode_json(_MAIL, bytes(raw), mailbox)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    if item.payload is None:
        yield Reject("not_an_event", f"{place}.payload", "a mail that is only pointed at: its content was not fetched", mailbox)
        return
    at = epoch(item.internal_date)
    kind = next((kind for label, kind in _NO_MAIL.items() if label in item.label_ids), None)
    if kind:
        yield _unmodelled(mailbox, item.id, kind, raw, at or UNTOLD)
        return
    if at is None:
        yield Reject("bad_time", f"{place}.internalDate", "not a number of milliseconds since 1970", mailbox)
        return
    yield from _told(mailbox, item, item.payload, at, place)


def _told(mailbox: str, item: _Mail, payload: Part, at: object, place: str) -> Iterator[Event | Reject]:
    sender = next(iter(_people(payload, "from")), None)
    is_ours = "SENT" in item.label_ids or (sender is not None and sender[1] == mailbox)
    others = [each for name in ("to", "cc", "bcc") for each in _people(payload, name) if each[1] != mailbox]
    person = next(iter(others), None) if is_ours else sender
    if person is None:
        yield Reject("bad_contact", f"{place}.payload.headers", "no address of anybody but the mailbox itself", mailbox)
        return
    try:
        text = words(payload)
    except BrokenPartError:
        yield Reject("bad_shape", f"{place}.payload", "a part's body.data is not base64url", mailbox)
        return
    # only what lies among the sent can be ours: anybody can write anything in a mail to us
    action_id = _action(payload) if "SENT" in item.label_ids else None
    message_id = payload.header("message-id") if action_id is None else message_id_of(action_id, mailbox)
    own = _id(mailbox, message_id) or f"gmail:{mailbox}:{item.id}"
    common = {"source": "gmail", "account_id": mailbox, "occurred_at": at, "contact": Point("email", person[1])}
    is_automatic = (payload.header("auto-submitted") or "no").strip().lower() != "no"
    yield Message(
        **common,  # type: ignore[arg-type]
        event_id=own,
        message_id=own,
        channel="gmail",
        channel_account_id=mailbox,
        direction="outbound" if is_ours else "inbound",
        author_type="lead" if not is_ours else "human" if action_id is None else "automation",
        action_id=action_id,
        message_type="auto_reply" if is_automatic else "email",
        text=text or item.snippet or _read(payload.header("subject") or "") or None,
        reply_to_message_id=_id(mailbox, payload.header("in-reply-to")),
    )
    if person[0]:
        yield ContactEvent(**common, event_id=f"{own}:named", kind="profile_named", name=person[0])  # type: ignore[arg-type]


def message_id_of(action_id: str, mailbox: str) -> str:
    """The Message-ID of the mail that an action sends: the same whether Gmail kept it or gave another, and in our own receipt of it.

    >>> message_id_of("ab12", "Sales@Tenant.example")
    '<ab12@tenant.example>'
    """
    return f"<{action_id}@{mailbox.rpartition('@')[2].lower()}>"


def _action(payload: Part) -> str | None:
    """The action that says of itself that it sent the mail."""
    told = (payload.header(ACTION_HEADER) or "").strip()
    return told if _ACTION_ID.fullmatch(told) else None


def _unmodelled(mailbox: str, mail_id: str, kind: str, raw: Raw | bytes, at: object) -> Unmodelled:
    body = b'{"emailAddress":' + msgspec.json.encode(mailbox) + b',"messages":[' + bytes(raw) + b"]}"
    return Unmodelled(
        source="gmail",
        account_id=mailbox,
        event_id=f"gmail:{mailbox}:{mail_id}:{kind}",
        occurred_at=at,  # type: ignore[arg-type]
        kind=kind,
        fragment=fragment(body),
    )


def _id(mailbox: str, message_id: str | None) -> str | None:
    """Message-ID is the same in every mailbox that the mail came to, so a mail to two of a tenant's is one."""
    found = (message_id or "").strip()
    return f"gmail:{found}" if found and len(found) <= _LONGEST_HEADER else None


def _people(payload: Part, name: str) -> list[tuple[str, str]]:
    """Display name and address in lower case of everybody in a header."""
    value = payload.header(name)
    if not value or len(value) > _LONGEST_HEADER:
        return []
    return [(_read(shown).strip(), address.strip().lower()) for shown, address in getaddresses([value]) if "@" in address]


def _read(value: str) -> str:
    """A header's text, decoded where it is an RFC 2047 word."""
    try:
        return str(make_header(decode_header(value[:_LONGEST_HEADER])))
    except (HeaderParseError, LookupError, ValueError):
        return value
