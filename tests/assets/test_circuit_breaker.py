"""Segments that are held whole: nothing of them is in the lake, nobody else waits for them, and they come in once they can."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets import checks
from core.quarantine import Choice
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from tests.assets.quarantine_world import Fixes, Room, change, feed, message, whatsapp


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A home directly below the temporary folder: pytest's own folders make socket paths long."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as opened,
    ):
        yield opened


@pytest.fixture
def room(tmp_path: Path, platform: Platform) -> Room:
    """A fresh one with all connections."""
    made = Room(tmp_path, platform)
    made.forget()
    made.apply(Fixes())
    return made


def broken(tenant: str, number: int) -> list[bytes]:
    """Authentic, and with a placeholder in the place of the time."""
    return [whatsapp(1, change(f"{tenant}-1", [message(f"{tenant} {each}", 1, "TIMESTAMP")])) for each in range(number)]


def good(tenant: str, number: int) -> list[bytes]:
    """Each is two events: the message, and the name beside it."""
    return [whatsapp(2, change(f"{tenant}-1", [message(f"{tenant} good {each}", 2)])) for each in range(number)]


def messages(room: Room) -> Counter[str]:
    """Messages in the lake by tenant."""
    return Counter("fern" if "'fern'" in row else "moss" for row in room.rows().get("messages", []))


def held(room: Room) -> list[str]:
    return [each.name for each in room.platform.ledger.held()]


def warning(room: Room) -> str:
    """What the asset check says, or nothing where it passes."""
    function = checks.circuit_breaker.node_def.compute_fn.decorated_fn  # type: ignore[attr-defined]  # called without an instance of Dagster
    result = function(room.platform.ledger)
    return "" if result.passed else str(result.description)


def test_a_segment_that_is_too_broken_is_held_whole_and_nothing_of_it_is_anywhere(room: Room) -> None:
    room.drop("a.ndjson", [*good("fern", 150), *broken("fern", 20)])
    assert room.take() == 0
    assert room.rows() == {}
    assert room.platform.ledger.counts() == {}
    assert room.held() == Counter()
    assert held(room) == ["a.ndjson"]
    assert [path.name[17:] for path in room.inbox.held.iterdir()] == ["a.ndjson"]
    assert room.inbox.pending() == []
    assert "fern whatsapp: 20 of 320 (bad_time 20)" in warning(room)
    assert room.check()
    assert room.take() == 0  # nothing has changed: it is not even tried
    room.drop("the same.ndjson", [*good("fern", 150), *broken("fern", 20)])
    assert room.take() == 0
    assert held(room) == ["the same.ndjson"]


def test_exactly_five_percent_is_taken_in(room: Room) -> None:
    room.drop("a.ndjson", [*good("fern", 190), *broken("fern", 20)])
    assert room.take() == 1
    assert (messages(room), warning(room)) == (Counter(fern=190), "")
    assert room.held().total() == 20


def test_released_it_is_taken_in_with_its_rejects_in_quarantine(room: Room) -> None:
    room.drop("a.ndjson", [*good("fern", 50), *broken("fern", 30)])
    room.take()
    (segment,) = room.platform.ledger.held()
    assert room.platform.ledger.release("nothing") is None
    assert room.platform.ledger.release(segment.segment_id[:8]) is not None
    room.drop("a.ndjson", good("moss", 3))  # another file of that name
    room.inbox.put_back(segment.segment_id)
    assert room.take() == 2
    assert (messages(room), room.held().total(), held(room), warning(room)) == (Counter(fern=50, moss=3), 30, [], "")
    assert room.check()
    room.drop("again.ndjson", [*good("fern", 50), *broken("fern", 30)])
    assert room.take() == 0
    assert held(room) == []


def test_what_one_tenant_sends_holds_nobody_else(room: Room) -> None:
    mixed = [line for pair in zip(good("moss", 40), broken("fern", 40), strict=True) for line in pair]
    room.drop("a.ndjson", [*mixed, b"hello", *good("fern", 5), feed(3, "fern", "lead.changed", "w", kind="won")])
    assert room.take() == 1
    assert messages(room) == Counter(moss=40)
    assert len(room.rows()["lead_events"]) == 1  # of the same tenant by another source
    assert Counter(key[2] for key in room.held().elements()) == {"bad_line": 1}
    (segment,) = room.platform.ledger.held()
    assert (segment.verdicts[0]["received"], segment.verdicts[0]["rejected"]) == (50, 40)
    assert room.check()
    room.platform.ledger.release(segment.segment_id)
    assert room.take() == 1
    assert messages(room) == Counter(moss=40, fern=5)
    assert room.net()["fern", "whatsapp"] == (room.net()["fern", "whatsapp"][1] + 40, room.net()["fern", "whatsapp"][1], 40)
    assert room.check()


def test_junk_without_a_true_signature_holds_nothing(room: Room) -> None:
    junk = [whatsapp(1, change("moss-1", [message(str(each), 1)]), secret="guessed") for each in range(200)]
    room.drop("a.ndjson", [*junk, *good("moss", 3)])
    assert room.take() == 1
    assert messages(room) == Counter(moss=3)
    assert room.held().total() == 200


def test_it_is_tried_again_once_connections_have_changed(room: Room) -> None:
    nobodys = [
        feed(1, "fern", "privacy.requested", str(each), kind="access", contact={"kind": "phone", "value": "1"}) for each in range(25)
    ]
    room.drop("a.ndjson", nobodys)
    room.take()
    assert held(room) == ["a.ndjson"]
    before = room.platform.ledger.circumstances()
    room.apply(Fixes(is_connected=False))
    assert room.platform.ledger.circumstances() != before
    assert room.take() == 0  # tried, and as broken as before
    assert [name[17:] for name in held(room)] == ["a.ndjson"]
    room.apply(Fixes(is_secret_true=False))  # now nobody's signature: it says nothing of a decoder any more
    assert room.take() == 1
    assert held(room) == []
    assert Counter(key[2] for key in room.held().elements()) == {"wrong_signature": 25}
    room.apply(Fixes())
    room.replay(Choice(reason="wrong_signature"))
    assert Counter(key[2] for key in room.held().elements()) == {"bad_contact": 25}
    assert room.check()


def test_a_split_that_died_on_its_way_is_done_again_without_harm(room: Room) -> None:
    lines = [*good("moss", 10), *broken("fern", 30)]
    room.drop("m.ndjson", lines)
    (segment,) = room.inbox.pending()
    assert room.inbox.split(segment, lambda line: b"TIMESTAMP" in line.raw) is not None
    room.drop("m.ndjson", lines)  # as if it had not come to removing the original
    assert room.take() == 1
    assert messages(room) == Counter(moss=10)
    assert len(held(room)) == 1
    assert room.inbox.pending() == []
    assert room.check()
