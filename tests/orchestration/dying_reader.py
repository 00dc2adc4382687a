"""A program that fetches with real adapters and kills itself at a given step; a child process for each try.

Steps are: a request leaves, an answer is there, lines are on disk, a segment is closed, a cursor is stored. Here belongs dying. What must be
true afterwards is told in test_pull_kill.py. Arguments: home, database, the vendors'
address, source, tenant, then the steps to die at; 0 lives.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from core.pulling import Pulled
from orchestration.collector.segments import SegmentWriter
from orchestration.resources.clock import SystemClock
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.pull import gmail, handover, razorpay
from orchestration.resources.pull.cursors import Cursor
from orchestration.resources.pull.vendors import VendorPull
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

SINCE = datetime(2026, 1, 2, tzinfo=UTC)


class Life:
    """How many steps are left."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self, _: Any = None) -> None:
        """One step nearer to the end, which comes at once and without any clean-up."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def fetch(url: str, settings: Settings, source: str, tenant: str, steps: int) -> list[Pulled]:
    """One try."""
    life, state = Life(steps), State(url)
    written = Cursor.write

    def write(self: Cursor, cursor: object) -> None:
        written(self, cursor)
        life.step()

    class Writer(SegmentWriter):
        def append(self, lines: list[bytes]) -> None:
            super().append(lines)
            life.step()

        def close(self) -> None:
            super().close()
            life.step()

    Cursor.write = write  # type: ignore[method-assign]
    handover.SegmentWriter = Writer  # type: ignore[misc]
    handover.PAGES_A_SEGMENT, razorpay.PAGE, gmail.PAGE = 2, 20, 5
    hooks = {"request": [life.step], "response": [life.step]}
    with httpx.Client(timeout=10, event_hooks=hooks) as client:
        pull = VendorPull(settings, state, Vault(state, settings.master_key()), client, SystemClock(), TerminalProgress(quiet=True))
        if source == "razorpay":
            return list(pull.back_fill(source, SINCE, None, tenant))
        return [pull.poll(each) for each in pull.mailboxes() if each.tenant_id == tenant]


def main() -> None:
    """A child for each number of steps, one after the other; says how each ended."""
    home, database, url, source, tenant, *steps = sys.argv[1:]
    settings = replace(
        Settings.load(Path(home), {}), gmail_url=url, google_token_url=f"{url}/token", razorpay_url=f"{url}/v1", pull_per_second=1000.0
    )
    for each in steps:
        child = os.fork()
        if child == 0:
            told = fetch(database, settings, source, tenant, int(each))
            os._exit(0 if all(pulled.state == "done" for pulled in told) else 1)
        _, status = os.waitpid(child, 0)
        print("died" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main()
