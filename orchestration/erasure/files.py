"""Files of the home beside the stores: reports, logs, what tools leave behind, models.

Here belongs overwriting a person in text, byte for byte in place, so that whoever has the file open goes on writing to it, and refusing to
go on where a model holds one: a model is not edited but retired. No rule lets a person in there; a provider's words or a
traceback may. Not here: stores with a step of their own.
"""

import gzip
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from core.privacy import PrivacyError
from orchestration.erasure.words import Finder

_STORES = frozenset({"inbox", "lake", "state", "secrets", "spark-warehouse", "run.lock"})
_PART = 8 << 20
_OVERLAP = 1 << 10  # longer than any form
_ARCHIVES = (".skops", ".zip")


def sweep_files(home: Path, finder: Finder) -> list[str]:
    """Overwrite what is found; returns the files that changed, relative to the home.

    Raises:
        PrivacyError: an archive or the warehouse's file holds what is looked for, which no overwriting takes out.
    """
    changed = []
    for path, member in dict.fromkeys(finder.hits(_texts(home))):
        name = str(path.relative_to(home))
        if member:
            raise PrivacyError(
                "in_archive", f"{name} holds in {member} what identifies a person: retire it (a model is retrained), then run again"
            )
        _overwrite(path, finder)
        changed.append(name)
    return changed


def _files(home: Path) -> Iterator[Path]:
    for entry in sorted(home.iterdir()):
        if entry.name in _STORES or entry.name.startswith("warehouse.duckdb") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from sorted(each for each in entry.rglob("*") if each.is_file() and not each.is_symlink() and not _is_store(each))
        elif entry.is_file():
            yield entry


def _is_store(path: Path) -> bool:
    return path.suffix in {".parquet", ".duckdb"}


def _texts(home: Path) -> Iterator[tuple[tuple[Path, str], bytes]]:
    """Each file in parts; of an archive each member, by its name."""
    for path in _files(home):
        if path.suffix in _ARCHIVES and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield (path, member), archive.read(member)
        elif path.suffix in _PACKED:
            yield (path, ""), _PACKED[path.suffix][0](path.read_bytes())
        else:
            for _, raw in _parts(path):
                yield (path, ""), raw


def _parts(path: Path) -> Iterator[tuple[int, bytes]]:
    """Where each part begins, and its bytes; they overlap."""
    with path.open("rb") as file:
        offset, tail = 0, b""
        while part := file.read(_PART):
            yield offset - len(tail), tail + part
            tail = (tail + part)[-_OVERLAP:]
            offset += len(part)


def _overwrite(path: Path, finder: Finder) -> None:
    if path.suffix in _PACKED:
        unpack, pack = _PACKED[path.suffix]
        raw = bytearray(unpack(path.read_bytes()))
        for begin, end in finder.places(bytes(raw)):
            raw[begin:end] = b"*" * (end - begin)
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(pack(bytes(raw)))
        draft.rename(path)
        return
    places = [(start + begin, end - begin) for start, raw in _parts(path) for begin, end in finder.places(raw)]
    with path.open("r+b") as file:
        for begin, size in places:
            file.seek(begin)
            file.write(b"*" * size)


_PACKED: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (gzip.decompress, gzip.compress),
    ".zst": (lambda raw: zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read(), zstandard.compress),
}
"""How to unpack and pack again, by the end of a file's name."""
