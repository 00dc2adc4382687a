"""Which files of the lake count: the folder's listing, read through one manifest a table.

Here belongs what makes a change of many files one change to readers. A merge of files counts from the moment at which its table's
`manifest.json` is renamed into place; until then the merged file is passed over, from then on those that it replaced are. They stay on
disk until nobody reads (`sweep`), so whoever listed them before still finds them. Not here: what is merged when (`compaction`), what is in
a file (`lake_schema`).
"""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

MERGED = "merged-"
"""How names of merged files begin. Those of segments are hex digits."""

_FORMAT = 1
_MANIFEST = "manifest.json"
_STEMS = "merged_segments.txt"


class LakeError(Exception):
    """The lake holds what cannot be read or changed; the message says which file, why, and what to do."""


class LakeFile(NamedTuple):
    """One file that counts. `name` is relative to its table's folder; `changed_ns` is its time of change."""

    path: Path
    name: str
    day: date
    size_bytes: int
    changed_ns: int

    @property
    def is_merged(self) -> bool:
        """Whether it holds more than one segment's rows."""
        return self.path.name.startswith(MERGED)


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the listing alone does not tell. Names are relative to the table's folder.

    `merged`: files made of others, that count. `replaced`: files that no longer do. `pending`: files that a merge is about to put in place,
    which do not yet. `generation` grows by one with each change, so no name of a merged file comes twice.
    """

    format: int = _FORMAT
    generation: int = 0
    merged: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


class LakeFiles:
    """The files of one lake folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; nothing is read yet."""
        self.folder = folder
        self._stems: tuple[int, frozenset[str]] = (0, frozenset())

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While this is held, every file that `live` gave stays where it is."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody reads; then nobody begins to before this ends."""
        with self._locked(fcntl.LOCK_EX):
            yield

    def live(self, table: str) -> list[LakeFile]:
        """The files of a table that count, by name; each row of the table is in just one of them.

        The manifest is read before the folder: files that it does not know of yet are passed over, those that it still counts are there.

        Raises:
            LakeError: a merged file is gone, or the manifest cannot be read.
        """
        manifest = self.manifest(table)
        merged, replaced = set(manifest.merged), set(manifest.replaced)
        found = [each for each in self._listed(table) if (each.name in merged if each.is_merged else each.name not in replaced)]
        if lost := merged.difference(each.name for each in found):
            lost_name = min(lost)
            raise LakeError(
                f"{self.folder / table / lost_name} is gone, and with it rows of several segments: put it back from a backup "
                f"(of {len(lost)} such files this is the first)"
            )
        return found

    def manifest(self, table: str) -> Manifest:
        """The table's manifest; an empty one before the first merge."""
        path = self.folder / table / _MANIFEST
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return Manifest()
        except msgspec.DecodeError as error:
            raise LakeError(f"{path} is damaged ({error}): put it back from a backup, with its folder") from error
        if manifest.format != _FORMAT:
            raise LakeError(f"{path} has format {manifest.format}, and this version reads {_FORMAT}: use the version that wrote it")
        return manifest

    def announce(self, table: str, day: date, count: int) -> list[str]:
        """Names for files that are about to be put in place; should nothing come of it, `sweep` removes them."""
        manifest = self.manifest(table)
        names = [f"event_date={day}/{MERGED}{manifest.generation + 1:08d}-{number:03d}.parquet" for number in range(count)]
        self._swap(table, manifest, pending={*manifest.pending, *names})
        return names

    def commit(self, table: str, *, new: Collection[str] = (), old: Collection[str] = (), revived: Collection[str] = ()) -> None:
        """From here on `new` counts and `old` does not; `revived` are segments' own files that count again."""
        manifest = self.manifest(table)
        self._swap(
            table,
            manifest,
            merged={*manifest.merged, *new}.difference(old),
            replaced={*manifest.replaced, *old}.difference(revived),
            pending=set(manifest.pending).difference(new),
        )

    def note_merged(self, stems: Collection[str]) -> None:
        """Write down, durably, that rows of these segments are about to lie in merged files."""
        unknown = sorted(set(stems).difference(self._merged_stems()))
        if unknown:
            with (self.folder / _STEMS).open("a", encoding="ascii") as file:
                file.write("".join(f"{stem}\n" for stem in unknown))
                file.flush()
                os.fsync(file.fileno())

    def was_merged(self, stem: str) -> bool:
        """Whether rows of a segment may lie in merged files: then its own files alone are not all there is of it."""
        return stem in self._merged_stems()

    def merged_stems(self) -> frozenset[str]:
        """Those of all segments whose rows may lie in merged files."""
        return self._merged_stems()

    def waiting(self, table: str) -> int:
        """Files that no longer count and are still there."""
        manifest = self.manifest(table)
        return sum((self.folder / table / name).exists() for name in (*manifest.replaced, *manifest.pending))

    def sweep(self) -> int | None:
        """Remove what no longer counts and what came of nothing; returns how many files, or None while somebody reads."""
        try:
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return sum(self._sweep(path.parent.name) for path in sorted(self.folder.glob(f"*/{_MANIFEST}")))
        except BlockingIOError:
            return None

    def _sweep(self, table: str) -> int:
        manifest = self.manifest(table)
        removed = 0
        for name in {*manifest.replaced, *manifest.pending}:
            with contextlib.suppress(FileNotFoundError):
                (self.folder / table / name).unlink()
                removed += 1
        if manifest.replaced or manifest.pending:
            self._swap(table, manifest, replaced=(), pending=())
        return removed

    def _swap(self, table: str, manifest: Manifest, **changes: Collection[str]) -> None:
        changed = {name: tuple(sorted(names)) for name, names in changes.items()}
        following = msgspec.structs.replace(manifest, generation=manifest.generation + 1, **changed)
        path = self.folder / table / _MANIFEST
        aside = path.with_suffix(".tmp")
        with aside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(following), indent=1))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
        sync_folder(path.parent)

    def _listed(self, table: str) -> Iterator[LakeFile]:
        folder = self.folder / table
        if not folder.is_dir():
            return
        for part in sorted(path.name for path in folder.iterdir() if path.name.startswith("event_date=")):
            day = date.fromisoformat(part.removeprefix("event_date="))
            with os.scandir(folder / part) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    if entry.name.endswith(".parquet"):
                        try:
                            state = entry.stat()
                        except FileNotFoundError:  # of a segment that is being taken in again, in other parts
                            continue
                        yield LakeFile(Path(entry.path), f"{part}/{entry.name}", day, state.st_size, state.st_mtime_ns)

    def _merged_stems(self) -> frozenset[str]:
        path = self.folder / _STEMS
        size = path.stat().st_size if path.exists() else 0
        if size != self._stems[0]:
            self._stems = (size, frozenset(path.read_text(encoding="ascii").split()))
        return self._stems[1]

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """A lock on the folder itself, which is there and needs no file; a process that dies lets go of it."""
        if not self.folder.is_dir():
            yield
            return
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names in a folder outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
