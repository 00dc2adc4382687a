"""Every bad answer of a real server has its stated outcome: for a message without a key, and for a callback whose other side drops repeats."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.actions import Outcome
from core.lanes import is_failure
from orchestration.resources.senders._http import ask

BODY = b'{"to": "919876500001"}'
JSON = {"content-type": "application/json"}


@contextmanager
def server(serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """One connection after another is served so, on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) if context else plain as connection:
                    serve(connection)
            except OSError:
                continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if context else ''}://localhost:{listening.getsockname()[1]}/hook"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def whole_request(connection: socket.socket) -> None:
    """Read head and body: what is closed with something unread is reset, and the other side may lose the answer."""
    seen = connection.recv(65_536)
    while seen.startswith(b"POST") and not seen.endswith(BODY) and (more := connection.recv(65_536)):
        seen += more


def answering(head: str, body: bytes = b"", length: int | None = None) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        whole_request(connection)
        said = f"HTTP/1.1 {head}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
        connection.sendall(said.encode() + body)

    return serve


def silent(connection: socket.socket) -> None:
    whole_request(connection)
    threading.Event().wait(0.6)


def half_closed(connection: socket.socket) -> None:
    whole_request(connection)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(65_536)


def reset(connection: socket.socket) -> None:
    whole_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def not_http(connection: socket.socket) -> None:
    whole_request(connection)
    connection.sendall(b"220 mail.example ESMTP\r\n")


TABLE: dict[str, tuple[Callable[[socket.socket], None], str, str, str]] = {
    "200": (answering("200 OK", b"{}"), "sent", "sent", "accepted"),
    "204": (answering("204 No Content"), "sent", "sent", "accepted"),
    "malformed JSON": (answering("200 OK", b"{broken"), "sent", "sent", "accepted"),
    "301": (answering("301 Moved\r\nLocation: http://127.0.0.1:1/"), "unknown", "requested", "ambiguous: HTTP 301"),
    "400": (answering("400 Bad Request"), "rejected", "rejected", "refused with HTTP 400"),
    "401": (answering("401 Unauthorized"), "rejected", "rejected", "refused with HTTP 401"),
    "404": (answering("404 Not Found"), "rejected", "rejected", "refused with HTTP 404"),
    "410": (answering("410 Gone"), "rejected", "rejected", "refused with HTTP 410"),
    "429": (answering("429 Too Many Requests\r\nRetry-After: 7"), "requested", "requested", "told to wait: HTTP 429"),
    "500": (answering("500 Internal Server Error"), "unknown", "requested", "ambiguous: HTTP 500"),
    "503": (answering("503 Service Unavailable\r\nRetry-After: 9"), "unknown", "requested", "ambiguous: HTTP 503"),
    "half-closed connection": (half_closed, "unknown", "requested", "no answer: RemoteProtocolError"),
    "reset after the request": (reset, "unknown", "requested", "no answer: "),
    "half an answer": (answering("200 OK", b"{", 500), "unknown", "requested", "no answer: RemoteProtocolError"),
    "silence after the request": (silent, "unknown", "requested", "no answer: ReadTimeout"),
    "not HTTP": (not_http, "unknown", "requested", "no answer: RemoteProtocolError"),
}


def tried(url: str, *, is_repeatable: bool, **options: object) -> Outcome:
    with httpx.Client(timeout=httpx.Timeout(0.3, connect=1), **options) as client:  # type: ignore[arg-type]
        return ask(client, "POST", url, body=BODY, headers=JSON, is_repeatable=is_repeatable).outcome


@pytest.mark.parametrize("name", TABLE)
def test_each_answer_has_its_stated_outcome(name: str) -> None:
    serve, without_key, with_key, reason = TABLE[name]
    with server(serve) as url:
        for is_repeatable, state in ((False, without_key), (True, with_key)):
            outcome = tried(url, is_repeatable=is_repeatable)
            assert outcome.state == state
            assert outcome.reason == reason or (
                reason.endswith(": ") and outcome.reason.startswith(reason)
            )  # by the system, one or the other
            assert is_failure(outcome) == (name not in ("200", "204", "malformed JSON", "301", "400", "401", "404", "410"))
            assert outcome.wait_seconds == {"429": 7.0, "503": 9.0}.get(name)


def test_what_was_not_reached_is_asked_for_again_and_says_why(tmp_path: Path) -> None:
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", "2", "-subj", "/CN=elsewhere.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with server(answering("200 OK"), context) as url:
        wrong = tried(url, is_repeatable=False)
        no_tls = tried(url.replace("https", "http"), is_repeatable=False)
    with server(answering("200 OK")) as url:
        plain = tried(url.replace("http", "https"), is_repeatable=False)
    assert (wrong.state, wrong.reason) == ("requested", "not reached: its certificate is not trusted")
    assert (plain.state, plain.reason) == ("requested", "not reached: no TLS with it")
    assert no_tls.state == "unknown"  # something was there and took the request
    unknown = tried("http://no-such-name.invalid/hook", is_repeatable=False)
    assert (unknown.state, unknown.reason) == ("requested", "not reached: its name is not known")
    refused = tried("http://127.0.0.1:1/hook", is_repeatable=False)
    assert (refused.state, refused.reason) == ("requested", "not reached: ConnectError")
    assert all(map(is_failure, (wrong, plain, unknown, refused)))


def test_a_time_out_before_the_request_was_sent_is_asked_for_again() -> None:
    with socket.socket() as full:  # its queue of one is full, so that nobody answers the next who connects
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(4)]
        for each in others:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        outcome = tried(f"http://127.0.0.1:{full.getsockname()[1]}/hook", is_repeatable=False)
        for each in others:
            each.close()
    assert (outcome.state, outcome.reason) == ("requested", "not reached: ConnectTimeout")


@pytest.mark.parametrize(("said", "seconds"), [("999999999999", 86_400.0), ("soon", None), ("-5", None), ("0", 0.0)])
def test_a_wish_to_wait_is_heard_within_reason(said: str, seconds: float | None) -> None:
    with server(answering(f"429 Too Many Requests\r\nRetry-After: {said}")) as url:
        assert tried(url, is_repeatable=False).wait_seconds == seconds
