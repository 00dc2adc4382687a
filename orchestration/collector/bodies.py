"""Reading a request's body within limits of size, memory and time.

Here belong the limits. Not here: what the body says.
"""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from starlette.types import Receive

from core.intake import MAX_BODY_BYTES
from orchestration.collector.door import Refusal

BODY_SECONDS = 10.0
"""How long a body may take to arrive; vendors send theirs at once."""

ARRIVING_BYTES = 64 << 20
"""Of bodies that arrive in parts, all together."""

TOO_LARGE = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow")
TOO_MANY_BYTES = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_bytes")
DISCONNECTED = Refusal(HTTPStatus.BAD_REQUEST, "disconnected")


class Bodies:
    """All bodies that are arriving. `watch` must be running, or the slow ones are waited for."""

    def __init__(self) -> None:
        self._bytes = 0
        self._since: dict[asyncio.Task[Any], float] = {}  # oldest first

    async def read(self, announced: int, receive: Receive) -> bytes | Refusal:
        """The whole body, or why not. `announced` is the Content-Length, 0 where there is none."""
        if announced > MAX_BODY_BYTES:
            return TOO_LARGE
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — a coroutine always runs in one
        self._since[task] = time.monotonic()
        try:
            return await self._read(receive)
        except asyncio.CancelledError:
            if task in self._since:
                raise  # not ours: the server stops
            task.uncancel()
            return TOO_SLOW
        finally:
            self._since.pop(task, None)

    async def watch(self) -> None:
        """Give up those that take too long, until cancelled. One look a second: `asyncio.timeout` costs 10 µs for every request."""
        while True:
            await asyncio.sleep(1)
            limit = time.monotonic() - BODY_SECONDS
            for task in [task for task, since in self._since.items() if since < limit]:
                del self._since[task]
                task.cancel()

    async def _read(self, receive: Receive) -> bytes | Refusal:
        message = await receive()
        if not message.get("more_body"):
            return DISCONNECTED if message["type"] == "http.disconnect" else bytes(message["body"])
        parts: list[bytes] = []
        size = 0
        try:
            while message["type"] != "http.disconnect":
                parts.append(message["body"])
                size += len(message["body"])
                self._bytes += len(message["body"])
                if size > MAX_BODY_BYTES:
                    return TOO_LARGE
                if self._bytes > ARRIVING_BYTES:
                    return TOO_MANY_BYTES
                if not message["more_body"]:
                    return b"".join(parts)
                message = await receive()
            return DISCONNECTED
        finally:
            self._bytes -= size
