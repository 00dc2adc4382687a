"""The wider life of the tenant's Razorpay account: links, invoices, QR codes, virtual accounts, subscriptions, disputes, settlements.

Each way of paying says which tokens it is worth; every payment is told by payment.captured and by what it was paid through, in either
order. Planted: events by kind, how many payments were credited, and the credits that stay. Not here: the large top-ups (`billing`).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from orchestration.simulator.business import Business
from orchestration.simulator.chance import happens
from orchestration.simulator.post import Post
from orchestration.simulator.razorpay import Paid, entity_id
from orchestration.simulator.truth import TenantTruth

WAYS = ("payment_link", "invoice", "qr_code", "virtual_account", "subscription")
"""Ways to pay, with the event that tells it beside payment.captured."""
TOLD_BY = {
    "payment_link": "payment_link.paid",
    "invoice": "invoice.paid",
    "qr_code": "qr_code.credited",
    "virtual_account": "virtual_account.credited",
    "subscription": "subscription.charged",
}
_STATES = (
    "qr_code.created",
    "qr_code.closed",
    "virtual_account.created",
    "subscription.activated",
    "subscription.halted",
    "payment.downtime.started",
)
_SHORT = {
    "payment_link": "plink", "invoice": "inv", "qr_code": "qr", "virtual_account": "va", "subscription": "sub", "settlement": "setl",
    "transfer": "trf", "refund": "rfnd", "downtime": "down",
}  # fmt: skip
_MAJOR = 90


@dataclass(slots=True)
class Merchant:
    """One tenant's account, and the pen for what happens there."""

    business: Business
    post: Post
    truth: TenantTruth
    rng: Random
    email: str
    contact: str

    def live(self, start: datetime) -> int:
        """All of it in the first days, and one payment across the change of the rate card; the tokens that stay."""
        at = start + timedelta(hours=5)
        tokens = 0
        for number, way in enumerate(WAYS):
            tokens += self._pay(way, at + number * timedelta(hours=1))
        tokens += self._across_the_change()
        lost, won = self._paid(_MAJOR, at), self._paid(_MAJOR, at + timedelta(hours=1))
        for paid, verdict in ((lost, "lost"), (won, "won")):
            credited = self._captured(paid)
            tokens += credited if verdict == "won" else 0
            self._dispute(paid, verdict)
        self._account(at)
        self._money_moves(won, at + timedelta(hours=26))
        return tokens

    def _pay(self, way: str, at: datetime) -> int:
        """One payment through a link, invoice, code, virtual account or subscription."""
        paid = self._paid(_MAJOR, at)
        body = paid.through(way, TOLD_BY[way], self._id(way), at - timedelta(minutes=5), at + timedelta(seconds=3), self.rng)
        told = [(TOLD_BY[way], body, at + timedelta(seconds=3))]
        told.append(("payment.captured", paid.event("payment.captured", at + timedelta(seconds=2), self.rng), at + timedelta(seconds=2)))
        self.rng.shuffle(told)
        for kind, raw, moment in told:
            self._tell(kind, raw, moment)
        return self._credit(paid, at + timedelta(seconds=2))

    def _across_the_change(self) -> int:
        """A link that was made before the new rate card and paid after it: its event carries the link's time, and no capture is told."""
        at = self.business.rate_step_at + timedelta(minutes=30)
        paid, made_at = self._paid(_MAJOR, at), self.business.rate_step_at - timedelta(minutes=30)
        self._tell(
            "payment_link.paid", paid.through("payment_link", "payment_link.paid", self._id("payment_link"), made_at, made_at, self.rng), at
        )
        return self._credit(paid, at)

    def _captured(self, paid: Paid) -> int:
        self._tell("payment.captured", paid.event("payment.captured", paid.created_at, self.rng), paid.created_at)
        return self._credit(paid, paid.created_at)

    def _dispute(self, paid: Paid, verdict: str) -> None:
        """The bank asks for the money back; a lost dispute takes the tokens, a won one gives them back."""
        dispute_id, at = self._id("disp"), paid.created_at + timedelta(hours=20)
        self.truth.entries["dispute_hold"] += 1
        self.truth.entries["dispute_loss" if verdict == "lost" else "dispute_release"] += 1
        self.truth.differences[f"{paid.currency} late"] -= paid.amount_minor if verdict == "lost" else 0
        for kind, moment in ((f"payment.dispute.{verdict}", at + timedelta(hours=9)), ("payment.dispute.created", at)):
            self._tell(kind, paid.dispute(kind, dispute_id, moment, self.rng), moment)

    def _account(self, at: datetime) -> None:
        """What has no amount: codes and accounts that open and close, a subscription's states, a bank that is down."""
        for number, kind in enumerate(_STATES):
            part = kind.rpartition(".")[0]
            moment, state = at + number * timedelta(hours=2), kind.rpartition(".")[2]
            entity = {"id": self._id(part.rpartition(".")[2]), "entity": part, "status": state, "created_at": int(at.timestamp())}
            self.truth.news[f"razorpay {kind} {state}"] += 1
            self.post.razorpay(self._body(kind, {part: {"entity": entity}}, moment), moment, "account_events")

    def _money_moves(self, paid: Paid, at: datetime) -> None:
        """A settlement in rupees, which only pays what was paid in rupees; a transfer, a failed refund, a link that nobody paid."""
        currency, seconds = paid.currency, int(at.timestamp())
        self.truth.differences[f"{currency} late"] -= 1_000
        if currency == "INR":
            self.truth.differences["INR late"] -= 8_800
            self.truth.differences["INR fees"] -= 180
        else:
            self.truth.differences["INR unpaid"] += 8_800
            self.truth.differences["INR fee mismatch"] -= 180
        entities: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("settlement.processed", "settlement", {"amount": 8_800, "fees": 180, "tax": 20, "utr": "1568176960vxp0rj"}),
            ("transfer.processed", "transfer", {"amount": 1_000, "currency": currency, "source": paid.payment_id, "notes": []}),
            ("refund.failed", "refund", {"amount": 500, "currency": currency, "payment_id": paid.payment_id, "status": "failed"}),
            ("payment_link.expired", "payment_link", {"amount": 700, "currency": currency, "customer": {"email": self.email}}),
        )
        for kind, part, own in entities:
            entity = {"id": self._id(part), "entity": part, "created_at": seconds} | own
            self._tell(kind, self._body(kind, {part: {"entity": entity}}, at), at)

    def _paid(self, major: int, at: datetime) -> Paid:
        payment_id, order_id = self._id("pay"), self._id("order")
        currency = self.business.profile.currency
        email, contact = (self.email, None) if happens(self.rng, 0.3) else (None, self.contact)
        return Paid(self.business.merchant, payment_id, order_id, major * 100, currency, email, contact, at.replace(microsecond=0))

    def _credit(self, paid: Paid, at: datetime) -> int:
        self.truth.credits += 1
        self.truth.entries["credit"] += 1
        self.truth.differences[f"{paid.currency} {'yet' if at > self.business.rate_step_at else 'late'}"] += (
            paid.amount_minor - paid.fee_minor
        )
        self.truth.differences[f"{paid.currency} fees"] += paid.fee_minor
        return paid.amount_minor // 100 * self.business.rate_at(at)

    def _tell(self, kind: str, raw: str, at: datetime) -> None:
        self.truth.payments[kind] += 1
        self.post.razorpay(raw, at)

    def _body(self, kind: str, payload: dict[str, Any], at: datetime) -> str:
        body = {"entity": "event", "account_id": self.business.merchant, "event": kind, "contains": list(payload), "payload": payload}
        return json.dumps(body | {"created_at": int(at.timestamp())}, separators=(",", ":"))

    def _id(self, prefix: str) -> str:
        return entity_id(_SHORT.get(prefix, prefix), self.rng)
