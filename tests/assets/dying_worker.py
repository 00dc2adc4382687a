"""A program that delivers with real adapters and kills itself with signal 9 at chosen boundaries; a child process for each.

Here belongs dying. What must be true afterwards is told in test_delivery_crash.py. Arguments: home, receiver's address, then the numbers of the
boundaries.
"""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401 — once, before the forks: 0.5 s that each child would need

from assets.delivery import deliver
from orchestration.resources.clock import FixedClock
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from tests.assets.crashing import Boundaries, WatchedReceipts, WatchedTransport
from tests.orchestration.effects import NOW


def die() -> None:
    """At once and without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def work(settings: Settings, url: str, receiver_url: str, at: int) -> None:
    """Deliver until death; the lease is over at once, so that what a dead worker held is judged by the next."""
    state, clock, boundaries = State(url), FixedClock(NOW), Boundaries(die)
    boundaries.watch(state)
    lookup = VaultLookup(state, Vault(state, settings.master_key()), clock)
    receipts = WatchedReceipts(settings.inbox, lookup)
    receipts.boundaries = boundaries
    with httpx.Client(transport=WatchedTransport(boundaries)) as client:
        ways = senders(SenderTools(client, lookup, receiver_url))
        boundaries.begin(at)
        deliver(PostgresOutbox(state, timedelta(0)), ways, receipts, clock, f"dies at {at}")


def main() -> None:
    """A child for each boundary, one after the other; says how each ended."""
    home, url, receiver_url, *points = sys.argv[1:]
    settings = Settings.load(Path(home), {})
    for point in points:
        child = os.fork()
        if child == 0:
            work(settings, url, receiver_url, int(point))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(point, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "lived", sep=": ", flush=True)


if __name__ == "__main__":
    main()
