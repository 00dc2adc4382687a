"""A language model behind a URL: who is asked about what, and that the shipped models read whatever it does not answer well."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from core.signals import Heard, Spoken
from ml.signals.reader import Reading
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.signal_readers import NoReader, OutsideReader, ShippedReader, reader_of

AT = datetime(2026, 3, 4, 4, 30, tzinfo=UTC)
Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


class Here:
    """The reader that is always there, and what it was asked."""

    version = "v1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        self.asked += [each.text for each in messages]
        return [Heard(reader="shipped", language="en", language_confidence=0.9) for _ in messages]

    def troubles(self) -> dict[str, int]:
        return {}


def right(asked: dict[str, Any]) -> tuple[int, bytes]:
    signals = [{"language": "hi", "language_confidence": 0.8, "risk": "legal", "risk_confidence": 0.7} for _ in asked["messages"]]
    return 200, json.dumps({"signals": signals}).encode()


class Service:
    """A real server on loopback that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = right
        self.bodies: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.bodies.append(body)
                service.tokens.append(self.headers["Authorization"])
                status, content = service.answer(body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/signals"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=0.5) as made:
        yield made


def spoken(tenant: str, text: str) -> Spoken:
    return Spoken(tenant, text, AT, True, "Asia/Kolkata", "INR", "IN")


def outside(client: httpx.Client, url: str, here: Here) -> OutsideReader:
    return OutsideReader(client, url, "secret", ["asha"], here)


def test_what_the_shipped_models_say_has_the_fields_that_are_kept_but_for_who_read_it() -> None:
    assert ("reader", *Reading._fields) == Heard.__struct_fields__


def test_only_messages_of_tenants_who_let_them_go_out_and_they_name_nobody(service: Service, client: httpx.Client) -> None:
    here = Here()
    reader = outside(client, service.url, here)
    found = reader.read([spoken("asha", "one"), spoken("other", "two"), spoken("asha", "three")])
    assert [each.reader for each in found] == ["external", "shipped", "external"]
    assert [each.risk for each in found] == ["legal", None, "legal"]
    assert here.asked == ["two"]
    (body,) = service.bodies
    assert body["messages"][0] == {
        "text": "one", "at": "2026-03-04T04:30:00+00:00", "direction": "inbound", "timezone": "Asia/Kolkata", "currency": "INR",
    }  # fmt: skip
    assert service.tokens == ["Bearer secret"]
    assert "asha" not in json.dumps(body)
    assert reader.troubles() == {}
    assert reader.version == "v1"


def slow(_: dict[str, Any]) -> tuple[int, bytes]:
    time.sleep(0.8)
    return 200, b"{}"


def of(**changes: Any) -> Answer:
    def answer(asked: dict[str, Any]) -> tuple[int, bytes]:
        one = {"language": "en", "language_confidence": 0.5} | changes
        return 200, json.dumps({"signals": [one for _ in asked["messages"]]}).encode()

    return answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: (500, b""), "HTTP 500"),
        (lambda _: (302, b""), "HTTP 302"),
        (lambda _: (200, b"<html>"), "no JSON"),
        (lambda _: (200, b"{}"), "an answer of another form"),
        (lambda _: (200, b'{"signals": []}'), "another number of answers"),
        (lambda _: (200, b" " * (1 << 21)), "too long an answer"),
        (slow, "ReadTimeout"),
        (of(language="klingon"), "an answer of another form"),
        (of(risk="everything"), "an answer of another form"),
        (of(intent_confidence=1.5), "an answer of another form"),
        (of(budget_low_minor=-1), "an answer of another form"),
        (of(timeline_days=3.5), "an answer of another form"),
        (of(budget_currency="rupees"), "an answer of another form"),
        (of(thoughts="the user, 98765, wants"), "an answer of another form"),
    ],
)
def test_what_it_does_not_answer_well_is_read_here_and_said(service: Service, client: httpx.Client, answer: Answer, why: str) -> None:
    here = Here()
    service.answer = answer
    reader = outside(client, service.url, here)
    found = reader.read([spoken("asha", "one"), spoken("asha", "two")])
    assert [each.reader for each in found] == ["shipped", "shipped"]
    assert here.asked == ["one", "two"]
    assert reader.troubles() == {why: 2}


def test_nobody_there_is_given_up_after_three_tries(client: httpx.Client) -> None:
    here = Here()
    reader = outside(client, "http://127.0.0.1:9/signals", here)
    found = reader.read([spoken("asha", str(number)) for number in range(100)])
    assert {each.reader for each in found} == {"shipped"}
    assert here.asked == [str(number) for number in range(100)]
    assert reader.troubles() == {"ConnectError": 60, "given up for this run": 40}


def test_off_shipped_or_outside_by_the_settings(tmp_path: Any, client: httpx.Client) -> None:
    def made(**env: str) -> object:
        return reader_of(Settings.load(tmp_path, {f"FLEXORAA_{name}": value for name, value in env.items()}), None, client)  # type: ignore[arg-type]  # not opened

    url = "http://127.0.0.1:1/x"
    assert isinstance(made(), ShippedReader)
    assert isinstance(made(SIGNALS="off"), NoReader)
    assert isinstance(made(SIGNALS_URL=url), ShippedReader), "no tenant said yes"
    assert isinstance(made(SIGNALS_URL=url, SIGNALS_TENANTS="asha, bela"), OutsideReader)
    with pytest.raises(SettingsError, match="on or off"):
        made(SIGNALS="maybe")
    assert "hush" not in repr(Settings.load(tmp_path, {"FLEXORAA_SIGNALS_TOKEN": "hush"}))
