"""How webhooks arrive: promptly or up to seven days late, alone or in batches, once or again.

Here belong lateness, batching and repeats, and the counts of what was accepted and repeated. Not here: what the webhooks
say, and broken ones (`broken`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random

import msgspec

from core.sources.platform import MessageSent, PlatformEvent
from orchestration.simulator import social
from orchestration.simulator.business import DEBITS, Business
from orchestration.simulator.segments import Segments
from orchestration.simulator.truth import TenantTruth
from orchestration.simulator.whatsapp import Item, News, envelope, news_envelope
from orchestration.simulator.wire import Wire, meta_json, meta_wire, platform_wire, razorpay_wire, whatsapp_wire

LATE_SHARE = 0.02
REPEAT_SHARE = 0.03
ELSEWHERE_SHARE = 0.01  # an item that comes again inside another body, so that the bytes differ
LONGEST = timedelta(days=7)
_BATCH = 4
_STEP_TOKENS = {(kind, model, category): (per, tokens) for kind, model, category, per, tokens in DEBITS}
_TABLES = {
    "message.sent": "messages",
    "ai_turn.completed": "ai_turns",
    "tokens.used": "token_usage",
    "lead.changed": "lead_events",
    "service.reported": "service_events",
    "experiment.exposed": "experiment_events",
    "experiment.observed": "experiment_events",
}

Signer = Callable[[datetime], Wire]
"""The webhook as it leaves the vendor at a moment: some signatures have an age, so a retry is signed anew."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: Item
    is_repeat: bool


class Post:
    """The mail of one tenant: takes what its vendors have to say, and puts webhooks into segments."""

    def __init__(self, business: Business, end: datetime, segments: Segments, truth: TenantTruth, rng: Random) -> None:
        """Nothing arrives after `end`."""
        self.business, self.end, self.truth = business, end, truth
        self.tokens_used = 0
        self.tokens_used_early = 0
        """Before the first credit ends."""
        self.late_uses: list[datetime] = []
        """In the last ten hours."""
        self.bodies = 0
        self._segments, self._rng = segments, rng
        self._ids = count(1)
        self._held: list[_Waiting] = []
        self._repeated: set[str] = set()

    def whatsapp(self, *items: Item) -> None:
        """Items that WhatsApp sends in one body; some wait for a late batch, some come again in one."""
        self._count(_tables(items))
        for kind in (kind for item in items for kind in item.known):
            self.truth.contact_events[kind] += 1
        late = [item for item in items if len(items) == 1 and self._rng.random() < LATE_SHARE]
        again = [item for item in items if not late and self._rng.random() < ELSEWHERE_SHARE]
        for item in late + again:
            self._hold(_Waiting(item, item in again))
        if not late:
            occurred_at = max(item.occurred_at for item in items)
            self._deliver(self._whatsapp_wire(items), self._prompt(occurred_at), occurred_at, len(_tables(items)))

    def news(self, news: News) -> None:
        """News of our WhatsApp account."""
        raw = meta_json(news_envelope(self.business, news))
        self.send(lambda _: whatsapp_wire(raw, self.business.secrets["whatsapp_app"], self._rng), ("account_events",), news.occurred_at)

    def meta(self, channel: social.Channel, *items: social.Item) -> datetime:
        """Items of Messenger or Instagram that Meta sends in one body; when it first arrives."""
        return self.send(self._social_signer(channel, items), [each for item in items for each in item.tables], items[-1].occurred_at)

    def told_twice(self, event: MessageSent, channel: social.Channel, echo: social.Item) -> None:
        """One message of ours, told by our own feed and by the channel's echo, in either order; the later one repeats the earlier."""
        first_at, second_at = sorted((self._arrival(event.occurred_at), self._arrival(echo.occurred_at)))
        second_at = max(second_at, first_at + timedelta(milliseconds=1))  # which repeats which must be plain
        signers = [self._platform_signer(event), self._social_signer(channel, (echo,))]
        self._rng.shuffle(signers)
        first, second = signers
        self._count(["messages"])
        self._deliver(first(first_at), first_at, event.occurred_at, 1, first)
        wire = second(second_at)
        self.truth.duplicates[wire.source] += 1
        self._deliver(wire, second_at, event.occurred_at, 1, second)

    def platform(self, event: PlatformEvent) -> None:
        """One event of the operating system's own feed."""
        self.send(self._platform_signer(event), (_TABLES[str(type(event).__struct_config__.tag)],), event.occurred_at)

    def razorpay(self, raw: str, occurred_at: datetime, table: str = "payments") -> None:
        """One event of the merchant's; a retry repeats its id, which is in the header, and the secret of its time."""
        is_old = occurred_at < self.business.razorpay_rotated_at
        secret = self.business.secrets["razorpay_old" if is_old else "razorpay"]
        event_id = f"evt_{self._rng.getrandbits(72):018x}"
        self.send(lambda _: razorpay_wire(raw, secret, event_id, self._rng), (table,), occurred_at)

    def send(self, signer: Signer, tables: Sequence[str], occurred_at: datetime, repeated: int = 0, *, is_prompt: bool = False) -> datetime:
        """One webhook that fills these tables, of which so many events were told before; when it first arrives."""
        self._count(tables)
        received_at = self._prompt(occurred_at) if is_prompt else self._arrival(occurred_at)
        wire = signer(received_at)
        self.truth.duplicates[wire.source] += repeated
        self._deliver(wire, received_at, occurred_at, len(tables) + repeated, signer)
        return received_at

    def spend(self, at: datetime, kind: str, quantity: int, model: str = "", category: str = "") -> None:
        """Note tokens used, at the price of the rate card."""
        per, tokens = _STEP_TOKENS[(kind, model, category)]
        used = -(-quantity // per) * tokens
        self.tokens_used += used
        self.tokens_used_early += used if at < self.business.gift_ends_at else 0
        if at > self.end - timedelta(hours=10):
            self.late_uses.append(at)

    def next_id(self, prefix: str) -> str:
        """An id of our own feed, unlike all others of this tenant."""
        return f"{prefix}_{self.business.index}_{next(self._ids)}"

    def put(self, line: bytes, received_at: datetime) -> None:
        """One line as it is: for broken ones."""
        self.bodies += 1
        self._segments.add(received_at, line)

    def flush(self) -> None:
        """Send the last late batch."""
        self._send_held()

    def _count(self, tables: Sequence[str]) -> None:
        for table in tables:
            self.truth.accepted[table] += 1

    def _platform_signer(self, event: PlatformEvent) -> Signer:
        raw = msgspec.json.encode(event).decode()
        return lambda _: platform_wire(raw, self.business.secrets["platform"], self._rng)

    def _social_signer(self, channel: social.Channel, items: Sequence[social.Item]) -> Signer:
        def signed(received_at: datetime) -> Wire:
            raw = meta_json(social.envelope(channel, self.business.accounts[channel], items, received_at))
            return meta_wire(channel, raw, self.business.secrets["meta_app"], self._rng)

        return signed

    def _whatsapp_wire(self, items: tuple[Item, ...]) -> Wire:
        return whatsapp_wire(meta_json(envelope(self.business, items)), self.business.secrets["whatsapp_app"], self._rng)

    def _hold(self, waiting: _Waiting) -> None:
        times = [each.item.occurred_at for each in [*self._held, waiting]]
        if max(times) - min(times) > LONGEST - timedelta(hours=1):
            self._send_held()
        self._held.append(waiting)
        if len(self._held) >= _BATCH:
            self._send_held()

    def _send_held(self) -> None:
        if not self._held:
            return
        items = tuple(each.item for each in self._held)
        for each in self._held:
            self.truth.duplicates["whatsapp"] += len(each.item.tables) * each.is_repeat
        low = max(item.occurred_at for item in items)
        high = min(self.end, min(item.occurred_at for item in items) + LONGEST)
        self._held = []
        self._deliver(self._whatsapp_wire(items), _between(self._rng, low, high), low, len(_tables(items)))

    def _deliver(self, wire: Wire, received_at: datetime, occurred_at: datetime, events: int, signer: Signer | None = None) -> None:
        self.put(wire.line(received_at), received_at)
        # the first body of each source comes again in any case, so that no simulation is too small to hold a repeat
        while wire.source not in self._repeated or self._rng.random() < REPEAT_SHARE:
            self._repeated.add(wire.source)
            again_at = _between(self._rng, received_at, min(self.end, max(received_at, occurred_at + LONGEST)))
            self.truth.duplicates[wire.source] += events
            self.put((signer(again_at) if signer else wire).line(again_at), again_at)

    def _prompt(self, occurred_at: datetime) -> datetime:
        return min(self.end, occurred_at + timedelta(milliseconds=self._rng.randrange(200, 5000)))

    def _arrival(self, occurred_at: datetime) -> datetime:
        if self._rng.random() < LATE_SHARE:
            return _between(self._rng, occurred_at, min(self.end, occurred_at + LONGEST))
        return self._prompt(occurred_at)


def _tables(items: tuple[Item, ...]) -> list[str]:
    return [table for item in items for table in item.tables]


def _between(rng: Random, low: datetime, high: datetime) -> datetime:
    return low + timedelta(milliseconds=int(rng.random() * ((high - low) // timedelta(milliseconds=1))))
