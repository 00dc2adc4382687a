"""What a simulated tenant pays and what its balance comes to: planted to the token.

A first purchase whose tokens expire, a small one that is partly refunded, a large top-up, and near the end a last top-up, after which bulk
enrichment uses the balance up to exactly the planted share of it. Not here: usage by conversations (`lead`), what goes wrong (`spending`),
the shape of payments (`razorpay`).
"""

from datetime import datetime, timedelta
from random import Random
from typing import Literal

from core.sources.platform import ServiceReported, TokensUsed
from orchestration.simulator.business import Business
from orchestration.simulator.chance import happens
from orchestration.simulator.post import Post
from orchestration.simulator.razorpay import Paid, entity_id
from orchestration.simulator.truth import TenantTruth

THRESHOLDS: dict[int, Literal["notify", "top_up_link", "pause"]] = {20: "notify", 10: "top_up_link", 0: "pause"}
"""What is wanted at which percentage of the last top-up; all crossed at once, by the last bulk, 9 hours before the end."""

SHARES = (13, 6, 55, -2)
"""Balance at the end in percent of the last top-up, tenant by tenant: clear of every threshold."""
_BULKS = 6
_SMALL, _REFUND = 200, 80  # major units


class Billing:
    """The tenant's payments; call `settle` when all other usage is known."""

    def __init__(self, business: Business, post: Post, truth: TenantTruth, rng: Random, *, email: str, contact: str) -> None:
        """The payer is one person of the tenant's staff."""
        self.business, self.post, self.truth, self._rng = business, post, truth, rng
        self._email, self._contact = email, contact
        self.bulks: list[datetime] = []

    def settle(self, start: datetime, end: datetime, others: int) -> None:
        """Plant payments, refund and bulk usage, and note the balance; `others` are tokens credited by other payments that stay."""
        last_at = end - timedelta(days=3, hours=12)  # after the new rate card
        old, new = self.business.rate_at(start), self.business.rate_at(last_at)
        used = self.post.tokens_used
        large = 100 * (1 + 3 * used // (100 * old))  # three times the use, so that no threshold is near before the last top-up
        self.truth.expired_tokens = self._gift()
        self.pay(_SMALL, start + timedelta(hours=1), refund_major=_REFUND)
        self.pay(large, start + timedelta(hours=2))
        self.fail(300, last_at - timedelta(minutes=9))
        self.pay(large, last_at)
        # what was used of the first purchase before it ended is all that it gave
        credited, last = (_SMALL - _REFUND + large) * old + others + self.post.tokens_used_early, large * new
        balance = last * SHARES[self.business.index % len(SHARES)] // 100
        bulk = credited + last - used - balance
        self._use_up(bulk, end)
        self.truth.token_balance = balance
        self.truth.runs_out = 0 < balance * (end - start).days < 3 * bulk  # nearly all that is used is bulk; the limit is three days
        self.truth.thresholds_crossed = [each for each in THRESHOLDS if balance * 100 <= last * each]

    def _gift(self) -> int:
        """The first purchase, under a rate card of its own: more than is used before it ends. The tokens that expire."""
        rate, used = self.business.rate_at(self.business.gift_at), self.post.tokens_used_early
        major = 20 + 3 * used // rate
        self.pay(major, self.business.gift_at)
        self.truth.entries["expiry"] += 1
        return major * rate - used

    def pay(self, major: int, at: datetime, refund_major: int = 0) -> None:
        """One payment, told by authorized (now and then), captured and order.paid in any order, maybe refunded a day later."""
        at = at.replace(microsecond=0)
        paid = self._paid(major, at)
        self.truth.entries["credit"] += 1
        is_late = at < self.business.rate_step_at
        self.truth.differences[f"{paid.currency} {'late' if is_late else 'yet'}"] += paid.amount_minor - paid.fee_minor
        self.truth.differences[f"{paid.currency} fees"] += paid.fee_minor
        if happens(self._rng, 0.6):
            self._tell(paid, "payment.authorized", at + timedelta(seconds=self._rng.choice((0, 5))))
        paid_at = at + timedelta(seconds=2 + self._rng.choice((0, 1)))
        told = [("payment.captured", at + timedelta(seconds=2)), ("order.paid", paid_at)]
        self._rng.shuffle(told)
        for name, moment in told:
            self._tell(paid, name, moment)
        if refund_major:
            moment = at + timedelta(days=1)
            self.truth.payments["refund.processed"] += 1
            self.truth.entries["refund"] += 1
            self.truth.differences[f"{paid.currency} late"] -= refund_major * 100
            self.post.razorpay(paid.refund(entity_id("rfnd", self._rng), refund_major * 100, moment, self._rng), moment)

    def fail(self, major: int, at: datetime) -> None:
        """One payment that fails."""
        at = at.replace(microsecond=0)
        self._tell(self._paid(major, at), "payment.failed", at)

    def _paid(self, major: int, at: datetime) -> Paid:
        payment_id, order_id = entity_id("pay", self._rng), entity_id("order", self._rng)
        currency = self.business.profile.currency
        return Paid(self.business.merchant, payment_id, order_id, major * 100, currency, self._email, self._contact, at)

    def _tell(self, paid: Paid, name: str, at: datetime) -> None:
        self.truth.payments[name] += 1
        self.truth.credits += name == "payment.captured"
        self.post.razorpay(paid.event(name, at, self._rng), at)

    def _use_up(self, tokens: int, end: datetime) -> None:
        """Bulk enrichment in the last two days; one token each."""
        parts = [tokens // _BULKS] * (_BULKS - 1)
        for number, quantity in enumerate([*parts, tokens - sum(parts)]):
            at = end - timedelta(hours=44 - 7 * number, seconds=self._rng.randrange(1, 900))
            event = TokensUsed(
                id=self.post.next_id("bulk"),
                account_id=self.business.workspace,
                occurred_at=at,
                kind="enrichment",
                quantity=quantity,
                action="bulk_enrichment",
            )
            self.post.platform(event)
            self.bulks.append(at)


def heartbeats(business: Business, post: Post, start: datetime, end: datetime) -> None:
    """A sign of life of the assistant every six hours."""
    at = start + timedelta(hours=1)
    while at < end:
        event = ServiceReported(
            id=post.next_id("beat"),
            account_id=business.workspace,
            occurred_at=at,
            kind="heartbeat",
            service="assistant",
            latency_seconds=0.12,
        )
        post.platform(event)
        at += timedelta(hours=6)
