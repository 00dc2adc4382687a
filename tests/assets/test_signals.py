"""Messages are read once, whatever comes in which order and is merged, and what they say holds none of their words."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.signals import BATCH, read_pending
from core.signals import Heard, MessageSignal, SignalReader, Spoken
from orchestration.resources.signal_files import live_signals
from orchestration.resources.signal_models import ModelFileError, SignalModels
from orchestration.resources.signal_readers import NoReader, ShippedReader
from orchestration.resources.signals import FolderSignals
from tests.assets.rooms import Room, Traffic


class Counting:
    """A reader that counts, and of which the version can change."""

    def __init__(self, reader: SignalReader, version: str = "v1", name: str = "") -> None:
        self.reader, self.version, self.name = reader, version, name
        self.texts: list[str] = []

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        assert len(messages) <= BATCH
        self.texts += [each.text for each in messages]
        heard = self.reader.read(messages)
        return (
            [Heard(**{name: getattr(each, name) for name in Heard.__struct_fields__} | {"reader": self.name}) for each in heard]
            if self.name
            else heard
        )

    def troubles(self) -> Mapping[str, int]:
        return {}


@pytest.fixture(scope="module")
def shipped(platform, tmp_path_factory: pytest.TempPathFactory) -> ShippedReader:
    return ShippedReader(SignalModels(tmp_path_factory.mktemp("models"), platform.vault))


def signals_of(room: Room) -> FolderSignals:
    return FolderSignals(room.folder / "reference", room.lake.folder, room.platform.state)


def rows(room: Room) -> list[tuple[Any, ...]]:
    files = [str(path) for path in live_signals(room.folder / "reference")]
    with duckdb.connect() as connection:
        return sorted(connection.execute("select distinct * from read_parquet(?, hive_partitioning = false)", [files]).fetchall(), key=str)


def read(room: Room, reader: SignalReader) -> tuple[int, int]:
    return read_pending(signals_of(room), reader, room.platform.vault, room.platform.progress)


def with_text(room: Room) -> int:
    with duckdb.connect() as connection:
        query = f"select count(*) from read_parquet('{room.lake.folder}/messages/*/*.parquet', hive_partitioning = false) where text_enc is not null"
        return connection.sql(query).fetchall()[0][0]


def test_each_message_is_read_once_and_says_what_it_says_in_any_order_and_however_files_are_merged(
    room: Room, traffic: Traffic, shipped: ShippedReader, tmp_path: Path, platform
) -> None:
    reader = Counting(shipped)
    lines = traffic.lines[::3]
    room.drop_all(lines[::2])
    room.take()
    first, erased = read(room, reader)
    assert (first, erased) == (with_text(room), 0)
    assert read(room, reader) == (0, 0)
    room.drop_all(lines[1::2], segments=2)
    room.take()
    more, _ = read(room, reader)
    assert first + more == with_text(room) == len(reader.texts)
    found = rows(room)
    assert {row[0] for row in found} == {"shipped"}

    list(room.lake.compact(2))
    assert read(room, reader) == (0, 0), "merging costs no reading"
    assert rows(room) == found
    room.lake.sweep()
    assert read(room, reader) == (0, 0)
    assert rows(room) == found

    other = Room(tmp_path / "other", platform)
    other.forget()
    other.drop_all(lines[::-1], segments=1)
    other.take()
    read(other, Counting(shipped))
    assert rows(other) == found

    words = {text for text in reader.texts if len(text) > 12}
    held = {value for row in found for value in row if isinstance(value, str)}
    assert words and not words & held


def test_another_version_reads_all_again_but_not_what_was_read_outside(room: Room, traffic: Traffic, shipped: ShippedReader) -> None:
    room.drop_all(traffic.lines[: len(traffic.lines) // 6], segments=2)
    room.take()
    count = with_text(room)
    assert read(room, Counting(shipped, "v1")) == (count, 0)
    assert read(room, Counting(shipped, "v2", "external")) == (count, 0)
    assert read(room, Counting(shipped, "v3")) == (0, 0)
    assert {row[0] for row in rows(room)} == {"external"}
    assert read(room, NoReader()) == (0, 0)
    assert len(rows(room)) > 0


def test_nobody_reads_what_an_erased_person_wrote(room: Room, traffic: Traffic, shipped: ShippedReader) -> None:
    class Emptied:
        def keys(self, tenant_id: str, point_ids: object) -> dict[str, bytes]:
            return {}

    room.drop_all(traffic.lines[: len(traffic.lines) // 8], segments=1)
    room.take()
    reader = Counting(shipped)
    count = with_text(room)
    assert read_pending(signals_of(room), reader, Emptied(), room.platform.progress) == (0, count)  # type: ignore[arg-type]  # only its keys
    assert reader.texts == [] and rows(room) == []


def test_whoever_is_stopped_while_reading_begins_that_file_anew(room: Room, traffic: Traffic, shipped: ShippedReader) -> None:
    class Dying(Counting):
        def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
            if self.texts:
                raise KeyboardInterrupt
            return super().read(messages)

    room.drop_all(traffic.lines[: len(traffic.lines) // 6], segments=3)
    room.take()
    with pytest.raises(KeyboardInterrupt):
        read(room, Dying(shipped))
    reader = Counting(shipped)
    read(room, reader)
    assert len(rows(room)) == len(reader.texts) == with_text(room)
    assert not list((room.folder / "reference" / "signals").rglob("*.tmp"))
    again = Counting(shipped)
    assert read(room, again) == (0, 0)


def test_a_changed_file_of_models_is_refused_and_made_anew_on_demand(platform, tmp_path: Path) -> None:
    models = SignalModels(tmp_path, platform.vault)
    path = models.ensure()
    assert models.load().version in path.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"is refused: .*flexoraa signals train"):
        models.load()
    path.with_suffix(".hmac").unlink()
    with pytest.raises(ModelFileError, match="digest cannot be read"):
        models.load()
    models.train()
    assert models.load().version


def test_rows_hold_every_field_of_a_reading() -> None:
    assert set(Heard.__struct_fields__) < set(MessageSignal.__struct_fields__)
    assert dataclasses.is_dataclass(Traffic)
