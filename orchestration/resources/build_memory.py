"""What the last whole build of a warehouse saw: files of the lake, reference rows, code, moment.

Here belongs that memory, a folder a build; which of them the warehouse's tables are of is written in the warehouse itself. Not here: what
follows from it (`increments`, `touched`).
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from assets.project import PROJECT
from core.columns import columns
from core.events import EVENT_TYPES, SCHEMA_VERSION
from core.reference import REFERENCE_TYPES
from orchestration.resources.lake_files import LakeFile, LakeFiles
from orchestration.resources.lake_schema import footer

_SEEN = "seen.json"
_PARTS = ("models", "macros", "seeds")
TWINS = "twins.parquet"
TOUCHED = "touched.parquet"
UNTESTED = "untested.parquet"
"""Keys that brief builds made anew since the last whose tests looked at everything."""


class Seen(Struct, frozen=True):
    """What a build saw. `files` by table and name: size and time of change; `stems` of all segments whose rows lie in them.

    `base` is the build that it continued, absent where it made everything anew. `is_all` is false where it was to know less than what had
    come.
    """

    build_id: str
    as_of: datetime
    code: str
    files: dict[str, dict[str, tuple[int, int]]]
    stems: frozenset[str]
    base: str | None = None
    is_all: bool = True


class BuildMemory:
    """A folder with one folder a build."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made when something is kept."""
        self._folder = folder

    def place(self, build_id: str) -> Path:
        """The folder of one build; links to reference files as they were lie in it, by their names."""
        return self._folder / build_id

    def seen(self, build_id: str | None) -> Seen | None:
        """What a build saw, or None where that is not known any more."""
        try:
            return None if build_id is None else msgspec.json.decode((self.place(build_id) / _SEEN).read_bytes(), type=Seen)
        except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
            return None

    def others(self, build_id: str) -> Iterator[Seen | None]:
        """What builds saw that began since and did not end; None for one that cannot be read."""
        if self._folder.is_dir():
            yield from (self.seen(path.name) for path in sorted(self._folder.iterdir()) if path.name != build_id)

    def begin(self, seen: Seen, reference: Path) -> Path:
        """Keep what a build sees before it writes its first table; returns its folder."""
        place = self.place(seen.build_id)
        place.mkdir(parents=True)
        for row in REFERENCE_TYPES:
            name = f"{row.table}.parquet"  # type: ignore[attr-defined]  # every type of that tuple has a table
            if (reference / name).exists():
                os.link(reference / name, place / name)  # such files are replaced, never changed
        draft = place / f".{_SEEN}"
        draft.write_bytes(msgspec.json.encode(seen))
        draft.replace(place / _SEEN)
        return place

    def keep_only(self, build_id: str) -> None:
        """Forget all builds but one."""
        for path in list(self._folder.iterdir()):
            if path.name != build_id:
                shutil.rmtree(path)


def live_files(lake: LakeFiles) -> dict[str, list[LakeFile]]:
    """Files with rows that count, by table."""
    return {event.table: [file for file in lake.live(event.table) if footer(file).rows] for event in EVENT_TYPES}


def looks(files: Mapping[str, list[LakeFile]]) -> dict[str, dict[str, tuple[int, int]]]:
    """How they look, by table and name."""
    return {table: {file.name: (file.size_bytes, file.changed_ns) for file in each} for table, each in files.items()}


def stem_of(file: LakeFile) -> str:
    """The beginning of the id of the segment whose rows a file holds; a merged file's own name."""
    return file.path.name.rpartition("-")[0]


def code_of_models() -> str:
    """A hash of all that decides what models say of the same rows: SQL, seeds, columns."""
    digest = hashlib.sha256(f"{SCHEMA_VERSION}".encode())
    for struct in (*EVENT_TYPES, *REFERENCE_TYPES):
        digest.update(f"{struct.__name__} {columns(struct)}".encode())
    files = [PROJECT / "dbt_project.yml", *(path for part in _PARTS for path in sorted((PROJECT / part).rglob("*")) if path.is_file())]
    for path in files:
        digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()
