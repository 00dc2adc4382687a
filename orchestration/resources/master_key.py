"""The master key as text and as a file: read, refused, made once.

Here belongs how 32 bytes come in from outside. Not here: what is wrapped under them (`orchestration.resources.vault`).
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from orchestration.resources.durable import make_durable

KEY_BYTES = 32


class MasterKeyError(Exception):
    """A master key that cannot be used; the message never holds it."""


def decode_key(text: str, where: str) -> bytes:
    """Base64 (standard or URL alphabet) into exactly 32 bytes; `where` names its place in the message.

    Raises:
        MasterKeyError: it is none.
    """
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"{where} must be {KEY_BYTES} bytes in base64; make one with: openssl rand -base64 {KEY_BYTES}"
        raise MasterKeyError(message)
    return key


def file_key(path: Path) -> bytes:
    """The key in `path`; the first caller makes it, and of several at once all get the same.

    Raises:
        MasterKeyError: other users may read the file, or it holds no key.
    """
    if not path.exists():
        _make_once(path)
    with path.open(encoding="ascii", errors="replace") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & 0o077:
            message = f"{path} may be read by others (mode {mode:04o}): run chmod 600 {path}, and think of a new key"
            raise MasterKeyError(message)
        return decode_key(file.read(), str(path))


def old_of(path: Path) -> Path:
    """Where the key before this one lies while keys are wrapped anew."""
    return path.with_name(f"{path.name}.old")


def begin_rotation(path: Path, watch: Callable[[str], None]) -> tuple[bytes, bytes]:
    """Put a new key in the place of the one in `path`, which stays beside it; returns both, old and new. Again: those of the one begun.

    Raises:
        MasterKeyError: as `file_key`.
    """
    old = old_of(path)
    if not old.exists():
        file_key(path)
        _link_durably(path, old)
    watch("kept")
    if old.samefile(path):
        draft = _draft(path)
        draft.replace(path)
        make_durable([path.parent])
    watch("switched")
    return file_key(old), file_key(path)


def end_rotation(path: Path) -> None:
    """The old key goes: everything is wrapped under the new one."""
    old_of(path).unlink(missing_ok=True)
    make_durable([path.parent])


def _link_durably(path: Path, target: Path) -> None:
    os.link(path, target)
    make_durable([path.parent])


def _make_once(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        # A hard link fails where the name exists, so the key appears whole or not at all and is never replaced.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _draft(path: Path) -> Path:
    """A fresh key, durably, under a name that nobody looks for."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft
