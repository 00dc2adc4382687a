"""Razorpay webhooks: what happened to the money and to the account of one merchant.

Here belongs the vendor's envelope and which entity an event is about: with an amount it is a payment event, without one news of the
account. One payment is told by up to four events (payment.captured, order.paid, payment_link.paid, invoice.paid): each is kept, the
ledger counts the payment id once. Pages of the API's lists too, with `account_id` added at the top: what they hold are states and no
events, `payment.listed.captured`. Not here: tenants, keys, tokens, asking Razorpay.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from core.events import UNTOLD, AccountEvent, Event, Payment, Point, Reject, Unmodelled
from core.sources._common import OWN_SIGNATURE, Int, code, decode_json, digest, epoch, fragment, hmac_hex_matches, identifier, within
from core.sources._razorpay_events import ACCOUNT_SUBJECTS, CAPTURES, LISTED, MONEY_SUBJECTS

_SETTLEMENT_CURRENCY = "INR"  # a settlement names no currency: Razorpay settles to Indian bank accounts, in rupees
_NO_EMAIL = "void@razorpay.com"
"""What Razorpay writes for a payer who gave none: a person of this name would be all of them."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_EVENT_ID = "x-razorpay-event-id"


class _Customer(Struct):
    contact: str | None = None
    email: str | None = None


class _Entity(Struct):
    id: str
    amount: Int | None = None
    currency: str | None = None
    status: str | None = None
    payment_id: str | None = None
    order_id: str | None = None
    source: str | None = None
    contact: str | None = None
    email: str | None = None
    customer: _Customer | None = None
    customer_details: _Customer | None = None
    fee: Int | None = None
    fees: Int | None = None
    tax: Int | None = None
    created_at: Int | None = None
    updated_at: Int | None = None

    def payer(self) -> Point | None:
        """Who pays, by phone or else by address."""
        for each in (self, self.customer, self.customer_details):
            value = each and (each.contact or (each.email if each.email != _NO_EMAIL else None))
            if value:
                return Point("razorpay_contact", value)
        return None


class _Wrapped(Struct):
    entity: _Entity


class _Bare(Struct):
    """An entity of which nothing but its name and state is read: its other fields may have other shapes."""

    id: str
    status: str | None = None
    created_at: Int | None = None
    updated_at: Int | None = None


class _WrappedBare(Struct):
    entity: _Bare


class _Body(Struct):
    event: str
    payload: dict[str, Raw] = field(default_factory=dict)
    account_id: str | None = None
    created_at: Int | None = None


class _Page(Struct):
    items: list[Raw]
    account_id: str | None = None


class _Kind(Struct):
    entity: str


class _Peek(Struct):
    account_id: str | None = None


class _About(NamedTuple):
    name: str
    subject: _Entity
    payment: _Entity | None


_PEEK = msgspec.json.Decoder(_Peek)
_KEYS = msgspec.json.Decoder(dict[str, Raw])
_BODY = msgspec.json.Decoder(_Body)
_PAGE = msgspec.json.Decoder(_Page)
_KIND = msgspec.json.Decoder(_Kind)
_ENTITY = msgspec.json.Decoder(_Entity)
_WRAPPED = msgspec.json.Decoder(_Wrapped)
_BARE = msgspec.json.Decoder(_WrappedBare)
_SECONDS = msgspec.json.Decoder(Int)


def accounts(raw: bytes) -> list[str]:
    """The merchant account, where the body names one (some real bodies do not)."""
    account = _PEEK.decode(raw).account_id
    return [account] if account else []


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
    """`X-Razorpay-Signature`: hex HMAC-SHA256 over the raw body, under the webhook's secret (a retry of an older event: the older one).

    What we fetched ourselves is signed alike under a header of our own.
    """
    return any(hmac_hex_matches(secret, raw, headers.get(name, "")) for name in ("x-razorpay-signature", OWN_SIGNATURE))


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """One webhook into its one event, a page into the states that it lists; or the reason why not."""
    keys = decode_json(_KEYS, raw)
    if not isinstance(keys, Reject) and "items" in keys and "event" not in keys:
        yield from _listed(raw)
        return
    body = decode_json(_BODY, raw)
    if isinstance(body, Reject):
        yield body
        return
    event_id = headers.get(_EVENT_ID)
    if body.event in MONEY_SUBJECTS:
        about = _about(body)
        yield about if isinstance(about, Reject) else _payment(body, about, event_id)
    elif body.event in ACCOUNT_SUBJECTS:
        yield _account_event(body, event_id)
    else:
        yield Unmodelled(
            source="razorpay",
            account_id=body.account_id or "",
            event_id=f"razorpay:{event_id or digest(raw)}",
            occurred_at=epoch(body.created_at) or UNTOLD,
            kind=code(body.event),
            fragment=fragment(raw, {_EVENT_ID: event_id} if event_id else None),
        )


def _listed(raw: bytes) -> Iterator[Event | Reject]:
    """One page of a list. A state has no time of its own and takes that at which the entity was made, so a repeated page is a repeat."""
    page = decode_json(_PAGE, raw)
    if isinstance(page, Reject):
        yield page
        return
    if not page.items:
        yield Reject("not_an_event", "$.items", "an empty page tells of nothing that happened", page.account_id)
    for i, item in enumerate(page.items):
        found = _listed_item(item, page.account_id)
        yield within(found, f"$.items[{i}]") if isinstance(found, Reject) else found


def _listed_item(item: Raw, account_id: str | None) -> Event | Reject:
    named = decode_json(_KIND, item, account_id)
    if isinstance(named, Reject):
        return named
    if named.entity not in LISTED:
        return Unmodelled(
            source="razorpay",
            account_id=account_id or "",
            event_id=f"razorpay:{account_id}:listed:{digest(item)}",
            occurred_at=UNTOLD,
            kind=code(f"{named.entity}.listed"),
            fragment=fragment({"account_id": account_id, "items": [item]}),
        )
    entity = decode_json(_ENTITY, item, account_id)
    if isinstance(entity, Reject):
        return entity
    kind = code(f"{named.entity}.listed.{entity.status}", "")
    if not entity.status or not kind:
        return Reject("bad_shape", "$.status", f"a {named.entity} without a status", account_id)
    found = _payment(_Body(kind, {}, account_id, entity.created_at), _About(named.entity, entity, None), None)
    return Reject(found.reason, "$", found.detail, account_id) if isinstance(found, Reject) else found


def _about(body: _Body) -> _About | Reject:
    name = MONEY_SUBJECTS[body.event]
    found: dict[str, _Entity] = {}
    for part in dict.fromkeys((name, "payment")):
        if part not in body.payload:
            continue
        wrapped = decode_json(_WRAPPED, body.payload[part], body.account_id)
        if isinstance(wrapped, Reject):
            return within(wrapped, f"$.payload.{part}")
        found[part] = wrapped.entity
    if name not in found:
        return Reject("bad_shape", f"$.payload.{name}", f"the event {body.event} comes without its {name}", body.account_id)
    return _About(name, found[name], found.get("payment"))


def _payment(body: _Body, about: _About, event_id: str | None) -> Payment | Reject:
    subject, payer = about.subject, about.payment or about.subject
    place = f"$.payload.{about.name}.entity"
    common = _common(body, subject.id, subject.updated_at or subject.created_at, event_id)
    if isinstance(common, Reject):
        return common
    if subject.amount is None:
        return Reject("bad_shape", f"{place}.amount", f"a {about.name} without an amount", body.account_id)
    currency = subject.currency or (_SETTLEMENT_CURRENCY if about.name == "settlement" else payer.currency)
    if currency is None or not _CURRENCY.fullmatch(currency):
        return Reject("bad_shape", f"{place}.currency", "an amount without a currency of three capital letters", body.account_id)
    subject_id, payment_id = identifier(subject.id), identifier(_payment_id(about))
    if subject_id in (None, "unknown") or payment_id == "unknown":
        return Reject("bad_shape", f"{place}.id", "an id that none of Razorpay's looks like", body.account_id)
    begun_at = epoch(subject.created_at) if body.event in CAPTURES else None
    if begun_at is not None and begun_at > common["occurred_at"]:  # payment_link.paid tells when its link was made
        common["occurred_at"] = begun_at
    return Payment(
        **common,
        subject_id=subject_id,
        payment_id=payment_id,
        order_id=identifier(payer.order_id),
        refund_id=subject_id if about.name == "refund" else None,
        dispute_id=subject_id if about.name == "dispute" else None,
        contact=payer.payer(),
        amount_minor=subject.amount,
        currency=currency,
        fee_minor=subject.fee if subject.fee is not None else subject.fees,
        tax_minor=subject.tax,
        captured_at=common["occurred_at"] if body.event in CAPTURES else None,
    )


def _payment_id(about: _About) -> str | None:
    """The payment itself, the one that the subject names, the one beside it, or the one that a transfer came from."""
    subject = about.subject
    if about.name == "payment":
        return subject.id
    named = subject.payment_id or (about.payment.id if about.payment else None)
    return named or (subject.source if about.name == "transfer" and (subject.source or "").startswith("pay_") else None)


def _account_event(body: _Body, event_id: str | None) -> AccountEvent | Reject:
    name = ACCOUNT_SUBJECTS[body.event]
    if name not in body.payload:
        return Reject("bad_shape", f"$.payload.{name}", f"the event {body.event} comes without its {name}", body.account_id)
    wrapped = decode_json(_BARE, body.payload[name], body.account_id)
    if isinstance(wrapped, Reject):
        return within(wrapped, f"$.payload.{name}")
    entity = wrapped.entity
    common = _common(body, entity.id, entity.updated_at or entity.created_at, event_id)
    if isinstance(common, Reject):
        return common
    return AccountEvent(**common, subject=identifier(entity.id), state=code(entity.status, body.event.rpartition(".")[2]))


def _common(body: _Body, subject_id: str, entity_time: int | None, event_id: str | None) -> dict[str, Any] | Reject:
    """What both kinds carry. The time is the event's; some bodies carry it inside the payload, and some only the entity has one."""
    misplaced = body.payload.get("created_at")
    told = body.created_at
    if told is None:
        told = _seconds(misplaced) if misplaced is not None else entity_time
    occurred_at = epoch(told)
    if occurred_at is None:
        return Reject("bad_time", "$.created_at", "the event has no time in seconds since 1970", body.account_id)
    account_id = body.account_id or ""
    return {
        "source": "razorpay",
        "account_id": account_id,
        "event_id": f"razorpay:{event_id or ':'.join([account_id, body.event, subject_id, str(told)])}",
        "occurred_at": occurred_at,
        "kind": body.event,
    }


def _seconds(raw: Raw) -> int | None:
    value = decode_json(_SECONDS, raw)
    return None if isinstance(value, Reject) else value
