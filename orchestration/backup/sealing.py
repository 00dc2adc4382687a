"""Raw segments in a backup, encrypted: they hold people as the vendors sent them, and a backup is kept for longer than they are.

Here belongs the encrypted file: for each part of a mebibyte its length, then AES-256-GCM under a key of the vault, bound to the
file's name, the part's number and whether it is the last. Not here: which files are (`orchestration.backup.contents`).
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PART = 1 << 20
_PREFIX, _LENGTH = 8, 4


class NotOursError(Exception):
    """Bytes that this key did not seal under this name."""


def sealed(file: BinaryIO, key: bytes, name: str) -> Iterator[bytes]:
    """The encrypted file, piece by piece."""
    prefix, number = os.urandom(_PREFIX), 0
    yield prefix
    part = file.read(PART)
    while True:
        following = file.read(PART)
        cipher = AESGCM(key).encrypt(_nonce(prefix, number), part, _place(name, number, is_last=not following))
        yield len(cipher).to_bytes(_LENGTH, "big") + cipher
        if not following:
            return
        part, number = following, number + 1


def unsealed(file: BinaryIO, key: bytes, name: str) -> Iterator[bytes]:
    """The plain file, piece by piece.

    Raises:
        NotOursError: another key or name, or a changed, moved or missing part.
    """
    prefix, number = file.read(_PREFIX), 0
    length = file.read(_LENGTH)
    while length:
        cipher = file.read(int.from_bytes(length, "big"))
        length = file.read(_LENGTH)
        try:
            yield AESGCM(key).decrypt(_nonce(prefix, number), cipher, _place(name, number, is_last=not length))
        except (InvalidTag, ValueError) as error:
            raise NotOursError(name) from error
        number += 1
    if not number:
        raise NotOursError(name)


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _place(name: str, number: int, *, is_last: bool) -> bytes:
    return f"{name}|{number}|{is_last}".encode()
