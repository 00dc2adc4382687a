"""The ASGI application: `POST /hooks/<source>`, Meta's GET verification, `/health` and `/metrics`.

Here belongs HTTP: bodies, limits, answers. Posts bypass Starlette's routing. Not here: what is let in (`door`), in what order (`fair`),
when it is written (`commit`).
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from core.intake import Envelope
from core.ports import Clock
from core.sources import sources
from orchestration.collector.bodies import TOO_LARGE, TOO_MANY_BYTES, TOO_SLOW, Bodies
from orchestration.collector.commit import Committer
from orchestration.collector.connections import META_SOURCES, STALE_SECONDS, Connections
from orchestration.collector.door import NOT_UTF8, Refusal, check, kept_headers
from orchestration.collector.fair import FairQueue
from orchestration.collector.metrics import Metrics
from orchestration.collector.segments import SegmentWriter

REFUSAL_SECONDS = 1
"""Retry-After, and how long the refusal itself is held back: whoever does not heed it is slowed to one request a second a connection."""

MAX_HELD_BACK = 1_000
"""Refusals held back at once; beyond, they are answered right away and the connection is closed."""

_HOOKS = "/hooks/"
_CHALLENGE_LENGTH = 256
_UNKNOWN_SOURCE = Refusal(HTTPStatus.NOT_FOUND, "unknown_source")
_TOO_MANY = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests")
_NOT_STORED = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "not_stored")
# what was not read of the body must not be waited for
_CLOSING = frozenset({TOO_LARGE, TOO_SLOW, TOO_MANY_BYTES, _UNKNOWN_SOURCE})
_STORED: list[Message] = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]},
    {"type": "http.response.body", "body": b""},
]
_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Collector:
    """One process's receiver; an ASGI application whose lifespan writes what is still waiting."""

    def __init__(self, connections: Connections, writer: SegmentWriter, queue: "FairQueue[object]", clock: Clock) -> None:
        """Take what it stands on; nothing runs before the lifespan starts."""
        self._connections = connections
        self._writer = writer
        self._queue = queue
        self._clock = clock
        self._metrics = Metrics()
        self._committer = Committer(writer, queue, self._metrics)  # type: ignore[arg-type]  # nobody else puts or takes
        self._bodies = Bodies()
        self._held_back = 0
        routes = [
            Route("/hooks/{source}", self._challenge, methods=["GET"]),
            Route("/health", self._health),
            Route("/metrics", self._show_metrics),
        ]
        self._rest = Starlette(routes=routes, lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through the lifespan."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(_HOOKS):
            await self._rest(scope, receive, send)
            return
        started = time.perf_counter()
        source = scope["path"][len(_HOOKS) :]
        refusal = await self._take(source, scope, receive)
        seconds = time.perf_counter() - started  # before a refusal is held back
        if refusal is None:
            for message in _STORED:
                await send(message)
        else:
            await self._refuse(refusal, send)
        status = 200 if refusal is None else int(refusal.status)
        self._metrics.request("unknown" if refusal is _UNKNOWN_SOURCE else source, status, seconds)

    async def _take(self, name: str, scope: Scope, receive: Receive) -> Refusal | None:
        """None once the webhook is on disk."""
        source = sources().get(name)
        if source is None:
            return _UNKNOWN_SOURCE
        announced = next((int(value) for header, value in scope["headers"] if header == b"content-length"), 0)
        raw = await self._bodies.read(announced, receive)
        if isinstance(raw, Refusal):
            return raw
        headers = kept_headers(name, scope["headers"])
        received_at = self._clock.now()
        tenant = check(name, source, headers, raw, self._connections.directory, received_at)
        if isinstance(tenant, Refusal):
            return tenant
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return NOT_UTF8
        is_stored = self._committer.offer(tenant, _encode(Envelope(name, received_at, headers, body)) + b"\n")
        if is_stored is None:
            return _TOO_MANY
        return None if await is_stored else _NOT_STORED

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        is_closing = refusal in _CLOSING
        if refusal in {_TOO_MANY, TOO_MANY_BYTES, _NOT_STORED}:
            headers.append((b"retry-after", str(REFUSAL_SECONDS).encode()))
            if self._held_back < MAX_HELD_BACK:
                self._held_back += 1
                try:
                    await asyncio.sleep(REFUSAL_SECONDS)
                finally:
                    self._held_back -= 1
            else:
                is_closing = True
        if is_closing:
            headers.append((b"connection", b"close"))
        body = _encode({"error": refusal.reason})
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _challenge(self, request: Request) -> Response:
        source, query = request.path_params["source"], request.query_params
        if source not in META_SOURCES:
            return PlainTextResponse("", HTTPStatus.METHOD_NOT_ALLOWED if source in sources() else HTTPStatus.NOT_FOUND, {"Allow": "POST"})
        challenge = query.get("hub.challenge", "")
        if query.get("hub.mode") != "subscribe" or not (challenge.isascii() and challenge.isalnum()) or len(challenge) > _CHALLENGE_LENGTH:
            return PlainTextResponse("", HTTPStatus.BAD_REQUEST)
        if not self._connections.is_verify_token(source, query.get("hub.verify_token", ""), self._clock.now()):
            return PlainTextResponse("", HTTPStatus.FORBIDDEN)
        return PlainTextResponse(challenge)

    async def _health(self, _request: Request) -> Response:
        reasons = {}
        try:
            await self._committer.check()
        except OSError as error:
            reasons["disk"] = str(error)
        if self._connections.age_seconds > STALE_SECONDS:
            reasons["state"] = f"no answer for {self._connections.age_seconds:.0f} s"
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return JSONResponse({"is_healthy": not reasons, "reasons": reasons}, status)

    async def _show_metrics(self, _request: Request) -> Response:
        text = self._metrics.text(self._queue.waiting(), self._writer.closed_count, self._connections.age_seconds)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self._connections.follow())
        writing = asyncio.create_task(self._committer.run())
        watching = asyncio.create_task(self._bodies.watch())
        writing.add_done_callback(self._end)
        try:
            yield
        finally:
            following.cancel()
            watching.cancel()
            self._committer.close()
            await writing

    def _end(self, writing: "asyncio.Task[None]") -> None:
        """Without its writer a collector is none: let the server stop, and whoever started it start another."""
        if not writing.cancelled() and (error := writing.exception()) is not None:
            _log.critical("the writer failed, the collector stops", exc_info=error)
            signal.raise_signal(signal.SIGTERM)
