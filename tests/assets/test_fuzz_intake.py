"""Mutated bodies through the real intake: what people say is in no log, warning or output, nor in the clear in the lake or in what is held.

600 bodies here, 100,000 with `--large`; seeds are fixed, so a failure comes again. `tests/core/test_fuzz.py` has the decoders alone.
"""

import base64
import json
import logging
import random
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from assets.block import Keyring, take_block
from core.intake import Account, Directory
from core.ports import Block, Part, Task
from orchestration.resources.lake import FolderLake
from orchestration.resources.platform import Platform
from orchestration.simulator.wire import Wire, calendly_wire, fetched_wire, meta_wire, platform_wire, razorpay_wire
from tests.core.fuzz_seeds import SEEDS
from tests.core.test_fuzz import mutated

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
NAME, WORDS, MAIL, PHONE = "Zephyrine Quill", "a moonlit orchard", "zq@canary.example", "919812345678"
PLANTED = {
    "Asha": NAME, "a@b.co": MAIL, '"x"': f'"{WORDS}"', '"ill"': f'"{WORDS}"', '"Sent"': f'"{WORDS}"',
    base64.urlsafe_b64encode(b"hello\n> quoted").decode(): base64.urlsafe_b64encode(f"{WORDS}\n> quoted".encode()).decode(),
}  # fmt: skip
SAID = ("Zephyrine", "moonlit", "canary")
ACCOUNTS = {
    "whatsapp": ["1001", "2001"], "messenger": ["1001"], "instagram": ["1001"], "razorpay": ["acc_1"], "calendly": ["U1"], "gmail": ["s@t.co"],
    "platform": ["ws_1"],
}  # fmt: skip
KEY = "fuzz-secret"
SECRETS = {"gmail": json.dumps({"audience": "https://a.example", "email": "push@p.example", "secret": KEY}).encode()}


def seeds() -> list[tuple[str, bytes]]:
    """Ours, with words in them that are found again wherever they come out."""
    found = []
    for source, bodies in sorted(SEEDS.items()):
        for each in bodies:
            text = json.dumps(each)
            for old, new in PLANTED.items():
                text = text.replace(old, new)
            found.append((source, text.encode()))
    return found


def wire(source: str, text: str, rng: random.Random) -> Wire:
    """As its vendor would sign it: nothing is decoded that is not authentic."""
    signed: dict[str, Callable[[], Wire]] = {
        "razorpay": lambda: razorpay_wire(text, KEY, f"evt_{rng.getrandbits(40)}", rng),
        "calendly": lambda: calendly_wire(text, KEY, AT),
        "gmail": lambda: fetched_wire(text, KEY),
        "platform": lambda: platform_wire(text, KEY, rng),
    }
    return signed[source]() if source in signed else meta_wire(source, text, KEY, rng)


def directory() -> Directory:
    return Directory(
        {
            (source, account): [Account(f"fuzz-{source}", "IN", AT - timedelta(days=9), None, (SECRETS.get(source, KEY.encode()),))]
            for source, accounts in ACCOUNTS.items()
            for account in accounts
        }
    )


class Heard(logging.Handler):
    """All that anybody logs, as a log file would have it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def values(folder: Path) -> Iterator[str]:
    """Every value of the lake's files, and the files' own bytes: their footers repeat values."""
    for path in folder.rglob("*.parquet"):
        yield path.read_bytes().decode("latin-1")
        for row in pq.ParquetFile(path).read().to_pylist():
            yield from (each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in row.values())


class Intake:
    """Takes bodies in and looks at everything that comes out."""

    def __init__(self, platform: Platform, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.lake, self.keyring, self.capture = FolderLake(folder), Keyring(platform.vault), capture
        self.lake.prepare()

    def take(self, name: int, lines: list[bytes]) -> tuple[Part, str]:
        """What the block came to, and all that was said aloud meanwhile."""
        segment_id, heard, root = f"{name:064x}", Heard(), logging.getLogger()
        level = root.level
        self.lake.stage(segment_id)
        self.capture.readouterr()
        root.addHandler(heard)
        root.setLevel(logging.DEBUG)
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                part = take_block(Task(segment_id, 0, Block(1, b"\n".join(lines))), directory(), self.lake, self.keyring)
                self.lake.publish({segment_id: part.files})
        finally:
            root.removeHandler(heard)
            root.setLevel(level)
        return part, "\n".join([*heard.lines, *(str(each.message) for each in warned), *self.capture.readouterr()])

    def check(self, name: int, bodies: list[tuple[str, str]], planted: tuple[str, ...]) -> Part:
        """Nothing planted comes out of these bodies."""
        rng = random.Random(name)
        part, aloud = self.take(name, [wire(source, text, rng).line(AT) for source, text in bodies])
        assert not [each for each in planted if each in aloud]
        for held in part.held:
            told = str(held[:9]) + held.body_enc.decode("latin-1")
            assert not [each for each in planted if each in told], told[:500]
        for value in values(self.lake.folder):
            assert not [each for each in planted if each in value], repr(value[:500])
        return part

    def fuzz(self, name: int, count: int) -> Part:
        """Mutated ones. A number may be moved to where an id stands in the clear, so only words are looked for."""
        rng, known = random.Random(name), seeds()
        given = [(source, mutated(rng, raw).decode(errors="replace")) for source, raw in (rng.choice(known) for _ in range(count))]
        assert sum(any(each in text for each in SAID) for _, text in given) > count / 3
        return self.check(name, given, SAID)


@pytest.fixture
def intake(platform: Platform, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Intake:
    return Intake(platform, tmp_path / "lake", capfd)


def test_what_people_say_comes_out_of_no_well_formed_body(intake: Intake) -> None:
    bodies = [(source, raw.decode()) for source, raw in seeds()]
    part = intake.check(1, bodies, (*SAID, PHONE[2:]))
    assert {each.source for each in part.counts if each.accepted} == set(ACCOUNTS)
    kept = [row for path in intake.lake.folder.glob("*/*/*.parquet") for row in pq.ParquetFile(path).read().to_pylist()]
    assert sum(any(row.get(name) for name in ("text_enc", "name_enc", "fragment_enc", "answers_enc")) for row in kept) > 20


def test_what_people_say_comes_out_of_no_mutated_body(intake: Intake) -> None:
    part = intake.fuzz(2, 600)
    assert sum(each.accepted for each in part.counts) > 100
    assert {"bad_shape", "not_json", "bad_time", "unknown_account"} <= part.reasons.keys()


@pytest.mark.large
def test_nor_out_of_a_hundred_thousand(intake: Intake, platform: Platform, tmp_path: Path) -> None:
    for name in range(3, 53):
        Intake(platform, tmp_path / f"lake-{name}", intake.capture).fuzz(name, 2_000)


LEAKS: dict[str, Callable[[Any], object]] = {
    "log": lambda said: logging.getLogger("core").debug("could not read %s", said),
    "warning": lambda said: warnings.warn(f"odd: {said}", stacklevel=1),
    "output": print,
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_would_be_found(intake: Intake, monkeypatch: pytest.MonkeyPatch, leak: str) -> None:
    line = Keyring.of

    def leaking(keyring: Keyring, tenant_id: str, region: str, named: Any) -> Any:
        LEAKS[leak](next((point.value for point in named if "canary" in point.value), "nothing"))
        return line(keyring, tenant_id, region, named)

    monkeypatch.setattr(Keyring, "of", leaking)
    _, aloud = intake.take(1, [wire(source, raw.decode(), random.Random(1)).line(AT) for source, raw in seeds()])
    assert MAIL in aloud
