"""What a backup consists of: a manifest with every file's size and SHA-256, copied and checked file by file.

Here belongs the folder's format. Not here: the database (`orchestration.backup.database`), the order of steps (`make`, `restore`).

    BACKUP/manifest.json     this list, written last: a folder without it is no backup
    BACKUP/state.dump        the database without the vault's rows
    BACKUP/home/…            inbox, lake, reference, warehouse, models, reports, settings.env, erasures.ndjson
    KEYS (another file)      the vault's rows and what lies in the home's secrets: whoever has only the backup can read nobody
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

FORMAT = 1
MANIFEST, STATE, HOME = "manifest.json", "state.dump", "home"
KEPT = ("settings.env", "erasures.ndjson", "lake", "reference", "warehouse.duckdb", "spark-warehouse", "models", "reports", "inbox")
"""What of a home is copied, in this order: the inbox last, so that whatever the collector acknowledged before the copy began is in it."""

_CHUNK = 1 << 20
_PASSED_OVER = (".opening-", ".staging", ".tmp")


class BackupError(Exception):
    """A backup that cannot be made or restored; the message says what to do."""


class Kept(Struct, frozen=True):
    """One file, its path relative to the backup's folder."""

    path: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds. `keys_sha256` pairs it with its file of keys; `as_of` is the moment of which the database speaks."""

    format: int
    as_of: str
    version: str
    migration: str
    engine: str
    database: str
    keys_sha256: str
    roles: list[tuple[str, str, str]]
    files: list[Kept]


def copied(home: Path, target: Path) -> Iterator[Kept]:
    """Copy what is kept of a home, durably, while nobody but the collector writes; yields each file as it is done.

    Raises:
        BackupError: a file went away meanwhile.
    """
    for name in KEPT:
        for relative in _files(home, home / name):
            try:
                yield _copy(home / relative, target / HOME / relative, f"{HOME}/{relative}")
            except FileNotFoundError as error:
                closed = _closed(Path(relative))
                if closed is None:
                    raise BackupError(f"{home / relative} went away while it was copied: who else works in this home?") from error
                if (home / closed).exists():  # an empty one vanishes
                    yield _copy(home / closed, target / HOME / closed, f"{HOME}/{closed}")


def _closed(path: Path) -> Path | None:
    """The name under which the collector closes an open segment."""
    is_open = path.name.startswith(".collector-") and path.name.endswith(".open")
    return path.with_name(path.name.removeprefix(".").removesuffix(".open")) if is_open else None


def put_back(backup: Path, home: Path, files: Iterable[Kept]) -> Iterator[Kept]:
    """Copy files of a backup to a home, each checked as it is written.

    Raises:
        BackupError: a file is not what the manifest says.
    """
    for each in files:
        if not each.path.startswith(f"{HOME}/"):
            continue
        made = _copy(backup / each.path, home / each.path.removeprefix(f"{HOME}/"), each.path)
        if made != each:
            raise BackupError(f"{backup / each.path} changed while it was read")
        yield each


def check(backup: Path, manifest: Manifest) -> Iterator[Kept]:
    """Read every file of a backup against its manifest; yields each that is right.

    Raises:
        BackupError: names the first that is missing or changed.
    """
    for each in manifest.files:
        path = backup / each.path
        if not path.is_file() or ".." in Path(each.path).parts:
            raise BackupError(f"{path} is missing: this backup is not whole; take another one")
        if described(path, each.path) != each:
            raise BackupError(f"{path} was changed or damaged: it is not the {each.bytes:,} bytes that were backed up; take another backup")
        yield each


def described(path: Path, name: str) -> Kept:
    """A file's size and hash."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Kept(name, path.stat().st_size, digest.hexdigest())


def read_manifest(backup: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        BackupError: there is none, or this version does not read it.
    """
    path = backup / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupError(f"{backup} is no whole backup: it has no {MANIFEST}") from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path} cannot be read by this version: {error}") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{path} has format {manifest.format}, and this version reads {FORMAT}: use the version that made it")
    return manifest


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """A file that appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _files(home: Path, start: Path) -> list[str]:
    if start.is_file():
        return [str(start.relative_to(home))]
    found = []
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(each for each in folders if not each.startswith(_PASSED_OVER))
        found += [
            str((Path(folder) / name).relative_to(home))
            for name in names
            if not name.startswith(_PASSED_OVER) and not name.endswith(".tmp")
        ]
    return sorted(found)


def _copy(source: Path, target: Path, name: str) -> Kept:
    """In one reading: the hash is that of the bytes that were written."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
            while chunk := reading.read(_CHUNK):
                writing.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            writing.flush()
            os.fsync(writing.fileno())
    return Kept(name, size, digest.hexdigest())
