"""Files of the home beside the stores: reports, logs, what tools leave behind, models.

Here belongs overwriting a person in text, byte for byte in place, so that whoever has the file open goes on writing to it, and refusing to
go on where a model holds one: a model is not edited but retired. No rule lets a person in there; a provider's words or a
traceback may. Not here: stores with a step of their own.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

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
    for path in _files(home):
        name = str(path.relative_to(home))
        if path.suffix in _ARCHIVES:
            _refuse_archive(path, name, finder)
        elif _sweep(path, finder):
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


def _sweep(path: Path, finder: Finder) -> bool:
    """Whether anything was overwritten."""
    with path.open("rb") as file:
        offset, tail, places = 0, b"", []
        while part := file.read(_PART):
            raw = tail + part
            start = offset - len(tail)
            places += [(start + begin, end - begin) for begin, end in finder.places(raw)]
            tail = raw[-_OVERLAP:]
            offset += len(part)
    if not places:
        return False
    with path.open("r+b") as file:
        for begin, size in places:
            file.seek(begin)
            file.write(b"*" * size)
    return True


def _refuse_archive(path: Path, name: str, finder: Finder) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if finder.hits([archive.read(member)]):
                    raise PrivacyError(
                        "in_archive", f"{name} holds in {member} what identifies a person: retire it (a model is retrained), then run again"
                    )
    except zipfile.BadZipFile:
        _sweep(path, finder)
