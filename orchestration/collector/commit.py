"""Group commit: all that waits while one fsync runs shares the next one.

Here belongs when a group is written and who is told. Writing is done in a thread of its own, so that the loop goes on reading requests. Not
here: the order (`fair`), the file (`segments`).
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from orchestration.collector.fair import FairQueue
from orchestration.collector.metrics import Metrics
from orchestration.collector.segments import SegmentWriter

LEAST_PER_SECOND = 1_000
"""What a tenant may add to a group whatever the others do, per second that the disk needs: one request costs 0.1 ms, so it makes
the others wait a tenth longer at most. With 10 ms for an fsync that is 10 lines a group."""

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    line: bytes
    is_stored: "asyncio.Future[bool]"


class Committer:
    """Takes lines and says when they are on disk. `run` must be running."""

    def __init__(self, writer: SegmentWriter, queue: "FairQueue[_Waiting]", metrics: Metrics) -> None:
        """`writer` is used from one thread, that of this object."""
        self._writer = writer
        self._queue = queue
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="segments")
        self._wake = asyncio.Event()
        self._is_closing = False
        self._disk_seconds: deque[float] = deque([0.0], maxlen=16)

    def offer(self, tenant: str, line: bytes) -> "asyncio.Future[bool] | None":
        """Let a line wait for the next group: tells later whether it is on disk; None where the tenant's share is full."""
        is_stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._queue.put(tenant, _Waiting(line, is_stored), len(line)):
            return None
        self._wake.set()
        return is_stored

    async def run(self) -> None:
        """Write groups until `close`; then what still waits, and the segment is handed in."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._writer.finish_those_of_the_dead)
        rotation = asyncio.create_task(self._rotate())
        try:
            while await self._work():
                # the least of the last 16: a single one may have waited for the interpreter, not for the disk
                group = self._queue.take(max(1, int(LEAST_PER_SECOND * min(self._disk_seconds))))
                is_stored = await loop.run_in_executor(self._thread, self._append, [each.line for each in group])
                self._metrics.group(len(group), is_stored)
                for each in group:
                    if not each.is_stored.done():
                        each.is_stored.set_result(is_stored)
        finally:
            rotation.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rotation
            await loop.run_in_executor(self._thread, self._writer.close)
            self._thread.shutdown()

    def close(self) -> None:
        """Let `run` come to its end."""
        self._is_closing = True
        self._wake.set()

    async def check(self) -> None:
        """Raise OSError where nothing could be written now."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.check)

    async def _work(self) -> bool:
        while not self._queue and not self._is_closing:
            self._wake.clear()
            await self._wake.wait()
        return len(self._queue) > 0

    def _append(self, lines: list[bytes]) -> bool:
        started = time.perf_counter()
        try:
            self._writer.append(lines)
        except OSError as error:
            _log.error("%d webhooks could not be written, and their senders are told: %s", len(lines), error)
            return False
        self._disk_seconds.append(time.perf_counter() - started)
        return True

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(self._writer.max_seconds / 10)
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.rotate)
            except OSError as error:
                _log.error("a segment could not be closed: %s", error)
