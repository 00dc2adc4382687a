"""The outside world for demo and tests: a local HTTP server that takes what the platform sends, and writes it down.

Here belongs what a provider or a tenant's system answers, in good and bad moods. Not here: sending
(`orchestration.resources.senders`), taking in webhooks (`assets.intake`).
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from orchestration.receiver_answers import Answers, graph_error

KEPT_HEADERS = ("content-type", "idempotency-key", "x-flexoraa-signature", "x-hub-signature-256", "user-agent", "retry-after")
"""Headers that are written down; `authorization` never is, but whether it came."""

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Mood:
    """How the receiver answers: `status` in place of success, with Meta's `error_code`, after a delay; `raw`: bytes in place of that.

    `is_hanging_up` takes the request and closes.
    """

    status: int | None = None
    error_code: int | None = None
    delay_seconds: float = 0.0
    is_hanging_up: bool = False
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Request(msgspec.Struct, kw_only=True, frozen=True):
    """One request as it came, in the order of arrival from 1. `status` is what was answered, 0 for a closed connection."""

    order: int
    received_at: datetime
    method: str
    path: str
    headers: dict[str, str]
    is_authorized: bool
    body: str
    status: int

    def json(self) -> Any:
        """The body, read as JSON."""
        return msgspec.json.decode(self.body)


class Receiver:
    """A server on 127.0.0.1, in threads of its own, from `start` (or `with`) to `stop`.

    It answers like each vendor (`receiver_answers`), `POST /hook/{tenant}` and `/callback/{tenant}` with 204, `GET /health` with 200.
    """

    def __init__(self, record: Path, port: int = 0) -> None:
        """Append each request to `record` as a line of JSON; port 0 takes a free one."""
        self._record = record
        self._mood = Mood()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        record.parent.mkdir(parents=True, exist_ok=True)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.answers = Answers(self.url)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[Request]:
        """All POST requests so far, in their order."""
        with self._lock:
            return list(self._requests)

    def messages(self) -> list[Request]:
        """Those that went to a phone number."""
        return [each for each in self.requests if each.path.endswith("/messages")]

    def alerts(self, tenant: str | None = None) -> list[Request]:
        """Those that went to the hook of a tenant, or of any."""
        start = f"/hook/{tenant}" if tenant else "/hook/"
        return [each for each in self.requests if each.path == start or (tenant is None and each.path.startswith(start))]

    @contextmanager
    def misbehaving(self, **mood: Any) -> Iterator[None]:
        """Answer as `Mood(**mood)` says within the block."""
        before, self._mood = self._mood, replace(Mood(), **mood)
        try:
            yield
        finally:
            self._mood = before

    def start(self) -> "Receiver":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering; what was recorded stays."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Receiver":
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _note(self, handler: "_Handler", body: str, status: int) -> None:
        headers = {name: value for name in KEPT_HEADERS if (value := handler.headers.get(name)) is not None}
        with self._lock:
            request = Request(
                order=len(self._requests) + 1,
                received_at=datetime.now(UTC),
                method=handler.command,
                path=handler.path,
                headers=headers,
                is_authorized="authorization" in handler.headers,
                body=body,
                status=status,
            )
            self._requests.append(request)
            with self._record.open("ab") as file:
                file.write(msgspec.json.encode(request) + b"\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer `/health` and what vendors let one read; all else is not found."""
        self._answer(*self.server.receiver.answers.get(self.path))

    def do_POST(self) -> None:
        """Take a message or an alert, note it, and answer as the mood says."""
        length = int(self.headers.get("content-length") or 0)
        if length > _LARGEST:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "more than 1 MB"})
            return
        body = self.rfile.read(length).decode("utf-8", "replace")
        mood = self.server.receiver._mood
        answers = self.server.receiver.answers
        status, answer = answers.post(self.path, body) if mood.status is None else (mood.status, graph_error(mood.status))
        if mood.error_code is not None and answer is not None:
            answer["error"]["code"] = mood.error_code
        self.server.receiver._note(self, body, 0 if mood.is_hanging_up else status)
        time.sleep(mood.delay_seconds)
        if mood.is_hanging_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if mood.raw is not None:
            self.close_connection = True
            self.wfile.write(mood.raw)
            return
        self._answer(status, answer, mood.headers)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on the terminal: the record holds it."""

    def _answer(self, status: int, answer: dict[str, Any] | None, headers: Mapping[str, str] | None = None) -> None:
        data = b"" if answer is None else msgspec.json.encode(answer)
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            if status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):  # the sender did not wait for us
            self.close_connection = True
