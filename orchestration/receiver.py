"""The outside world for demo and tests: a local HTTP server that takes what the platform sends, and writes it down.

Here belongs what a provider or a tenant's system answers, in good and bad moods. Not here: sending
(`orchestration.resources.senders`), taking in webhooks (`assets.intake`).
"""

import base64
import hashlib
import http.client
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

KEPT_HEADERS = ("content-type", "idempotency-key", "x-flexoraa-signature", "x-hub-signature-256", "user-agent", "retry-after")
"""Headers that are written down; `authorization` never is, but whether it came."""

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Mood:
    """How the receiver answers: `status` in place of success, after a delay; `is_hanging_up` takes the request and closes."""

    status: int | None = None
    delay_seconds: float = 0.0
    is_hanging_up: bool = False
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

    It answers `POST /{phone_number_id}/messages` like the WhatsApp Cloud API, `POST /hook/{tenant}` and `/callback/{tenant}` with
    204, `GET /health` with 200.
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
        """Answer `/health`; all else is not found."""
        status = HTTPStatus.OK if self.path == "/health" else HTTPStatus.NOT_FOUND
        self._answer(status, {"is_up": True} if status == HTTPStatus.OK else {"error": "no such page"})

    def do_POST(self) -> None:
        """Take a message or an alert, note it, and answer as the mood says."""
        length = int(self.headers.get("content-length") or 0)
        if length > _LARGEST:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "more than 1 MB"})
            return
        body = self.rfile.read(length).decode("utf-8", "replace")
        mood = self.server.receiver._mood
        status, answer = self._good(body) if mood.status is None else (mood.status, _graph_error(mood.status))
        self.server.receiver._note(self, body, 0 if mood.is_hanging_up else status)
        time.sleep(mood.delay_seconds)
        if mood.is_hanging_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(status, answer, mood.headers)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on the terminal: the record holds it."""

    def _good(self, body: str) -> tuple[int, dict[str, Any] | None]:
        parts = self.path.strip("/").split("/")
        match parts:
            case ["hook" | "callback", _]:
                return HTTPStatus.NO_CONTENT, None
            case [*_, number_id, "messages"]:
                return self._message(number_id, body)
        return HTTPStatus.NOT_FOUND, _graph_error(HTTPStatus.NOT_FOUND)

    def _message(self, number_id: str, body: str) -> tuple[int, dict[str, Any]]:
        try:
            wanted = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return HTTPStatus.BAD_REQUEST, _graph_error(HTTPStatus.BAD_REQUEST)
        to = wanted.get("to") or wanted.get("recipient")
        if wanted.get("messaging_product") != "whatsapp" or not to:
            return HTTPStatus.BAD_REQUEST, _graph_error(HTTPStatus.BAD_REQUEST)
        person = {"input": to, "wa_id": to} if wanted.get("to") else {"input": to, "user_id": to}
        sent = {"id": wamid_for(number_id, body), "message_status": "accepted"}
        return HTTPStatus.OK, {"messaging_product": "whatsapp", "contacts": [person], "messages": [sent]}

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


def wamid_for(number_id: str, body: str) -> str:
    """Give the message id that a request gets: the same for the same request."""
    digest = hashlib.sha256(f"{number_id}\n{body}".encode()).digest()[:24]
    return f"wamid.{base64.b64encode(digest).decode()}"


def _graph_error(status: int) -> dict[str, Any]:
    message = http.client.responses.get(status, "Error")
    return {"error": {"message": message, "type": "OAuthException", "code": status, "fbtrace_id": "local"}}
