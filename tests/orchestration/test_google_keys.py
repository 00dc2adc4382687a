"""Google's keys over real HTTP from an issuer in the test: fetched when due, kept when it does not answer, enough to verify a real token."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from core.sources import sources
from orchestration.resources.google_keys import KEPT, GoogleKeys

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SECRET = json.dumps({"audience": "https://hooks.example", "email": "push@x.iam.gserviceaccount.com"}).encode()


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class Signer:
    """One real key pair with its name."""

    def __init__(self, kid: str) -> None:
        self.kid, self.key = kid, rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, str]:
        public = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "kid": self.kid,
            "n": b64(public.n.to_bytes(256, "big")),
            "e": b64(public.e.to_bytes(3, "big")),
        }

    def token(self, at: datetime) -> str:
        said = {
            "iss": "https://accounts.google.com",
            "aud": "https://hooks.example",
            "email": "push@x.iam.gserviceaccount.com",
            "email_verified": True,
        }
        said |= {"iat": int(at.timestamp()), "exp": int(at.timestamp()) + 3600}
        signed = ".".join(b64(json.dumps(each).encode()) for each in ({"alg": "RS256", "kid": self.kid}, said))
        return f"{signed}.{b64(self.key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


class Issuer:
    """An HTTP server that publishes keys."""

    def __init__(self) -> None:
        self.published: Any = {"keys": []}
        self.status, self.cache_control, self.asked = 200, "public, max-age=20000, must-revalidate", 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                raw = issuer.published if isinstance(issuer.published, bytes) else json.dumps(issuer.published).encode()
                self.send_response(issuer.status)
                self.send_header("Cache-Control", issuer.cache_control)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/certs"


class Moments:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = AT

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    thread = Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


FIRST, SECOND = Signer("k1"), Signer("k2")


def holds(secret: bytes, signer: Signer, at: datetime) -> bool:
    return sources()["gmail"].verify({"authorization": f"Bearer {signer.token(at)}"}, b"{}", secret, at)


def test_a_push_verifies_with_keys_that_were_fetched_once_and_survive_a_restart(issuer: Issuer, tmp_path: Path) -> None:
    issuer.published = {"keys": [FIRST.jwk(), {"kty": "EC", "kid": "e", "n": "", "e": ""}]}
    clock = Moments()
    keys = GoogleKeys(issuer.url, tmp_path / "keys.json", clock)
    assert issuer.asked == 0
    assert holds(keys.complete(SECRET), FIRST, AT)
    assert not holds(keys.complete(SECRET), SECOND, AT)
    again = GoogleKeys(issuer.url, tmp_path / "keys.json", clock)
    assert holds(again.complete(SECRET), FIRST, AT)
    assert issuer.asked == 1
    assert again.due_at() == AT + timedelta(seconds=20_000)


def test_rotated_keys_are_fetched_when_due_and_the_older_ones_stay_for_what_they_signed(issuer: Issuer, tmp_path: Path) -> None:
    issuer.published, clock = {"keys": [FIRST.jwk()]}, Moments()
    keys = GoogleKeys(issuer.url, tmp_path / "keys.json", clock)
    keys.keys()
    issuer.published = {"keys": [SECOND.jwk()]}
    clock.moment += timedelta(seconds=19_999)
    assert not holds(keys.complete(SECRET), SECOND, clock.moment)
    clock.moment += timedelta(seconds=1)
    assert holds(keys.complete(SECRET), SECOND, clock.moment)
    assert holds(keys.complete(SECRET), FIRST, AT)  # a segment of before, taken in late
    clock.moment = AT + KEPT
    assert not holds(keys.complete(SECRET), FIRST, AT)


@pytest.mark.parametrize(
    ("status", "published"), [(500, {"keys": []}), (200, b"<html>"), (200, {"keys": [{"n": 5}]}), (200, b" " * 200_000)]
)
def test_an_issuer_that_fails_changes_nothing_and_is_asked_again_after_a_minute(
    issuer: Issuer, tmp_path: Path, status: int, published: Any, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.published, issuer.cache_control, clock = {"keys": [FIRST.jwk()]}, "no-store", Moments()
    keys = GoogleKeys(issuer.url, tmp_path / "keys.json", clock)
    keys.keys()
    issuer.status, issuer.published = status, published
    clock.moment += timedelta(minutes=5)
    assert holds(keys.complete(SECRET), FIRST, clock.moment)
    assert holds(keys.complete(SECRET), FIRST, clock.moment)
    assert issuer.asked == 2
    assert "the 1 known stay" in caplog.text
    issuer.status, issuer.published = 200, {"keys": [SECOND.jwk()]}
    clock.moment += timedelta(minutes=1)
    assert holds(keys.complete(SECRET), SECOND, clock.moment)


def test_nobody_listening_and_a_damaged_file_are_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    keys = GoogleKeys("http://127.0.0.1:9/certs", tmp_path / "keys.json", Moments())
    assert keys.keys() == []
    assert not holds(keys.complete(SECRET), FIRST, AT)


def test_a_connection_with_keys_of_its_own_asks_nobody(issuer: Issuer, tmp_path: Path) -> None:
    keys = GoogleKeys(issuer.url, tmp_path / "keys.json", Moments())
    own = json.dumps(json.loads(SECRET) | {"keys": [SECOND.jwk()]}).encode()
    assert holds(keys.complete(own), SECOND, AT)
    assert keys.complete(b"not json") == b"not json"
    assert issuer.asked == 0
