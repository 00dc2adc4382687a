"""Razorpay webhook bodies: what happened to one payment, in the vendor's shapes.

Here belong the shapes. Not here: which payments a tenant makes (`billing`), signing (`wire`).
"""

import json
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from orchestration.simulator.chance import happens

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


def entity_id(prefix: str, rng: Random) -> str:
    """An id as Razorpay makes it, such as `pay_DESyzxuld02Zul`."""
    return f"{prefix}_{''.join(rng.choices(_ALPHABET, k=14))}"


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment: who pays how much to which merchant account."""

    merchant: str
    payment_id: str
    order_id: str
    amount_minor: int
    currency: str
    email: str | None
    contact: str | None
    created_at: datetime

    @property
    def fee_minor(self) -> int:
        """What Razorpay keeps: 2 %."""
        return self.amount_minor * 2 // 100

    def entity(self, status: str, refunded_minor: int, rng: Random) -> dict[str, Any]:
        """The payment entity. `notes` is a list when empty, an object otherwise."""
        is_captured = status in {"captured", "refunded"}
        fee = self.fee_minor
        failed = status == "failed"
        return {
            "id": self.payment_id,
            "entity": "payment",
            "amount": self.amount_minor,
            "currency": self.currency,
            "status": status,
            "order_id": self.order_id,
            "invoice_id": None,
            "international": self.currency != "INR",
            "method": "card" if self.currency != "INR" else "upi",
            "amount_refunded": refunded_minor,
            "refund_status": "partial" if 0 < refunded_minor < self.amount_minor else "full" if refunded_minor else None,
            "captured": is_captured,
            "description": "Token top-up",
            "vpa": None,
            "email": self.email,
            "contact": self.contact,
            "notes": [] if happens(rng, 0.5) else {"plan": "tokens"},
            "fee": fee if is_captured else None,
            "tax": 0 if is_captured else None,
            "error_code": "BAD_REQUEST_ERROR" if failed else None,
            "error_description": "Payment failed" if failed else None,
            "error_reason": "payment_failed" if failed else None,
            "acquirer_data": {"rrn": None if failed else str(rng.randrange(10**9, 10**10))},
            "created_at": int(self.created_at.timestamp()),
        }

    def _order(self, rng: Random) -> dict[str, Any]:
        return {
            "id": self.order_id,
            "entity": "order",
            "amount": self.amount_minor,
            "amount_paid": self.amount_minor,
            "amount_due": 0,
            "currency": self.currency,
            "receipt": None,
            "status": "paid",
            "attempts": 1,
            "notes": [] if happens(rng, 0.5) else {"plan": "tokens"},
            "created_at": int(self.created_at.timestamp()) - 40,
        }

    def event(self, name: str, at: datetime, rng: Random) -> str:
        """The body of payment.authorized, payment.captured, payment.failed or order.paid."""
        state = {"payment.authorized": "authorized", "payment.failed": "failed"}.get(name, "captured")
        payload = {"payment": {"entity": self.entity(state, 0, rng)}}
        if name == "order.paid":
            payload["order"] = {"entity": self._order(rng)}
        return self._body(name, payload, at)

    def through(self, way: str, name: str, way_id: str, made_at: datetime, told_at: datetime, rng: Random) -> str:
        """The body of what the payment was paid through: a payment link, an invoice, a QR code …; made at one time, told at another."""
        entity: dict[str, Any] = {"id": way_id, "entity": way, "status": "paid", "notes": [], "created_at": int(made_at.timestamp())}
        if way in {"payment_link", "invoice"}:
            entity |= {"amount": self.amount_minor, "currency": self.currency}
        payload = {"payment": {"entity": self.entity("captured", 0, rng)}, way: {"entity": entity}}
        return self._body(name, payload, told_at)

    def dispute(self, name: str, dispute_id: str, at: datetime, rng: Random) -> str:
        """The body of payment.dispute.created and of its verdict."""
        dispute = {
            "id": dispute_id,
            "entity": "dispute",
            "payment_id": self.payment_id,
            "amount": self.amount_minor,
            "currency": self.currency,
            "amount_deducted": 0,
            "reason_code": "goods_or_services_not_received_or_partially_received",
            "phase": "chargeback",
            "status": name.rpartition(".")[2],
            "created_at": int(at.timestamp()),
        }
        return self._body(name, {"payment": {"entity": self.entity("captured", 0, rng)}, "dispute": {"entity": dispute}}, at)

    def refund(self, refund_id: str, amount_minor: int, at: datetime, rng: Random) -> str:
        """The body of refund.processed."""
        refund = {
            "id": refund_id,
            "entity": "refund",
            "amount": amount_minor,
            "currency": self.currency,
            "payment_id": self.payment_id,
            "notes": {"comment": "ordered twice"},
            "receipt": None,
            "acquirer_data": {"arn": None},
            "created_at": int(at.timestamp()),
            "batch_id": None,
            "status": "processed",
            "speed_processed": "normal",
            "speed_requested": "normal",
        }
        status = "refunded" if amount_minor == self.amount_minor else "captured"
        payload = {"refund": {"entity": refund}, "payment": {"entity": self.entity(status, amount_minor, rng)}}
        return self._body("refund.processed", payload, at)

    def _body(self, name: str, payload: dict[str, Any], at: datetime) -> str:
        body = {
            "entity": "event",
            "account_id": self.merchant,
            "event": name,
            "contains": list(payload),
            "payload": payload,
            "created_at": int(at.timestamp()),
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
