"""Who waits how long: a bounded queue with a part for each tenant, from which groups are taken in fair turns.

Here belongs the order and the bounds. Not here: what waits, and for what (`commit`).
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

PLACES = 4096
"""What may wait at once. At 7,000 a second this is 0.6 s, far from the 5 s after which the least patient vendor (Razorpay) gives up."""

PLACE_BYTES = 16 << 10
"""A body takes a place for each 16 kB begun, so that a full queue holds 64 MB."""

_ACTIVE_SECONDS = 1.0
_HARD_FACTOR = 2  # shares are of the tenants active now; each newcomer makes them smaller than what waits already


class _Item(NamedTuple, Generic[T]):
    what: T
    places: int


class _Part(Generic[T]):
    __slots__ = ("items", "places", "seen", "weight")

    def __init__(self, weight: float) -> None:
        self.items: deque[_Item[T]] = deque()
        self.places = 0
        self.seen = 0.0
        self.weight = weight


class FairQueue(Generic[T]):
    """Weighted fair: a tenant's share is its weight over those of all tenants of the last second.

    A tenant may hold its share of the places; one with nothing waiting is let in in any case. A group takes rounds, one item for each
    unit of weight, as long as half of the active tenants take part: so equal tenants are all served at once, and one that floods goes on
    at the pace of the others (or of `least`, if that is more) and waits for its own kind only.
    """

    def __init__(self, places: int = PLACES, weights: Mapping[str, float] | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """`weights` by tenant, 1 where it says nothing; `now` in seconds."""
        self._capacity = places
        self._weights = weights or {}
        self._now = now
        self._parts: dict[str, _Part[T]] = {}
        self._weight = 0.0
        self._swept = now()
        self.places = 0

    def __len__(self) -> int:
        return self.places

    def put(self, tenant: str, what: T, size: int) -> bool:
        """Let it wait; False where the tenant's share or the whole queue is full. `size` in bytes."""
        now = self._now()
        if now - self._swept > _ACTIVE_SECONDS:
            self._sweep(now)
        part = self._parts.get(tenant)
        if part is None:
            part = self._parts[tenant] = _Part(self._weights.get(tenant, 1.0))
            self._weight += part.weight
        part.seen = now
        places = 1 + size // PLACE_BYTES
        if self.places and self.places + places > _HARD_FACTOR * self._capacity:
            return False
        if part.places and part.places + places > self._capacity * part.weight / self._weight:
            return False
        part.items.append(_Item(what, places))
        part.places += places
        self.places += places
        return True

    def take(self, least: int = 1) -> list[T]:
        """The next group, never empty while anything waits; every tenant may have `least` items for each unit of weight."""
        waiting = [part for part in self._parts.values() if part.items]
        rounds = sorted(len(part.items) / part.weight for part in waiting)
        middle = (len(self._parts) - 1) // 2 - (len(self._parts) - len(waiting))  # those who are active with nothing waiting come first
        level = max(least, rounds[middle] if middle >= 0 else 0)
        group = []
        for part in waiting:
            for _ in range(min(len(part.items), math.ceil(level * part.weight))):
                item = part.items.popleft()
                part.places -= item.places
                self.places -= item.places
                group.append(item.what)
        return group

    def waiting(self) -> dict[str, int]:
        """Places in use by tenant, those without any left out."""
        return {tenant: part.places for tenant, part in self._parts.items() if part.places}

    def _sweep(self, now: float) -> None:
        self._swept = now
        self._parts = {tenant: part for tenant, part in self._parts.items() if part.items or now - part.seen <= _ACTIVE_SECONDS}
        self._weight = sum(part.weight for part in self._parts.values())
