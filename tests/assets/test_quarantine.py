"""Trying again what was turned away: it ends as if whatever was wrong had been right from the start, to the row and to the count."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.quarantine import Choice
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from tests.assets.quarantine_world import LINES, Fixes, Room, feed, older_decoders

WRONG = Fixes(is_connected=False, is_secret_true=False)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A home directly below the temporary folder: pytest's own folders make socket paths long."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def calm(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What is true where nothing was ever wrong."""
    room = Room(tmp_path_factory.mktemp("calm"), platform)
    room.forget()
    room.apply(Fixes())
    room.drop("a.ndjson", LINES)
    room.take()
    assert room.check()
    return ends(room)


def ends(room: Room) -> dict[str, object]:
    """All that must come out the same."""
    return {"rows": room.rows(), "net": room.net(), "held": room.held(), "bodies": room.bodies()}


@pytest.fixture
def room(tmp_path: Path, platform: Platform, calm: dict[str, object]) -> Room:
    """A fresh one, in which everything is wrong."""
    made = Room(tmp_path, platform)
    made.forget()
    made.apply(WRONG)
    return made


def test_the_world_has_something_of_everything(calm: dict[str, object], room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    older_decoders(monkeypatch)
    room.drop("a.ndjson", LINES)
    room.take()
    assert room.check()
    reasons = Counter(key[2] for key in room.held().elements())
    assert reasons == {"unknown_account": 18, "wrong_signature": 4, "bad_time": 1, "bad_contact": 1, "bad_line": 2}
    assert len(room.rows()["unmodelled"]) == 4
    assert {"messages", "lead_events", "unmodelled", "contact_events"} <= calm["rows"].keys()  # type: ignore[attr-defined]


def test_after_the_fix_a_replay_leaves_what_a_right_start_would_have(
    calm: dict[str, object], room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older_decoders(older)
        room.drop("a.ndjson", LINES)
        room.take()
    room.apply(Fixes())
    room.replay()
    assert room.check()
    room.remodel()
    assert room.check()
    assert ends(room) == calm
    once = (ends(room), room.files())
    assert room.replay()[0] == Counter()
    assert room.remodel()[0] == Counter()
    assert (ends(room), room.files()) == once


def test_a_rehearsal_says_what_would_be_and_changes_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older_decoders(older)
        room.drop("a.ndjson", LINES)
        room.take()
    room.apply(Fixes())
    for act in (room.replay, room.remodel):
        before = (ends(room), room.files())
        told = act(is_rehearsal=True)
        assert (ends(room), room.files()) == before
        assert told == act()
        assert told[0]["messages"] >= 3


def test_what_was_accepted_is_not_refused_later(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = feed(1, "moss", "lead.changed", "x1", kind="won", contact={"kind": "phone", "value": "ask at the desk"})
    with monkeypatch.context() as older:
        older_decoders(older)
        room.drop("a.ndjson", [nobody, feed(2, "moss", "lead.changed", "x2", kind="won")])
        room.take()
    assert room.remodel() == ({"lead_events": 1}, {"bad_contact": 1})
    assert [len(rows) for rows in room.rows().values()] == [1, 1]
    assert room.held() == Counter()
    assert room.check()


def test_only_what_is_chosen_is_tried(room: Room) -> None:
    room.drop("a.ndjson", LINES)
    room.take()
    room.apply(Fixes())
    held = room.held()
    assert room.replay(Choice(reason="wrong_signature"))[0] == {"lead_events": 2, "unmodelled": 1}
    assert room.check()
    left = Counter(key[2] for key in room.held().elements())
    assert left == Counter(key[2] for key in held.elements()) - Counter({"wrong_signature": 3})
    (entry, *_) = room.platform.quarantine.find(Choice(reason="unknown_account", source="whatsapp"))
    assert room.replay(Choice((entry.quarantine_id,)))[0].total() > 0
    assert room.check()
    assert room.replay(Choice(tenant_id="moss"))[0] == Counter()
    assert room.replay(Choice(tenant_id="nobody")) == (Counter(), Counter())
