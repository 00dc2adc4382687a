"""Gmail, Razorpay and Calendly on loopback, as far as they are read: pages, tokens, rates, old histories, and everything that goes wrong.

Here belongs a vendor's behaviour. Each answers strictly: an unknown parameter or a wrong token is refused as the vendor refuses it. Not here:
what the platform must do.
"""

import base64
import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.orchestration.fake_apis import Answer, CalendlyApi, GmailApi, RazorpayApi, TokenApi, refuse

FAULTS = ("429", "429 date", "500", "503 page", "hang up", "half", "malformed", "reset")
"""What may happen in place of an answer, and passes."""


@dataclass
class Vendors:
    """All of them behind one address. `faults` are taken first, one a request; then each request fails with `fault_share`."""

    gmail: GmailApi = field(default_factory=GmailApi)
    razorpay: RazorpayApi = field(default_factory=RazorpayApi)
    calendly: CalendlyApi = field(default_factory=CalendlyApi)
    faults: list[str] = field(default_factory=list)
    fault_share: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def fault(self) -> str | None:
        """What goes wrong with this request."""
        if self.faults:
            return self.faults.pop(0)
        return self.rng.choice(FAULTS) if self.rng.random() < self.fault_share else None

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the vendor says."""
        parts = urlsplit(target)
        params = parse_qs(parts.query)
        path, authorization = parts.path, headers.get("authorization", "")
        if path == "/token":
            return TokenApi(self.gmail).answer(body)
        if path.startswith("/gmail/"):
            return self.gmail.answer(method, path.removeprefix("/gmail/v1/users/me/"), params, authorization, body)
        if path.startswith("/v1/"):
            return self.razorpay.answer(path.removeprefix("/v1/"), params, authorization)
        return self.calendly.answer(path, params, authorization) if method == "GET" else refuse(405, "Method Not Allowed")


_BROKEN = {"half", "drip", "reset", "slow", "hang up"}
_SAID: dict[str, tuple[Any, ...]] = {
    "429": (429, b"{}", {"Retry-After": "7"}),
    "403 rate": (403, json.dumps({"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}).encode()),
    "500": (500, b'{"error":{"code":"SERVER_ERROR"}}'),
    "503 page": (503, b"<html>busy</html>"),
    "malformed": (200, b'{"items": [{"id": "pay_'),
}


def _handler(vendors: Vendors) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            time.sleep(vendors.delay)
            with vendors.lock:
                vendors.asked.append(f"{self.command} {self.path}")
                fault = vendors.fault()
                if fault is None:
                    status, answer = vendors.answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if fault is None:
                self._send(status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())
            else:
                self._fail(fault)

        def _fail(self, fault: str) -> None:
            self.close_connection = fault in _BROKEN
            if fault in _SAID:
                self._send(*_SAID[fault])
            elif fault == "429 date":
                self._send(429, b"{}", {"Retry-After": format_datetime(datetime.fromtimestamp(int(time.time()) + 30, UTC), usegmt=True)})
            elif fault == "half":
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"items": [')
            elif fault == "drip":
                self._drip()
            elif fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault == "slow":
                time.sleep(1.0)
            elif fault.isdecimal():
                self._send(int(fault), b"{}")

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(5000):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.02)

        def _send(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)
            except OSError:  # who asked did not wait, or was killed
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error of ours."""


@contextmanager
def serving() -> Iterator[Vendors]:
    """Vendors that listen until the block ends."""
    vendors = Vendors()
    server = _Server(("127.0.0.1", 0), _handler(vendors))
    vendors.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield vendors
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def basic(key: str) -> str:
    """How Razorpay wants a key."""
    return f"Basic {base64.b64encode(key.encode()).decode()}"
