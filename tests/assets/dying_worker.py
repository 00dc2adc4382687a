"""A program that delivers with real adapters and kills itself at a named point of one action; a child process for each point.

Here belongs dying. What must be true afterwards is told in test_delivery.py. Arguments: home, receiver's address, a lease in seconds, then
the points, one action each.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from assets.delivery import deliver
from core.action_ports import Sender
from core.actions import Delivery, Outcome, Way
from orchestration.resources.clock import FixedClock
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW


def die() -> None:
    """At once and without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingSender:
    """The real one, with death before or after its send."""

    def __init__(self, real: Sender, point: str) -> None:
        self._real, self._point = real, point

    def ways(self, delivery: Delivery) -> Sequence[Way]:
        """As the real one."""
        return self._real.ways(delivery)

    def send(self, delivery: Delivery) -> Outcome:
        """Try once, perhaps the last."""
        if self._point == "before the send":
            die()
        outcome = self._real.send(delivery)
        if self._point == "after the send":
            die()
        return outcome


class DyingReceipts(InboxReceipts):
    """The real ones, with death after the receipt is on disk."""

    point = ""

    def note(self, delivery: Delivery, provider_id: str, now: datetime) -> None:
        """Write down, then perhaps die."""
        super().note(delivery, provider_id, now)
        if self.point == "after the receipt":
            die()


class DyingOutbox(PostgresOutbox):
    """The real one, with death after the outcome is recorded."""

    point = ""

    def settle(self, delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
        """Record, then perhaps die."""
        done = super().settle(delivery, outcome, now)
        if self.point == "after the record":
            die()
        return done


def work(settings: Settings, url: str, receiver_url: str, lease: timedelta, point: str) -> None:
    """Deliver until death."""
    state, clock = State(url), FixedClock(NOW)
    lookup = VaultLookup(state, Vault(state, settings.master_key()), clock)
    outbox, receipts = DyingOutbox(state, lease), DyingReceipts(settings.inbox, lookup)
    outbox.point = receipts.point = point
    with httpx.Client() as client:
        ways = senders(SenderTools(client, lookup, receiver_url))
        deliver(outbox, {name: DyingSender(way, point) for name, way in ways.items()}, receipts, clock, f"dies {point}")


def main() -> None:
    """A child for each point, one after the other; says how each ended."""
    home, receiver_url, lease, *points = sys.argv[1:]
    settings = Settings.load(Path(home), {})
    with open_state(settings) as state:
        for point in points:
            child = os.fork()
            if child == 0:
                work(settings, state.libpq_url, receiver_url, timedelta(seconds=float(lease)), point)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            print(point, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "lived", sep=": ", flush=True)


if __name__ == "__main__":
    main()
