"""What deciding and delivering need of the outside: the outbox, the ways out, the receipts.

Here belong those seams. Not here: the values that pass through them (`core.actions`, `core.gate`), the other ports (`core.ports`, which
names these too).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from core.actions import Action, Delivery, Outcome, Way
from core.gate import Standing


class Outbox(Protocol):
    """Every wanted effect and what became of it. `hands` is how many actions one worker may hold at once."""

    @property
    def hands(self) -> int:
        """At least 1."""
        ...

    def published(self, rule: str, as_of: datetime) -> Sequence[Action]:
        """Published requests of a rule that are due; what the outbox holds already may be left out."""
        ...

    def known(self, action_ids: Collection[str]) -> set[str]:
        """Those of these actions that are in the outbox, whatever became of them."""
        ...

    def add(self, actions: Sequence[Action], now: datetime) -> int:
        """Put them in once each, by their id; returns how many were new."""
        ...

    def refresh(self, now: datetime) -> Mapping[str, int]:
        """Settle what receipts tell of, let go of what is held no longer, give up what died; how many of each."""
        ...

    def claim(self, worker: str, now: datetime, limit: int) -> Sequence[Delivery]:
        """Lease actions that are ready, in fair turns of lanes and oldest first within one; no two workers get the same."""
        ...

    def wait(self, now: datetime) -> timedelta | None:
        """How long until a lane with something ready may go; zero where one may now, None where nothing is ready."""
        ...

    def spread(self, delivery: Delivery, ways: Sequence[Way]) -> Delivery | None:
        """Make of an action one for each way, in one transaction; returns its own first, or None if the lease was lost."""
        ...

    def standing(self, delivery: Delivery, now: datetime) -> Standing:
        """What the gate must know of the lead and the account at this moment."""
        ...

    def settle(self, delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
        """Record what became of it; False if the lease was lost and nothing was recorded."""
        ...


class Sender(Protocol):
    """One way out."""

    def ways(self, delivery: Delivery) -> Sequence[Way]:
        """Where this action is to go, if it is for destinations and not yet for one of them; else nothing."""
        ...

    def send(self, delivery: Delivery) -> Outcome:
        """Try once. Never raises for what the other side does; an ambiguous failure is `unknown`."""
        ...


class Receipts(Protocol):
    """Our own sends as events: what we sent is told to the inbox like everything else that happened."""

    def note(self, delivery: Delivery, provider_id: str, now: datetime) -> None:
        """Write down, durably, that the provider accepted it; before the outbox records it."""
        ...

    def close(self) -> int:
        """Hand what was noted to the inbox; returns how many."""
        ...


Senders = Mapping[str, Sender]
"""Every way out, by its channel."""
