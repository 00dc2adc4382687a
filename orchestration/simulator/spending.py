"""What goes wrong with a tenant's tokens: a contact that floods, payments that fail, money that goes in a circle, use while paused, spikes.

Each is planted with its local day. Not here: purchases and the balance (`billing`), which bulk uses make the spikes.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.sources.platform import Contact, TokensUsed
from orchestration.simulator.billing import SHARES, Billing
from orchestration.simulator.business import Business
from orchestration.simulator.post import Post
from orchestration.simulator.truth import Sign, TenantTruth

_FLOOD, _FAILURES, _CYCLE = 205, 6, 3
"""Uses of one contact, failed payments and full refunds of a day: clear of the limits 200, 5 and 3 of 30 days."""
_CYCLED_MAJOR = 20


@dataclass(slots=True)
class Spending:
    """One tenant's."""

    business: Business
    post: Post
    truth: TenantTruth
    contact: Contact
    end: datetime

    def live(self, billing: Billing) -> None:
        """Everything that uses tokens or moves money; before the balance is settled."""
        noon = self._noon(self.business.gift_at + timedelta(days=4))
        for number in range(_FAILURES):
            billing.fail(300, noon + timedelta(minutes=10 * number))
        self._sign("failed_payments", noon)
        for number in range(_CYCLE):
            billing.pay(_CYCLED_MAJOR, noon + timedelta(minutes=7 * number), refund_major=_CYCLED_MAJOR)
        self._sign("refund_cycling", noon + timedelta(days=1))
        self._flood()
        if SHARES[self.business.index % len(SHARES)] < 0:
            self._use(self.end - timedelta(hours=2), "late", 1, None)

    def close(self, bulks: list[datetime]) -> None:
        """What follows from the bulk uses: each of their days is a spike, and a wallet that they empty is used on while it is paused."""
        for day in dict.fromkeys(map(self.business.local_date, bulks)):
            self._sign("spend_spike", min(each for each in bulks if self.business.local_date(each) == day))
        if SHARES[self.business.index % len(SHARES)] < 0:
            late = [each for each in self.post.late_uses if each >= bulks[-1] + timedelta(minutes=5)]
            for day in dict.fromkeys(map(self.business.local_date, sorted(late))):
                self._sign("usage_while_paused", min(each for each in late if self.business.local_date(each) == day))

    def _flood(self) -> None:
        """On a day of bulk use, which is a spike with and without it."""
        begin = self.end - timedelta(hours=23)
        if self.business.local_date(begin) != self.business.local_date(begin + timedelta(minutes=10)):
            begin -= timedelta(minutes=20)
        for number in range(_FLOOD):
            self._use(begin + timedelta(seconds=number), "flood", 1, self.contact)
        self._sign("contact_flood", begin)

    def _use(self, at: datetime, name: str, quantity: int, contact: Contact | None) -> None:
        event = TokensUsed(
            id=self.post.next_id(name), account_id=self.business.workspace, occurred_at=at, kind="enrichment", quantity=quantity,
            contact=contact,
        )  # fmt: skip
        self.post.platform(event)
        self.post.spend(at, "enrichment", quantity)

    def _sign(self, signal: str, at: datetime) -> None:
        self.truth.signs.append(Sign(signal, self.business.local_date(at), at > self.end - timedelta(days=1)))

    def _noon(self, at: datetime) -> datetime:
        zone = ZoneInfo(self.business.profile.timezone)
        return datetime.combine(at.astimezone(zone).date(), time(12), zone).astimezone(at.tzinfo)
