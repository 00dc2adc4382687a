"""A program that fetches with real adapters and kills itself at a given step; a child process for each try.

Here belongs dying. What must be true afterwards is told in test_pull_kill.py. Arguments: home, database, the vendors' address, source,
tenant, then for each child the step to die after, such as `stored:2`: the second time that a cursor was stored; `never:0` lives.
"""

import os
import signal
import sys
from collections.abc import Callable
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


STEPS = ("asked", "answered", "appended", "closed", "stored")
"""A request leaves, an answer is there, lines are on disk, a segment is closed, a cursor is stored."""


class Life:
    """After which step it ends."""

    def __init__(self, end: str) -> None:
        self._kind, _, left = end.partition(":")
        self._left = int(left)

    def step(self, kind: str) -> None:
        """One step of a kind; the last one ends at once and without any clean-up."""
        self._left -= kind == self._kind
        if kind == self._kind and self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def fetch(url: str, settings: Settings, source: str, tenant: str, end: str) -> list[Pulled]:
    """One try."""
    life, state = Life(end), State(url)
    written = Cursor.write

    def write(self: Cursor, cursor: object) -> None:
        written(self, cursor)
        life.step("stored")

    class Writer(SegmentWriter):
        def append(self, lines: list[bytes]) -> None:
            super().append(lines)
            life.step("appended")

        def close(self) -> None:
            super().close()
            life.step("closed")

    Cursor.write = write  # type: ignore[method-assign]
    handover.SegmentWriter = Writer  # type: ignore[misc]
    handover.PAGES_A_SEGMENT, razorpay.PAGE, gmail.PAGE = 2, 20, 5
    hooks: dict[str, list[Callable[[Any], None]]] = {
        "request": [lambda _: life.step("asked")],
        "response": [lambda _: life.step("answered")],
    }
    with httpx.Client(timeout=10, event_hooks=hooks) as client:
        pull = VendorPull(settings, state, Vault(state, settings.master_key()), client, SystemClock(), TerminalProgress(quiet=True))
        if source == "razorpay":
            return list(pull.back_fill(source, SINCE, None, tenant))
        return [pull.poll(each) for each in pull.mailboxes() if each.tenant_id == tenant]


def main() -> None:
    """A child for each end, one after the other; says how each ended."""
    home, database, url, source, tenant, *ends = sys.argv[1:]
    settings = replace(
        Settings.load(Path(home), {}), gmail_url=url, google_token_url=f"{url}/token", razorpay_url=f"{url}/v1", pull_per_second=1000.0
    )
    for each in ends:
        child = os.fork()
        if child == 0:
            told = fetch(database, settings, source, tenant, each)
            os._exit(0 if all(pulled.state == "done" for pulled in told) else 1)
        _, status = os.waitpid(child, 0)
        print("died" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main()
