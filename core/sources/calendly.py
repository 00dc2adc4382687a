"""Calendly webhooks: bookings, cancellations, reschedules, no-shows and routing forms.

Here belongs the vendor's envelope, its signature with an age, and which step of a booking an event is. A reschedule is two events in either
order, each of which names the other booking. Pages of the API's list of invitees too, with `created_by` and their `scheduled_event`
added at the top. Never read: `location` (a meeting's password lies in it). Not here: chains of bookings, reminders, asking Calendly.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.events import UNTOLD, Event, Reject, Unmodelled
from core.sources._calendly_items import form, invitee, legacy, listed
from core.sources._common import OWN_SIGNATURE, code, decode_json, digest, epoch, fragment, hmac_hex_matches, moment

TOLERANCE = timedelta(minutes=3)
"""How old, or how far ahead of our clock, a signature may be; Calendly's own example allows 3 minutes."""

INVITEE_EVENTS = frozenset({"invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted"})

_SECRETS = ("password", "passcode", "pstn_password")
_SIGNED = re.compile(r"\s*t=([0-9]{1,17})((?:\s*,\s*v1=[0-9A-Fa-f]{64})+)\s*")
_HASH = re.compile(r"v1=([0-9A-Fa-f]{64})")
_USER = re.compile(r"https://api\.calendly\.com/(?:users|organizations)/([A-Za-z0-9-]{1,64})")


class _Peek(Struct):
    created_by: str | None = None


class _Page(Struct):
    collection: list[Raw]
    scheduled_event: Raw
    created_by: str | None = None


class _Body(Struct):
    event: str
    payload: Raw
    created_at: str | None = None
    created_by: str | None = None


_PEEK = msgspec.json.Decoder(_Peek)
_BODY = msgspec.json.Decoder(_Body)
_PAGE = msgspec.json.Decoder(_Page)
_ANY = msgspec.json.Decoder(Any)
_KEYS = msgspec.json.Decoder(dict[str, Raw])


def accounts(raw: bytes) -> list[str]:
    """The user or organization whose subscription it is, by the last part of its URI; older bodies name none."""
    account = _account(_PEEK.decode(raw).created_by)
    return [account] if account else []


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
    """`Calendly-Webhook-Signature: t=<seconds>,v1=<hex>` over `<t>.<body>`; one older than `TOLERANCE` at `received_at` is refused.

    While a key is rotated, several `v1` may stand there. What we fetched ourselves has our own signature, without an age.
    """
    if OWN_SIGNATURE in headers:
        return hmac_hex_matches(secret, raw, headers[OWN_SIGNATURE])
    signed = _SIGNED.fullmatch(headers.get("calendly-webhook-signature", ""))
    signed_at = epoch(signed.group(1)) if signed else None
    if signed is None or signed_at is None or received_at is None or abs(received_at - signed_at) > TOLERANCE:
        return False
    message = signed.group(1).encode() + b"." + raw
    return any(hmac_hex_matches(secret, message, each) for each in _HASH.findall(signed.group(2)))


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """One body into the step of its booking, and what it says of the invitee; a page into the steps of all its bookings."""
    top = decode_json(_KEYS, raw)
    if not isinstance(top, Reject) and "collection" in top and "event" not in top:
        yield from _listed(raw)
        return
    body = decode_json(_BODY, raw)
    if isinstance(body, Reject):
        yield body
        return
    account_id = _account(body.created_by) or ""
    at = moment(body.created_at)
    if body.event in INVITEE_EVENTS:
        keys = decode_json(_KEYS, body.payload, account_id)
        is_older = not isinstance(keys, Reject) and "invitee" in keys
        yield from (legacy if is_older else invitee)(body.event, body.payload, account_id, at)
    elif body.event == "routing_form_submission.created":
        yield from form(body.payload, account_id, at)
    else:
        yield _unmodelled(raw, body, account_id, at)


def _listed(raw: bytes) -> Iterator[Event | Reject]:
    page = decode_json(_PAGE, raw)
    if isinstance(page, Reject):
        yield page
        return
    account_id = _account(page.created_by) or ""
    if not page.collection:
        yield Reject("not_an_event", "$.collection", "an empty page tells of nothing that happened", account_id)
    for i, item in enumerate(page.collection):
        yield from listed(item, page.scheduled_event, account_id, f"$.collection[{i}]")


def _unmodelled(raw: bytes, body: _Body, account_id: str, at: datetime | None) -> Unmodelled | Reject:
    """Kept without the passwords of meetings, wherever they stand."""
    tree = decode_json(_ANY, raw, account_id)
    if isinstance(tree, Reject):
        return tree
    waiting = [tree]
    while waiting:  # not by recursion: what can be read may still be too deep for that
        node = waiting.pop()
        if isinstance(node, dict):
            for secret in _SECRETS:
                node.pop(secret, None)
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    try:
        kept = msgspec.json.encode(tree)
    except RecursionError:
        return Reject("bad_shape", "$.payload", "nested too deeply to be kept", account_id)
    return Unmodelled(
        source="calendly",
        account_id=account_id,
        event_id=f"calendly:{code(body.event)}:{digest(raw)}",
        occurred_at=at or UNTOLD,
        kind=code(body.event),
        fragment=fragment(kept),
    )


def _account(uri: str | None) -> str | None:
    found = _USER.fullmatch(uri or "")
    return found.group(1) if found else None
