"""Death at every boundary of delivery: counts each write, commit, send and file operation, before and after, and dies at a chosen one.

Here belong the hooks around real adapters, and what dies. What must be true afterwards is told in test_delivery_crash.py.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any

import httpx
from sqlalchemy import event

from core.actions import Delivery
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.state import State

_WRITE = re.compile(r"\b(insert into|update (ops|serving)|delete from)\b")


class DiedError(BaseException):
    """The process is gone: nothing catches this."""


def die_in_process() -> None:
    raise DiedError


class Boundaries:
    """Every boundary in its order; at the `at`th, from 1, it dies."""

    def __init__(self, die: Callable[[], None] = die_in_process) -> None:
        self._die = die
        self.at: int | None = None
        self.names: list[str] = []

    def begin(self, at: int | None) -> None:
        """A new life."""
        self.at, self.names = at, []

    def cross(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.at:
            self._die()

    def watch(self, state: State) -> None:
        """Every statement that writes, and every commit."""
        engine = state.engine

        @event.listens_for(engine, "before_cursor_execute")
        def before(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if _WRITE.search(statement):
                self.cross(f"before {statement[:60]}")

        @event.listens_for(engine, "after_cursor_execute")
        def after(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if _WRITE.search(statement):
                self.cross(f"after {statement[:60]}")

        commit = engine.dialect.do_commit

        def do_commit(connection: Any) -> None:
            self.cross("before commit")
            commit(connection)
            self.cross("after commit")

        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


class WatchedTransport(httpx.HTTPTransport):
    """Real requests: before anything is sent, and after the answer's head has come."""

    def __init__(self, boundaries: Boundaries) -> None:
        super().__init__()
        self._boundaries = boundaries

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._boundaries.cross("before send")
        try:
            response = super().handle_request(request)
        except httpx.HTTPError:
            self._boundaries.cross("after a failed send")
            raise
        self._boundaries.cross("after send")
        return response


class _WatchedFile:
    def __init__(self, file: IO[bytes], cross: Callable[[str], None]) -> None:
        self._file, self._cross = file, cross

    def write(self, data: bytes) -> None:
        self._cross("before receipt write")
        self._file.write(data)
        self._cross("after receipt write")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class WatchedReceipts(InboxReceipts):
    """Real receipts: before and after each write, at its flush to disk, and around handing in."""

    boundaries: Boundaries

    def note(self, delivery: Delivery, provider_id: str, now: datetime) -> None:
        super().note(delivery, provider_id, now)
        self.boundaries.cross("after receipt fsync")

    def close(self) -> int:
        self.boundaries.cross("before receipts are handed in")
        count = super().close()
        self.boundaries.cross("after receipts are handed in")
        return count

    def _open(self) -> Any:
        self.boundaries.cross("before receipts are opened")
        return _WatchedFile(super()._open(), self.boundaries.cross)

    def abandon(self) -> None:
        """What the kernel does with a dead process: its file is closed and its lock gone."""
        if self._file is not None:
            self._file.close()
            self._file = None
