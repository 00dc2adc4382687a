"""Raw bodies are kept as long as was said, to the microsecond, and not longer; reasons and counts stay."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assets.retention import remove_old
from core.quarantine import Choice
from orchestration.resources.clock import FixedClock
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings, SettingsError
from tests.assets.quarantine_world import AT, Fixes, Room, change, message, whatsapp

TAKEN_IN_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A home directly below the temporary folder (pytest's own folders make socket paths long), at one moment."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {}), FixedClock(TAKEN_IN_AT)) as opened,
    ):
        yield opened


@pytest.fixture
def room(tmp_path: Path, platform: Platform) -> Room:
    """A fresh one, with an entry of each tenant and one of nobody."""
    made = Room(tmp_path, platform)
    made.forget()
    made.apply(Fixes())
    made.drop(
        "a.ndjson", [whatsapp(0, change(f"{each}-1", [message(each, 0, "TIMESTAMP")])) for each in ("fern", "moss", "nobody")] + [b"hello"]
    )
    made.take()
    return made


def remove(room: Room, as_of: datetime) -> dict[str, int]:
    """Entries that lose their body, by reason and tenant."""
    found = remove_old(room.platform.quarantine, FolderInbox(room.inbox.folder), room.platform.ledger, as_of)
    return {f"{each['reason']} {each['tenant']}".strip(): each["entries"] for each in found["quarantine"]}


def test_an_entry_is_kept_for_its_tenants_days_and_gone_at_their_end(room: Room) -> None:
    assert remove(room, AT + timedelta(days=10) - MICROSECOND) == {}
    assert remove(room, AT + timedelta(days=10)) == {"bad_time moss": 1}
    assert remove(room, AT + timedelta(days=10)) == {}
    assert remove(room, AT + timedelta(days=90) - MICROSECOND) == {}
    assert remove(room, AT + timedelta(days=90)) == {"bad_time fern": 1, "unknown_account": 1}
    assert remove(room, TAKEN_IN_AT + timedelta(days=90) - MICROSECOND) == {}
    assert remove(room, TAKEN_IN_AT + timedelta(days=90)) == {"bad_line": 1}  # it tells no moment: that of its segment


def test_what_has_expired_keeps_its_reason_and_its_count_and_cannot_be_replayed(room: Room) -> None:
    before = room.platform.ledger.counts()
    remove(room, AT + timedelta(days=400))
    assert room.platform.quarantine.states() == {"expired": 4}
    assert room.platform.ledger.counts() == before
    assert room.check()
    with room.platform.state.begin() as connection:
        assert connection.exec_driver_sql("select count(*) from ops.quarantine where body_enc is not null").scalar_one() == 0
    assert [each.total() for each in room.replay()] == [0, 0]
    (entry, *_) = room.platform.quarantine.find(Choice(reason="bad_time"))
    assert room.platform.quarantine.reveal(entry, "somebody") is None


def test_what_expired_of_one_tenant_stays_so_when_the_rest_of_its_line_is_replayed(room: Room) -> None:
    both = whatsapp(5, change("moss-1", [message("m", 5, "TIMESTAMP")]), change("fern-2", [message("f", 5, "TIMESTAMP"), message("g", 5)]))
    room.apply(Fixes(is_connected=False))
    room.drop("b.ndjson", [both])
    room.take()
    assert remove(room, AT + timedelta(days=20))["bad_time moss"] == 2
    room.apply(Fixes())
    assert room.replay(Choice(reason="unknown_account"))[0]["messages"] == 1
    assert room.platform.quarantine.counts(Choice(reason="bad_time")) == {"bad_time": {"expired": 2, "held": 2}}
    assert room.check()


def test_a_segment_leaves_done_after_its_days_and_never_one_that_the_ledger_does_not_know(room: Room) -> None:
    (ours,) = room.inbox.done.iterdir()
    stranger = room.inbox.done / "0123456789abcdef-kept by hand.ndjson"
    stranger.write_bytes(b"the only copy\n")
    changed = ours.with_name(f"{ours.name[:16]}-changed.ndjson")
    changed.write_bytes(b"not what was taken in\n")
    left = {ours, stranger, changed}
    args = room.platform.quarantine, FolderInbox(room.inbox.folder, timedelta(days=30)), room.platform.ledger
    assert remove_old(*args, TAKEN_IN_AT + timedelta(days=30) - MICROSECOND)["done_segments"]["removed"] == 0
    assert set(room.inbox.done.iterdir()) == left
    size = ours.stat().st_size
    told = remove_old(*args, TAKEN_IN_AT + timedelta(days=30))["done_segments"]
    assert told == {"removed": 1, "bytes": size, "not_in_ledger": 2}
    assert set(room.inbox.done.iterdir()) == left - {ours}


def test_segments_that_wait_or_are_held_are_not_touched(room: Room) -> None:
    room.drop("b.ndjson", [whatsapp(0, change("fern-1", [message(str(each), 0, "TIMESTAMP")])) for each in range(30)])
    room.take()
    room.drop("c.ndjson", [b"hello"])
    remove(room, AT + timedelta(days=9_999))
    assert [path.name[17:] for path in room.inbox.held.iterdir()] == ["b.ndjson"]
    assert room.inbox.names() == ["c.ndjson"]


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "99999"])
def test_days_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    assert Settings.load(tmp_path, {"FLEXORAA_DONE_DAYS": "7"}).done_days == 7
    with pytest.raises(SettingsError, match="FLEXORAA_DONE_DAYS must be a whole number of days"):
        Settings.load(tmp_path, {"FLEXORAA_DONE_DAYS": text})
