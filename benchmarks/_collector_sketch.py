"""The named peer of `benchmarks.collector`: the least that checks a signature and answers after a group fsync, a bare ASGI application.

One secret, one file that only grows, no accounts, no limits, no fairness, no metrics. Arguments: port, file, secret.
"""

import asyncio
import hashlib
import hmac
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import uvicorn

_ANSWERS = {status: {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]} for status in (200, 401)}


class Sketch:
    """The application."""

    def __init__(self, path: str, secret: bytes) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._secret = secret
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._thread = ThreadPoolExecutor(1)
        self._writing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Verify, append, wait for the fsync, answer."""
        if scope["type"] != "http":
            return
        message = await receive()
        raw = message["body"]
        while message["more_body"]:
            message = await receive()
            raw += message["body"]
        signature = dict(scope["headers"]).get(b"x-hub-signature-256", b"")
        status = 401
        if hmac.compare_digest(b"sha256=" + hmac.new(self._secret, raw, hashlib.sha256).hexdigest().encode(), signature):
            headers = {"x-hub-signature-256": signature.decode()}
            line = {"source": "whatsapp", "received_at": datetime.now(UTC), "headers": headers, "body": raw.decode()}
            stored = asyncio.get_running_loop().create_future()
            self._waiting.append((msgspec.json.encode(line) + b"\n", stored))
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            await stored
            status = 200
        await send(_ANSWERS[status])
        await send({"type": "http.response.body", "body": b""})

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append, [line for line, _ in group])
            for _, stored in group:
                stored.set_result(None)
        self._writing = None

    def _append(self, lines: list[bytes]) -> None:
        os.write(self._file, b"".join(lines))
        os.fdatasync(self._file)


if __name__ == "__main__":
    uvicorn.run(Sketch(sys.argv[2], sys.argv[3].encode()), port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
