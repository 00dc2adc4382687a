"""Razorpay webhooks: what happened to payments, refunds, disputes and settlements of one merchant account.

Here belongs the vendor's envelope and which entity an event is about. One payment is told by up to four events (payment.captured,
order.paid, payment_link.paid, invoice.paid): each is kept, the ledger counts the payment id once. Not here: tenants, keys, tokens.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from core.events import Event, Payment, Point, Reject
from core.sources._common import Int, decode_json, epoch, hmac_hex_matches, shown

_SUBJECTS = {
    "payment.authorized": "payment",
    "payment.captured": "payment",
    "payment.failed": "payment",
    "order.paid": "payment",
    "payment_link.paid": "payment",
    "invoice.paid": "payment",
    "invoice.partially_paid": "payment",
    "refund.created": "refund",
    "refund.processed": "refund",
    "refund.failed": "refund",
    "refund.speed_changed": "refund",
    "payment.dispute.created": "dispute",
    "payment.dispute.won": "dispute",
    "payment.dispute.lost": "dispute",
    "payment.dispute.closed": "dispute",
    "payment.dispute.under_review": "dispute",
    "payment.dispute.action_required": "dispute",
    "settlement.processed": "settlement",
}
"""By event: the entity that it is about."""

_SETTLEMENT_CURRENCY = "INR"  # a settlement names no currency: Razorpay settles to Indian bank accounts, in rupees


_NO_EMAIL = "void@razorpay.com"
"""What Razorpay writes for a payer who gave none: a person of this name would be all of them."""


class _Entity(Struct):
    id: str
    amount: Int
    currency: str | None = None
    payment_id: str | None = None
    order_id: str | None = None
    contact: str | None = None
    email: str | None = None
    fee: Int | None = None
    fees: Int | None = None
    tax: Int | None = None


class _Wrapped(Struct):
    entity: _Entity


class _Body(Struct):
    event: str
    payload: dict[str, Raw] = field(default_factory=dict)
    account_id: str | None = None
    created_at: Int | None = None


class _Peek(Struct):
    account_id: str | None = None


class _About(NamedTuple):
    name: str
    subject: _Entity
    payment: _Entity | None


_PEEK = msgspec.json.Decoder(_Peek)
_BODY = msgspec.json.Decoder(_Body)
_WRAPPED = msgspec.json.Decoder(_Wrapped)
_SECONDS = msgspec.json.Decoder(Int)


def accounts(raw: bytes) -> list[str]:
    """The merchant account, where the body names one (some real bodies do not)."""
    account = _PEEK.decode(raw).account_id
    return [account] if account else []


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes) -> bool:
    """`X-Razorpay-Signature`: hex HMAC-SHA256 over the raw body, under the webhook's secret."""
    return hmac_hex_matches(secret, raw, headers.get("x-razorpay-signature", ""))


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """One body into its one payment event, or the reason why it is none."""
    body = decode_json(_BODY, raw)
    if isinstance(body, Reject):
        yield body
        return
    if body.event not in _SUBJECTS:
        yield Reject("unknown_event_type", "$.event", f"no such Razorpay event: {shown(body.event)}", body.account_id)
        return
    about = _about(body)
    yield about if isinstance(about, Reject) else _payment(body, about, headers.get("x-razorpay-event-id"))


def _about(body: _Body) -> _About | Reject:
    name = _SUBJECTS[body.event]
    found: dict[str, _Entity] = {}
    for part in dict.fromkeys((name, "payment")):
        if part not in body.payload:
            continue
        wrapped = decode_json(_WRAPPED, body.payload[part], body.account_id)
        if isinstance(wrapped, Reject):
            return Reject(wrapped.reason, f"$.payload.{part}{wrapped.where[1:]}", wrapped.detail, body.account_id)
        found[part] = wrapped.entity
    if name not in found:
        return Reject("bad_shape", f"$.payload.{name}", f"the event {body.event} comes without its {name}", body.account_id)
    return _About(name, found[name], found.get("payment"))


def _payment(body: _Body, about: _About, event_id: str | None) -> Payment | Reject:
    misplaced = body.payload.get("created_at")  # some bodies carry the time inside the payload
    created_at = _seconds(misplaced) if body.created_at is None and misplaced is not None else body.created_at
    occurred_at = epoch(created_at)
    if occurred_at is None:
        return Reject("bad_time", "$.created_at", "the event has no time in seconds since 1970", body.account_id)
    subject, payer = about.subject, about.payment or about.subject
    currency = subject.currency or (_SETTLEMENT_CURRENCY if about.name == "settlement" else payer.currency)
    if currency is None:
        return Reject("bad_shape", f"$.payload.{about.name}.entity.currency", "an amount without a currency", body.account_id)
    account_id = body.account_id or ""
    payer_value = payer.contact or (payer.email if payer.email != _NO_EMAIL else None)
    return Payment(
        source="razorpay",
        account_id=account_id,
        event_id=f"razorpay:{event_id or ':'.join([account_id, body.event, subject.id, str(created_at)])}",
        occurred_at=occurred_at,
        kind=body.event,
        payment_id=subject.id if about.name == "payment" else (subject.payment_id or (about.payment.id if about.payment else None)),
        order_id=payer.order_id,
        refund_id=subject.id if about.name == "refund" else None,
        dispute_id=subject.id if about.name == "dispute" else None,
        contact=Point("razorpay_contact", payer_value) if payer_value else None,
        amount_minor=subject.amount,
        currency=currency,
        fee_minor=subject.fee if subject.fee is not None else subject.fees,
        tax_minor=subject.tax,
        captured_at=occurred_at if body.event == "payment.captured" else None,
    )


def _seconds(raw: Raw) -> int | None:
    value = decode_json(_SECONDS, raw)
    return None if isinstance(value, Reject) else value
