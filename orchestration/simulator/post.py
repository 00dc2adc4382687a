"""How webhooks arrive: promptly or up to seven days late, alone or in batches, once or again.

Here belong lateness, batching and repeats, and the counts of what was accepted and repeated. Not here: what the webhooks
say, and broken ones (`broken`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random

import msgspec

from core.sources.platform import PlatformEvent
from orchestration.simulator.business import DEBITS, Business
from orchestration.simulator.segments import Segments
from orchestration.simulator.truth import TenantTruth
from orchestration.simulator.whatsapp import Item, envelope
from orchestration.simulator.wire import (
    Wire,
    meta_json,
    platform_wire,
    razorpay_wire,
    whatsapp_wire,
)

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
}


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
        self.bodies = 0
        self._segments, self._rng = segments, rng
        self._ids = count(1)
        self._held: list[_Waiting] = []
        self._repeated: set[str] = set()

    def whatsapp(self, *items: Item) -> None:
        """Items that WhatsApp sends in one body; some wait for a late batch, some come again in one."""
        self._count(items)
        late = [item for item in items if len(items) == 1 and self._rng.random() < LATE_SHARE]
        again = [item for item in items if not late and self._rng.random() < ELSEWHERE_SHARE]
        for item in late + again:
            self._hold(_Waiting(item, item in again))
        if not late:
            occurred_at = max(item.occurred_at for item in items)
            self._send(self._whatsapp_wire(items), self._prompt(occurred_at), occurred_at, len(_tables(items)))

    def platform(self, event: PlatformEvent) -> None:
        """One event of the operating system's own feed."""
        raw = msgspec.json.encode(event).decode()
        tag = str(type(event).__struct_config__.tag)
        self.truth.accepted[_TABLES[tag]] += 1
        wire = platform_wire(raw, self.business.secrets["platform"], self._rng)
        self._send(wire, self._arrival(event.occurred_at), event.occurred_at, 1)

    def razorpay(self, raw: str, occurred_at: datetime) -> None:
        """One payment event; a retry repeats its id, which is in the header, and the secret of its time."""
        self.truth.accepted["payments"] += 1
        is_old = occurred_at < self.business.razorpay_rotated_at
        secret = self.business.secrets["razorpay_old" if is_old else "razorpay"]
        event_id = f"evt_{self._rng.getrandbits(72):018x}"
        self._send(razorpay_wire(raw, secret, event_id, self._rng), self._arrival(occurred_at), occurred_at, 1)

    def spend(self, kind: str, quantity: int, model: str = "", category: str = "") -> None:
        """Note tokens used, at the price of the rate card."""
        per, tokens = _STEP_TOKENS[(kind, model, category)]
        self.tokens_used += -(-quantity // per) * tokens

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

    def _count(self, items: tuple[Item, ...]) -> None:
        for table in _tables(items):
            self.truth.accepted[table] += 1

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
        self._send(self._whatsapp_wire(items), _between(self._rng, low, high), low, len(_tables(items)))

    def _send(self, wire: Wire, received_at: datetime, occurred_at: datetime, events: int) -> None:
        self.put(wire.line(received_at), received_at)
        # the first body of each source comes again in any case, so that no simulation is too small to hold a repeat
        while wire.source not in self._repeated or self._rng.random() < REPEAT_SHARE:
            self._repeated.add(wire.source)
            again_at = _between(self._rng, received_at, min(self.end, max(received_at, occurred_at + LONGEST)))
            self.truth.duplicates[wire.source] += events
            self.put(wire.line(again_at), again_at)

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
