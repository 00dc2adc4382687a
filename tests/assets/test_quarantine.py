"""Trying again what was turned away: it ends as if whatever was wrong had been right from the start, to the row and to the count."""

import gzip
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.quarantine import Choice
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from tests.assets.quarantine_world import LINES, Fixes, Room, feed, older_decoders

ROOT = Path(__file__).resolve().parents[2]
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
    assert reasons == {"unknown_account": 24, "wrong_signature": 4, "bad_time": 1, "bad_contact": 1, "bad_line": 2}
    assert len(room.rows()["unmodelled"]) == 7
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
    shown = [line for rows in room.rows().values() for line in rows]
    assert sum(line.count("'document'") for line in shown) == 5  # as often as they came, and with what they say: without, rows would differ
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


class Dying:
    """The program that kills itself, kept for many deaths: importing costs more than dying."""

    def __init__(self, home: Path) -> None:
        command = [sys.executable, "-m", "tests.assets.dying_replayer", str(home)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def act(self, room: Room, action: str, step: int) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{room.folder} {action} {step}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate("", timeout=60)


@pytest.fixture(scope="module")
def dying(platform: Platform) -> Iterator[Dying]:
    """Over the same state."""
    made = Dying(platform.settings.home)
    yield made
    made.close()


def wreck(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken in with all that was wrong, then put right."""
    with monkeypatch.context() as older:
        older_decoders(older)
        room.drop("a.ndjson", LINES)
        room.take()
    room.apply(Fixes())


def test_a_replay_that_is_killed_at_any_step_is_brought_to_its_end_by_whatever_comes_next(
    calm: dict[str, object], room: Room, dying: Dying, monkeypatch: pytest.MonkeyPatch
) -> None:
    wreck(room, monkeypatch)
    endings = []
    for step in (1, 2, 5, 13, 34):
        endings.append(dying.act(room, "replay", step))
        room.take()  # a run, which first ends what was begun: its check must hold whatever is half done
        assert room.check()
    assert endings.count("died") >= 3
    for step in (2, 4, 5, 6, 7, 9, 12, 60):
        endings.append(dying.act(room, "remodel", step))
        room.take()
        assert room.check()
    assert endings.count("died") >= 7
    assert "failed" not in endings
    assert ends(room) == calm


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), st.sets(st.integers(0, len(LINES) - 1), min_size=1)),
        st.tuples(st.just("fix"), st.sampled_from(["is_connected", "is_secret_true", "decoders"])),
        st.tuples(st.sampled_from(["take", "replay", "remodel"]), st.just(0)),
        st.tuples(st.sampled_from(["take", "replay", "remodel"]), st.integers(1, 25)),  # killed at this step
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(steps=STEPS)
def test_any_order_of_taking_in_putting_right_replaying_and_dying_ends_as_a_right_start(
    steps: list[tuple[str, object]], platform: Platform, dying: Dying, calm: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    room = Room(tmp_path_factory.mktemp("any"), platform)
    room.forget()
    fixes = {"is_connected": False, "is_secret_true": False}
    room.apply(Fixes(**fixes))
    acts: dict[str, Callable[[], object]] = {"take": room.take, "replay": room.replay, "remodel": room.remodel}
    left = set(range(len(LINES)))
    with pytest.MonkeyPatch.context() as older:
        older_decoders(older)
        is_older = True
        for number, (what, how) in enumerate(steps):
            if what == "drop":
                chosen = left & how  # type: ignore[operator]
                room.drop(f"{number}.ndjson", [LINES[each] for each in sorted(chosen)])
                left -= chosen
            elif how == "decoders":
                older.undo()
                is_older = False
            elif what == "fix":
                fixes[str(how)] = True
                room.apply(Fixes(**fixes))
            elif how and not is_older:  # another process knows the decoders of today only
                assert dying.act(room, what, int(str(how))) in {"died", "done"}
            else:
                acts[what]()
                assert room.check()
    room.drop("last.ndjson", [LINES[each] for each in sorted(left)])
    room.apply(Fixes())
    room.take()
    room.replay()
    room.remodel()
    assert room.check()
    assert ends(room) == calm


def test_rows_leave_a_file_that_other_segments_share_and_it_keeps_what_it_says_of_itself(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older_decoders(older)
        room.drop("a.ndjson", LINES[:9])
        room.drop("b.ndjson", LINES[9:])
        room.take()
    files = sorted((room.lake.folder / "unmodelled").glob("*/[!s]*.parquet"))
    merged = pa.concat_tables([pq.ParquetFile(each).read() for each in files]).replace_schema_metadata({"made": "of several"})
    for each in files:
        each.unlink()
    pq.write_table(merged, files[0].with_name("merged.parquet"))
    assert room.check()
    before = merged.num_rows
    taken, _ = room.remodel(Choice(source="whatsapp"))
    left = pq.ParquetFile(files[0].with_name("merged.parquet")).read()
    assert before - left.num_rows == taken["messages"] > 0
    assert left.schema.metadata == {b"made": b"of several"}
    assert room.check()


def test_what_was_not_kept_whole_stays_and_is_told(room: Room) -> None:
    packed = gzip.compress(b"".join(line + b"\n" for line in LINES[:3]), mtime=0)
    (room.inbox.folder / "a.ndjson.gz").write_bytes(packed[:-4])
    room.take()
    room.apply(Fixes())
    before = room.held()
    assert "bad_archive" in {key[2] for key in before}
    assert room.replay(Choice(reason="bad_archive"), is_rehearsal=True) == (Counter(), {"bad_archive": 1})
    assert room.replay() == (Counter({"messages": 3, "contact_events": 3}), {"bad_archive": 1})
    assert room.check()
